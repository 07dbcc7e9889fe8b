"""``python -m services.oms [--config FILE]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from libs.errors import CrossbookError


def main(argv: list[str] | None = None) -> int:
    """Run the order service until SIGTERM or SIGINT.

    Returns
    -------
    int
        The exit status of cli.md.
    """
    parser = argparse.ArgumentParser(prog="crossbook oms", description="Turn signals into risk-checked orders.")
    parser.add_argument("--config", type=Path, default=Path("config/oms.toml"), help="settings file")
    parser.add_argument("--warm", action="store_true", help="compile every kernel, then exit")
    arguments = parser.parse_args(argv)
    try:
        from services.oms import app, settings

        if arguments.warm:
            app.warm()
            return 0
        return app.run(settings.read(arguments.config))
    except CrossbookError as error:
        print(f"oms: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
