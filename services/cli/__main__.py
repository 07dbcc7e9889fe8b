"""``crossbook COMMAND …``: one console script; ``python -m services.cli`` is the same.

Every command imports what it needs when it runs, so that none waits for another's packages.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from libs.errors import ConfigError, CrossbookError
from services.cli import each, loads

BEGAN = time.monotonic()

app = typer.Typer(
    name="crossbook",
    help="Receiver side of a multi-exchange crypto trading system.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Text = str | None


def _option(names: str, help_text: str, metavar: str = "", hidden: bool = False) -> Any:
    return typer.Option(names, help=help_text, metavar=metavar or None, hidden=hidden, show_default=False)


@app.command()
def up(
    source: Annotated[
        list[str] | None, _option("--source", "synthetic, or recordings: files and folders, several.", "PATH …")
    ] = None,
    speed: Annotated[Text, _option("--speed", "Recorded seconds a second (1).", "X")] = None,
    rate: Annotated[Text, _option("--rate", "Messages a second over all channels (generator: 5000).", "N")] = None,
    levels: Annotated[Text, _option("--levels", "Mean level changes a message of the generator (4).", "X")] = None,
    symbols: Annotated[Text, _option("--symbols", "Canonical symbols of the generator (50).", "N")] = None,
    venues: Annotated[Text, _option("--venues", "Exchanges of each symbol (5).", "N")] = None,
    duration: Annotated[Text, _option("--duration", "Stop after so many seconds.", "S")] = None,
    seed: Annotated[Text, _option("--seed", "Of the generator and of injected faults (1).", "N")] = None,
    lines: Annotated[Text, _option("--lines", "Multicast lines: a, or a and b (ab).", "a|ab")] = None,
    loss: Annotated[Text, _option("--loss", "Share of each line's datagrams that is dropped.", "P")] = None,
    costs: Annotated[Text, _option("--costs", "Of the signals: none, or the venues' (demo).", "demo|real")] = None,
    config: Annotated[Text, _option("--config", "Folder of configuration files (config).", "DIR")] = None,
    state_dir: Annotated[Text, _option("--state-dir", "Journal, positions, kill switch (var).", "DIR")] = None,
    report: Annotated[Text, _option("--report", "Write the report there as JSON.", "FILE")] = None,
    digest: Annotated[Text, _option("--digest", "Write the hash chains of what the consumer saw.", "FILE")] = None,
    digest_trace: Annotated[Text, _option("--digest-trace", "And every link of them.", "FILE")] = None,
    feed: Annotated[
        Text, _option("--feed", "Through the feeder, from venues that are played here (fake).", "fake")
    ] = None,
) -> int:
    """Run the whole pipe here: Redis, replay, consumer, signals, orders."""
    from services.cli.arguments import up_options
    from services.cli.supervisor import run_up

    options = up_options(
        source=source, speed=speed, rate=rate, levels=levels, symbols=symbols, venues=venues, duration=duration,
        seed=seed, lines=lines, loss=loss, costs=costs, config=config, state_dir=state_dir, report=report,
        digest=digest, digest_trace=digest_trace, feed=feed,
    )  # fmt: skip
    return run_up(options, BEGAN)


each.add_to(app)
loads.add_to(app)


@app.command()
def tail(
    stream: Annotated[
        str, typer.Argument(help="features, book, nbbo, arbitrage, trades, status, signals, orders or fills.")
    ],
    symbol: Annotated[Text, _option("--symbol", "Only this one.", "S")] = None,
    count: Annotated[Text, _option("--count", "Stop after so many rows.", "N")] = None,
    config: Annotated[Text, _option("--config", "Folder of configuration files (config).", "DIR")] = None,
    json: Annotated[bool, _option("--json", "One JSON object a line, as always.")] = False,
) -> int:
    """Print a stream's rows as they come, one JSON object a line."""
    from services.cli import tail as command

    if count is not None and not (count.isdecimal() and int(count) > 0):
        raise ConfigError("command line", "--count", "a whole number above 0", f'"{count}"')
    return command.run(stream, symbol, int(count or 0), config)


@app.command()
def status(
    json: Annotated[bool, _option("--json", "One JSON document on the standard output.")] = False,
    config: Annotated[Text, _option("--config", "Folder of configuration files (config).", "DIR")] = None,
) -> int:
    """Show the health of a running stack."""
    from services.cli import health

    return health.run(config, as_json=json)


@app.command()
def doctor(
    json: Annotated[bool, _option("--json", "One JSON document on the standard output.")] = False,
    config: Annotated[Text, _option("--config", "Folder of configuration files (config).", "DIR")] = None,
    timeout: Annotated[Text, _option("--timeout", "Seconds to listen on the lines (2).", "S")] = None,
) -> int:
    """Say why no data arrives or why it is lost, and how to mend it."""
    from services.cli.doctor import run as command

    return command.run(config, timeout, as_json=json)


@app.command()
def simulate(
    schedules: Annotated[Text, _option("--schedules", "How many (300).", "N")] = None,
    seed: Annotated[Text, _option("--seed", "Of the first; each next one is one more (1).", "S")] = None,
    json: Annotated[bool, _option("--json", "One JSON document on the standard output.")] = False,
    trace: Annotated[bool, _option("--trace", "Replay one schedule, step by step.")] = False,
    jobs: Annotated[Text, _option("--jobs", "Processes (as many as there are CPUs).", "N")] = None,
) -> int:
    """Try to break the cores: seeded schedules of faults under a virtual clock and network."""
    from services.cli import simulate as command

    return command.simulate(command.options(schedules, seed, jobs, as_json=json, trace=trace))


