"""Wire the consumer together and run it: receive, book and publisher threads, and a main thread that only reports."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from libs.clock import wall_ns
from libs.engine import columns, process, receive, state, words
from libs.errors import MissingError
from libs.features.microprice import load_all
from libs.market.config import ConsumerConfig
from libs.multicast.receiver import new_batch, open_receiver
from libs.streams.writer import PackedWriter
from libs.telemetry import logs
from libs.telemetry.front import Front
from libs.telemetry.pulse import Pulse
from libs.telemetry.segment import Segment
from services.consumer import recovery_metrics
from services.consumer.backing import Backing
from services.consumer.digest import Digest
from services.consumer.metrics import Metrics
from services.consumer.preparing import put_microprices, register_symbols, tell_kernels, tell_nbbo
from services.consumer.publisher import Publisher
from services.consumer.readiness import Readiness
from services.consumer.recovery import Recovery
from services.consumer.redis_gauges import RedisGauges
from services.consumer.series import series
from services.consumer.settings import Settings
from services.consumer.threads import KernelThread, Translator
from services.consumer.warming import warm_kernels
from services.consumer.watched import Watched, watch_of

STATUS_INTERVAL_S = 0.2
STATS_INTERVAL_S = 1.0
SWITCH_INTERVAL_S = 0.0005
DIGEST_TIMEOUT_S = 5.0


class Consumer:
    """All parts of the running service.

    Parameters
    ----------
    settings : Settings
    config : ConsumerConfig
    """

    def __init__(self, settings: Settings, config: ConsumerConfig) -> None:
        self.settings, self.config = settings, config
        self.log = logs.get("consumer")
        self.run_id = wall_ns()
        sizes = config.processing_config
        tables = load_all(sizes.microprice)
        history = sizes.history.by_name
        self.segment = Segment.create(
            "consumer",
            [*series(), *recovery_metrics.series()],
            extra=state.spec(
                ring_capacity=sizes.ring_buffer_size,
                max_books=sizes.max_books,
                max_symbols=sizes.max_symbols,
                depth=sizes.depth,
                history=history,
                max_families=sizes.max_symbols // 2 if settings.nbbo.join_quotes else 0,
                digest=bool(settings.digest_file),
            ),
            watch=watch_of(settings.watch),
        )
        self.pulse = Pulse(self.segment, STATUS_INTERVAL_S)
        self.metrics = Metrics(self.segment, dict(self.segment.arrays))
        self.engine = state.bind(
            self.segment.arrays,
            self.metrics.receive_rows,
            self.metrics.process_rows,
            [int.from_bytes(socket.inet_aton(address), "big") for address in config.udp_config.allowed_sources],
        )
        self.arrays = self.engine.arrays
        self.watched = Watched(self.segment, self.arrays, settings.watch)
        self.backing = Backing(self.segment.arrays, sizes.max_books)
        state.prepare(self.engine, history)
        self.readiness = Readiness()
        self.stop_receive = np.zeros(8, np.int64)
        self.stop_process = np.zeros(8, np.int64)
        self.stopping = threading.Event()
        tell_kernels(self.engine, settings, config)
        tell_nbbo(self.engine, settings)
        self.digest: Digest | None = None
        if settings.digest_file:
            trace = Path(settings.digest_trace) if settings.digest_trace else None
            self.digest = Digest(self.arrays, Path(settings.digest_file), trace)
        register_symbols(self.engine, settings, config)
        put_microprices(self.engine, settings, config, tables)

    def compile(self) -> None:
        """Compile or load every kernel, and back all memory, before the group is joined."""
        thread = threading.Thread(target=self.backing.prepare, name="pages", daemon=True)
        thread.start()
        warm_kernels(self.engine)
        thread.join()

    def start(self) -> None:
        """Open sockets, join the group, start the threads and the HTTP front."""
        udp = self.config.udp_config
        lines = [(udp.group, udp.port)]
        if udp.line_b is not None:
            lines.append((udp.line_b.group, udp.line_b.port))
        self.sockets = [open_receiver(group, port, udp.interface, udp.buffer_size) for group, port in lines]
        self._start_threads()
        self.front = Front.start(
            self.segment,
            self.settings.http_host,
            self.settings.http_port,
            routes="services.consumer.routes:add_routes",
            token=os.environ.get("CROSSBOOK_TOKEN"),
        )
        self.log.info(
            "joined",
            group=udp.group,
            port=udp.port,
            interface=udp.interface,
            lines=len(lines),
            receive_buffer_bytes=[s.rcvbuf for s in self.sockets],
            wait="busy" if self.arrays["receive_settings"][words.BUSY_POLL] else "epoll",
            book_thread_spins=bool(self.arrays["process_settings"][columns.BUSY_POLL]),
            cpus=os.cpu_count(),
            shard=self.settings.shard,
            channels=self.settings.taken,
            http_port=self.front.port,
        )

    def _start_threads(self) -> None:
        options = self.config.processing_config
        text_out, text_in = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        recovered_out, recovered_in = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.own_sockets = (text_out, text_in, recovered_out, recovered_in)
        text_out.setblocking(False)
        own = [text_out.fileno(), recovered_out.fileno()]
        fds = np.array([s.fd for s in self.sockets] + own, np.int32)
        wake = os.eventfd(0, os.EFD_NONBLOCK)
        publisher_wake = os.eventfd(0, os.EFD_NONBLOCK)
        writer = PackedWriter(
            self.settings.redis_url,
            self.settings.stream_prefix,
            self.run_id,
            {name: getattr(self.settings.maxlen, name) for name in self.settings.maxlen.__struct_fields__},
            shard=self.settings.own_shard,
        )
        self.writer = writer
        self.publisher = Publisher(
            self.arrays,
            writer,
            publisher_wake,
            self.metrics.publish_rows,
            nbbo_interval_ms=self.settings.nbbo_interval_ms,
            book_interval_ms=self.settings.book_interval_ms,
            batch=self.settings.publish_batch,
            shard=self.settings.own_shard,
        )
        batch = new_batch(self.config.udp_config.receive_batch)
        self.receive_thread = KernelThread(
            "receive", options.receive_core, receive.receive_loop,
            self.engine.directory, fds, batch, *own, wake, self.stop_receive, -1,
        )  # fmt: skip
        self.book_thread = KernelThread(
            "books",
            options.cpu_core,
            process.book_loop,
            self.engine.directory,
            wake,
            publisher_wake,
            self.stop_process,
            -1,
        )
        self.recovery = self._recovery(recovered_in)
        self.redis_gauges = RedisGauges(self.segment, self.settings.redis_url, self.settings.stream_prefix)
        Translator(text_in, self.metrics, self.log).start()
        self.recovery.start()
        self.publisher.start()
        self.redis_gauges.start()
        if self.digest is not None:
            self.digest.start()
        self.book_thread.start()
        self.receive_thread.start()

    def _recovery(self, out: socket.socket) -> Recovery:
        """Return the thread that asks recovery servers; without any, nothing is asked for."""
        bell = os.eventfd(0, os.EFD_NONBLOCK)
        if self.settings.recovery:
            r, p = self.arrays["receive_settings"], self.arrays["process_settings"]
            r[words.REQUEST_LIMIT] = self.settings.recovery_limits.messages_per_request
            r[words.REQUEST_BELL] = p[columns.REQUEST_BELL] = bell
            p[columns.REQUESTS_ON] = 1
        return Recovery(self.settings, self.arrays, out, bell, self.log)

    def watch(self) -> int:
        """Report until told to stop or until a thread dies; return the exit status."""
        next_stats = time.monotonic() + STATS_INTERVAL_S
        while not self.stopping.wait(STATUS_INTERVAL_S):
            for thread in self._threads():
                if not thread.is_alive():
                    self.log.error("thread_died", thread=thread.name, error=repr(thread.error))
                    return 1
            self.backing.keep_ahead()
            self.report()
            if time.monotonic() >= next_stats:
                next_stats += STATS_INTERVAL_S
                self.watched.update()
                self.log.info("stats", **self.metrics.stats_line())
        return 0

    def _threads(self) -> list[Any]:
        """Return the threads without which the service is broken."""
        found = [self.receive_thread, self.book_thread, self.publisher, self.recovery, self.redis_gauges]
        return found if self.digest is None else [*found, self.digest]

    def report(self) -> None:
        """Bring metrics, readiness and status up to date."""
        self.pulse.beat()
        problem = self.readiness.problem(self.writer, self.metrics.heard(), time.monotonic())
        self.segment.ready(not problem, problem)
        self.metrics.update(self.sockets, self.writer)
        recovery_metrics.update(self.segment, self.recovery)
        status = self.metrics.status(self.run_id, self.writer, self.front.port)
        share = {"shard": self.settings.shard, "taken_channels": self.settings.taken}
        self.segment.publish_status(status | share | {"recovery": self.recovery.status()})

    def stop(self) -> None:
        """Stop receiving, drain, flush, say a last word, leave nothing behind."""
        self.stopping.set()
        self.stop_receive[0] = 1
        self.receive_thread.join(1.0)
        self.recovery.stop()
        self.recovery.join(1.0)
        self.redis_gauges.stop()
        self.stop_process[0] = 1
        self.book_thread.join(1.0)
        self.publisher.stop()
        self.publisher.join(1.0)
        if self.digest is not None:
            # What is still to be merged takes longer than a book does.
            self.book_thread.join(DIGEST_TIMEOUT_S)
            self.digest.finish()
        self.report()
        self.log.info("stats", **self.metrics.stats_line())
        for opened in self.sockets:
            opened.close()
        for end in self.own_sockets:
            end.close()
        self.writer.close()
        self.front.stop()
        self.pulse.close()


def run(settings: Settings, config: ConsumerConfig) -> int:
    """Run the service until SIGTERM or SIGINT.

    Returns
    -------
    int
        0 after a graceful stop, 1 when a thread died.

    Raises
    ------
    MissingError
        When the group cannot be joined or the HTTP port is taken.
    """
    logs.configure("consumer", settings.log_format)
    consumer = Consumer(settings, config)

    def on_signal(number: int, frame: FrameType | None) -> None:
        consumer.stopping.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    consumer.compile()
    try:
        consumer.start()
    except OSError as error:
        udp = config.udp_config
        where = f"{udp.group}:{udp.port} on {udp.interface}"
        raise MissingError(f"cannot join {where}: {error}; try another interface") from error
    # The recovery thread would else wait for up to 5 ms, as often as the publisher has something to do.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    try:
        return consumer.watch()
    finally:
        consumer.stop()
