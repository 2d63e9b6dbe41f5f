"""Table 1 of Pleiss et al. 2020 as it stands in `baselines/aul2020.yaml`: every cell, typed a second time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lnbench.errors import SpecError
from lnbench.spec import Reference, load_baseline, load_study

ROOT = Path(__file__).parents[2]
COLUMNS = [
    f"{data}-{noise}"
    for data in ("cifar10", "cifar100")
    for noise in ("uniform20", "uniform40", "uniform60", "uniform80", "pair40")
]
TABLE = {  # the ± left out; "-" no number printed, "x" diverged
    "standard": "23.2 0.2  40.3 0.5  57.1 0.5  75.3 0.5  40.3 0.2  50.3 0.3  62.0 0.7  76.0 0.1  91.1 0.7  61.8 0.6",
    "random": "16.5 0.7  22.8 1.6  35.8 2.8  55.6 5.5  21.2 0.1  43.0 0.1  51.2 0.5  63.5 0.9  83.7 1.8  51.4 0.4",
    "reed-hard": "22.4 0.4  37.4 0.9  52.0 0.5  68.8 0.9  37.2 0.2  48.6 0.3  58.9 0.5  70.3 0.4  89.8 1.6  58.8 0.7",
    "mentornet-pd": "13.3 0.2  18.1 0.4  -  66.0 4.9  -  35.8 0.6  42.5 0.4  -  75.7 1.4  -",
    "co-teaching": "11.2 0.2  13.5 0.2  19.3 0.2  80.7 1.2  16.9 0.6  35.9 0.2  39.8 0.4  52.0 0.5  89.1 1.4  51.7 0.4",
    "d2l": "12.3 0.5  15.6 0.6  27.3 1.2  x  23.6 3.0  46.0 2.0  70.3 3.6  x  x  83.1 2.3",
    "incv": "10.5 0.2  13.2 0.2  18.9 0.5  46.7 3.8  16.1 1.0  41.4 0.9  44.6 0.4  56.3 0.6  76.3 1.1  52.0 0.6",
    "aul": "9.2 0.1  11.5 0.2  16.0 0.3  37.8 2.4  11.1 0.3  34.2 0.4  39.9 0.6  50.5 1.0  76.5 0.9  40.2 0.2",
    "oracle": "9.0 0.1  9.7 0.8  10.8 1.8  12.6 3.5  10.8 0.1  35.5 0.1  39.0 0.4  44.8 1.0  55.1 0.7  38.6 0.7",
}
WORDS = {"-": "—", "x": "Diverged"}


@pytest.fixture(scope="module")
def cells() -> dict[str, Reference]:
    references = load_baseline(ROOT / "baselines" / "aul2020.yaml").references
    return {name.removeprefix("table1/"): cell for name, cell in references.items() if name.startswith("table1/")}


def test_the_table_has_nine_methods_in_ten_columns(cells: dict[str, Reference]) -> None:
    assert len(cells) == 90
    assert set(cells) == {f"{method}-{column}" for method in TABLE for column in COLUMNS}


@pytest.mark.parametrize("method", TABLE)
def test_each_cell_is_as_printed(method: str, cells: dict[str, Reference]) -> None:
    typed = re.split(" {2,}", TABLE[method])
    assert len(typed) == len(COLUMNS)
    for column, text in zip(COLUMNS, typed, strict=True):
        cell = cells[f"{method}-{column}"]
        printed, _, spread = text.partition(" ")
        assert (cell.printed, cell.spread) == (WORDS.get(printed, printed), spread or "none"), column
        assert cell.metric == "test_error" and cell.unit == "percent"
        assert (cell.spread_kind, cell.n) == ("unknown", "unknown")  # the paper says neither
        data, noise = column.split("-")
        kind, rate = noise[:-2], f"0.{noise[-2]}"
        assert cell.protocol["dataset"] == data and cell.protocol["method"] == method
        assert cell.protocol["noise"].startswith(f"uniform {rate}," if kind == "uniform" else f"pair flip {rate}")


def test_a_cell_without_a_number_is_none(cells: dict[str, Reference]) -> None:
    wordy = {name for name, cell in cells.items() if cell.number() is None}
    assert wordy == {
        "mentornet-pd-cifar10-uniform60", "mentornet-pd-cifar10-pair40",
        "mentornet-pd-cifar100-uniform60", "mentornet-pd-cifar100-pair40",
        "d2l-cifar10-uniform80", "d2l-cifar100-uniform60", "d2l-cifar100-uniform80",
    }  # fmt: skip
    assert len(cells) - len(wordy) == 83


def test_no_claim_can_be_held_against_such_a_cell(tmp_path: Path) -> None:
    for folder in ("baselines", "claims"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "baselines" / "aul2020.yaml", tmp_path / "baselines")
    text = (ROOT / "claims" / "aul_mnist.yaml").read_text(encoding="utf-8")
    named = "effect: recall, reference: table1/d2l-cifar10-uniform80"
    broken = text.replace("effect: recall, threshold: 0.9", named)
    assert broken != text
    path = tmp_path / "claims" / "aul_mnist.yaml"
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_study(path)
    lines = broken.splitlines()
    line = next(number for number, one in enumerate(lines) if named in one)
    column = lines[line].index("table1/")
    says = "reference 'table1/d2l-cifar10-uniform80' prints 'Diverged', not a number in digits"
    assert (line + 1, column + 1, says) in [(one.line, one.column, one.what) for one in caught.value.problems]
