"""Studies and claims by name, for verbs and for a shell that completes them: read quickly, and without any check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lnbench.errors import LnbenchError, SpecError, did_you_mean
from lnbench.resources import find_study, in_place_of, study_paths

if TYPE_CHECKING:
    from click import Context, Parameter
    from click.shell_completion import CompletionItem


def outlines() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every known study file with its plain content; an empty mapping for one that cannot be read."""
    from lnbench.yamlfile.reader import outline

    for path in study_paths():
        try:
            yield path, outline(path)
        except SpecError:
            yield path, {}


def claims() -> Iterator[tuple[str, str, Path]]:
    """Yield (id, sentence, study file) of every known claim."""
    for path, study in outlines():
        found = study.get("claims")
        for claim in found if isinstance(found, list) else []:
            if isinstance(claim, dict) and isinstance(claim.get("id"), str):
                yield claim["id"], str(claim.get("says") or ""), path


def find_claim(name: str) -> tuple[Path, str | None]:
    """Return (study file, claim id or None) of a claim id, a study's name or a path. Raises LnbenchError."""
    stems = [path.stem for path in study_paths()]
    if name in stems or Path(name).suffix in (".yaml", ".yml") or len(Path(name).parts) > 1:
        return find_study(name), None
    ids: dict[str, list[Path]] = {}
    for claim, _, path in claims():
        ids.setdefault(claim, []).append(path)
    if len(ids.get(name, [])) > 1:
        both = " and ".join(path.stem for path in ids[name])
        raise LnbenchError(f"{name} is a claim of {both}; name the study, with --claim {name} where a verb has it")
    if name in ids:
        return ids[name][0], name
    if Path(name).is_file():
        return find_study(name), None
    raise LnbenchError(f"no claim or study is named '{name}'; {did_you_mean(name, [*ids, *stems])}{in_place_of()}")


def find_all(names: Iterable[str], asked: Iterable[str] = ()) -> tuple[list[Path], tuple[str, ...]]:
    """Return the study files that names of studies and of claims stand for, and the claims that are asked for: those of
    `asked`, and those that stand in the place of a study. Nothing where every claim of every study is.

    Raises LnbenchError for a name that is not known, and where a study is asked for as a whole and others for a claim.
    """
    found = [find_claim(name) for name in names]
    ids = [claim for _, claim in found if claim is not None]
    of_claims = {path for path, claim in found if claim is not None}
    whole = [path for path, claim in found if claim is None and path not in of_claims]
    if ids and whole and not asked:
        both = f"{ids[0]} is a claim and {whole[0].stem} a whole study"
        raise LnbenchError(f"{both}; name claims or studies in one command, not both")
    return list(dict.fromkeys(path for path, _ in found)), tuple(dict.fromkeys([*asked, *ids]))


# What a shell completes. No torch and no pydantic: it waits for this at each press of the key.


def complete_study(context: Context, parameter: Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the studies and claims whose name begins so; for a path, let the shell complete it."""
    from click.shell_completion import CompletionItem

    if any(sign in incomplete for sign in "/."):
        return [CompletionItem(incomplete, type="file")]
    studies = [CompletionItem(path.stem) for path in study_paths() if path.stem.startswith(incomplete)]
    return [*studies, *complete_claim(context, parameter, incomplete)]


def complete_claim(context: Context, parameter: Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the claims whose id begins so, each with its sentence."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(name, help=says) for name, says, _ in claims() if name.startswith(incomplete)]


def complete_dataset(context: Context, parameter: Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the data sets whose name begins so."""
    from click.shell_completion import CompletionItem

    from lnbench.data.sources import known

    return [CompletionItem(name) for name in known() if name.startswith(incomplete)]
