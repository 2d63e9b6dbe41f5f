"""The catalog and the files it goes with: no torch, no surprises from plug-ins, names found wherever they are."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lnbench import catalog, resources
from lnbench.errors import LnbenchError
from tests.toys.edited_study import Folder

# the modules that need torch, by their first words; all others must load without it
NEED_TORCH = ("lnbench.training", "lnbench.methods", "lnbench.models.torch_", "lnbench.execute.worker")

WITHOUT_TORCH = """
import importlib, pkgutil, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision"):
            raise ImportError(f"{name} is imported")

sys.meta_path.insert(0, NoTorch())
import lnbench
named = {"lnbench." + name for name in
         "spec studies rules catalog references plan store judge stats report cli".split()}
found = [module.name for module in pkgutil.walk_packages(lnbench.__path__, "lnbench.", onerror=lambda name: None)]
skipped = tuple(sys.argv[1:])
for name in sorted({*found} | {name for name in named if name in found}):
    if name.startswith(skipped) or name.endswith("__main__") or "pytest_plugin" in name:
        continue
    try:
        importlib.import_module(name)
    except ImportError as error:
        if "torch" in str(error):
            print(f"{name}: {error}")
assert not {"torch", "torchvision"} & set(sys.modules)
"""


def test_everything_but_training_loads_without_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *NEED_TORCH], capture_output=True, text=True, timeout=300,
        env={"PYTHONPATH": str(resources.PACKAGE.parent), "PATH": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], None]]:
    """Installs a plug-in whose entry point loads to the given object (an exception is raised instead)."""

    class EntryPoint:
        name, value, dist = "theirs", "theirs:entries", None

        def __init__(self, loaded: Any):
            self.loaded = loaded

        def load(self) -> Any:
            if isinstance(self.loaded, Exception):
                raise self.loaded
            return self.loaded

    def install(loaded: Any) -> None:
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [EntryPoint(loaded)])
        catalog.entries.cache_clear()

    yield install
    monkeypatch.undo()
    catalog.entries.cache_clear()


def test_a_plug_in_adds_its_names(plug_in: Callable[[Any], None]) -> None:
    plug_in(lambda: [catalog.Entry("model", "theirs-1", target="theirs:build")])
    assert "theirs-1" in catalog.names("model")
    assert "mlp1" in catalog.names("model")


@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        (
            ImportError("no module theirs"),
            r"the plug-in 'theirs' \(theirs:entries\) cannot be loaded: ImportError: no mod",
        ),
        (lambda: 1 / 0, "cannot be loaded: ZeroDivisionError"),
        (None, "cannot be loaded: TypeError"),
        (lambda: [catalog.Entry("model", "mlp1")], r"the plug-in .* adds the model 'mlp1', a name that is taken"),
    ],
)
def test_a_broken_plug_in_is_named_and_not_a_traceback(
    plug_in: Callable[[Any], None], loaded: Any, message: str
) -> None:
    plug_in(loaded)
    with pytest.raises(LnbenchError, match=message):
        catalog.entries()


def test_every_target_of_the_catalog_names_a_module_and_an_object() -> None:
    for kind, entries in catalog.entries().items():
        for name, entry in entries.items():
            assert (entry.kind, entry.name) == (kind, name)
            assert kind == "metric" or entry.target.count(":") == 1, name


def test_a_study_is_found_by_name_and_by_path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    by_name = resources.find_study("rolnick_mnist")
    assert by_name == repository / "claims" / "rolnick_mnist.yaml"
    assert resources.find_study("claims/rolnick_mnist.yaml").samefile(by_name)


def test_a_folder_that_is_named_like_a_study_does_not_hide_it(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rolnick_mnist").mkdir()
    monkeypatch.chdir(tmp_path)
    found = resources.find_study("rolnick_mnist")  # the checkout's own, or the installed package's copy
    assert found.read_bytes() == (repository / "claims" / "rolnick_mnist.yaml").read_bytes()


@pytest.mark.parametrize("name", ["rolnik_mnist", "", "x" * 5000, "nul\0", "."])
def test_a_name_that_is_no_study_is_told_with_a_hint(name: str) -> None:
    with pytest.raises(LnbenchError, match="no study is named"):
        resources.find_study(name)


def test_the_baselines_beside_a_study_are_its_own(toy: Folder, tmp_path: Path, repository: Path) -> None:
    assert resources.baselines_for(toy.study) == toy.root / "baselines"
    assert resources.baselines_for(tmp_path / "alone" / "deep" / "x.yaml").samefile(repository / "baselines")
