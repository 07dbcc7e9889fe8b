"""``python -m services.fakes VENUE … [--port N]``: play venues on 127.0.0.1 until stopped."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from libs.config import near
from libs.errors import ConfigError, CrossbookError, MissingError
from services.fakes.catalogue import PLAYS, new_fake
from services.fakes.faults import KINDS


def _parser() -> argparse.ArgumentParser:
    known = ", ".join(f"{kind}: {what}" for kind, what in KINDS.items())
    parser = argparse.ArgumentParser(
        prog="crossbook fake-exchange",
        description="Play exchanges on 127.0.0.1: real protocols, made-up markets.",
        epilog=f"Faults: {known}. POST /fake/fault with kind and count arms one, GET /fake/truth?symbol= is the book.",
    )
    parser.add_argument(
        "venues", nargs="+", metavar="VENUE", help=f"VENUE[:PORT][=SYMBOL,…], each one of {', '.join(PLAYS)}; or all"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=100.0, help="book messages a second of each venue")
    parser.add_argument("--changes", type=int, default=3, help="orders a message")
    parser.add_argument("--faults", nargs="*", default=[], metavar="KIND=ODDS", help="odds a message")
    return parser


def _odds(given: list[str]) -> dict[str, float]:
    found = {}
    for each in given:
        kind, _, odds = each.partition("=")
        if kind not in KINDS:
            expected = f"one of {', '.join(KINDS)}{near(kind, list(KINDS))}"
            raise ConfigError("command line", "--faults", expected, f'"{kind}"')
        try:
            found[kind] = float(odds)
        except ValueError:
            raise ConfigError("command line", "--faults", "KIND=ODDS with a number", f'"{each}"') from None
        if not 0 <= found[kind] <= 1:
            raise ConfigError("command line", "--faults", "odds from 0 to 1", f'"{each}"')
    return found


def _venues(given: list[str]) -> dict[str, tuple[int, list[str]]]:
    """Return port and symbols of each venue."""
    found: dict[str, tuple[int, list[str]]] = {}
    for each in list(PLAYS) if given == ["all"] else given:
        place, _, symbols = each.partition("=")
        name, _, port = place.partition(":")
        if name not in PLAYS:
            expected = f"one of {', '.join(PLAYS)}, or all{near(name, list(PLAYS))}"
            raise ConfigError("command line", "VENUE", expected, f'"{name}"')
        if port and not (port.isdecimal() and int(port) <= 65_535):
            raise ConfigError("command line", "VENUE", "VENUE:PORT with a port to 65535", f'"{each}"')
        found[name] = int(port or 0), [symbol for symbol in symbols.split(",") if symbol]
    return found


async def _play(arguments: argparse.Namespace) -> int:
    odds, stopping = _odds(arguments.faults), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    wanted = _venues(arguments.venues)
    venues = {
        name: new_fake(name, symbols, arguments.seed, arguments.rate, odds, arguments.changes)
        for name, (_, symbols) in wanted.items()
    }
    try:
        for name, venue in venues.items():
            await venue.start(wanted[name][0])
        addresses = {name: {"ws": v.ws, "rest": v.rest} for name, v in venues.items()}
        print(json.dumps(addresses), flush=True)
        await stopping.wait()
    except OSError as error:
        raise MissingError(f"cannot listen on 127.0.0.1: {error.strerror}; name another: VENUE:PORT") from error
    finally:
        for venue in venues.values():
            await venue.stop()
    return 0


def main(argv: list[str] | None = None) -> int:
    """Play until SIGTERM or SIGINT; the addresses are one line of JSON.

    Returns
    -------
    int
        The exit status of cli.md.
    """
    arguments = _parser().parse_args(argv)
    try:
        return asyncio.run(_play(arguments))
    except CrossbookError as error:
        print(f"fake-exchange: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
