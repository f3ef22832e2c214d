"""Frames of our own against clients of others, and byte for byte, case by case as the Autobahn suite has them."""

import asyncio
import base64
import contextlib
import json
import os
import pathlib
import socket
import ssl
import struct
import subprocess

import pytest
import websockets

ECHO = os.environ.get("WEBSOCKET_ECHO") or str(
    pathlib.Path(os.environ["SLUICE_BUILD_DIR"]) / "tests/integration/websocket_echo")
WS_FOLDER = pathlib.Path(__file__).resolve().parents[1] / "websocket"
MASK = b"\x37\xfa\x21\x3d"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def start_echo(crew, *arguments):
    process = crew.start("echo", ECHO, *arguments, stdin=subprocess.PIPE)
    process.url = process.wait_event("listening")["url"]
    return process


@pytest.fixture(name="echo", params=["plain", "tls"])
def echo_fixture(crew, request):
    arguments = ["--tls", crew.folder() / "dev"] if request.param == "tls" else []
    return start_echo(crew, *arguments)


@pytest.fixture(name="plain_echo")
def plain_echo_fixture(crew):
    return start_echo(crew)


# --- byte for byte


def frame(opcode, payload=b"", *, final=True, masked=True, reserved=0, length=None):
    """One frame; `length`: the field's bytes behind the first two, in place of the right ones."""
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    size = len(payload)
    bit = 0x80 if masked else 0
    if length is not None:
        head += bytes([bit | {2: 126, 8: 127}[len(length)]]) + length
    elif size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if masked:
        key = MASK * (size // 4 + 1)
        payload = MASK + bytes(a ^ b for a, b in zip(payload, key))
    return head + payload


class Raw:
    """A client that says whatever a test wants. A context manager."""

    def __init__(self, url, path="/echo", headers=()):
        scheme, rest = url.split("://")
        host, port = rest.split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if scheme == "wss":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._socket = context.wrap_socket(self._socket)
        self._buffer = b""
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode(), "Sec-WebSocket-Version: 13", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        self.head = head.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _fill(self):
        piece = self._socket.recv(65536)
        if not piece:
            raise EOFError
        self._buffer += piece

    def send(self, data):
        self._socket.sendall(data)

    def _take(self, size):
        while len(self._buffer) < size:
            self._fill()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def next(self):
        """(opcode, payload) of the next frame, which must be as a server has to send it."""
        first, second = self._take(2)
        assert first & 0xF0 == 0x80, "reserved bits, or a fragment"
        assert second < 0x80, "masked by a server"
        size = second
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
            assert size > 125
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
            assert size > 65535
        return first & 0x0F, self._take(size)

    def expect_close(self, code):
        opcode, payload = self.next()
        assert opcode == CLOSE, (opcode, payload)
        if code is None:
            assert payload == b""
        else:
            assert struct.unpack("!H", payload[:2])[0] == code, payload
            payload[2:].decode()
        with pytest.raises(EOFError):  # and then it hangs up, without a reset
            self._fill()


def dribble(raw, data, size):
    for begin in range(0, len(data), size):
        raw.send(data[begin:begin + size])


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, 1_000_000])
def test_messages_of_every_size_come_back(echo, opcode, size):  # Autobahn 1.*
    with Raw(echo.url) as raw:
        raw.send(frame(opcode, b"*" * size))
        assert raw.next() == (opcode, b"*" * size)


def test_messages_come_back_however_they_are_cut(echo):  # 1.*.8
    with Raw(echo.url) as raw:
        for cut in (1, 7, 1000):
            data = frame(TEXT, b"*" * 3000)
            dribble(raw, data, cut)
            assert raw.next() == (TEXT, b"*" * 3000)


@pytest.mark.parametrize("payload", [b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125])
def test_pings_are_answered(echo, payload):  # 2.1 to 2.4, 2.6
    with Raw(echo.url) as raw:
        dribble(raw, frame(PING, payload), 5)
        assert raw.next() == (PONG, payload)


def test_unasked_pongs_are_passed_over(echo):  # 2.7 to 2.9
    with Raw(echo.url) as raw:
        raw.send(frame(PONG, b"unasked") + frame(PING, b"asked"))
        assert raw.next() == (PONG, b"asked")


def test_many_pings_are_answered_in_order(plain_echo):  # 2.10
    with Raw(plain_echo.url) as raw:
        for i in range(10):
            raw.send(frame(PING, b"payload-%d" % i))
            assert raw.next() == (PONG, b"payload-%d" % i)


FRAGMENTS = {
    "two": [(TEXT, b"one", False), (0, b"two", True)],
    "empty": [(TEXT, b"", False), (0, b"", False), (0, b"", True)],
    "empty around": [(TEXT, b"", False), (0, b"middle", False), (0, b"", True)],
    "many": [(BINARY, b"0", False), *[(0, b"%d" % i, False) for i in range(500)], (0, b"", True)],
}


