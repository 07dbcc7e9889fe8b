-- The past: a window W is (t - W, t] over what was processed up to the event, a lag the last event at or before t - lag.
CREATE TABLE last_of_time AS
SELECT exchange, symbol, stretch, t, max(n) AS n FROM events GROUP BY ALL;

CREATE TABLE spans AS
SELECT e.exchange, e.symbol, e.n, e.stretch, e.t, span, e.since <= e.t - span AS known, l.n AS before
FROM (SELECT *, t - span AS due FROM events, (VALUES (100000), (200000), (300000), (1000000), (60000000)) AS s(span)) e
ASOF LEFT JOIN last_of_time l
  ON e.exchange = l.exchange AND e.symbol = l.symbol AND e.stretch = l.stretch AND e.due >= l.t;

CREATE TABLE lagged AS
SELECT s.exchange, s.symbol, s.n,
       max(CASE WHEN span = 100000 THEN CASE WHEN known THEN p.wap ELSE nan() END END) AS wap_100ms,
       max(CASE WHEN span = 200000 THEN CASE WHEN known THEN p.wap ELSE nan() END END) AS wap_200ms,
       max(CASE WHEN span = 300000 THEN CASE WHEN known THEN p.wap ELSE nan() END END) AS wap_300ms
FROM spans s
LEFT JOIN present p ON p.exchange = s.exchange AND p.symbol = s.symbol AND p.n = s.before
GROUP BY ALL;

CREATE TABLE flows AS
SELECT f.exchange, f.symbol, f.n, f.rank, value(f.total, size_unit) AS total,
       CASE WHEN s.known THEN value(f.total - b.total, size_unit) ELSE nan() END AS in_window
FROM flow f
JOIN spans s ON s.exchange = f.exchange AND s.symbol = f.symbol AND s.n = f.n AND s.span = 1000000
JOIN unit u ON u.exchange = f.exchange AND u.symbol = f.symbol
LEFT JOIN flow b ON b.exchange = f.exchange AND b.symbol = f.symbol AND b.rank = f.rank AND b.n = s.before;

CREATE TABLE volatility AS
SELECT s.exchange, s.symbol, s.n,
       max(CASE WHEN span = 1000000 THEN CASE WHEN known THEN root ELSE nan() END END) AS realized_vol_1s,
       max(CASE WHEN span = 60000000 THEN CASE WHEN known THEN root ELSE nan() END END) AS realized_vol_60s
FROM (
    SELECT s.exchange, s.symbol, s.n, s.span, any_value(s.known) AS known, sqrt(coalesce(fsum(r.squared), 0)) AS root
    FROM spans s
    LEFT JOIN returns r ON r.exchange = s.exchange AND r.symbol = s.symbol AND r.stretch = s.stretch
                       AND r.n > s.before AND r.n <= s.n
    WHERE s.span >= 1000000
    GROUP BY s.exchange, s.symbol, s.n, s.span
) s
GROUP BY ALL;
