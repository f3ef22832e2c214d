"""A client of a hub's messaging that speaks its JSON (docs/wire/hub.md), over a WebSocket library of others."""

import asyncio
import contextlib
import itertools
import json
import socket
import ssl

import websockets

PATIENCE = 30


def unchecked():
    """TLS with a hub whose certificate is its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """A client that speaks the hub's JSON."""

    def __init__(self, socket_, welcome):
        self._socket = socket_
        self.welcome = welcome
        self._seq = itertools.count(1)

    @staticmethod
    async def connect(url, user, *, resume=None, receive_buffer=None):
        scheme, place = url.split("://")
        host, port = place.split(":")
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.connect((host, int(port)))
        # A queue of one and little read ahead: who does not read leaves what comes to the kernel, as a program that
        # hangs does.
        tls = {"ssl": unchecked(), "server_hostname": host} if scheme == "wss" else {}
        opened = await websockets.connect(f"{url}/v1/hub", sock=raw, subprotocols=["sluice.v1.json"], compression=None,
                                          max_queue=1, read_limit=4096, **tls)
        hello = {"user": user}
        if resume:
            hello["resume"] = {"sessionToken": resume.welcome["sessionToken"], "positions": []}
        await opened.send(json.dumps({"hello": hello}))
        first = json.loads(await asyncio.wait_for(opened.recv(), PATIENCE))
        return Client(opened, first["welcome"])

    async def say(self, **message):
        await self._socket.send(json.dumps(message))

    async def publish(self, to, text, **more):
        seq = next(self._seq)
        await self.say(publish={"seq": seq, "id": f"{self.welcome['session'][:8]}-{seq}", "to": to,
                                "content": {"text": text}, **more})

    async def hear(self, kind):
        """The next message of that kind; others are passed over."""
        while True:
            message = json.loads(await asyncio.wait_for(self._socket.recv(), PATIENCE))
            if kind in message:
                return message[kind]

    async def join(self, group):
        await self.say(join={"group": group})
        return await self.hear("joined")

    async def ended(self):
        """The code with which the hub closed; whatever came before is passed over."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await asyncio.wait_for(self._socket.recv(), PATIENCE)
        return self._socket.close_code

    async def close(self):
        await self._socket.close()

    def abort(self):
        """Ends it without a word; for those that have left something unread."""
        self._socket.transport.abort()
