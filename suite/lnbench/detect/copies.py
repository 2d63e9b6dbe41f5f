"""The same image more than once: under two labels, of which one at most is right, or under one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from lnbench.detect.data import Labelled


@dataclass(frozen=True)
class Copies:
    """conflicts: groups of images that are equal as they are trained on, under two labels or more, each by number,
    rising; same_bytes: of each group whether what they were read from is equal, byte by byte. redundant: how many
    images are copies of an earlier one under the same label."""

    conflicts: list[list[int]]
    same_bytes: list[bool]
    redundant: int


def copies_in(data: Labelled) -> Copies:
    """Find the copies among labelled images; of examples that are no images, none."""
    if not data.pictured:
        return Copies([], [], 0)
    first, labels = data.first_copy, data.labels
    order = np.argsort(first, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(first[order])) + 1)
    conflicts = [group.tolist() for group in groups if len(np.unique(labels[group])) > 1]
    pairs = np.stack((first, labels), axis=1)
    return Copies(conflicts, [_same(data, group) for group in conflicts], len(first) - len(np.unique(pairs, axis=0)))


def _same(data: Labelled, group: list[int]) -> bool:
    """Return whether the images of a group were read from equal bytes."""
    if data.raw is None:
        return False
    contents = [data.raw(number) for number in group]
    return all(contents) and len({hashlib.sha256(content).digest() for content in contents}) == 1


def notes_on(copies: Copies) -> list[str]:
    """Return what a reader should know of them."""
    notes = []
    if count := len(copies.conflicts):
        notes.append(
            f"{count} image{'s' * (count > 1)} {'are' if count > 1 else 'is'} there under two labels or more, of which "
            "one at most is right: `conflicts.csv`"
        )
    if copies.redundant:
        notes.append(
            f"{copies.redundant} image{'s' * (copies.redundant > 1)} under the same label as a copy of "
            f"{'theirs' if copies.redundant > 1 else 'its'}: wrong ones among them are hard to find"
        )
    return notes
