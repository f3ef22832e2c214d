"""The hub protocol (docs/wire/hub.md), message by message, by a client of others: python3-websockets."""

import json
import time

import pytest
from harness import streams
from harness.hub_clients import Loop, MessagingHub
from harness.hub_tokens import EVERYTHING, Issuer

ALL = {"all": True}


def user(name):
    return {"user": name}


def group(name):
    return {"group": name}


class Scene:
    """A hub and whoever comes to it."""

    def __init__(self, crew, settings="", **options):
        self.hub = MessagingHub(crew, settings, shards=3, **options).wait()
        self.loop = crew.adopt(Loop())

    def come(self, name=None, **options):
        return self.loop.client(self.hub, name, **options)


@pytest.fixture(name="open_scene")
def open_scene_fixture(crew):
    """Makes scenes; at the end every hub must end in good order, which it does only when its books balance."""
    scenes = []  # that are to be in order at the end

    def open_scene(settings="", **options):
        scenes.append(Scene(crew, settings, **options))
        return scenes[-1]

    yield open_scene
    for scene in scenes:
        if not scene.hub.process.running:
            continue  # the test has ended it itself
        assert scene.hub.is_healthy()
        assert scene.hub.terminate() == 0, scene.hub.process.transcript()


@pytest.fixture(name="durable")
def durable_fixture(crew, open_scene):
    """Settings of a hub that keeps its messages on a disk; further ones are given to the call."""
    return lambda settings="", **options: open_scene(settings, data=crew.folder() / "data", **options)


# --- coming


def test_a_client_is_welcomed_with_what_it_has_to_know(open_scene):
    scene = open_scene('[rates.connection]\nmessages_per_second = 77\n[heartbeat]\ninterval = "7s"\n')
    ann, bob = scene.come("ann", agent="a test"), scene.come("bob")
    assert ann.welcome["user"] == "ann"
    assert ann.welcome["limits"] == {"maxMessageBytes": 65536, "windowBytes": 262144, "maxGroups": 256,
                                     "messagesPerSecond": 77, "bytesPerSecond": 4 << 20, "messageBurst": 4000,
                                     "byteBurst": 8 << 20, "maxUnanswered": 1024, "maxConnections": 16}
    assert ann.welcome["heartbeatIntervalMs"] == 7000
    assert ann.welcome["resumed"] is False and "previous" not in ann.welcome
    assert ann.welcome["inbox"] == {"conversation": user("ann"), "epoch": ann.welcome["epoch"], "offset": 0}
    for secret in ("session", "sessionToken"):
        assert ann.welcome[secret] and ann.welcome[secret] != bob.welcome[secret]
    assert ann.close() == (1000, "")


@pytest.mark.parametrize("name", ["é" * 127, "x" * 255, '"' * 255, "a b/c:d*", "\U0001f600", '"\\'])
def test_names_are_any_text_of_255_bytes_and_ids_of_64(open_scene, name):
    scene = open_scene()
    client = scene.come(name)
    assert client.welcome["user"] == name
    client.join(name)
    mark = name.encode()[:64].decode()
    client.publish(group(name), name, id=mark, key=mark)
    delivery = client.hear("delivery")
    assert (delivery["from"], delivery["to"], delivery["id"], delivery["key"]) == (name, group(name), mark, mark)
    client.say(who={"group": name})
    assert client.hear("members")["users"] == [name]


@pytest.mark.parametrize("name", ["", "x" * 256, "é" * 128, "a\x00b", "a\nb", "\x7f", "\u0080", "ad\u200bmin", "\u202eann",
                                  "a\u2028b", "\ufeffann"])
def test_other_names_are_refused(open_scene, name):
    scene = open_scene()
    client = scene.come(greet=False)
    client.say(hello={"user": name})
    assert client.hear("kick")["reason"] in ("UNAUTHENTICATED", "MALFORMED")
    assert client.wait_closed()[0] in (4010, 1002)


def test_json_is_taken_as_its_mapping_allows(open_scene):
    client = open_scene().come(greet=False)
    client.send('{"hello":{"user":"ann","agent":null,"what_is_this":{"deep":[1,{"er":[]}]},"acknowledges":true}}')
    client.hear("welcome")
    client.send('{"publish":{"seq":"1","id":"m1","to":{"user":"ann"},"content":{"data":"AP8="},"level":0,"ttl_ms":60000}}')
    assert client.hear("delivery")["content"] == {"data": b"\x00\xff"}
    client.send(' {"publish": {"ttlMs": "0", "level": "ACCEPTED", "content": {"text": "\\u00e9\\ud83d\\ude00"},'
                ' "to": {"user": "ann"}, "id": "m2", "seq": 2}} ')
    assert client.hear("delivery")["content"] == {"text": "é\U0001f600"}
    client.ack(2)
    client.ping(2**64 - 1)


# --- messages


def test_a_message_reaches_every_connection_of_a_user(open_scene):
    scene = open_scene()
    ann = scene.come("ann")
    bobs = [scene.come("bob") for _ in range(5)]
    begin = time.time()
    seq = ann.publish(user("bob"), "hi", key="k")
    for bob in bobs:
        delivery = bob.hear("delivery")
        assert delivery["from"] == "ann" and delivery["to"] == user("bob")
        assert (delivery["id"], delivery["key"], delivery["content"]) == ("m1", "k", {"text": "hi"})
        assert (delivery["epoch"], delivery["offset"]) == (bob.welcome["epoch"], 1)
        # What comes right behind the welcome may still be read from the log: `replayed` says nothing here.
        assert not delivery["critical"] and not delivery["request"]
        assert begin - 60 < delivery["sentAtMs"] / 1000 < time.time() + 60
    ann.hear_acked(seq)
    assert not ann.all("delivery") and not ann.all("receipt")


