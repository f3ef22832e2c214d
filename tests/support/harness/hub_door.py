"""A hub's door: connections that say what a test wants before they are WebSockets, from any address of loopback."""

import base64
import contextlib
import json
import selectors
import socket
import ssl
import threading
import time

from .hub_protocol import JSON
from .hub_swarm import CLOSE, TEXT, take_frame


def upgrade(path="/v1/hub", *headers):
    """A request for a WebSocket."""
    words = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode(),
             f"Sec-WebSocket-Protocol: {JSON}", *headers, "", ""]
    return "\r\n".join(words).encode()


def get(path, *headers):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


class Door:
    """One connection. A context manager. `preface`: bytes in front of everything, TLS included."""

    def __init__(self, port, source="127.0.0.1", preface=b"", tls=False, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))
        self.buffer = bytearray()
        if preface:
            self.socket.sendall(preface)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, request):
        """The status that a request is answered with; None when the connection ends instead."""
        try:
            self.socket.sendall(request)
            while b"\r\n\r\n" not in self.buffer:
                if not self._fill():
                    return None
        except (ConnectionError, ssl.SSLError):
            return None
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        return int(head.split()[1])

    def _fill(self):
        piece = self.socket.recv(65536)
        self.buffer += piece
        return bool(piece)

    def say(self, message):
        """A text message, short."""
        text = json.dumps(message).encode()
        assert len(text) < 126
        self.socket.sendall(bytes([0x80 | TEXT, 0x80 | len(text)]) + bytes(4) + text)

    def hear(self):
        """The next text message; None at the end."""
        while True:
            frame = take_frame(self.buffer)
            if frame is None:
                if not self._fill():
                    return None
                continue
            opcode, payload = frame
            if opcode == CLOSE:
                return None
            if opcode == TEXT:
                return json.loads(payload)


class Besiegers:
    """Connections that say as much as they are told and then nothing, and come again `pause` after they are ended.

    A context manager; a thread of its own keeps `count` of them from each of `sources`.
    """

    def __init__(self, port, says, sources, count, pause=0.0):
        self._pause, self._later = pause, []
        self._address, self._says = ("127.0.0.1", port), says
        self._wanted = [source for source in sources for _ in range(count)]
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._over = threading.Event()
        self.attempts = 0

    def __enter__(self):
        self._thread.start()
        deadline = time.monotonic() + 30
        while self.attempts < len(self._wanted):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(30)

    def _come(self, source):
        comer = socket.socket()
        comer.setblocking(False)
        comer.bind((source, 0))
        comer.connect_ex(self._address)
        self._selector.register(comer, selectors.EVENT_WRITE, source)
        self.attempts += 1

    def _run(self):
        for source in self._wanted:
            self._come(source)
        while not self._over.is_set():
            while self._later and self._later[0][0] <= time.monotonic():
                self._come(self._later.pop(0)[1])
            for key, events in self._selector.select(0.05):
                with contextlib.suppress(OSError):
                    if events & selectors.EVENT_WRITE:
                        if self._says:
                            key.fileobj.send(self._says)
                        self._selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                        continue
                    if key.fileobj.recv(65536):
                        continue
                self._selector.unregister(key.fileobj)
                key.fileobj.close()
                self._later.append((time.monotonic() + self._pause, key.data))
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
