"""Order of the messages of a channel: gaps, lines, holding, sessions, and the conservation ledger (wire.md)."""
