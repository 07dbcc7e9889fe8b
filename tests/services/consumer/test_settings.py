"""The consumer's settings are read once and say what is wrong with them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from libs.config import load
from libs.errors import ConfigError
from libs.market.exchanges import EXCHANGES
from libs.streams.shards import WHOLE, Shard
from services.consumer.__main__ import main
from services.consumer.recovery import limits_of
from services.consumer.settings import Given, RecoveryServer, Settings, read
from tests.conftest import ROOT


def settings(folder: Path, text: str) -> Settings:
    """Read settings of which only a part is given."""
    path = folder / "consumer.toml"
    path.write_text(f'symbols_file = "{ROOT}/config/consumer/symbols.json"\n{text}\n')
    return read(path)[0]


def test_the_shipped_file_spells_the_defaults_of_recovery() -> None:
    """One server on loopback, and limits that the client's own defaults repeat."""
    shipped = load(ROOT / "config/consumer.toml", Settings)
    assert shipped.recovery == Settings().recovery == (RecoveryServer("127.0.0.1", 9190),)
    assert shipped.recovery_limits == Settings().recovery_limits
    assert limits_of(shipped.recovery_limits) == limits_of(Settings().recovery_limits)


def test_recovery_can_be_turned_off(tmp_path: Path) -> None:
    """An empty list names no server."""
    assert settings(tmp_path, "recovery = []").recovery == ()


def test_several_servers(tmp_path: Path) -> None:
    """Each entry is a server, which may be asked about some exchanges only."""
    text = '[[recovery]]\nport = 9191\n[[recovery]]\nhost = "10.0.0.1"\nexchanges = ["okx"]'
    assert settings(tmp_path, text).recovery == (
        RecoveryServer("127.0.0.1", 9191),
        RecoveryServer("10.0.0.1", 9190, ("okx",)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[recovery]]\nhost = "localhost"',
            r'recovery\[0\]\.host: expected a numeric IPv4 address, found "localhost"',
        ),
        ("[[recovery]]\nport = 0", r"recovery\[0\]\.port: expected a port from 1 to 65535, found 0"),
        ('[[recovery]]\nport = "9190"', r'recovery\[0\]\.port: expected int, found "9190"'),
        (
            '[[recovery]]\nexchanges = ["okx", "binanc"]',
            r"recovery\[0\]\.exchanges\[1\]: expected one of binance, .*near: binance\), found \"binanc\"",
        ),
        ("[[recovery]]\n[[recovery]]", r"recovery\[1\]: expected another host or port .* found \"127.0.0.1:9190\""),
        ("[[recovery]]\nhosts = 1", r"recovery\[0\]\.hosts: expected a known key \(near: host"),
        ("[recovery_limits]\nin_flight = 0", r"recovery_limits\.in_flight: expected .*>= 1, found 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A wrong value names its key, what was expected and what was found."""
    with pytest.raises(ConfigError, match=said):
        settings(tmp_path, text)


def test_the_default_takes_everything() -> None:
    """Every channel and every symbol."""
    assert Settings().taken == tuple(EXCHANGES)
    assert Settings().own_shard == WHOLE


def test_what_a_process_takes(tmp_path: Path) -> None:
    """The file names channels and shard; the command line wins."""
    path = tmp_path / "consumer.toml"
    path.write_text(f'symbols_file = "{ROOT}/config/consumer/symbols.json"\nchannels = ["okx"]\nshard = "2/4"\n')
    found = read(path)[0]
    assert (found.taken, found.own_shard) == (("okx",), Shard(2, 4))
    found = read(path, Given(channels="binance, deribit", shard="1/16", http_port="9391"))[0]
    assert (found.taken, found.own_shard, found.http_port) == (("binance", "deribit"), Shard(1, 16), 9391)


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        ('shard = "0/2"', Given(), r'consumer\.toml: shard: expected I/N with 1 <= I <= N <= 16, found "0/2"'),
        ("shard = 2", Given(), r"consumer\.toml: shard: expected str, found 2"),
        ('channels = ["okx", "okex"]', Given(), r"channels\[1\]: expected one of .*near: okx\), found \"okex\""),
        ('channels = "okx"', Given(), r'channels: expected array, found "okx"'),
        ("", Given(shard="2-4"), r'command line: --shard: expected I/N with .*, found "2-4"'),
        ("", Given(channels="okx,"), r'command line: --channels\[1\]: expected one of .*, found ""'),
        ("", Given(http_port="-1"), r'command line: --http-port: expected a port from 0 to 65535, found "-1"'),
    ],
)
def test_a_share_that_cannot_be_is_named(tmp_path: Path, text: str, given: Given, said: str) -> None:
    """A wrong shard or channel names its place, what was expected and what was found; the service ends with 2."""
    path = tmp_path / "consumer.toml"
    path.write_text(f'symbols_file = "{ROOT}/config/consumer/symbols.json"\n{text}\n')
    with pytest.raises(ConfigError, match=said) as raised:
        read(path, given)
    assert raised.value.exit_status == 2
    options = {"--channels": given.channels, "--shard": given.shard, "--http-port": given.http_port}
    typed = [f"{name}={value}" for name, value in options.items() if value is not None]
    assert main(["--config", str(path), *typed]) == 2


