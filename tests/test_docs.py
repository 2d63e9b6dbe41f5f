"""What the documents say works: links, schemas, the toy claim of CONTRIBUTING, the two commands of README."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("baselines/*.md"), ROOT / "reports/debates.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("what", ["study", "baseline", "questions"])
def test_the_committed_schema_is_the_one_that_lnbench_prints(what: str) -> None:
    from lnbench.spec import baseline_schema, questions_schema, study_schema

    printed = {"study": study_schema, "baseline": baseline_schema, "questions": questions_schema}[what]
    committed = json.loads((ROOT / f"docs/schema/{what}.schema.json").read_text(encoding="utf-8"))
    assert committed == printed()


def test_every_spec_names_its_schema_for_editors() -> None:
    first = (ROOT / "questions.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=docs/schema/questions.schema.json"
    for folder, name in (("claims", "study"), ("baselines", "baseline")):
        for file in (ROOT / folder).glob("*.yaml"):
            first = file.read_text(encoding="utf-8").splitlines()[0]
            assert first == f"# yaml-language-server: $schema=../docs/schema/{name}.schema.json", file.name


def test_the_toy_claim_of_contributing_works_at_the_first_try(tmp_path: Path) -> None:
    from lnbench.execute.local import execute
    from lnbench.judge import gather, judge
    from lnbench.pipeline import Quiet
    from lnbench.plan import plan_study
    from lnbench.spec import load_study
    from lnbench.store import Store

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert block is not None
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims/toy.yaml").write_text(textwrap.dedent("   " + block.group(1)), encoding="utf-8")
    (tmp_path / "baselines").symlink_to(ROOT / "baselines")
    plan = plan_study(load_study(tmp_path / "claims/toy.yaml").tiers["full"])
    store = Store(tmp_path / "store")
    assert not execute([plan], store, Quiet(), workers=0).failures
    assert [claim.verdict for claim in judge(gather(plan, store.get)).claims] == ["reproduced"]


def test_readme_opens_with_the_command_that_ci_uses_and_has_the_other() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    first_screen, whole = "\n".join(lines[:10]), "\n".join(lines)
    run = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "pip install . && lnbench verify claims/rolnick_mnist.yaml" in first_screen
    assert "pip install '.[test]' && pytest" in whole
    assert "lnbench verify claims/rolnick_mnist.yaml" in run
    assert "\npytest" in run
