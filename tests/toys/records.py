"""The smallest records that are whole, for tests of what keeps and carries them."""

from __future__ import annotations

from typing import Any

from lnbench.store import Record, make_record

OUTCOME: dict[str, Any] = {
    "status": "ok",
    "curves": {},
    "examples": {"train": 600, "validation": 0, "test": 497},
    "classes": 10,
    "data_sha256": "0" * 64,
}


def content(number: int = 0) -> dict[str, Any]:
    """What the id of training `number` is the hash of."""
    recipe = {"dataset": {"name": "digits"}, "epochs": 1}
    return {"kind": "training", "number": number, "recipe": recipe, "seeds": {}, "inputs": {}, "versions": {}}


def training(number: int, value: float = 0.5, **more: Any) -> Record:
    """A training of one epoch that ended with a test accuracy."""
    return make_record(content(number), {**OUTCOME, "curves": {"test_accuracy": [value]}, **more}, {"seconds": 1.5})
