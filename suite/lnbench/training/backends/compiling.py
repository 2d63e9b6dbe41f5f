"""torch.compile where it works, and training without it where it fails."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from lnbench.errors import out_of_memory

SHAPES = 64  # of which one function's compiled forms may be kept side by side


class NotCompiled(UserWarning):
    """torch.compile failed, and training goes on without it."""


def compiled_or_eager(function: Callable[..., Any], forget: bool = True) -> Callable[..., Any]:
    """Return `function` compiled by torch.compile; where that fails (no C++ compiler, a bug of it), warn (NotCompiled)
    and return it as it is.

    The function must not have changed anything when it is compiled, which happens before its first operation.
    `forget`: drop what this process has compiled before; without, what is kept of it goes on to be used.
    """
    import torch._dynamo
    import torch._inductor.config

    # the compiler hears what torch was told before it was imported (`engine.deterministic`)
    torch.use_deterministic_algorithms(
        torch.are_deterministic_algorithms_enabled(), warn_only=torch.is_deterministic_algorithms_warn_only_enabled()
    )
    torch._inductor.config.compile_threads = 1  # a worker may not start processes of its own
    if forget:  # what earlier groups compiled: it is found by code, not by group, and would count against us
        torch._dynamo.reset()
    else:
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)
    compiled: Callable[..., Any] | None = torch.compile(function, dynamic=False)

    def call(*arguments: Any) -> Any:
        nonlocal compiled
        if compiled is not None:
            try:
                return compiled(*arguments)
            except Exception as error:  # of any kind: compilers fail in many ways
                if out_of_memory(error):  # it would not fit uncompiled either
                    raise
                reason = str(error).strip().splitlines()
                what = f"{type(error).__name__}: {reason[0] if reason else ''}"
                told = f"torch.compile fails here, so training runs uncompiled ({what})"
                warnings.warn(told, NotCompiled, stacklevel=2)
                compiled = None
        return function(*arguments)

    return call
