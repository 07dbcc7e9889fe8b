"""Microprice tables: fitted from best levels (Stoikov 2018), kept in files, put where the kernel reads them.

State of the chain: the bucket i of qb / (qb + qa) and the spread s in ticks, the last one standing for wider ones. From
counts of transitions, Q are those that leave mid where it is, T those that move it, and g the expected move of a step
that moves it: G1 = (1 − Q)⁻¹ g, B = (1 − Q)⁻¹ T, and G = Σ Bᵏ G1 (*The micro-price*, the finite-state chain). Every
transition counts together with its mirror image, so that G[n − 1 − i] = −G[i].
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from libs import config
from libs.config import PositiveDecimal, shown
from libs.errors import ConfigError
from libs.features.history import BUCKETS, MAX_BUCKETS, MAX_SPREAD, SPREADS, TABLE_TICK, TABLE_TICK_EXP, History
from libs.units import normalise, parse_decimal

LEAST_MOVES = 100
"""Moves of mid that a fit needs."""
ROUNDS = 100_000
SMALL = 1e-12
"""In ticks: what is left of Σ Bᵏ G1 when it is taken to have ended."""


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a table was fitted; times in ISO 8601, UTC."""

    start: str
    end: str
    rows: Annotated[int, msgspec.Meta(ge=1)]
    moves: Annotated[int, msgspec.Meta(ge=LEAST_MOVES)]
    sources: tuple[str, ...]


class TableFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table file: ``table[i][s]`` in ticks, i below ``buckets``, s from 0 to ``spreads``."""

    kind: Literal["microprice"]
    version: Literal[1]
    exchange: str
    symbol: str
    tick: PositiveDecimal
    buckets: Annotated[int, msgspec.Meta(ge=2, le=MAX_BUCKETS)]
    spreads: Annotated[int, msgspec.Meta(ge=1, le=MAX_SPREAD)]
    table: tuple[tuple[float, ...], ...]
    training: Training
    sha256: str = ""


@dataclass(frozen=True)
class Table:
    """A checked table: of an exchange's symbol, for a tick of mantissa × 10^exponent; float64[buckets, spreads + 1]."""

    exchange: str
    symbol: str
    tick: tuple[int, int]
    adjustments: np.ndarray


class NotFittedError(ValueError):
    """The data do not determine a table."""


def digest_of(file: TableFile) -> str:
    """Return the SHA-256 of a file's content, whatever digest it states."""
    content: dict[str, Any] = msgspec.to_builtins(file, enc_hook=str)
    content.pop("sha256", None)
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write(path: Path, file: TableFile) -> None:
    """Write a table with its digest."""
    told = msgspec.structs.replace(file, sha256=digest_of(file))
    path.write_text(json.dumps(msgspec.to_builtins(told, enc_hook=str), indent=1) + "\n")


def load(path: Path, exchange: str, symbol: str) -> Table:
    """Read and check the table of an exchange's symbol.

    Raises
    ------
    ConfigError
        When it is another instrument's, has other buckets than it says, is not symmetric or not finite, or its content
        is not that of its digest.
    """
    file, name = config.load(path, TableFile), str(path)
    if (file.exchange, file.symbol) != (exchange, symbol):
        raise ConfigError(name, "symbol", f"a table of {exchange} {symbol}", f"one of {file.exchange} {file.symbol}")
    if len(file.table) != file.buckets:
        raise ConfigError(name, "table", f"{file.buckets} rows, one a bucket", str(len(file.table)))
    for i, row in enumerate(file.table):
        if len(row) != file.spreads + 1:
            expected = f"{file.spreads + 1} numbers, spreads 0 to {file.spreads}"
            raise ConfigError(name, f"table[{i}]", expected, str(len(row)))
    adjustments = np.array(file.table)
    if not np.isfinite(adjustments).all():
        wild = adjustments[~np.isfinite(adjustments)]
        raise ConfigError(name, "table", "finite numbers", shown([repr(float(g)) for g in wild]))
    wrong = np.argwhere(adjustments[::-1] != -adjustments)
    if len(wrong):
        i, s = wrong[0].tolist()
        mirror = file.buckets - 1 - i
        expected = f"-table[{mirror}][{s}] ({-float(adjustments[mirror, s])!r})"
        raise ConfigError(name, f"table[{i}][{s}]", expected, repr(float(adjustments[i, s])))
    if file.sha256 != digest_of(file):
        expected = f"the digest of the content ({digest_of(file)[:12]}…)"
        raise ConfigError(name, "sha256", expected, shown(file.sha256[:12]))
    return Table(exchange, symbol, normalise(*parse_decimal(file.tick)), adjustments)


def load_all(named: Mapping[str, str]) -> list[Table]:
    """Read the tables of libs.market.config's ``processing_config.microprice``.

    Raises
    ------
    ConfigError
        When one is wrong; see :func:`load`.
    """
    pairs = ((name.partition(" "), path) for name, path in named.items())
    return [load(Path(path), exchange, symbol) for (exchange, _, symbol), path in pairs]


