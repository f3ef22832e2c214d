"""The slow are waited for, nothing piles up, and nobody else waits with them."""

import contextlib
import hashlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import Tunnel, procfs, services, streams

KIB = 1 << 10
MIB = 1 << 20
RSS_LIMIT = 64 * MIB
SESSION_WINDOWS = 17 * MIB
"""What a session holds at the most for sockets that take nothing: 16 MiB above the first windows of some sockets."""
SECONDS = 30
"""How long a slow target is offered more than it takes: what is promised about memory is promised for this long."""


def assert_small(tunnel):
    for name, process in tunnel.peers.items():
        assert procfs.peak_rss(process.pid) < RSS_LIMIT, name


def offer(connection, until):
    """Sends as fast as it is let until a moment of the monotonic clock; returns how many bytes were taken."""
    block = bytes(256 * KIB)
    taken = 0
    connection.settimeout(0.2)
    while time.monotonic() < until:
        try:
            taken += connection.send(block)
        except TimeoutError:
            pass
    return taken


def test_a_slow_target_slows_its_client_and_fills_no_memory(crew):
    _, sink = services.start_server(crew, "sink", MIB)
    tunnel = Tunnel.open(crew, sink)
    taken = offer(crew.connect(tunnel.port), time.monotonic() + SECONDS)
    assert_small(tunnel)
    # What was taken is what was read, and what the sockets and windows on the way hold.
    assert taken < SECONDS * MIB + RSS_LIMIT
    assert taken > SECONDS * MIB / 2  # a sink on a busy machine may read less than it is allowed to


def test_many_slow_targets_together_fill_no_memory(crew):
    """Fifty clients that offer all they can: the session's cap holds, not fifty windows."""
    _, sink = services.start_server(crew, "sink", 64 * KIB)
    tunnel = Tunnel.open(crew, sink)
    until = time.monotonic() + 10
    connections = [crew.connect(tunnel.port) for _ in range(50)]
    with ThreadPoolExecutor(len(connections)) as pool:
        list(pool.map(lambda connection: offer(connection, until), connections))
    assert_small(tunnel)


def digest_through(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return streams.read_to_end(connection).decode()


@contextlib.contextmanager
def busy(port, count):
    """While the body runs, so many threads send through one connection after the other and check the answer."""
    enough = threading.Event()

    def work(seed):
        block = streams.random_bytes(2 * MIB + seed, seed)
        while True:
            assert digest_through(port, block) == streams.sha256(block)
            if enough.is_set():
                return

    with ThreadPoolExecutor(count) as pool:
        working = [pool.submit(work, seed) for seed in range(count)]
        try:
            yield
        finally:
            enough.set()
        for one in working:
            one.result()


def test_one_stalled_socket_holds_up_nobody_else(crew):
    listener = crew.listen()  # its connection is accepted, and not read until the others are done
    listener.settimeout(60)
    _, digest = services.start_server(crew, "digest")
    tunnel = Tunnel.open(crew, f"busy=127.0.0.1:{digest}", f"stalled=127.0.0.1:{listener.getsockname()[1]}",
                         listens=("0:busy", "0:stalled"))
    busy_port, stalled_port = tunnel.ports
    stalled = crew.connect(stalled_port)
    held = streams.random_bytes(64 * MIB, seed=99)
    sender = threading.Thread(target=send_all, args=(stalled, held), daemon=True)
    sender.start()
    unread = crew.adopt(listener.accept()[0])
    tunnel.host.wait_event("stats", streams=1, where=lambda stats: stats["bytes_received"] > 0
                           and stats["receive_bytes_per_s"] == 0)

    with busy(busy_port, 50):
        for _ in range(3):
            for name, process in tunnel.peers.items():
                stats = process.wait_event("stats", where=lambda stats: stats["streams"] > 25)
                assert stats["buffered"] <= SESSION_WINDOWS, name
    assert sender.is_alive()
    assert_small(tunnel)

    # Once it is read, the stalled one gets every byte.
    unread.settimeout(120)
    assert streams.sha256(streams.read_to_end(unread)) == streams.sha256(held)
    sender.join()


def test_a_stalled_client_holds_up_nobody_else(crew):
    """The same the other way: a client that asks and does not read."""
    folder = crew.folder()
    digest = streams.write_random_file(folder / "large", 64 * MIB)
    _, http = services.start_server(crew, "http", folder)
    tunnel = Tunnel.open(crew, http)
    stalled = crew.connect(tunnel.port)
    stalled.sendall(b"GET /large HTTP/1.0\r\n\r\n")
    tunnel.forward.wait_event(
        "stats", where=lambda stats: stats["receive_bytes_per_s"] == 0 and stats["bytes_received"] > 0)
    for n in range(5):
        crew.run("curl", "-sSf", "-o", folder / f"copy{n}", f"http://127.0.0.1:{tunnel.port}/large")
        assert streams.sha256_of_file(folder / f"copy{n}") == digest
    assert_small(tunnel)
    header, _, body = streams.read_to_end(stalled).partition(b"\r\n\r\n")
    assert header.startswith(b"HTTP/1.0 200")
    assert streams.sha256(body) == digest


def send_all(connection, data):
    connection.settimeout(None)
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


SMALL_BUFFER = 64 * KIB
"""For the sockets of this process, so that the kernel holds little before and behind the tunnel."""


class Sender:
    """Sends bytes of its own from a thread, as fast as it is let, and counts what was taken, until it is told to end."""

    def __init__(self, connection, seed):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
        connection.settimeout(None)
        self.taken = 0
        self._data = streams.random_bytes(MIB, seed)
        self._digest = hashlib.sha256()
        self._enough = threading.Event()
        self._connection = connection
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError):  # the other side may give up, as it does when a test fails
            while not self._enough.is_set():
                begin = self.taken % MIB
                piece = self._data[begin:begin + SMALL_BUFFER]
                size = self._connection.send(piece)
                self._digest.update(piece[:size])
                self.taken += size
            self._connection.shutdown(socket.SHUT_WR)

    def end(self):
        """What it is sending now is the last; somebody has to read for it to go."""
        self._enough.set()

    def digest(self):
        """Of all that was taken."""
        self._thread.join(120)
        return self._digest.hexdigest()


