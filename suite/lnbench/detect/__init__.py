"""Likely label errors among a user's own images: read them, train, rank by the area under the loss, and write it down.

`lnbench detect` is the way in (docs/detect.md); from Python, `scores` for what a training of your own recorded, and
`detect` for images in memory. No torch here but inside `training.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lnbench.detect.given_losses import scores
    from lnbench.detect.python import Detection, detect

__all__ = ["Detection", "detect", "scores"]
_PLACES = {"scores": "given_losses", "detect": "python", "Detection": "python"}


def __getattr__(name: str) -> Any:
    """Imported on first use, as it takes numpy and more."""
    if name in _PLACES:
        import importlib

        return getattr(importlib.import_module(f"lnbench.detect.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
