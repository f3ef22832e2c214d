"""Those who mean well while somebody attacks: they talk, others come, and each answer is measured and checked."""

import contextlib
import json
import socket
import statistics
import time

from .attacker import HUB, UPGRADE, envelope, hello
from .hub_swarm import CLOSE, PING, PONG, client_frame, take_frame

PACE = 0.005
NEWCOMER_EACH = 20
"""Messages between two newcomers."""
PATIENCE = 10


class Client:
    """One that waits for its answers. A context manager."""

    def __init__(self, port, user, **fields):
        self.seq = 0
        self._inbox = bytearray()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(UPGRADE.format(path="/v1/hub", port=port, protocol=HUB).encode())
        while b"\r\n\r\n" not in self._inbox:
            self._more()
        head, _, rest = bytes(self._inbox).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionRefusedError(head.decode())
        self._inbox = bytearray(rest)
        self._socket.sendall(envelope(hello={"user": user, **fields}) if fields else hello(user))
        self.hear("welcome")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def say(self, **body):
        self._socket.sendall(envelope(**body))

    def publish(self, user):
        self.seq += 1
        self.say(publish={"seq": self.seq, "id": f"m{self.seq}", "to": {"user": user}, "content": {"text": "x" * 100}})

    def hear(self, wanted):
        """The next of that kind; anything that says no is an error."""
        while True:
            while frame := take_frame(self._inbox):
                opcode, payload = frame
                if opcode == PING:
                    self._socket.sendall(client_frame(PONG, payload))
                elif opcode == CLOSE:
                    raise ConnectionResetError(payload[2:].decode())
                else:
                    [(kind, body)] = json.loads(payload).items()
                    if kind == wanted:
                        return body
                    assert kind in ("ack", "pong"), f"{kind}: {body}"
            self._more()

    def _more(self):
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("The hub has closed the connection.")
        self._inbox += data


class Victims:
    """Two who talk to each other, and those who come meanwhile."""

    def __init__(self, port):
        self._port = port
        self.ann = Client(port, "ann")
        self.bob = Client(port, "bob", acknowledges=True)

    def measure(self, seconds, newcomers=1):
        """For so long, and until so many newcomers have got in, or ten have not."""
        talks, connects, turned_away = [], [], 0
        due = time.monotonic()
        end = due + seconds
        while due < end or len(connects) < newcomers and turned_away < 10:
            sent = time.monotonic()
            self.ann.publish("bob")
            delivery = self.bob.hear("delivery")
            assert delivery["id"] == f"m{self.ann.seq}", delivery
            talks.append(time.monotonic() - sent)
            self.bob.say(ack={"seq": self.ann.seq})
            if self.ann.seq % NEWCOMER_EACH == 0:
                with contextlib.suppress(OSError):
                    began = time.monotonic()
                    with Client(self._port, f"guest{self.ann.seq}"):
                        connects.append(time.monotonic() - began)
                        began = None
                turned_away += began is not None
            due = max(due + PACE, time.monotonic() - 10 * PACE)
            time.sleep(max(0, due - time.monotonic()))
        return {"p50_ms": quantile(talks, 50), "p99_ms": quantile(talks, 99), "connect_p50_ms": quantile(connects, 50),
                "connect_p99_ms": quantile(connects, 99), "newcomers": len(connects), "turned_away": turned_away}


def quantile(seconds, percent):
    if len(seconds) < 2:
        return 1000 * PATIENCE
    return 1000 * statistics.quantiles(seconds, n=100)[percent - 1]
