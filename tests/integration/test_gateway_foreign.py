"""A chat through a hub by clients of others: npm's `ws`, wscat, and python3-websockets with Google's Protobuf."""

import asyncio
import contextlib
import importlib.util
import pathlib
import subprocess

import pytest
import websockets
from harness import hub_protocol
from harness.hub_chat import LineTalk, Schema, Talk, WscatTalk, chat
from harness.hub_clients import Loop, MessagingHub

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "websocket"
WSCAT = FOLDER / "node_modules/wscat/bin/wscat"
IS_SET_UP = WSCAT.exists() and importlib.util.find_spec("google") and importlib.util.find_spec("google.protobuf")
pytestmark = pytest.mark.skipif(not IS_SET_UP, reason="./dev setup has not been run")


class ProtobufTalk(Talk):
    """python3-websockets, which carries what Google's Protobuf makes of the schema."""

    def __init__(self, loop, url, schema):
        super().__init__()
        self._loop, self._schema = loop, schema
        self._said = []
        loop.run(self._open(url))

    async def _open(self, url):
        self._socket = await websockets.connect(url, subprotocols=[hub_protocol.PROTO])
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for data in self._socket:
                self._said.append(self._schema.from_bytes(data))

    def said(self):
        return list(self._said)

    def say(self, **envelope):
        self._loop.run(self._socket.send(self._schema.to_bytes(envelope)))

    def close(self):
        self._loop.run(self._socket.close())
        assert self.wait_closed() == 1000

    def wait_closed(self):
        self._loop.run(self._socket.wait_closed())
        return self._socket.close_code


class Scene:
    """A hub, and connections to it by each kind of client."""

    def __init__(self, crew):
        self._crew = crew
        self._schema = Schema(crew)
        self._loop = crew.adopt(Loop())
        self.hub = MessagingHub(crew, data=crew.folder() / "data").wait()
        self._url = self.hub.url + "/v1/hub"
        self.kinds = {"ws": self._ws, "wscat": self._wscat, "protobuf": self._protobuf}

    def _ws(self):
        process = self._crew.start("ws", "node", "ws_client.mjs", self._url, hub_protocol.JSON, cwd=FOLDER,
                                   stdin=subprocess.PIPE)
        # It tells the bytes that came as one character each.
        talk = LineTalk(process, lambda text: self._schema.check_json(text.encode("latin-1").decode()))
        assert talk.wait("open")["protocol"] == hub_protocol.JSON
        return talk

    def _wscat(self):
        return WscatTalk(self._crew, WSCAT, self._url, self._schema.check_json)

    def _protobuf(self):
        return ProtobufTalk(self._loop, self._url, self._schema)


@pytest.fixture(name="scene")
def scene_fixture(crew):
    scene = Scene(crew)
    yield scene
    assert scene.hub.terminate() == 0, scene.hub.process.transcript()


@pytest.mark.parametrize("kind", ["ws", "wscat", "protobuf"])
def test_a_chat(scene, kind):
    chat(scene.kinds[kind])


def test_a_chat_among_different_clients(scene):
    """What one says in JSON the other hears in Protobuf, and the reverse."""
    kinds = iter(["ws", "protobuf", "wscat"])
    chat(lambda: scene.kinds[next(kinds)]())
