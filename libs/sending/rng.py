"""A seeded random generator of one word of state (splitmix64), for kernels."""

from __future__ import annotations

import math

import numpy as np

from libs.jit import kernel

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_TO_UNIT = 1.0 / (1 << 53)


def new_rng(seed: int) -> np.ndarray:
    """Return the state (uint64[1]) for a seed."""
    return np.array([seed & 0xFFFF_FFFF_FFFF_FFFF], np.uint64)


@kernel(inline=True)
def uniform(state: np.ndarray) -> float:
    """Return the next number in [0, 1)."""
    state[0] += _STEP
    z = state[0]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    z = z ^ (z >> _S31)
    return np.float64(z >> _S11) * _TO_UNIT


@kernel(inline=True)
def below(state: np.ndarray, n: int) -> int:
    """Return an integer in [0, n)."""
    return int(uniform(state) * n)


@kernel(inline=True)
def exponential(state: np.ndarray) -> float:
    """Return an exponential number of mean 1."""
    return -math.log(1.0 - uniform(state))


@kernel(inline=True)
def normal(state: np.ndarray) -> float:
    """Return a number of mean 0 and variance 1, near enough to normal within 3.4 deviations, where it ends."""
    return (uniform(state) + uniform(state) + uniform(state) + uniform(state) - 2.0) * 1.7320508075688772
