"""The commands that are one service each: their words go to the service as they are."""

import os
import sys
from collections.abc import Callable
from typing import Any

import typer

SERVICES = {
    "replay": ("replay", "Multicast a recording or a synthetic market."),
    "feeder": ("feeder", "Multicast the books and trades of live venues."),
    "fake-exchange": (
        "fakes",
        "Play exchanges on this machine: real protocols, made-up markets, faults on demand.",
    ),
    "consumer": (
        "consumer",
        "Rebuild books from multicast; publish books, features, NBBO. Several: --shard I/N, --channels.",
    ),
    "signals": ("signals", "Predict from feature rows."),
    "oms": ("oms", "Turn signals into risk-checked orders."),
    "record": ("recorder", "Record books, trades, features, quotes and states as Parquet."),
}
"""By command: the service, and what it does."""
READERS = ("record",)
"""Commands that read what a running ``crossbook up`` publishes, unless they are told otherwise."""
_PASSED_ON: dict[str, Any] = {
    "context_settings": {"ignore_unknown_options": True, "allow_extra_args": True},
    "add_help_option": False,
}


def add_to(app: typer.Typer) -> None:
    """Add a command for each service."""
    for command, (_, text) in SERVICES.items():
        app.command(command, help=text, **_PASSED_ON)(_runner(command))


def surroundings(command: str, arguments: list[str]) -> dict[str, str]:
    """Return what a service's environment has beside our own: for a reader, the Redis of the newest ``crossbook up``.

    REDIS_URL and a configuration that is named win over it.
    """
    from services.cli.rundir import running

    named = any(word == "--config" or word.startswith("--config=") for word in arguments)
    if command not in READERS or named or "REDIS_URL" in os.environ:
        return {}
    # A Redis of its own, so its streams have plain names.
    own = [note["redis_url"] for note in running() if not note["stream_prefix"]]
    return {"REDIS_URL": str(own[0])} if own else {}


def _runner(command: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        from services.cli.stack import service_command, service_environment

        words = service_command(SERVICES[command][0], *context.args)
        sys.stdout.flush()
        os.execve(words[0], words, service_environment(**surroundings(command, context.args)))

    return run
