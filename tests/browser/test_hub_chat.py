"""A chat through a hub by headless Chromium's own WebSockets, and a page that hangs."""

import itertools
import pathlib
import subprocess

from harness import hub_protocol, streams
from harness.hub_chat import LineTalk, Schema, chat
from harness.hub_clients import Loop, MessagingHub

FOLDER = pathlib.Path(__file__).resolve().parent


class Page:
    """One page of a browser, and a hub that it talks to."""

    def __init__(self, crew, settings=""):
        self._schema = Schema(crew)
        self._numbers = itertools.count(1)
        self._process = crew.start("chromium", "node", "chromium_sockets.mjs", cwd=FOLDER, stdin=subprocess.PIPE,
                                   env={"TMPDIR": str(crew.folder())})
        origin = self._process.wait_event("ready")["origin"]
        self.hub = MessagingHub(crew, settings, "--allow-origin", origin, data=crew.folder() / "data").wait()
        self.itself = LineTalk(self._process, self._schema.check_json)

    def wait(self, event):
        return self._process.wait_event(event)

    def come(self):
        talk = LineTalk(self._process, self._schema.check_json, socket=next(self._numbers))
        talk.order("open", url=self.hub.url + "/v1/hub", protocol=hub_protocol.JSON)
        assert talk.wait("open")["protocol"] == hub_protocol.JSON
        return talk

    def end(self):
        self._process.stdin.close()
        assert self._process.wait() == 0
        assert self.hub.terminate() == 0, self.hub.process.transcript()


def test_a_chat(crew):
    page = Page(crew)
    chat(page.come)
    page.end()


def test_a_page_that_hangs_is_cut_and_learns_why(crew):
    page = Page(crew, "[rates]\nenabled = false\n")
    frozen = page.come()
    welcome = frozen.greet("frozen")
    frozen.say(join={"group": "busy"})
    frozen.hear("joined")
    sender = crew.adopt(Loop()).client(page.hub, "sender")
    page.itself.order("freeze")
    page.wait("frozen")

    def is_cut():
        # What the browser and the system take for it comes first.
        sender.hear_acked(sender.publish_many([({"group": "busy"}, "x" * 60_000, {}) for _ in range(10)]))
        return page.hub.log("ws backpressure: closing slow consumer channel")

    [line] = streams.eventually("it is cut", is_cut)
    assert (line["uid"], line["reason"]) == ("frozen", "slow_consumer")
    page.itself.order("thaw")
    assert frozen.wait_closed() == 1006
    again = page.come().greet("frozen", resume={"sessionToken": welcome["sessionToken"]})
    assert again["resumed"] is True and again["session"] == welcome["session"]
    assert again["previous"]["reason"] == "SLOW_CONSUMER" and int(again["previous"]["bytesWaiting"]) > 0
    page.end()
