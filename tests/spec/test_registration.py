"""What is registered of a claim: all that its verdict depends on, and no wording."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from lnbench import catalog
from lnbench.spec import load_study
from lnbench.spec.registration import _WORDS, changes, own_sha256, registration, shared_changes
from tests.toys.claims_page import blocks, load_in_frame
from tests.toys.edited_study import edited
from tests.toys.project import base, paper, reference, write_project

STUDY = (
    """\
schema: 1
paper: toy
title: A toy study
choices:
  - {key: epochs, ours: two, try: {epochs: {times: 2}}}
  - {key: optimizer.eps, ours: a word}
"""
    + base()
    + """\
  vary: {model: [perceptron, mlp1], noise.alpha: [0, 2, 4]}
  seeds: {n: 5, pair: [split, noise, order, init, augment]}
effects:
  accuracy: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 2}}
  trend: {metric: test_accuracy, at: {model: [perceptron, mlp1]}, along: {noise.alpha: slope}}
claims:
  - id: T-01
    says: The MLP stays above 80 %.
    quote: "above 80"
    where: {section: "1"}
    verdict: {all: [high, close]}
    parts:
      high: {kind: above, effect: accuracy, threshold: 0.9, because: "so it says"}
      close: {kind: agrees, effect: accuracy, reference: ninety, margin: 0.02, because: "printed"}
      extra: {kind: below, effect: accuracy, threshold: 0.99, ours: true}
  - id: T-02
    says: It falls.
    quote: "it falls"
    where: {section: "2"}
    verdict: falls
    parts:
      falls: {kind: trend, effect: trend, direction: down}
tiers:
  full: {deviations: [none]}
