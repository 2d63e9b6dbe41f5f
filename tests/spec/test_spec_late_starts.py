"""What would measure something else than it says: an average that never begins, weights of other networks."""

from __future__ import annotations

import pytest

from lnbench import catalog
from lnbench.catalog import Entry
from lnbench.errors import LnbenchError, SpecError
from tests.toys.edited_study import Folder

CO_TEACHING = "method: {kind: co_teaching, forget_rate: 0.2, gradual: 1, answer: first}"
INPUT = (
    "  seeds: {n: 3, pair: [noise]}",
    "  inputs: {w: {kind: weights, of: {OF}, per: seed}}\n  seeds: {n: 3, pair: [noise]}",
)


@pytest.mark.parametrize("start", ["start: 6, every: 1, unit: epochs", "start: 5001, every: 1, unit: steps"])
def test_an_average_begins_before_the_training_ends(toy: Folder, start: str) -> None:
    with pytest.raises(SpecError, match=r"average: it begins after .* but the training ends after") as caught:
        toy.load(("selection: last_epoch", f"selection: last_epoch\n    average: {{kind: swa, {start}}}"))
    problem = caught.value.problems[0]
    line = problem.path.read_text().splitlines()[problem.line - 1]
    assert line[problem.column - 1 :].startswith(start.partition(" ")[2].partition(",")[0])  # at the number itself


def test_an_average_may_begin_with_the_last_step(toy: Folder) -> None:
    average = "average: {kind: swa, start: 1, every: 1, unit: epochs}"
    assert toy.load(("selection: last_epoch", f"selection: last_epoch\n    {average}")).tiers


def test_a_method_of_two_networks_does_not_start_from_one(toy: Folder) -> None:
    start = ("selection: last_epoch", "selection: last_epoch\n    start: w")
    two = ("method: standard", CO_TEACHING)
    same = (INPUT[0], INPUT[1].replace("OF", "epochs: 1"))
    assert toy.load(two, start, same).tiers
    other = (INPUT[0], INPUT[1].replace("OF", "method: standard, epochs: 1"))
    with pytest.raises(SpecError, match="w gives the weights of 1 networks, and the method here trains 2"):
        toy.load(two, start, other)


def test_a_methods_entry_says_how_many_networks_it_trains() -> None:
    for name, entry in catalog.entries()["method"].items():
        assert entry.networks == entry.load().networks, name


@pytest.mark.parametrize("target", ["no_such_package.at_all:Next", "lnbench.errors:NoSuchName", ""])
def test_a_plug_ins_code_that_is_not_there_is_one_line(target: str) -> None:
    entry = Entry("noise", "next_class", target=target, package=("lnbench-bars", "1.2.0"))
    with pytest.raises(LnbenchError, match="the noise 'next_class' of the plug-in lnbench-bars cannot be loaded"):
        entry.load()
