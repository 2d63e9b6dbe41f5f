"""What a person sees while runs train: groups are one row, and an epoch is said once."""

from __future__ import annotations

import io

import pytest

from lnbench.cli.commands import progress
from lnbench.cli.commands.progress import BarDisplay, Display, duration
from lnbench.execute.groups import Task
from lnbench.execute.worker import Report
from tests.toys.small_runs import run

GROUP = Task(tuple(run(seed, model="mlp1") for seed in range(8)), "stacked")
ALONE = Task((run(9, model="convnet4"),))


@pytest.fixture
def display() -> Display:
    shown = Display()
    shown.planned([*GROUP.runs, *ALONE.runs], reused=0)
    for task in (GROUP, ALONE):
        shown.started(task)
    return shown


def test_a_groups_epoch_is_said_once(display: Display) -> None:
    display.report(Report(GROUP.id, 300, 1200, 0, 2))
    display.report(Report(ALONE.id, 10, 1200, 0, 2))
    assert display.summary().startswith("0/9 runs, epoch 1/2") and display.summary().count("1/2") == 1
    display.report(Report(ALONE.id, 900, 1200, 1, 2))
    assert display.summary().startswith("0/9 runs, epochs 1/2 to 2/2")


def test_every_run_of_a_group_counts(display: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    group, alone = (sum(run.flop for run in task.runs) for task in (GROUP, ALONE))
    display.report(Report(GROUP.id, 300, 1200, 0, 2))
    assert display.share == pytest.approx(0.25 * group / (group + alone))
    assert display.first is not None
    since = display.first[0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: since + 10)
    display.report(Report(GROUP.id, 600, 1200, 1, 2))
    assert "240 examples/s" in display.summary()  # 8 × 300 more in 10 s
    display.report(Report(GROUP.id, 300, 1200, 0, 2))
    for one in GROUP.runs[:7]:
        display.finished(one, "trained", "")
    assert display.share == pytest.approx((7 * group / 8 + 0.25 * group / 8) / (group + alone))
    assert len(display.running) == 2
    display.finished(GROUP.runs[7], "trained", "")
    display.finished(ALONE.runs[0], "trained", "")
    assert display.share == 1 and not display.running
    assert display.summary().startswith("9/9 runs, ") and "epoch" not in display.summary()


def test_a_group_that_is_formed_anew_leaves_no_row_behind(display: Display) -> None:
    display.report(Report(GROUP.id, 300, 1200, 0, 2))
    halves = [Task(GROUP.runs[:4], "stacked"), Task(GROUP.runs[4:], "stacked")]
    display.started(halves[0])
    assert list(display.running[GROUP.id].left) == [run.id for run in GROUP.runs[4:]]
    display.started(halves[1])
    assert set(display.running) == {halves[0].id, halves[1].id, ALONE.id}
    display.report(Report(GROUP.id, 600, 1200, 1, 2))  # a late word of the worker that is gone
    assert display.share == 0


def test_on_a_terminal_a_group_is_one_row() -> None:
    from rich.console import Console

    class Live:
        console = Console(record=True, width=100)

        def update(self, rows: object) -> None:
            self.console.print(rows)

    live = Live()
    shown = BarDisplay(live)
    shown.planned([*GROUP.runs, *ALONE.runs], reused=0)
    for task in (GROUP, ALONE):
        shown.started(task)
    live.console.export_text()
    shown.report(Report(GROUP.id, 300, 1200, 0, 2))
    rows = live.console.export_text().splitlines()
    assert [" ".join(row.split()) for row in rows[-2:]] == ["25% 8 × mlp1 together", f"0% {ALONE.describe()}"]


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 24), (80, 8), (20, 3)])
def test_a_small_terminal_has_rate_and_time_left(columns: int, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen tasks in sixteen epochs: their list used to push all else off the screen."""
    from rich.console import Console
    from rich.live import Live

    console = Console(width=columns, height=lines, force_terminal=True, file=io.StringIO(), color_system=None)
    shown = BarDisplay(Live(console=console, auto_refresh=False))
    tasks = [Task((run(seed, model="convnet4"),)) for seed in range(16)]
    shown.planned([task.runs[0] for task in tasks], reused=0)
    began = progress.time.monotonic()
    monkeypatch.setattr(progress.time, "monotonic", lambda: began + 10)
    for epoch, task in enumerate(tasks):
        shown.started(task)
        shown.report(Report(task.id, 0, 1200, epoch, 16))
    monkeypatch.setattr(progress.time, "monotonic", lambda: began + 4010)
    for epoch, task in enumerate(tasks):
        shown.report(Report(task.id, 900, 1200, epoch, 16))
    text = [line.plain for line in shown.live.get_renderable().renderables[1:] if hasattr(line, "plain")]
    assert text[0] == "0/16 runs, epochs 1/16 to 16/16, 4 examples/s, about 22 min 13 s left"
    with console.capture() as seen:
        console.print(shown.live.get_renderable())
    rows = seen.get().splitlines()
    assert all(len(row) <= columns for row in rows)
    if columns >= 80:
        assert rows[1].endswith("left") and len(rows) < lines


def test_the_start_of_processes_is_no_part_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty seconds to start, then 100 examples a second: the first line once promised an hour for half a minute."""
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    shown = Display()
    shown.planned(list(ALONE.runs), reused=0)
    shown.started(ALONE)
    now += 50
    shown.report(Report(ALONE.id, 50, 4000, 0, 1))
    assert shown.summary() == "0/1 runs, epoch 1/1", "no rate is known yet"
    now += 10
    shown.report(Report(ALONE.id, 1050, 4000, 0, 1))
    assert shown.summary() == "0/1 runs, epoch 1/1, 100 examples/s, about 30 s left"


def test_what_a_checkpoint_had_is_no_part_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs go on from checkpoints: the second one's was once taken for the work of its first half second."""
    now, other = 1000.0, Task((run(8, model="convnet4"),))
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    shown = Display()
    shown.planned([*ALONE.runs, *other.runs], reused=0)
    for task in (ALONE, other):
        shown.started(task)
    shown.report(Report(ALONE.id, 3000, 4000, 0, 1, 3000))
    now += 1
    shown.report(Report(other.id, 2050, 4000, 0, 1, 2000))
    now += 9
    shown.report(Report(ALONE.id, 3500, 4000, 0, 1, 3000))
    shown.report(Report(other.id, 2500, 4000, 0, 1, 2000))
    assert shown.summary().endswith("100 examples/s, about 20 s left"), shown.summary()
    assert shown.share == pytest.approx(6000 / 8000)
    shown.started(other)  # its process died, and another takes it up: what it did here was done here
    shown.report(Report(other.id, 2500, 4000, 0, 1, 2500))
    assert shown.summary().endswith("100 examples/s, about 20 s left"), shown.summary()


def test_one_reason_is_said_once(capsys: pytest.CaptureFixture[str], display: Display) -> None:
    for one in GROUP.runs[:3]:
        display.finished(one, "failed", "003.JPEG: is damaged")
    lines = [line for line in capsys.readouterr().out.splitlines() if "failed" in line]
    assert [line.partition(": ")[2] for line in lines] == [
        "failed: 003.JPEG: is damaged",
        *["failed, for the same reason"] * 2,
    ]


@pytest.mark.parametrize(("seconds", "words"), [(42.4, "42 s"), (190, "3 min 10 s"), (7500, "2 h 05 min")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
