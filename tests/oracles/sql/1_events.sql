-- Completed events in order, their levels as whole numbers of one unit a book, and the stretch of validity of each.
CREATE MACRO value(mantissa, exponent) AS
    CASE WHEN exponent < 0 THEN mantissa::DOUBLE / pow(10.0, -exponent) ELSE mantissa::DOUBLE * pow(10.0, exponent) END;
CREATE MACRO whole(mantissas, exponent, unit) AS
    list_transform(mantissas, lambda x: x::HUGEINT * (10 ** (exponent - unit))::HUGEINT);
CREATE MACRO nan() AS 'NaN'::DOUBLE;

CREATE TABLE unit AS
SELECT exchange, symbol, min(price_exponent) AS price_unit, min(size_exponent) AS size_unit
FROM (SELECT exchange, symbol, price_exponent, size_exponent FROM book
      UNION ALL SELECT exchange, symbol, NULL, size_exponent FROM trades)
GROUP BY ALL;

-- A book stops being valid after the sequence that its row of status names.
CREATE TABLE ends AS
SELECT exchange, symbol, sequence FROM status WHERE kind = 'invalid';

CREATE TABLE events AS
WITH placed AS (
    SELECT b.exchange, b.symbol, b.sequence, b.feed_ts_us AS t, b.flags, price_unit, size_unit,
           whole(bid_prices, price_exponent, price_unit) AS bp, whole(bid_sizes, size_exponent, size_unit) AS bq,
           whole(ask_prices, price_exponent, price_unit) AS ap, whole(ask_sizes, size_exponent, size_unit) AS aq,
           (SELECT count(*) FROM ends e
            WHERE e.exchange = b.exchange AND e.symbol = b.symbol AND e.sequence < b.sequence) AS stretch
    FROM book b JOIN unit USING (exchange, symbol)
)
SELECT *, row_number() OVER (PARTITION BY exchange, symbol ORDER BY sequence) AS n,
       min(t) OVER (PARTITION BY exchange, symbol, stretch) AS since
FROM placed;
