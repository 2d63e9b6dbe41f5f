"""A study of digits that trains in a second or two, its store once trained, and the command line in this process."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.toys.project import base, paper, write_project
from tests.toys.registered import register_long_ago

STUDY = (
    """\
schema: 1
paper: toy
title: A toy study
choices:
  - {key: epochs, ours: three, try: {epochs: {times: 2}}}
"""
    + base()
    + """\
  vary: {noise.alpha: [0, 2]}
  choose: {key: optimizer.lr, from: [0.01, 0.05], per: [noise.alpha],
           by: validation_accuracy, validation: 100, seeds: 1}
  seeds: {n: 4, pair: [split, noise, order, init, augment]}
effects:
  noisy: {metric: test_accuracy, at: {noise.alpha: 2}}
  drop: {metric: test_accuracy, along: {noise.alpha: drop}}
claims:
  - id: TOY-01
    says: A perceptron learns digits under noise.
    quote: "it learns"
    where: {section: "1"}
    verdict: learns
    parts:
      learns: {kind: above, effect: noisy, threshold: 0.3}
  - id: TOY-02
    says: Noise costs accuracy.
    quote: "it costs"
    where: {section: "2"}
    verdict: costs
    parts:
      costs: {kind: ordered, effect: drop, delta: -0.5}
tiers:
  full: {deviations: []}
  smoke:
    runs:
      choose: null
      seeds: {n: 3, pair: [split, noise, order, init, augment]}
    deviations: [one learning rate]
    measured: smoke/toy
"""
)


BASELINE = paper()
Call = Callable[..., tuple[int, str, str]]  # arguments -> (exit code, stdout, stderr)
AsItems = Callable[..., tuple[int, str]]  # a tier, and pytest's options -> (exit code, stdout)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_drawing: None) -> Path:
    """A working directory with claims/toy.yaml, baselines/ and no data, store or environment of the outside. Reports
    have no pictures."""
    write_project(tmp_path, STUDY, BASELINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LNBENCH_STORE", raising=False)
    monkeypatch.setenv("LNBENCH_DATA", str(tmp_path / "no-data"))
    # where a test does not ask for --workers, train in this process, which has torch already: seconds less a call
    monkeypatch.setattr("lnbench.execute.local.available_cores", lambda: 0)
    return tmp_path


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy study's runs at full and smoke, trained once for the whole session."""
    from lnbench.execute.local import execute
    from lnbench.pipeline import Quiet
    from lnbench.plan import plan_study
    from lnbench.spec import load_study
    from lnbench.store import Store

    folder = tmp_path_factory.mktemp("trained")
    study = load_study(write_project(folder, STUDY, BASELINE))
    plans = [plan_study(tier) for tier in study.tiers.values()]
    assert not execute(plans, Store(folder / "store"), Quiet(), workers=0).failures
    return folder / "store"


@pytest.fixture
def trained(home: Path, trained_once: Path) -> Path:
    """`home` with a store in `.lnbench` that has all runs of the toy study, which was registered before them."""
    shutil.copytree(trained_once, home / ".lnbench")
    register_long_ago(home / "claims" / "toy.yaml")
    return home


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command line: (exit code, stdout, stderr)."""
    from lnbench.cli.main import main

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(list(arguments))
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return run


@pytest.fixture
def as_items(monkeypatch: pytest.MonkeyPatch) -> AsItems:
    """Call pytest on `claims/` with lnbench's plug-in and no other: in this process, as another takes seconds."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tier: str, *options: str) -> tuple[int, str]:
        plugins = ["no:cacheprovider", "no:faulthandler", "lnbench.pytest_plugin"]
        named = [word for plugin in plugins for word in ("-p", plugin)]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = pytest.main(["claims", "-v", "-rs", *named, "--lnbench-tier", tier, *options])
        return int(code), out.getvalue()

    return run
