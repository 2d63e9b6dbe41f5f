"""The steps of a two-layer linear network f(x) = aᵀWx, compiled.

All in float64, one thread, no reassociation ("fastmath" is off): equal input gives equal bits on one machine. W is held
as (d, k), one column per neuron, so that the loops over neurons are the inner, contiguous ones. The counter hash is
that of `lnbench.randomness` in unsigned 64-bit arithmetic (a test compares them bit for bit).

A gradient is a pair (u, g): ∂L/∂W = u aᵀ, with u (d,), and ∂L/∂a = g (k,).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from lnbench.randomness import GRADIENT, Stream

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile by numba, cached on disk next to this file or in the user's cache (or NUMBA_CACHE_DIR); where neither can
    be written, every process compiles again."""
    try:
        made = numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # no place for a cache
        made = numba.njit(error_model="numpy")(function)
    return cast(Function, made)


LIMIT = 1e100  # a squared gradient above this has left all bounds; its square would soon not be finite
TINY = 1e-12  # added to a gradient's norm before it divides (as in the public SAM code)

_MASK = np.uint64(0xFFFFFFFF)
_C1, _C2 = np.uint64(0x7FEB352D), np.uint64(0x846CA68B)
_GOLDEN, _STREAM, _EPOCH = np.uint64(0x9E3779B9), np.uint64(0x85EBCA6B), np.uint64(0x3C6EF372)
_ROUND = np.uint64(0x5BD1E995)
_S15, _S16, _S32 = np.uint64(15), np.uint64(16), np.uint64(32)
_ORDER, _NOISE, _GRADIENT = np.uint64(Stream.ORDER), np.uint64(Stream.NOISE), np.uint64(GRADIENT)


@compiled
def mix(x: Any) -> Any:
    """Compute `randomness.mix` of a uint64 below 2^32; products wrap round at 2^64, and only their low half is kept."""
    x = x ^ (x >> _S16)
    x = (x * _C1) & _MASK
    x = x ^ (x >> _S15)
    x = (x * _C2) & _MASK
    return x ^ (x >> _S16)


@compiled
def u32(seed: Any, stream: Any, epoch: Any, counter: Any) -> Any:
    """Compute `randomness.u32`; all uint64."""
    k = mix((seed + _GOLDEN) & _MASK)
    k = mix((k + stream * _STREAM) & _MASK)
    k = mix((epoch * _EPOCH + k) & _MASK)
    h = mix(counter ^ k)
    return mix((h + (k ^ _ROUND)) & _MASK)


@compiled
def noise_at(seed: Any, number: Any, gaussian: bool) -> float:
    """Return label noise number `number`, of mean 0 and variance 1: a sign, or Box & Muller's cosine."""
    first = u32(seed, _NOISE, np.uint64(0), number)
    if not gaussian:
        return 1.0 if (first >> np.uint64(31)) else -1.0
    second = u32(seed, _NOISE, np.uint64(1), number)
    radius = math.sqrt(-2.0 * math.log((float(first) + 0.5) / 4294967296.0))
    return radius * math.cos(2.0 * math.pi * (float(second) + 0.5) / 4294967296.0)


@compiled
def index_at(seed: Any, step: Any, samples: int) -> Any:
    """Return the sample of a step: uniform, with replacement (`randomness.below`)."""
    return np.int64((u32(seed, _ORDER, np.uint64(0), step) * np.uint64(samples)) >> _S32)


@compiled
def gradient_one(W: Any, a: Any, x: Any, label: float, u: Any, g: Any) -> None:
    """Write the gradient of ½(f(x) − label)² at one sample x (d,) into u and g."""
    g[:] = 0.0
    for i in range(x.size):
        xi = x[i]
        row = W[i]
        for j in range(a.size):
            g[j] += xi * row[j]
    f = 0.0
    for j in range(a.size):
        f += g[j] * a[j]
    error = f - label
    for i in range(x.size):
        u[i] = error * x[i]
    for j in range(a.size):
        g[j] *= error


