"""``python -m services.consumer [--config FILE] [--channels NAME,…] [--shard I/N] [--http-port PORT]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from libs.errors import CrossbookError


def main(argv: list[str] | None = None) -> int:
    """Run the consumer until SIGTERM or SIGINT.

    Returns
    -------
    int
        The exit status of cli.md.
    """
    parser = argparse.ArgumentParser(prog="crossbook consumer", description="Rebuild books from HFTP multicast.")
    parser.add_argument("--config", type=Path, default=Path("config/consumer.toml"), help="settings file")
    parser.add_argument(
        "--warm",
        nargs="?",
        const="all",
        choices=("all", "receive", "books"),
        help="compile every kernel, or those of one thread, then exit",
    )
    parser.add_argument("--channels", metavar="NAME,…", help="take only these exchanges' channels (all)")
    parser.add_argument("--shard", metavar="I/N", help="take the symbols of shard I of N, one process each (1/1)")
    parser.add_argument("--http-port", metavar="PORT", help="where this one answers, beside others here (9291)")
    arguments = parser.parse_args(argv)
    try:
        from services.consumer import app, settings, warming

        if arguments.warm:
            warming.warm(arguments.warm)
            return 0
        given = settings.Given(arguments.channels, arguments.shard, arguments.http_port)
        return app.run(*settings.read(arguments.config, given))
    except CrossbookError as error:
        print(f"consumer: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
