"""Reading a study file: every tier merged and checked, every error of the file reported at once with its place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from lnbench import resources
from lnbench.errors import Problem, SpecError, did_you_mean
from lnbench.spec.baseline import Baseline, load_baseline
from lnbench.spec.questions import load_questions
from lnbench.spec.rules.findings import Findings
from lnbench.spec.rules.tier import check_tier
from lnbench.spec.study import Study, StudyFile
from lnbench.spec.tiers import used_effects
from lnbench.tiers import TIERS
from lnbench.yamlfile import reader
from lnbench.yamlfile.problems import problems_of
from lnbench.yamlfile.tree import Mapping, block, items, position_of


@dataclass(frozen=True)
class LoadedStudy:
    """A study file that is valid, with the tiers that were read. `named`: all that the file has."""

    path: Path
    tiers: dict[str, Study]
    warnings: tuple[Problem, ...]
    named: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def any(self) -> Study:
        """Return the tier nearest to the paper, for what all tiers share."""
        return self.tiers.get("full") or next(iter(self.tiers.values()))


def load_study(path: Path, only: Collection[str] = TIERS) -> LoadedStudy:
    """Read and check one study file, at these tiers only where some are named (to be quick: what is wrong at another is
    then not found). Raises SpecError with everything that is wrong in it."""
    tree, unread = reader.read(path)
    findings = Findings(path, [name for name in TIERS if name in block(tree, "tiers")])
    try:
        StudyFile.model_validate(tree)
    except ValidationError as error:
        findings.add_all(problems_of(error, tree, path, StudyFile))
    if unread:  # what such a value would have been is not known, so nothing that depends on it can be checked
        places = {(problem.line, problem.column) for problem in unread}
        more = [found for found in findings.problems() if (found.line, found.column) not in places]
        raise SpecError([*unread, *more])
    baseline, baseline_problems = _baseline(tree, path, findings)
    _whole_file(tree, findings)
    question_problems = _questions(tree, path, findings)
    checked = {}
    asked = [tier for tier in findings.tiers if tier in only]
    for tier in reversed(asked):  # `full` first: its words are kept where tiers share an error
        study = check_tier(tree, tier, path, baseline, findings)
        if study is not None:
            checked[tier] = study
    problems = [*findings.problems(), *baseline_problems, *question_problems]
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise SpecError(errors)
    warnings = tuple(problem for problem in problems if problem.severity == "warning")
    files = {"study": _sha256(path)}
    if baseline is not None:
        files["baseline"] = _sha256(resources.baselines_for(path) / f"{baseline.paper}.yaml")
    return LoadedStudy(
        path, {tier: replace(checked[tier], files=files) for tier in asked}, warnings, tuple(findings.tiers)
    )


def _sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hex; "" where it cannot be read any more."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def load_studies(paths: list[Path]) -> list[LoadedStudy]:
    """Read several files, and report their errors together; a claim's id may be in one only, and so may a file's name.
    A file named twice is read once."""
    problems: list[Problem] = []
    loaded: list[LoadedStudy] = []
    places: dict[str, Path] = {}
    for path in named_apart(paths):
        try:
            study = load_study(path)
        except SpecError as error:
            problems += error.problems
            continue
        loaded.append(study)
        for index, claim in enumerate(study.any.spec.claims):
            if claim.id in places:
                what = f"claim id '{claim.id}' is already in {places[claim.id]}"
                place = position_of(reader.load(path), ["claims", index, "id"])
                problems.append(Problem(path, *place, what))
            places.setdefault(claim.id, path)
    if problems:
        raise SpecError(problems)
    return loaded


def named_apart(paths: Iterable[Path]) -> list[Path]:
    """Return the files, each once. Raises SpecError where two of them have one name: a study is known by its file's
    name, so their runs would be selected by each other's claims, and their reports written into one folder."""
    files: dict[Path, Path] = {}
    names: dict[str, Path] = {}
    for path in paths:
        file = Path(os.path.realpath(path))
        if file in files:
            continue
        files[file] = path
        if path.stem in names:
            what = f"is named as {names[path.stem]} is, and a study is known by its file's name; rename one of them"
            raise SpecError([Problem(path, 0, 0, what)])
        names[path.stem] = path
    return list(files.values())


def _baseline(tree: Mapping, path: Path, findings: Findings) -> tuple[Baseline | None, list[Problem]]:
    """Return the paper's numbers, or what is wrong with their file; (None, []) where the study names none properly."""
    paper = tree.get("paper")
    place = position_of(tree, ["paper"])
    if not isinstance(paper, str) or findings.has(place):
        return None, []
    folder = resources.baselines_for(path)
    if not (folder / f"{paper}.yaml").is_file():
        known = [file.stem for file in folder.glob("*.yaml")]
        findings.add(place, f"paper: there is no baselines/{paper}.yaml; {did_you_mean(paper, known)}")
        return None, []
    try:
        return load_baseline(folder / f"{paper}.yaml"), []
    except SpecError as error:
        return None, error.problems


def _questions(tree: Mapping, path: Path, findings: Findings) -> list[Problem]:
    """Report each question that the file of questions does not have, and return what is wrong with that file.

    It is an error, as a misspelt name would take a claim out of its debate and nobody would see it. Where there is no
    such file, or it has no question, nothing is known and any name will do.
    """
    asked = [
        (index, claim["question"])
        for index, claim in enumerate(items(tree, "claims"))
        if isinstance(claim, Mapping) and isinstance(claim.get("question"), str)
    ]
    file = resources.questions_for(path)
    try:
        known = load_questions(file) if asked else {}
    except SpecError as error:
        return error.problems
    for index, name in asked if known else []:
        if name not in known:
            what = f"question: '{name}' is not in {file.name}; {did_you_mean(name, known)}"
            findings.add(position_of(tree, ["claims", index, "question"]), what)
    return []


def _whole_file(tree: Mapping, findings: Findings) -> None:
    """Report once what is wrong at every tier."""
    lines: dict[str, int] = {}
    for index, claim in enumerate(items(tree, "claims")):
        name = claim.get("id") if isinstance(claim, Mapping) else None
        if not isinstance(name, str):
            continue
        where = position_of(tree, ["claims", index, "id"])
        if name in lines:
            findings.add(where, f"two claims have the id '{name}'; the first is on line {lines[name]}")
        lines.setdefault(name, where[0])
    for name in sorted(set(block(tree, "effects")) - used_effects(tree)):
        findings.add(position_of(tree, ["effects", name], key=True), f"effect {name}: no part checks it")
    for tier, why in (("full", "the paper's own scale"), ("smoke", "seconds on two cores, no download")):
        if findings.tiers and tier not in findings.tiers:
            place = position_of(tree, ["tiers"], key=True)
            findings.add(place, f"there is no tier {tier} ({why})", severity="warning")
