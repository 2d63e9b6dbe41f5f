"""The JSON Schemas that editors use: valid, and true to the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lnbench import catalog
from lnbench.spec import baseline_schema, questions_schema, study_schema
from tests.toys.edited_study import BASELINE, STUDY

jsonschema = pytest.importorskip("jsonschema")


def errors(schema: dict[str, Any], data: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(data)
    return [f"{list(error.path)}: {error.message}" for error in found]


SCHEMAS = {"study": study_schema(), "baseline": baseline_schema(), "questions": questions_schema()}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_a_schema_is_valid_and_names_its_dialect(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


def test_the_schemas_accept_every_file_of_the_repository(repository: Path) -> None:
    quick = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # as safe_load, in a tenth of the time
    for pattern, what in (("claims/*.yaml", "study"), ("baselines/*.yaml", "baseline"), ("*.yaml", "questions")):
        paths, schema = sorted(repository.glob(pattern)), SCHEMAS[what]
        assert paths
        for path in paths:
            assert errors(schema, yaml.load(path.read_text(encoding="utf-8"), quick)) == [], path


def test_the_schemas_accept_the_toy() -> None:
    assert errors(study_schema(), yaml.safe_load(STUDY)) == []
    assert errors(baseline_schema(), yaml.safe_load(BASELINE)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: A toy study", "titel: A toy study"),
        ("epochs: 3", "epochs: 0"),
        ("alpha: 10, inc", "alpha: -1, inc"),
        ("model: mlp1", "model: mlp9"),
        ("name: digits", "name: minst"),
        ("kind: sgd", "kind: sdg"),
        ("verdict: good", "verdict: [good]"),
        ("verdict: good", "verdict: {at_least: 0, of: [good]}"),
        ("verdict: good", "verdict: {any: [good]}"),
        ("kind: above", "kind: abov"),
        ("  full:", "  fulll:"),
        ("id: T-01", "id: T 01"),
    ],
)
def test_the_study_schema_refuses_what_an_editor_should_underline(old: str, new: str) -> None:
    assert old in STUDY
    assert errors(study_schema(), yaml.safe_load(STUDY.replace(old, new)))


@pytest.mark.parametrize("verdict", ["good", "{all: [good, near]}", "{at_least: 1, of: [good, near]}"])
def test_the_study_schema_accepts_each_form_of_a_verdict(verdict: str) -> None:
    assert errors(study_schema(), yaml.safe_load(STUDY.replace("verdict: good", f"verdict: {verdict}"))) == []


def test_the_study_schema_completes_the_names_of_the_catalog() -> None:
    recipe = study_schema()["$defs"]["Recipe"]["properties"]
    assert recipe["model"]["enum"] == catalog.names("model")
    name, options = recipe["method"]["oneOf"]
    alone = [name for name in catalog.names("method") if catalog.find("method", name).options is None]
    assert name["enum"] == alone and "standard" in alone
    kinds = [
        study_schema()["$defs"][each["$ref"].rpartition("/")[2]]["properties"]["kind"] for each in options["oneOf"]
    ]
    assert [kind["const"] for kind in kinds] == [name for name in catalog.names("method") if name not in alone]
