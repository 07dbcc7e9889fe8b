"""The JSON against Grafana's own model: nothing unknown, no value that an enumeration lacks, sane geometry.

The strict round trip finds keys that Grafana does not know; what it leaves alone, the values of enumerations and the
names of panel types and units, is compared here with the types of the SDK.
"""

from __future__ import annotations

import enum
import json
import typing
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import heatmap, stat, statetimeline, timeseries, units
from grafana_foundation_sdk.models.dashboard import Dashboard

from scripts.dashboard_checks.problems import Json, Problem, panels

GRID_WIDTH = 24
TYPES: dict[str, Any] = {
    "timeseries": timeseries,
    "stat": stat,
    "heatmap": heatmap,
    "state-timeline": statetimeline,
}
UNITS = {value for name, value in vars(units).items() if not name.startswith("_") and isinstance(value, str)}


def check(name: str, board: Json, source: str) -> list[Problem]:
    """Return what is wrong with a dashboard's JSON.

    Parameters
    ----------
    name : str
        File.
    board : dict
    source : str
        Uid of the provisioned data source.
    """
    found = [*_round_trip(name, board), *_geometry(name, board), *_dashboard(name, board)]
    for panel in panels(board):
        title = str(panel.get("title", "(no title)"))
        found += [Problem(name, title, rule, what) for rule, what in _panel(panel, source)]
    return found


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Give the places at which two JSON values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from differences(before.get(key, "(absent)"), after.get(key, "(absent)"), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}[{at}]")
    elif before != after:
        yield f"{path.lstrip('.')}: {_short(before)} became {_short(after)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _round_trip(name: str, board: Json) -> Iterator[Problem]:
    try:
        again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield Problem(name, "(dashboard)", "round-trip", f"Grafana's model cannot read it: {error!r}")
        return
    for what in differences(board, again):
        yield Problem(name, _place(board, what), "round-trip", what)


def _place(board: Json, what: str) -> str:
    """Return the title of the panel that a path is in."""
    if not what.startswith("panels["):
        return "(dashboard)"
    return str(board["panels"][int(what[7 : what.index("]")])].get("title", "(no title)"))


def _geometry(name: str, board: Json) -> Iterator[Problem]:
    taken: dict[tuple[int, int], str] = {}
    ids: dict[int, str] = {}
    for panel in board["panels"]:
        title, at = str(panel.get("title", "(no title)")), panel["gridPos"]
        if panel["id"] in ids:
            yield Problem(name, title, "geometry", f"has the id of {ids[panel['id']]!r}")
        ids[panel["id"]] = title
        if at["x"] + at["w"] > GRID_WIDTH or at["w"] < 1 or at["h"] < 1:
            yield Problem(name, title, "geometry", f"expected columns 0 to {GRID_WIDTH}, found {at}")
        cells = [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
        covered = {taken[cell] for cell in cells if cell in taken}
        if covered:
            yield Problem(name, title, "geometry", f"covers {', '.join(sorted(covered))}")
        taken |= dict.fromkeys(cells, title)


def _dashboard(name: str, board: Json) -> Iterator[Problem]:
    def wrong(what: str) -> Problem:
        return Problem(name, "(dashboard)", "dashboard", what)

    if board.get("editable"):
        yield wrong("expected a dashboard that is not editable: it is generated")
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    for expected in ("job", "instance"):
        variable = variables.get(expected)
        if variable is None:
            yield wrong(f"expected a variable {expected}")
            continue
        for key, value in (("type", "query"), ("multi", True), ("allValue", ".+"), ("refresh", 2)):
            if variable.get(key) != value:
                yield wrong(f"variable {expected}: {key}: expected {value!r}, found {variable.get(key)!r}")
        if variable.get("label") != expected.capitalize():
            yield wrong(
                f"variable {expected}: label: expected {expected.capitalize()!r}, found {variable.get('label')!r}"
            )


def unit_of(panel: Json) -> str:
    """Return the unit in which a panel shows its values."""
    if panel["type"] == "heatmap":
        return str(panel["options"]["yAxis"].get("unit", ""))
    return str(panel["fieldConfig"]["defaults"].get("unit", ""))


def _panel(panel: Json, source: str) -> Iterator[tuple[str, str]]:
    if panel.get("type") not in TYPES:
        yield "panel-type", f"expected one of {', '.join(TYPES)}, found {panel.get('type')!r}"
        return
    if not panel.get("title") or not panel.get("description"):
        yield "panel-title-description", "expected a title and a sentence that says what is shown"
    if not panel.get("targets"):
        yield "panel-no-targets", "expected a query"
    for place in (panel, *panel.get("targets", [])):
        if place.get("datasource", {}).get("uid") != source:
            yield "panel-datasource", f"expected {source}, found {place.get('datasource')}"
    unit = unit_of(panel)
    if unit not in UNITS and not unit.startswith(("suffix:", "prefix:")):
        yield "panel-units", f"expected a unit of Grafana's, found {unit!r}"
    yield from _enumerations(panel)


def _enumerations(panel: Json) -> Iterator[tuple[str, str]]:
    """Give values of the panel's options that their enumeration lacks."""
    module = TYPES[panel["type"]]
    custom = panel["fieldConfig"]["defaults"].get("custom")
    read = [("options", module.Options.from_json(panel["options"]))]
    if custom is not None and hasattr(module, "FieldConfig"):
        read.append(("custom", module.FieldConfig.from_json(custom)))
    for where, model in read:
        for path, value, kind in _members(model, where):
            if value not in {member.value for member in kind}:
                known = ", ".join(repr(member.value) for member in kind)
                yield "enumeration", f"{path}: expected one of {known}, found {value!r}"


def _members(model: Any, path: str) -> Iterator[tuple[str, Any, type[enum.Enum]]]:
    """Give (path, value, enumeration) of every attribute whose type is an enumeration, however deep."""
    for name, hint in typing.get_type_hints(type(model)).items():
        value = getattr(model, name, None)
        if value is None:
            continue
        kinds = [k for k in (hint, *typing.get_args(hint)) if isinstance(k, type) and issubclass(k, enum.Enum)]
        if kinds:
            yield f"{path}.{name}", value.value if isinstance(value, enum.Enum) else value, kinds[0]
        elif hasattr(value, "to_json"):
            yield from _members(value, f"{path}.{name}")
