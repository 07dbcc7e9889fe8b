"""What a panel asks and how it is drawn, as plain tuples, and the few shapes of query that nearly all of them have."""

from __future__ import annotations

from typing import NamedTuple

SELECT = 'job=~"$job",instance=~"$instance"'
RATE = "$__rate_interval"
LATENCY = "md_e2e_latency_seconds"
GOAL_S = 0.005
"""UDP to signal: the line that is drawn in red."""
BUDGET_S = 0.05
"""The bound of the error budget (prometheus/rules)."""


class Query(NamedTuple):
    """One PromQL query and how its series are named."""

    expression: str
    legend: str = "__auto"
    exemplars: bool = False


class View(NamedTuple):
    """One panel.

    Attributes
    ----------
    title, says : str
    unit : str
        Grafana's id.
    queries : tuple of Query
    kind : str
        timeseries, stat, heatmap or states (a state timeline of 0 and 1).
    width : int
        Of 24.
    red_above, red_below : float, optional
        Where the value turns red; drawn as a line over time.
    alerts : tuple of str
        Alerts that watch what is shown: each has a page in prometheus/runbooks.
    """

    title: str
    says: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 8
    red_above: float | None = None
    red_below: float | None = None
    alerts: tuple[str, ...] = ()


Rows = dict[str, list[View]]


class Board(NamedTuple):
    """One dashboard; ``choices``: variables of its own, as (name, label, query), one value at a time."""

    uid: str
    title: str
    rows: Rows
    choices: tuple[tuple[str, str, str], ...] = ()


def rate(metric: str, by: str = "", more: str = "") -> str:
    """Return the summed per-second rate of a counter, by labels."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{SELECT}{more}}}[{RATE}]))"


def quantile(q: float, metric: str, by: str = "", more: str = "") -> str:
    """Return a quantile of a classic histogram whose buckets are merged first, by labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{{{SELECT}{more}}}[{RATE}])))"


def level(metric: str, by: str = "", more: str = "") -> str:
    """Return the sum of a gauge, by labels."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} ({metric}{{{SELECT}{more}}})"


def rates(*counters: tuple[str, str, str]) -> tuple[Query, ...]:
    """Return queries of (metric, by, legend)."""
    return tuple(Query(rate(metric, by), legend) for metric, by, legend in counters)


def levels(*gauges: tuple[str, str, str]) -> tuple[Query, ...]:
    """Return queries of (metric, by, legend)."""
    return tuple(Query(level(metric, by), legend) for metric, by, legend in gauges)


def heat(title: str, path: str, says: str, width: int = 12) -> View:
    """Return the heatmap of a path's latency."""
    query = Query(f'sum by (le) (rate({LATENCY}_bucket{{{SELECT},path="{path}"}}[{RATE}]))', "{{le}}")
    return View(title, says, "s", (query,), "heatmap", width)


def tail(metric: str, more: str = "", by: str = "", legend: str = "") -> tuple[Query, ...]:
    """Return p50, p99 and p99.9 of a histogram; p99 with its exemplars."""
    lead = f"{legend} " if legend else ""
    return tuple(
        Query(quantile(q, metric, by, more), f"{lead}p{label}", exemplars=label == "99")
        for q, label in ((0.5, "50"), (0.99, "99"), (0.999, "99.9"))
    )
