"""Clients whose positions are not of the hub's history: it has no store, lost it, or has it from a backup."""

import json
import shutil
import time

import pytest
from harness import sluice, sluice_binary
from harness.hub_clients import Loop, MessagingHub

OPS = {"group": "ops"}
UNLIMITED = "[rates]\nenabled = false\n"


class Place:
    """A hub that stops and starts at one address, and the folder of its store."""

    def __init__(self, crew, data=None):
        self._crew = crew
        self.data = data
        self._address = "127.0.0.1:0"
        self.hub = None
        self.start()

    def start(self):
        self.hub = MessagingHub(self._crew, UNLIMITED, data=self.data, listen=self._address).wait()
        self._address = f"127.0.0.1:{self.hub.port}"

    def stop(self):
        assert self.hub.terminate() == 0

    def restart(self):
        self.stop()
        self.start()

    def back_up(self):
        """A copy of the folder, and the hub goes on."""
        self.stop()
        shutil.copytree(self.data, self.data.with_name("backup"))
        self.start()

    def restore(self):
        self.stop()
        shutil.rmtree(self.data)
        self.data.with_name("backup").rename(self.data)
        self.start()

    def publish(self, *texts):
        done = self._crew.run(sluice_binary(), "publish", "--hub", self.hub.url, "--user", "ann", "--group", "ops",
                              *(["--level", "stored"] if self.data else []), "--json", input="\n".join(texts))
        last = json.loads(done.stdout.splitlines()[-1])
        assert last == {"event": "done", "accepted": len(texts), "refused": 0, "unanswered": 0}

    def subscribe(self, *arguments):
        process = sluice.start(self._crew, "subscribe", "subscribe", "--hub", self.hub.url, "--user", "bob",
                               "--group", "ops", *arguments)
        process.wait_event("joined", group="ops")
        return process


@pytest.fixture(name="stored")
def stored_fixture(crew):
    return Place(crew, crew.folder() / "data")


@pytest.fixture(name="loop")
def loop_fixture(crew):
    return crew.adopt(Loop())


def texts(word, count):
    return [f"{word} {i}" for i in range(count)]


def printed(process, last):
    """What a subscription has printed until that text: texts, and the reasons of gaps."""
    process.wait_event("delivery", text=last)
    events = [event for event in process.events if event["event"] in ("delivery", "gap")]
    return [event.get("text") or event["reason"] for event in events]


def told(client, texts_to_come):
    """The gap that a client is told first, and as many texts after it."""
    kind, gap = client.next("gap", "delivery")
    assert kind == "gap", f"{gap} came before anything was told"
    return gap, client.hear_texts(texts_to_come)


# --- as a person sees it


def test_a_subscription_misses_nothing_of_a_hub_without_a_store_that_starts_again(crew):
    place = Place(crew)
    bob = place.subscribe()
    place.publish(*texts("before", 20))
    assert printed(bob, "before 19") == texts("before", 20)
    place.restart()
    bob.wait_event("joined", group="ops")
    place.publish(*texts("after", 40))
    assert printed(bob, "after 39") == [*texts("before", 20), "history_changed", *texts("after", 40)]
    bob.wait_event("history_changed")  # on standard error
    assert bob.stop() == 0


def test_a_subscription_gets_what_was_said_before_it_came_back(crew):
    place = Place(crew)
    bob = place.subscribe()
    place.publish(*texts("before", 3))
    printed(bob, "before 2")
    place.restart()
    place.publish(*texts("meanwhile", 30))  # it comes back some seconds later
    assert printed(bob, "meanwhile 29")[3:] == ["history_changed", *texts("meanwhile", 30)]
    assert bob.stop() == 0


def test_a_live_subscription_goes_on_with_a_restored_backup(stored):
    bob = stored.subscribe()
    stored.publish(*texts("kept", 5))
    printed(bob, "kept 4")
    stored.back_up()
    bob.wait_event("joined", group="ops")
    stored.publish(*texts("lost", 7))
    printed(bob, "lost 6")
    stored.restore()
    bob.wait_event("joined", group="ops")
    stored.publish(*texts("new", 10))
    assert printed(bob, "new 9")[12:] == ["history_changed", *texts("new", 10)]
    assert bob.stop() == 0


