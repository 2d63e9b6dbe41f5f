"""Every mistake in a study is one line at its place that says what to do, and no other line beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.errors import SpecError
from lnbench.spec import load_studies, load_study
from tests.toys.edited_study import BASELINE, STUDY, Folder, assert_problems, edited
from tests.toys.project import base

BASE_NOISE = "noise: {kind: dilute_uniform, alpha: 10, include_true_class: true}"
NEAR = 'reference: table1/net, margin: 0.05, because: "n unknown"'
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
    ("dataset: {name: digits, clean: 1000}", "dataset: »mnist",
     "dataset: expected a mapping, not 'mnist'; write {name: mnist}"),
    ("dataset: {name: digits, clean: 1000}", "dataset: »[mnist]", "dataset: expected a mapping, not a list"),
    (BASE_NOISE, "noise: »none", "noise: expected a mapping, not 'none'; write {kind: none}"),
    (BASE_NOISE, "noise: »{alpha: 10}", "missing key 'kind' in noise"),
    ("pair: [noise]", "pair: »noise", "pair: expected a list, not 'noise'; write [noise]"),
    ("pair: [noise]", "pair: »{noise: 1}", "pair: expected a list, not a mapping"),
    ("per: [model]", "per: »model", "per: expected a list, not 'model'; write [model]"),
    ("metric: test_accuracy, at: {model: convnet4,", "metric: test_accuracy, at: {model: »{a: 1},",
     "model: expected text, a number, true or false or a list, not a mapping"),
    ("metric: test_accuracy, at: {model: convnet4,", "metric: test_accuracy, at: {model: [mlp1, »[a]],",
     "model[1]: expected text, a number or true or false, not a list"),
    ("metric: test_accuracy, at: {model: convnet4,", "metric: test_accuracy, at: {model: »[],",
     "model: is empty; at least 1 must be given here"),
    ("where: {table: 1}", "where: {table: »1.5}", "table: expected a whole number or text, not 1.5"),
    ("where: {table: 1}", "where: »Table 1", "where: expected a mapping, not 'Table 1'"),
    ("id: T-02", "id: »7", "id: expected text, not 7; quote it"),
    ("id: T-02", "id: »T 02", "id: 'T 02' is not a name; use letters, digits"),
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
    ("precision: fp32", "precision: »fp16", "precision: 'fp16' is not known; known: fast, fp32"),
    ("pair: [noise]", "pair: [»nois]", "pair[0]: 'nois' is not known; did you mean 'noise'?"),
    ("key: optimizer.lr,", "key: »optimiser.lr,",
     "choose: 'optimiser.lr' is not a key of base that holds a value; did you mean 'optimizer.lr'?"),
    ("by: validation_accuracy", "by: »test_accuracy",
     "by: 'test_accuracy' is not known; did you mean 'validation_accuracy'?"),
    ("per: [model]", "per: [»modle]", "choose: no axis 'modle' in vary; did you mean 'model'?"),
    ("metric: test_accuracy, at: {model: convnet4", "metric: »test_acuracy, at: {model: convnet4",
     "metric: 'test_acuracy' is not known; did you mean 'test_accuracy'?"),
    ("at: {model: convnet4, noise.alpha: 10}}", "at: {model: convnet4, noise.alpha: 10}, »minsu: {}}",
     "unknown key 'minsu'; did you mean 'minus'?"),
    ("along: {noise.alpha: drop}", "along: {noise.alpha: »dorp}",
     "noise.alpha: 'dorp' is not known; did you mean 'drop'?"),
    ("along: {noise.alpha: drop}", "along: {noise.alhpa: »drop}",
     "effect gap: no axis 'noise.alhpa' in vary; did you mean 'noise.alpha'?"),
    ("    where: {table: 1}\n", "    where: {table: 1}\n    »verdct: x\n",
     "unknown key 'verdct'; did you mean 'verdict'?"),
    ("margin: 0.05", "margin: 0.05, »margn: 0.1", "unknown key 'margn'; did you mean 'margin'?"),
    ("good: {kind: above", "good: {kind: »abov", "kind: 'abov' is not known; did you mean 'above'?"),
    ("good: {kind: above, effect: net", "good: {kind: above, effect: »nett", "no effect 'nett'; did you mean 'net'?"),
    ("above, effect: net, reference: table1/net", "above, effect: net, reference: »table1/nets",
     "no reference 'table1/nets' in baselines/toy2020.yaml; did you mean 'table1/net'?"),
    ("verdict: good", "verdict: »goood", "verdict: no part 'goood'; did you mean 'good'?"),
    ("paper: toy2020", "paper: »toy2002", "paper: there is no baselines/toy2002.yaml; did you mean 'toy2020'?"),
    ("  full: {", "  »fulll: {", "unknown key 'fulll'; did you mean 'full'?"),
    ("full: {deviations: []}", "full: {deviations: [], »deviation: []}",
     "unknown key 'deviation'; did you mean 'deviations'?"),
    (CPU, CPU + "      »sedes: {}\n", "unknown key 'sedes'; did you mean 'seeds'?"),
    ("{T-01: {omit: [near]}}", "{T-01: {omit: [near], »omitt: []}}", "unknown key 'omitt'; did you mean 'omit'?"),
    ("try: {optimizer.momentum:", "try: {»optimizer.momentun:", "did you mean 'optimizer.momentum'?"),
    ("ours: 0.9, try", "»our: 1, ours: 0.9, try", "unknown key 'our'; did you mean 'ours'?"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "gist"), UNKNOWN_NAMES, ids=[gist for _, _, gist in UNKNOWN_NAMES])
def test_an_unknown_name_is_shown_with_what_may_be_meant(toy: Folder, old: str, new: str, gist: str) -> None:
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
    ("precision: fp32", "precision: »fast",
     "no parity study shows what it changes (tier cpu, full); use fp32 for mlp1, perceptron"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: »[]}\n  set", "noise.alpha: is empty; at least 1 must be given"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0, 10, »10.0]}\n  set", "vary: noise.alpha = 10.0 is given twice"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0, 10], »epochz: [1, 2]}\n  set",
     "vary: 'epochz' is not a key of base (tier smoke, full); did you mean 'epochs'?"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0, 10], »method.lr: [1, 2]}\n  set",
     "vary: 'method.lr' is not a key of base (tier smoke, full); method holds no keys"),
    ("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0, 10, »-1]}\n  set", "alpha: must be greater than or equal to 0"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alpha: »5}, epochs: 5", "set: no run visits noise.alpha = 5"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alhpa: »0}, epochs: 5",
     "set: no axis 'noise.alhpa' in vary (tier smoke, full); did you mean 'noise.alpha'?"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alpha: 0}, »epoch: 5", "set: 'epoch' is not a key of base"),
    ("at: {noise.alpha: 0}, epochs: 5", "at: {noise.alpha: 0}, epochs: »0",
     "epochs: must be greater than or equal to 1"),
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
    ("from: [0.05, 0.1]", "from: [0.05, »0.05]", "choose: 0.05 is given twice"),
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
    ("convnet4, noise.alpha: 10}}", "convnet4, noise.alpha: [10, »10]}}", "noise.alpha = 10 is given twice"),
    ("net: {metric: test_accuracy, at: {model: convnet4, noise.alpha: 10}}",
     "net: »{metric: test_accuracy, at: {model: convnet4}}",
     "effect net: say in `at` at which noise.alpha; it takes 0, 10"),
    ("convnet4, noise.alpha: 10}}", "convnet4, noise.alpha: 10}, minus: »{model: convnet4}}",
     "effect net: subtracts a point from itself"),
    ("at: {model: convnet4, noise.alpha: 10}}", "at: {noise.alpha: 10}, along: {model: »slope}}",
     "effect net: model is not numeric"),
    ("at: {model: convnet4, noise.alpha: 10}}", "at: {model: convnet4, noise.alpha: »10}, along: {noise.alpha: slope}}",
     "effect net: noise.alpha is the axis it runs along; leave it out here"),
    ("along: {noise.alpha: drop}", "along: »{}", "along: is empty"),
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
    ("near: {kind: agrees, effect: net, " + NEAR, "near: »{kind: agrees, effect: net, reference: table1/net, margin: 1",
     "missing key 'because' in near"),
    ('quote: "a good network"', f'quote: »"{" word" * 26}"', "quote: 26 words; at most 25"),
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
    ("smoke: {runs: {seeds: {n: 2, pair: []}}, dev", "smoke: {runs: »null, dev",
     "runs: expected a mapping, not nothing"),
    ("smoke: {runs: {seeds: {n: 2, pair: []}}, dev", "smoke: {measured: »../../secret, dev", "is not a name"),
    # across
    ("id: T-02", "id: »T-01", "two claims have the id 'T-01'; the first is on line 28"),
    ("paper: toy2020", "paper: »../claims/toy", "paper: '../claims/toy' is not a name"),
    ("paper: toy2020", "paper: »C:\\papers\\toy", "is not a name"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "gist"), IMPOSSIBLE, ids=[gist for _, _, gist in IMPOSSIBLE])
def test_what_cannot_be_is_refused_at_its_place(toy: Folder, old: str, new: str, gist: str) -> None:
    toy.refuses((old, new), because=gist)


@pytest.mark.parametrize(
    ("block", "form", "gist"),
    [
        ("claims", "[]", "claims: is empty"),
        ("claims", "{T-01: {}}", "claims: expected a list, not a mapping"),
        ("effects", "[net]", "effects: expected a mapping, not a list"),
        ("effects", "{}", "effects: is empty"),
        ("runs", "[1, 2]", "runs: expected a mapping, not a list"),
        ("runs", "", "runs: expected a mapping, not nothing"),
        ("tiers", "[full]", "tiers: expected a mapping, not a list"),
        ("tiers", "{}", "tiers: is empty"),
        ("tiers", "{full: [], smoke: null}", "full: expected a mapping, not a list"),
    ],
)
def test_a_block_of_the_wrong_form_is_told_what_was_expected(toy: Folder, block: str, form: str, gist: str) -> None:
    """Another form than a study's can draw further errors after it; it must be told first, and never a traceback."""
    before, _, rest = STUDY.partition(f"\n{block}:\n")
    after = next((line for line in rest.split("\n") if line and not line.startswith(" ")), "")
    following = rest[rest.index(f"\n{after}") + 1 :] if after else ""
    toy.study.write_text(f"{before}\n{block}: {form}\n{following}")
    with pytest.raises(SpecError) as caught:
        load_study(toy.study)
    assert any(gist in str(problem) for problem in caught.value.problems), str(caught.value)


