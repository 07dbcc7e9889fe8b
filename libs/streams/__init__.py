"""Redis Streams: packed records of the hot path, readable fields of decisions, their writers and readers."""
