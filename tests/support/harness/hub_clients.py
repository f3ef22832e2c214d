"""A messaging hub as users start it, and clients of it that no one here wrote (python3-websockets)."""

import asyncio
import json
import signal
import threading
import time
import urllib.error
import urllib.request

import websockets

from . import hub_protocol, sluice
from .process import KEPT_LINES

PATIENCE = 30.0
"""How long something may take that has to come; it only decides how soon its absence is noticed."""


class MessagingHub:
    """`sluice hub` with messaging, with its settings in a file that can be changed.

    `settings` is TOML; without `keys` in it the hub is open. `data`: the folder of its store, or in memory. `listen`: a
    port of loopback that is free unless told. `options` are those of a Process.
    """

    def __init__(self, crew, settings="", *arguments, data=None, is_open=True, shards=2, listen="127.0.0.1:0",
                 **options):
        self._crew = crew
        self.file = crew.folder() / "hub.toml"
        self.write_settings(settings)
        words = ["hub", "--listen", listen, "--config", self.file, "--shards", shards, *arguments]
        words += ["--open"] if is_open else []
        words += ["--data", data] if data else []
        self.process = sluice.start(crew, "hub", *words, **options)
        self.pid = self.process.pid
        self.url = None

    def wait(self):
        """Until it listens."""
        self.url = self.process.wait_event("listening", service="hub")["url"]
        return self

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    def write_settings(self, settings):
        """Its figures are those of the moment, unless the settings say otherwise: tests ask right after what they did."""
        if "[metrics]" not in settings:
            settings += '\n[metrics]\nmax_age = "0s"\n'
        self.file.write_text(settings, encoding="utf-8")

    def reload(self, settings):
        """New settings; it says in its log when it has taken them up, or why it has not."""
        self.write_settings(settings)
        self.process.signal(signal.SIGHUP)

    def page(self, path):
        """The status of a page and its text."""
        url = self.url.replace("ws", "http", 1) + path
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def is_healthy(self):
        status, text = self.page("/healthz")
        return status == 200 and bool(json.loads(text))

    def log(self, message):
        """The lines of its log so far that say this."""
        return [line for line in self.lines() if line.get("message") == message]

    def lines(self):
        found = []
        for text in self.process.transcript(KEPT_LINES).splitlines():
            try:
                found.append(json.loads(text))
            except ValueError:
                pass
        return found

    def terminate(self, timeout=40):
        """Ends it as a service manager does. Its code is 0 only when its books balance."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait(timeout)


class Loop:
    """An event loop on a thread of its own, for clients that a test talks to step by step. A context manager."""

    def __init__(self):
        self._clients = []
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        async def end():
            for client in self._clients:
                client.abort()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(PATIENCE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    def run(self, coroutine, timeout=PATIENCE):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def client(self, hub, user=None, *, subprotocol=hub_protocol.JSON, path="/v1/hub", greet=True, over=None, **hello):
        """A connected client; one that has been welcomed unless `greet` is false. `over`: options of its connection."""
        client = Client(self, subprotocol)
        self._clients.append(client)
        self.run(client.open(hub.url.replace("http", "ws", 1) + path, **(over or {})))
        if greet:
            client.greet(user, **hello)
        return client


class Client:
    """One connection. Reads all the time; what it heard is taken kind by kind, in the order in which it came.

    It acknowledges only when it is told to, whatever it promised in its Hello.
    """

    def __init__(self, loop, subprotocol=hub_protocol.JSON):
        self._loop = loop
        self._subprotocol = subprotocol
        self._changed = threading.Condition()
        self._socket = None
        self._reading = None
        self._taken = 0
        self._pending = []  # heard, and not taken yet
        self.heard = []  # everything, as (kind, fields)
        self.counted = 0  # deliveries and gaps
        self.seq = 0
        self.welcome = None
        self.closed = None  # (code, reason) once the connection has ended

    async def open(self, url, **options):
        # It offers deflate, as such clients do; the hub takes none of it.
        self._socket = await websockets.connect(
            url, subprotocols=[self._subprotocol], max_size=None, max_queue=None, ping_interval=None, close_timeout=10,
            **options)
        assert self._socket.subprotocol == self._subprotocol
        assert not self._socket.extensions
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        try:
            async for data in self._socket:
                self._note(*hub_protocol.decode(data))
        except websockets.ConnectionClosed:
            pass
        except Exception as error:  # noqa: BLE001 - shown by whoever waits for more
            self._note("nonsense", {"error": repr(error)})
        with self._changed:
            self.closed = (self._socket.close_code, self._socket.close_reason)
            self._changed.notify_all()

    def _note(self, kind, body):
        with self._changed:
            self.heard.append((kind, body))
            self._pending.append((kind, body))
            self.counted += kind in ("delivery", "gap")
            self._changed.notify_all()

    def greet(self, user=None, **hello):
        if user is not None:
            hello["user"] = user
        self.say(hello=hello)
        self.welcome = self.hear("welcome")
        return self.welcome

    def say(self, **envelope):
        self.send(hub_protocol.encode(self._subprotocol, envelope))

    def send(self, data):
        """As it is."""
        self._loop.run(self._socket.send(data))

    def publish(self, to, text, **more):
        """Returns its seq. `more`: other fields of the message."""
        self.seq += 1
        self.say(publish=self.message(self.seq, to, text, **more))
        return self.seq

    @staticmethod
    def message(seq, to, text, **more):
        content = {"data": text} if isinstance(text, bytes) else {"text": text}
        return {"seq": seq, "id": f"m{seq}", "to": to, "content": content, **more}

    def publish_many(self, messages):
        """(to, text, more) each, without a wait between them; returns the last seq."""
        async def send():
            for to, text, more in messages:
                self.seq += 1
                body = self.message(self.seq, to, text, **more)
                await self._socket.send(hub_protocol.encode(self._subprotocol, {"publish": body}))

        self._loop.run(send(), 120)
        return self.seq

    def request(self, user, text, **more):
        self.seq += 1
        body = {"seq": self.seq, "id": f"q{self.seq}", "user": user, "content": {"text": text}, **more}
        self.say(request=body)
        return body["id"]

    def ack(self, seq=None):
        self.say(ack={"seq": self.counted if seq is None else seq})

    def join(self, group, **more):
        self.say(join={"group": group, **more})
        return self.hear("joined", group=group)

    def next(self, *kinds, timeout=PATIENCE, where=None):
        """The first message of one of these kinds that was not taken yet, as (kind, fields)."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for index, (kind, body) in enumerate(self._pending):
                    if kind in kinds and (not where or where(body)):
                        return self._pending.pop(index)
                assert self.closed is None, f"closed {self.closed} without {kinds}: {self._pending[-5:]}"
                left = deadline - time.monotonic()
                assert left > 0, f"none of {kinds}, but {self._pending[-5:]}"
                self._changed.wait(left)

    def hear(self, kind, timeout=PATIENCE, where=None, **fields):
        """The fields of the first of that kind, with these values, that was not taken yet."""
        def fits(body):
            return all(body.get(name) == value for name, value in fields.items()) and (not where or where(body))

        return self.next(kind, timeout=timeout, where=fits)[1]

    def hear_texts(self, count):
        """The texts of so many deliveries, as they come."""
        return [self.hear("delivery")["content"].get("text") for _ in range(count)]

    def untaken(self, kind):
        with self._changed:
            return [body for heard, body in self._pending if heard == kind]

    def all(self, kind):
        with self._changed:
            return [body for heard, body in self.heard if heard == kind]

    def hear_acked(self, seq):
        """Until the hub has answered everything up to there."""
        return self.hear("ack", where=lambda ack: ack["seq"] >= seq)

    def ping(self, nonce=1):
        """There and back: what it said before has been read."""
        self.say(ping={"nonce": nonce})
        return self.hear("pong", nonce=nonce)

    def stop_reading(self):
        """Its kernel takes what it can, and its program nothing."""
        self._loop.loop.call_soon_threadsafe(self._socket.transport.pause_reading)

    def start_reading(self):
        self._loop.loop.call_soon_threadsafe(self._socket.transport.resume_reading)

    def wait_closed(self, timeout=PATIENCE):
        """(code, reason); 1006 for a connection that ended without a close."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.closed is not None, timeout), f"still open: {self._pending[-5:]}"
            return self.closed

    def close(self, code=1000):
        """In good order."""
        self._loop.run(self._socket.close(code))
        return self.wait_closed()

    def drop(self):
        """Gone without a word: a reset."""
        self._loop.loop.call_soon_threadsafe(self.abort)
        return self.wait_closed()

    def abort(self):
        """The same, on its loop."""
        if self._socket:
            self._socket.transport.abort()