def test_joined_currencies(tmp_path: Path) -> None:
    """None by default; groups as the file names them."""
    assert Settings().nbbo.join_quotes == load(ROOT / "config/consumer.toml", Settings).nbbo.join_quotes == ()
    found = settings(tmp_path, '[nbbo]\njoin_quotes = [["USDT", "USDC"], ["EUR", "EURC"]]')
    assert found.nbbo.join_quotes == (("USDT", "USDC"), ("EUR", "EURC"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[nbbo]\njoin_quotes = [["USDT"]]', r"nbbo\.join_quotes\[0\]: expected 2 to 4 quote currencies"),
        ('[nbbo]\njoin_quotes = [["A", "B", "C", "D", "E"]]', r"nbbo\.join_quotes\[0\]: expected 2 to 4"),
        ('[nbbo]\njoin_quotes = [["USDT", "US-D"]]', r"join_quotes\[0\]\[1\]: expected a currency .*found \"US-D\""),
        ('[nbbo]\njoin_quotes = [["USDT", "USDC"], ["USD", "USDT"]]', r"\[1\]\[1\]: expected another .* \"USDT\""),
        ('shard = "1/2"\n[nbbo]\njoin_quotes = [["USDT", "USDC"]]', r"join_quotes: expected none with a shard"),
        (f"[nbbo]\njoin_quotes = {[[f'A{k}', f'B{k}'] for k in range(9)]}", r"join_quotes: expected at most 8 groups"),
        ("[nbbo]\njoin = []", r"nbbo\.join: expected a known key"),
        ("[fees.okx]\nspot = { taker_bps = 5000, maker_bps = 0 }\nderivative = { taker_bps = 1, maker_bps = 0 }",
         r"fees\.okx\.spot\.taker_bps: expected -100 to 1000, found 5000"),
        ('digest_trace = "t"', r"digest_trace: expected digest_file beside it, found none"),
        ('digest_file = "/nowhere/d"', r'digest_file: expected a file in a folder that exists, found "/nowhere/d"'),
        ("feature_interval_ms = -1", r"feature_interval_ms: expected .*>= 0, found -1"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_quotes_and_fees_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A wrong group of currencies or fee names its key, what was expected and what was found."""
    with pytest.raises(ConfigError, match=said):
        settings(tmp_path, text)


def test_the_shipped_files_agree_on_fees() -> None:
    """Arbitrage rows, signals and the paper venue charge what the defaults say."""
    fees = load(ROOT / "config/consumer.toml", Settings).fees
    assert fees == Settings().fees
    oms, signals = (tomllib.loads((ROOT / f"config/{name}.toml").read_text()) for name in ("oms", "signals"))
    for name in EXCHANGES:
        for kind in ("spot", "derivative"):
            takers = float(getattr(getattr(fees, name), kind).taker_bps)
            assert takers == oms["fees"][name][kind]["taker_bps"] == signals["real"]["taker_fee_bps"][name][kind]
