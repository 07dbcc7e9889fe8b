"""Exact decimals as (mantissa, exponent) pairs: ``value = mantissa × 10^exponent``.

Prices and sizes are integers inside and text at the edges; nothing here goes through a float.
"""

from __future__ import annotations

import re

import numpy as np

POW10 = 10 ** np.arange(19, dtype=np.int64)
"""int64[19]: the powers of ten that an int64 holds."""

MAX_EXPONENT = 400
"""Exponents beyond ±400 are refused: no price has them, and expanding them would only eat memory."""

_DECIMAL = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?", re.ASCII)


def parse_decimal(text: str) -> tuple[int, int]:
    """Return the mantissa and exponent of a decimal, exactly as written.

    Zeros at the end stay: ``"0.00100"`` is ``(100, -5)``; :func:`normalise` trims them.

    Parameters
    ----------
    text : str
        As in ``"61800.30"``, ``"-5"`` or ``"4e-05"``.

    Raises
    ------
    ValueError
        When the text is not a decimal number (``nan`` and ``inf`` are not).
    """
    found = _DECIMAL.fullmatch(text)
    digits = (found[2] + (found[3] or "")) if found else ""
    if found is None or not digits:
        raise ValueError(f"expected a decimal number, found {text[:40]!r}")
    exponent = int(found[4] or 0) - len(found[3] or "")
    if abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"expected a decimal number of at most {MAX_EXPONENT} places, found {text[:40]!r}")
    mantissa = int(digits)
    return (-mantissa if found[1] == "-" else mantissa), exponent


def format_decimal(mantissa: int, exponent: int) -> str:
    """Return a plain decimal string without an exponent.

    All decimals are kept: ``(6180030, -2)`` is ``"61800.30"``; a positive exponent is written out.
    """
    if exponent >= 0:
        return str(mantissa * 10**exponent)
    digits = str(abs(mantissa)).rjust(1 - exponent, "0")
    return f"{'-' if mantissa < 0 else ''}{digits[:exponent]}.{digits[exponent:]}"


def normalise(mantissa: int, exponent: int) -> tuple[int, int]:
    """Return the same value with the shortest mantissa; zero is ``(0, 0)``."""
    if mantissa == 0:
        return 0, 0
    while mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    return mantissa, exponent


def rescale(mantissa: int, exponent: int, to: int) -> int | None:
    """Return the mantissa of the same value in units of ``10^to``; None when that would round."""
    if exponent >= to:
        return mantissa * 10 ** (exponent - to)
    whole, rest = divmod(mantissa, 10 ** (to - exponent))
    return whole if rest == 0 else None
