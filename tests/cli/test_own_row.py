"""A row of a user's own: docs/methods.md's example, and what a row must not change."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import LnbenchError
from lnbench.identity import content_id
from lnbench.plan import plan_study, selection
from lnbench.spec import Study, asked_rows, load_study, variant
from lnbench.spec.registration import registration
from tests.test_plugin_package import PACKAGE, PROJECT, SUITE, install

PAGE = Path(__file__).parents[2] / "docs/methods.md"
MINE = "smoothing(amount=0.2)"


def write_example(folder: Path) -> Path:
    """The page's study and paper; returns the study's file."""
    for name, text in re.findall(
        r"```yaml\n# ((?:claims|baselines)/mini\.yaml)\n(.*?)```", PAGE.read_text("utf-8"), re.S
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "claims/mini.yaml"


def command() -> list[str]:
    """The page's command, as a shell would split it."""
    (found,) = re.findall(r"```sh\nlnbench (verify .*?)\n```", PAGE.read_text("utf-8"))
    return re.sub(r"'(.*)'", lambda match: match[1].replace(" ", "\0"), found).split(" ")


class Place:
    """A folder with the example, and lnbench in processes of their own, with the package installed."""

    def __init__(self, folder: Path):
        self.folder, self.site = folder, folder / "site"
        write_example(folder)
        install(PACKAGE, self.site, PROJECT)

    def lnbench(self, *arguments: str, package: bool = True) -> subprocess.CompletedProcess[str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("LNBENCH_")}
        path = os.pathsep.join([*([str(self.site)] if package else []), str(SUITE)])
        return subprocess.run(
            [sys.executable, "-m", "lnbench", *(word.replace("\0", " ") for word in arguments)],
            cwd=self.folder, text=True, capture_output=True, check=False,
            env={**outside, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "LNBENCH_WORKERS": "0"},
        )  # fmt: skip

    @property
    def report(self) -> Path:
        return self.folder / ".lnbench/reports/mini-cpu"

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.report / "result.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The example, first without a row of one's own, then with the page's command."""
    made = Place(tmp_path_factory.mktemp("mini"))
    first = made.lnbench("verify", "claims/mini.yaml", "--tier", "cpu")
    assert made.report.exists(), first.stdout + first.stderr
    (made.folder / "before.json").write_text(json.dumps(made.result()), encoding="utf-8")
    lock = next((made.folder / "claims").glob("locks/*")).read_bytes()
    done = made.lnbench(*command())
    assert f"note: the row {MINE} is not the paper's and decides no claim" in done.stdout, done.stdout + done.stderr
    assert done.returncode == first.returncode
    assert next((made.folder / "claims").glob("locks/*")).read_bytes() == lock, "a lock was changed"
    return made