def test_a_metric_of_held_out_images_needs_some(toy: Folder) -> None:
    parts = "above, effect: net, reference: table1/net}\n      near: {kind: agrees, effect: net, " + NEAR + "}"
    toy.refuses(
        ("net: {metric: test_accuracy", "net: {metric: »validation_accuracy"),
        (parts, "above, effect: net, threshold: 0.5}"),
        ("    claims: {T-01: {omit: [near]}}\n", ""),
        because="effect net: validation_accuracy, but no images are held out; set dataset.validation in base",
    )


def test_all_errors_of_a_study_come_at_once(toy: Folder) -> None:
    """Errors of form in one block do not hide missing references, points and names in the others."""
    toy.refuses(
        ("title: A toy study\n", "title: A toy study\n»titel: x\n"),
        ("epochs: 5}", "epochs: »0}"),
        ("convnet4, noise.alpha: 10}}", "convnet4, noise.alpha: »11}}"),
        ("reference: table1/net}", "reference: »table2/net}"),
        ('    where: {section: "2"}\n', '    where: {»sektion: "2"}\n'),
        ("base: {epochs: 1}", "base: {»epoch: 1}"),
        because=[
            "unknown key 'titel'",
            "epochs: must be greater",
            "no run visits noise.alpha = 11; it takes 0, 10",
            "no reference 'table2/net'",
            "unknown key 'sektion'; did you mean 'section'?",
            "the tier changes base.epoch,",
        ],
    )