def test_who_sends_to_where_they_listen_receives_it_too(open_scene):
    ann = open_scene().come("ann")
    ann.join("ops")
    for to in (user("ann"), group("ops"), ALL):
        ann.publish(to, "to myself")
        assert ann.hear("delivery")["to"] == to


@pytest.mark.parametrize("size", [0, 1, 125, 65000])
def test_content_of_every_size_arrives(open_scene, size):
    scene = open_scene()
    ann, bob = scene.come("ann"), scene.come("bob")
    for content in ("é" * (size // 2), bytes(range(256)) * (size // 256 * 3 // 4)):
        ann.publish(user("bob"), content)
        assert bob.hear("delivery")["content"] == {"text" if isinstance(content, str) else "data": content}


def test_a_group_has_one_order_for_all(open_scene):
    scene = open_scene()
    senders = [scene.come(f"sender{i}") for i in range(4)]
    members = [scene.come(f"member{i}") for i in range(5)]
    outsider = scene.come("outsider")
    for member in members:
        member.join("ops")
    for _ in range(5):
        for sender in senders:
            sender.publish_many([(group("ops"), f"{sender.welcome['user']} {sender.seq + i}", {}) for i in range(10)])
    orders = []
    for member in members:
        deliveries = [member.hear("delivery") for _ in range(200)]
        assert [delivery["offset"] for delivery in deliveries] == list(range(1, 201))
        orders.append([delivery["content"]["text"] for delivery in deliveries])
        for sender in senders:
            theirs = [delivery for delivery in deliveries if delivery["from"] == sender.welcome["user"]]
            assert [delivery["id"] for delivery in theirs] == [f"m{i}" for i in range(1, 51)]
    assert all(order == orders[0] for order in orders)
    for sender in senders:
        sender.hear_acked(50)
        assert not sender.all("delivery")
    assert not outsider.all("delivery")


def test_a_message_to_all_reaches_everyone_in_one_order(open_scene):
    scene = open_scene()
    clients = [scene.come(f"user{i}") for i in range(8)]
    for client in clients[:3]:
        client.publish_many([(ALL, f"{client.welcome['user']} {i}", {}) for i in range(10)])
    orders = [client.hear_texts(30) for client in clients]
    assert all(order == orders[0] for order in orders)
    assert [delivery["to"] for delivery in clients[0].all("delivery")] == [ALL] * 30


def test_an_inbox_waits_for_its_user(open_scene):
    scene = open_scene()
    ann = scene.come("ann")
    ann.hear_acked(ann.publish_many([(user("bob"), text, {}) for text in "abc"]))
    bob = scene.come("bob", acknowledges=True)
    assert bob.welcome["inbox"]["offset"] == 3
    assert bob.hear_texts(3) == ["a", "b", "c"]
    assert all(delivery["replayed"] for delivery in bob.all("delivery"))
    bob.ack(2)
    bob.ping()
    bob.close()
    ann.publish(user("bob"), "d")
    again = scene.come("bob")
    assert again.hear_texts(2) == ["c", "d"]


# --- levels, receipts, duplicates


def test_levels(durable):
    scene = durable()
    ann, bob = scene.come("ann"), scene.come("bob", acknowledges=True)
    ann.hear_acked(ann.publish(user("bob"), "accepted"))
    seq = ann.publish(user("bob"), "stored", level="STORED")
    receipt = ann.hear("receipt")
    assert receipt == {"seq": seq, "id": f"m{seq}", "level": "STORED", "reason": "NONE", "message": "",
                       "retryAfterMs": 0, "epoch": ann.welcome["epoch"], "offset": 2, "duplicate": False}
    seq = ann.publish(user("bob"), "delivered", level="DELIVERED")
    ann.hear_acked(seq)  # it is stored: how long the delivery takes holds nothing up
    assert bob.hear_texts(3) == ["accepted", "stored", "delivered"]
    bob.ack(2)
    bob.ping()
    ann.ping()
    assert not ann.untaken("receipt")
    bob.ack(3)
    receipt = ann.hear("receipt")
    assert (receipt["seq"], receipt["level"], receipt["offset"]) == (seq, "DELIVERED", 3)
    assert len(ann.all("receipt")) == 2  # what is only accepted needs none


def test_what_is_in_memory_is_not_stored(open_scene):
    ann = open_scene().come("ann")
    for level in ("STORED", "DELIVERED"):
        ann.publish(user("bob"), "x", level=level)
        assert ann.hear("receipt")["reason"] == "NOT_STORED"
    ann.hear_acked(2)


def test_a_route_that_stores_nothing_says_so(durable):
    scene = durable('[[route]]\nmatch = "group:prices.*"\nstored = false\n')
    ann = scene.come("ann")
    for place, reason in (("prices.a", "NOT_STORED"), ("other", "NONE")):
        ann.publish(group(place), "x", level="STORED")
        assert ann.hear("receipt")["reason"] == reason
    ann.publish(group("prices.a"), "x")
    ann.hear_acked(3)


def test_a_refusal_comes_before_the_ack_that_covers_it(open_scene):
    ann = open_scene().come("ann")
    last = ann.publish_many([(user("bob"), "x", {"level": "STORED" if i % 3 == 0 else "ACCEPTED"}) for i in range(99)])
    ann.hear_acked(last)
    refused, covered = set(), 0
    for kind, body in ann.heard:
        if kind == "receipt":
            assert body["seq"] > covered
            refused.add(body["seq"])
        elif kind == "ack":
            assert body["seq"] > covered
            covered = body["seq"]
    assert refused == {i + 1 for i in range(99) if i % 3 == 0}


def test_a_message_that_comes_twice_is_delivered_once(durable):
    scene = durable()
    ann, eve, bob = scene.come("ann"), scene.come("eve"), scene.come("bob")
    ann.publish(user("bob"), "pay", id="p1", level="STORED")
    first = ann.hear("receipt")
    for level in ("ACCEPTED", "STORED", "STORED"):
        ann.publish(user("bob"), "pay", id="p1", level=level)
        receipt = ann.hear("receipt")
        assert receipt["duplicate"] and receipt["reason"] == "NONE"
        assert (receipt["epoch"], receipt["offset"]) == (first["epoch"], first["offset"])
    eve.publish(user("bob"), "pay too", id="p1")  # another sender's
    ann.publish(group("ops"), "elsewhere", id="p1", level="STORED")  # another conversation
    assert ann.hear("receipt")["duplicate"] is False
    assert bob.hear_texts(2) == ["pay", "pay too"]
    # Over another connection of the same user, as after a lost one.
    again = scene.come("ann")
    again.publish(user("bob"), "pay", id="p1", level="STORED")
    assert again.hear("receipt")["duplicate"]
    ann.publish(user("bob"), "last", id="p2")
    assert bob.hear_texts(1) == ["last"]


def test_what_is_worthless_by_now_is_not_replayed(durable):
    scene = durable('[[route]]\nmatch = "user:*.calls"\nttl = "1ms"\n')
    ann = scene.come("ann")
    for to in ("bob", "bob.calls"):
        for text, ttl in (("short", 1), ("long", 3_600_000), ("none", 0)):
            ann.publish(user(to), text, ttlMs=ttl, level="STORED")
            ann.hear("receipt", reason="NONE")
    time.sleep(0.1)  # all that is worthless by now
    for to, expected in (("bob", ["long", "none"]), ("bob.calls", [])):
        client = scene.come(to)
        assert client.hear_texts(len(expected)) == expected
        while not client.untaken("delivery"):  # one that comes before it listens may be worthless again
            ann.publish(user(to), "now")
            time.sleep(0.01)
        assert {delivery["content"]["text"] for delivery in client.untaken("delivery")} == {"now"}


# --- groups


def test_joining_leaving_presence_who(open_scene):
    scene = open_scene('[presence]\ngrace = "100ms"\n')
    ann, bob, too = scene.come("ann"), scene.come("bob"), scene.come("bob")
    joined = ann.join("ops", presence=True)
    epoch = ann.welcome["epoch"]
    assert joined == {"group": "ops", "epoch": epoch, "offset": 0, "members": 1}
    assert ann.hear("presence") == {"group": "ops", "user": "ann", "online": True}
    ann.publish(group("ops"), "one")
    ann.hear("delivery")
    assert bob.join("ops") == {"group": "ops", "epoch": epoch, "offset": 1, "members": 2}
    assert ann.hear("presence") == {"group": "ops", "user": "bob", "online": True}
    assert too.join("ops")["members"] == 2
    ann.say(who={"group": "ops"})
    assert ann.hear("members") == {"group": "ops", "users": ["ann", "bob"], "more": False}
    bob.say(leave={"group": "ops"})
    assert bob.hear("left") == {"group": "ops", "reason": "NONE"}
    ann.publish(group("ops"), "two")
    assert too.hear_texts(1) == ["two"]
    too.close()  # the last one of theirs
    assert ann.hear("presence") == {"group": "ops", "user": "bob", "online": False}
    assert not bob.all("delivery") and not bob.all("presence")
    assert len(ann.all("presence")) == 3  # a second connection is no news


def test_errors_of_groups_leave_the_connection(open_scene):
    scene = open_scene("[session]\nmax_groups = 2\n")
    ann = scene.come("ann")
    for wrong in ("leave", "who"):
        ann.say(**{wrong: {"group": "ops"}})
        error = ann.hear("error")
        assert (error["reason"], error["group"]) == ("NOT_MEMBER", "ops") and error["message"]
    ann.say(pull={"conversation": group("ops")})
    assert ann.hear("error")["reason"] == "NOT_MEMBER"
    ann.join("ops")
    ann.say(join={"group": "ops"})
    assert ann.hear("error")["reason"] == "PROTOCOL_VIOLATION"
    ann.join("more")
    ann.say(join={"group": "too many"})
    assert ann.hear("error")["reason"] == "TOO_MANY_GROUPS"
    ann.say(leave={"group": "more"})
    ann.hear("left")
    ann.join("too many")


# --- gaps and pulls

SMALL_WINDOW = """
[backpressure]
write_buffer_low_water_mark = "4KiB"
write_buffer_high_water_mark = "8KiB"
close_unwritable_after = "-1s"
ack_window = "4KiB"
"""


def take_everything(client, conversation, last):
    """Reads and acknowledges until everything up to an offset was delivered or told as a gap; the gaps."""
    known = set()
    gaps = []
    while len(known) < last:
        kind, body = client.next("delivery", "gap")
        if kind == "gap":
            assert body["conversation"] == conversation
            assert body["count"] == body["last"] - body["first"] + 1
            told = range(body["first"], body["last"] + 1)
            gaps.append(body)
        else:
            told = [body["offset"]]
        assert not known & set(told), "twice"
        known |= set(told)
        client.ack()
    assert known == set(range(1, last + 1))
    return gaps


@pytest.mark.parametrize("policy", ["oldest", "newest"])
def test_what_was_dropped_is_told_and_can_be_pulled(durable, policy):
    scene = durable(SMALL_WINDOW + f'[[route]]\nmatch = "group:ops"\npolicy = "{policy}"\n')
    ann, bob = scene.come("ann"), scene.come("bob", acknowledges=True)
    bob.join("ops")
    ann.publish_many([(group("ops"), f"{i}".ljust(1000), {}) for i in range(1, 101)])
    ann.hear_acked(100)
    gaps = take_everything(bob, group("ops"), 100)
    assert gaps and all(gap["reason"] == "DROPPED_" + policy.upper() and not gap["gone"] for gap in gaps)
    missing = [offset for gap in gaps for offset in range(gap["first"], gap["last"] + 1)]
    pulled = []
    for gap in gaps:
        first, more = gap["first"], True
        while more:
            bob.say(pull={"conversation": group("ops"), "epoch": gap["epoch"], "first": first, "last": gap["last"]})
            answer = None
            while not answer:
                kind, body = bob.next("delivery", "pulled")
                if kind == "delivery":
                    assert body["replayed"]
                    pulled.append((body["offset"], body["content"]["text"].strip()))
                    bob.ack()
                else:
                    answer = body
            first, more = answer["last"] + 1, answer["last"] < gap["last"]
    assert pulled == [(offset, str(offset)) for offset in missing]


def test_the_newer_of_one_key_takes_the_place_of_the_older(open_scene):
    scene = open_scene("""
        [backpressure]
        close_unwritable_after = "-1s"
        ack_window = "4KiB"
        [[route]]
        match = "group:prices"
        policy = "conflate"
        stored = false
        """)
    ann, bob = scene.come("ann"), scene.come("bob", acknowledges=True)
    bob.join("prices")
    ann.publish_many([(group("prices"), f"{i}".ljust(1000), {"key": "abc"[i % 3]}) for i in range(1, 101)])
    ann.hear_acked(100)
    latest, accounted = {}, 0
    while accounted < 100:
        kind, body = bob.next("delivery", "gap")
        bob.ack()
        if kind == "gap":
            assert body["reason"] == "CONFLATED" and body["count"] <= body["last"] - body["first"] + 1
            accounted += body["count"]
        else:
            latest[body["key"]] = body["content"]["text"].strip()
            accounted += 1
    assert accounted == 100
    assert latest == {"a": "99", "b": "100", "c": "98"}


def test_a_pull_brings_pages(durable):
    scene = durable()
    ann = scene.come("ann")
    ann.join("ops")
    ann.publish_many([(group("ops"), str(i), {}) for i in range(1, 301)])
    for _ in range(300):
        ann.hear("delivery")
    texts, first, more = [], 101, True
    while more:
        ann.say(pull={"conversation": group("ops"), "epoch": ann.welcome["epoch"], "first": first})
        pulled = ann.hear("pulled")
        page = ann.untaken("delivery")
        texts += [ann.hear("delivery")["content"]["text"] for _ in page]
        assert pulled["conversation"] == group("ops") and 0 < len(page) <= 128
        first, more = pulled["last"] + 1, pulled["more"]
    assert texts == [str(i) for i in range(101, 301)]
    ann.say(pull={"conversation": group("ops"), "epoch": ann.welcome["epoch"], "first": 50, "last": 52})
    assert ann.hear("pulled")["last"] == 52
    assert ann.hear_texts(3) == ["50", "51", "52"]


# --- requests


def test_requests_and_replies(open_scene):
    scene = open_scene()
    ann, first, bob = scene.come("ann"), scene.come("bob"), scene.come("bob")
    asked = ann.request("bob", "2+2", timeoutMs=20_000)
    question = bob.hear("delivery")
    assert (question["from"], question["content"], question["offset"]) == ("ann", {"text": "2+2"}, 0)
    assert question["request"] and question["timeoutMs"] == 20_000
    bob.say(reply={"request": question["request"], "content": {"text": "4"}})
    reply = ann.hear("reply")
    assert (reply["request"], reply["content"], reply["reason"]) == (asked, {"text": "4"}, "NONE")
    bob.say(reply={"request": question["request"], "content": {"text": "5"}})  # once is enough
    asked = ann.request("bob", "a favour")
    question = bob.hear("delivery")
    assert question["timeoutMs"] == 30_000
    bob.say(reply={"request": question["request"], "reason": "FORBIDDEN", "message": "No."})
    reply = ann.hear("reply")
    assert (reply["request"], reply["reason"], reply["message"]) == (asked, "FORBIDDEN", "No.")
    assert not first.all("delivery")  # it goes to the connection that came last
    bob.close()
    while not first.untaken("delivery"):
        ann.request("bob", "still there?")
        streams.eventually("something comes of it", lambda: first.untaken("delivery") or ann.untaken("reply"))
        for reply in ann.untaken("reply"):  # it went to who was just about to leave
            assert ann.hear("reply")["reason"] == reply["reason"] == "OFFLINE"
    question = first.hear("delivery")
    eve = scene.come("eve")
    eve.say(reply={"request": question["request"], "content": {"text": "me, bob"}})
    eve.ping()
    first.say(reply={"request": question["request"], "content": {"text": "yes"}})
    assert ann.hear("reply")["content"] == {"text": "yes"}
    assert [reply["content"] for reply in ann.all("reply") if "content" in reply] == [{"text": "4"}, {"text": "yes"}]


def test_a_request_is_always_answered(open_scene):
    scene = open_scene("[session]\nmax_requests = 3\n")
    ann, bob = scene.come("ann"), scene.come("bob")
    nobody = ann.request("nobody", "x")
    assert ann.hear("reply")["reason"] == "OFFLINE"
    late = ann.request("bob", "x", timeoutMs=1)
    reply = ann.hear("reply")
    assert (reply["request"], reply["reason"]) == (late, "TIMED_OUT")
    for _ in range(3):
        ann.request("bob", "x", timeoutMs=60_000)
    many = ann.request("bob", "x")
    reply = ann.hear("reply")
    assert (reply["request"], reply["reason"]) == (many, "TOO_MANY_REQUESTS")
    ann.hear_acked(ann.seq)
    for _ in range(4):
        question = bob.hear("delivery")
    bob.say(reply={"request": question["request"], "content": {"text": "at last"}})
    assert ann.hear("reply")["content"] == {"text": "at last"}
    assert nobody != late


# --- tokens and rights


def test_a_token_says_who_one_is_and_what_one_may(crew, open_scene):
    issuer = Issuer(crew.folder())
    scene = open_scene(issuer.settings, is_open=False)
    rights = {"publish": ["ops.*"], "join": ["ops.*", "news"], "users": ["b*"], "all": False}
    ann = scene.come("eve", token=issuer.token("ann", rights))
    assert ann.welcome["user"] == "ann"  # whatever they call themselves
    bob = scene.come(token=issuer.token("bob"))
    for to, reason in ((group("ops.a"), None), (group("news"), "FORBIDDEN"), (group("ops"), "FORBIDDEN"),
                       (user("bob"), None), (user("ann"), "FORBIDDEN"), (ALL, "FORBIDDEN")):
        seq = ann.publish(to, "x")
        ann.hear_acked(seq)
        assert [receipt["reason"] for receipt in ann.all("receipt") if receipt["seq"] == seq] == (
            [reason] if reason else [])
    for name in ("ops.a", "news"):
        ann.join(name)
    ann.say(join={"group": "other"})
    assert ann.hear("error")["reason"] == "FORBIDDEN"
    ann.request("bob", "x", timeoutMs=1)
    assert ann.hear("reply")["reason"] == "TIMED_OUT"
    ann.request("eve", "x")
    assert ann.hear("reply")["reason"] == "FORBIDDEN"
    # A token without rights may receive, and nothing else.
    assert bob.hear_texts(1) == ["x"]
    bob.publish(user("ann"), "x")
    assert bob.hear("receipt")["reason"] == "FORBIDDEN"
    bob.say(join={"group": "news"})
    assert bob.hear("error")["reason"] == "FORBIDDEN"
    assert bob.hear("delivery")["request"]


def test_a_token_is_refreshed_in_place(crew, open_scene):
    issuer = Issuer(crew.folder(), more='close_expired_after = "10min"')
    scene = open_scene(issuer.settings + "[rates]\nenabled = false\n", is_open=False)
    # Clocks may differ by 30 s: one that has expired 25 s ago still lets in, and soon no longer publishes.
    ann = scene.come(token=issuer.token("ann", EVERYTHING, lasts=-25))
    ann.join("ops")
    while not ann.untaken("receipt"):
        ann.publish(user("bob"), "x")
        ann.hear_acked(ann.seq)
    assert ann.hear("receipt")["reason"] == "TOKEN_EXPIRED"
    ann.request("ann", "x")
    assert ann.hear("reply")["reason"] == "TOKEN_EXPIRED"
    sender = scene.come(token=issuer.token("bob", EVERYTHING))
    sender.publish(user("ann"), "still here")
    assert ann.hear_texts(1) == ["still here"]
    for asks in ({"join": {"group": "news"}}, {"who": {"group": "ops"}},
                 {"pull": {"conversation": {"group": "ops"}, "epoch": 1, "first": 1}}):
        ann.say(**asks)
        assert ann.hear("error")["reason"] == "TOKEN_EXPIRED"
    for wrong, reason in ((issuer.token("bob", EVERYTHING), "FORBIDDEN"), ("x.y.z", "TOKEN_INVALID"),
                          (issuer.token("ann", lasts=-3600), "TOKEN_EXPIRED")):
        ann.say(refresh={"token": wrong})
        assert ann.hear("error")["reason"] == reason
    before = time.time()
    ann.say(refresh={"token": issuer.token("ann", {**EVERYTHING, "join": ["news"]}, lasts=1000)})
    expires = ann.hear("refreshed")["expiresAtMs"] / 1000
    assert before + 999 <= expires <= time.time() + 1001 + 30
    assert ann.hear("left") == {"group": "ops", "reason": "FORBIDDEN"}
    ann.publish(user("ann"), "again")
    assert ann.hear_texts(1) == ["again"]


def test_whose_token_has_expired_is_sent_away(crew, open_scene):
    issuer = Issuer(crew.folder(), more='close_expired_after = "0s"')
    scene = open_scene(issuer.settings, is_open=False)
    ann, bob = (scene.come(token=issuer.token(name, EVERYTHING, lasts=-15)) for name in ("ann", "bob"))
    bob.say(refresh={"token": issuer.token("bob", EVERYTHING)})
    bob.hear("refreshed")
    assert ann.hear("kick")["reason"] == "TOKEN_EXPIRED"
    assert ann.wait_closed()[0] == 4012
    again = scene.come(token=issuer.token("ann", EVERYTHING), resume=resume(ann))
    assert again.welcome["previous"]["reason"] == "TOKEN_EXPIRED"
    again.publish(user("bob"), "x")
    assert bob.hear_texts(1) == ["x"]


@pytest.mark.parametrize("token, reason, code", [
    ("", "UNAUTHENTICATED", 4010), ("nonsense", "TOKEN_INVALID", 4011), ("expired", "TOKEN_EXPIRED", 4012)])
def test_who_has_no_good_token_is_sent_away(crew, open_scene, token, reason, code):
    issuer = Issuer(crew.folder())
    client = open_scene(issuer.settings, is_open=False).come(greet=False)
    client.say(hello={"user": "ann", "token": issuer.token("ann", lasts=-3600) if token == "expired" else token})
    assert client.hear("kick")["reason"] == reason
    assert client.wait_closed()[0] == code


# --- limits and mistakes


def test_who_speaks_too_fast_is_told_how_long_to_wait(open_scene):
    ann = open_scene("[rates.connection]\nmessages_per_second = 1\nmessage_burst = 5\n").come("ann")
    ann.publish_many([(user("bob"), "x", {}) for _ in range(20)])
    ann.hear_acked(20)
    refused = ann.all("receipt")
    assert [receipt["seq"] for receipt in refused][-10:] == list(range(11, 21))  # a slow machine earns a few more
    assert all(receipt["reason"] == "RATE_LIMITED" and 0 < receipt["retryAfterMs"] <= 1000 for receipt in refused)


def test_a_user_has_so_many_connections(open_scene):
    scene = open_scene("[session]\nmax_connections_per_user = 2\n")
    first, _ = scene.come("ann"), scene.come("ann")
    third = scene.come(greet=False)
    third.say(hello={"user": "ann"})
    assert third.hear("kick")["reason"] == "TOO_MANY_CONNECTIONS"
    assert third.wait_closed()[0] == 4022
    scene.come("bob")
    first.close()
    scene.come("ann")


TOO_LARGE = json.dumps({"publish": {"seq": 1, "id": "m", "to": {"user": "b"}, "content": {"text": "x" * 262_144}}})
MISTAKES = {
    "no json": ("{", "MALFORMED", 1002),
    "no object": ("[]", "MALFORMED", 1002),
    "no body": ("{}", "UNSUPPORTED", 4004),
    "an unknown body": ('{"sing":{}}', "UNSUPPORTED", 4004),
    "two bodies": ('{"ping":{},"pong":{}}', "MALFORMED", 1002),
    "seq 0": ('{"publish":{"id":"m","to":{"user":"b"},"content":{"text":""}}}', None, 1002),
    "a number out of range": ('{"ping":{"nonce":"18446744073709551616"}}', "MALFORMED", 1002),
    "a negative number": ('{"ping":{"nonce":-1}}', "MALFORMED", 1002),
    "a seq that is no number": ('{"publish":{"seq":"one","id":"m","to":{"all":true},"content":{"text":""}}}',
                                None, 1002),
    "nesting": ('{"ping":{"x":' + "[" * 20 + "]" * 20 + "}}", "MALFORMED", 1002),
    "a second hello": ('{"hello":{"user":"ann"}}', "PROTOCOL_VIOLATION", 1002),
    "an ack of the future": ('{"ack":{"seq":"1"}}', "PROTOCOL_VIOLATION", 1002),
    "what only the hub says": ('{"welcome":{"user":"eve"}}', None, 1002),
    "too much": (TOO_LARGE, "TOO_LARGE", 1009),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_the_connection_and_says_why(open_scene, mistake):
    text, reason, code = MISTAKES[mistake]
    scene = open_scene()
    ann, bob = scene.come("ann"), scene.come("bob")
    ann.send(text)
    if mistake != "too much":  # its frame is refused by its head
        kick = ann.hear("kick")
        assert kick["message"]
        assert kick["reason"] == reason or reason is None
    assert ann.wait_closed()[0] == code
    bob.publish(user("bob"), "unharmed")
    assert bob.hear_texts(1) == ["unharmed"]


def publish_with(**fields):
    return {"publish": {"seq": 1, "id": "m", "to": {"user": "bob"}, "content": {"text": "x"}, **fields}}


REJECTED = {
    "an unknown level": (publish_with(level=9), "UNSUPPORTED", "publish.level"),
    "an unknown level's name": (publish_with(level="SOON"), "UNSUPPORTED", "publish.level"),
    "no content": (publish_with(content=None), "MALFORMED", "publish.content"),
    "no conversation": (publish_with(to=None), "MALFORMED", "publish.to"),
    "an empty id": (publish_with(id=""), "MALFORMED", "publish.id"),
    "a long id": (publish_with(id="x" * 65), "MALFORMED", "publish.id"),
    "a long name": (publish_with(to={"group": "x" * 256}), "MALFORMED", "publish.group"),
    "a wrong type": (publish_with(key=7), "MALFORMED", "publish.key"),
    "base64 that is none": (publish_with(content={"data": "?"}), "MALFORMED", "publish.content.data"),
    "half of a surrogate pair": (publish_with(content={"text": "a\ud800b"}), "MALFORMED", "publish.content.text"),
    "a large text": (publish_with(content={"text": "x" * 70_000}), "TOO_LARGE", "65536"),
    "the largest that is read": (publish_with(content={"text": "x" * 262_000}), "TOO_LARGE", "65536"),
}


@pytest.mark.parametrize("mistake", REJECTED)
def test_a_message_that_does_not_fit_is_answered_in_its_receipt_and_the_connection_stays(open_scene, mistake):
    message, reason, names = REJECTED[mistake]
    scene = open_scene()
    ann, bob = scene.come("ann"), scene.come("bob")
    ann.send(json.dumps(message))
    receipt = ann.hear("receipt")
    assert (receipt["seq"], receipt["reason"]) == (1, reason)
    assert receipt["id"] == (message["publish"]["id"] if "id" not in mistake else "")
    assert names in receipt["message"]
    ann.seq = 1
    ann.publish(user("bob"), "the next one")
    assert bob.hear_texts(1) == ["the next one"]
    ann.hear_acked(2)
    ann.ping()


def test_other_requests_that_do_not_fit_are_answered_too(open_scene):
    ann = open_scene().come("ann")
    ann.say(request={"seq": 1, "id": "q", "user": "x" * 256, "content": {"text": ""}})
    assert ann.hear("reply")["reason"] == "MALFORMED"
    for broken in ({"join": {"group": 7}}, {"join": {"group": "x" * 256}}, {"leave": {"group": ""}}, {"who": {}},
                   {"pull": {"conversation": {"group": "g"}, "first": 5, "last": 4}}, {"refresh": {}}):
        ann.say(**broken)
        error = ann.hear("error")
        assert error["reason"] == "MALFORMED"
        assert next(iter(broken)) + "." in error["message"]
    ann.join("g")


def test_a_join_and_a_leave_in_one_write_are_both_answered(open_scene):
    ann = open_scene().come("ann")
    for _ in range(3):
        for envelope in ({"join": {"group": "g"}}, {"leave": {"group": "g"}}):
            ann.send(json.dumps(envelope))
    for _ in range(3):
        assert ann.next("joined", "left", "error")[0] == "joined"
        assert ann.next("joined", "left", "error")[0] == "left"


def test_a_seq_that_goes_back_ends_the_connection(open_scene):
    scene = open_scene()
    for kind in ("publish", "request"):
        ann = scene.come("ann")
        ann.seq = 6
        ann.publish(user("ann"), "seven")
        ann.seq = 6
        if kind == "publish":
            ann.publish(user("ann"), "seven again", id="other")
        else:
            ann.request("ann", "seven again")
        assert ann.hear("kick")["reason"] == "PROTOCOL_VIOLATION"
        assert ann.wait_closed()[0] == 1002


def test_the_other_kind_of_message_and_broken_text_end_it_without_a_kick(open_scene):
    scene = open_scene()
    ann = scene.come("ann")
    ann.send(b'{"ping":{}}')
    assert ann.wait_closed()[0] == 1003
    assert not ann.all("kick")


# --- resuming


def resume(client, *positions):
    """What a Hello says to go on where a client was, its positions being (conversation, offset)."""
    return {"sessionToken": client.welcome["sessionToken"],
            "positions": [{"conversation": where, "epoch": client.welcome["epoch"], "offset": offset}
                          for where, offset in positions]}


def test_a_session_is_taken_over_from_a_connection_that_is_still_there(open_scene):
    scene = open_scene()
    ann, bob = scene.come("ann"), scene.come("bob")
    ann.publish(user("bob"), "one")
    assert bob.hear_texts(1) == ["one"]
    again = scene.come("bob", resume=resume(bob, (user("bob"), 1)))
    assert again.welcome["previous"]["reason"] == "SUPERSEDED"
    assert bob.hear("kick")["reason"] == "SUPERSEDED"
    assert bob.wait_closed()[0] == 4057
    ann.publish(user("bob"), "two")
    assert again.hear_texts(1) == ["two"]
    assert not bob.untaken("delivery")


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_session_goes_on_where_it_ended(durable, how):
    scene = durable()
    ann, bob = scene.come("ann"), scene.come("bob")
    bob.join("ops")
    ann.publish_many([(to, f"{n}", {}) for n in range(3) for to in (group("ops"), user("bob"))])
    for _ in range(6):
        bob.hear("delivery")
    if how == "closed":
        bob.close()
    else:
        bob.drop()
    # While they are away; more than one page of the log.
    ann.publish_many([(to, f"{n}", {}) for n in range(3, 203) for to in (group("ops"), user("bob"))])
    ann.hear_acked(ann.seq)
    again = scene.come("bob", resume=resume(bob, (group("ops"), 3), (user("bob"), 2)))
    assert again.welcome["resumed"] and again.welcome["session"] == bob.welcome["session"]
    previous = again.welcome["previous"]
    assert previous["reason"] == ("CLOSED_BY_CLIENT" if how == "closed" else "CONNECTION_LOST")
    assert previous["atMs"] > 0
    joined = again.hear("joined")
    assert (joined["group"], joined["offset"]) == ("ops", 203)
    ann.publish(group("ops"), "203")
    ann.publish(user("bob"), "203")
    got = {"group": [], "user": []}
    for _ in range(200 + 201 + 2):
        delivery = again.hear("delivery")
        [kind] = delivery["to"]
        got[kind].append((delivery["offset"], delivery["content"]["text"]))
    assert got["group"] == [(offset, str(offset - 1)) for offset in range(4, 205)]
    assert got["user"] == [(offset, str(offset - 1)) for offset in range(3, 205)]


def test_a_position_that_is_gone_is_told_as_a_gap(durable):
    scene = durable('[[route]]\nmatch = "group:ops"\nmax_messages = 5\n')
    ann, bob = scene.come("ann"), scene.come("bob")
    bob.join("ops")
    ann.publish(group("ops"), "1")
    bob.hear("delivery")
    bob.close()
    ann.publish_many([(group("ops"), str(i), {"level": "STORED"}) for i in range(2, 51)])
    for _ in range(49):
        ann.hear("receipt", reason="NONE")
    # Commits remove what is too much, bounded each: how far they have come is told.
    again = scene.come("bob", resume=resume(bob, (group("ops"), 1)))
    gap = again.hear("gap")
    assert (gap["conversation"], gap["first"], gap["reason"], gap["gone"]) == (group("ops"), 2, "EXPIRED", True)
    assert gap["count"] == gap["last"] - 1 and gap["last"] <= 45
    rest = [again.hear("delivery")["offset"] for _ in range(50 - gap["last"])]
    assert rest == list(range(gap["last"] + 1, 51))
    again.say(pull={"conversation": group("ops"), "epoch": gap["epoch"], "first": 2, "last": gap["last"]})
    gone = again.hear("gap")
    assert gone["gone"] and (gone["first"], gone["last"]) == (2, gap["last"])
    assert again.hear("pulled")["conversation"] == group("ops")


def test_a_session_is_its_users(open_scene):
    scene = open_scene()
    ann = scene.come("ann")
    ann.join("ops")
    token = ann.welcome["sessionToken"]
    wrong = [token[:-1] + ("0" if token[-1] != "0" else "1"), token.split(".")[0], "x" * 8192, "." + token]
    for name, secret in [("eve", token), *(("ann", each) for each in wrong)]:
        client = scene.come(name, resume={
            "sessionToken": secret, "positions": [{"conversation": group("ops"), "epoch": 1, "offset": 0}]})
        assert client.welcome["resumed"] is False and "previous" not in client.welcome
        assert client.welcome["session"] != ann.welcome["session"]
        client.ping()
        assert not client.all("joined")
    resumed = scene.come("ann", resume={"sessionToken": token})
    assert resumed.welcome["resumed"]


def test_a_session_that_was_cut_learns_why(open_scene):
    scene = open_scene('[backpressure]\nclose_unwritable_after = "300ms"\n')
    ann, bob = scene.come("ann"), scene.come("bob", acknowledges=True)
    bob.join("ops")
    ann.publish_many([(group("ops"), "x" * 1000, {}) for _ in range(10)])
    assert bob.wait_closed()[0] == 1006  # a reset: it had to say something and never did
    again = scene.come("bob", acknowledges=True, resume=resume(bob, (group("ops"), 0)))
    previous = again.welcome["previous"]
    assert previous["reason"] == "UNACKNOWLEDGED"
    assert previous["bytesWaiting"] > 10_000 and previous["oldestMs"] >= 300
    assert 0 < len(previous["history"]) <= 32
    times = [sample["atMs"] for sample in previous["history"]]
    assert times == sorted(times)
    assert previous["history"][-1]["bytesUnacknowledged"] > 10_000
    for _ in range(10):
        again.hear("delivery")
    again.ack()
    again.ping()
    third = scene.come("bob", resume=resume(again))
    assert third.welcome["previous"]["reason"] == "SUPERSEDED"  # the one before was still there


def test_a_session_of_another_run_goes_on(crew, open_scene):
    data = crew.folder() / "data"
    scene = open_scene(data=data)
    ann, bob = scene.come("ann"), scene.come("bob")
    bob.join("ops")
    ann.publish(group("ops"), "one")
    bob.hear("delivery")
    assert scene.hub.terminate() == 0
    assert bob.wait_closed()[0] == 1001
    kick = bob.hear("kick")
    assert kick["reason"] == "SHUTTING_DOWN" and kick["retryAfterMs"] > 0
    other = Scene(crew, data=data)
    ann = other.come("ann")
    ann.publish(group("ops"), "two", id="another", level="STORED")
    receipt = ann.hear("receipt")
    assert receipt["epoch"] > bob.welcome["epoch"] and receipt["offset"] == 2
    again = other.come("bob", resume=resume(bob, (group("ops"), 1)))
    assert again.welcome["resumed"] and again.welcome["epoch"] == receipt["epoch"]
    assert again.hear_texts(1) == ["two"]
    assert other.hub.terminate() == 0
