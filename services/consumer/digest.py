"""The hash chains of a run: the trace written as it comes, the document at the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from libs.engine.digest_report import LinkFile, document
from libs.engine.state import begin_digest
from libs.scheduling import name_thread

DRAIN_S = 0.004


class Digest(threading.Thread):
    """Empties the trace, if one is wanted, and writes the document when it is told that everything is merged.

    Parameters
    ----------
    arrays : mapping
        Of an engine with room for a digest.
    path : Path
        Of the document.
    trace : Path or None

    Raises
    ------
    OSError
        When the trace cannot be made.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], path: Path, trace: Path | None) -> None:
        super().__init__(name="digest", daemon=True)
        self._arrays, self._path = arrays, path
        self._links = LinkFile(arrays, trace) if trace else None
        self._stopping = threading.Event()
        self.error: BaseException | None = None
        begin_digest(arrays, traced=trace is not None)

    def run(self) -> None:
        """Write links until told to stop; see :class:`Digest`."""
        name_thread(self.name)
        try:
            while not self._stopping.wait(DRAIN_S):
                if self._links is not None:
                    self._links.drain()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which ends the process
            self.error = error

    def finish(self) -> None:
        """Write the rest of the trace, and the document in one step."""
        self._stopping.set()
        if self.is_alive():
            self.join()
        if self._links is not None:
            self._links.close()
        written = self._path.with_name(f".{self._path.name}.new")
        written.write_text(json.dumps(document(self._arrays), indent=1) + "\n", encoding="utf-8")
        written.replace(self._path)
