"""Reading and writing market data at rest."""