"""
)
BASELINE = paper(reference("ninety", "90", relation="equals"))


def registered(folder: Path, *edits: tuple[str, str], baseline: str = BASELINE) -> dict:
    """What is registered of the study with some texts replaced."""
    study = load_study(write_project(folder, edited(STUDY, *edits), baseline)).tiers["full"]
    return registration(study.spec, study.baseline)


@pytest.mark.parametrize(
    "edit",
    [
        ("says: The MLP stays above 80 %.", "says: It stays above 80 %."),
        ('quote: "above 80"', 'quote: "well above 80"'),
        ('where: {section: "1"}', 'where: {section: "7"}'),
        ('because: "so it says"', 'because: "because"'),
        ("title: A toy study", "title: Another title"),
        ("ours: a word", "ours: another word"),
        ("deviations: [none]", "deviations: [many]"),
        ("threshold: 0.99, ours: true", "threshold: 0.95, ours: true"),
        ("verdict: {all: [high, close]}", "verdict: {all: [close, high]}"),
        ("model: [perceptron, mlp1]}, along", "model: [mlp1, perceptron]}, along"),
        ("threshold: 0.9,", "threshold: 0.90,"),
    ],
    ids=lambda edit: edit[1],
)
def test_wording_and_what_decides_nothing_is_not_hashed(tmp_path: Path, edit: tuple[str, str]) -> None:
    assert hashes(registered(tmp_path, edit)) == hashes(registered(tmp_path))


def test_a_renamed_part_or_effect_is_the_same(tmp_path: Path) -> None:
    renamed = registered(tmp_path, ("{all: [high, close]}", "{all: [tall, close]}"), ("      high: {", "      tall: {"))
    before = registered(tmp_path)
    assert hashes(renamed) == hashes(before)
    assert changes(before["claims"]["T-01"], renamed["claims"]["T-01"]) == []


@pytest.mark.parametrize(
    "edit, said",
    [
        (("threshold: 0.9,", "threshold: 0.85,"), "region of high: was “at least 0.9”, is “at least 0.85”"),
        (("kind: above", "kind: below"), "region of high: was “at least 0.9”, is “at most 0.9”"),
        (("margin: 0.02", "margin: 0.05"), "region of close: was “within 0.02 of 0.9 (printed 90 %)”"),
        (("{all: [high, close]}", "{at_least: 1, of: [high, close]}"), "rule: was “all of high, close”"),
        (("{all: [high, close]}", "high"), "region of close: was “within 0.02 of 0.9 (printed 90 %)”, is “not judged"),
        (
            ("at: {model: mlp1, noise.alpha: 2}", "at: {model: mlp1, noise.alpha: 4}"),
            "effect of high: was “at model mlp1, noise.alpha 2”, is “at model mlp1, noise.alpha 4”",
        ),
        (("selection: last_epoch", "selection: best_test"), "epoch that is read: was “last_epoch”, is “best_test”"),
        (("    verdict: {all", "    collapse: counts\n    verdict: {all"), "collapse: was “none”, is “counts”"),
        (("    verdict: {all", "    requires: {extra: more}\n    verdict: {all"), "regime of extra: was “not there”"),
        (("    verdict: {all", "    not_testable: so\n    verdict: {all"), "not testable: was “none”, is “true”"),
    ],
)  # fmt: skip
def test_what_the_verdict_depends_on_is_hashed_and_said(tmp_path: Path, edit: tuple[str, str], said: str) -> None:
    before, after = registered(tmp_path)["claims"], registered(tmp_path, edit)["claims"]
    assert own_sha256(before["T-01"]) != own_sha256(after["T-01"])
    assert said in "\n".join(map(str, changes(before["T-01"], after["T-01"])))


@pytest.mark.parametrize(
    "edit, said",
    [
        (("direction: down", "direction: up"), "region of falls: was “tends down”, is “tends up”"),
        (("alpha: [0, 2, 4]", "alpha: [0, 2]"), "was “slope along noise.alpha over [0, 2, 4]”, is “slope along"),
        (("alpha: slope", "alpha: kendall"), "is “kendall along noise.alpha over [0, 2, 4]”"),
    ],
)
def test_levels_that_the_file_leaves_to_the_grid_are_hashed(tmp_path: Path, edit: tuple[str, str], said: str) -> None:
    """A level taken out of the grid changes what a slope is of, though no run gets another id."""
    before, after = registered(tmp_path)["claims"], registered(tmp_path, edit)["claims"]
    assert own_sha256(before["T-02"]) != own_sha256(after["T-02"])
    assert said in "\n".join(map(str, changes(before["T-02"], after["T-02"])))


@pytest.mark.parametrize(
    "was, now",
    [
        ('"90"', '"89"'),
        ("spread: none", 'spread: "0.5"'),
        ("relation: equals", "relation: about"),
        ("n: unknown", "n: 5"),
    ],
)
def test_a_printed_number_is_hashed_with_its_spread(tmp_path: Path, was: str, now: str) -> None:
    before = registered(tmp_path)["claims"]["T-01"]
    after = registered(tmp_path, baseline=edited(BASELINE, (was, now)))["claims"]["T-01"]
    assert own_sha256(before) != own_sha256(after)
    assert [change.part for change in changes(before, after)] == ["close"]


@pytest.mark.parametrize(
    "edit, said",
    [
        (("n: 5", "n: 8"), "seeds: was “5”, is “8”"),
        (("n: 5", "n: 5, looks: [4, 5]"), "seeds: was “5”, is “5, looks at [4, 5]”"),
        (("n: 5", "n: 5, fresh: 2"), "seeds: was “5”, is “5 of set 2”"),
        (("{times: 2}", "{times: 3}"), 'alternatives: was “epochs {"times": 2}”, is “epochs {"times": 3}”'),
        ((", try: {epochs: {times: 2}}", ""), 'alternatives: was “epochs {"times": 2}”, is “no epochs”'),
    ],
)
def test_what_all_claims_share_is_in_every_hash(tmp_path: Path, edit: tuple[str, str], said: str) -> None:
    before, after = registered(tmp_path), registered(tmp_path, edit)
    assert not set(hashes(before)) & set(hashes(after))
    assert own_sha256(before["claims"]["T-01"]) == own_sha256(after["claims"]["T-01"])
    assert [*map(str, shared_changes(before, after))] == [said]


def test_the_hash_of_the_runs_knows_a_recipe_but_not_how_many_seeds(tmp_path: Path) -> None:
    before = registered(tmp_path)["runs"]
    assert registered(tmp_path, ("    epochs: 2", "    epochs: 3"))["runs"] != before
    assert registered(tmp_path, ("n: 5", "n: 8"))["runs"] == before
    assert registered(tmp_path, ("n: 5", "n: 5, fresh: 1"))["runs"] == before


def test_the_standing_is_in_the_hash_of_the_claim_but_not_among_its_own_terms(tmp_path: Path) -> None:
    surrogate = ("    verdict: {all", "    standing: surrogate\n    verdict: {all")
    before, after = (registered(tmp_path, *edits)["claims"]["T-01"] for edits in ((), (surrogate,)))
    assert own_sha256(before) == own_sha256(after) and before["sha256"] != after["sha256"]
    assert [*map(str, changes(before, after))] == ["standing: was “paper”, is “surrogate”"]


def test_every_kind_of_check_has_words_for_its_region() -> None:
    own = {name for name, entry in catalog.entries()["check"].items() if entry.package is None}
    assert own == set(_WORDS)


def hashes(content: dict) -> list[str]:
    return [claim["sha256"] for claim in content["claims"].values()]


@pytest.mark.parametrize("example", [name for name in blocks() if name != "frame"])
def test_every_kind_of_the_page_is_registered_with_words_for_its_region(tmp_path: Path, example: str) -> None:
    study = load_in_frame(tmp_path, blocks()[example])
    (claim,) = registration(study.spec, study.baseline)["claims"].values()
    for name in study.spec.claims[0].verdict.of:
        words = claim["parts"][name]["region"]
        assert words and "?" not in words and "None" not in words, words


def test_a_table_is_hashed_by_its_cells_and_numbers_not_by_what_it_shows(tmp_path: Path) -> None:
    def table(**changed: object) -> str:
        example = copy.deepcopy(blocks()["table"])
        example["parts"]["claim"].update(changed)
        study = load_in_frame(tmp_path, example)
        return own_sha256(registration(study.spec, study.baseline)["claims"]["EX-01"])

    cells = blocks()["table"]["parts"]["claim"]["cells"]
    assert table(columns=None) == table() == table(cells=dict(reversed(cells.items())))
    assert table(at_least=1) != table() != table(margin=0.06)
    assert table(at_least=1, cells=dict([*cells.items()][:1])) != table(at_least=1)


def test_a_better_wording_of_a_region_in_a_later_lnbench_changes_no_hash(tmp_path: Path) -> None:
    claim = registered(tmp_path)["claims"]["T-01"]
    before = own_sha256(claim)
    claim["parts"]["high"]["region"] = "0.9 or more"
    assert own_sha256(claim) == before


def test_an_alternative_that_cannot_change_a_tiers_runs_is_not_registered(tmp_path: Path) -> None:
    idle = ("try: {epochs: {times: 2}}}", "try: {epochs: {times: 2}, choose.epochs: {times: 1}}}")
    assert registered(tmp_path, idle)["tries"] == {"epochs": {"times": 2}}