@compiled
def gradient_all(W: Any, a: Any, second: Any, target: Any, v: Any, u: Any, g: Any) -> None:
    """Write the gradient of the mean of ½(f(x) − y)² over all samples into u and g.

    `second` (d, d): the mean of xxᵀ; `target` (d,): the mean of x times its label; v (d,) is scratch.
    """
    for i in range(v.size):
        v[i] = 0.0
        for j in range(a.size):
            v[i] += W[i, j] * a[j]
    g[:] = 0.0
    for i in range(v.size):
        u[i] = -target[i]
        for k in range(v.size):
            u[i] += second[i, k] * v[k]
        for j in range(a.size):
            g[j] += u[i] * W[i, j]


@compiled
def move(W: Any, a: Any, u: Any, g: Any, by: float, W_to: Any, a_to: Any, second: Any) -> None:
    """Set W_to = W + by · u secondᵀ, then a_to = a + by · g; the targets may be the sources."""
    for i in range(u.size):
        c = by * u[i]
        for j in range(g.size):
            W_to[i, j] = W[i, j] + c * second[j]
    for j in range(g.size):
        a_to[j] = a[j] + by * g[j]


@compiled
def disturb(u: Any, g: Any, size: float, seed: Any, number: Any) -> None:
    """Multiply each entry of u and g by 1 + size · ε, ε uniform with sd 1; that of W is u aᵀ, which is never made."""
    for i in range(u.size + g.size):
        share = float(u32(seed, _GRADIENT, number & _MASK, np.uint64(i))) / 4294967296.0
        factor = 1.0 + (share - 0.5) * (math.sqrt(12.0) * size)
        if i < u.size:
            u[i] *= factor
        else:
            g[i - u.size] *= factor


@compiled
def squared(x: Any) -> float:
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    return total


@compiled
def advance(
    W: Any, a: Any, X: Any, y: Any, second: Any, target: Any, lr: float, sigma: float, period: int, rho: float,
    whole: bool, gaussian: bool, order_seed: Any, noise_seed: Any, start: int, stop: int, off: float, off_seed: Any,
) -> Any:  # fmt: skip
    """Do steps start … stop − 1 on W (d, k) and a (k,), in place. Return 0 when all numbers stayed within bounds; else
    the step (from 1) that would have left them: it is not done, nor any after it.

    X (n, d), y (n,): the samples; `second`, `target` as in `gradient_all`, of the labels without noise; `period`: label
    noise is on for so many steps, then off for so many (0: always on); `rho`: SAM's radius (0: plain gradients);
    `whole`: all samples a step, each with noise of its own, or one; `off`, `off_seed`: size and seed of noise on
    gradients (0: none, as in every run on record).
    """
    d, k = W.shape
    samples = y.size
    u, g, v, noisy = np.empty(d), np.empty(k), np.empty(d), np.empty(d)
    up_W, up_a = np.empty((d, k)), np.empty(k)
    for step in range(start, stop):
        on = sigma > 0.0 and (period == 0 or (step // period) % 2 == 0)
        i = np.int64(0)
        label = 0.0
        if whole:
            noisy[:] = target
            if on:
                for n in range(samples):
                    number = np.uint64(step) * np.uint64(samples) + np.uint64(n)
                    share = sigma * noise_at(noise_seed, number & _MASK, gaussian) / samples
                    for j in range(d):
                        noisy[j] += share * X[n, j]
            gradient_all(W, a, second, noisy, v, u, g)
        else:
            i = index_at(order_seed, np.uint64(step), samples)
            label = y[i] + (sigma * noise_at(noise_seed, np.uint64(step), gaussian) if on else 0.0)
            gradient_one(W, a, X[i], label, u, g)
        if off > 0.0:
            disturb(u, g, off, off_seed, np.uint64(2 * step))
        if rho > 0.0:
            norm = math.sqrt(squared(u) * squared(a) + squared(g))
            move(W, a, u, g, rho / (norm + TINY), up_W, up_a, a)
            if whole:
                gradient_all(up_W, up_a, second, noisy, v, u, g)
            else:
                gradient_one(up_W, up_a, X[i], label, u, g)
            if off > 0.0:
                disturb(u, g, off, off_seed, np.uint64(2 * step + 1))
        size = squared(u) + squared(g)
        if not size < LIMIT:
            return np.int64(step + 1)
        move(W, a, u, g, -lr, W, a, up_a if rho > 0.0 else a)
    return np.int64(0)
