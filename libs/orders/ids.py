"""Ids of intents and orders. Both are functions of what caused them, so a retry or a restart finds the same ones."""

from __future__ import annotations

from hashlib import blake2b


def intent_id(session: int, exchange: str, symbol: str, sequence: int, model: str, action: str) -> str:
    """Return the id of an intent, 32 hex digits.

    Parameters
    ----------
    session : int
        Of the channel, ns since the epoch.
    exchange, symbol : str
        Of the book behind the features row.
    sequence : int
        Of the message that completed the event behind the features row.
    model : str
        The model file's digest.
    action : str
        ``buy`` or ``sell``.
    """
    hashed = blake2b(digest_size=16)
    for field in (str(session), exchange, symbol, str(sequence), model, action):
        data = field.encode()
        # With lengths, so that no two lists of fields run together into the same bytes.
        hashed.update(len(data).to_bytes(4, "little"))
        hashed.update(data)
    return hashed.hexdigest()


def client_order_id(intent: str) -> str:
    """Return the client order id of an intent: 32 letters and digits, which every venue here takes."""
    return "cb" + intent[:30]
