"""Arrays of other packages, as numpy has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def as_array(value: Any) -> npt.NDArray[Any]:
    """Return an array, a list or a torch tensor as an array; a tensor may need a gradient, lie on a GPU or be
    bfloat16, of which numpy takes none."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
    return np.asarray(value)
