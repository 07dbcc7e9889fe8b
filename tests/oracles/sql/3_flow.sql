-- Order flow by rank (Cont, Kukanov, Stoikov 2014; Xu, Gould, Howison 2019) and squared returns, event by event.
-- A level that is not there is a price of minus infinity (bid) or plus infinity (ask) with size 0.
CREATE MACRO bid_term(p, q, p0, q0) AS CASE WHEN p > p0 THEN q WHEN p = p0 THEN q - q0 ELSE -q0 END;
CREATE MACRO ask_term(p, q, p0, q0) AS CASE WHEN p < p0 THEN q WHEN p = p0 THEN q - q0 ELSE -q0 END;

CREATE TABLE ranked AS
SELECT exchange, symbol, stretch, n, rank,
       coalesce(bp[rank], -1::HUGEINT) AS b, coalesce(bq[rank], 0::HUGEINT) AS qb,
       coalesce(ap[rank], 1e30::HUGEINT) AS a, coalesce(aq[rank], 0::HUGEINT) AS qa
FROM events, range(1, 6) AS r(rank);

CREATE TABLE flow AS
WITH moved AS (
    SELECT exchange, symbol, n, rank,
           bid_term(b, qb, lag(b) OVER w, lag(qb) OVER w) - ask_term(a, qa, lag(a) OVER w, lag(qa) OVER w) AS e
    FROM ranked
    WINDOW w AS (PARTITION BY exchange, symbol, stretch, rank ORDER BY n)
)
-- The event that makes a book valid has no flow.
SELECT exchange, symbol, n, rank,
       sum(coalesce(e, 0)) OVER (PARTITION BY exchange, symbol, rank ORDER BY n ROWS UNBOUNDED PRECEDING) AS total
FROM moved;

-- log(m/m0) = 2 atanh((m - m0)/(m + m0)), whose argument whole numbers decide.
CREATE TABLE returns AS
WITH pairs AS (
    SELECT e.exchange, e.symbol, e.stretch, e.n, e.t, twice_mid AS m, lag(twice_mid) OVER w AS m0,
           two_sided AND lag(two_sided) OVER w AS two_mids
    FROM events e JOIN present p USING (exchange, symbol, n)
    WINDOW w AS (PARTITION BY e.exchange, e.symbol, e.stretch ORDER BY e.n)
)
SELECT exchange, symbol, stretch, n, t,
       CASE WHEN two_mids THEN pow(2 * atanh((m - m0)::DOUBLE / (m + m0)::DOUBLE), 2) ELSE 0 END AS squared
FROM pairs;
