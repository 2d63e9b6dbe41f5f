"""Whatever a study or a file of printed numbers says: it is refused at a place of it, or all that is made of it works.

The files are made by a seed (`bad_specs.py`). A few run each time; `pytest -m long` runs thousands.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.errors import MOST_SHOWN, SpecError, unseen
from lnbench.plan import describe_cost, plan_study, rehearse, selection
from lnbench.spec import load_baseline, load_study
from lnbench.spec.registration import registration
from lnbench.yamlfile import reader
from tests.hostile.bad_specs import ROOT, Case, bad_baseline, bad_study
from tests.toys.edited_study import BASELINE

FEW, MANY = 40, 3_000
LONGEST = 2_000  # characters of a line for one problem


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the committed papers, the toy's, and room for studies."""
    root = tmp_path_factory.mktemp("project")
    for name in ("claims", "baselines", "papers"):
        (root / name).mkdir()
    for paper in (ROOT / "baselines").glob("*.yaml"):
        (root / "baselines" / paper.name).symlink_to(paper)
    (root / "baselines" / "toy2020.yaml").write_text(BASELINE)
    (root / "questions.yaml").symlink_to(ROOT / "questions.yaml")
    return root


def is_read_or_refused(case: Case, path: Path) -> bool:
    """Check one study; return whether it is valid."""
    path.write_bytes(case.data)
    try:
        loaded = load_study(path)
    except SpecError as error:
        lines_say_where(error, path, case)
        return False
    left = rehearse([loaded])  # what stands behind the rules, each of which knows the exact key
    assert not left, f"{case.seed} {case.source} {case.what}: {left[0]}"
    for study in loaded.tiers.values():
        plan = plan_study(study, 1)
        assert describe_cost(plan, "cpu")
        assert len(plan.part(selection(study, [study.spec.claims[0].id])).jobs) <= len(plan.jobs)
        assert registration(study.spec, study.baseline)["claims"]
    return True


def lines_say_where(error: SpecError, path: Path, case: Case) -> None:
    lines = str(error).split("\n")
    assert error.problems and 0 < len(lines) <= MOST_SHOWN + 1
    for line in lines:
        assert line.startswith((f"{path}:", f"{path.parents[1]}/baselines/")), f"{case.seed} {case.what}: {line}"
        assert len(line) < LONGEST and not any(map(unseen, line)), f"{case.seed} {case.what}: {line!r}"


def both_parsers_agree(case: Case, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a text means the same to libyaml as to PyYAML's own parser, which is there everywhere."""
    path.write_bytes(case.data)
    found = []
    for fast in (reader._FAST, None):
        with monkeypatch.context() as patch:
            patch.setattr(reader, "_FAST", fast)
            try:
                tree, problems = reader.read(path)
                found.append((repr(tree), _positions(tree), [str(problem) for problem in problems]))
            except SpecError as error:
                found.append(("", [], [str(error)]))
    assert found[0] == found[1], f"{case.seed} {case.source} {case.what}"


def _positions(tree: object) -> list[object]:
    if isinstance(tree, reader.Mapping):
        own = [tree.position, tree.key_positions, tree.value_positions]
        return [*own, *(_positions(value) for value in tree.values())]
    return [tree.item_positions, *map(_positions, tree)] if isinstance(tree, reader.Sequence_) else []


SMALL = ("toy", "engine_smoke", "rolnick_mnist", "aul_modes", "sam_small_network", "batch_size_bridge", "aul_mnist")


def test_bad_studies_are_refused_at_a_place_or_work(project: Path) -> None:
    found = [is_read_or_refused(bad_study(seed, SMALL), project / "claims" / "study.yaml") for seed in range(FEW)]
    assert any(found) and not all(found)


@pytest.mark.parametrize("seed", range(20))
def test_bad_papers_are_refused_at_a_place_or_read(project: Path, seed: int) -> None:
    case = bad_baseline(seed)
    path = project / "papers" / f"{case.source}.yaml"
    path.write_bytes(case.data)
    try:
        load_baseline(path)
    except SpecError as error:
        lines_say_where(error, path, case)


def test_a_bad_text_means_the_same_to_both_parsers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(30):
        both_parsers_agree(bad_study(10_000 + seed, SMALL), project / "claims" / "study.yaml", monkeypatch)


@pytest.mark.long
def test_thousands_of_bad_studies_are_refused_at_a_place_or_work(project: Path) -> None:
    for seed in range(FEW, MANY):
        is_read_or_refused(bad_study(seed), project / "claims" / "study.yaml")


@pytest.mark.long
def test_thousands_of_bad_papers_are_refused_at_a_place_or_read(project: Path) -> None:
    for seed in range(20, 1_000):
        test_bad_papers_are_refused_at_a_place_or_read(project, seed)


@pytest.mark.long
def test_thousands_of_bad_texts_mean_the_same_to_both_parsers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(1_000):
        both_parsers_agree(bad_study(20_000 + seed, SMALL), project / "claims" / "study.yaml", monkeypatch)