def put(history: History, book: int, table: Table) -> None:
    """Write a table where the kernel reads it, before the book's first event."""
    buckets, columns = table.adjustments.shape
    head = history.heads[book]
    head[BUCKETS], head[SPREADS] = buckets, columns - 1
    head[TABLE_TICK], head[TABLE_TICK_EXP] = table.tick
    place = history.ring_floats[book, : buckets * (MAX_SPREAD + 1)].reshape(buckets, MAX_SPREAD + 1)
    place[:, :columns] = table.adjustments


def states(ticks: np.ndarray, sizes: np.ndarray, buckets: int, spreads: int) -> np.ndarray:
    """Return the chain's state of each row, i × (spreads + 1) + s; -1 where a side is empty or the book is crossed.

    Parameters
    ----------
    ticks : float64[n, 2]
        Best bid and ask in ticks; NaN for an empty side.
    sizes : float64[n, 2]
    """
    usable = np.isfinite(ticks).all(axis=1) & (ticks[:, 1] >= ticks[:, 0]) & (sizes.sum(axis=1) > 0)
    share, spread = np.zeros(len(ticks)), np.zeros(len(ticks))
    share[usable] = sizes[usable, 0] / sizes[usable].sum(axis=1)
    spread[usable] = ticks[usable, 1] - ticks[usable, 0]
    i = np.minimum(buckets - 1, (buckets * share).astype(np.int64))
    # Prices are exact multiples of the tick but for their rounding to floats.
    s = np.minimum(spreads, np.floor(spread + 1e-6).astype(np.int64))
    return np.where(usable, i * (spreads + 1) + s, -1)


def fit(
    ticks: np.ndarray, sizes: np.ndarray, follows: np.ndarray, buckets: int, spreads: int
) -> tuple[np.ndarray, int]:
    """Fit a table to the best levels after each event.

    Parameters
    ----------
    ticks, sizes : float64[n, 2]
        As in :func:`states`.
    follows : bool[n]
        Whether a row's event is the one just after the row before.
    buckets, spreads : int
        Of the table: 2 to 64, 1 to 16.

    Returns
    -------
    float64[buckets, spreads + 1], int
        G in ticks, 0 in a state that was never seen to move mid; and the moves of mid that were seen.

    Raises
    ------
    NotFittedError
        When mid moves too seldom, or the sum does not end.
    """
    state = states(ticks, sizes, buckets, spreads)
    mid = ticks.sum(axis=1) / 2
    pairs = np.flatnonzero(follows[1:] & (state[1:] >= 0) & (state[:-1] >= 0))
    before, after, move = state[pairs], state[pairs + 1], mid[pairs + 1] - mid[pairs]
    moved = np.abs(move) > 1e-6
    if (moves := int(moved.sum())) < LEAST_MOVES:
        raise NotFittedError(f"{moves} moves of mid, fewer than {LEAST_MOVES}")
    columns = spreads + 1
    mirror = np.array([(buckets - 1 - k // columns) * columns + k % columns for k in range(buckets * columns)])
    stays, moves_to = (_counted(before[which], after[which], mirror) for which in (~moved, moved))
    gain = np.zeros(len(mirror))
    np.add.at(gain, before[moved], move[moved])
    np.add.at(gain, mirror[before[moved]], -move[moved])
    return _adjustments(stays, moves_to, gain, mirror).reshape(buckets, columns), moves


def _counted(before: np.ndarray, after: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return how often each state followed each, with every transition's mirror image."""
    counts = np.zeros((len(mirror), len(mirror)))
    np.add.at(counts, (before, after), 1.0)
    np.add.at(counts, (mirror[before], mirror[after]), 1.0)
    return counts


def _adjustments(stays: np.ndarray, moves_to: np.ndarray, gain: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return Σ Bᵏ G1 over the states from which mid is seen to move, sooner or later; 0 elsewhere."""
    leads = moves_to.sum(axis=1) > 0
    while (more := leads | (stays[:, leads].sum(axis=1) > 0)).sum() > leads.sum():
        leads = more
    of = np.flatnonzero(leads)
    total = stays[of].sum(axis=1) + moves_to[of].sum(axis=1)
    inside = np.ix_(of, of)
    rest = np.eye(len(of)) - stays[inside] / total[:, None]
    first = np.linalg.solve(rest, gain[of] / total)
    onward = np.linalg.solve(rest, moves_to[inside] / total[:, None])
    place = np.searchsorted(of, mirror[of])
    term = (first - first[place]) / 2
    found = term.copy()
    for _ in range(ROUNDS):
        if np.abs(term).max() < SMALL:
            break
        term = onward @ term
        term = (term - term[place]) / 2
        found += term
    else:
        raise NotFittedError(f"the adjustments do not settle in {ROUNDS:,} rounds")
    out = np.zeros(len(mirror))
    # Rounding must not show: both halves of the table are one another's negative to the bit.
    out[of] = (found - found[place]) / 2
    return out
