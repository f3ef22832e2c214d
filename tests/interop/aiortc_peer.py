"""One end of a data channel with aiortc; README.md here has the protocol."""

import asyncio
import json
import sys
import zlib

from aiortc import RTCPeerConnection, RTCSessionDescription, rtcsctptransport
from aiortc.sdp import candidate_from_sdp

BUFFER_LIMIT = 1 << 20


def say(**line):
    print(json.dumps(line), flush=True)


def message(index, size):
    body = bytes((index * 31 + position) % 251 for position in range(min(size - 4, 251)))
    repeated = body * (size // max(len(body), 1) + 1)
    return index.to_bytes(4, "big") + repeated[: size - 4]


class CountingStream(rtcsctptransport.InboundStream):
    """Counts the messages that came under the flag for unordered delivery, each once: aiortc itself does not tell."""

    unordered = 0

    def add_chunk(self, chunk):
        of_a_user = chunk.protocol == rtcsctptransport.WEBRTC_BINARY
        last = chunk.flags & rtcsctptransport.SCTP_DATA_LAST_FRAG
        if of_a_user and last and chunk.flags & rtcsctptransport.SCTP_DATA_UNORDERED:
            CountingStream.unordered += 1
        super().add_chunk(chunk)


class Peer:
    def __init__(self, role, count, size, ordered):
        self.role, self.count, self.size, self.ordered = role, count, size, ordered
        self.connection = RTCPeerConnection()
        self.received = self.received_sum = self.sent = self.sent_sum = 0
        self.all_received = asyncio.Event()
        self.closed = asyncio.Event()

    def attach(self, channel):
        self.channel = channel
        channel.on("message", self.on_message)
        channel.on("close", self.closed.set)
        if channel.readyState == "open":
            self.begin()
        else:
            channel.on("open", self.begin)

    def begin(self):
        say(type="open")
        self.task = asyncio.ensure_future(self.run())

    def on_message(self, data):
        self.received += 1
        self.received_sum += zlib.crc32(data)
        if self.received == self.count:
            self.all_received.set()

    async def run(self):
        low = asyncio.Event()
        self.channel.bufferedAmountLowThreshold = BUFFER_LIMIT // 4
        self.channel.on("bufferedamountlow", low.set)
        for index in range(self.count):
            while self.channel.bufferedAmount > BUFFER_LIMIT:
                low.clear()
                await low.wait()
            data = message(index, self.size)
            self.sent_sum += zlib.crc32(data)
            self.sent += 1
            self.channel.send(data)
            await asyncio.sleep(0)
        await self.all_received.wait()
        say(type="result", sent=self.sent, sent_sum=self.sent_sum, received=self.received,
            received_sum=self.received_sum, received_unordered=CountingStream.unordered,
            ordered=self.channel.ordered)

    async def describe(self, description):
        """aiortc gathers before it describes: the description holds every candidate."""
        await self.connection.setLocalDescription(description)
        local = self.connection.localDescription
        say(type=local.type, sdp=local.sdp)
        say(type="candidates_done")

    async def handle(self, line):
        kind = line["type"]
        if kind == "offer":
            await self.connection.setRemoteDescription(RTCSessionDescription(line["sdp"], "offer"))
            await self.describe(await self.connection.createAnswer())
        elif kind == "answer":
            await self.connection.setRemoteDescription(RTCSessionDescription(line["sdp"], "answer"))
        elif kind == "candidate":
            candidate = candidate_from_sdp(line["candidate"].removeprefix("candidate:"))
            candidate.sdpMid = "0"
            await self.connection.addIceCandidate(candidate)
        elif kind == "close":
            self.channel.close()
            await asyncio.wait_for(self.closed.wait(), 60)
            say(type="closed")
            await self.connection.close()
            return False
        return True

    async def serve(self):
        self.connection.on("datachannel", self.attach)
        if self.role == "offer":
            self.attach(self.connection.createDataChannel("sluice/1", ordered=self.ordered))
            await self.describe(await self.connection.createOffer())
        reader = asyncio.StreamReader(limit=1 << 20)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            if not await self.handle(json.loads(line)):
                return


if __name__ == "__main__":
    rtcsctptransport.InboundStream = CountingStream
    asyncio.run(Peer(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), ordered="ordered" in sys.argv[4:]).serve())
