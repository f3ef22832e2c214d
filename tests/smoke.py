"""The messaging hub from start to stop in seconds, as its users and its operator see it; one line a step.

Run by `./dev smoke`, and as a test. Ends with an error at the first step that fails.
"""

import asyncio
import json
import pathlib
import signal
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))

from harness import Crew, sluice, sluice_binary  # noqa: E402
from harness.messaging import Client  # noqa: E402

PATIENCE = 30
FLOOD = 400
TOKEN = "smoke-test-token-0123456789"


class Smoke:
    def __init__(self, crew):
        self.crew = crew
        folder = crew.folder()
        self.token_file = folder / "admin.token"
        self.token_file.write_text(TOKEN + "\n", encoding="utf-8")
        self.token_file.chmod(0o600)
        self.hub = sluice.start_hub(crew, "--open", "--data", folder / "data", "--admin-token-file", self.token_file)
        self.url = self.hub.url
        self.http = self.url.replace("ws://", "http://")

    def get(self, path, token=None):
        request = urllib.request.Request(self.http + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def command(self, *arguments):
        """The events of a command of ours that administrates this hub."""
        done = self.crew.run(sluice_binary(), *arguments, "--hub", self.url, "--admin-token-file", self.token_file,
                             "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    async def connect(self):
        self.ann = await Client.connect(self.url, "ann")
        self.bob = await Client.connect(self.url, "bob")
        assert json.loads(self.get("/healthz"))["status"] == "ok"
        return "two clients are welcome"

    async def chat(self):
        await self.ann.publish({"user": "bob"}, "hello", level="STORED")
        heard = await self.bob.hear("delivery")
        assert (heard["from"], heard["content"]["text"]) == ("ann", "hello"), heard
        receipt = await self.ann.hear("receipt")
        assert receipt["level"] == "STORED", receipt
        return "a message from one to the other, stored"

    async def group(self):
        for client in (self.ann, self.bob):
            await client.join("ops")
        for number in range(3):
            await self.ann.publish({"group": "ops"}, f"a{number}")
            await self.bob.publish({"group": "ops"}, f"b{number}")
        orders = [[(await client.hear("delivery"))["content"]["text"] for _ in range(6)]
                  for client in (self.ann, self.bob)]
        assert orders[0] == orders[1], orders
        assert sorted(orders[0]) == ["a0", "a1", "a2", "b0", "b1", "b2"], orders
        return "six messages, in one order for all"

    async def slow(self):
        slow = await Client.connect(self.url, "slow", receive_buffer=4096)
        await slow.join("flood")
        for number in range(FLOOD):
            await self.ann.publish({"group": "flood"}, f"{number}:" + "x" * 16_000)
        line = await asyncio.to_thread(self.hub.process.wait_line, "ws backpressure: closing slow consumer channel")
        assert '"uid":"slow"' in line and "bytesBeforeUnwritable" in line, line
        back = await Client.connect(self.url, "slow", resume=slow)
        previous = back.welcome["previous"]
        assert previous["reason"] == "SLOW_CONSUMER" and previous["history"], previous
        slow.abort()
        session = json.loads(self.get(f"/v1/admin/sessions/{slow.welcome['session']}", TOKEN))
        assert session["ended"]["reason"] == "slow_consumer", session
        await back.close()
        return f"cut after {previous['oldestMs']} ms, and told why when it came back"

    async def kick(self):
        listed = self.command("clients", "--user", "bob")
        clients = [event for event in listed if event["event"] == "client"]
        assert [client["user"] for client in clients] == ["bob"], listed
        self.command("kick", clients[0]["id"], "--message", "go and come back")
        assert (await self.bob.hear("kick"))["reason"] == "KICKED"
        assert await self.bob.ended() == 4053
        return f"client {clients[0]['id']}, by its operator"

    async def resume(self):
        self.bob = await Client.connect(self.url, "bob", resume=self.bob)
        assert self.bob.welcome["resumed"], self.bob.welcome
        assert self.bob.welcome["previous"]["reason"] == "KICKED", self.bob.welcome
        return "the session goes on, and knows that it was kicked"

    async def metrics(self):
        page = self.get("/metrics").splitlines()
        assert "sluice_hub_books_balanced 1" in page
        assert 'sluice_hub_connections_ended_total{reason="slow_consumer"} 1' in page
        assert 'sluice_hub_connections_ended_total{reason="kicked"} 1' in page
        return "the books balance"

    async def stop(self):
        self.hub.process.signal(signal.SIGTERM)
        assert (await self.ann.hear("kick"))["reason"] == "SHUTTING_DOWN"
        codes = [await client.ended() for client in (self.ann, self.bob)]
        assert codes == [1001, 1001], codes
        code = await asyncio.to_thread(self.hub.process.wait)
        assert code == 0, self.hub.process.transcript()
        return "clients are sent away, the books balance at the end"


async def main():
    began = started = time.monotonic()

    def told(name, words):
        nonlocal started
        now = time.monotonic()
        print(f"ok    {name:8} {now - started:5.2f} s  {words}", flush=True)
        started = now

    with Crew() as crew:
        smoke = Smoke(crew)
        told("start", smoke.url)
        for step in (smoke.connect, smoke.chat, smoke.group, smoke.slow, smoke.kick, smoke.resume, smoke.metrics,
                     smoke.stop):
            told(step.__name__, await step())
    print(f"all is well, in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
