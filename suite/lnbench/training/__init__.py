"""Training: the only room, with `models` and `methods`, where torch is imported.

    from lnbench.training import train

is the public way in (docs/training.md).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lnbench.training.engine import prepare, train, train_group
    from lnbench.training.hooks import Hooks, Progress, State, Stopped

__all__ = ["Hooks", "Progress", "State", "Stopped", "prepare", "train", "train_group"]


def __getattr__(name: str) -> Any:
    """Imported on first use: `training.schedules` alone needs no torch."""
    if name in __all__:
        from lnbench.training import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
