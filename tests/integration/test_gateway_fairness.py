"""What one user does at a hub, and what it leaves the others: nothing that is theirs is taken, dropped or disconnected."""

import re
import time

import pytest
from harness import streams
from harness.attacker import start_attack
from harness.hub_clients import Loop, MessagingHub
from harness.hub_tokens import EVERYTHING, Issuer

LARGE = "x" * 60_000
OPS = {"group": "ops"}


def user(name):
    return {"user": name}


@pytest.fixture(name="open_hub")
def open_hub_fixture(crew):
    hubs = []

    def open_hub(settings="", **options):
        hubs.append(MessagingHub(crew, settings, data=crew.folder() / "data", **options).wait())
        return hubs[-1]

    yield open_hub
    for hub in hubs:
        assert hub.terminate() == 0, hub.process.transcript()  # its books balance


@pytest.fixture(name="loop")
def loop_fixture(crew):
    return crew.adopt(Loop())


def test_a_client_that_is_asked_more_than_it_takes_stays_connected(open_hub, loop):
    hub = open_hub('[backpressure]\nclose_unwritable_after = "1min"\n')  # the machine may be slow
    bob, eve, ann = loop.client(hub, "bob"), loop.client(hub, "eve"), loop.client(hub, "ann")
    bob.stop_reading()
    asked = 0
    while not any(reply["reason"] == "OVERLOADED" for reply in eve.all("reply")):
        eve.request("bob", LARGE)
        asked += 1
        eve.ping()
        assert asked < 500, "the system takes it all"
    for _ in range(60):
        eve.request("bob", LARGE)
    eve.ping()
    reasons = [reply["reason"] for reply in eve.all("reply")]
    assert set(reasons) == {"OVERLOADED"} and len(reasons) >= 60
    bob.start_reading()
    ann.publish(user("bob"), "still there?")
    while bob.hear("delivery")["content"] != {"text": "still there?"}:
        pass
    assert not bob.all("kick")


def test_a_request_to_a_client_that_dies_is_answered_at_once(open_hub, loop):
    hub = open_hub()
    ann, bob = loop.client(hub, "ann"), loop.client(hub, "bob")
    ann.request("bob", "2+2", timeoutMs=60_000)
    assert bob.hear("delivery")["content"] == {"text": "2+2"}
    began = time.monotonic()
    bob.drop()
    assert ann.hear("reply")["reason"] == "OFFLINE"
    assert time.monotonic() - began < 10


def test_stored_messages_survive_a_sender_who_floods_the_inbox(crew, open_hub, loop):
    hub = open_hub('[store]\nmax_bytes = "2MiB"\n')
    ann = loop.client(hub, "ann")
    for number in range(20):
        ann.publish(user("nobody"), f"kept {number}", level="STORED")
    for _ in range(20):
        assert ann.hear("receipt")["reason"] == "NONE"
    attacker = start_attack(crew, "stored", hub.port)

    def trimmed():
        found = re.findall(r'^sluice_hub_store_removed_total{.*"trimmed".*} (\S+)$', hub.page("/metrics")[1], re.MULTILINE)
        return sum(map(float, found))

    streams.eventually("the inbox is over its bounds", lambda: trimmed() > 50)
    attacker.kill()
    nobody = loop.client(hub, "nobody", acknowledges=True)
    seen = []
    while len([text for text in seen if text.startswith("kept")]) < 20:
        seen.append(nobody.hear("delivery")["content"]["text"])
        nobody.ack()
    assert [text for text in seen if text.startswith("kept")] == [f"kept {number}" for number in range(20)]


def test_a_user_who_is_back_soon_was_never_away(open_hub, loop):
    hub = open_hub('[presence]\ngrace = "2s"\n')
    watcher, ann = loop.client(hub, "watcher"), loop.client(hub, "ann")
    watcher.join("ops", presence=True)
    ann.join("ops")
    watcher.hear("presence", user="ann", online=True)
    for _ in range(20):
        resume = {"sessionToken": ann.welcome["sessionToken"],
                  "positions": [{"conversation": OPS, "epoch": ann.welcome["epoch"], "offset": 0}]}
        ann = loop.client(hub, "ann", resume=resume)
        ann.hear("joined")
    watcher.ping()
    assert [what["user"] for what in watcher.all("presence")].count("ann") == 1
    ann.drop()
    began = time.monotonic()
    watcher.hear("presence", user="ann", online=False)
    assert time.monotonic() - began > 1.5


def test_a_token_says_how_much_its_user_may_do(crew, open_hub, loop):
    issuer = Issuer(crew.folder())
    hub = open_hub(issuer.settings + "[limits]\nconnections = 3\n", is_open=False)
    limits = {"messages_per_second": 9_000, "connections": 100, "unanswered": 5_000}
    backend = loop.client(hub, token=issuer.token("backend", {**EVERYTHING, "limits": limits}))
    browser = loop.client(hub, token=issuer.token("browser", EVERYTHING))
    told = backend.welcome["limits"]
    assert (told["messagesPerSecond"], told["messageBurst"], told["maxUnanswered"]) == (9_000, 18_000, 5_000)
    assert told["maxConnections"] == 3, "no more than the operator lets a token grant"
    assert browser.welcome["limits"]["maxUnanswered"] == 1024
    many = [(user("nobody"), "x", {}) for _ in range(6_000)]
    backend.hear_acked(backend.publish_many(many))
    assert not backend.all("receipt")
    backend.say(refresh={"token": issuer.token("backend", {**EVERYTHING, "limits": {"messages_per_second": 5}})})
    assert backend.hear("refreshed")["limits"]["messagesPerSecond"] == 5
    backend.publish_many(many[:100])
    backend.hear_acked(backend.seq)
    assert "RATE_LIMITED" in {receipt["reason"] for receipt in backend.all("receipt")}