@pytest.mark.parametrize("name", FRAGMENTS)
@pytest.mark.parametrize("dribbled", [False, True])
def test_fragments_are_put_together(echo, name, dribbled):  # 5.3 to 5.8, 5.19, 5.20
    parts = FRAGMENTS[name]
    data = b"".join(frame(opcode, payload, final=final) for opcode, payload, final in parts)
    with Raw(echo.url) as raw:
        dribble(raw, data, 1 if dribbled else len(data))
        assert raw.next() == (parts[0][0], b"".join(payload for _, payload, _ in parts))


def test_a_ping_between_fragments_is_answered_at_once(echo):  # 5.6 to 5.8
    with Raw(echo.url) as raw:
        raw.send(frame(TEXT, b"one", final=False) + frame(PING, b"between"))
        assert raw.next() == (PONG, b"between")
        raw.send(frame(0, b"two"))
        assert raw.next() == (TEXT, b"onetwo")


INVALID = {
    "ping of 126 bytes": (frame(PING, b"x" * 126), 1002),  # 2.5
    **{f"reserved bits {bits}": (frame(TEXT, b"x", reserved=bits), 1002) for bits in range(1, 8)},  # 3.*
    "reserved bits of a ping": (frame(PING, b"x", reserved=1), 1002),
    "reserved bits of a close": (frame(CLOSE, b"\x03\xe8", reserved=7), 1002),
    **{f"opcode {opcode}": (frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},  # 4.*
    "no mask": (frame(TEXT, b"x", masked=False), 1002),
    "no mask on a ping": (frame(PING, b"x", masked=False), 1002),
    "fragmented ping": (frame(PING, b"one", final=False) + frame(0, b"two"), 1002),  # 5.1
    "fragmented pong": (frame(PONG, b"one", final=False) + frame(0, b"two"), 1002),  # 5.2
    "nothing to continue": (frame(0, b"x"), 1002),  # 5.9 to 5.14
    "nothing to continue, not final": (frame(0, b"x", final=False), 1002),
    "message inside another": (frame(TEXT, b"x", final=False) + frame(TEXT, b"y"), 1002),  # 5.15, 5.18
    "length of 16 bits for 5": (frame(BINARY, b"x" * 5, length=struct.pack("!H", 5)), 1002),
    "length of 64 bits for 300": (frame(BINARY, b"x" * 300, length=struct.pack("!Q", 300)), 1002),
    "length with its highest bit": (frame(BINARY, b"x", length=struct.pack("!Q", 1 << 63)), 1002),
    "too large": (frame(BINARY, b"", length=struct.pack("!Q", (16 << 20) + 1)), 1009),
    "far too large": (frame(TEXT, b"", length=struct.pack("!Q", (1 << 63) - 1)), 1009),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),  # 7.3.2
    "close of 126 bytes": (frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),  # 7.3.6
    "close reason that is not UTF-8": (frame(CLOSE, b"\x03\xe8\xce\xba\xe1\xbd\xb9\xed\xa0\x80"), 1007),  # 7.5.1
}


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("dribbled", [False, True])
def test_what_breaks_the_protocol_is_refused(plain_echo, name, dribbled):
    data, code = INVALID[name]
    with Raw(plain_echo.url) as raw:
        raw.send(frame(TEXT, b"before"))
        assert raw.next() == (TEXT, b"before")
        with contextlib.suppress(ConnectionError):  # it may have been refused before its last byte
            dribble(raw, data, 1 if dribbled else len(data))
        raw.expect_close(code)


def test_what_breaks_the_protocol_is_refused_over_tls(crew):
    echo = start_echo(crew, "--tls", crew.folder() / "dev")
    for name in ("no mask", "opcode 3", "far too large"):
        data, code = INVALID[name]
        with Raw(echo.url) as raw:
            raw.send(data)
            raw.expect_close(code)


NOT_UTF8 = [  # 6.3, 6.4, 6.6 to 6.21
    b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x88\x80\x80\x80", b"\xfc",
    b"\xfe", b"\xff", b"\xed\xa0\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80",
    b"\xce\x20",
]
CUT_OFF = [b"\xce", b"\xe1\xbd", b"\xf0\x90\x80", b"plain \xe2\x82"]


