-- What an event's book alone decides. NULL: a band reaches past the levels that were recorded ($1 a side), so that
-- nothing can be said.
CREATE MACRO ratio(a, b) AS CASE WHEN a + b = 0 THEN nan() ELSE (a - b)::DOUBLE / (a + b)::DOUBLE END;
CREATE MACRO top(sizes) AS coalesce(list_sum(sizes[1:20]), 0)::HUGEINT;

CREATE TABLE bands AS
WITH banded AS (
    SELECT exchange, symbol, n, bps,
           list_filter(list_zip(bp, bq), lambda l: 20000 * l[1] >= (bp[1] + ap[1]) * (10000 - bps)) AS bids,
           list_filter(list_zip(ap, aq), lambda l: 20000 * l[1] <= (bp[1] + ap[1]) * (10000 + bps)) AS asks,
           len(bp) AS all_bids, len(ap) AS all_asks, len(bp) > 0 AND len(ap) > 0 AS two_sided
    FROM events, (VALUES (10), (20)) AS b(bps)
)
SELECT exchange, symbol, n, bps, two_sided,
       len(bids) < all_bids OR all_bids < $1 AS bids_known, len(asks) < all_asks OR all_asks < $1 AS asks_known,
       coalesce(list_sum(list_transform(bids, lambda l: l[2])), 0)::HUGEINT AS bid_volume,
       coalesce(list_sum(list_transform(asks, lambda l: l[2])), 0)::HUGEINT AS ask_volume,
       coalesce(list_sum(list_transform(bids, lambda l: l[1] * l[2])), 0)::HUGEINT AS bid_worth,
       coalesce(list_sum(list_transform(asks, lambda l: l[1] * l[2])), 0)::HUGEINT AS ask_worth
FROM banded;

CREATE MACRO volume(known, two_sided, sum, unit) AS
    CASE WHEN NOT two_sided THEN nan() WHEN known THEN value(sum, unit) END;

CREATE TABLE present AS
SELECT e.exchange, e.symbol, e.n, two_sided,
       bp[1] + ap[1] AS twice_mid,
       CASE WHEN two_sided THEN value((bp[1] * aq[1] + ap[1] * bq[1])::DOUBLE / (bq[1] + aq[1])::DOUBLE, price_unit)
            ELSE nan() END AS wap,
       ratio(top(bq), top(aq)) AS order_book_imbalance,
       CASE WHEN NOT two_sided THEN nan()
            WHEN ten.bids_known AND ten.asks_known THEN ratio(ten.bid_worth, ten.ask_worth) END AS liquidity_imbalance,
       CASE WHEN two_sided THEN ratio(bq[1], aq[1]) ELSE nan() END AS queue_imbalance,
       CASE WHEN two_sided THEN value(ap[1] - bp[1], price_unit) ELSE nan() END AS spread,
       CASE WHEN two_sided THEN (20000 * (ap[1] - bp[1]))::DOUBLE / (ap[1] + bp[1])::DOUBLE ELSE nan() END AS spread_bps,
       volume(ten.bids_known, two_sided, ten.bid_volume, size_unit) AS bid_volume_10bps,
       volume(ten.asks_known, two_sided, ten.ask_volume, size_unit) AS ask_volume_10bps,
       volume(twenty.bids_known, two_sided, twenty.bid_volume, size_unit) AS bid_volume_20bps,
       volume(twenty.asks_known, two_sided, twenty.ask_volume, size_unit) AS ask_volume_20bps
FROM events e
JOIN (SELECT * FROM bands WHERE bps = 10) ten USING (exchange, symbol, n)
JOIN (SELECT * EXCLUDE two_sided FROM bands WHERE bps = 20) twenty USING (exchange, symbol, n);
