"""Reports of several studies: each is written, figures and all, while the next study is trained or judged."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from lnbench.forked import Aside

if TYPE_CHECKING:
    from lnbench.judge import StudyResult
    from lnbench.spec import Study


class Reports:
    """Writes reports, one after another, aside from what this process does; says where each is once it is there."""

    def __init__(self) -> None:
        self._aside = Aside()
        self._under_way: tuple[Path, Study] | None = None

    def begin(self, result: StudyResult, folder: Path) -> None:
        """Print a study's verdicts and begin its report; wait for the one before. Raises StoreError where that one
        could not be written."""
        from lnbench.cli.commands.tables import print_failures, print_verdicts
        from lnbench.drawing import load
        from lnbench.report import write_report

        self.wait()
        print_verdicts(result)
        print_failures(result)
        self._aside.begin(partial(write_report, result, folder), load)
        self._under_way = folder, result.study

    def wait(self) -> None:
        """Return once the report that was begun is there, and say where. Raises StoreError where it could not be
        written."""
        from lnbench.cli.commands.tables import print_report

        self._aside.wait()
        if self._under_way is not None:
            print_report(*self._under_way)
            self._under_way = None

    def __enter__(self) -> Reports:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._aside.__exit__(kind, error, at)
        if error is None:
            self.wait()
