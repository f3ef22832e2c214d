"""A hub that is stopped or killed and started again over its store: each message once, and damage stays where it is."""

import collections
import json

import pytest
from harness import sluice, streams
from harness.hub_clients import Loop, MessagingHub

UNLIMITED = "[rates]\nenabled = false\n"
OPS = {"group": "ops"}


def restart(crew, hub, data, how):
    """The hub again, at the same address."""
    address = hub.url.split("://")[1]
    if how == "kill":
        hub.process.kill()
        hub.process.wait()
    else:
        assert hub.terminate() == 0
    return MessagingHub(crew, UNLIMITED, data=data, listen=address).wait()


def replayed(loop, hub, group):
    """All that the hub has of a group, in order, as deliveries and gaps."""
    reader = loop.client(hub, "reader")
    head = reader.join(group, **{"from": {}})["offset"]
    found = []
    while not found or found[-1][1].get("offset", found[-1][1].get("last")) < head:
        found.append(reader.next("delivery", "gap"))
    reader.close()
    return found


@pytest.mark.parametrize("how", ["SIGTERM", "kill"])
def test_each_message_is_stored_and_delivered_once_over_a_restart(crew, how):
    data, loop = crew.folder() / "data", crew.adopt(Loop())
    hub = MessagingHub(crew, UNLIMITED, data=data).wait()
    options = ["--hub", hub.url.replace("http", "ws", 1)]
    bob = sluice.start(crew, "subscribe", "subscribe", *options, "--user", "bob", "--group", "ops")
    bob.wait_event("joined", group="ops")
    lines = crew.folder() / "lines"
    lines.write_text("".join(f"line {i}\n" for i in range(6_000)), encoding="utf-8")
    with open(lines, encoding="utf-8") as source:
        ann = sluice.start(crew, "publish", "publish", *options, "--user", "ann", "--group", "ops", "--level", "stored",
                           "-", stdin=source)
    for enough in (1_000, 3_000):
        bob.wait_event("delivery", where=lambda event, enough=enough: event["offset"] >= enough)
        hub = restart(crew, hub, data, how)
    done = ann.wait_event("done")
    assert (done["accepted"], done["refused"], done["unanswered"]) == (6_000, 0, 0)
    fence = loop.client(hub, "fence")
    fence.publish(OPS, "the end", level="STORED")
    fence.hear("receipt", reason="NONE")
    bob.wait_event("delivery", text="the end")
    expected = collections.Counter(f"line {i}" for i in range(6_000)) + collections.Counter(["the end"])
    held = replayed(loop, hub, "ops")
    assert collections.Counter(body["content"]["text"] for kind, body in held if kind == "delivery") == expected
    came = collections.Counter(event["text"] for event in bob.events if event["event"] == "delivery")
    assert came == expected
    assert hub.terminate() == 0


@pytest.mark.parametrize("how", ["SIGTERM", "kill"])
def test_a_second_copy_after_a_restart_is_told_of_the_delivery_of_the_first(crew, how):
    data, loop = crew.folder() / "data", crew.adopt(Loop())
    hub = MessagingHub(crew, UNLIMITED, data=data).wait()
    ann = loop.client(hub, "ann")
    ann.hear_acked(ann.publish({"user": "bob"}, "read me", level="DELIVERED", id="once"))
    hub = restart(crew, hub, data, how)
    ann, bob = loop.client(hub, "ann"), loop.client(hub, "bob", acknowledges=True)
    first = bob.hear("delivery")
    ann.publish({"user": "bob"}, "read me", level="DELIVERED", id="once")
    receipt = ann.hear("receipt")
    assert (receipt["level"], receipt["duplicate"]) == ("STORED", True)
    assert (receipt["epoch"], receipt["offset"]) == (first["epoch"], first["offset"])
    bob.ack()
    receipt = ann.hear("receipt")
    assert (receipt["level"], receipt["duplicate"], receipt["offset"]) == ("DELIVERED", True, first["offset"])
    assert bob.counted == 1
    assert hub.terminate() == 0


def test_a_flipped_byte_in_the_store_costs_one_message(crew):
    data, loop = crew.folder() / "data", crew.adopt(Loop())
    hub = MessagingHub(crew, UNLIMITED, data=data).wait()
    ann = loop.client(hub, "ann")
    for i in range(9):
        ann.publish(OPS, f"message {i}", level="STORED")
        ann.hear("receipt", reason="NONE")
    assert hub.terminate() == 0
    file = data / "messages.db"
    good = file.read_bytes()
    assert good.count(b"message 4") == 1
    file.write_bytes(good.replace(b"message 4", b"mess\xffge 4"))  # no UTF-8, and it would end each reader's connection
    hub = MessagingHub(crew, UNLIMITED, data=data).wait()
    for _ in range(3):
        found = replayed(loop, hub, "ops")
        assert [kind for kind, _ in found] == ["delivery"] * 4 + ["gap"] + ["delivery"] * 4
        gap = found[4][1]
        assert (gap["reason"], gap["gone"], gap["first"], gap["last"], gap["count"]) == ("DAMAGED", True, 5, 5, 1)
    told = [line for line in hub.lines() if "is damaged on the disk" in line.get("message", "")]
    assert len(told) == 1 and "'ops'" in told[0]["message"], "one line a minute"
    metrics = dict(line.rsplit(" ", 1) for line in hub.page("/metrics")[1].splitlines() if not line.startswith("#"))
    assert int(metrics["sluice_hub_store_damaged_total"]) >= 3
    # The rest goes on, as do those who listen.
    bob = loop.client(hub, "bob")
    bob.join("ops")
    ann = loop.client(hub, "ann")
    ann.publish(OPS, "message 9", id="another", level="STORED")
    ann.hear("receipt", reason="NONE")
    assert bob.hear_texts(1) == ["message 9"]
    assert hub.terminate() == 0


def test_subscribers_of_a_damaged_conversation_stay_connected(crew):
    data, loop = crew.folder() / "data", crew.adopt(Loop())
    hub = MessagingHub(crew, UNLIMITED, data=data).wait()
    ann = loop.client(hub, "ann")
    ann.publish({"user": "bob"}, "damage me", level="STORED")
    ann.hear("receipt", reason="NONE")
    assert hub.terminate() == 0
    file = data / "messages.db"
    file.write_bytes(file.read_bytes().replace(b"damage me", b"damage \xe9e"))
    hub = MessagingHub(crew, UNLIMITED, data=data).wait()
    options = ["--hub", hub.url.replace("http", "ws", 1)]
    bob = sluice.start(crew, "subscribe", "subscribe", *options, "--user", "bob")
    gap = bob.wait_event("gap")
    assert (gap["first"], gap["last"]) == (1, 1) and "damaged" in json.dumps(gap).lower()
    ann = loop.client(hub, "ann")
    ann.publish({"user": "bob"}, "hello", id="another", level="STORED")
    assert bob.wait_event("delivery")["text"] == "hello"
    assert not [event for event in bob.events if event["event"] == "retry"]
    streams.eventually("it is acknowledged", lambda: loop.client(hub, "bob").welcome["inbox"]["offset"] == 2)
    assert bob.stop() == 0
    assert hub.terminate() == 0
