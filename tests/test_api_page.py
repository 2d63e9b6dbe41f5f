"""The examples of docs/api.md run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("example", EXAMPLES, ids=["verify", "judge", "frame"])
def test_the_example_runs(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if ".frame()" in example:
        pytest.importorskip("pandas")
    (tmp_path / "reports").symlink_to(ROOT / "reports")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LNBENCH_STORE", str(tmp_path / "store"))
    exec(compile(example, "docs/api.md", "exec"), {})
    out = capsys.readouterr().out
    assert ("R001-23 smoke-pass" in out) if "verify" in example else out


def test_the_table_of_columns_is_complete() -> None:
    from lnbench.pipeline import judge_report
    from lnbench.report.rows import claim_rows

    text = (ROOT / "docs/api.md").read_text(encoding="utf-8").partition("| column |")[2].partition("\n\n")[0]
    told = re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in text.splitlines()[2:]))
    (row, *_) = claim_rows(judge_report(ROOT / "reports/rolnick_counts-cpu"))
    assert told == list(row)
