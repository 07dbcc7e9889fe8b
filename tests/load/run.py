"""Run a scenario with k6 and end with Crossbook's statuses: 0 held, 1 a threshold was crossed, 3 nothing runs there.

python tests/load/run.py smoke      addresses, rate and limits from the environment: lib/target.js
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

FOLDER = Path(__file__).resolve().parent
SCENARIOS = sorted(path.stem for path in FOLDER.glob("*.js"))
SCRIPT_FAILED = 107
"""k6's status when a scenario's setup found no stack: it says which address did not answer."""


def main(words: list[str]) -> int:
    """Run what the words say."""
    if len(words) != 1 or words[0] not in SCENARIOS:
        print(f"run.py: expected one of {', '.join(SCENARIOS)}, found {' '.join(words) or 'nothing'}", file=sys.stderr)
        return 2
    verdict = Path(os.environ.get("REPORT", ".")) / "k6.json"
    verdict.unlink(missing_ok=True)
    k6 = subprocess.Popen(["k6", "run", "--quiet", "--no-usage-report", str(FOLDER / f"{words[0]}.js")])

    def end(number: int, frame: FrameType | None) -> None:
        k6.send_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    status = k6.wait()
    if status == SCRIPT_FAILED:
        return 3
    if not verdict.is_file():
        return 1
    # By the verdict: the climb of a stress test ends with an abort, which has a status of its own.
    return 0 if json.loads(verdict.read_text())["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
