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
    parser.add_argument("venues", nargs="+", metavar="VENUE", help=f"one or more of {', '.join(PLAYS)}, or all")
    parser.add_argument("--port", type=int, default=0, help="of the first, then one more each; 0: free ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=100.0, help="book messages a second of each venue")
    parser.add_argument("--changes", type=int, default=3, help="orders a message")
    parser.add_argument("--symbols", nargs="*", default=[], help="canonical; none: a few well-known ones")
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


def _names(given: list[str]) -> list[str]:
    if given == ["all"]:
        return list(PLAYS)
    for name in given:
        if name not in PLAYS:
            expected = f"one of {', '.join(PLAYS)}, or all{near(name, list(PLAYS))}"
            raise ConfigError("command line", "VENUE", expected, f'"{name}"')
    return given


async def _play(arguments: argparse.Namespace) -> int:
    odds, stopping = _odds(arguments.faults), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    venues = {
        name: new_fake(name, arguments.symbols, arguments.seed, arguments.rate, odds, arguments.changes)
        for name in _names(arguments.venues)
    }
    try:
        for k, venue in enumerate(venues.values()):
            await venue.start(arguments.port + k if arguments.port else 0)
        addresses = {name: {"ws": v.ws, "rest": v.rest} for name, v in venues.items()}
        print(json.dumps(addresses), flush=True)
        await stopping.wait()
    except OSError as error:
        raise MissingError(f"cannot listen on 127.0.0.1: {error.strerror}; set another --port") from error
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
