"""The hub as its peers see it: absent, taken, behind TLS."""

import json

import pytest
from harness import Tunnel, services, sluice, sluice_binary, streams


def works(crew, tunnel):
    with crew.connect(tunnel.port) as connection:
        connection.sendall(b"hello")
        return streams.read_exactly(connection, 5) == b"hello"


@pytest.fixture(name="echo")
def echo_fixture(crew):
    return services.start_server(crew, "echo")[1]


@pytest.fixture(name="tls_hub")
def tls_hub_fixture(crew):
    hub = sluice.start_hub(crew, "--dev-cert", crew.folder() / "certificate")
    assert hub.url.startswith("wss://")
    assert hub.fingerprint.startswith("sha256:")
    return hub


@pytest.mark.parametrize("command", [["host", "127.0.0.1:1"], ["forward", "7-aardvark-adroitness-absurd", "0"]])
def test_a_hub_that_is_down_is_named(crew, command):
    url = f"ws://127.0.0.1:{crew.unused_port()}"
    process = sluice.start(crew, command[0], *command, "--hub", url)
    assert process.wait() == 3
    error = process.wait_event("error")
    assert url in error["message"]
    assert "sluice hub" in error["hint"]


def test_a_hub_says_that_its_port_is_taken(crew):
    port = crew.listen().getsockname()[1]
    hub = sluice.start(crew, "hub", "hub", "--listen", f"127.0.0.1:{port}")
    assert hub.wait() == 7
    assert str(port) in hub.wait_event("error")["message"]


def test_forward_says_that_its_port_is_taken(crew, echo):
    port = crew.listen().getsockname()[1]
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    forward = sluice.start_forward(crew, hub, sluice.wait_code(host), f"{port}")
    assert forward.wait() == 7
    assert str(port) in forward.wait_event("error")["message"]


def test_a_hub_answers_health_checks(crew):
    hub = sluice.start_hub(crew)
    crew.run("curl", "-sSf", hub.url.replace("ws://", "http://") + "/healthz")


def test_peers_meet_at_a_pinned_hub(crew, echo, tls_hub):
    tunnel = Tunnel.open(crew, echo, hub=tls_hub)
    assert works(crew, tunnel)


def test_a_development_certificate_stays_the_same(crew):
    folder = crew.folder() / "certificate"
    first = sluice.start_hub(crew, "--dev-cert", folder)
    assert first.process.stop() == 0
    assert sluice.start_hub(crew, "--dev-cert", folder).fingerprint == first.fingerprint


def test_a_hub_with_another_certificate_is_not_spoken_to(crew, echo, tls_hub):
    other = sluice.start_hub(crew, "--dev-cert", crew.folder() / "other")
    mixed = ["--hub", tls_hub.url, "--hub-pin", other.fingerprint]
    for process in (sluice.start(crew, "host", "host", f"127.0.0.1:{echo}", *mixed),
                    sluice.start(crew, "forward", "forward", "7-aardvark-adroitness-absurd", "0", *mixed)):
        assert process.wait() == 3
        assert "fingerprint" in json.dumps(process.wait_event("error"))


def test_a_self_made_certificate_without_a_pin_is_not_trusted(crew, echo, tls_hub):
    host = sluice.start(crew, "host", "host", f"127.0.0.1:{echo}", "--hub", tls_hub.url)
    assert host.wait() == 3
    host.wait_event("error")


def test_plain_http_stays_on_loopback(crew):
    done = crew.run(sluice_binary(), "hub", "--listen", "0.0.0.0:0", "--json", check=False)
    assert done.returncode == 1
    assert "--tls-cert" in done.stdout
