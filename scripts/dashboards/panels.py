"""Panels and dashboards from a few plain tuples, through Grafana's own builders."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import Dashboard as DashboardModel
from grafana_foundation_sdk.models.dashboard import (
    Threshold,
    ThresholdsMode,
    VariableHide,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="crossbook-prometheus")
SELECT = 'job=~"$job",instance=~"$instance"'
RATE = "$__rate_interval"
HEIGHT = 8


class Query(NamedTuple):
    """One PromQL query and how its series are named."""

    expression: str
    legend: str = "__auto"


class View(NamedTuple):
    """One panel: what it asks, how it is drawn, in which unit (Grafana's id) and how wide."""

    title: str
    says: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 12
    red_above: float | None = None


def rate(metric: str, by: str = "", more: str = "") -> str:
    """Return the summed per-second rate of a counter, by labels."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{SELECT}{more}}}[{RATE}]))"


def quantile(q: float, metric: str, by: str = "", more: str = "") -> str:
    """Return a quantile of a classic histogram whose buckets are merged first, by labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{{{SELECT}{more}}}[{RATE}])))"


def _target(query: Query, kind: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).datasource(SOURCE)
    if kind == "stat":
        return target.instant()
    target = target.range()
    return target.format(PromQueryFormat.HEATMAP) if kind == "heatmap" else target


def _thresholds(red_above: float | None) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color="green")]
    if red_above is not None:
        steps.append(Threshold(value=red_above, color="red"))
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _timeseries() -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    return (
        timeseries.Panel()
        .legend(legend.show_legend(True).calcs(["lastNotNull", "max"]))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .show_points(VisibilityMode.NEVER)
        .fill_opacity(8)
        .line_width(1)
    )


def _stat() -> stat.Panel:
    return stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))


def _heatmap(unit: str) -> heatmap.Panel:
    axis = heatmap.YAxisConfig().unit(unit)
    colors = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Turbo").steps(64).exponent(0.5)
    return (
        heatmap.Panel().calculate(False).y_axis(axis).color(colors).filter_values(heatmap.FilterValueRange().le(1e-9))
    )


def panel(view: View) -> timeseries.Panel | stat.Panel | heatmap.Panel:
    """Build the panel of a view."""
    built: timeseries.Panel | stat.Panel | heatmap.Panel
    if view.kind == "stat":
        built = _stat()
    elif view.kind == "heatmap":
        built = _heatmap(view.unit)
    else:
        built = _timeseries()
    built = built.title(view.title).description(view.says).unit(view.unit).datasource(SOURCE)
    built = built.span(view.width).height(4 if view.kind == "stat" else HEIGHT)
    if view.kind != "heatmap":
        built = built.thresholds(_thresholds(view.red_above))
    for query in view.queries:
        built = built.with_target(_target(query, view.kind))
    return built


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    everything = VariableOption(selected=True, text="All", value="$__all")
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(everything)
        .hide(VariableHide.DONT_HIDE)
    )


def build(uid: str, title: str, rows: dict[str, list[View]]) -> DashboardModel:
    """Build a dashboard of titled rows."""
    board = (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["crossbook"])
        .readonly()
        .refresh("5s")
        .time("now-15m", "now")
        .timezone("browser")
        .with_variable(_variable("job", "Job", 'label_values(up{job=~"md-.+"}, job)'))
        .with_variable(_variable("instance", "Instance", 'label_values(up{job=~"$job"}, instance)'))
    )
    ids = count(1)
    for name, views in rows.items():
        board = board.with_row(dashboard.Row(name).id(next(ids)))
        for view in views:
            board = board.with_panel(panel(view).id(next(ids)))
    return board.build()
