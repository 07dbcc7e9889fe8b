"""What the compose stack and the image must respect, on every engine that they are meant for."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from tests.source import ROOT

STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
DOCKERFILE = (ROOT / "services/Dockerfile").read_text()
HOST_NETWORK = ("replay", "consumer")
OURS = ("replay", "consumer", "signals", "oms")


def test_stack_holds_every_service() -> None:
    """Replay and consumer are on the host's network, the others on the bridge."""
    assert set(SERVICES) == {*OURS, "redis", "prometheus", "grafana"}
    for name, service in SERVICES.items():
        if name in HOST_NETWORK:
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
    assert not {"privileged", "oom_score_adj", "storage_opt", "ulimits", "cap_add", "mac_address", "init"} & set(
        service
    )
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
    assert [name for name in OURS if "build" in SERVICES[name]] == ["consumer"]
    assert not {"pull", "additional_contexts"} & set(SERVICES["consumer"]["build"])


def test_nothing_is_sent_before_everyone_listens() -> None:
    """Replay starts once consumer, signals and oms are healthy, and consumer once Redis is."""
    assert SERVICES["replay"]["depends_on"] == {
        name: {"condition": "service_healthy"} for name in ("consumer", "signals", "oms")
    }
    assert SERVICES["consumer"]["depends_on"] == {"redis": {"condition": "service_healthy"}}


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
    assert set(stages) == {"base", "runtime", "analysis"}
    assert stages["analysis"].startswith("runtime AS analysis")
    runtime = stages["runtime"]
    assert runtime.index("pip install") < runtime.index("USER crossbook") < runtime.index("RUN crossbook warm")
    assert all(
        stages[name].rindex("USER ") == stages[name].rindex("USER crossbook") for name in ("runtime", "analysis")
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
