"""Orders: ids, states, the journal that outlives the process, positions and PnL from fills."""
