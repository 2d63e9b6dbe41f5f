"""Where claims, baselines, questions and reports are: in a checkout, or inside the installed package."""

from __future__ import annotations

import os
from pathlib import Path

from lnbench.errors import LnbenchError, did_you_mean

PACKAGE = Path(__file__).resolve().parent
BUNDLED = PACKAGE / "_bundled"
CHECKOUT = PACKAGE.parent.parent  # right only when installed editable, or run from the source tree


def _is_root(folder: Path) -> bool:
    return (folder / "claims").is_dir() and (folder / "baselines").is_dir()


def root() -> Path:
    """Return the folder that holds `claims/` and `baselines/`: the working directory, the checkout, or the package's
    copy."""
    for folder in (Path.cwd(), CHECKOUT, BUNDLED):
        if _is_root(folder):
            return folder
    raise LnbenchError("no claims/ and baselines/ here nor in the installed package; reinstall lnbench")


def hidden() -> Path | None:
    """Return the folder with lnbench's own studies where those of the working directory are taken in their place."""
    used = root()
    own = next((folder for folder in (CHECKOUT, BUNDLED) if _is_root(folder)), None)
    return None if own is None or used.resolve() == own.resolve() else own


def in_place_of() -> str:
    """Return the end of a sentence about a name that is not known: that lnbench's own studies are hidden; "" where they
    are not."""
    return f"; the studies of {root() / 'claims'} are used here, and those of lnbench are not" if hidden() else ""


def study_paths() -> list[Path]:
    """Return every study file that is known without being named."""
    return sorted((root() / "claims").glob("*.yaml"))


def find_study(name: str) -> Path:
    """Return the path of a study file, given as a path or as a known study's bare name (`rolnick_mnist`). Raises
    LnbenchError for a name that is not known."""
    path = Path(name)
    if os.path.isfile(name) or path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        known = root() / "claims" / path.name
        return known if not os.path.exists(name) and path.parts[:1] == ("claims",) and known.exists() else path
    known_paths = {known.stem: known for known in study_paths()}
    if name in known_paths:
        return known_paths[name]
    where = root() / "claims"
    raise LnbenchError(f"no study is named '{name}' in {where}; {did_you_mean(name, known_paths)}{in_place_of()}")


def questions_for(study: Path) -> Path:
    """Return the `questions.yaml` that goes with a study file: next to its `claims/`, whether there is one or not."""
    return study.resolve().parent.parent / "questions.yaml"


def baselines_for(study: Path) -> Path:
    """Return the `baselines/` folder that goes with a study file: next to its `claims/`, else the known one."""
    beside = study.resolve().parent.parent / "baselines"
    return beside if beside.is_dir() else root() / "baselines"
