"""The result as JUnit XML, for CI systems: one test suite per study, one test case per claim."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from lnbench.errors import visible
from lnbench.report.plain import Json
from lnbench.report.said import as_tested, chosen_sentence, rests_sentence
from lnbench.report.words import counted, member_sentence
from lnbench.verdict import Counts, Verdict, counts_as

# XML 1.0 allows no control characters but tab, line feed and return; lone surrogates are not UTF-8.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(data: Json) -> str:
    """Return one XML document. A contradicted claim fails; what was not decided is skipped, with the reason."""
    verdicts = [claim["verdict"] for claim in data["claims"]]
    failures = sum(counts_as(verdict) is Counts.FAIL for verdict in verdicts)
    errors = sum(counts_as(verdict) is Counts.ERROR for verdict in verdicts)
    skipped = sum(counts_as(verdict) is Counts.NEITHER for verdict in verdicts)
    seconds = data["runs"]["seconds"]
    counts = f'tests="{len(verdicts)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    when = data["runs"]["last_finished"]
    stamp = f" timestamp={_attribute(str(when).partition('+')[0])}" if when else ""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="lnbench" {counts} time="{seconds:.3f}">',
        f'<testsuite name={_attribute(data["key"])} {counts} time="{seconds:.3f}"{stamp}>',
        *(_case(claim, data) for claim in data["claims"]),
        "</testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _case(claim: Json, data: Json) -> str:
    """Return a claim's test case. Time is the study's and is given there: the claims share its runs."""
    verdict = claim["verdict"]
    body = f"<system-out>{_text(_details(claim))}</system-out>"
    message = f"message={_attribute(_message(claim))}"
    counts = counts_as(verdict)
    if counts is Counts.FAIL:
        body = f"<failure {message} type={_attribute(verdict)}>{_text(_details(claim))}</failure>{body}"
    elif counts is Counts.ERROR:
        body = f'<error {message} type="error">{_text(_details(claim))}</error>{body}'
    elif counts is Counts.NEITHER:
        body = f"<skipped {message}/>{body}"
    names = f"name={_attribute(claim['id'])} classname={_attribute(data['key'])}"
    return f'<testcase {names} time="0.000">{body}</testcase>'


def _message(claim: Json) -> str:
    why = f" ({claim['why']})" if claim["why"] else ""
    return f"{claim['verdict']}{why}: {as_tested(claim)}"


def _details(claim: Json) -> str:
    lines = [as_tested(claim), f"verdict: {claim['verdict']}" + (f" ({claim['why']})" if claim["why"] else "")]
    lines += [words for words in (chosen_sentence(claim), rests_sentence(claim)) if words]
    for part in claim["parts"]:
        role = "the claim" if part["decides"] else "beside it"
        role = "must hold first" if part["name"] in claim.get("requires", {}) else role
        lines.append(f"{part['name']} ({role}): {Verdict(part['verdict']).of_part}")
        for member in part["members"]:
            done = counted(len(member["values"]), "seed")
            lines.append(f"  {member['label']}, {done}: {member_sentence(part, member)}")
    return "\n".join(lines)


def _clean(text: str) -> str:
    """Return text with what no reader sees, and XML mostly forbids, as escapes."""
    return _FORBIDDEN.sub("", visible(text, keep="\n\t"))


def _text(text: str) -> str:
    return escape(_clean(text))


def _attribute(text: str) -> str:
    return quoteattr(_clean(text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