def test_an_error_that_tiers_share_is_one_line_that_names_no_tier(toy: Folder) -> None:
    toy.refuses(("noise.alpha: 10}}\n  gap", "noise.alpha: »50}}\n  gap"),
                because="effect net: no run visits noise.alpha = 50; it takes 0, 10")  # fmt: skip


ARMS = (
    """\
schema: 1
paper: toy2020
title: Arms
"""
    + base(clean=1000).replace("    model:", "    arm: slow\n    model:")
    + """\
  vary: {arm: [slow, fast, long]}
  set:
    - {at: {arm: long}, epochs: 9}
  seeds: {n: 3, pair: [noise]}
effects:
  gap: {metric: test_accuracy, at: {arm: slow}, minus: {arm: long}}
claims:
  - id: T-01
    says: Longer is better.
    quote: "longer is better"
    where: {table: 1}
    verdict: longer
    parts:
      longer: {kind: ordered, effect: gap}
tiers:
  full: {deviations: []}
"""
)


def test_an_effect_that_compares_runs_with_themselves_is_refused(toy: Folder) -> None:
    """`fast` is an arm that no rule of `set` changes: it is `slow`, run for run."""
    toy.study.write_text(ARMS)
    load_study(toy.study)
    why = "effect gap: arm slow and arm fast have the same recipe, so it compares runs with themselves"
    toy.refuses_text(ARMS.replace("minus: {arm: long}", "minus: »{arm: fast}"), why)
    toy.refuses_text(ARMS.replace("minus: {arm: long}", "minus: »{arm: [long, fast]}"), why)


