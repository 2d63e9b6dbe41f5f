"""The base of every object that is read from a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


LONGEST_NAME = 100  # characters; a report's folder and its files are called by such names, and a system allows 255


# A name that becomes a file's: it cannot lead out of its folder.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=LONGEST_NAME)]


def _whole_number(value: Any, info: ValidationInfo) -> Any:
    """Return the value. Raises ValueError for what Python finds equal to 1 and a reader does not: true, 1.0."""
    if type(value) is int:
        return value
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    shown = shown if isinstance(value, bool | int | float | str) and len(shown) <= 40 else "this"
    raise ValueError(f"{str(info.field_name).rstrip('_')}: expected a whole number, not {shown}")


Whole = BeforeValidator(_whole_number)  # for a Literal of whole numbers
SchemaVersion = Annotated[Literal[1], Whole]


class Strict(BaseModel):
    """Frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