@pytest.mark.parametrize("wrong", NOT_UTF8)
def test_text_is_refused_at_its_first_wrong_byte(plain_echo, wrong):
    good = "Hello-µ@ßöäüàá".encode()
    with Raw(plain_echo.url) as raw:  # the frame, and the message, are far from their end
        data = frame(TEXT, good + wrong + b"x" * 1000, final=False)
        raw.send(data[:8 + len(good) + len(wrong)])
        raw.expect_close(1007)
    with Raw(plain_echo.url) as raw:  # in the middle of a character, between two fragments
        raw.send(frame(TEXT, good + wrong[:1], final=False))
        with contextlib.suppress(ConnectionError):
            raw.send(frame(0, wrong[1:] + b"x"))
        raw.expect_close(1007)
    with Raw(plain_echo.url) as raw:
        raw.send(frame(BINARY, wrong))
        assert raw.next() == (BINARY, wrong)


@pytest.mark.parametrize("cut_off", CUT_OFF)
def test_text_that_ends_in_a_character_is_refused(plain_echo, cut_off):
    with Raw(plain_echo.url) as raw:
        raw.send(frame(TEXT, cut_off))
        raw.expect_close(1007)


@pytest.mark.parametrize("text", [
    "κόσμε", "\U0001f600\U0010ffff", "\ud7ff\ue000\ufffd\ufffe\uffff", "\x00\x7f\x80\u07ff\u0800\U00010000"])
def test_text_that_is_utf8_comes_back(echo, text):  # 6.1, 6.2, 6.5, 6.22, 6.23
    data = text.encode()
    with Raw(echo.url) as raw:
        for i in range(len(data) + 1):  # cut in two fragments, also within characters
            raw.send(frame(TEXT, data[:i], final=False) + frame(0, data[i:]))
            assert raw.next() == (TEXT, data)


VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
INVALID_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", VALID_CODES)
def test_a_close_is_answered_with_its_code(echo, code):  # 7.7
    with Raw(echo.url) as raw:
        raw.send(frame(CLOSE, struct.pack("!H", code) + "fertig, grüße".encode()))
        raw.expect_close(code)
    echo.wait_event("closed", reason="closed")


def test_a_close_without_a_code_is_answered_without_one(echo):  # 7.3.1
    with Raw(echo.url) as raw:
        raw.send(frame(CLOSE))
        raw.expect_close(None)


@pytest.mark.parametrize("code", INVALID_CODES)
def test_an_invalid_close_code_is_refused(plain_echo, code):  # 7.9
    with Raw(plain_echo.url) as raw:
        raw.send(frame(CLOSE, struct.pack("!H", code)))
        raw.expect_close(1002)


def test_nothing_is_heard_after_a_close(echo):  # 7.1.2 to 7.1.5
    with Raw(echo.url) as raw:
        late = frame(PING, b"late") + frame(TEXT, b"late")
        raw.send(frame(TEXT, b"begun", final=False) + frame(CLOSE, b"\x03\xe8") + late)
        raw.expect_close(1000)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_the_server_closes_in_good_order(echo, code):
    with Raw(echo.url, f"/close/{code}") as raw:
        raw.send(frame(TEXT, b"now"))
        opcode, payload = raw.next()
        assert (opcode, payload) == (CLOSE, struct.pack("!H", code) + b"as you wish")
        raw.send(frame(CLOSE, struct.pack("!H", code)))
        with pytest.raises(EOFError):
            raw.next()
    echo.wait_event("closed", reason="closed")


def test_the_kind_of_message_belongs_to_the_subprotocol(plain_echo):
    both = "Sec-WebSocket-Protocol: text.test, binary.test"
    with Raw(plain_echo.url, "/protocols", [both]) as raw:
        assert "Sec-WebSocket-Protocol: binary.test" in raw.head  # what the server likes best
        raw.send(frame(BINARY, b"\x00") + frame(TEXT, b"t"))
        assert raw.next() == (BINARY, b"\x00")
        raw.expect_close(1003)
    with Raw(plain_echo.url, "/protocols", ["Sec-WebSocket-Protocol: text.test"]) as raw:
        raw.send(frame(TEXT, b"t") + frame(BINARY, b"\x00"))
        assert raw.next() == (TEXT, b"t")
        raw.expect_close(1003)