def test_an_effect_that_one_tier_cannot_reach_names_the_tier(toy: Folder) -> None:
    toy.refuses(
        ("vary: {model: [perceptron, convnet4], ", "vary: {model: [perceptron, mlp1], "),
        ("at: {model: convnet4, noise.alpha: 10}}", "at: {model: »convnet4, noise.alpha: 10}}"),
        ("{gap: {at: {model: convnet4}}}", "{gap: {at: {model: mlp1}}}"),
        because="effect net: no run visits model = convnet4 (tier cpu); it takes perceptron, mlp1",
    )  # fmt: skip


def test_a_baseline_with_errors_shows_them_in_its_own_file(toy: Folder) -> None:
    marked = edited(BASELINE, ("year: 2020", 'year: »"2020"'), ("spread_kind: sd", "spread_kind: »std"),
                    ('spread: "0.2"', "spread: »1e-1"), ("paper: toy2020", "paper: toy2020\n»papers: 1"))  # fmt: skip
    toy.baseline.write_text(marked.replace("»", ""))
    with pytest.raises(SpecError) as caught:
        load_study(toy.study)
    gists = ["unknown key 'papers'; did you mean 'paper'?", "year: expected a whole number, not '2020'",
             "write 1.0e-1", "spread_kind: 'std' is not known"]  # fmt: skip
    assert_problems(caught.value, toy.baseline, marked, gists)


def test_a_baseline_that_was_mended_is_read_anew(toy: Folder) -> None:
    toy.load()
    toy.baseline.write_text(BASELINE.replace("table1/net", "table1/another"))
    with pytest.raises(SpecError, match="no reference 'table1/net'"):
        load_study(toy.study)
    toy.baseline.write_text(BASELINE)
    assert load_study(toy.study)


def test_a_baseline_must_be_named_as_its_file(toy: Folder) -> None:
    toy.baseline.write_text(BASELINE.replace("paper: toy2020", "paper: toy2021"))
    with pytest.raises(SpecError, match=r"toy2020\.yaml:2:8: paper: 'toy2021' but the file is named 'toy2020\.yaml'"):
        load_study(toy.study)


def test_a_claim_id_stands_once_in_all_files(toy: Folder) -> None:
    other = toy.study.with_name("other.yaml")
    other.write_text(STUDY.replace("T-02", "T-03"))
    with pytest.raises(SpecError) as caught:
        load_studies([toy.study, other])
    assert str(caught.value) == f"{other}:28:9: claim id 'T-01' is already in {toy.study}"


def test_errors_of_several_files_come_together_and_name_their_file(toy: Folder) -> None:
    other = toy.study.with_name("other.yaml")
    other.write_text(STUDY.replace("epochs: 3", "epochs: 0"))
    with pytest.raises(SpecError) as caught:
        load_studies([other, toy.study, Path("nowhere.yaml")])
    first, second = str(caught.value).split("\n")
    assert first.startswith(f"{other}:15:13: epochs")
    assert second == "nowhere.yaml: no such file"


def test_a_file_named_twice_is_read_once(toy: Folder) -> None:
    assert len(load_studies([toy.study, toy.study])) == 1


def test_a_grid_too_large_to_train_is_refused_before_it_is_built(toy: Folder) -> None:
    many = ", ".join(map(str, range(2000)))
    toy.refuses_text(
        edited(STUDY, ("vary: {model: [perceptron, mlp1, convnet4], noise.alpha: [0, 10]}\n",
                       f"vary: »{{model: [perceptron, mlp1, convnet4], noise.alpha: [{many}]}}\n")),
        ["vary: 6000 cells (tier smoke, full); at most 5000 in one study"],
    )  # fmt: skip


def test_a_missing_tier_is_a_warning(toy: Folder) -> None:
    study = toy.load(("  smoke: {runs: {seeds: {n: 2, pair: []}}, deviations: [two seeds]}\n", ""))
    assert [str(warning) for warning in study.warnings if "decide nothing" not in str(warning)] == [
        f"{toy.study}:43:1: warning: there is no tier smoke (seconds on two cores, no download)"
    ]
