"""Alerts: each has a page and a dashboard, is tested firing and not firing, and its tests notice when it changes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from scripts.dashboard_checks.queries import read_rules
from scripts.generate_dashboards import BOARDS
from scripts.observed.server import shortened
from services.cli.__main__ import app
from services.cli.each import SERVICES
from tests.needs import needs_promtool
from tests.source import ROOT

PROMETHEUS = ROOT / "prometheus"
RUNBOOKS = PROMETHEUS / "runbooks"
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in read_rules() if "alert" in rule}
FILES = sorted(path.stem for path in (PROMETHEUS / "rules").glob("*.yml") if path.stem != "recording")
HEADINGS = ["## What it means", "## What to look at", "## What to do"]


def cases() -> list[dict[str, Any]]:
    files = sorted((PROMETHEUS / "tests").glob("*.yml"))
    return [
        case
        for path in files
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["promql_expr_test"]
    ]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    """A page has what it means, what to look at and what to do, each with something under it; the index names all."""
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == set(ALERTS)
    index = (RUNBOOKS / "README.md").read_text()
    for name in pages:
        text = (RUNBOOKS / f"{name}.md").read_text()
        assert re.findall(r"^## .*$", text, re.M) == HEADINGS, name
        assert all(len(part.strip()) > 30 for part in re.split(r"^## .*$", text, flags=re.M)[1:]), name
        looks = text.split(HEADINGS[1])[1].split("## ")[0]
        assert all(line.startswith("    ") for line in looks.splitlines() if line), f"{name}: commands stand indented"
        assert "{{ $" not in text, f"{name}: a template's variable"
        assert f"[{name}]({name}.md) | {ALERTS[name]['labels']['severity']} |" in index


def test_pages_name_commands_files_and_pages_that_exist() -> None:
    """`crossbook x` is a command, a path of the checkout is there, and a link leads to a page."""
    commands = set(get_command(app).list_commands(None)) | set(SERVICES)  # type: ignore[attr-defined, arg-type]
    for path in RUNBOOKS.glob("*.md"):
        text = path.read_text()
        assert set(re.findall(r"crossbook ([a-z-]+)", text)) <= commands, path.name
        for linked in re.findall(r"\]\((\w+)\.md\)", text):
            assert linked in ALERTS, f"{path.name}: {linked}"
        for file in re.findall(r"`((?:config|prometheus|scripts)/[\w/.-]+)`", text):
            assert (ROOT / file).exists(), f"{path.name}: {file}"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_is_wrong_and_where_to_go(name: str) -> None:
    """Severity, a summary that names a value or a subject, a description, its page, and a dashboard that exists."""
    rule = ALERTS[name]
    notes = rule["annotations"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(notes) == {"summary", "description", "runbook_url", "dashboard"}
    assert notes["runbook_url"] == f"prometheus/runbooks/{name}.md"
    assert notes["dashboard"].removeprefix("/d/").partition("?")[0] in {board.uid for board in BOARDS}
    assert len(notes["description"]) > 40


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tested_both_ways(name: str) -> None:
    """One case in which it fires and one near miss in which it does not."""
    mine = [case["exp_samples"] for case in cases() if f'alertname="{name}"' in case["expr"]]
    assert any(mine) and not all(mine), mine


def test_recording_rules_are_named_by_level_metric_and_operation() -> None:
    """level:metric:operation, as the field does."""
    recorded = [rule["record"] for rule in read_rules() if "record" in rule]
    assert recorded
    assert all(re.fullmatch(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", name) for name in recorded)


def _turned(expression: str) -> str:
    """Return an expression whose first comparison is turned round."""
    return re.sub(
        r"==|>|<|absent", lambda found: {"==": "!=", ">": "<", "<": ">", "absent": "present_over_time"}[found[0]],
        expression, count=1,
    )  # fmt: skip


def _holds(folder: Path, file: str, rule: dict[str, Any]) -> bool:
    """Return whether an alert passes its own cases: those that bear its name."""
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}))
    head, *written = re.split(r"^  - name: ", (PROMETHEUS / "tests" / f"{file}_test.yml").read_text(), flags=re.M)
    own = [f"  - name: {case}" for case in written if case.startswith(f"{rule['alert']},")]
    text = head.replace(f"../rules/{file}.yml", "rules.yml")
    (folder / "tests.yml").write_text("".join([text, *own]))
    command = ["promtool", "test", "rules", "tests.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60).returncode == 0


@needs_promtool
@pytest.mark.parametrize("file", FILES)
def test_a_changed_alert_fails_its_test(file: str, tmp_path: Path) -> None:
    """Each alert with its comparison turned round, and with a wait of two hours, is noticed by its own cases."""
    groups = yaml.safe_load((PROMETHEUS / "rules" / f"{file}.yml").read_text())["groups"]
    for rule in (one for group in groups for one in group["rules"]):
        assert _holds(tmp_path, file, rule), rule["alert"]
        for change in ({"expr": _turned(rule["expr"])}, {"for": "2h"}):
            assert not _holds(tmp_path, file, rule | change), f"{rule['alert']}: {change}"


def test_shorter_rules_wait_less_and_ask_the_same() -> None:
    """Waits and windows are divided, down to what a missed scrape does not upset; thresholds stay."""
    rules = "expr: rate(x[5m]) > 300 and y[30s] == 0\n        for: 10s\n"
    assert shortened(rules, 6) == "expr: rate(x[50s]) > 300 and y[5s] == 0\n        for: 3s\n"
    assert shortened("for: 2s\n", 6) == "for: 2s\n"
    assert shortened(rules, 1) == rules
