"""All randomness of lnbench: one counter-based integer hash, the same bits on every device.

A random number is a pure function `u32(seed, stream, epoch, counter)`. There is no generator and no state: any
device, any batch size and any resumed run sees the same numbers, and torch's own generators (whose values depend on
the device, pytorch#194676) are used nowhere. Everything here works alike on numpy int64 arrays and on torch int64
tensors, because only `+ * & ^ >>` are used; this module imports neither torch nor numpy's random.

**This file may never change its values**: every stored record depends on them (`tests/test_randomness.py` pins them).
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Any

MASK = 0xFFFFFFFF


class Stream(IntEnum):
    """What a random number is for. The values are part of every record: add new ones, never renumber."""

    SPLIT = 1  # which images are the clean subset, which are held out for validation
    NOISE = 2  # labels
    ORDER = 3  # the order of examples in an epoch
    INIT = 4  # first weights
    AUGMENT = 5  # crops, flips


SEED_STREAMS = tuple(stream.name.lower() for stream in Stream)

# What a method of training draws, and the seeds of further networks: under the seed of another stream of the run, so it
# is no stream that a run has a seed of. Never renumber it either.
METHOD = 6
AUDIT = 7  # which runs of a report are trained again (audit/): under a seed that is no run's

# What moves gradients where a drift reference is made (`training/gradient_noise.py`): in no run on record.
GRADIENT = 7

# What a network drops out while it trains (`models/torch_dropout.py`): under the seed of the order of examples.
DROPOUT = 8

# What a probe draws (`training/probes/`): under a seed that is derived from one of the run's, one for each use.
PROBE = 9

# The pixels of white noise (`training/pictures.py`): under the seed of the labels' noise.
FOREIGN = 10


# `lowbias32` of Christopher Wellons (hash-prospector; avalanche bias 0.17 %). Its second factor is written as a
# negative number of the same low 32 bits: |x·c| then stays below 2^63 for every x < 2^32, so no int64 ever overflows.
_C1 = 0x7FEB352D
_C2 = 0x846CA68B - (1 << 32)


def mix(x: Any) -> Any:
    """Map 32-bit integers one to one onto 32-bit integers, with avalanche. `x`: int, or int64 array/tensor, in [0,
    2^32)."""
    x = x ^ (x >> 16)
    x = (x * _C1) & MASK
    x = x ^ (x >> 15)
    x = (x * _C2) & MASK
    return x ^ (x >> 16)


def key(seed: int, stream: int, epoch: Any = 0) -> Any:
    """Return the 32-bit key of one (seed, stream, epoch). `seed`, `stream`: ints in [0, 2^32); `epoch` may be an
    array."""
    if not 0 <= seed <= MASK:
        raise ValueError(f"a seed is an integer in [0, 2^32), not {seed}")
    k = mix((seed + 0x9E3779B9) & MASK)
    k = mix((k + stream * 0x85EBCA6B) & MASK)
    return mix((epoch * 0x3C6EF372 + k) & MASK)


def u32(seed: int, stream: int, epoch: Any, counter: Any) -> Any:
    """Return uniform integers in [0, 2^32).

    `counter`: int64 array or tensor (or int) in [0, 2^32); `epoch`: int, or an array of counter's shape (label noise
    uses it for the copy's number). Two keyed rounds of `mix`, so that streams of neighbouring seeds share nothing.
    """
    return keyed(key(seed, stream, epoch), counter)


def keyed(k: Any, counter: Any) -> Any:
    """Return the integers of `u32` for a `key` that is known already: an int, or an int64 tensor of no dimension."""
    h = mix(counter ^ k)
    return mix((h + (k ^ 0x5BD1E995)) & MASK)


def below(bits: Any, n: int) -> Any:
    """Return integers in [0, n) from `bits` of `u32` (Lemire's multiply-shift; bias below n / 2^32)."""
    return (bits * n) >> 32


def derived_seed(text: str) -> int:
    """Return a seed in [0, 2^32) made from a text: for streams that arms do not share."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def factorise(n: int) -> tuple[int, int]:
    """Return (a, b) with a·b >= n, both near √n, and a·b − n as small as a search over 2·√n / 3 candidates finds."""
    if n < 1:
        raise ValueError(f"a permutation needs at least one element, not {n}")
    root = max(1, round(n**0.5))
    least = max(2 if n > 3 else 1, root // 3)  # a = 1 would only rotate
    best = min(range(least, root + 1), key=lambda a: (-n % a, -a))
    return best, -(-n // best)


def permutation_at(seed: int, stream: int, epoch: int, n: int, position: Any) -> Any:
    """Return where a random permutation of range(n) sends `position` (int64 array or tensor in [0, n)); O(1) memory.

    A mixed-radix Feistel network (Black & Rogaway 2002) of eight rounds on [0, a·b), a·b >= n, with cycle walking for
    the a·b − n values that fall outside. `factorise` makes these few (mostly none), and a walk can leave [0, n) at
    most a·b − n times in a row: so that many masked rounds, a number known beforehand, make it exact without ever
    asking the device.
    """
    a, b = factorise(n)
    keys = [key(seed, stream, epoch * 8 + r) for r in range(8)]

    def once(x: Any) -> Any:
        left, right = x // b, x % b  # left in [0, a), right in [0, b)
        for r in range(0, 8, 2):
            left = (left + below(mix(right ^ keys[r]), a)) % a
            right = (right + below(mix(left ^ keys[r + 1]), b)) % b
        return left * b + right

    x = once(position)
    for _ in range(a * b - n):
        outside = x >= n
        x = x + (once(x) - x) * outside
    return x
