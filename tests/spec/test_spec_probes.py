"""What a study says of probes and averages: which numbers they yield, and where a mistake is."""

from __future__ import annotations

import json

import pytest

from lnbench import catalog
from lnbench.spec import study_schema
from tests.toys.edited_study import Folder

NET = "net: {metric: test_accuracy, at: {model: convnet4, noise.alpha: 10}}"
EDITS = (
    ("good: {kind: above, effect: net, reference: table1/net}", "good: {kind: above, effect: net, threshold: 0.5}"),
    (
        'near: {kind: agrees, effect: net, reference: table1/net, margin: 0.05, because: "n unknown"}',
        "near: {kind: above, effect: net, threshold: 0.4}",
    ),
)
AVERAGE = "average: {kind: swa, start: 1, every: 1, unit: epochs}"


def asks_for(metric: str) -> tuple[tuple[str, str], ...]:
    return (NET, NET.replace("test_accuracy", metric)), *EDITS


def with_key(line: str) -> tuple[str, str]:
    """The line in the recipe of all runs."""
    return "epochs: 3\n", f"epochs: 3\n    {line}\n"


def test_a_number_of_averaged_weights_needs_an_average(toy: Folder) -> None:
    because = "effect net: test_accuracy_averaged, but the runs have no `average`; set it in base"
    toy.refuses(*asks_for("»test_accuracy_averaged"), because=because)
    study = toy.load(*asks_for("test_accuracy_averaged"), with_key(AVERAGE))
    assert study.tiers["full"].cells[0].recipe.identity()["average"]["kind"] == "swa"  # type: ignore[index]


def test_a_number_of_a_probe_with_options_says_how_to_ask_for_it(toy: Folder) -> None:
    because = "give it `probes: [{kind: batch_gradient, every: …}]`"
    toy.refuses(*asks_for("»batch_clean_cosine_last_tenth"), because=because)
    probes = "probes: [held_loss, {kind: batch_gradient, every: 50}]"
    toy.load(*asks_for("batch_clean_cosine_last_tenth"), with_key(probes))


def test_a_number_of_a_look_needs_that_look(toy: Folder) -> None:
    probe = "probes: [{kind: effective_batch, batch: 32, alphas: [0, 5], draws: 4, at: AT}]"
    because = "but its probe does not look after the last step; add 1 to `at`"
    ask = asks_for("»effective_batch_slope_end")
    toy.refuses(*ask, with_key(probe.replace("AT", "[0, 0.5]")), because=because)
    toy.load(*asks_for("effective_batch_slope_end"), with_key(probe.replace("AT", "[0, 0.5, 1]")))


@pytest.mark.parametrize(
    ("line", "gist"),
    [
        ("probes: [held_loss, »held_los]", "probes: 'held_los' is not known; did you mean 'held_loss'?"),
        ("probes: [»batch_gradient]", "probes: batch_gradient takes options; write {kind: batch_gradient, every: …}"),
        ("probes: »[suspects]", "probes: suspects needs the probe example_loss; write [example_loss, suspects]"),
        ("probes: [{kind: batch_gradient, every: »0}]", "every: must be greater than or equal to 1, not 0"),
        (
            "probes: [»{kind: noise_gradient, images: 9, redraws: 9, at: [1, 0]}]",
            "at: [1.0, 0.0] do not rise",
        ),
        ("average: {kind: ema, decay: »1}", "decay: must be less than 1, not 1"),
        ("average: {kind: »swe, decay: 0.9}", "did you mean 'swa'"),
        (AVERAGE.replace("epochs}", "»days}"), "unit: 'days' is not known"),
    ],
)
def test_what_is_wrong_with_a_probe_or_an_average(toy: Folder, line: str, gist: str) -> None:
    toy.refuses(with_key(line), because=gist)


def test_the_schema_names_every_probe_and_average() -> None:
    schema = json.dumps(study_schema())
    for kind in ("probe", "average"):
        for name in catalog.names(kind):
            assert f'"{name}"' in schema, name
