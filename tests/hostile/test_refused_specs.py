"""What used to be called valid and then crashed, or let a contradiction survive what was never tried: one line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.errors import MOST_SHOWN, LnbenchError, Problem, SpecError, visible
from lnbench.plan import demand_packages, missing_packages, plan_study, rehearse, selection
from lnbench.spec import Study, StudySpec, load_studies, load_study
from lnbench.spec.variants import alternatives, is_idle, variant
from lnbench.yamlfile import reader
from tests.toys.edited_study import STUDY, Folder, edited, toy  # noqa: F401

CHOOSE = "choose: {key: optimizer.lr, from: [0.05, 0.1], per: [model], by: validation_accuracy, validation: 100, seeds: 1}"
TRY = "try: {optimizer.momentum: 0.5}"


def chosen(key: str, values: str, more: str = "") -> tuple[str, str]:
    return CHOOSE, f"choose: {{key: {key}, from: {values}, per: [model], by: validation_accuracy, {more or 'validation: 100, seeds: 1'}}}"


@pytest.mark.parametrize(
    ("edits", "because"),
    [
        # an alternative that is none
        ([(TRY, "try: {»optimizer.lr: 0.5}")], "'optimizer.lr' would be undone by choose, which sets optimizer.lr"),
        ([(TRY, "try: {batch_size: »100}")], "try: batch_size changes no run of the study"),
        ([(TRY, "try: {choose.from: »[0.1, 0.05]}")], "try: choose.from changes no run of the study"),
        ([(TRY, "try: {epochs: »{times: 1}}")], "try: epochs changes no run of the study"),
        # fast, without the study of what it changes
        ([(TRY, "try: {precision: »fast}")], "no parity study shows what it changes (tier cpu, full)"),
        ([chosen("precision", "[fp32, »fast]")], "no parity study shows what it changes (tier cpu, full)"),
        # a recipe that base can have and a run cannot
        ([chosen("batch_size", "[100, »950]")], "batch_size: 950 is larger than the data, 900 clean images"),
        ([(TRY, "try: {batch_size: »1000}"), ("noise.alpha: 0}, epochs: 5", "noise.alpha: 0}, dataset.clean: 500")],
         "batch_size: 1000 is larger than the data, 500 clean images (tier smoke, full)"),
        ([(TRY, "try: {repeat: {times: 2}}")], None),
        # what cannot be chosen
        ([chosen("»arm", "[a, b]"), ("    epochs: 3\n", "    epochs: 3\n    arm: a\n")], "arm only names a place"),
        ([chosen("»repeat", "[1, 2]"), ("    epochs: 3\n", "    epochs: 3\n    repeat: 1\n")], "the same training again"),
        ([chosen("optimizer.lr", "[0.05, 0.1]", "validation: 100, seeds: »1001")], "less than or equal to 1000"),
        # too much of it
        ([("n: 3, pair", "n: 1000, pair"), ("noise.alpha: [0, 10]}\n  set", f"noise.alpha: {list(range(40))}}}\n  set"),
          ("seeds: {n: 1000", "seeds: »{n: 1000")], "runs: 120240 of them (tier full); at most 100000"),
        ([("title: A toy study", "title: »1.1e15")], "too large; at most 1.0e15"),
        # other names for a key, and for its only value
        ([(TRY, "»try_: {optimizer.momentum: 0.5}")], "unknown key 'try_'"),
        ([("schema: 1", "»schema_: 1")], None),
        ([("schema: 1", "schema: »true")], "schema: expected a whole number, not true"),
        ([("schema: 1", "schema: »1.0")], "schema: expected a whole number, not 1.0"),
        # names and texts
        ([("id: T-02", "id: »" + "T" * 101)], "at most 100 characters"),
        ([("title: A toy study", 'title: »"a\\0b"')], "the character U+0000 is not allowed in text"),
        ([("title: A toy study", 'title: »"a\\ud800b"')], "U+D800"),
        ([("title: A toy study", 'title: »"a\\u202eb"')], "the character U+202E is not allowed in text"),
        ([("  net: {metric", '  »"n\\et": {metric')], None),
    ],
)  # fmt: skip
def test_a_study_that_cannot_be_run_as_it_says_is_refused(
    toy: Folder, edits: list[tuple[str, str]], because: str | None  # noqa: F811
) -> None:
    if because is not None:
        toy.refuses(*edits, because=because)
        return
    toy.study.write_text(edited(STUDY, *edits).replace("»", ""))
    with pytest.raises(SpecError):
        load_study(toy.study)
