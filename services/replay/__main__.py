"""``python -m services.replay [--config FILE] [--source …] …``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from libs.errors import CrossbookError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crossbook replay", description="Multicast a recording or a synthetic market."
    )
    parser.add_argument("--config", type=Path, default=Path("config/replay.toml"), help="settings file")
    parser.add_argument("--warm", action="store_true", help="compile every kernel, then exit")
    parser.add_argument("--source", nargs="+", help='"synthetic", or recordings: files and folders')
    parser.add_argument("--speed", type=float, help="recorded seconds a second")
    parser.add_argument("--rate", type=float, help="messages a second over all channels")
    parser.add_argument("--levels", type=float, help="mean level changes a message of the generator")
    parser.add_argument("--symbols", type=int, help="canonical symbols of the generator")
    parser.add_argument("--venues", type=int, help="exchanges of the generator")
    parser.add_argument("--duration", type=float, dest="duration_s", help="seconds; 0: until stopped")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--lines", choices=("a", "ab"))
    parser.add_argument("--loss", type=float, help="share of datagrams that is dropped, per line")
    parser.add_argument("--loop", action="store_const", const=True, help="begin a recording again at its end")
    return parser


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    changes = {k: v for k, v in vars(arguments).items() if v is not None and k not in ("config", "warm")}
    if changes.get("source") == ["synthetic"]:
        changes["source"] = "synthetic"
    return changes


def main(argv: list[str] | None = None) -> int:
    """Run the replay until SIGTERM or SIGINT.

    Returns
    -------
    int
        The exit status of cli.md.
    """
    arguments = _parser().parse_args(argv)
    try:
        from services.replay import app, settings

        if arguments.warm:
            app.warm()
            return 0
        return app.run(settings.read(arguments.config, **_changes(arguments)))
    except CrossbookError as error:
        print(f"replay: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
