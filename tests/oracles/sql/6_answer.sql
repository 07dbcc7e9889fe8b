-- One row an event, a column a feature, named as in the features stream.
CREATE TABLE answer AS
SELECT e.exchange, e.symbol, e.sequence,
       p.wap AS wap_0ms, l.wap_100ms, l.wap_200ms, l.wap_300ms,
       p.order_book_imbalance, p.liquidity_imbalance, p.queue_imbalance, t.tick_flow_imbalance, t.trade_flow_imbalance,
       p.spread, p.spread_bps, p.bid_volume_10bps, p.ask_volume_10bps, p.bid_volume_20bps, p.ask_volume_20bps,
       f.w1 AS order_flow_imbalance, f.w1 AS ofi_l1, f.w2 AS ofi_l2, f.w3 AS ofi_l3, f.w4 AS ofi_l4, f.w5 AS ofi_l5,
       p.wap AS microprice, v.realized_vol_1s, v.realized_vol_60s,
       t.buys::DOUBLE AS total_buy_trades, t.sells::DOUBLE AS total_sell_trades,
       value(t.bought, e.size_unit) AS total_buy_volume, value(t.sold, e.size_unit) AS total_sell_volume,
       f.t1 AS total_order_flow, f.t1 AS total_ofi_l1, f.t2 AS total_ofi_l2, f.t3 AS total_ofi_l3, f.t4 AS total_ofi_l4,
       f.t5 AS total_ofi_l5,
       (SELECT fsum(r.squared) FROM returns r
        WHERE r.exchange = e.exchange AND r.symbol = e.symbol AND r.n <= e.n) AS total_squared_return
FROM events e
JOIN present p USING (exchange, symbol, n)
JOIN lagged l USING (exchange, symbol, n)
JOIN volatility v USING (exchange, symbol, n)
JOIN traded t USING (exchange, symbol, n)
JOIN (SELECT exchange, symbol, n,
             max(in_window) FILTER (rank = 1) AS w1, max(in_window) FILTER (rank = 2) AS w2,
             max(in_window) FILTER (rank = 3) AS w3, max(in_window) FILTER (rank = 4) AS w4,
             max(in_window) FILTER (rank = 5) AS w5,
             max(total) FILTER (rank = 1) AS t1, max(total) FILTER (rank = 2) AS t2, max(total) FILTER (rank = 3) AS t3,
             max(total) FILTER (rank = 4) AS t4, max(total) FILTER (rank = 5) AS t5
      FROM flows GROUP BY ALL) f USING (exchange, symbol, n)
ORDER BY e.exchange, e.symbol, e.n;
