"""``python -m services.recorder DIR [--config FILE]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from libs.errors import CrossbookError, MissingError


def main(argv: list[str] | None = None) -> int:
    """Run the recorder until SIGTERM or SIGINT.

    Returns
    -------
    int
        The exit status of cli.md.
    """
    parser = argparse.ArgumentParser(prog="crossbook record", description="Record streams as Parquet.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the recording is, or is to be")
    parser.add_argument("--config", type=Path, default=Path("config/recorder.toml"), help="settings file")
    arguments = parser.parse_args(argv)
    try:
        _need_pyarrow()
        from services.recorder import app, settings

        return app.run(settings.read(arguments.config), arguments.folder)
    except CrossbookError as error:
        print(f"recorder: {error}", file=sys.stderr)
        return error.exit_status


def _need_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        text = "pyarrow is not installed; install requirements/analysis.txt, or run the image of the target analysis"
        raise MissingError(text) from None


if __name__ == "__main__":
    sys.exit(main())
