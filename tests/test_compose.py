"""What the compose stack and the image must respect, on every engine that they are meant for."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from tests.source import ROOT

STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
DOCKERFILE = (ROOT / "services/Dockerfile").read_text()
HOST_NETWORK = ("replay", "consumer", "feeder")
ON_LOOPBACK_ALONE = ("fakes", "k6")
OURS = ("replay", "consumer", "signals", "oms", "fakes", "feeder", "recorder", "k6")
BUILT = {"consumer": "runtime", "recorder": "analysis", "k6": "load"}
PROFILES = {"fakes": ["feed"], "feeder": ["feed"], "recorder": ["storage"], "k6": ["load"]}
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)(?::-([^}]*))?\}")


def test_stack_holds_every_service() -> None:
    """What multicasts is on the host's network, the others on the bridge; what is optional has a profile."""
    assert set(SERVICES) == {*OURS, "redis", "prometheus", "grafana"}
    for name, service in SERVICES.items():
        assert service.get("profiles") == PROFILES.get(name)
        if name in (*HOST_NETWORK, *ON_LOOPBACK_ALONE):
            assert service["network_mode"] == "host"
            assert not {"networks", "ports", "sysctls"} & set(service)
        else:
            assert service["networks"] == ["pipe"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_through_variables(name: str) -> None:
    """No port is open to the network, and each can be moved."""
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port), port


@pytest.mark.parametrize("name", HOST_NETWORK)
def test_host_network_services_never_listen_everywhere(name: str) -> None:
    """On the host's network a service listens on loopback and on the gateway that Prometheus scrapes."""
    hosts = SERVICES[name]["environment"]["HTTP_HOST"]
    gateway = STACK["networks"]["pipe"]["ipam"]["config"][0]["gateway"]
    assert hosts == f"127.0.0.1,{gateway}"
    assert f"crossbook-host:{gateway}" in SERVICES["prometheus"]["extra_hosts"]


@pytest.mark.parametrize("name", SERVICES)
def test_services_ask_for_nothing_special(name: str) -> None:
    """No service needs rights that an engine may refuse; each is health-checked and logs within bounds."""
    service = SERVICES[name]
    assert re.fullmatch(r"\$\{[A-Z0-9]+_MEMORY:-\d+[mg]\}", service["mem_limit"])
    assert service["restart"] == ("no" if name == "k6" else "unless-stopped")
    assert not {"privileged", "oom_score_adj", "storage_opt", "ulimits", "cap_add", "mac_address", "init"} & set(
        service
    )
    if name != "k6":
        assert "start_interval" not in service["healthcheck"]
        assert service["healthcheck"]["test"][0] == "CMD"
    assert service["stop_grace_period"] == "10s"
    assert service["logging"]["options"]["max-size"]
    assert isinstance(service.get("command", []), list)


def test_images_are_named_by_tag() -> None:
    """Images have tags and no digests; ours are built here and asked of no registry."""
    assert "version" not in STACK
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z/-]+:(\$\{\w+:-)?[\w.-]+\}?", service["image"])
        assert service.get("pull_policy") in (("build", "never") if name in OURS else (None,))
    assert {name: SERVICES[name]["build"]["target"] for name in OURS if "build" in SERVICES[name]} == BUILT
    assert all(not {"pull", "additional_contexts"} & set(SERVICES[name]["build"]) for name in BUILT)
    offline = yaml.safe_load((ROOT / "compose.offline.yaml").read_text())["services"]
    assert {name: service["build"] for name, service in offline.items()} == {
        name: {"secrets": ["pip_ca"]} for name in BUILT
    }


def test_nothing_is_sent_before_everyone_listens() -> None:
    """Replay starts once consumer, signals and oms are healthy, and consumer once Redis is."""
    assert SERVICES["replay"]["depends_on"] == {
        name: {"condition": "service_healthy"} for name in ("consumer", "signals", "oms")
    }
    assert SERVICES["consumer"]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert set(SERVICES["feeder"]["depends_on"]) == {"fakes", "consumer", "signals", "oms"}


