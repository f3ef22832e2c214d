"""What our own programs take from a hub that means them no good: bounded memory, bounded time, and an error."""

import base64
import hashlib
import itertools
import json
import os
import socket
import threading
import time

import pytest
from harness import procfs, sluice, streams

MIB = 1 << 20
ENOUGH = 40 * MIB
"""What each of these hubs sends at least before it is content; more than any of the bounds."""


class HostileHub:
    """Answers each connection with what `speak(connection, request)` sends, until it is hung up on."""

    def __init__(self, crew, speak):
        self._listener = crew.listen()
        self._speak = speak
        self.sent = 0
        crew.at_end(self._listener.close)
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._meet, args=(connection,), daemon=True).start()

    def _meet(self, connection):
        with connection:
            connection.settimeout(30)
            try:
                for piece in self._speak(connection, read_request(connection)):
                    connection.sendall(piece)
                    self.sent += len(piece)
                connection.shutdown(socket.SHUT_WR)
                streams.read_to_end(connection)
            except OSError:
                pass  # it was hung up on, or nobody read for long


def read_request(connection):
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(4096)
        if not piece:
            break
        request += piece
    return request.decode()


def whole(text):
    """An answer with that text as its body."""
    body = text.encode()
    return lambda *_: [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body]


def endless(beginning, piece):
    """An answer that never comes to its end."""
    return lambda *_: itertools.chain([beginning], itertools.repeat(piece))


