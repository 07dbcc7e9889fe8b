"""Risk: checks before an order leaves, as pure functions, and the kill switch."""
