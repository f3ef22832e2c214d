"""The slow are waited for, nothing piles up, and nobody else waits with them.

SLUICE_LONG=1 runs the slow target for the full 30 s instead of 10 s.
"""

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from harness import Tunnel, procfs, services, streams

KIB = 1 << 10
MIB = 1 << 20
RSS_LIMIT = 64 * MIB
SECONDS = 30 if os.environ.get("SLUICE_LONG") else 10


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
    for name, process in tunnel.peers.items():
        assert procfs.peak_rss(process.pid) < RSS_LIMIT, name
    # What was taken is what was read, and what the sockets and windows on the way hold.
    assert taken < SECONDS * MIB + RSS_LIMIT
    assert taken > MIB


def test_many_slow_targets_together_fill_no_memory(crew):
    """Fifty clients that offer all they can: the session's cap holds, not fifty windows."""
    _, sink = services.start_server(crew, "sink", 64 * KIB)
    tunnel = Tunnel.open(crew, sink)
    until = time.monotonic() + SECONDS
    connections = [crew.connect(tunnel.port) for _ in range(50)]
    with ThreadPoolExecutor(len(connections)) as pool:
        list(pool.map(lambda connection: offer(connection, until), connections))
    for name, process in tunnel.peers.items():
        assert procfs.peak_rss(process.pid) < RSS_LIMIT, name


def digest_through(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return streams.read_to_end(connection).decode()


def test_one_stalled_socket_holds_up_nobody_else(crew):
    listener = crew.listen()  # its connection is accepted, and not read until the others are done
    listener.settimeout(60)
    _, digest = services.start_server(crew, "digest")
    tunnel = Tunnel.open(crew, f"busy=127.0.0.1:{digest}", f"stalled=127.0.0.1:{listener.getsockname()[1]}",
                         listens=("0:busy", "0:stalled"))
    busy, stalled_port = tunnel.ports
    stalled = crew.connect(stalled_port)
    held = streams.random_bytes(64 * MIB, seed=99)
    sender = threading.Thread(target=send_all, args=(stalled, held), daemon=True)
    sender.start()
    unread = crew.adopt(listener.accept()[0])
    tunnel.host.wait_event("stats", where=lambda stats: stats["receive_bytes_per_s"] == 0 and stats["streams"] == 1)

    blocks = [streams.random_bytes(2 * MIB + n, seed=n) for n in range(50)]
    with ThreadPoolExecutor(len(blocks)) as pool:
        digests = list(pool.map(lambda block: digest_through(busy, block), blocks))
    assert digests == [streams.sha256(block) for block in blocks]
    assert sender.is_alive()
    for name, process in tunnel.peers.items():
        stats = process.wait_event("stats", streams=1)
        assert stats["buffered"] <= 16 * MIB, name
        assert procfs.peak_rss(process.pid) < RSS_LIMIT, name

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
    for name, process in tunnel.peers.items():
        assert procfs.peak_rss(process.pid) < RSS_LIMIT, name
    header, _, body = streams.read_to_end(stalled).partition(b"\r\n\r\n")
    assert header.startswith(b"HTTP/1.0 200")
    assert streams.sha256(body) == digest


def send_all(connection, data):
    connection.settimeout(None)
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
