"""Dashboards and rules beside what services measure and what is provisioned (the rest: scripts.check_dashboards)."""

from __future__ import annotations

import re

import yaml

from scripts.dashboard_checks.problems import read_boards, targets
from scripts.dashboard_checks.queries import read_rules
from services.consumer import series as consumer
from services.oms import metrics as oms
from services.signals import metrics as signals
from tests.source import ROOT


def test_queries_name_paths_that_are_measured() -> None:
    """A latency query asks for stages that some service measures; a stage's name has one spelling."""
    measured = {*consumer.PATHS, signals.PATH, oms.PATH}
    asked = [target["expr"] for board in read_boards().values() for _, target in targets(board)]
    for expression in [*asked, *(rule["expr"] for rule in read_rules())]:
        for names in re.findall(r'path=~?"([^"]+)"', expression):
            assert set(names.split("|")) <= measured, expression


def test_grafana_knows_the_scrape_interval() -> None:
    """The source's interval is the scrape interval, or $__rate_interval would be too short."""
    provisioned = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())
    scrape = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())["global"]["scrape_interval"]
    assert provisioned["datasources"][0]["jsonData"]["timeInterval"] == scrape
