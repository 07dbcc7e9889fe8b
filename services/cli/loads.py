"""The command that loads a stack, `crossbook soak`; what it does is imported when it runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Text = str | None


def _option(name: str, help_text: str, metavar: str = "") -> Any:
    return typer.Option(name, help=help_text, metavar=metavar or None, show_default=False)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(soak)


def soak(
    scenario: Annotated[Text, _option("--scenario", "smoke, load, stress, spike or soak (soak).", "NAME")] = None,
    duration: Annotated[Text, _option("--duration", "Seconds (soak: 3600).", "S")] = None,
    rate: Annotated[Text, _option("--rate", "Messages a second (as it is).", "N")] = None,
    symbols: Annotated[Text, _option("--symbols", "Of a stack of its own (20).", "N")] = None,
    faults: Annotated[bool, _option("--faults", "Break things on purpose, by a schedule.")] = False,
    seed: Annotated[Text, _option("--seed", "Of the schedule and the market (1).", "N")] = None,
    p99: Annotated[Text, _option("--p99-ms", "Limit of UDP to signal (50).", "MS")] = None,
    attach: Annotated[bool, _option("--attach", "Only against a stack that runs; never start one.")] = False,
    own: Annotated[bool, _option("--own", "Always start a stack for the test, whatever runs.")] = False,
    report: Annotated[Text, _option("--report", "Folder of the verdict (var/soak/TIME).", "DIR")] = None,
    json: Annotated[bool, _option("--json", "One JSON document on the standard output.")] = False,
    config: Annotated[Text, _option("--config", "Folder of the running stack's configuration.", "DIR")] = None,
) -> int:
    """Load test a stack: k6 probes and judges; exit 1 when a threshold is crossed."""
    from services.cli.soak import command

    words = {"scenario": scenario, "duration": duration, "rate": rate, "symbols": symbols, "seed": seed, "p99": p99}
    return command.run(words, command.Flags(faults, attach, own, report, config, json))