def test_a_kept_state_goes_on_with_a_restored_backup(crew, stored):
    state = crew.folder() / "bob.state"
    stored.publish(*texts("kept", 5))
    stored.back_up()
    bob = stored.subscribe("--state", state, "--from", "all", "--count", 12)
    stored.publish(*texts("lost", 7))
    assert printed(bob, "lost 6") == [*texts("kept", 5), *texts("lost", 7)]
    assert bob.wait() == 0
    stored.restore()
    stored.publish(*texts("new", 10))
    bob = stored.subscribe("--state", state, "--count", 10)
    assert printed(bob, "new 9") == ["history_changed", *texts("new", 10)]
    assert bob.wait() == 0
    bob = stored.subscribe("--state", state, "--count", 1)
    stored.publish("the last")
    assert printed(bob, "the last") == ["the last"], "it is told once"


# --- on the wire


def test_a_session_that_is_resumed_on_a_restored_backup_is_told_what_it_has_too_much(stored, loop):
    bob = loop.client(stored.hub, "bob")
    bob.join("ops")
    stored.publish(*texts("kept", 3))
    assert bob.hear_texts(3) == texts("kept", 3)
    stored.back_up()
    stored.publish(*texts("lost", 4))
    position = {"conversation": OPS, "epoch": bob.welcome["epoch"], "offset": 3}
    token = {"sessionToken": bob.welcome["sessionToken"]}
    bob = loop.client(stored.hub, "bob", resume={**token, "positions": [position]})
    assert bob.hear_texts(4) == texts("lost", 4)
    epoch = bob.all("delivery")[-1]["epoch"]
    stored.restore()
    stored.publish(*texts("new", 6))
    again = loop.client(stored.hub, "bob", resume={**token, "positions": [
        {"conversation": OPS, "epoch": epoch, "offset": 7}]})
    assert again.welcome["resumed"] and again.welcome["epoch"] > epoch
    gap, came = told(again, 6)
    assert came == texts("new", 6)
    assert gap["reason"] == "HISTORY_CHANGED" and gap["gone"] and gap["count"] == 0
    assert (gap["epoch"], gap["first"], gap["last"]) == (epoch, 4, 7)
    assert (gap["from"]["epoch"], gap["from"]["offset"]) == (position["epoch"], 3)


@pytest.mark.parametrize("epochs, offset, first", [(0, 1000, 4), (1, 1, 2), (-1, 7, 1)])
def test_a_join_from_a_position_that_never_was_is_told_so(stored, loop, epochs, offset, first):
    stored.publish(*texts("m", 3))
    bob = loop.client(stored.hub, "bob")
    epoch = bob.welcome["epoch"] + epochs
    bob.join("ops", **{"from": {"epoch": epoch, "offset": offset}})
    gap, came = told(bob, 4 - first)
    assert (gap["reason"], gap["epoch"], gap["last"]) == ("HISTORY_CHANGED", epoch, offset)
    assert gap["from"]["offset"] == first - 1
    assert came == texts("m", 3)[first - 1:]
    stored.publish("next")
    assert bob.hear_texts(1) == ["next"]


@pytest.mark.parametrize("epochs, first, last", [(0, 1000, 1009), (1, 1, 3), (-1, 1, 3)])
def test_a_pull_of_what_never_was_is_told_so(stored, loop, epochs, first, last):
    stored.publish(*texts("m", 3))
    bob = loop.client(stored.hub, "bob")
    bob.join("ops")
    epoch = bob.welcome["epoch"] + epochs
    bob.say(pull={"conversation": OPS, "epoch": epoch, "first": first, "last": last})
    bob.hear("pulled")
    assert not bob.all("delivery")
    [gap] = bob.all("gap")
    assert (gap["reason"], gap["epoch"], gap["first"], gap["last"]) == ("HISTORY_CHANGED", epoch, first, last)
    assert gap["count"] == last - first + 1 and gap["gone"] and "from" not in gap


def test_what_has_just_expired_is_told_at_once(stored, loop):
    ann, bob = loop.client(stored.hub, "ann"), loop.client(stored.hub, "bob")
    for text, more in (("first", {}), ("short", {"ttlMs": 150}), ("short", {"ttlMs": 150}), ("last", {})):
        ann.publish(OPS, text, level="STORED", **more)
        ann.hear("receipt", reason="NONE")
    expired = time.monotonic() + 0.2
    while time.monotonic() < expired:
        ann.ping()
    joined = bob.join("ops", **{"from": {"epoch": ann.welcome["epoch"], "offset": 0}})
    assert joined["offset"] == 4
    assert bob.hear_texts(2) == ["first", "last"]
    [gap] = bob.all("gap")
    assert (gap["first"], gap["last"], gap["gone"]) == (2, 3, True)
