"""Thousands of clients of a messaging hub on one thread: bare sockets, JSON, as little work as possible for each."""

import base64
import errno
import hashlib
import heapq
import hmac
import json
import random
import selectors
import socket
import struct
import time

UPGRADE = "\r\n".join([
    "GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode(), "Sec-WebSocket-Protocol: sluice.v1.json", "", ""])
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def client_frame(opcode, payload):
    """Masked with zeros: as good as any mask, and nothing to compute."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack("!H", size)
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


def proof_of(token, shift=0):
    """That a client holds this session token, by docs/wire/hub.md alone. `shift`: windows that its clock is ahead."""
    session, _, key = token.split(".")
    window = int(time.time() * 1000) // 300_000 + shift
    tag = hmac.new(key.encode(), f"sluice/1 resume\n{session}\n{window}".encode(), hashlib.sha256).hexdigest()
    return f"{session}.{window}.{tag}"


class Member:
    """One client of a swarm, and what it has seen. It acknowledges nothing, and answers pings.

    With `comes_back` it does what the protocol asks of a client whose connection has ended: it waits, as long as it was
    told or else longer each time, and resumes its session.
    """

    def __init__(self, user, groups, buffer, watches):
        self.user, self.groups, self.buffer, self.watches = user, groups, buffer, watches
        self.socket = None
        self.joined = {}  # by group: the position at which it came in
        self.offsets = {}  # by conversation: the offsets that were delivered, in their order
        self.critical = 0
        self.online = {}  # by user: what it was told last, in any of its groups that it watches
        self.gaps = []
        self.errors = []
        self.kick = None
        self.close_code = None
        self.welcome = None
        self.welcomes = 0
        self.ended = None  # how: "closed", "reset"
        self.sent_away = []  # the Retry-After of each 503
        self.reading = True
        self.comes_back = False
        self.tries = 0  # in vain, since it was there last
        self.inbox = bytearray()
        self.upgraded = False

    @property
    def ready(self):
        return self.welcome is not None and len(self.joined) == len(self.groups)

    def heard(self, group):
        """The offsets that it was delivered of a group, in their order."""
        return self.offsets.get(f"group:{group}", [])

    def resume(self):
        positions = [{"conversation": {"group": name}, "epoch": joined["epoch"],
                      "offset": str(max(self.heard(name), default=int(joined.get("offset", 0))))}
                     for name, joined in self.joined.items()]
        return {"sessionToken": self.welcome["sessionToken"], "positions": positions}


class Swarm:
    """A context manager: leaving it closes all sockets."""

    def __init__(self, hub, seed=1):
        self._address = ("127.0.0.1", hub.port)
        self._random = random.Random(seed)
        self._selector = selectors.EpollSelector()
        self._later = []  # (when, number, member)
        self._count = 0
        self.members = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members:
            self._hang_up(member)
        self._selector.close()

    def add(self, user, *groups, buffer=None, watches=False):
        """`buffer`: what its kernel keeps for it; the system's own way of finding that out unless told.

        `watches`: it wants to hear who comes and goes.
        """
        member = Member(user, groups, buffer, watches)
        self.members.append(member)
        self._connect(member)
        return member

    def run(self, until, timeout=60, what="what the swarm waits for"):
        """Lets everything happen until a condition holds."""
        deadline = time.monotonic() + timeout
        while not until():
            assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
            self.step(0.05)

    def step(self, patience):
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._connect(heapq.heappop(self._later)[2])
        for key, events in self._selector.select(patience):
            member = key.data
            if member.socket is not key.fileobj:
                continue
            try:
                if events & selectors.EVENT_WRITE:
                    self._connected(member)
                if events & selectors.EVENT_READ:
                    self._read(member)
            except OSError as error:
                self._lost(member, "reset" if error.errno in (errno.ECONNRESET, errno.EPIPE) else str(error))

    def pause(self, member):
        """Its program takes nothing any more."""
        member.reading = False
        self._selector.unregister(member.socket)

    def go_on(self, member):
        member.reading = True
        self._selector.register(member.socket, selectors.EVENT_READ, member)

    def take(self, member, size):
        """So many bytes at the most of what has come for a paused one, which makes no sense of them; b"" at the end."""
        try:
            return member.socket.recv(size)
        except BlockingIOError:
            return None

    def come_back(self, member, seconds=0):
        """From now on it does so whenever its connection ends."""
        member.comes_back = True
        self._again(member, seconds)

    def drop(self, member):
        """Gone by a reset."""
        if member.socket:
            member.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._lost(member, "dropped")

    def say(self, member, **envelope):
        """Short enough for any buffer."""
        member.socket.sendall(client_frame(TEXT, json.dumps(envelope).encode()))

    def send(self, member, data):
        """As it is, and as long as it takes the hub to read it; a hub that has ended the connection is no error."""
        try:
            member.socket.settimeout(30)
            member.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            member.socket.setblocking(False)

    def _connect(self, member):
        member.ended, member.close_code, member.kick = None, None, None
        member.inbox, member.upgraded = bytearray(), False
        member.socket = socket.socket()
        member.socket.setblocking(False)
        if member.buffer:
            member.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, member.buffer)
        member.socket.connect_ex(self._address)
        self._selector.register(member.socket, selectors.EVENT_WRITE, member)

    def _connected(self, member):
        if error := member.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, "connect")
        self._selector.modify(member.socket, selectors.EVENT_READ, member)
        path = "/v1/hub?resume=" + proof_of(member.welcome["sessionToken"]) if member.welcome else "/v1/hub"
        member.socket.sendall(UPGRADE.format(path=path).encode())

    def _read(self, member):
        data = member.socket.recv(1 << 16)
        if not data:
            return self._lost(member, "closed")
        member.inbox += data
        if not member.upgraded and not self._upgrade(member):
            return None
        while frame := take_frame(member.inbox):
            self._heard(member, *frame)
        return None

    def _upgrade(self, member):
        head, found, _ = bytes(member.inbox).partition(b"\r\n\r\n")
        if not found:
            return False
        if head.startswith(b"HTTP/1.1 503"):
            [line] = [line for line in head.decode().splitlines() if line.lower().startswith("retry-after:")]
            member.sent_away.append(int(line.split(":")[1]))
            self._hang_up(member)
            self._again(member, member.sent_away[-1])
            return False
        assert head.startswith(b"HTTP/1.1 101"), head
        del member.inbox[:len(head) + 4]
        member.upgraded = True
        hello = {"user": member.user}
        if member.welcome:
            hello["resume"] = member.resume()
        self.say(member, hello=hello)
        return True

    def _heard(self, member, opcode, payload):
        if opcode == PING:
            member.socket.sendall(client_frame(PONG, payload))
        elif opcode == CLOSE:
            member.close_code = int.from_bytes(payload[:2])
        elif opcode == TEXT:
            [(kind, body)] = json.loads(payload).items()
            if kind == "delivery":
                self._delivered(member, body)
            elif kind == "welcome":
                fresh = member.welcome is None
                member.welcome = body
                member.welcomes += 1
                member.tries = 0
                for group in member.groups if fresh else ():
                    self.say(member, join={"group": group, "presence": member.watches})
            elif kind == "joined":
                member.joined.setdefault(body["group"], body)
            elif kind == "presence":
                member.online[body["user"]] = body.get("online", False)
            elif kind == "gap":
                member.gaps.append(body)
            elif kind == "kick":
                member.kick = body
            elif kind == "error":
                member.errors.append(body)

    @staticmethod
    def _delivered(member, body):
        [(kind, name)] = body["to"].items()
        member.offsets.setdefault(f"{kind}:{name}", []).append(int(body["offset"]))
        member.critical += body.get("critical", False)

    def _lost(self, member, how):
        member.ended = how
        self._hang_up(member)
        if member.comes_back:
            member.tries += 1
            self._again(member, self._random.random() * min(4, 0.25 * 2**member.tries))

    def _again(self, member, seconds):
        self._count += 1
        heapq.heappush(self._later, (time.monotonic() + seconds, self._count, member))

    def _hang_up(self, member):
        if member.socket is None:
            return
        if member.reading:
            self._selector.unregister(member.socket)
        member.reading = True
        member.socket.close()
        member.socket = None


def take_frame(data):
    """(opcode, payload) of the first whole frame, taken off; a server's, whose messages are one frame each."""
    if len(data) < 2:
        return None
    size, head = data[1], 2
    if size == 126:
        head = 4
    elif size == 127:
        head = 10
    if len(data) < head:
        return None
    if head > 2:
        size = int.from_bytes(data[2:head])
    if len(data) < head + size:
        return None
    opcode, payload = data[0] & 15, bytes(data[head:head + size])
    del data[:head + size]
    return opcode, payload
