"""Books, consolidated quotes, features of the watch list, and what is predicted from them."""

from __future__ import annotations

from scripts.dashboards.views import RATE, SELECT, Board, Query, View, level, levels, rate, rates

BPS = "suffix: bps"

_BOOKS = [
    View(
        "Books",
        "Books that are listed, valid, and stale, mute or halted, by exchange.",
        "none",
        levels(
            ("md_active_symbols", "exchange", "{{exchange}} listed"),
            ("md_valid_books", "exchange", "{{exchange}} valid"),
            ("md_stale_symbols", "exchange", "{{exchange}} stale"),
        ),
        alerts=("MdBooksInvalid",),
    ),
    View(
        "Venue's last update",
        "Seconds since the scheduled send of the last message of each exchange.",
        "s",
        (
            Query(
                f"time() - (max by (exchange) (md_book_last_update_timestamp_seconds{{{SELECT}}}) > 0)", "{{exchange}}"
            ),
        ),
        red_above=5.0,
        alerts=("MdVenueStale",),
    ),
    View(
        "Events",
        "Book events completed, by exchange; events that left a book crossed.",
        "ops",
        rates(
            ("md_book_updates_total", "exchange", "{{exchange}}"),
            ("md_crossed_events_total", "exchange", "{{exchange}} crossed"),
        ),
    ),
    View(
        "Updates by kind",
        "Level changes and trades applied.",
        "ops",
        rates(("md_messages_total", "exchange, type", "{{exchange}} {{type}}")),
    ),
    View(
        "Features",
        "Rows computed, with a window cut short, and messages whose feed time went back.",
        "ops",
        rates(
            ("md_feature_rows_total", "", "rows"),
            ("md_feature_rows_cut_total", "", "cut"),
            ("md_feed_time_back_total", "channel", "{{channel}} time went back"),
        ),
    ),
    View(
        "NBBO rows",
        "Changes of a consolidated quote.",
        "ops",
        rates(("md_nbbo_updates_total", "", "changes")),
    ),
]

_NBBO = [
    View(
        "Consolidated quotes by state",
        "Symbols whose quote is normal, locked, crossed, one-sided, or not to be had.",
        "none",
        (Query(level("md_nbbo_symbols", "state"), "{{state}}"),),
        alerts=("MdNbboCrossed",),
    ),
    View(
        "Symbols locked or crossed at once",
        "Feed time that quotes spent in these states, a second: so many symbols were in them, on average.",
        "none",
        (
            Query(
                f'sum by (state) (deriv(md_nbbo_state_seconds{{{SELECT},state!~"normal|none"}}[{RATE}]))', "{{state}}"
            ),
        ),
    ),
    View(
        "Books left out",
        "Of their consolidated quote, by reason.",
        "none",
        (Query(level("md_nbbo_excluded", "reason"), "{{reason}}"),),
    ),
    View(
        "Arbitrage",
        "Opportunities opened, real after fees and clock uncertainty, closed; rows that found their queue full.",
        "ops",
        rates(("md_arbitrage_total", "phase", "{{phase}}"), ("md_arbitrage_dropped_total", "", "rows dropped")),
        width=12,
    ),
    View(
        "Real opportunities of those opened",
        "Share over 5 min: what is left of crossed quotes after fees and the uncertainty of clocks.",
        "percentunit",
        (
            Query(
                f'sum(increase(md_arbitrage_total{{{SELECT},phase="real"}}[5m]))'
                f' / (sum(increase(md_arbitrage_total{{{SELECT},phase="opened"}}[5m])) > 0) or vector(0)',
                "real",
            ),
        ),
        width=12,
    ),
]


def _feature(name: str, title: str, says: str, unit: str) -> View:
    query = Query(f'md_watch_feature{{{SELECT},symbol="$symbol",feature="{name}"}}', "{{exchange}}")
    return View(title, says, unit, (query,), width=8)


_WATCHED = [
    View(
        "Consolidated best prices",
        "Of the watch list (`watch` of config/consumer.toml), while both sides are valid.",
        "none",
        (Query(f'md_watch_price{{{SELECT},symbol="$symbol"}}', "{{side}}"),),
    ),
    View(
        "Consolidated spread",
        "Over mid; below 0 the quote is crossed.",
        BPS,
        (Query(f"10000 * md_watch_spread_ratio{{{SELECT}}}", "{{symbol}}"),),
    ),
    _feature("spread_bps", "Spread by exchange", "Of each book, while it is valid.", BPS),
    _feature("order_book_imbalance", "Order book imbalance", "From -1, all asks, to 1, all bids.", "none"),
    _feature("order_flow_imbalance", "Order flow imbalance", "Of the window that markets.md defines.", "none"),
    _feature("trade_flow_imbalance", "Trade flow imbalance", "Bought less sold, of all that was traded.", "none"),
    _feature("realized_vol_1s", "Realised volatility, 1 s", "Root of summed squared returns of a second.", "none"),
    View(
        "Predicted return",
        "15 s ahead, of the watch list of config/signals.toml.",
        BPS,
        (Query(f'10000 * sig_watch_prediction_ratio{{{SELECT},symbol="$symbol"}}', "{{exchange}}"),),
    ),
    View(
        "Signals",
        "Emitted, by side.",
        "ops",
        rates(("sig_signals_total", "model, side", "{{side}} {{model}}")),
    ),
]

_MODEL = [
    View(
        "Correlation of prediction and outcome",
        "Rolling, over the predictions whose 15 s are over; not a number before there are any.",
        "none",
        (
            Query(f"sig_rolling_ic_ratio{{{SELECT}}}", "correlation {{model}}"),
            Query(f"sig_rolling_hit_ratio{{{SELECT}}} - 0.5", "right signs above half {{model}}"),
        ),
        alerts=("SigIcDecay",),
    ),
    View(
        "Calibration",
        "Realised over predicted error: 1 is right, above 1 the model is too sure.",
        "none",
        (Query(f"sig_rolling_calibration_ratio{{{SELECT}}}", "{{model}}"),),
    ),
    View(
        "Predictions scored",
        "Settled, dropped and void, 15 s later.",
        "ops",
        rates(("sig_predictions_scored_total", "outcome", "{{outcome}}")),
    ),
    View("Rows read", "Features rows that came.", "ops", (Query(rate("sig_rows_total"), "rows"),)),
    View(
        "Rows without a signal",
        "Rows that gave no prediction, by reason.",
        "ops",
        rates(("sig_skipped_total", "reason", "{{reason}}")),
    ),
    View(
        "Inputs that are not a number",
        "By feature.",
        "ops",
        rates(("sig_feature_nan_total", "feature", "{{feature}}")),
        alerts=("SigFeatureNan",),
    ),
]

BOARD = Board(
    "crossbook-market",
    "Crossbook: market",
    {"Books": _BOOKS, "NBBO": _NBBO, "Watch list: $symbol": _WATCHED, "Model": _MODEL},
    (("symbol", "Symbol", 'label_values(md_watch_price{job=~"$job"}, symbol)'),),
)
