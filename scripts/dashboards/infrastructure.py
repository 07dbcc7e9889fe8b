"""Redis and its streams, the recorder, processes and threads, scrapes."""

from __future__ import annotations

from scripts.dashboards.views import RATE, SELECT, Board, Query, View, level, levels, rates

_REDIS = [
    View(
        "Published",
        "Records written to Redis Streams.",
        "ops",
        rates(("md_redis_publish_total", "stream", "{{stream}}")),
    ),
    View(
        "Dropped before Redis",
        "Records given up while it was away, and signals; breaks seen by readers.",
        "ops",
        rates(
            ("md_redis_dropped_total", "stream", "{{stream}}"),
            ("sig_dropped_total", "", "signals"),
            ("sig_reader_breaks_total", "", "breaks seen by signals"),
            ("md_redis_reconnects_total", "", "reconnects"),
        ),
        alerts=("MdRedisDropped",),
    ),
    View(
        "Readers behind by",
        "Age of what a reader read last; 0 when it has read everything.",
        "s",
        (Query(f"max by (job, stream) (md_redis_reader_lag_seconds{{{SELECT}}})", "{{job}} {{stream}}"),),
        alerts=("MdRedisReaderLag",),
    ),
    View(
        "Stream length",
        "Entries; each stream is trimmed at its maxlen.",
        "none",
        levels(("md_redis_stream_length", "stream", "{{stream}}")),
    ),
    View(
        "Memory of Redis",
        "In use, and the limit at which it refuses writes (0: none).",
        "bytes",
        levels(("md_redis_memory_bytes", "", "used"), ("md_redis_memory_limit_bytes", "", "limit")),
        alerts=("MdRedisMemory",),
    ),
    View("Connections to Redis", "Clients.", "none", levels(("md_redis_connected_clients", "", "clients"))),
]

_RECORDER = [
    View(
        "Recorded",
        "Rows by stream, and Parquet parts completed.",
        "ops",
        rates(("rec_rows_total", "stream", "{{stream}} rows"), ("rec_parts_total", "", "parts")),
    ),
    View(
        "Recorded bytes",
        "Written a second, removed beyond max_bytes, and kept.",
        "bytes",
        (
            *rates(("rec_written_bytes_total", "", "written/s"), ("rec_removed_bytes_total", "", "removed/s")),
            *levels(("rec_kept_bytes", "", "kept"), ("rec_waiting_bytes", "", "waiting")),
        ),
    ),
    View(
        "Recorder waits",
        "How long the oldest row has waited to be written.",
        "s",
        levels(("rec_waiting_seconds", "", "oldest")),
        alerts=("RecBehind",),
    ),
    View("Rows that wait", "Read and not written yet.", "none", levels(("rec_waiting_rows", "", "rows"))),
    View(
        "Recorder in trouble",
        "Gaps that Redis had trimmed, failed writes, breaks of writers, parts removed.",
        "ops",
        rates(
            ("rec_gaps_total", "stream", "{{stream}} gaps"),
            ("rec_write_errors_total", "", "write errors"),
            ("rec_reader_breaks_total", "", "breaks"),
            ("rec_removed_parts_total", "", "parts removed"),
        ),
        width=16,
        alerts=("RecWriteErrors", "RecGaps"),
    ),
]

_PROCESSES = [
    View(
        "CPU by service",
        "Cores in use.",
        "none",
        (Query(f"rate(process_cpu_seconds_total{{{SELECT}}}[{RATE}])", "{{job}}"),),
    ),
    View(
        "CPU by thread",
        "Cores in use; python is the main thread.",
        "none",
        (
            Query(
                f"sum by (job, thread) (rate(md_thread_cpu_seconds_total{{{SELECT}}}[{RATE}])) > 0.001",
                "{{job}} {{thread}}",
            ),
        ),
    ),
    View(
        "Memory",
        "Resident.",
        "bytes",
        (Query(f"process_resident_memory_bytes{{{SELECT}}}", "{{job}}"),),
        alerts=("MdMemorySlope",),
    ),
    View(
        "Open files",
        "Descriptors; a leak shows as a slope.",
        "none",
        (Query(f"process_open_fds{{{SELECT}}}", "{{job}}"),),
    ),
    View(
        "Running for",
        "Since the process began; a saw is a restart.",
        "s",
        (Query(f"time() - process_start_time_seconds{{{SELECT}}}", "{{job}}"),),
        alerts=("MdRestarting",),
    ),
    View(
        "Log lines left out",
        "Because their event repeated more than ten times in ten seconds.",
        "ops",
        rates(("md_log_suppressed_total", "job", "{{job}}")),
    ),
]

_SCRAPES = [
    View(
        "Answered",
        "Services that answered the last scrape, of those that were there in the last hour.",
        "bool_yes_no",
        (Query(f"min by (job) (up{{{SELECT}}} and max_over_time(up{{{SELECT}}}[1h]) == 1)", "{{job}}"),),
        "states",
        red_below=1.0,
        alerts=("MdTargetDown", "MdTargetAbsent"),
    ),
    View(
        "Scrape time",
        "The goal is 50 ms.",
        "s",
        (Query(f"scrape_duration_seconds{{{SELECT}}}", "{{job}}"),),
        red_above=0.05,
        alerts=("MdScrapeSlow",),
    ),
    View(
        "Series",
        "Samples of a scrape; the budget is 2,000 a service.",
        "none",
        (Query(f"scrape_samples_post_metric_relabeling{{{SELECT}}}", "{{job}}"),),
        red_above=2000.0,
        alerts=("MdCardinality",),
    ),
    View(
        "Versions",
        "Services by the version they run.",
        "none",
        (Query(level("md_build_info", "version"), "{{version}}"),),
        width=24,
        alerts=("MdMixedVersions",),
    ),
]

BOARD = Board(
    "crossbook-infrastructure",
    "Crossbook: infrastructure",
    {"Redis": _REDIS, "Recorder": _RECORDER, "Processes": _PROCESSES, "Scrapes": _SCRAPES},
)
