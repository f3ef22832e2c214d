"""Clients that mean harm, and broken ones. After each of them the hub serves others, and at the end it is in order."""

import contextlib
import json
import random
import socket
import time

import pytest
from harness import Crew, procfs, streams
from harness.hub_clients import Loop, MessagingHub
from harness.hub_protocol import JSON, PROTO, encode, varint
from harness.hub_tokens import EVERYTHING, Issuer, base64url, claims, sign
from test_websocket_frames import BINARY, CLOSE, PING, TEXT, Raw, frame

MIB = 1 << 20
SLACK = 48 * MIB
"""What a hub may have grown by at the end: the hard limits of what waits for the clients here (1 MiB each, not more than
eight at a time), a 16 MiB log of its store, its caches, and what an allocator keeps of all that."""
SETTINGS = """
[backpressure]
close_unwritable_after = "1s"
[session]
hello_timeout = "1s"
[rates]
enabled = false
"""


class Place:
    """A hub that outlives the tests of this file, and one more that wants tokens."""

    def __init__(self, crew):
        self._asked = 0
        self.loop = crew.adopt(Loop())
        self.hub = MessagingHub(crew, SETTINGS, data=crew.folder() / "data").wait()
        self.issuer = Issuer(crew.folder())
        self.guarded = MessagingHub(crew, SETTINGS + self.issuer.settings, is_open=False).wait()
        self.serves()
        self.began_with = procfs.rss(self.hub.pid)

    def serves(self):
        """Somebody who means well notices nothing."""
        ann, bob = self.loop.client(self.hub, "ann"), self.loop.client(self.hub, "bob", subprotocol=PROTO)
        ann.join("ops")
        self._asked += 1
        bob.publish({"group": "ops"}, "still there?", id=f"question {self._asked}")
        assert ann.hear("delivery")["content"] == {"text": "still there?"}
        for client in (ann, bob):
            assert client.close() == (1000, "")
        assert self.hub.is_healthy()

    def dial(self, subprotocol=JSON, path="/v1/hub", guarded=False):
        url = (self.guarded if guarded else self.hub).url
        return Raw(url, path, [f"Sec-WebSocket-Protocol: {subprotocol}"])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.hub.port), timeout=30)


@pytest.fixture(name="place", scope="module")
def place_fixture():
    with Crew() as crew:
        place = Place(crew)
        yield place
        place.serves()
        grown = procfs.rss(place.hub.pid) - place.began_with
        assert grown < SLACK, f"{grown / MIB:.0f} MiB more than at the start"
        for hub in (place.hub, place.guarded):
            assert hub.terminate() == 0, hub.process.transcript()


@pytest.fixture(autouse=True)
def and_then_it_serves(place):
    yield
    place.serves()


def say(raw, **envelope):
    raw.send(frame(TEXT, encode(JSON, envelope).encode()))


def hear(raw):
    """The next message of a JSON client, or its close as ("close", code)."""
    while True:
        opcode, payload = raw.next()
        if opcode == CLOSE:
            return "close", int.from_bytes(payload[:2])
        if opcode == TEXT:
            [(kind, body)] = json.loads(payload).items()
            return kind, body


def greet(raw, user="eve"):
    say(raw, hello={"user": user})
    assert hear(raw)[0] == "welcome"


def expect_end(raw, code, reason=None):
    """A kick with that reason, or none, and the close."""
    kind, body = hear(raw)
    if reason is not None:
        assert kind == "kick" and body["reason"] == reason, (kind, body)
        kind, body = hear(raw)
    assert (kind, body) == ("close", code)


# --- before the WebSocket

UPGRADE = ("GET /v1/hub HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: {version}"
           "\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: sluice.v1.json\r\n{more}\r\n")
KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
GARBAGE = {
    "noise": random.Random(1).randbytes(4096),
    "zeros": bytes(100_000),
    "a line without end": b"GET /" + b"x" * 200_000,
    "a header without end": b"GET /v1/hub HTTP/1.1\r\nHost: " + b"x" * 200_000,
    "ten thousand headers": b"GET /v1/hub HTTP/1.1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(50),
    "HTTP/0.9": b"GET /v1/hub\r\n\r\n",
    "no host": b"GET /v1/hub HTTP/1.1\r\n\r\n",
    "a body of 1 EiB": b"POST /v1/hub HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1152921504606846976\r\n\r\nx",
    "chunks that overflow": b"POST /v1/hub HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
    "two lengths": b"POST /v1/hub HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "no version": UPGRADE.format(version="", key=KEY, more="").encode(),
    "version 8": UPGRADE.format(version="8", key=KEY, more="").encode(),
    "no key": UPGRADE.format(version="13", key="", more="").encode(),
    "a short key": UPGRADE.format(version="13", key="AAAA", more="").encode(),
    "a body behind it": UPGRADE.format(version="13", key=KEY, more="Content-Length: 5\r\n").encode() + b"\x81\x85xxx",
    "control characters": b"GET /v1/hub HTTP/1.1\r\nHost: localhost\r\nA\x00\x01: \x02\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_no_handshake(place, name):
    with place.connect() as connection:
        with contextlib.suppress(ConnectionError):  # it may be refused before it is all said
            connection.sendall(GARBAGE[name])
        with contextlib.suppress(ConnectionError):
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = streams.read_to_end(connection)
        assert not answer.startswith(b"HTTP/1.1 101") or name == "a body behind it"


@pytest.mark.parametrize("path, headers, status", [
    ("/v1/hub", [], 400),
    ("/v1/hub", ["Sec-WebSocket-Protocol: sluice.v2.json"], 400),
    ("/v1/hub", ["Sec-WebSocket-Protocol: SLUICE.V1.JSON"], 400),
    ("/v1/hub", ["Sec-WebSocket-Protocol: ,,,"], 400),
    ("/v1/hub", ["Sec-WebSocket-Protocol: " + "a, " * 3000 + "b"], None),
    ("/v1/hub/", ["Sec-WebSocket-Protocol: sluice.v1.json"], 404),
    ("/v1/Hub", ["Sec-WebSocket-Protocol: sluice.v1.json"], 404),
    ("/v1/../v1/hub", ["Sec-WebSocket-Protocol: sluice.v1.json"], 404),
    ("/healthz", ["Sec-WebSocket-Protocol: sluice.v1.json"], None),
    ("/v1/hub?resume", ["Sec-WebSocket-Protocol: sluice.v1.json"], 101),
    ("/v1/hub", ["Sec-WebSocket-Protocol: other, sluice.v1.json"], 101),
])
def test_the_path_and_the_subprotocol_decide(place, path, headers, status):
    with Raw(place.hub.url, path, headers) as raw:
        found = int(raw.head.split()[1])
    assert found == status or status is None and found in (200, 400, 404, 426, 431)


def test_handshakes_that_dribble_or_stop_hold_nobody_up(place):
    text = UPGRADE.format(version="13", key=KEY, more="").encode()
    with contextlib.ExitStack() as stack:
        for end in range(1, len(text), 7):
            stack.enter_context(place.connect()).sendall(text[:end])
        place.serves()
        with place.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in text:
                connection.sendall(bytes([byte]))
            assert connection.recv(12) == b"HTTP/1.1 101"


# --- frames and messages


@pytest.mark.parametrize("claim", [262_145, 1 << 30, (1 << 63) - 1])
def test_a_claimed_length_takes_no_memory(place, claim):
    before = procfs.rss(place.hub.pid)
    with contextlib.ExitStack() as stack:
        raws = [stack.enter_context(place.dial()) for _ in range(20)]
        for raw in raws:
            greet(raw)
            raw.send(frame(TEXT, b"", length=claim.to_bytes(8)))
        for raw in raws:
            expect_end(raw, 1009)
    assert procfs.rss(place.hub.pid) < before + 16 * MIB


def test_fragments_that_never_end_take_no_memory(place):
    with place.dial() as raw:
        greet(raw)
        raw.send(frame(TEXT, b"{", final=False))
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                raw.send(frame(0, b" " * 1000, final=False) + frame(PING, b"x"))
        while True:
            opcode, payload = raw.next()
            if opcode == CLOSE:
                break
        assert int.from_bytes(payload[:2]) == 1009


WIDE = ",".join(f'"m{i}":[]' for i in range(6000))
JSON_TEXTS = {
    "100,000 deep": (b'{"ping":{"x":' + b"[" * 100_000, 1009, "TOO_LARGE"),
    "30,000 deep": (b'{"ping":{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}}", 1002, "MALFORMED"),
    "30,000 objects deep": (b'{"a":' * 13_000, 1002, "MALFORMED"),
    "20,000 commas": (b"[" + b"," * 20_000, 1002, "MALFORMED"),
    "a number of 60,000 digits": (b'{"ping":{"nonce":' + b"9" * 60_000 + b"}}", 1002, "MALFORMED"),
    "an exponent": (b'{"ping":{"nonce":1e999999999}}', 1002, "MALFORMED"),
    "a name of 60,000 letters": (b'{"ping":{"' + b"x" * 60_000 + b'":1}}', None, None),
    "6,000 members": (b'{"ping":{"nonce":"1",' + WIDE.encode() + b"}}", None, None),
    "a lone surrogate": (rb'{"hello":{"user":"\ud800"}}', 1002, "MALFORMED"),
    "a zero byte": (b'{"ping":{}}\x00', 1002, "MALFORMED"),
    "two texts": (b'{"ping":{}}{"ping":{}}', 1002, "MALFORMED"),
    "nothing": (b"", 1002, "MALFORMED"),
    "no UTF-8": (b'{"join":{"group":"\xff"}}', 1007, None),
    "half a character": (b'{"join":{"group":"\xe2\x82', 1007, None),
    "a byte order mark": (b'\xef\xbb\xbf{"ping":{}}', 1002, "MALFORMED"),
}


@pytest.mark.parametrize("name", JSON_TEXTS)
def test_json_that_is_meant_to_hurt(place, name):
    text, code, reason = JSON_TEXTS[name]
    with place.dial() as raw:
        greet(raw)
        with contextlib.suppress(ConnectionError):
            raw.send(frame(TEXT, text))
        if code is None:
            assert hear(raw)[0] == "pong"
        else:
            expect_end(raw, code, reason)


def test_lists_that_are_too_long_are_refused(place):
    position = {"conversation": {"group": "g"}, "epoch": "1", "offset": "1"}
    with place.dial() as raw:
        say(raw, hello={"user": "eve", "resume": {"sessionToken": "x", "positions": [position] * 258}})
        expect_end(raw, 1002, "MALFORMED")


def test_protobuf_that_is_none(place):
    generator = random.Random(7)
    hello = encode(PROTO, {"hello": {"user": "eve", "agent": "x" * 50}})
    texts = [generator.randbytes(generator.randrange(1, 300)) for _ in range(60)]
    texts += [hello[:end] for end in range(1, len(hello), 5)]  # cut off
    texts += [varint(1 << 3 | 2) + varint(length) + hello for length in (1 << 20, 1 << 31, (1 << 64) - 1)]
    texts += [b"\x0b" * 30_000, b"\x0a" * 60_000, b"\xff" * 11, b"\x00", b"", varint(99 << 3) + b"\x01"]
    for byte in range(len(hello)):  # one bit wrong somewhere
        texts.append(hello[:byte] + bytes([hello[byte] ^ 1 << byte % 8]) + hello[byte + 1:])
    ends = set()
    for text in texts:
        with place.dial(PROTO) as raw:
            raw.send(frame(BINARY, text))
            while True:
                opcode, payload = raw.next()
                if opcode == CLOSE:
                    ends.add(int.from_bytes(payload[:2]))
                    break
                if payload[:2] == b"\xa2\x01":  # a welcome: the flipped bit was in a name
                    ends.add(0)
                    break
    assert ends <= {0, 1002, 4004, 4010, 4022}, ends
    assert {1002, 4004} <= ends


def test_the_wrong_thing_at_the_wrong_time(place):
    with place.dial() as raw:
        say(raw, ping={})
        expect_end(raw, 1002, "PROTOCOL_VIOLATION")
    with place.dial() as raw:  # before its welcome: whether that has gone out meanwhile is no matter
        raw.send(b"".join(frame(TEXT, encode(JSON, {"hello": {"user": "eve"}}).encode()) for _ in range(2)))
        kinds = [hear(raw), hear(raw)]
        if kinds[0][0] == "welcome":
            kinds = [kinds[1], hear(raw)]
        assert kinds[0][1]["reason"] == "PROTOCOL_VIOLATION" and kinds[1] == ("close", 1002)
    for seqs in ([1, 1], [5, 4], [2**64 - 1, 1]):
        with place.dial() as raw:
            greet(raw)
            for seq in seqs:
                say(raw, publish={"seq": seq, "id": f"m{time.time_ns()}", "to": {"user": "nobody"},
                                  "content": {"text": ""}})
            kind = "ack"
            while kind == "ack":
                kind, body = hear(raw)
            assert kind == "kick" and body["reason"] == "PROTOCOL_VIOLATION"
    for seq in (1, 2**32, 2**64 - 1):
        with place.dial() as raw:
            greet(raw)
            say(raw, ack={"seq": seq})
            expect_end(raw, 1002, "PROTOCOL_VIOLATION")
    with place.dial() as raw:  # whose numbers it guesses
        greet(raw)
        for request in ("0.1.1", "65535.1.1", "99999.1.1", "0.0.0", "..", "-1.2.3", "1" * 64, "0.18446744073709551616.1"):
            say(raw, reply={"request": request, "content": {"text": "gotcha"}})
        say(raw, ping={"nonce": 1})
        while hear(raw)[0] != "pong":
            pass


def test_who_says_nothing_is_sent_away(place):
    with contextlib.ExitStack() as stack:
        raws = [stack.enter_context(place.dial()) for _ in range(50)]
        place.serves()
        for raw in raws:
            expect_end(raw, 4031, "TIMED_OUT")


def test_slow_writers_hold_nobody_up(place):
    with contextlib.ExitStack() as stack:
        raws = [stack.enter_context(place.dial()) for _ in range(30)]
        for index, raw in enumerate(raws):
            greet(raw, f"slow{index}")
        message = frame(TEXT, encode(JSON, {"ping": {"nonce": 7}}).encode())
        for index in range(len(message)):
            for raw in raws:
                raw.send(message[index:index + 1])
            if index % 10 == 0:
                place.serves()
        for raw in raws:
            assert hear(raw) == ("pong", {"nonce": "7"})
        raws[0].send(message[:3])  # and one that goes in the middle of a frame


def test_who_asks_and_never_listens_is_not_asked_on(place):
    """A million pongs that nobody takes: the hub stops reading, and cuts."""
    with place.dial() as raw:
        greet(raw)
        ping = frame(TEXT, encode(JSON, {"ping": {"nonce": 2**64 - 1}}).encode()) * 1000
        with pytest.raises(OSError):
            for _ in range(2000):
                raw.send(ping)


def test_who_never_reads_is_cut_and_costs_little(place):
    sender = place.loop.client(place.hub, "sender")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", place.hub.port))
    with connection:
        connection.sendall(UPGRADE.format(version="13", key=KEY, more="").encode())
        connection.sendall(frame(TEXT, b'{"hello":{"user":"sloth"}}'))
        answer = b""
        while b"welcome" not in answer:
            answer += connection.recv(4096)
        before = len(place.hub.log("ws backpressure: closing slow consumer channel"))
        rss = procfs.rss(place.hub.pid)
        peak = rss
        for _ in range(20):  # 20 MB, while they are taken from the sender
            sender.hear_acked(sender.publish_many([({"user": "sloth"}, "x" * 50_000, {}) for _ in range(20)]))
            peak = max(peak, procfs.rss(place.hub.pid))
        # A log of its store, and the hard limit; not what was sent.
        assert peak < rss + 40 * MIB, f"{(peak - rss) / MIB:.0f} MiB"
        lines = streams.eventually(
            "it is cut", lambda: place.hub.log("ws backpressure: closing slow consumer channel")[before:])
        assert lines[0]["uid"] == "sloth" and lines[0]["reason"] == "slow_consumer"
        with pytest.raises(ConnectionError):  # what had got into the system's buffers, and then a reset
            while connection.recv(1 << 16):
                pass


# --- tokens

OTHER_SECRET = b"f" * 32


def forged(place):
    secret, header = b"0123456789abcdef0123456789abcdef", {"alg": "HS256", "typ": "JWT"}
    good = sign(secret, header, claims("ann", EVERYTHING))
    head, body, signature = good.split(".")
    root = base64url(json.dumps(claims("root", EVERYTHING)).encode())
    last = "A" if signature[-2] != "A" else "B"
    return {
        "expired": (place.issuer.token("ann", EVERYTHING, lasts=-31), "TOKEN_EXPIRED"),
        "not yet": (place.issuer.token("ann", EVERYTHING, nbf=int(time.time()) + 3600), "TOKEN_INVALID"),
        "from the future": (place.issuer.token("ann", EVERYTHING, iat=int(time.time()) + 3600), "TOKEN_INVALID"),
        "for somebody else": (place.issuer.token("ann", EVERYTHING, aud="other.example"), "TOKEN_INVALID"),
        "another secret": (sign(OTHER_SECRET, header, claims("ann", EVERYTHING)), "TOKEN_INVALID"),
        "another body": (f"{head}.{root}.{signature}", "TOKEN_INVALID"),
        "a wrong signature": (f"{head}.{body}.{signature[:-2]}{last}{signature[-1]}", "TOKEN_INVALID"),
        "no signature": (f"{head}.{body}.", "TOKEN_INVALID"),
        "two parts": (f"{head}.{body}", "TOKEN_INVALID"),
        "none": (base64url(b'{"alg":"none"}') + f".{body}.", "TOKEN_INVALID"),
        "None": (base64url(b'{"alg":"None"}') + f".{body}.{signature}", "TOKEN_INVALID"),
        "none, signed": (sign(secret, {"alg": "none"}, claims("ann")), "TOKEN_INVALID"),
        "no algorithm": (sign(secret, {}, claims("ann")), "TOKEN_INVALID"),
        "RS256 by HMAC": (sign(secret, {"alg": "RS256"}, claims("ann")), "TOKEN_INVALID"),
        "HS512": (sign(secret, {"alg": "HS512"}, claims("ann")), "TOKEN_INVALID"),
        "crit": (sign(secret, {**header, "crit": ["exp"]}, claims("ann")), "TOKEN_INVALID"),
        "an embedded key": (sign(OTHER_SECRET, {**header, "jwk": {"kty": "oct", "k": base64url(OTHER_SECRET)}},
                                 claims("ann")), "TOKEN_INVALID"),
        "no end": (sign(secret, header, {"sub": "ann"}), "TOKEN_INVALID"),
        "nobody": (sign(secret, header, {"exp": int(time.time()) + 100}), "TOKEN_INVALID"),
        "a wrong kind of end": (sign(secret, header, {"sub": "ann", "exp": "tomorrow"}), "TOKEN_INVALID"),
        "padding": (good + "=", "TOKEN_INVALID"),
        "a line's end": (good + "\n", "TOKEN_INVALID"),
        "deep": (sign(secret, header, {**claims("ann"), "x": json.loads("[" * 500 + "]" * 500)}), "TOKEN_INVALID"),
        "noise": ("x" * 8000, "TOKEN_INVALID"),
        "too long": ("x" * 9000, "MALFORMED"),
    }


def test_no_forged_token_lets_in(place):
    for name, (token, reason) in forged(place).items():
        with place.dial(guarded=True) as raw:
            say(raw, hello={"user": "ann", "token": token})
            kind, body = hear(raw)
            assert kind == "kick" and body["reason"] == reason, (name, kind, body)
    good = place.loop.client(place.guarded, token=place.issuer.token("ann", EVERYTHING))
    for name, (token, reason) in forged(place).items():
        if reason != "MALFORMED":
            good.say(refresh={"token": token})
            assert good.hear("error")["reason"] == reason, name
    good.say(refresh={"token": place.issuer.token("bob", EVERYTHING)})  # good, and somebody else's
    assert good.hear("error")["reason"] == "FORBIDDEN"
    good.publish({"user": "ann"}, "still me")
    assert good.hear("delivery")["from"] == "ann"


def test_a_session_of_another_is_none(place):
    ann = place.loop.client(place.guarded, token=place.issuer.token("ann", EVERYTHING))
    for secret in (ann.welcome["sessionToken"], ann.welcome["session"]):
        eve = place.loop.client(place.guarded, token=place.issuer.token("eve", EVERYTHING),
                                resume={"sessionToken": secret, "positions": []})
        assert eve.welcome["resumed"] is False and eve.welcome["session"] != ann.welcome["session"]