def upgraded(speak, subprotocol=None):
    """`speak(connection)` on a WebSocket."""
    def run(connection, request):
        key = next(line.split(":", 1)[1].strip() for line in request.splitlines()
                   if line.lower().startswith("sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
        yield (f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{chosen}"
               f"Sec-WebSocket-Accept: {accept.decode()}\r\n\r\n").encode()
        yield from speak(connection)
    return run


def frame(text):
    data = text.encode()
    if len(data) < 126:
        return bytes([0x81, len(data)]) + data
    if len(data) < 65536:
        return b"\x81\x7e" + len(data).to_bytes(2, "big") + data
    return b"\x81\x7f" + len(data).to_bytes(8, "big") + data


def watch(process, patience=60):
    """Waits for its end; the largest memory that it was seen with, and its exit status."""
    deadline = time.monotonic() + patience
    peak = 0
    while process.running and time.monotonic() < deadline:
        try:
            peak = max(peak, procfs.peak_rss(process.pid))
        except (FileNotFoundError, ProcessLookupError):
            break
        time.sleep(0.02)
    return peak, process.wait()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    "endless_chunk_extension": endless(CHUNKED + b"1;x=", b"y" * 65536),
    "endless_chunk_size": endless(CHUNKED, b"0" * 65536),
    "endless_trailer": endless(CHUNKED + b"0\r\n", b"a: b\r\n" * 10_000),
    "endless_body": endless(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
    "endless_header": endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 10_000),
    "endless_header_line": endless(b"HTTP/1.1 200 OK\r\na: ", b"b" * 65536),
    "many_empty_clients": whole('{"clients":[' + "{}," * (2 * MIB) + "{}]}"),
    "many_empty_lists": whole('{"clients":[{"a":[' + "[]," * (2 * MIB) + "[]]}]}"),
    "deep": whole('{"clients":' + "[" * 2 * MIB),
    "figures_that_cannot_be": whole('{"clients":[{"ageSeconds":1e308,"pressure":{"bytesWaiting":-1e308}}]}'),
}


@pytest.fixture(name="token")
def token_fixture(crew):
    file = crew.folder() / "admin.token"
    file.write_text("a-token-of-enough-characters\n", encoding="ascii")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("command", [["clients"], ["kick", "ann"]], ids=["clients", "kick"])
def test_administration_bounds_what_a_hub_answers(crew, token, command, answer):
    hub = HostileHub(crew, ANSWERS[answer])
    process = sluice.start(crew, command[0], *command, "--hub", hub.url, "--admin-token-file", token)
    began = time.monotonic()
    peak, status = watch(process)
    # The answer's limit is 16 MiB, and the string that it is collected in doubles, with its old half beside it.
    assert peak < idle_memory(crew) + 48 * MIB
    assert time.monotonic() - began < 30
    if command[0] == "clients":
        assert status != 0
        assert process.wait_event("error")["message"]


def idle_memory(crew):
    """What the program has when it does next to nothing."""
    process = sluice.start(crew, "idle", "clients", "--hub", "ws://127.0.0.1:1", "--admin-token-file", "/dev/null")
    peak, _ = watch(process)
    return max(peak, 16 * MIB)


@pytest.mark.parametrize("answer", ["endless_chunk_extension", "endless_trailer", "endless_header", "endless_body"])
def test_an_introduction_bounds_what_a_hub_answers_instead_of_an_upgrade(crew, answer):
    hub = HostileHub(crew, ANSWERS[answer])
    process = sluice.start(crew, "forward", "forward", "7-goldfish-amusement-tiger", "0", "--hub", hub.url)
    peak, status = watch(process)
    assert status == 3
    assert process.wait_event("error")["message"]
    assert hub.sent < ENOUGH
    assert peak < 64 * MIB


def flooding(connection, kind):
    """A mailbox's hub that answers the join, and then says things without end."""
    yield frame(json.dumps({"type": "joined"}))
    message = {"message": {"type": "message", "body": "AAAA" * 7_000},
               "small": {"type": "expired"},
               "unknown": {"type": "later", "text": "x" * 30_000},
               "values": None}[kind]
    text = json.dumps(message) if message else '{"type":"later","x":[' + "{}," * 9_000 + "{}]}"
    yield from itertools.repeat(frame(text) * (65536 // len(text) + 1))


@pytest.mark.parametrize("kind", ["message", "small", "unknown", "values"])
def test_an_introduction_bounds_what_a_hub_says(crew, kind):
    hub = HostileHub(crew, upgraded(lambda connection: flooding(connection, kind)))
    process = sluice.start(crew, "forward", "forward", "7-goldfish-amusement-tiger", "0", "--hub", hub.url)
    peak, status = watch(process)
    assert status != 0
    assert process.wait_event("error")["message"]
    assert peak < 64 * MIB


def read_frames(connection):
    """Takes what the client sends, so that it may send; nobody looks at it."""
    def run():
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
    threading.Thread(target=run, daemon=True).start()


def large_deliveries(connection):
    read_frames(connection)
    yield frame(json.dumps({"welcome": {"user": "bob", "session": "s", "sessionToken": "t", "epoch": "1",
                                        "limits": {"windowBytes": str(1 << 30)}}}))
    for offset in itertools.count(1):
        yield frame(json.dumps({"delivery": {"from": "ann", "to": {"user": "bob"}, "id": "m", "epoch": "1",
                                             "offset": str(offset), "content": {"text": "x" * 500_000}}}))


def test_a_subscriber_whose_reader_stalls_holds_a_bounded_number_of_bytes(crew):
    hub = HostileHub(crew, upgraded(large_deliveries, "sluice.v1.json"))
    process = sluice.start(crew, "subscribe", "subscribe", "--user", "bob", "--encoding", "json", "--hub", hub.url,
                           stdout=stalled_pipe(crew))
    # It takes what fits, and then nothing more: the hub's writes no longer go through.
    sent = settled(lambda: hub.sent)
    assert process.running
    assert sent < ENOUGH
    assert procfs.peak_rss(process.pid) < 64 * MIB


def stalled_pipe(crew):
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    crew.at_end(os.close, reading)
    crew.at_end(os.close, writing)
    return writing


def settled(figure, still=2.0, patience=60.0):
    """A figure that grows, once it no longer has for a while."""
    deadline = time.monotonic() + patience
    value, since = figure(), time.monotonic()
    while time.monotonic() - since < still:
        assert time.monotonic() < deadline, "it grows without end"
        time.sleep(0.05)
        if figure() != value:
            value, since = figure(), time.monotonic()
    return value


def pings(connection):
    """A hub that asks and asks, and reads no answer."""
    yield frame(json.dumps({"welcome": {"user": "bob", "session": "s", "sessionToken": "t", "epoch": "1"}}))
    many = b"".join(frame(json.dumps({"ping": {"nonce": str(nonce)}})) for nonce in range(1_000))
    for _ in range(1_500):
        yield many


def test_a_hub_that_reads_no_answers_costs_no_memory(crew):
    hub = HostileHub(crew, upgraded(pings, "sluice.v1.json"))
    process = sluice.start(crew, "subscribe", "subscribe", "--user", "bob", "--encoding", "json", "--hub", hub.url)
    process.wait_event("connected")
    settled(lambda: hub.sent)
    assert hub.sent > ENOUGH / 2
    assert procfs.peak_rss(process.pid) < 64 * MIB