def open_pairs(crew, targets, streams_each):
    """A tunnel to so many targets, and both ends of each of its connections: client, target."""
    listeners = [crew.listen() for _ in range(targets)]
    names = [f"t{n}=127.0.0.1:{listener.getsockname()[1]}" for n, listener in enumerate(listeners)]
    tunnel = Tunnel.open(crew, *names, listens=[f"0:t{n}" for n in range(targets)])
    pairs = []
    for listener, port in zip(listeners, tunnel.ports):
        listener.settimeout(60)
        for _ in range(streams_each):
            client = crew.connect(port)
            pairs.append((client, crew.adopt(listener.accept()[0])))
    return tunnel, pairs


def read_digest(connection):
    connection.settimeout(120)
    return streams.sha256(streams.read_to_end(connection))


@pytest.mark.parametrize("sending", ["clients", "targets"])
def test_when_nobody_reads_everybody_waits_and_then_gets_every_byte(crew, sending):
    """All sockets are held back at once, through the windows of the session into the TCP of who sends."""
    tunnel, pairs = open_pairs(crew, targets=4, streams_each=5)
    ends = pairs if sending == "clients" else [(target, client) for client, target in pairs]
    for _, reader in ends:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    # What the kernels hold of a stream: what the tunnel's sockets write ahead, and what they receive ahead.
    kernel = procfs.largest_send_buffer() + procfs.largest_receive_buffer() + 2 * MIB
    senders = [Sender(source, seed) for seed, (source, _) in enumerate(ends)]

    def taken():
        return sum(sender.taken for sender in senders)

    def nothing_moves():
        before = taken()
        for process in tunnel.peers.values():
            for _ in range(2):  # one a second
                process.wait_event("stats")
        return taken() == before

    streams.eventually("everybody waits", nothing_moves, timeout=120)
    assert all(sender.taken > 0 for sender in senders)
    assert taken() < len(senders) * kernel + SESSION_WINDOWS
    for name, process in tunnel.peers.items():
        assert process.wait_event("stats", streams=len(pairs))["buffered"] <= SESSION_WINDOWS, name
    assert_small(tunnel)

    for sender in senders:
        sender.end()
    with ThreadPoolExecutor(len(ends)) as pool:
        digests = list(pool.map(read_digest, [reader for _, reader in ends]))
    assert digests == [sender.digest() for sender in senders]
    for pair in pairs:
        for connection in pair:
            connection.close()
    for name, process in tunnel.peers.items():
        assert process.wait_event("stats", streams=0)["buffered"] == 0, name
    assert_small(tunnel)
