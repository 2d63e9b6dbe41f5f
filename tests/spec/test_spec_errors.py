"""Every mistake in a study is one line at its place that says what to do, and no other line beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_study import BASELINE, STUDY, Folder, assert_problems, edited

from lnbench.errors import SpecError
from lnbench.studies import load_studies, load_study

BASE_NOISE = "noise: {kind: dilute_uniform, alpha: 10, include_true_class: true}"
NET = "net: {metric: test_accuracy, at: {model: convnet4, noise.alpha: 10}}"
GAP_AT = "at: {model: [mlp1, convnet4]}, along"
NEAR = 'reference: table1/net, margin: 0.05, because: "n unknown"'
VARY = "vary: {model: [perceptron, mlp1, convnet4], noise.alpha: [0, 10]}"
CPU = "  cpu:\n    runs:\n"

WRONG_TYPES = [
    ("epochs: 3\n", 'epochs: »"3"\n', "epochs: expected a whole number, not '3'; write it without quotes"),
    ("epochs: 3\n", "epochs: »three\n", "epochs: expected a whole number, not 'three'"),
    ("epochs: 3\n", "epochs: »3.0\n", "epochs: expected a whole number, not 3.0"),
    ("epochs: 3\n", "epochs: »true\n", "epochs: expected a whole number, not true"),
    ("epochs: 3\n", "epochs:»\n", "epochs: expected a whole number, not nothing"),
    ("epochs: 3\n", "epochs: »[3]\n", "epochs: expected a whole number, not a list"),
    ("epochs: 3\n", "epochs: »0\n", "epochs: must be greater than or equal to 1, not 0"),
    ("batch_size: 100", "batch_size: »-1", "batch_size: must be greater than or equal to 1, not -1"),
    ("lr: 0.05, mom", "lr: »false, mom", "lr: expected a number, not false"),
    ("lr: 0.05, mom", "lr: »{x: 1}, mom", "lr: expected a number, not a mapping"),
    ("nesterov: false", "nesterov: »0", "nesterov: expected true or false, not 0"),
    ("nesterov: false", 'nesterov: »"false"', "expected true or false, not 'false'; write it without quotes"),
    ("model: mlp1\n", "model: »5\n", "model: expected text, not 5; quote it"),
    ("title: A toy study", "title: »2018", "title: expected text, not 2018; quote it"),
    ("dataset: {name: digits, clean: 1000}", "dataset: »mnist", "dataset: expected a mapping, not 'mnist'"),
    ("dataset: {name: digits, clean: 1000}", "dataset: »[mnist]", "dataset: expected a mapping, not a list"),
    (BASE_NOISE, "noise: »none", "noise: expected a mapping with the key 'kind', not 'none'"),
    (BASE_NOISE, "noise: »{alpha: 10}", "missing key 'kind' in noise"),
    ("pair: [noise]", "pair: »noise", "pair: expected a list, not 'noise'; write [noise]"),
    ("pair: [noise]", "pair: »{noise: 1}", "pair: expected a list, not a mapping"),
    ("per: [model]", "per: »model", "per: expected a list, not 'model'; write [model]"),
    ("metric: test_accuracy, at: {model: convnet4,", "metric: test_accuracy, at: {model: »{a: 1},",
     "model: expected text, a number, true or false, null or a list, not a mapping"),
    ("metric: test_accuracy, at: {model: convnet4,", "metric: test_accuracy, at: {model: [mlp1, »[a]],",
     "model[1]: expected text, a number, true or false or null, not a list"),
    ("metric: test_accuracy, at: {model: convnet4,", "metric: test_accuracy, at: {model: »[],",
     "model: is empty; at least 1 must stand here"),
    ("where: {table: 1}", "where: {table: »1.5}", "table: expected a number or text, not 1.5"),
    ("where: {table: 1}", "where: »Table 1", "where: expected a mapping, not 'Table 1'"),
    ("id: T-02", "id: »7", "id: expected text, not 7; quote it"),
    ("id: T-02", "id: »T 02", "id: 'T 02' is no name; use letters, digits"),
    ("deviations: [one epoch, two networks]", "deviations: »one epoch", "deviations: expected a list"),
    ("verdict: good", "verdict: »[good]", "verdict: names a part, {all: [parts]} or {at_least: q, of: [parts]}"),
    ("verdict: good", "verdict: »{at_least: 2, of: [good]}", "with 1 <= q <= the number of parts"),
    ("verdict: good", "verdict: »{all: [good, good]}", "each named once"),
    ("verdict: good", "verdict: »{any: [good]}", "verdict: names a part"),
    ("schema: 1", "schema: »2", "schema: 2 is not known; known: 1"),
    ("n: 3", "n: »0", "n: must be greater than or equal to 1, not 0"),
    ("n: 3", "n: »100000", "n: must be less than or equal to 1000"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "gist"), WRONG_TYPES, ids=[gist for _, _, gist in WRONG_TYPES])
def test_a_value_of_the_wrong_kind_is_told_what_was_expected(toy: Folder, old: str, new: str, gist: str) -> None:
    toy.refuses((old, new), because=gist)


WRONG_FORMS = [
    ("claims:\n  - id: T-01", "claims:\n  »a:\n  - id: T-01", None),
    ("effects:\n  net:", "effects: »[a]\nx:\n  net:", None),
]

UNKNOWN_NAMES = [
    ("title: A toy study\n", "title: A toy study\n»title2: x\n", "unknown key 'title2'; did you mean 'title'?"),
    ("choices:", "»choises:", "unknown key 'choises'; did you mean 'choices'?"),
    ("    epochs: 3\n", "    epochs: 3\n    »epoch: 3\n", "unknown key 'epoch'; did you mean 'epochs'?"),
    ("clean: 1000", "clean: 1000, »cleen: 1", "unknown key 'cleen'; did you mean 'clean'?"),
    ("name: digits", "name: »minst", "dataset: 'minst' is not known; did you mean 'mnist'?"),
    ("alpha: 10, inc", "alpha: 10, »alhpa: 1, inc", "unknown key 'alhpa'; did you mean 'alpha'?"),
    ("kind: dilute_uniform", "kind: »dilute_uniforn",
     "kind: 'dilute_uniforn' is not known; did you mean 'dilute_uniform'?"),
    ("momentum: 0.9, nest", "momentum: 0.9, »momentun: 0.9, nest", "unknown key 'momentun'; did you mean 'momentum'?"),
    ("kind: sgd", "kind: »sdg", "kind: 'sdg' is not known; did you mean 'sgd'?"),
    ("model: mlp1\n", "model: »mpl1\n", "model: 'mpl1' is not known; did you mean 'mlp1'?"),
    ("method: standard", "method: »standart", "method: 'standart' is not known; did you mean 'standard'?"),
    ("selection: last_epoch", "selection: »last", "selection: 'last' is not known; did you mean 'last_epoch'?"),
    ("precision: fp32", "precision: »fp16", "precision: 'fp16' is not known; did you mean 'fp32'?"),
    ("pair: [noise]", "pair: [»nois]", "pair[0]: 'nois' is not known; did you mean 'noise'?"),
    ("key: optimizer.lr,", "key: »optimiser.lr,", "choose: 'optimiser.lr' is not a key of base that holds a value; did you mean 'optimizer.lr'?"),
    ("by: validation_accuracy", "by: »test_accuracy", "by: 'test_accuracy' is not known; did you mean 'validation_accuracy'?"),
    ("per: [model]", "per: [»modle]", "choose: no axis 'modle' in vary; did you mean 'model'?"),
    ("metric: test_accuracy, at: {model: convnet4", "metric: »test_acuracy, at: {model: convnet4",
     "metric: 'test_acuracy' is not known; did you mean 'test_accuracy'?"),
    ("at: {model: convnet4, noise.alpha: 10}}", "at: {model: convnet4, noise.alpha: 10}, »minsu: {}}",
     "unknown key 'minsu'; did you mean 'minus'?"),
    ("along: {noise.alpha: drop}", "along: {noise.alpha: »dorp}", "noise.alpha: 'dorp' is not known; did you mean 'drop'?"),
    ("along: {noise.alpha: drop}", "along: {noise.alhpa: »drop}",
     "effect gap: no axis 'noise.alhpa' in vary; did you mean 'noise.alpha'?"),
    ("    where: {table: 1}\n", "    where: {table: 1}\n    »verdct: x\n", "unknown key 'verdct'; did you mean 'verdict'?"),
    ("margin: 0.05", "margin: 0.05, »margn: 0.1", "unknown key 'margn'; did you mean 'margin'?"),
    ("good: {kind: above", "good: {kind: »abov", "kind: 'abov' is not known; did you mean 'above'?"),
    ("good: {kind: above, effect: net", "good: {kind: above, effect: »nett", "no effect 'nett'; did you mean 'net'?"),
    ("above, effect: net, reference: table1/net", "above, effect: net, reference: »table1/nets",
     "no reference 'table1/nets' in baselines/toy2020.yaml; did you mean 'table1/net'?"),
    ("verdict: good", "verdict: »goood", "verdict: no part 'goood'; did you mean 'good'?"),
    ("paper: toy2020", "paper: »toy2002", "paper: there is no baselines/toy2002.yaml; did you mean 'toy2020'?"),
    ("  full: {", "  »fulll: {", "unknown key 'fulll'; did you mean 'full'?"),
    ("full: {deviations: []}", "full: {deviations: [], »deviation: []}", "unknown key 'deviation'; did you mean 'deviations'?"),
    (CPU, CPU + "      »sedes: {}\n", "unknown key 'sedes'; did you mean 'seeds'?"),
    ("{T-01: {omit: [near]}}", "{T-01: {omit: [near], »omitt: []}}", "unknown key 'omitt'; did you mean 'omit'?"),
    ("try: {optimizer.momentum:", "try: {»optimizer.momentun:", "did you mean 'optimizer.momentum'?"),
    ("ours: 0.9, try", "»our: 1, ours: 0.9, try", "unknown key 'our'; did you mean 'ours'?"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "gist"), UNKNOWN_NAMES, ids=[gist for _, _, gist in UNKNOWN_NAMES])
def test_an_unknown_name_is_shown_with_what_may_be_meant(toy: Folder, old: str, new: str, gist: str) -> None:
    if new.startswith("»choises"):
        new = new.replace("»choises", "»choises")
    toy.refuses((old, new), because=gist)


IMPOSSIBLE = [
    # runs
    ("alpha: 10, inc", "alpha: »-1, inc", "alpha: must be greater than or equal to 0, not -1"),
    (BASE_NOISE + "\n", "noise: {kind: replace_uniform, rate: »1.5, include_true_class: true}\n",
     "rate: must be less than or equal to 1, not 1.5"),
    ("clean: 1000", "clean: »2000", "clean: 2000 clean images, but digits has 1300 for training"),
    ("clean: 1000", "clean: »1200, validation: 101", "clean: 1200 clean + 101 validation images, but digits has 1300"),
    ("batch_size: 100", "batch_size: »1001", "batch_size: 1001 is larger than the data, 1000 clean images"),
    ("selection: last_epoch", "selection: »best_validation", "selection: best_validation needs dataset.validation"),
    ("precision: fp32", "precision: »fast", "no parity study shows what it changes (tier cpu, full); use fp32 for mlp1, perceptron"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: »[]}\n  set", "noise.alpha: is empty; at least 1 must stand here"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0, 10, »10.0]}\n  set", "vary: noise.alpha = 10.0 stands twice"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0, 10], »epochz: [1, 2]}\n  set",
     "vary: 'epochz' is not a key of base; did you mean 'epochs'?"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0, 10], epochs.n: [1, 2]}\n  set".replace("epochs", "»epochs"),
     "vary: 'epochs.n' is not a key of base; epochs holds no keys"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0, 10, »-1]}\n  set", "alpha: must be greater than or equal to 0"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alpha: »5}, epochs: 5", "set: no run visits noise.alpha = 5"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {»noise.alpha: 0}, epochs: 5".replace("»noise.alpha: 0", "noise.alhpa: »0"),
     "set: no axis 'noise.alhpa' in vary; did you mean 'noise.alpha'?"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alpha: 0}, »epoch: 5", "set: 'epoch' is not a key of base"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alpha: 0}, epochs: »0", "epochs: must be greater than or equal to 1"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alpha: 0}, »model: mlp1", "would undo the axis model of vary"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alpha: 0}, »optimizer.lr: 1", "would be undone by choose"),
    ("- {at: {noise.alpha: 0}, epochs: 5}", "- »{at: {noise.alpha: 0}}", "the rule changes nothing"),
    ("- {at: {noise.alpha: 0}, epochs: 5}", "- »{epochs: 5}", "missing key 'at' in set[0]"),
    # choices
    ("key: optimizer.lr,", "key: »optimizer,", "choose: 'optimizer' is not a key of base that holds a value"),
    ("key: optimizer.lr,", "key: »selection,", "choose what a network learns by"),
    ("validation: 100", "validation: »1000", "1000 validation images leave none of 1000 to train on"),
    ("validation: 100", "validation: »950", "leave 50 of 1000, less than one batch of 100"),
    ("from: [0.05, 0.1]", "from: [0.05, »-0.1]", "lr: must be greater than 0, not -0.1"),
    ("from: [0.05, 0.1]", "from: »[]", "from: is empty"),
    ("from: [0.05, 0.1]", "from: [0.05, »0.05]", "choose: 0.05 stands twice"),
    ("try: {optimizer.momentum: 0.5}", "try: {optimizer.momentum: »1.5}", "momentum: must be less than 1"),
    ("try: {optimizer.momentum: 0.5}", "try: {optimizer.momentum: »{times: -1}}", "try: takes a value, or {times:"),
    ("try: {optimizer.momentum: 0.5}", "try: {optimizer.momentum: »{plus: 1}}", "try: takes a value, or {times:"),
    ("try: {optimizer.momentum: 0.5}", "try: {model: mlp1}".replace("model", "»model"), "would undo the axis model"),
    ("try: {optimizer.momentum: 0.5}", "try: {choose.from: »0.5}", "choose.from takes a list"),
    ("try: {optimizer.momentum: 0.5}", "try: {choose.from: [0.5, »-1]}", "lr: must be greater than 0, not -1"),
    # effects
    ("convnet4, noise.alpha: 10}}", "convnet4, noise.alpha: »50}}",
     "effect net: no run visits noise.alpha = 50; it takes 0, 10"),
    ("convnet4, noise.alpha: 10}}", "convnet4, noise.alpha: [10, »50]}}", "effect net: no run visits noise.alpha = 50"),
    ("convnet4, noise.alpha: 10}}", 'convnet4, noise.alpha: »"10"}}', "no run visits noise.alpha = 10"),
    ("convnet4, noise.alpha: 10}}", "convnet4, noise.alpha: [10, »10]}}", "noise.alpha = 10 stands twice"),
    ("net: {metric: test_accuracy, at: {model: convnet4, noise.alpha: 10}}",
     "net: »{metric: test_accuracy, at: {model: convnet4}}",
     "effect net: say in `at` at which noise.alpha; it takes 0, 10"),
    ("convnet4, noise.alpha: 10}}", "convnet4, noise.alpha: 10}, minus: »{model: convnet4}}",
     "effect net: subtracts a point from itself"),
    ("along: {noise.alpha: drop}", "along: {model: »drop}", "effect gap: model is not numeric"),
    ("along: {noise.alpha: drop}", "along: »{}", "along: is empty"),
    ("net: {metric: test_accuracy", "net: {metric: »validation_accuracy", "no images are held out; set dataset.validation"),
    ("effects:\n", "effects:\n  »idle: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 0}}\n",
     "effect idle: no part checks it"),
    # parts
    ("above, effect: net, reference: table1/net", "above, effect: net, reference: »text/half",
     "reference 'text/half' prints 'half', not a number in digits"),
    ("above, effect: net, reference: table1/net", "above, effect: net, reference: »text/loss",
     "reference 'text/loss' is a test_loss, the effect net a test_accuracy"),
    ("above, effect: net, reference: table1/net", "above, effect: net, reference: »fig1/net", "say `ours: true`"),
    ("above, effect: net, reference: table1/net", "above, effect: net, reference: »text/all",
     "threshold 1 is on or past the bounds of test_accuracy (0 to 1)"),
    ("above, effect: net, reference: table1/net", "above, effect: net, threshold: »1.2", "threshold 1.2 is on or past"),
    ("above, effect: net, reference: table1/net", "above, effect: net, threshold: »0", "threshold 0 is on or past"),
    ("good: {kind: above, effect: net, reference: table1/net}", "good: »{kind: above, effect: net}",
     "above: name a `reference`, or write a `threshold`"),
    ("good: {kind: above, effect: net, reference: table1/net}", "good: »{kind: every_run_above, effect: net, pi: 0.5}",
     "every_run_above: name a `reference`, or write a `threshold`"),
    ("above, effect: net, reference: table1/net}", "above, effect: net, reference: table1/net, ours: »true}",
     "part good is our own reading (ours: true); it cannot be the claim"),
    ("margin: 0.05", "margin: »0.0004", "margin 0.0004 is below half the last printed digit (0.0005)"),
    ("margin: 0.05", "margin: »0", "margin: must be greater than 0"),
    ("margin: 0.05", "margin: »1", "margin 1 covers all of test_accuracy (0 to 1)"),
    ("kind: ordered, effect: gap", "kind: ordered, effect: gap, delta: »2", "delta 2 is on or past the bounds"),
    ('margin: 0.05, because: "n unknown"}', "margin: 0.05}", None),
    ('quote: "a good network"', f'quote: »"{" word" * 26}"', "quote: 26 words; at most 25"),
    ("parts:\n      loses: {kind: ordered, effect: gap}", "parts: »{}", "parts: is empty"),
    # tiers
    ("base: {epochs: 1}", "base: {»epochz: 1}",
     "the tier changes base.epochz, which does not exist (tier cpu); did you mean 'epochs'?"),
    ("base: {epochs: 1}", "base: {epochs: »0}", "epochs: must be greater than or equal to 1, not 0 (tier cpu)"),
    ("effects: {gap: {at: {model: convnet4}}}", "effects: {gap: {at: {model: convnet4}}, »gpa: {}}",
     "the tier changes the effect 'gpa', which does not exist (tier cpu); did you mean 'gap'?"),
    ("effects: {gap: {at: {model: convnet4}}}", "effects: {gap: {at: {model: »mlp1}}}",
     "effect gap: no run visits model = mlp1 (tier cpu); it takes perceptron, convnet4"),
    ("claims: {T-01: {omit: [near]}}", "claims: {T-01: {omit: [near]}, »T-03: {}}",
     "the tier changes the claim 'T-03', which does not exist (tier cpu); did you mean 'T-02'?"),
    ("claims: {T-01: {omit: [near]}}", "claims: {T-01: {omit: [near, »far]}}",
     "the tier omits the part 'far', which does not exist (tier cpu); known: good, near"),
    ("claims: {T-01: {omit: [near]}}", "claims: {T-01: {omit: [near, »near]}}", "omits the part 'near' twice"),
    ("claims: {T-01: {omit: [near]}}", "claims: {T-01: {omit: [near], parts: {»near: {margin: 0.1}}}}",
     "the tier omits the part 'near' and changes it"),
    ("claims: {T-01: {omit: [near]}}", "claims: {T-01: {omit: [near], parts: {»goood: {threshold: 0.5}}}}",
     "the tier changes the part 'goood', which does not exist (tier cpu); did you mean 'good'?"),
    ("claims: {T-01: {omit: [near]}}", "claims: {T-01: {omit: [near], parts: {good: {threshold: »1.5}}}}",
     "threshold 1.5 is on or past the bounds of test_accuracy"),
    ("claims: {T-01: {omit: [near]}}", "claims: {T-01: {omit: [»good]}}",
     "omit: the part 'good' is the verdict of T-01 (tier cpu); give the tier another verdict"),
    ("full: {deviations: []}", "full: »{}", "missing key 'deviations' in full"),
    ("smoke: {runs: {seeds: {n: 2, pair: []}}, dev", "smoke: {runs: {choose: null, vary: »null}, dev",
     "vary: expected a mapping, not nothing (tier smoke)"),
    ("smoke: {runs: {seeds: {n: 2, pair: []}}, dev", "smoke: {runs: »null, dev", "runs: expected a mapping, not nothing"),
    ("smoke: {runs: {seeds: {n: 2, pair: []}}, dev", "smoke: {measured: »../../secret, dev", "is no name"),
    # across
    ("id: T-02", "id: »T-01", "two claims have the id 'T-01'; the first stands on line 28"),
    ("paper: toy2020", "paper: »../claims/toy", "paper: '../claims/toy' is no name"),
    ("paper: toy2020", "paper: »C:\\papers\\toy", "is no name"),
]  # fmt: skip
IMPOSSIBLE = [row for row in IMPOSSIBLE if row[2] is not None]


@pytest.mark.parametrize(("old", "new", "gist"), IMPOSSIBLE, ids=[str(gist) for _, _, gist in IMPOSSIBLE])
def test_what_cannot_be_is_refused_at_its_place(toy: Folder, old: str, new: str, gist: str) -> None:
    toy.refuses((old, new), because=gist)
