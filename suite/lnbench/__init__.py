"""lnbench: does the claim of a label-noise paper hold? One YAML file per study, one verdict per claim.

`lnbench.verify` and `lnbench.judge` are the command line's verbs as functions (docs/api.md). They are imported when
they are used: `import lnbench` costs next to nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lnbench.pipeline import Results, judge, verify

__all__ = ["Results", "__version__", "judge", "verify"]


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name in ("Results", "judge", "verify"):
        from lnbench import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'lnbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Judge(ModuleType):
    """The room `lnbench.judge`, which can be called as the function that it shares its name with."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call `lnbench.pipeline.judge`."""
        from lnbench.pipeline import judge

        return judge(*arguments, **options)


class _Lnbench(ModuleType):
    """The package. As soon as its room `judge` is imported, Python binds the name `lnbench.judge` to that module;
    so the module is made callable, and `lnbench.judge(…)` works whatever was imported before."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "judge" and isinstance(value, ModuleType):
            value.__class__ = _Judge
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Lnbench
