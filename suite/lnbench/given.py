"""What a run is given of an input: the outcome of its record, and the arrays that lie beside the record. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Given(dict[str, Any]):
    """The outcome of an input's record, as plain data, with its `arrays`."""

    def __init__(self, outcome: Mapping[str, Any], arrays: Mapping[str, Array]):
        super().__init__(outcome)
        self.arrays = dict(arrays)


def array_of(inputs: Mapping[str, Any], name: str, array: str) -> Array:
    """Return an array of the input `name`. Raises ValueError if it is absent."""
    given = inputs.get(name)
    if not isinstance(given, Given) or array not in given.arrays:
        raise ValueError(f"the run reads the input {name}, and was not given its array '{array}'")
    return given.arrays[array]
