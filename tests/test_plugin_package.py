"""A package from outside, installed in a folder of its own: its names train, are judged, and stand in the records."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parent / "plugin_package"
SUITE = Path(__file__).resolve().parents[1] / "suite"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PLUGIN = {PROJECT["name"]: PROJECT["version"]}


def install(package: Path, site: Path, project: dict[str, Any]) -> None:
    """Do what pip does with a wheel, without a network: copy the modules, and write down what the package offers."""
    for folder in package.glob("lnbench_*"):
        shutil.copytree(folder, site / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(about, encoding="utf-8")
    offers = [f"{name} = {target}" for name, target in project["entry-points"]["lnbench"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[lnbench]", *offers, ""]), encoding="utf-8")


class Home:
    """A working directory with the package's study, and the folder in which packages are installed."""

    def __init__(self, folder: Path):
        self.folder, self.site = folder, folder / "site"
        for name in ("claims", "baselines"):
            shutil.copytree(PACKAGE / name, folder / name)

    def lnbench(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("LNBENCH_")}
        path = os.pathsep.join([str(self.site), str(SUITE)])
        return subprocess.run(
            [sys.executable, "-m", "lnbench", *arguments], cwd=self.folder, text=True, capture_output=True,
            env={**outside, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip

    def records(self) -> list[dict[str, Any]]:
        """Return the records of the store."""
        files = sorted((self.folder / ".lnbench" / "records").glob("*/*.json"))
        return [json.loads(file.read_text(encoding="utf-8"))["record"] for file in files]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the package is installed and its study is verified at full, by two worker processes."""
    made = Home(tmp_path_factory.mktemp("home"))
    install(PACKAGE, made.site, PROJECT)
    done = made.lnbench("verify", "claims/bars.yaml", "--tier", "full", "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def report(home: Home, tier: str = "full") -> tuple[dict[str, Any], str]:
    """Return what is in a report: result.json and report.md."""
    folder = home.folder / ".lnbench" / "reports" / f"bars-{tier}"
    return json.loads((folder / "result.json").read_text(encoding="utf-8")), (folder / "report.md").read_text("utf-8")


def test_every_name_of_the_package_trains_and_is_judged(home: Home) -> None:
    data, page = report(home)
    assert {claim["id"]: claim["verdict"] for claim in data["claims"]} == {
        "BARS-01": "reproduced",
        "BARS-02": "reproduced",
    }
    assert [entry["name"] for entry in data["data"]] == ["bars"]
    recipes = [record["content"]["recipe"] for record in home.records()]
    assert len(recipes) == 10
    assert {recipe["noise"]["kind"] for recipe in recipes} == {"mirror"}
    assert [recipe["method"] for recipe in recipes].count("standard") == 5
    outcomes = [record["outcome"] for record in home.records()]
    assert all(0.25 < outcome["metrics"]["sureness"] <= 1 for outcome in outcomes)
    assert all(0.1 < outcome["noise"]["realised_wrong"] < 0.3 for outcome in outcomes)
    assert "A smoothed network is less sure of itself." in page
    assert "*median above a threshold*" in page


def test_records_and_report_name_the_package(home: Home) -> None:
    assert all(record["provenance"]["plugins"] == PLUGIN for record in home.records())
    assert not any("plugins" in record["content"] for record in home.records()), "it is no part of what the run is"
    data, page = report(home)
    assert [entry["plugins"] for entry in data["environments"]] == [PLUGIN]
    assert data["judged_by"] == PLUGIN
    environment = page.split("## Environment")[1]
    assert f"{PROJECT['name']} {PROJECT['version']}" in environment.split("\n## ")[0]


def test_a_smoke_run_reuses_nothing_of_another_noise_and_is_judged_again_alike(home: Home) -> None:
    done = home.lnbench("verify", "claims/bars.yaml", "--tier", "smoke", "--workers", "1")
    assert done.returncode == 0 and "nothing to train: all 6 runs are in the store" in done.stdout + done.stderr
    judged = home.lnbench("judge", "--check", str(home.folder / ".lnbench" / "reports" / "bars-full"))
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_the_data_verbs_know_its_data_set(home: Home) -> None:
    status = home.lnbench("data", "status")
    assert "present    bars: 4 classes, 600 + 200 images of 1x8x8, embedded" in status.stdout
    assert home.lnbench("data", "fetch", "bars").stdout == "nothing to fetch: this needs no download\n"


def test_without_the_package_its_names_are_unknown(home: Home, tmp_path: Path) -> None:
    done = Home(tmp_path).lnbench("validate", "claims/bars.yaml")
    assert done.returncode == 2
    assert "dataset: 'bars' is not known" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise ImportError('no module bars')", "(lnbench_bad:entries) cannot be loaded: ImportError: no module bars"),
        (
            "def entries():\n    return [Entry('noise', 'mirror')]",
            "the noise 'mirror' is added by lnbench-bad and by lnbench-bars; rename it in one",
        ),
        (
            "def entries():\n    return [Entry('model', 'mlp1')]",
            "the plug-in lnbench-bad adds the model 'mlp1', a name that is",
        ),
    ],
)
def test_a_package_that_fails_gives_one_line(tmp_path: Path, code: str, message: str) -> None:
    broken = Home(tmp_path / "home")
    install(PACKAGE, broken.site, PROJECT)
    (tmp_path / "bad" / "lnbench_bad").mkdir(parents=True)
    text = f"from lnbench.catalog import Entry\n{code}\n"
    (tmp_path / "bad" / "lnbench_bad" / "__init__.py").write_text(text, encoding="utf-8")
    about = {"name": "lnbench-bad", "version": "0", "entry-points": {"lnbench": {"bad": "lnbench_bad:entries"}}}
    install(tmp_path / "bad", broken.site, about)
    done = broken.lnbench("validate", "claims/bars.yaml")
    assert done.returncode == 2 and done.stdout == ""
    assert message in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_page_about_extending_shows_the_package_as_it_is() -> None:
    page = (SUITE.parent / "docs" / "extending.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", page, re.M | re.S))
    files = {
        file.relative_to(PACKAGE).as_posix(): file.read_text(encoding="utf-8")
        for file in PACKAGE.rglob("*")
        if file.suffix in (".py", ".toml", ".yaml")
    }
    assert sorted(shown) == sorted(files)
    assert shown == files
