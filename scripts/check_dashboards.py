"""Check the dashboards: `make panels`, part of `make check`.

Statically: they are what the generator writes, Grafana's model knows every key, every query parses and asks for what is
exported in the way its kind allows, and every exported metric is shown. Live: the real services run under load, a real
Prometheus scrapes them, and every query of every panel is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import yaml

from scripts.dashboard_checks import live, model, queries
from scripts.dashboard_checks.problems import BOARDS, ROOT, Json, Problem, panels, read_boards, targets
from scripts.generate_dashboards import render


def source_uid() -> str:
    """Return the uid of the provisioned data source."""
    provisioned = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())
    return str(provisioned["datasources"][0]["uid"])


def generated(folder: Path) -> list[Problem]:
    """Return in which panels the committed JSON differs from what the generator writes."""
    wanted = render()
    strange = [path.name for path in folder.glob("*.json") if path.name not in wanted]
    found = [Problem(name, "(dashboard)", "generated", "no board of scripts/dashboards") for name in strange]
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file():
            found.append(Problem(name, "(dashboard)", "generated", "is not there; run make dashboards"))
        elif path.read_text() != text:
            found += _differing(name, json.loads(path.read_text()), json.loads(text))
    return found


def _differing(name: str, committed: Json, wanted: Json) -> list[Problem]:
    hint = "edited by hand? change scripts/dashboards, then run make dashboards"
    titles = {panel["id"]: panel for panel in wanted["panels"]}
    found = []
    for panel in committed["panels"]:
        other = titles.pop(panel.get("id"), None)
        if other != panel:
            what = "; ".join(list(model.differences(other or {}, panel))[:3])
            found.append(Problem(name, str(panel.get("title")), "generated", f"{what} ({hint})"))
    found += [Problem(name, str(panel["title"]), "generated", f"is missing ({hint})") for panel in titles.values()]
    return found or [Problem(name, "(dashboard)", "generated", f"differs outside the panels ({hint})")]


def static(boards: dict[str, Json]) -> list[Problem]:
    """Return what is wrong with dashboards and rules, looked at without any service."""
    rules = queries.read_rules()
    recorded = {rule["record"] for rule in rules if "record" in rule}
    found = queries.check_rules(rules)
    for name, board in boards.items():
        found += model.check(name, board, source_uid())
        found += queries.check(name, board, recorded)
    if not any(problem.rule == "target-promql" for problem in found):
        found += queries.coverage(boards, rules)
    return found + queries.check_alerts(boards, rules)


def _drawing(boards: dict[str, Json], folder: Path) -> live.Draw:
    """Return what draws every panel; matplotlib is loaded only for it."""
    from scripts.dashboard_checks import previews

    return lambda api, start_s, end_s: previews.draw(boards, api, start_s, end_s, folder)


def main(argv: list[str] | None = None) -> int:
    """Check, print what is wrong, and say how much was looked at.

    Returns
    -------
    int
        0; 1 when something is wrong; 3 when Prometheus is not here although CI wants it.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--static", action="store_true", help="without services")
    parser.add_argument("--prometheus", metavar="URL", help="ask a Prometheus that scrapes a running stack")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the services run before they are asked")
    parser.add_argument("--previews", type=Path, metavar="DIR", help="also draw every panel")
    arguments = parser.parse_args(argv)
    boards = read_boards()
    found = [*generated(BOARDS), *static(boards)]
    count = sum(len(list(panels(board))) for board in boards.values())
    asked = sum(len(list(targets(board))) for board in boards.values())
    print(f"dashboards: {len(boards)} dashboards, {count} panels, {asked} queries; {len(found)} problems")
    if not arguments.static:
        if arguments.prometheus is None and shutil.which("prometheus") is None:
            print("dashboards: prometheus is not here (Debian: apt-get install prometheus)", file=sys.stderr)
            return 3 if os.environ.get("CI") == "true" else 0
        draw = _drawing(boards, arguments.previews) if arguments.previews else None
        found += live.run(boards, arguments.prometheus, arguments.seconds, draw)
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
