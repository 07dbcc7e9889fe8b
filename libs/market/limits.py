"""What a symbol may be. Without a kernel, so that who reads a configuration loads no compiler."""

from __future__ import annotations

MAX_SYMBOL = 64
"""Bytes of a symbol's name in UTF-8 (wire.md)."""
