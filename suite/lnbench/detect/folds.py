"""Which network does not see which image: what it says of those is said out of fold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lnbench.detect.data import Labelled, Labels
from lnbench.randomness import Stream, derived_seed, u32

FEWEST_DIFFERENT = 20  # images that are no copies of each other: fewer leave a fold's network next to nothing
DRAW = 2  # of the stream of splits: 0 chooses images, 1 splits for confident learning
Mask = npt.NDArray[np.bool_]


def folds_of(data: Labelled, folds: int, seed: int) -> Labels | None:
    """Return (N,) int64: the fold in which each image is held out; None where there are too few different images.

    Copies of an image share a fold, or its network would have seen them. Of each given label the folds have equally
    many different images, or one more; the seed decides which.
    """
    first = data.first_copy
    different, place = np.unique(first, return_inverse=True)
    if len(different) < FEWEST_DIFFERENT:
        return None
    keys = u32(derived_seed(f"detect {seed} folds"), Stream.SPLIT, DRAW, different)
    fold = np.empty(len(different), dtype=np.int64)
    fold[np.lexsort((keys, data.labels[different]))] = np.arange(len(different)) % folds
    return fold[place]
