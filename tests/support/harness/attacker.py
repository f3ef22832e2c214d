"""Programs that mean harm to a messaging hub: `python3 -m harness.attacker NAME PORT` attacks until it is killed.

Each opens its connections, says so as an event of JSON (`{"event":"attacking"}`), and then does one thing as fast as the
hub lets it. What the hub ends is opened again. The attackers are one user, or some, of an open hub on loopback; where
an attack needs several addresses it uses those of 127.0.0.0/8.
"""

import base64
import heapq
import itertools
import json
import pathlib
import random
import selectors
import socket
import sys
import time

from .hub_swarm import PING, PONG, TEXT, client_frame, take_frame

UPGRADE = "\r\n".join([
    "GET {path} HTTP/1.1", "Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode(), "{protocol}", ""])
HUB = "Sec-WebSocket-Protocol: sluice.v1.json\r\n"
BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE
LARGE = "x" * 60_000
NOBODY = {"user": "nobody"}
PAUSE = 0.05
"""Seconds before what the hub has ended is opened again."""


def envelope(**body):
    return client_frame(TEXT, json.dumps(body, separators=(",", ":")).encode())


def hello(user):
    return envelope(hello={"user": user})


class Attacker:
    """One connection: what it says first, and what it goes on saying. It answers pings, unless it reads nothing.

    `first`: bytes behind the upgrade, or behind the hub's Welcome if it is a `user`'s. `says`: makes, for each connection,
    the function that makes the next piece; None for silence. `half`: this instead of a whole request. One that does not
    read stops doing so when it has said what comes first, and is opened anew after `DEAF` seconds.
    """

    DEAF = 3

    def __init__(self, port, *, user=None, first=b"", says=None, reads=True, path="/v1/hub", source="127.0.0.1", half=None):
        protocol = HUB if path.startswith("/v1/hub") else ""
        request = UPGRADE.format(path=path, port=port, protocol=protocol).encode()
        self._hello = hello(user) if user else b""
        self._begins = half if half is not None else request + self._hello
        self._first, self._says, self._port, self._source = first, says, port, source
        self._reads = reads
        self.socket = None
        self.more = None
        self.waits = b""
        self.upgraded = False
        self.begun = False
        self.inbox = bytearray()

    def connect(self):
        if self.socket:
            self.socket.close()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((self._source, 0))
        self.socket.connect_ex(("127.0.0.1", self._port))
        self.waits, self.more = self._begins, None
        self.upgraded = self.begun = False
        self.inbox = bytearray()

    @property
    def reads(self):
        return self._reads or not self.begun

    def write(self):
        """Whether there is more to say, and how many bytes were said now."""
        if not self.waits and self.more:
            self.waits = self.more()
        said = 0
        if self.waits:
            said = self.socket.send(self.waits)
            self.waits = self.waits[said:]
        return bool(self.waits or self.more), said

    def read(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError
        if self.begun and self.more:
            return  # a flood makes no sense of its answers
        self.inbox += data
        if not self.upgraded:
            head, found, _ = bytes(self.inbox).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionResetError
            self.upgraded = True
            del self.inbox[:len(head) + 4]
            if not self._hello:
                self._begin()
        while frame := take_frame(self.inbox):
            if frame[0] == PING:
                self.waits += client_frame(PONG, frame[1])
            elif not self.begun and b'"welcome"' in frame[1][:20]:
                self._begin()

    def _begin(self):
        self.begun = True
        self.waits += self._first
        self.more = self._says() if self._says else None


class Attack:
    """All connections of one attack on one thread."""

    BEGINNING = 0.5
    """Seconds that its connections have for their first words before it says that it attacks."""

    def __init__(self, attackers):
        self._selector = selectors.EpollSelector()
        self._attackers = attackers
        self._later = []  # (when, number, attacker)
        self._count = 0
        self._said = 0  # bytes

    def run(self):
        for attacker in self._attackers:
            self._open(attacker)
        begins = time.monotonic() + self.BEGINNING
        while True:
            now = time.monotonic()
            if now >= begins:
                begins = float("inf")
                begun = sum(attacker.begun for attacker in self._attackers)
                print(json.dumps({"event": "attacking", "begun": begun, "said": self._said}), flush=True)
            while self._later and self._later[0][0] <= now:
                self._open(heapq.heappop(self._later)[2])
            for key, events in self._selector.select(PAUSE):
                self._step(key.data, events)

    def _open(self, attacker):
        attacker.connect()
        self._selector.register(attacker.socket, BOTH, attacker)

    def _step(self, attacker, events):
        try:
            if events & selectors.EVENT_READ and attacker.reads:
                attacker.read()
            if events & selectors.EVENT_WRITE or attacker.waits or attacker.more:
                self._write(attacker)
        except BlockingIOError:
            pass
        except OSError:
            self._selector.unregister(attacker.socket)
            attacker.socket.close()
            self._again(attacker, PAUSE)

    def _write(self, attacker):
        more, said = attacker.write()
        self._said += said
        if not more and not attacker.reads:
            self._selector.unregister(attacker.socket)
            self._again(attacker, attacker.DEAF)
        else:
            self._selector.modify(attacker.socket, BOTH if more else selectors.EVENT_READ, attacker)

    def _again(self, attacker, seconds):
        """Its present socket stays as it is until then."""
        self._count += 1
        heapq.heappush(self._later, (time.monotonic() + seconds, self._count, attacker))


def again(*envelopes, times=500):
    """The same bytes for ever."""
    piece = b"".join(envelopes) * times
    return lambda: lambda: piece


def numbered(kind, count=1, **fields):
    """For each connection: `count` publishes or requests at a time, each with a number and an id of its own."""
    def start():
        run, numbers = random.randrange(1 << 30), itertools.count(1)

        def piece():
            return b"".join(envelope(**{kind: {"seq": seq, "id": f"{run}-{seq}", **fields}})
                            for seq in itertools.islice(numbers, count))

        return piece

    return start


def publishes(text, count=1, **fields):
    return numbered("publish", count, content={"text": text}, **fields)


def flood(port, says, first=b"", user="eve", connections=4):
    return [Attacker(port, user=user, first=first, says=says) for _ in range(connections)]


def silent_sockets(port):
    """Eight addresses with 32 sockets each that claim to resume and say nothing, and as many half requests."""
    hosts = [f"127.0.0.{number}" for number in range(2, 10)]
    return ([Attacker(port, path="/v1/hub?resume", source=host) for host in hosts for _ in range(32)] +
            [Attacker(port, half=b"GET /v1/hub HTTP/1.1\r\nHost:", source=host) for host in hosts for _ in range(32)])


def one_program(port):
    """The same from one address: a program on this machine."""
    return [Attacker(port) for _ in range(256)] + [Attacker(port, half=b"GET") for _ in range(256)]


def pings(port):
    return flood(port, again(envelope(ping={})))


def leaves(port):
    return flood(port, again(envelope(leave={"group": "nowhere"})))


def refused_joins(port):
    return flood(port, again(envelope(join={"group": "g"})), envelope(join={"group": "g"}))


def questions(port):
    return flood(port, again(envelope(who={"group": "g"})), envelope(join={"group": "g"}))


def control_pings(port):
    """Before their hello."""
    return flood(port, again(client_frame(PING, b"x"), times=4000), user=None)


def bad_publishes(port):
    """Rejected one by one: an empty id."""
    return flood(port, publishes("x", 200, id="", to=NOBODY))


def large_requests(port):
    """60 KB each, to a user who takes nothing."""
    asked = Attacker(port, user="carl", reads=False)
    return [asked] + flood(port, numbered("request", user="carl", content={"text": LARGE}))


def presence(port):
    """Users who come and go, under the eyes of one who takes nothing."""
    watcher = Attacker(port, user="carl", first=envelope(join={"group": "g", "presence": True}), reads=False)
    turns = again(envelope(join={"group": "g"}), envelope(leave={"group": "g"}), times=100)
    return [watcher] + [Attacker(port, user=f"eve{number}", says=turns) for number in range(8)]


def awaited_deliveries(port):
    """To a user who is not there, as many as it may."""
    return flood(port, publishes("x", 64, to=NOBODY, level="DELIVERED"))


def fan_out(port):
    """60 KB each to 500 members, who read; one user of 4 connections."""
    members = [Attacker(port, user=f"member{number}", first=envelope(join={"group": "g"})) for number in range(500)]
    return members + flood(port, publishes(LARGE, to={"group": "g"}))


def stored(port):
    """60 KB each, into the inbox of a user who is not there."""
    return flood(port, publishes(LARGE, to=NOBODY, level="STORED"))


def many_ids(port):
    """Twelve users, as many publishes as they may."""
    return [Attacker(port, user=f"eve{number}", says=publishes("x", 64, to=NOBODY)) for number in range(12)]


def unfinished(port):
    """Messages of 64 KB that never end, of 8 users."""
    begun = client_frame(TEXT, b" " * 65_000)[:-1]
    return [Attacker(port, user=f"eve{number % 8}", first=begun) for number in range(64)]


def wrong_codes(port):
    """Mailboxes that are not there, from eight addresses."""
    join = client_frame(TEXT, json.dumps({"type": "join", "mailbox": "999999"}).encode())
    return [Attacker(port, path="/v1/mailbox", source=f"127.0.0.{number}", says=again(join, times=20))
            for number in range(2, 10)]


ATTACKS = {attack.__name__: attack for attack in (
    silent_sockets, one_program, pings, control_pings, leaves, refused_joins, questions, bad_publishes, large_requests,
    presence, awaited_deliveries, fan_out, stored, many_ids, unfinished, wrong_codes)}


def start_attack(crew, name, port):
    """In a process of its own, at a lower priority than the hub's, as it would have a machine of its own."""
    attacker = crew.start("attacker", sys.executable, "-m", "harness.attacker", name, port, prefix=["nice", "-n", "10"],
                          env={"PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[1]),
                               "PYTHONDONTWRITEBYTECODE": "1"})
    attacker.wait_event("attacking")
    return attacker


def main():
    name, port = sys.argv[1:]
    Attack(ATTACKS[name](int(port))).run()


if __name__ == "__main__":
    main()