def test_example_explains_every_variable_with_its_default() -> None:
    """.env.example holds the variables of the stack, no others, each with a line above and the default of the stack."""
    text = (ROOT / "docker-compose.yml").read_text()
    used: dict[str, set[str]] = {}
    for name, default in VARIABLE.findall(text):
        used.setdefault(name, set()).add(default)
    lines = (ROOT / ".env.example").read_text().splitlines()
    given = {line.partition("=")[0]: line.partition("=")[2] for line in lines if re.match(r"[A-Z]", line)}
    assert {name: {default} for name, default in given.items()} == used
    assert all(lines[at - 1].startswith("# ") for at, line in enumerate(lines) if re.match(r"[A-Z]", line))


def test_played_venues_are_where_the_feeder_looks() -> None:
    """The ports and symbols of the service fakes are those of the feeder's configuration for it."""
    feeds = tomllib.loads((ROOT / "config/compose/feeder.toml").read_text())["feeds"]
    words = [word for word in SERVICES["fakes"]["command"] if ":" in word and "=" in word]
    played = {word.split(":")[0]: (word.split(":")[1].split("=")[0], word.split("=")[1].split(",")) for word in words}
    assert played == {name: (feed["ws"].rpartition(":")[2], feed["symbols"]) for name, feed in feeds.items()}


def test_dockerfile_uses_what_old_engines_know() -> None:
    """No syntax line, no digest, no heredoc, no COPY option of later engines; exec-form commands only."""
    assert not DOCKERFILE.startswith("# syntax")
    assert "@sha256" not in DOCKERFILE
    assert not re.search(r"<<|--link|--exclude|--parents|--checksum|--network|--start-interval|,env=", DOCKERFILE)
    assert all(line.startswith("CMD [") for line in DOCKERFILE.splitlines() if line.startswith(("CMD", "ENTRYPOINT")))


def test_image_compiles_kernels_for_any_cpu_as_its_own_user() -> None:
    """Kernels are compiled at build for a generic CPU, by the user who loads them."""
    assert "NUMBA_CPU_NAME=generic" in DOCKERFILE.split("FROM base")[0]
    stages = {stage.split()[2]: stage for stage in DOCKERFILE.split("\nFROM ")[1:]}
    assert set(stages) == {"base", "imports", "runtime", "analysis", "load"}
    assert all(stages[name].startswith(f"imports AS {name}") for name in ("runtime", "analysis"))
    runtime = stages["runtime"]
    assert runtime.index("COPY libs") < runtime.index("USER crossbook") < runtime.index("RUN crossbook warm")
    # The kernels of one image are those of the other, at the same paths.
    assert "COPY --from=runtime --chown=crossbook:crossbook /var/cache/crossbook" in stages["analysis"]


def test_code_is_copied_after_what_it_imports() -> None:
    """A changed line of code installs nothing anew, in no image."""
    for stage in DOCKERFILE.split("\nFROM ")[1:]:
        code = [stage.index(word) for word in ("COPY libs", "COPY --from=runtime /app") if word in stage]
        assert not code or "pip install" not in stage[min(code) :], stage.split()[2]


def test_images_run_as_their_own_user() -> None:
    """The last user of each image that runs is crossbook."""
    stages = {stage.split()[2]: stage for stage in DOCKERFILE.split("\nFROM ")[1:]}
    assert all(
        stages[name].rindex("USER ") == stages[name].rindex("USER crossbook")
        for name in ("runtime", "analysis", "load")
    )


class _Probe(BaseHTTPRequestHandler):
    answer = 200

    def do_GET(self) -> None:
        self.send_response(self.answer if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(b"waiting for Redis")

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize(("answer", "status"), [(200, 0), (503, 1)])
def test_health_check_follows_readyz(answer: int, status: int) -> None:
    """The health check succeeds on 200 from /readyz only, and shows the reason it was given."""
    handler = type("Handler", (_Probe,), {"answer": answer})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [sys.executable, "-I", "-S", ROOT / "services/healthcheck.py", str(server.server_address[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        server.shutdown()
    assert done.returncode == status
    assert "waiting for Redis" in done.stdout


def test_health_check_fails_where_nothing_listens(free_port: int) -> None:
    """A service that is not there is not ready."""
    command = [sys.executable, "-I", "-S", ROOT / "services/healthcheck.py", str(free_port)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
