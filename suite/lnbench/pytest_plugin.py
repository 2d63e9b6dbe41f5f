"""`pytest claims/ --lnbench-tier smoke`: every claim of a study file as a pytest item.

Without the option nothing is collected, so that the plug-in stays out of the way of every other test suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lnbench", "claims of label-noise papers")
    group.addoption("--lnbench-tier", choices=["smoke", "cpu", "lite", "full"], help="collect claims at this tier")
    group.addoption("--lnbench-store", help="folder of finished runs (default: LNBENCH_STORE, else .lnbench)")
    group.addoption("--lnbench-device", default="cpu", help="cpu, cuda or cuda:N")


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> StudyItems | None:
    if parent.config.getoption("--lnbench-tier") and file_path.suffix == ".yaml":
        return StudyItems.from_parent(parent, path=file_path)
    return None


class ClaimFailed(Exception):
    """A claim is contradicted, or its smoke check failed."""


class StudyItems(pytest.File):
    """A study file; its runs are trained once, when its first claim is asked for."""

    result: Any = None

    def collect(self) -> Iterator[pytest.Item]:
        from lnbench.errors import SpecError
        from lnbench.spec import load_study

        try:
            study = load_study(self.path)
        except SpecError as error:
            raise self.CollectError(str(error)) from None
        tier = self.config.getoption("--lnbench-tier")
        if tier in study.tiers:
            for claim in study.tiers[tier].spec.claims:
                yield ClaimItem.from_parent(self, name=claim.id)

    def judged(self) -> Any:
        if self.result is None:
            from lnbench.execute.local import execute
            from lnbench.judge import FromStore, gather, judge
            from lnbench.machine import resolve_device
            from lnbench.plan import plan_study
            from lnbench.spec import load_study
            from lnbench.store import Store, default_path

            option = self.config.getoption
            plan = plan_study(load_study(self.path).tiers[option("--lnbench-tier")])
            store = Store(Path(option("--lnbench-store") or default_path()))
            done = execute([plan], store, Quiet(), device=resolve_device(option("--lnbench-device")))
            self.result = judge(gather(plan, store.get, done.failures, FromStore(store)))
        return self.result


class ClaimItem(pytest.Item):
    """One claim: passes when reproduced or smoke-pass, fails when contradicted, else is skipped with the reason."""

    def runtest(self) -> None:
        assert isinstance(self.parent, StudyItems)
        claims = self.parent.judged().claims
        claim = next(claim for claim in claims if claim.claim.id == self.name)
        if claim.verdict in ("contradicted", "smoke-fail", "error"):
            raise ClaimFailed(f"{claim.verdict}: {claim.claim.says} ({claim.why or 'the interval lies outside'})")
        if claim.verdict not in ("reproduced", "smoke-pass"):
            pytest.skip(f"{claim.verdict}: {claim.why}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, ClaimFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class Quiet:
    """A Watcher that shows nothing: pytest has its own display."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None
