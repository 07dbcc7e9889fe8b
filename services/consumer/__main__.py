"""``python -m services.consumer [--config FILE]``."""

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
    arguments = parser.parse_args(argv)
    try:
        from services.consumer import app, settings, warming

        if arguments.warm:
            warming.warm(arguments.warm)
            return 0
        return app.run(*settings.read(arguments.config))
    except CrossbookError as error:
        print(f"consumer: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
