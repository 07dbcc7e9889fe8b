-- Prints by aggressor: totals up to an event in the channel's order, and those of the last second of feed time.
CREATE TABLE prints AS
SELECT t.exchange, t.symbol, t.sequence, t.feed_ts_us AS t,
       sum(CASE WHEN side = 'buy' THEN 1 ELSE 0 END) OVER w AS buys,
       sum(CASE WHEN side = 'sell' THEN 1 ELSE 0 END) OVER w AS sells,
       sum(CASE WHEN side = 'buy' THEN size::HUGEINT * (10 ** (size_exponent - size_unit))::HUGEINT ELSE 0 END) OVER w AS bought,
       sum(CASE WHEN side = 'sell' THEN size::HUGEINT * (10 ** (size_exponent - size_unit))::HUGEINT ELSE 0 END) OVER w AS sold
FROM trades t JOIN unit USING (exchange, symbol)
WHERE size > 0
WINDOW w AS (PARTITION BY exchange, symbol ORDER BY sequence ROWS UNBOUNDED PRECEDING);

CREATE TABLE prints_by_time AS
SELECT exchange, symbol, t, max(buys) AS buys, max(sells) AS sells, max(bought) AS bought, max(sold) AS sold
FROM prints GROUP BY ALL;

CREATE TABLE traded AS
WITH so_far AS (
    SELECT e.exchange, e.symbol, e.n, e.flags, e.t - 1000000 AS due, e.since <= e.t - 1000000 AS known,
           coalesce(p.buys, 0) AS buys, coalesce(p.sells, 0) AS sells,
           coalesce(p.bought, 0) AS bought, coalesce(p.sold, 0) AS sold
    FROM events e
    ASOF LEFT JOIN prints p ON e.exchange = p.exchange AND e.symbol = p.symbol AND e.sequence >= p.sequence
), windowed AS (
    SELECT s.*, s.buys - coalesce(b.buys, 0) AS w_buys, s.sells - coalesce(b.sells, 0) AS w_sells,
           s.bought - coalesce(b.bought, 0) AS w_bought, s.sold - coalesce(b.sold, 0) AS w_sold
    FROM so_far s
    ASOF LEFT JOIN prints_by_time b ON s.exchange = b.exchange AND s.symbol = b.symbol AND s.due >= b.t
)
-- Flag 1 << 13: prints were missed, and the window reaches back to that.
SELECT exchange, symbol, n, buys, sells, bought, sold,
       CASE WHEN known AND flags & 8192 = 0 THEN ratio(w_buys, w_sells) ELSE nan() END AS tick_flow_imbalance,
       CASE WHEN known AND flags & 8192 = 0 THEN ratio(w_bought, w_sold) ELSE nan() END AS trade_flow_imbalance
FROM windowed;
