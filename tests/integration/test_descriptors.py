"""Connections take descriptors, and most systems grant few of them until a program asks for more."""

from harness import Tunnel, services
from harness.sluice import SOFT_DESCRIPTORS


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
