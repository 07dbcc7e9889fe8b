"""What the consumer's front answers with; its answers over a live consumer stand in test_app.py."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.source import ROOT

# In a process of its own: in this one other tests have loaded every kernel.
ALONE = """
import asyncio, json
import numpy as np
from aiohttp.test_utils import make_mocked_request
from numba.core.dispatcher import Dispatcher
from libs.engine.state import spec
from services.consumer.routes import Views

loaded = []
before = Dispatcher.compile
Dispatcher.compile = lambda kernel, *types: loaded.append(kernel.__qualname__) or before(kernel, *types)
sizes = spec(ring_capacity=1024, max_books=8, max_symbols=8, depth=32)
arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in sizes.items()}
for book, (exchange, name) in enumerate([(0, b"BTC-USDT"), (3, b"BTC-USDT")]):
    arrays["table_names"][book, :len(name)] = list(name)
    arrays["table_name_lengths"][book], arrays["table_book_exchange"][book] = len(name), exchange
arrays["table_counts"][:] = 1, 1
views = Views(arrays)

def ask(view, path, **named):
    answer = asyncio.run(view(make_mocked_request("GET", path, match_info=named)))
    return answer.status, json.loads(answer.text)

answers = [ask(views.books, "/books"), ask(views.channels, "/channels")]
answers.append(ask(views.nbbo, "/nbbo/BTC-USDT", symbol="BTC-USDT"))
for depth in (5, 20, 30):
    answers.append(ask(views.book, f"/books/binance/BTC-USDT?depth={depth}", exchange="binance", symbol="BTC-USDT"))
answers.append(ask(views.book, "/books/okx/BTC-USDT", exchange="okx", symbol="BTC-USDT"))
arrays["table_counts"][0] = 2
answers.append(ask(views.book, "/books/okx/BTC-USDT", exchange="okx", symbol="BTC-USDT"))
print(json.dumps({"loaded": loaded, "statuses": [status for status, _ in answers], "near": answers[6][1]["near"]}))
"""


def test_no_answer_loads_a_kernel_and_a_new_book_is_found() -> None:
    """Half a second of loading, and more on a busy machine, would hold up whatever else is asked."""
    ended = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["loaded"] == []
    assert found["statuses"] == [200, 200, 200, 200, 200, 200, 404, 200]
    assert found["near"] == []
