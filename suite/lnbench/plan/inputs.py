"""Records that runs build on: made of the outcomes of other runs, stored, and part of the id of who reads them.

A recipe says which inputs it `needs`, by name (a noise that sorts classes by how often they are confused needs
`confusion`). The study says under `runs.inputs` of which runs each is made; the catalog's entry of that name (kind
"input") is the function that makes it. Such a `Derived` is a node of the plan, as a choice is: its runs are planned
with the study's, it is made as soon as they are done, and the runs that need it begin after that. What a run was given
stands in its outcome, as a checksum, so that no verdict rests on a run that built on something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lnbench import catalog
from lnbench.identity import content_id, sha256

if TYPE_CHECKING:
    from lnbench.plan.run import Run


Outcome = dict[str, Any]


@dataclass(frozen=True)
class Derived:
    """An input, made of the outcomes of `runs`. Itself a stored record."""

    name: str
    runs: tuple[Run, ...]

    @cached_property
    def content(self) -> dict[str, Any]:
        return {
            "kind": "derived",
            "input": self.name,
            "of": [run.id for run in self.runs],
            "versions": {"input": catalog.find("input", self.name).version},
        }

    @cached_property
    def id(self) -> str:
        return content_id(self.content)

    def make(self, outcomes: Mapping[str, Outcome]) -> Outcome:
        """The outcome: a function of the runs' outcomes, in the plan's order. `status` is "ok" or "failed", then with a
        `message`: nothing can be built on it."""
        made: Outcome = catalog.find("input", self.name).load()([outcomes[run.id] for run in self.runs])
        return made


def given(run: Run, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome] | None:
    """name -> outcome of all that a run builds on; None while some of it is not there."""
    if not all(record in outcomes for record in run.inputs.values()):
        return None
    return {name: outcomes[record] for name, record in run.inputs.items()}


def misbuilt(outcome: Outcome, inputs: Mapping[str, Outcome]) -> str:
    """Which input a stored run was given otherwise than it is now; "" where all is as it should be."""
    known: dict[str, str] = outcome.get("inputs", {})
    for name, now in inputs.items():
        if known.get(name) != sha256(now):
            return f"it was trained with another {name} than its runs give; remove its record to train it again"
    return ""
