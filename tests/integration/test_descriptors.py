"""Connections take descriptors, and most systems grant few of them until a program asks for more."""

import pathlib
import socket
import sys
import time

import pytest
from harness import Tunnel, names, services, sluice
from harness.sluice import SOFT_DESCRIPTORS

NO_IPV6 = pathlib.Path(names.__file__).with_name("no_ipv6.py")


def test_more_connections_are_open_at_once_than_the_limit_that_it_began_with(crew):
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, echo)
    count = 1000
    assert count > 2 * SOFT_DESCRIPTORS
    connections = [crew.connect(tunnel.port) for _ in range(count)]
    for connection in connections:
        connection.sendall(b"x")
    for connection in connections:
        assert connection.recv(1) == b"x"
    for process in tunnel.peers.values():
        process.wait_event("stats", streams=count)


def echo_through(port):
    """Opens a connection and says a byte. How it went, the seconds that it took, and the connection."""
    begun = time.monotonic()
    connection = socket.socket()
    connection.settimeout(60)
    try:
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"x")
        answer = connection.recv(1)
    except ConnectionError:
        answer = b""
    return answer == b"x", time.monotonic() - begun, connection


def only(descriptors):
    """Words that run a program with so many descriptors, and no means of getting more."""
    return ["prlimit", f"--nofile={descriptors}:{descriptors}"]


def test_with_few_descriptors_each_connection_gets_through_or_is_rejected_at_once(crew):
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, echo, host_in={"prefix": only(64)})
    served = rejected = 0
    for _ in range(100):
        worked, took, connection = echo_through(tunnel.port)
        crew.at_end(connection.close)
        assert took < 2
        served += worked
        rejected += not worked
    assert served >= 8
    assert rejected >= 100 - 64
    tunnel.host.wait_line("no descriptors left for one more connection")  # told here,
    tunnel.forward.wait_line("no descriptors left for one more connection")  # and there
    assert tunnel.host.running


@pytest.mark.parametrize("connections", [1100, 6000])
def test_connections_leave_descriptors_for_the_next_client(crew, connections):
    """A client takes as many as it gets; another one is introduced and served all the same."""
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, echo, host_in={"prefix": only(1024)})
    outcomes = []
    for _ in range(connections):
        worked, took, connection = echo_through(tunnel.port)
        assert took < 2
        outcomes.append(worked)
        if worked:
            crew.at_end(connection.close)
        else:
            connection.close()
    assert 300 < sum(outcomes) < 1024
    second = sluice.start_forward(crew, tunnel.hub, tunnel.code, "-L", "0", name="second")
    worked, _, connection = echo_through(sluice.listening_port(second))
    crew.at_end(connection.close)
    assert worked, "the newcomer has a share"
    assert tunnel.host.running


def test_clients_beyond_the_descriptors_are_rejected_with_the_reason(crew):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, "1", prefix=only(64))
    code = sluice.wait_code(host)
    first = sluice.start_forward(crew, hub, code, "-L", "0")
    first.wait_event("connected")
    rejected = 0
    for number in range(4):
        more = sluice.start_forward(crew, hub, code, "-L", "0", name=f"more {number}")
        ended = next(event for event in more.follow() if event["event"] in ("connected", "error"))
        if ended["event"] == "error":
            assert "descriptors" in ended["message"]
            rejected += 1
    assert rejected >= 1
    assert host.running


@pytest.mark.skipif(names.why_not() is not None, reason=names.why_not() or "")
def test_a_target_is_reached_over_ipv4_where_ipv6_sockets_are_refused(crew):
    _, echo = services.start_server(crew, "echo")
    both = crew.folder() / "hosts"
    both.write_text("::1 localhost\n127.0.0.1 localhost\n", encoding="utf-8")
    hosts = ["unshare", "--mount", "sh", "-c", f'mount --bind {both} /etc/hosts && exec "$@"', "sh"]
    tunnel = Tunnel.open(crew, f"localhost:{echo}", host_in={"prefix": [*hosts, sys.executable, NO_IPV6]})
    worked, took, _ = echo_through(tunnel.port)
    assert worked
    assert took < 2