@app.command()
def verify(
    path: Annotated[list[str], typer.Argument(metavar="PATH …", help="Recordings: files and folders.")],
    json: Annotated[bool, _option("--json", "One JSON document on the standard output.")] = False,
) -> int:
    """Audit recordings with the cores that run live, and say how much can be trusted."""
    from services.cli import verify as command

    return command.run(path, as_json=json)


@app.command()
def capture(
    file: Annotated[str, typer.Argument(metavar="FILE.pcap", help="Replaced if it is there.")],
    duration: Annotated[Text, _option("--duration", "Seconds; without it until Ctrl-C.", "S")] = None,
    max_mib: Annotated[Text, _option("--max-mib", "End at this size.", "N")] = None,
    config: Annotated[Text, _option("--config", "Folder of configuration files (config).", "DIR")] = None,
) -> int:
    """Write HFTP as it is received, for Wireshark (scripts/wireshark) and to be replayed."""
    from services.cli import capture as command

    return command.run(file, duration, max_mib, config)


@app.command()
def digest(
    paths: Annotated[list[str], typer.Argument(metavar="PATH …", help="A recording: files and folders.")],
    compare: Annotated[bool, _option("--compare", "Name the first event that differs between two traces.")] = False,
    trace: Annotated[Text, _option("--trace", "Write every link there, to be compared.", "FILE")] = None,
    config: Annotated[Text, _option("--config", "Folder of configuration files (config).", "DIR")] = None,
    json: Annotated[bool, _option("--json", "One JSON document, as always.")] = False,
) -> int:
    """Print the hash chains of a recording: equal to those of `up --source PATH --digest FILE`."""
    from services.cli import digest as command

    if compare:
        return command.compare(paths, as_json=json)
    return command.run(paths, trace, config)


@app.command()
def features(
    path: Annotated[list[str], typer.Argument(help="A recording: files and folders.")],
    symbol: Annotated[str, _option("--symbol", "Canonical, as BTC-USDT.", "S")],
    to: Annotated[str, _option("--to", "The Parquet file.", "FILE.parquet")],
) -> int:
    """Compute every feature at every completed event of a recording, for a notebook."""
    from services.cli import features as command

    return command.run(path, symbol, to)


@app.command()
def plot(
    what: Annotated[str, typer.Argument(help="features.")],
    path: Annotated[list[str], typer.Argument(help="A recording: files and folders.")],
    symbol: Annotated[str, _option("--symbol", "Canonical, as BTC-USDT.", "S")],
    to: Annotated[str, _option("--to", "The picture.", "FILE.png|html")],
    begin: Annotated[Text, _option("--from", "ISO 8601 (UTC), or µs since the epoch.", "TIME")] = None,
    end: Annotated[Text, _option("--until", "The same.", "TIME")] = None,
    exchange: Annotated[Text, _option("--exchange", "Where several have the symbol.", "NAME")] = None,
) -> int:
    """Draw price and every feature of a recording over time."""
    from services.cli import plots as command

    if what != "features":
        raise ConfigError("command line", "WHAT", "features", f'"{what}"')
    return command.run(path, symbol, to, begin, end, exchange)


@app.command()
def train(
    what: Annotated[str, typer.Argument(help="microprice.")],
    path: Annotated[list[str], typer.Argument(help="A recording: files and folders.")],
    symbol: Annotated[str, _option("--symbol", "Canonical, as BTC-USDT.", "S")],
    to: Annotated[str, _option("--to", "The table.", "FILE.json")],
    exchange: Annotated[Text, _option("--exchange", "Whose book (binance).", "NAME")] = None,
    buckets: Annotated[Text, _option("--buckets", "Of the imbalance (10).", "N")] = None,
    spreads: Annotated[Text, _option("--spreads", "In ticks; wider ones count as the last (4).", "N")] = None,
) -> int:
    """Fit to a recording what features need: the table of a symbol's microprice."""
    from services.cli import train as command

    if what != "microprice":
        raise ConfigError("command line", "WHAT", "microprice", f'"{what}"')
    return command.run(path, symbol, exchange, to, buckets, spreads)


@app.command()
def bench(
    name: Annotated[
        str, typer.Argument(help="books, ring, receive, features, nbbo, publish, pipe, …, shards, scale or all.")
    ],
    json: Annotated[bool, _option("--json", "One JSON document on the standard output.")] = False,
    full: Annotated[bool, _option("--full", "Three times as many repeats.")] = False,
    to: Annotated[Text, _option("--to", "Write the tables there as Markdown.", "FILE")] = None,
    plots: Annotated[Text, _option("--plots", "Draw the sweeps of scale there, a PNG each.", "FOLDER")] = None,
) -> int:
    """Measure beside named references in the same run, from a checkout."""
    from services.cli import bench as command

    return command.run(name, as_json=json, full=full, to=to, plots=plots)


@app.command()
def warm() -> int:
    """Compile every kernel now, so that nothing waits for it later."""
    from services.cli import warm as command

    return command.run()


@app.command()
def version() -> None:
    """Print the version."""
    from libs.version import version as found

    print(found())


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Returns
    -------
    int
        The exit status of cli.md.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["up"]:
        from services.cli.arguments import spread_sources

        arguments = spread_sources(arguments)
    command = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    name = f"crossbook {command}".strip()
    try:
        result = typer.main.get_command(app).main(arguments, prog_name="crossbook", standalone_mode=False)
        return int(result or 0)
    except CrossbookError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_status
    except TyperException as error:
        if text := error.format_message():
            print(f"{name}: {' '.join(text.split())}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
