"""What claims of several papers ask in common: `questions.yaml`, next to `claims/`.

A claim names its question (`question: batch-size`); the page of debates shows the claims of several papers on one
question side by side, under the words that this file has for it. It lies next to `claims/` and not in it, so that all
YAML files in there are studies.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from lnbench.errors import SpecError
from lnbench.yamlfile import reader
from lnbench.yamlfile.model import SCHEMA_DIALECT, FileName, SchemaVersion, Strict
from lnbench.yamlfile.problems import problems_of

Text = Annotated[str, Field(min_length=1)]


class Question(Strict):
    """One question in words, which take nobody's side.

    title: the question, as a heading. about: an introduction of two sentences. confound: what else differs between the
    papers' set-ups, so that their claims may both hold; left out where nothing is known.
    """

    title: Text
    about: Text
    confound: Text | None = None


class Questions(Strict):
    """The whole file."""

    schema_: SchemaVersion = Field(alias="schema")
    questions: dict[FileName, Question]


def load_questions(path: Path) -> dict[str, Question]:
    """Return name -> question, in the file's order; nothing where there is no such file. Raises SpecError with all that
    is wrong in it."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return {}
    except OSError:
        return dict(_load(path, 0, 0))  # the read raises the right error
    return dict(_load(path, stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=8)
def _load(path: Path, mtime_ns: int, size: int) -> dict[str, Question]:
    """Read the file as it was at that time: an edited file is read again."""
    tree, problems = reader.read(path)
    taken = {(problem.line, problem.column) for problem in problems}
    try:
        found = Questions.model_validate(tree)
    except ValidationError as error:
        more = problems_of(error, tree, path, Questions)
        raise SpecError([*problems, *(one for one in more if (one.line, one.column) not in taken)]) from None
    if problems:
        raise SpecError(problems)
    return dict(found.questions)


def questions_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    return {"$schema": SCHEMA_DIALECT, **Questions.model_json_schema(by_alias=True)}
