"""The consumer's JSON file: where it listens, which symbols it knows from the start, how it works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from libs.config import PositiveDecimal, check_address, check_group, check_port, load, near, shown
from libs.errors import ConfigError
from libs.market.exchanges import EXCHANGES
from libs.market.limits import MAX_SYMBOL

Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]


class LineB(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The second line, which carries the same messages."""

    group: str
    port: int


class UdpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sockets. ``buffer_size`` in bytes, ``receive_batch`` in datagrams; ``allowed_sources`` empty: every sender."""

    port: int = 9001
    buffer_size: Positive = 8_388_608
    receive_batch: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 64
    group: str = "239.192.0.1"
    interface: str = "127.0.0.1"
    line_b: LineB | None = None
    wait: Literal["auto", "busy", "epoll"] = "auto"
    allowed_sources: tuple[str, ...] = ()


class SymbolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A symbol known before its Instrument message; decimals as text."""

    exchange: str
    symbol: str
    tick_size: PositiveDecimal
    enabled: bool = True
    lot_size: PositiveDecimal | None = None
    multiplier: PositiveDecimal | None = None
    inverse: bool = False


class StaleAfter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Milliseconds without heartbeats after which an exchange's books are stale."""

    binance: Positive = 2000
    bybit: Positive = 2000
    coinbase: Positive = 2000
    okx: Positive = 2000
    deribit: Positive = 2000

    def for_exchange(self, name: str) -> int:
        """Return an exchange's limit in milliseconds."""
        return int(getattr(self, name))


class HistoryCapacities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries that a book's histories may grow to, powers of two; a window with more of them is marked incomplete."""

    wap: Positive = 4096  # changes of the size-weighted price in 300 ms
    flow: Positive = 4096  # changes of the five best levels in 1 s
    trades: Positive = 4096  # in 1 s
    returns: Positive = 16_384  # changes of mid in 60 s

    @property
    def by_name(self) -> dict[str, int]:
        """The capacities as libs.features.history takes them."""
        return msgspec.structs.asdict(self)


class ProcessingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Threads, capacities and limits; cores are None where the scheduler may choose."""

    cpu_core: Natural | None = None
    receive_core: Natural | None = None
    ring_buffer_size: Positive = 65_536
    batch_size: Positive = 16
    max_symbols: Positive = 2048
    max_books: Positive = 10_240
    depth: Annotated[int, msgspec.Meta(ge=20, le=65_535)] = 1024
    reorder_window: Positive = 64
    gap_timeout_us: Positive = 1000
    heal_timeout_ms: Positive = 50
    stale_after_ms: StaleAfter = msgspec.field(default_factory=StaleAfter)
    stale_cross_ms: Positive = 500
    clock_uncertainty_ms: Natural = 5
    depth_levels: Positive = 20
    liquidity_bps: Annotated[int, msgspec.Meta(ge=1, le=9999)] = 10
    microprice: dict[str, str] = msgspec.field(default_factory=dict)  # "EXCHANGE SYMBOL" to a fitted table's file
    history: HistoryCapacities = msgspec.field(default_factory=HistoryCapacities)


class ConsumerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    udp_config: UdpConfig = msgspec.field(default_factory=UdpConfig)
    symbols: tuple[SymbolConfig, ...] = ()
    processing_config: ProcessingConfig = msgspec.field(default_factory=ProcessingConfig)


def load_consumer_config(path: Path) -> ConsumerConfig:
    """Read and check the file.

    Files that it names are relative to it, and absolute in what is returned.

    Raises
    ------
    ConfigError
        Naming the file, the key (as in ``symbols[3].tick_size``), what was expected and what was found.
    """
    config = load(path, ConsumerConfig)
    file = str(path)
    tables = {name: str(path.parent / table) for name, table in config.processing_config.microprice.items()}
    options = msgspec.structs.replace(config.processing_config, microprice=tables)
    config = msgspec.structs.replace(config, processing_config=options)
    _check_udp(config.udp_config, file)
    _check_processing(config.processing_config, file)
    _check_symbols(config, file)
    return config


def _check_udp(udp: UdpConfig, file: str) -> None:
    check_group(file, "udp_config.group", udp.group)
    check_port(file, "udp_config.port", udp.port)
    check_address(file, "udp_config.interface", udp.interface)
    if udp.line_b is not None:
        check_group(file, "udp_config.line_b.group", udp.line_b.group)
        check_port(file, "udp_config.line_b.port", udp.line_b.port)
        if (udp.line_b.group, udp.line_b.port) == (udp.group, udp.port):
            raise ConfigError(file, "udp_config.line_b", "another group or port than line A's", shown(udp.group))
    for index, address in enumerate(udp.allowed_sources):
        check_address(file, f"udp_config.allowed_sources[{index}]", address)


def _check_processing(options: ProcessingConfig, file: str) -> None:
    size = options.ring_buffer_size
    if size < 1024 or size & (size - 1):
        expected = "a power of two of at least 1024"
        raise ConfigError(file, "processing_config.ring_buffer_size", expected, shown(size))
    for name, entries in options.history.by_name.items():
        if entries < 2 or entries & (entries - 1):
            raise ConfigError(file, f"processing_config.history.{name}", "a power of two of at least 2", shown(entries))
    for name in options.microprice:
        exchange, _, symbol = name.partition(" ")
        if exchange not in EXCHANGES or not 1 <= len(symbol.encode()) <= MAX_SYMBOL:
            expected = f"an exchange ({', '.join(EXCHANGES)}), a space, a symbol"
            raise ConfigError(file, "processing_config.microprice", expected, shown(name))
    if len(options.microprice) > options.max_symbols:
        expected = f"at most max_symbols ({options.max_symbols}) tables"
        raise ConfigError(file, "processing_config.microprice", expected, str(len(options.microprice)))
    if options.max_books < options.max_symbols:
        expected = f"at least max_symbols ({options.max_symbols})"
        raise ConfigError(file, "processing_config.max_books", expected, shown(options.max_books))


def _check_symbols(config: ConsumerConfig, file: str) -> None:
    seen: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(config.symbols):
        key = f"symbols[{index}]"
        if entry.exchange not in EXCHANGES:
            expected = f"one of {', '.join(EXCHANGES)}{near(entry.exchange, list(EXCHANGES))}"
            raise ConfigError(file, f"{key}.exchange", expected, shown(entry.exchange))
        if not 1 <= len(entry.symbol.encode()) <= MAX_SYMBOL:
            raise ConfigError(file, f"{key}.symbol", f"1 to {MAX_SYMBOL} bytes", shown(entry.symbol))
        first = seen.setdefault((entry.exchange, entry.symbol), index)
        if first != index:
            found = f"{entry.exchange} {entry.symbol} as in symbols[{first}]"
            raise ConfigError(file, f"{key}.symbol", "each symbol of an exchange once", found)
    enabled = [entry for entry in config.symbols if entry.enabled]
    limits = config.processing_config
    canonical = {entry.symbol for entry in enabled}
    if len(enabled) > limits.max_books:
        raise ConfigError(file, "symbols", f"at most max_books ({limits.max_books}) enabled", str(len(enabled)))
    if len(canonical) > limits.max_symbols:
        raise ConfigError(file, "symbols", f"at most max_symbols ({limits.max_symbols}) canonical", str(len(canonical)))
