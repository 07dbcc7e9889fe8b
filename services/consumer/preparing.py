"""What kernels are told before they run: settings as words, and the symbols that configuration names."""

from __future__ import annotations

from collections.abc import Sequence

from libs.book.kernels import set_instrument
from libs.engine import columns, words
from libs.engine.state import Engine, bind_families, put_tables
from libs.errors import ConfigError
from libs.features.microprice import Table
from libs.market.config import ConsumerConfig
from libs.market.exchanges import EXCHANGES, exchange_id
from libs.market.symbol_table import t_register, t_shard
from libs.nbbo import families
from libs.scheduling import cores
from libs.units import normalise, parse_decimal
from services.consumer.settings import Settings

CORES_TO_SPIN = 6
"""From here on two spinning threads leave enough for Redis, the signal service and whatever else runs."""


def spinning(wait: str, available: int) -> tuple[bool, bool]:
    """Return whether the receive thread and the book thread spin.

    Parameters
    ----------
    wait : str
        ``busy``, ``epoll``, or ``auto``: by the number of cores.
    available : int
        Cores that this process may run on.
    """
    busy = wait == "busy" or (wait == "auto" and available >= CORES_TO_SPIN)
    # Three spinning threads on two cores were seen to stall each other: only the receive thread may spin there.
    return busy, busy and available > 2


def tell_kernels(engine: Engine, settings: Settings, config: ConsumerConfig) -> None:
    """Write settings where the receive and book threads read them."""
    options = config.processing_config
    receive_spins, books_spin = spinning(config.udp_config.wait, cores())
    r = engine.arrays["receive_settings"]
    r[words.GAP_TIMEOUT_NS] = options.gap_timeout_us * 1000
    r[words.HEAL_TIMEOUT_NS] = options.heal_timeout_ms * 1_000_000
    r[words.REORDER_WINDOW] = options.reorder_window
    r[words.BUSY_POLL] = int(receive_spins)
    r[words.LINE_COUNT] = 1 if config.udp_config.line_b is None else 2
    r[words.OTHER_CHANNELS] = sum(1 << exchange_id(name) for name in EXCHANGES if name not in settings.taken)
    r[words.SHARDS], r[words.SHARD] = settings.own_shard.of, settings.own_shard.offset
    p = engine.arrays["process_settings"]
    p[columns.BATCH] = options.batch_size
    p[columns.DEPTH_LEVELS] = options.depth_levels
    p[columns.LIQUIDITY_BPS] = options.liquidity_bps
    p[columns.STALE_CROSS_US] = options.stale_cross_ms * 1000
    p[columns.UNCERTAINTY_US] = options.clock_uncertainty_ms * 1000
    p[columns.FEATURE_INTERVAL_US] = settings.feature_interval_ms * 1000
    p[columns.BUSY_POLL] = int(books_spin)
    for name in EXCHANGES:
        p[columns.STALE_AFTER_NS + exchange_id(name)] = options.stale_after_ms.for_exchange(name) * 1_000_000


def tell_nbbo(engine: Engine, settings: Settings) -> None:
    """Write what consolidated quotes need: joined quote currencies, taker fees."""
    groups = settings.nbbo.join_quotes
    engine.arrays["process_settings"][columns.JOINED] = int(bool(groups))
    families.configure(bind_families(engine.arrays), groups)
    fees = engine.arrays["taker_fees_bps"]
    for name in EXCHANGES:
        of = getattr(settings.fees, name)
        fees[:, exchange_id(name)] = float(of.spot.taker_bps), float(of.derivative.taker_bps)


def register_symbols(engine: Engine, settings: Settings, config: ConsumerConfig) -> None:
    """Make the books of the configured symbols, except those that other consumers take."""
    shard = settings.own_shard
    for entry in config.symbols:
        if not entry.enabled or entry.exchange not in settings.taken:
            continue
        if shard.of > 1 and t_shard(entry.symbol, shard.of) != shard.offset:
            continue
        book = t_register(engine.table, exchange_id(entry.exchange), entry.symbol)
        tick, lot = parse_decimal(entry.tick_size), parse_decimal(entry.lot_size or "0")
        multiplier = parse_decimal(entry.multiplier or "1")
        set_instrument(engine.books, book, *tick, *lot, *multiplier, int(entry.inverse))


def put_microprices(engine: Engine, settings: Settings, config: ConsumerConfig, tables: Sequence[Table]) -> None:
    """Give the fitted microprices to those of their books that this consumer takes.

    Raises
    ------
    ConfigError
        When the symbols file gives one of them another tick.
    """
    ticks = {(entry.exchange, entry.symbol): entry.tick_size for entry in config.symbols if entry.enabled}
    for table in tables:
        tick = ticks.get((table.exchange, table.symbol))
        if tick is not None and normalise(*parse_decimal(tick)) != table.tick:
            name = f"{table.exchange} {table.symbol}"
            mantissa, exponent = table.tick
            raise ConfigError("symbols file", f"tick_size of {name}", f"its microprice's ({mantissa}e{exponent})", tick)
    shard = settings.own_shard
    mine = [t for t in tables if shard.of == 1 or t_shard(t.symbol, shard.of) == shard.offset]
    put_tables(engine, [table for table in mine if table.exchange in settings.taken])