def test_the_upgrade_is_refused_with_the_right_status(plain_echo):
    def status(path="/echo", headers=()):
        with Raw(plain_echo.url, path, headers) as raw:
            return int(raw.head.split()[1]), raw.head

    assert status()[0] == 101
    assert status("/nowhere")[0] == 404
    assert status("/protocols")[0] == 400
    assert status("/echo", ["Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode()])[0] == 400
    code, head = status("/busy")
    assert code == 503 and "Retry-After: 7" in head
    assert status("/echo", ["X: " + "x" * 20_000])[0] == 431


def test_idle_connections_cost_little(plain_echo):
    count = 2000
    with contextlib.ExitStack() as stack:
        # What is allocated once, and the memory of coroutines that are over, is there before it is measured.
        for _ in range(100):
            with Raw(plain_echo.url) as raw:
                raw.send(frame(TEXT, b"warm"))
                raw.next()
        before = resident(plain_echo.pid)
        for _ in range(count):
            raw = stack.enter_context(Raw(plain_echo.url))
            raw.send(frame(TEXT, b"x" * 3000))
            raw.next()
        each = (resident(plain_echo.pid) - before) / count
    assert each <= 8 * 1024, f"{each:.0f} bytes a connection"


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def test_a_client_that_answers_no_ping_is_ended(crew):
    echo = start_echo(crew, "--ping", "100")
    with Raw(echo.url) as raw:
        for _ in range(3):
            assert raw.next() == (PING, b"")
        with pytest.raises(OSError):
            raw.next()
    echo.wait_event("closed", reason="stalled")


# --- clients of others


def context_for(url):
    if not url.startswith("wss"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_python_websockets(echo):
    async def talk():
        options = {"ssl": context_for(echo.url), "max_size": None}
        async with websockets.connect(echo.url + "/echo", **options) as client:
            for message in ("", "grüße", "x" * 100_000, b"", bytes(range(256)), b"\xa5" * 10_000_000):
                await client.send(message)
                assert await client.recv() == message
            await client.send(["one ", "two ", "three"])  # in fragments
            assert await client.recv() == "one two three"
            await asyncio.wait_for(await client.ping(b"there?"), 30)
            # Much on its way at once, both sides held up by the other.
            sending = asyncio.create_task(send_many(client))
            for i in range(300):
                assert await client.recv() == f"{i} " + "y" * 50_000
            await sending
        assert client.close_code == 1000
        async with websockets.connect(echo.url + "/close/3000", **options) as client:
            await client.send("now")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (3000, "as you wish")
        async with websockets.connect(echo.url + "/protocols", subprotocols=["text.test"], **options) as client:
            assert client.subprotocol == "text.test"
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(echo.url + "/busy", **options)
        assert refused.value.status_code == 503

    async def send_many(client):
        for i in range(300):
            await client.send(f"{i} " + "y" * 50_000)

    asyncio.run(asyncio.wait_for(talk(), 120))


def test_python_websockets_hears_that_the_server_ends(echo):
    async def talk():
        async with websockets.connect(echo.url + "/echo", ssl=context_for(echo.url)) as client:
            echo.stdin.close()
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "the server ends")

    asyncio.run(asyncio.wait_for(talk(), 60))
    assert echo.wait() == 0


class Ws:
    """One client of npm's `ws`."""

    def __init__(self, crew, url, *protocol):
        self.process = crew.start("ws", "node", "ws_client.mjs", url, *protocol, cwd=WS_FOLDER, stdin=subprocess.PIPE)
        self.wait = self.process.wait_event

    def order(self, order, **fields):
        self.process.stdin.write(json.dumps({"order": order, **fields}).encode() + b"\n")
        self.process.stdin.flush()


@pytest.mark.skipif(not (WS_FOLDER / "node_modules/ws").exists(), reason="./dev setup has not been run")
def test_npm_ws(crew, echo):
    client = Ws(crew, echo.url + "/echo")
    assert client.wait("open")["extensions"] == ""  # it offers permessage-deflate
    client.order("text", text="grüße")
    assert client.wait("message")["text"] == "grüße".encode().decode("latin1")
    client.order("text", text="0123456789", repeat=300_000)
    client.wait("message", size=3_000_000, ends="0123456789", binary=False)
    client.order("binary", size=10_000_000)
    client.wait("message", size=10_000_000, binary=True)
    client.order("fragments", parts=["one ", "two ", "three"])
    client.wait("pong", text="between")
    client.wait("message", text="one two three", binary=False)
    client.order("ping", text="there?")
    client.wait("pong", text="there?")
    client.order("close", code=4321, reason="fertig")
    client.wait("close", code=4321)
    assert client.process.wait() == 0


@pytest.mark.skipif(not (WS_FOLDER / "node_modules/ws").exists(), reason="./dev setup has not been run")
def test_npm_ws_is_told_why(crew, echo):
    client = Ws(crew, echo.url + "/protocols", "text.test")
    assert client.wait("open")["protocol"] == "text.test"
    client.order("binary", size=1)
    client.wait("close", code=1003, reason="wrong kind of message")
    refused = Ws(crew, echo.url + "/busy").wait("refused")
    assert refused["status"] == 503 and refused["headers"]["retry-after"] == "7"
    pinged = Ws(crew, echo.url + "/close/1011")
    pinged.wait("open")
    pinged.order("text", text="now")
    pinged.wait("close", code=1011, reason="as you wish")
