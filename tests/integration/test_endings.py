"""How connections and processes end: in halves, in order, abruptly, in the middle."""

import signal
import socket
import threading
import time

import pytest
from harness import Tunnel, procfs, services, sluice, streams

MIB = 1 << 20
DEATH_NOTICE = 15.0
"""Seconds in which the other side of a killed peer has to say so: the one time that is itself promised."""


class Pair:
    """One connection through the tunnel with both of its ends in this process."""

    def __init__(self, crew):
        listener = crew.listen()
        listener.settimeout(60)
        self.tunnel = Tunnel.open(crew, listener.getsockname()[1])
        self.client = crew.connect(self.tunnel.port)
        self.client.sendall(b"first")
        self.target = crew.adopt(listener.accept()[0])
        self.target.settimeout(60)
        assert streams.read_exactly(self.target, 5) == b"first"
        self.target.sendall(b"second")
        assert streams.read_exactly(self.client, 6) == b"second"

    def both_ways(self):
        return [(self.client, self.target), (self.target, self.client)]


def sending(connection, data):
    """Sends from a thread and half-closes; join it."""
    def run():
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("first", ["client", "target"])
def test_a_finished_direction_leaves_the_other_one_open(crew, first):
    pair = Pair(crew)
    done, going = pair.both_ways()[0 if first == "client" else 1]
    early, late = streams.random_bytes(3 * MIB, seed=1), streams.random_bytes(5 * MIB, seed=2)
    thread = sending(done, early)
    assert streams.read_to_end(going) == early
    thread.join()
    pair.tunnel.forward.wait_event("stats", streams=1)  # half-closed is not closed
    thread = sending(going, late)
    assert streams.read_to_end(done) == late
    thread.join()
    for process in pair.tunnel.peers.values():
        process.wait_event("stats", streams=0)


@pytest.mark.parametrize("first", ["client", "target"])
def test_a_reset_is_passed_on_as_a_reset(crew, first):
    pair = Pair(crew)
    resetting, other = pair.both_ways()[0 if first == "client" else 1]
    streams.reset(resetting)
    with pytest.raises(ConnectionResetError):
        streams.read_to_end(other)
    for process in pair.tunnel.peers.values():
        process.wait_event("stats", streams=0)


def test_a_reset_ends_a_writer_that_is_held_back(crew):
    pair = Pair(crew)
    pair.client.settimeout(2)  # only how long this test waits until everything between the two is full
    with pytest.raises(TimeoutError):
        while True:
            pair.client.sendall(bytes(MIB))
    streams.reset(pair.target)
    pair.client.settimeout(60)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        while True:
            pair.client.sendall(bytes(MIB))


def test_ctrl_c_lets_open_connections_finish(crew):
    pair = Pair(crew)
    data = streams.random_bytes(8 * MIB)
    pair.client.settimeout(60)
    pair.client.sendall(data[:MIB])
    pair.tunnel.forward.interrupt()
    # No new connection is taken, those that are open go on to their end.
    streams.eventually("no longer listening", lambda: refuses(pair.tunnel.port))
    thread = sending(pair.client, data[MIB:])
    assert streams.read_to_end(pair.target) == data
    thread.join()
    pair.target.close()
    assert pair.tunnel.forward.wait() == 0
    pair.tunnel.host.wait_event("peer_closed", reason="closed")
    assert pair.tunnel.host.stop() == 0
    assert pair.tunnel.hub.process.stop() == 0


@pytest.mark.parametrize("interrupted", ["host", "forward"])
def test_ctrl_c_ends_within_its_limit_although_a_connection_stays_open(crew, interrupted):
    pair = Pair(crew)
    pair.tunnel.peers[interrupted].interrupt()
    assert pair.tunnel.peers[interrupted].wait() == 0
    for end in (pair.client, pair.target):
        try:
            assert end.recv(1) == b""
        except ConnectionResetError:
            pass


@pytest.mark.parametrize("interrupted", ["host", "forward"])
def test_a_second_ctrl_c_ends_at_once(crew, interrupted):
    pair = Pair(crew)
    process = pair.tunnel.peers[interrupted]
    process.interrupt()
    process.wait_event("stopping")
    process.interrupt()
    assert process.wait() == 130


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
        return False
    except ConnectionResetError:
        return False  # the listener went away between the handshake and its accept
    except ConnectionRefusedError:
        return True


def test_the_tunnel_outlives_its_hub(crew):
    pair = Pair(crew)
    pair.tunnel.hub.process.kill()
    data = streams.random_bytes(4 * MIB)
    thread = sending(pair.client, data)
    assert streams.read_to_end(pair.target) == data
    thread.join()
    with crew.connect(pair.tunnel.port):  # new connections need no hub either
        pair.tunnel.forward.wait_event("stats", where=lambda stats: stats["streams"] >= 2)


def test_a_killed_forward_is_noticed_and_everything_of_it_is_freed(crew):
    _, echo = services.start_server(crew, "echo")
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    code = sluice.wait_code(host)
    first = sluice.start_forward(crew, hub, code, "0", name="first forward")
    first.wait_event("connected")
    assert first.stop() == 0
    host.wait_event("peer_closed", reason="closed")
    before = procfs.descriptors(host.pid)  # what the ICE library makes once is there by now
    forward = sluice.start_forward(crew, hub, code, "0")
    forward.wait_event("connected")
    port = sluice.listening_port(forward)
    connections = [crew.connect(port) for _ in range(50)]
    for connection in connections:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
    host.wait_event("stats", streams=len(connections))

    killed_at = time.monotonic()
    forward.signal(signal.SIGKILL)
    closed = host.wait_event("peer_closed")
    assert closed["reason"] == "link_lost"
    assert closed["message"]
    assert closed["seen_at"] - killed_at <= DEATH_NOTICE
    host.wait_event("stats", streams=0)
    streams.eventually("descriptors are back", lambda: procfs.descriptors(host.pid) <= before)

    # The host is as good as new: the next client gets through.
    second = sluice.start_forward(crew, hub, code, "0", name="second forward")
    second.wait_event("connected")
    with crew.connect(sluice.listening_port(second)) as connection:
        connection.sendall(b"y")
        assert connection.recv(1) == b"y"


def test_a_killed_host_ends_forward_and_its_connections(crew):
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, echo)
    connections = [crew.connect(tunnel.port) for _ in range(10)]
    for connection in connections:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
    killed_at = time.monotonic()
    tunnel.host.signal(signal.SIGKILL)
    closed = tunnel.forward.wait_event("closed")
    assert closed["reason"] == "link_lost"
    assert closed["message"]
    assert closed["seen_at"] - killed_at <= DEATH_NOTICE
    assert tunnel.forward.wait() == 8
    for connection in connections:
        with pytest.raises(ConnectionResetError):  # cut off is not an orderly end
            streams.read_to_end(connection)
