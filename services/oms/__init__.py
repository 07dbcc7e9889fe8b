"""The order service: signals in, risk-checked orders out."""