def test_the_row_is_in_the_tables_with_its_intervals_and_is_marked(place: Place) -> None:
    matrix = place.result()["claims"][0]["parts"][0]["matrix"]
    assert matrix["own"] == [MINE] and matrix["rows"]["levels"] == ["standard", "reed_hard", MINE]
    own = [cell for cell in matrix["cells"] if cell["row"] == MINE]
    assert [cell["column"] for cell in own] == ["u20", "u40"]
    for cell in own:
        assert cell["n"] == 4 and cell["printed"] is None and cell["says"] == "nothing"
        assert cell["interval"]["low"] < cell["ours"] == cell["effect"] < cell["interval"]["high"]
    page = (place.report / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| \*◇ smoothing\(amount=0\.2\)\* \| – / \d+\.\d – \| – / \d+\.\d – \|", page)
    assert f"A row of your own, marked ◇ in the tables: `{MINE}`" in page and "decides no claim" in page
    assert (place.report / "figures/claim-mini-01-table-0.png").is_file()


def test_the_row_is_trained_by_the_recipe_of_base_in_every_column(place: Place) -> None:
    lines = (place.report / "records.jsonl").read_text(encoding="utf-8").splitlines()
    recipes = [json.loads(line)["record"]["content"]["recipe"] for line in lines]
    own = [recipe for recipe in recipes if recipe["method"] == {"kind": "smoothing", "amount": 0.2}]
    assert sorted(recipe["noise"]["rate"] for recipe in own) == [0.2] * 4 + [0.4] * 4
    standard = [recipe for recipe in recipes if recipe["method"] == "standard"]
    assert [{**recipe, "method": ""} for recipe in own] == [{**recipe, "method": ""} for recipe in standard] or (
        sorted(content_id({**recipe, "method": ""}) for recipe in own)
        == sorted(content_id({**recipe, "method": ""}) for recipe in standard)
    )


def test_it_changes_no_claim_and_no_record(place: Place) -> None:
    before, after = json.loads((place.folder / "before.json").read_text(encoding="utf-8")), place.result()
    for data in (before, after):
        for part in data["claims"][0]["parts"]:
            part.pop("matrix")
    assert before["claims"] == after["claims"] and before["registration"] == after["registration"]
    assert before["records"]["sha256"].items() <= after["records"]["sha256"].items()


def test_judge_reads_the_row_again_from_the_folder(place: Place) -> None:
    again = place.lnbench("judge", "--check", str(place.report))
    assert again.returncode == 0 and "is what its records give" in again.stdout, again.stdout + again.stderr
    place.lnbench("report", "claims/mini.yaml", "--tier", "cpu")
    assert [row["label"] for row in place.result()["own_rows"]] == [MINE]
    assert place.lnbench("judge", "--check", str(place.report)).returncode == 0


def test_without_the_package_the_row_is_a_clear_error(place: Place) -> None:
    done = place.lnbench("judge", "--check", str(place.report), package=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "smoothing" in done.stderr and "is not known" in done.stderr


# without a process


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return load_study(write_example(tmp_path)).tiers["cpu"]


def test_a_built_in_method_without_options_is_a_row_by_its_name(study: Study) -> None:
    with_row = asked_rows(study, ["method=random_weights"])
    assert [cell.point for cell in with_row.cells[3:]] == [
        {"method": "random_weights", "arm": "u20"}, {"method": "random_weights", "arm": "u40"}
    ]  # fmt: skip
    assert len(study.cells) == 3 and with_row.planned_cells == study.cells


def test_the_study_its_registration_and_its_runs_stay_what_they_are(study: Study) -> None:
    with_row = asked_rows(study, ["method=random_weights"])
    assert registration(with_row.spec, with_row.baseline) == registration(study.spec, study.baseline)
    ids = {job.run().id for job in plan_study(study).jobs}
    assert ids < {job.run().id for job in plan_study(with_row).jobs}
    assert with_row.levels("method") == ("standard", "reed_hard")


def test_where_trains_the_row_alone_and_with_a_claim_only_its_columns(study: Study) -> None:
    where = ["method={kind: reed_hard, beta: 0.5}"]
    with_row = asked_rows(study, where)
    only = selection(with_row, where=where)
    assert {point["method"] for point in map(lambda cell: cell.point, with_row.cells) if only(point)} == {
        "reed_hard(beta=0.5)"
    }
    of_claim = selection(with_row, ["MINI-01"], where)
    assert sum(of_claim(cell.point) for cell in with_row.cells) == 2


def test_a_value_of_the_grid_is_still_a_filter(study: Study) -> None:
    assert asked_rows(study, ["method=standard", "arm=u20"]) is study


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("method=nobody", "no run is at that value; method takes standard, reed_hard"),
        ("model=mlp2", "has no axis 'model'"),
        ("method={kind: nobody}", "'nobody' is not known"),
        ("method={amount: 0.2}", "name the method"),
        ("method={kind: reed_hard", "no mapping of options"),
        ("method={kind: reed_hard, beta: 7}", "beta"),
        ("method={kind: reed_hard, gamma: 0.5}", "gamma"),
        ("method={kind: reed_hard}", "has a method 'reed_hard' itself"),
        ("method=gce", "gce"),
        ("method={kind: reed_hard, beta: !!python/object:os.system 1}", "no mapping of options"),
    ],
)
def test_what_is_no_method_is_an_error_before_anything_is_trained(study: Study, where: str, words: str) -> None:
    with pytest.raises(LnbenchError) as error:
        selection(asked_rows(study, [where]), where=[where])
    assert words in str(error.value), str(error.value)


def test_an_alternative_has_no_row_of_ones_own(study: Study, tmp_path: Path) -> None:
    text = study.path.read_text(encoding="utf-8")
    changed = text.replace(
        "runs:\n  base:", "choices:\n  - {key: epochs, ours: four, try: {epochs: {times: 2}}}\nruns:\n  base:"
    )
    study.path.write_text(changed, encoding="utf-8")
    with_row = asked_rows(load_study(study.path).tiers["cpu"], ["method=random_weights"])
    assert len(with_row.cells) == 5 and len(variant(with_row, "epochs").cells) == 3


def test_runs_that_the_grid_has_already_are_not_made_twice(study: Study) -> None:
    where = ["method={kind: reed_hard, beta: 0.8}"]  # at u20 a row of the grid under another name
    alone = {job.run().id for job in plan_study(study).jobs}
    assert len({job.run().id for job in plan_study(asked_rows(study, where)).jobs} - alone) == 4


def test_an_input_of_another_row_is_still_found(study: Study) -> None:
    """Inputs at a place of the grid name rows that are no rows of one's own."""
    text = study.path.read_text(encoding="utf-8")
    changed = text.replace("  vary: {method: [standard,", "  vary: {method: [standard, network, aul,").replace(
        "  seeds: {n: 4",
        "    - {at: {method: network}, method: standard, probes: [example_loss]}\n"
        "    - {at: {method: aul}, method: {kind: reweighted, input: trust}}\n"
        "  inputs: {trust: {kind: aul_trust, weight: clean, guard: true, at: {method: network}, per: seed}}\n"
        "  seeds: {n: 4",
    )
    study.path.write_text(
        changed.replace("    selection: last_epoch\n", "    selection: last_epoch\n    probes: []\n"), "utf-8"
    )
    loaded = load_study(study.path).tiers["cpu"]
    assert len(asked_rows(loaded, ["method=random_weights"]).cells) == len(loaded.cells) + 2
    reader = asked_rows(loaded, ["method={kind: reweighted, input: trust}"])
    assert reader.cells[-1].recipe.needs == ("trust",)
    with pytest.raises(LnbenchError, match="nothing"):
        asked_rows(loaded, ["method={kind: reweighted, input: nothing}"])
