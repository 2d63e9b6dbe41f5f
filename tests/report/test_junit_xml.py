"""junit.xml: what CI systems accept, whatever stands in the texts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from lnbench.report import junit
from tests.toys.report_world import World

NAME_CHARACTERS = {"testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out"}
ALLOWED = {  # element -> (required attributes, optional attributes, children); after the common JUnit schema
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"skipped"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"timestamp"}, {"testcase"}),
    "testcase": ({"name", "classname", "time"}, set(), {"failure", "error", "skipped", "system-out"}),
    "failure": ({"message", "type"}, set(), set()),
    "error": ({"message", "type"}, set(), set()),
    "skipped": ({"message"}, set(), set()),
    "system-out": (set(), set(), set()),
}


def valid(text: str) -> ET.Element:
    """The document, after every rule of the schema was held against it."""
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        required, optional, children = ALLOWED[element.tag]
        assert required <= set(element.attrib) <= required | optional
        assert {child.tag for child in element} <= children
        for name in ("name", "classname", "message", "type"):
            assert element.get(name, "x") != ""
        if "time" in element.attrib:
            assert float(element.attrib["time"]) >= 0
    for suite in (root, *root.iter("testsuite")):
        cases = list(suite.iter("testcase"))
        assert int(suite.attrib["tests"]) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == sum(case.find(tag) is not None for case in cases), attribute
    for case in root.iter("testcase"):
        assert sum(case.find(tag) is not None for tag in ("failure", "error", "skipped")) <= 1
    return root


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        ("reproduced", None),
        ("smoke-pass", None),
        ("contradicted", "failure"),
        ("smoke-fail", "failure"),
        ("error", "error"),
        ("inconclusive", "skipped"),
        ("not-run", "skipped"),
        ("not-testable", "skipped"),
        ("not-comparable", "skipped"),
    ],
)
def test_each_verdict_has_its_element(full: World, verdict: str, tag: str | None) -> None:
    data = full.json()
    data["claims"][1]["verdict"] = verdict
    case = list(valid(junit(data)).iter("testcase"))[1]
    found = {child.tag for child in case} - {"system-out"}
    assert found == ({tag} if tag else set())


def test_parts_and_their_intervals_are_listed(full: World) -> None:
    root = valid(junit(full.json()))
    assert [case.attrib["name"] for case in root.iter("testcase")] == ["N1", "N.2", "n-2"]
    out = root.find("testsuite/testcase/system-out")
    assert out is not None
    assert out.text is not None
    assert re.search(r"above \(the claim\): inside\n  .*measured .* \(90 % interval \[", out.text)
    assert "printed (beside it)" in out.text


def test_any_character_in_a_text_leaves_the_xml_whole(full: World) -> None:
    data = full.json()
    nasty = "a\x00b\x1b[31m <x> & \"quoted\" 'too' ]]> \ud800 \ufffe emoji 🙂 \u0085\n\ttab"
    data["claims"][0]["says"] = nasty
    data["claims"][0]["verdict"] = "contradicted"
    data["claims"][0]["why"] = nasty
    data["claims"][0]["parts"][0]["members"][0]["label"] = nasty
    root = valid(junit(data))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert "a\\x00b\\x1b[31m <x> & \"quoted\" 'too' ]]> \\ud800" in failure.attrib["message"]
    assert "🙂" in (failure.text or "")


def test_the_same_result_gives_the_same_document(full: World) -> None:
    assert junit(full.json()) == junit(full.json())
