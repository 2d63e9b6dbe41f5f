"""A package from outside adds a kind of check: it validates, plans, judges, is reported and stands in the schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PARTS = '''
from typing import Literal

from lnbench.catalog import Entry, Part
from lnbench.yamlfile.problems import Fault


class Spread(Part):
    """Seeds lie no further apart than `most`."""

    kind: Literal["spread"]
    most: float

    def problems(self, ground):
        if self.most <= 0:
            yield Fault(("most",), f"most {self.most:g} is not above 0")


def entries():
    return [Entry("check", "spread", target="toy.kind:SpreadKind", part="toy.parts:Spread")]
'''

KIND = """
import statistics

from lnbench.judge.kinds import Kind
from lnbench.stats import Check, Region

from toy.parts import Spread


class SpreadKind(Kind[Spread]):
    words = "a spread over seeds"

    def region(self, part, number):
        return Region.at_most(part.most)

    def check(self, part, effect, member, number, rule):
        sd = statistics.stdev(member.values)
        return Check(kind="spread", effect=sd, region=self.region(part, number), n=len(member.values),
                     p_reproduced=0.0 if sd <= part.most else 1.0, p_contradicted=0.0 if sd > part.most else 1.0)

    def beside(self, part, members, checks, numbers):
        return {"widest": [max(member.values) - min(member.values) for member in members]}

    def beside_words(self, part, write):
        yield f"the seeds lie within {part['beside']['widest'][0]:.3f}"
"""

USE = """
import json, sys
from pathlib import Path

from tests.toys.claims_page import believable, blocks, evidence_of, load_in_frame
from lnbench.errors import SpecError
from lnbench.judge import judge
from lnbench.judge.power import powers
from lnbench.report import markdown, result_to_json
from lnbench.report.explain import explain
from lnbench.spec import study_schema

example = blocks()["above"]
part = {"kind": "spread", "effect": example["parts"]["claim"]["effect"], "most": float(sys.argv[2])}
example["effects"] = {part["effect"]: example["effects"][part["effect"]]}
example["parts"] = {"claim": part}
try:
    study = load_in_frame(Path(sys.argv[1]), example)
except SpecError as error:
    print(json.dumps({"refused": [problem.what for problem in error.problems]}))
    sys.exit()
result = judge(evidence_of(study, believable))
data = result_to_json(result)
(shown,) = data["claims"][0]["parts"]
print(json.dumps({
    "verdict": result.claims[0].verdict, "part": {key: shown[key] for key in ("kind", "most", "beside")},
    "page": markdown(data), "explained": explain(result, "EX-01"), "region": powers(result)[0].region.describe(),
    "schema": "Spread" in study_schema()["$defs"],
}))
"""


@pytest.fixture
def plugged_in(tmp_path: Path) -> Path:
    """A folder in which the package `toy` is installed: its modules, and the entry point by which it is found."""
    site = tmp_path / "site"
    for name, text in (("__init__", ""), ("parts", PARTS), ("kind", KIND)):
        (site / "toy").mkdir(parents=True, exist_ok=True)
        (site / "toy" / f"{name}.py").write_text(text, encoding="utf-8")
    info = site / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[lnbench]\ntoy = toy.parts:entries\n", encoding="utf-8")
    return site


def used(site: Path, most: float, code: str = USE) -> dict[str, object]:
    command = [sys.executable, "-c", code, str(site.parent), str(most)]
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("most", "verdict"), [(0.01, "reproduced"), (1e-4, "contradicted")])
def test_a_kind_from_outside_is_judged_and_reported(plugged_in: Path, most: float, verdict: str) -> None:
    found = used(plugged_in, most)
    assert found.get("verdict") == verdict, found
    assert found["part"]["kind"] == "spread" and found["part"]["most"] == most
    assert "*a spread over seeds*" in found["page"] and "the seeds lie within 0.00" in found["page"]
    assert "the seeds lie within 0.00" in found["explained"]
    assert found["region"] == f"at most {most:g}"
    assert found["schema"] is True


def test_its_own_rule_refuses_a_part(plugged_in: Path) -> None:
    assert used(plugged_in, -1.0) == {"refused": ["most -1 is not above 0"]}


@pytest.mark.parametrize("first", ["toy.parts", "toy.kind", "lnbench.catalog", "lnbench.report"])
def test_the_order_of_imports_does_not_matter(plugged_in: Path, first: str) -> None:
    words = "print(json.dumps(kind_named('spread').words))"
    code = f"import {first}, json; from lnbench.judge.kinds import kind_named; {words}"
    assert used(plugged_in, 1.0, code) == "a spread over seeds"
