"""Panels and dashboards from views, through Grafana's own builders."""

from __future__ import annotations

from itertools import count

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import Dashboard as DashboardModel
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    Threshold,
    ThresholdsMode,
    VariableHide,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from scripts.dashboards.views import Board, Query, View

SOURCE = DataSourceRef(type_val="prometheus", uid="crossbook-prometheus")
HEIGHT = 8
LOW = 4
TAG = "crossbook"
FIRING = 'ALERTS{alertstate="firing"}'

Panel = timeseries.Panel | stat.Panel | heatmap.Panel | statetimeline.Panel


def _target(query: Query, kind: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).datasource(SOURCE)
    if kind == "stat":
        return target.instant()
    target = target.range()
    if query.exemplars:
        target = target.exemplar(True)
    return target.format(PromQueryFormat.HEATMAP) if kind == "heatmap" else target


def _thresholds(view: View) -> dashboard.ThresholdsConfig:
    """Return green up to ``red_above``, or red up to ``red_below``."""
    if view.red_below is not None:
        steps = [Threshold(value=None, color="red"), Threshold(value=view.red_below, color="green")]
    else:
        steps = [Threshold(value=None, color="green")]
        if view.red_above is not None:
            steps.append(Threshold(value=view.red_above, color="red"))
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _timeseries(view: View) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    built = (
        timeseries.Panel()
        .legend(legend.show_legend(True).calcs(["lastNotNull", "max"]))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .show_points(VisibilityMode.NEVER)
        .fill_opacity(8)
        .line_width(1)
    )
    if view.red_above is not None:
        built = built.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return built


def _stat(view: View) -> stat.Panel:
    return stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))


def _states(view: View) -> statetimeline.Panel:
    return statetimeline.Panel().show_value(VisibilityMode.NEVER).merge_values(True).row_height(0.8)


def _heatmap(view: View) -> heatmap.Panel:
    axis = heatmap.YAxisConfig().unit(view.unit)
    colors = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Turbo").steps(64).exponent(0.5)
    return (
        heatmap.Panel().calculate(False).y_axis(axis).color(colors).filter_values(heatmap.FilterValueRange().le(1e-9))
    )


_KINDS = {"timeseries": _timeseries, "stat": _stat, "states": _states, "heatmap": _heatmap}


def described(view: View) -> str:
    """Return a panel's description, with the alerts that watch it and where their pages are."""
    if not view.alerts:
        return view.says
    pages = ", ".join(f"prometheus/runbooks/{name}.md" for name in view.alerts)
    return f"{view.says}\n\nAlerts: {pages}"


def panel(view: View) -> Panel:
    """Build the panel of a view."""
    built: Panel = _KINDS[view.kind](view)
    built = built.title(view.title).description(described(view)).unit(view.unit).datasource(SOURCE)
    built = built.span(view.width).height(LOW if view.kind == "stat" else HEIGHT)
    if view.kind != "heatmap":
        built = built.thresholds(_thresholds(view))
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


def _choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """Return a variable of which one value is shown at a time."""
    chosen = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query)
    return chosen.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).hide(VariableHide.DONT_HIDE)


def _alerts() -> dashboard.AnnotationQuery:
    """Return the marks that every panel shows while an alert fires."""
    return dashboard.AnnotationQuery().name("Alerts").datasource(SOURCE).enable(True).icon_color("red").expr(FIRING)


def _others() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Crossbook").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(True).keep_time(True)


def build(board: Board) -> DashboardModel:
    """Build a dashboard of titled rows."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags([TAG])
        .readonly()
        .refresh("5s")
        .time("now-15m", "now")
        .timezone("browser")
        .annotation(_alerts())
        .link(_others())
        .with_variable(_variable("job", "Job", 'label_values(up{job=~"md-.+"}, job)'))
        .with_variable(_variable("instance", "Instance", 'label_values(up{job=~"$job"}, instance)'))
    )
    for choice in board.choices:
        built = built.with_variable(_choice(*choice))
    ids = count(1)
    for name, views in board.rows.items():
        built = built.with_row(dashboard.Row(name).id(next(ids)))
        for view in views:
            built = built.with_panel(panel(view).id(next(ids)))
    return built.build()
