"""The page of metrics is what the catalogue says, and no page names a metric that does not exist."""

from __future__ import annotations

import re

from libs.telemetry.catalogue import BY_NAME
from libs.telemetry.exposition import LADDER
from scripts.dashboard_checks.queries import base_of, read_rules
from scripts.generate_metrics import FILE, page
from tests.source import ROOT

METRIC = re.compile(
    r"\b(?:md|sig|oms|rec|replay|feeder)_[a-z0-9_]+(?:_total|_seconds|_bytes|_ratio|_usd|_items)(?:_bucket|_count|_sum)?\b"
)


def test_the_page_is_what_the_catalogue_says() -> None:
    """`make dashboards` would change nothing."""
    assert FILE.read_text() == page()


def test_pages_name_metrics_that_exist() -> None:
    """Every README, runbook and note names metrics as they are exported, or recorded by a rule."""
    recorded = {rule["record"] for rule in read_rules() if "record" in rule}
    pages = [path for path in ROOT.rglob("*.md") if not {".venv", "var", ".git"} & set(path.relative_to(ROOT).parts)]
    assert len(pages) > 40
    for path in pages:
        for name in METRIC.findall(path.read_text()):
            assert base_of(name) in BY_NAME or name in {part for one in recorded for part in one.split(":")}, (
                f"{path.relative_to(ROOT)}: {name}"
            )


def test_goals_are_edges() -> None:
    """A share below the goal or within the budget is exact."""
    assert {0.005, 0.05} <= {round(edge, 9) for edge in LADDER}
