"""Single-producer single-consumer rings of 64-byte slots."""
