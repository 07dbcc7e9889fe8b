"""``python -m services.feeder [--config FILE] …``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from libs.errors import CrossbookError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crossbook feeder", description="Multicast the books and trades of live venues."
    )
    parser.add_argument("--config", type=Path, default=Path("config/feeder.toml"), help="settings file")
    parser.add_argument("--warm", action="store_true", help="compile every kernel, then exit")
    parser.add_argument("--duration", type=float, dest="duration_s", help="seconds; 0: until stopped")
    parser.add_argument("--lines", choices=("a", "ab"))
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the feeder until SIGTERM or SIGINT.

    Returns
    -------
    int
        The exit status of cli.md.
    """
    arguments = _parser().parse_args(argv)
    try:
        from services.feeder import app, settings, warming
        from services.feeder.venues import FEEDS

        if arguments.warm:
            warming.warm()
            return 0
        changes = {k: v for k, v in vars(arguments).items() if v is not None and k not in ("config", "warm")}
        found = settings.read(arguments.config, list(FEEDS), **changes)
        return app.run(found, FEEDS, str(arguments.config))
    except CrossbookError as error:
        print(f"feeder: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
