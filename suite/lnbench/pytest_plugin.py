"""`pytest claims/ --lnbench-tier smoke`: every claim of a study file as a pytest item.

Without the option nothing is collected, so that the plug-in does not touch any other test suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lnbench.tiers import TIERS

if TYPE_CHECKING:
    from lnbench.judge import StudyResult
    from lnbench.spec import Study


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lnbench", "claims of label-noise papers")
    group.addoption("--lnbench-tier", choices=TIERS, help="collect claims at this tier")
    group.addoption("--lnbench-store", help="folder of finished runs (default: LNBENCH_STORE, else .lnbench)")
    group.addoption("--lnbench-device", default="cpu", help="cpu, cuda or cuda:N")


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> StudyItems | None:
    if parent.config.getoption("--lnbench-tier") and file_path.suffix == ".yaml":
        return StudyItems.from_parent(parent, path=file_path)
    return None


class ClaimFailed(Exception):
    """A claim is contradicted, its smoke check failed, or one of its runs did."""


class StudyItems(pytest.File):
    """A study file. It is verified once, when its first claim is asked for: look by look, alternatives included."""

    study: Study | None = None
    result: StudyResult | None = None

    def collect(self) -> Iterator[pytest.Item]:
        from lnbench.errors import SpecError
        from lnbench.spec import load_study

        try:
            study = load_study(self.path)
        except SpecError as error:
            raise self.CollectError(str(error)) from None
        tier = self.config.getoption("--lnbench-tier")
        self.study = study.tiers.get(tier)
        if self.study is not None:
            for claim in self.study.spec.claims:
                yield ClaimItem.from_parent(self, name=claim.id)

    def judged(self) -> StudyResult:
        """Train what is missing and judge, the first time; return the result. Raises LnbenchError."""
        if self.result is None:
            from lnbench.machine import resolve_device
            from lnbench.pipeline import Training, open_store, verify_study

            assert self.study is not None, "read when its claims were collected"
            option = self.config.getoption
            training = Training(device=resolve_device(option("--lnbench-device")))
            self.result = verify_study(self.study, open_store(option("--lnbench-store")), training)
        return self.result


class ClaimItem(pytest.Item):
    """One claim: passes when reproduced, held or smoke-pass, fails when contradicted or failed, else is skipped with
    the reason."""

    def runtest(self) -> None:
        from lnbench.report.result.result import about_claim
        from lnbench.report.said import as_tested
        from lnbench.verdict import Counts, counts_as

        assert isinstance(self.parent, StudyItems)
        result = self.parent.judged()
        claim = next(claim for claim in result.claims if claim.claim.id == self.name)
        counts = counts_as(claim.verdict)
        if counts in (Counts.FAIL, Counts.ERROR):
            says = as_tested(about_claim(claim, result))
            raise ClaimFailed(f"{claim.verdict}: {says} ({claim.why or 'the interval lies outside'})")
        if counts is Counts.NEITHER:
            pytest.skip(f"{claim.verdict}: {claim.why}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from lnbench.errors import LnbenchError

        if isinstance(excinfo.value, ClaimFailed | LnbenchError):
            return str(excinfo.value)  # what a user can fix needs no traceback
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name
