"""A scrape of each service, and what scrapes cost the consumer: UDP to book with a scraper beside it and without."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from scripts.observed.stack import run
from services.cli.api import Endpoint
from services.cli.soak.judging import interpolated_s
from tests.bench.runner import Row, Scale, compare

WHAT = "500 books at 10,000 messages a second; every service scraped each second, as Prometheus would twice as seldom"
RATE, SYMBOLS = 10_000, 100
SCRAPE_S = 1.0
GOAL_MS = 50.0
BUCKET, PATH = "md_e2e_latency_seconds_bucket", "book"
WARM_S = 10.0

Buckets = Mapping[float, float]


def text_of(endpoint: Endpoint) -> str:
    """Return a service's exposition.

    Raises
    ------
    RuntimeError
        When it does not answer.
    """
    answer = endpoint.get("/metrics")
    if answer is None or answer[0] != 200:
        raise RuntimeError(f"no metrics at {endpoint}")
    return str(answer[1])


def buckets_of(text: str) -> dict[float, float]:
    """Return the cumulative counts of UDP to book: upper edge in seconds → count since the start."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {float(s.labels["le"]): s.value for s in samples if s.name == BUCKET and s.labels["path"] == PATH}


def quantile_us(before: Buckets, after: Buckets, q: float) -> float:
    """Return a quantile of what was counted between two scrapes, interpolated within its bucket as Prometheus does."""
    return 1e6 * interpolated_s({edge: count - before.get(edge, 0.0) for edge, count in after.items()}, q)


class Scraper(threading.Thread):
    """Scrapes every service each second, until stopped."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        super().__init__(daemon=True)
        self.endpoints = endpoints
        self._stopping = threading.Event()

    def run(self) -> None:
        """Scrape; the text is thrown away."""
        while not self._stopping.wait(SCRAPE_S):
            for endpoint in self.endpoints.values():
                text_of(endpoint)

    def stop(self) -> None:
        """Stop, and wait for the last scrape."""
        self._stopping.set()
        self.join()


def rows(scale: Scale) -> list[Row]:
    """Measure with and without a scraper in turns on one stack, then each service's scrape."""
    seconds = scale.pick(10, 1)
    sizes = ("--symbols", str(scale.pick(SYMBOLS, 2)), "--rate", str(scale.pick(RATE, 500)))
    with run(*sizes) as (note, _):
        endpoints = {name: Endpoint(str(host), int(port)) for name, (host, port) in note["http"].items()}
        time.sleep(scale.pick(int(WARM_S), 1))

        def p99(scraped: bool) -> float:
            before = buckets_of(text_of(endpoints["consumer"]))
            scraper = Scraper(endpoints) if scraped else None
            if scraper is not None:
                scraper.start()
            time.sleep(seconds)
            if scraper is not None:
                scraper.stop()
            return quantile_us(before, buckets_of(text_of(endpoints["consumer"])), 0.99)

        runs = {"ours": lambda: p99(True), "not scraped": lambda: p99(False)}
        row = compare("UDP to book p99, scraped every second", "µs", runs, scale.repeats, against="not scraped")
        return [row, *(_scrape(name, endpoint, scale.repeats) for name, endpoint in endpoints.items())]


def _scrape(name: str, endpoint: Endpoint, repeats: int) -> Row:
    took, text = [], ""
    for _ in range(repeats):
        began = time.perf_counter()
        text = text_of(endpoint)
        took.append(1e3 * (time.perf_counter() - began))
    series = sum(len(family.samples) for family in text_string_to_metric_families(text))
    return {
        "case": f"scrape of {name}, {series} series",
        "ours": round(statistics.median(took), 1),
        "unit": "ms",
        "references": {},
        "ratio": {},
        "repeats": repeats,
        "goal": {"most": GOAL_MS},
    }
