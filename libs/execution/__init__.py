"""Execution: the market as shown, routing, the paper venue, reconciliation."""
