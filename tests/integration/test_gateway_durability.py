"""What a hub keeps when it is killed, stopped, reconfigured, or has no room on its disk."""

import contextlib
import os
import signal
import subprocess
import threading
import time

import pytest
import websockets
from harness import procfs, streams
from harness.hub_clients import Loop, MessagingHub

UNLIMITED = "[rates]\nenabled = false\n"
SENDERS = 6


def start(crew, settings=UNLIMITED, **options):
    return MessagingHub(crew, settings, **options).wait()


class Load:
    """Senders that publish to one group and to two users, and ask each time to be told when it is stored."""

    def __init__(self, loop, hub, number):
        self._senders = [loop.client(hub, f"sender{i}") for i in range(SENDERS)]
        self._number = number
        self._threads = [threading.Thread(target=self._send, args=(sender,)) for sender in self._senders]
        for thread in self._threads:
            thread.start()

    def _send(self, sender):
        with contextlib.suppress(websockets.ConnectionClosed):
            for i in range(100_000):
                to = ({"group": "ops"}, {"user": "ann"}, {"user": "bob"})[i % 3]
                sender.publish_many([(to, "x" * 200, {"level": "STORED", "id": f"{self._number}.{i}"})])
                # Not more under way than the hub lets wait.
                while sender.closed is None and sender.seq - len(sender.all("receipt")) > 200:
                    time.sleep(0.005)

    def count(self):
        return sum(len(sender.all("receipt")) for sender in self._senders)

    def join(self):
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def stored(self):
        """What they were told is stored: (sender, id) and its position."""
        return {(sender.welcome["user"], receipt["id"]): (receipt["epoch"], receipt["offset"])
                for sender in self._senders for receipt in sender.all("receipt") if receipt["reason"] == "NONE"}


def take_log(loop, hub, conversation):
    """Everything that a hub replays of a conversation, up to its head, as (sender, id) and position."""
    [(kind, name)] = conversation.items()
    reader = loop.client(hub, name if kind == "user" else "reader")
    head = reader.welcome["inbox"] if kind == "user" else reader.join(name, **{"from": {}})
    found, last = [], 0
    while last < head["offset"]:
        delivery = reader.hear("delivery")
        assert delivery["replayed"] and delivery["to"] == conversation
        last = delivery["offset"]
        found.append(((delivery["from"], delivery["id"]), (delivery["epoch"], last)))
    reader.close()
    return found


@pytest.mark.parametrize("enough", [1, 200, 1500])
def test_what_is_stored_outlives_kill(crew, enough):
    data, loop = crew.folder() / "data", crew.adopt(Loop())
    stored = {}
    for number in range(3):
        hub = start(crew, data=data)
        load = Load(loop, hub, number)
        streams.eventually("so much is stored", lambda: load.count() >= enough)
        hub.process.kill()
        load.join()
        stored.update(load.stored())
    assert len(stored) >= 3 * enough
    hub = start(crew, data=data)
    held = {}
    for conversation in ({"group": "ops"}, {"user": "ann"}, {"user": "bob"}):
        found = take_log(loop, hub, conversation)
        where = [position for _, position in found]
        assert where == sorted(set(where)), "in order, each position once"
        offsets = [offset for _, offset in where]
        assert offsets == list(range(1, len(offsets) + 1)), "offsets go on from epoch to epoch"
        assert len({message for message, _ in found}) == len(found), "no message twice"
        held.update(found)
    missing = {message: position for message, position in stored.items() if held.get(message) != position}
    assert not missing, f"{len(missing)} were told to be stored: {list(missing.items())[:5]}"
    # What was on its way at a kill may be there without anybody having been told.
    assert len(held) - len(stored) <= 3 * SENDERS * 201
    assert hub.terminate() == 0


def test_an_acknowledged_inbox_goes_on_behind_it_after_a_kill(crew):
    data, loop = crew.folder() / "data", crew.adopt(Loop())
    hub = start(crew, data=data)
    ann, bob = loop.client(hub, "ann"), loop.client(hub, "bob", acknowledges=True)
    for text in "abc":
        ann.publish({"user": "bob"}, text, level="DELIVERED")
    bob.hear_texts(3)
    bob.ack(2)
    for _ in range(2):
        assert ann.hear("receipt")["level"] == "DELIVERED"
    # What is acknowledged goes to the disk with the next commit, or soon; a clean end does it at once.
    assert hub.terminate() == 0
    hub = start(crew, data=data)
    assert loop.client(hub, "bob").hear_texts(1) == ["c"]
    assert hub.terminate() == 0


# --- its end


def heard_of(client, group):
    """The last offset that it was delivered or told of as a gap; they must come in their order without a hole."""
    last = 0
    for kind, body in client.heard:
        if kind == "delivery" and body["to"] == group:
            first = end = body["offset"]
        elif kind == "gap" and body["conversation"] == group:
            first, end = body["first"], body["last"]
        else:
            continue
        assert first == last + 1, f"{kind} of {first} to {end} behind {last}"
        last = end
    return last


def test_a_hub_that_stops_sends_everyone_away_in_good_order(crew):
    data, loop, ops = crew.folder() / "data", crew.adopt(Loop()), {"group": "ops"}
    # Nobody is cut for being slow: there is a time in which all have to be gone, and a busy machine takes its share.
    hub = start(crew, UNLIMITED + '[backpressure]\nclose_unwritable_after = "-1s"\n', data=data)
    clients = [loop.client(hub, f"user{i}") for i in range(100)]
    busy, quiet = clients[:10], clients[10:]
    for client in busy:
        client.join("ops")
    sender = busy[0]
    sender.publish_many([(ops, "x" * 1000, {}) for _ in range(300)])
    assert hub.terminate() == 0  # its books balance
    pauses = set()
    for client in clients:
        code, _ = client.wait_closed()
        assert code == 1001
        kick = client.hear("kick")
        assert kick["reason"] == "SHUTTING_DOWN" and kick["message"]
        pauses.add(kick["retryAfterMs"])
    assert min(pauses) >= 1000 and len(pauses) > len(quiet) // 2, "they come back at different times"
    # What they had not heard of by then is there for them when they come back.
    answered = max([ack["seq"] for ack in sender.all("ack")], default=0)
    hub = start(crew, data=data)
    for client in busy:
        last = heard_of(client, ops)
        again = loop.client(hub, client.welcome["user"], resume={
            "sessionToken": client.welcome["sessionToken"],
            "positions": [{"conversation": ops, "epoch": client.welcome["epoch"], "offset": last}]})
        assert again.welcome["resumed"]
        head = again.hear("joined")["offset"]
        assert head >= answered
        rest = [again.hear("delivery")["offset"] for _ in range(head - last)]
        assert rest == list(range(last + 1, head + 1))
    assert hub.terminate() == 0


def test_a_client_that_takes_nothing_does_not_hold_up_the_end(crew):
    loop = crew.adopt(Loop())
    hub = start(crew, UNLIMITED + '[backpressure]\nclose_unwritable_after = "-1s"\n')
    sender, sloth = loop.client(hub, "ann"), loop.client(hub, "sloth")
    sloth.stop_reading()
    # More than any buffers between them hold: the rest waits in the hub.
    size = 2 * (procfs.largest_send_buffer() + procfs.largest_receive_buffer())
    for _ in range(size // 1_000_000 + 1):
        sender.hear_acked(sender.publish_many([({"user": "sloth"}, "x" * 50_000, {}) for _ in range(20)]))
    assert hub.terminate() == 0


# --- its disk


@pytest.fixture(name="small_disk")
def small_disk_fixture(crew):
    """A folder on a file system of 8 MiB."""
    folder = crew.folder()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "sluice-test", folder], check=False,
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    crew.at_end(subprocess.run, ["umount", "--lazy", folder], check=False)
    return folder


def fill(folder):
    """Leaves no room there; returns the file that took it."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def test_a_full_disk_is_told_and_got_over(crew, small_disk):
    loop = crew.adopt(Loop())
    settings = UNLIMITED + '[[route]]\nmatch = "group:live"\nstored = false\n'
    hub = start(crew, settings, data=small_disk / "data")
    ann, bob = loop.client(hub, "ann"), loop.client(hub, "bob")
    bob.join("live")
    stored = {}

    def publish(count):
        last = ann.publish_many([({"user": "inbox"}, "x" * 4000, {"level": "STORED"}) for _ in range(count)])
        ann.hear_acked(last)
        return [ann.hear("receipt") for _ in range(count)]

    def note(receipts):
        for receipt in receipts:
            if receipt["reason"] == "NONE":
                stored[receipt["id"]] = (receipt["epoch"], receipt["offset"])
        return {receipt["reason"] for receipt in receipts}

    assert note(publish(20)) == {"NONE"}
    filler = fill(small_disk)
    reasons = set()
    for _ in range(200):
        receipts = publish(50)
        reasons |= note(receipts)
        refused = [receipt for receipt in receipts if receipt["reason"] != "NONE"]
        if len(refused) == len(receipts):
            break
    assert all(receipt["message"] for receipt in refused)
    assert reasons <= {"NONE", "STORE_FULL", "STORE_FAILED"} and "STORE_FAILED" in reasons, reasons
    # Who needs no disk is served, and the hub says how it is.
    ann.publish({"group": "live"}, "who cares")
    assert bob.hear_texts(1) == ["who cares"]
    assert hub.is_healthy()
    filler.unlink()
    streams.eventually("it stores again", lambda: note(publish(1)) == {"NONE"})
    assert note(publish(20)) == {"NONE"}
    assert hub.terminate() == 0
    again = start(crew, settings, data=small_disk / "data")
    held = dict(take_log(loop, again, {"user": "inbox"}))
    assert {("ann", message): where for message, where in stored.items()}.items() <= held.items()
    assert again.terminate() == 0


def test_a_full_disk_stops_stored_publishes_only(crew, small_disk):
    loop = crew.adopt(Loop())
    settings = UNLIMITED + '[[route]]\nmatch = "group:live"\nstored = false\n'
    hub = start(crew, settings, data=small_disk / "data")
    ann, bob = loop.client(hub, "ann"), loop.client(hub, "bob", acknowledges=True)
    ann.publish({"user": "bob"}, "before", level="STORED")
    assert ann.hear("receipt")["reason"] == "NONE"
    first = bob.hear("delivery")
    fill(small_disk)

    def is_rejected():
        ann.publish({"user": "nobody"}, "x" * 4000, level="STORED")
        return ann.hear("receipt")["reason"] in ("STORE_FAILED", "STORE_FULL")

    streams.eventually("the disk is full", lambda: all(is_rejected() for _ in range(20)))
    bob.ack()
    # Who comes is let in, joins, is seen, is asked and answers.
    ann.join("live", presence=True)
    carl = loop.client(hub, "carl")
    carl.join("live")
    assert ann.hear("presence", user="carl")["online"]
    carl.publish({"group": "live"}, "hello")
    assert ann.hear_texts(1) == ["hello"]
    carl.request("ann", "2+2")
    asked = ann.hear("delivery")
    ann.say(reply={"request": asked["request"], "content": {"text": "4"}})
    assert carl.hear("reply")["content"]["text"] == "4"
    # A session that comes back goes on where it was, what is stored is read, and what was acknowledged stays so.
    carl.drop()
    again = loop.client(hub, "carl", resume={"sessionToken": carl.welcome["sessionToken"], "positions": []})
    assert again.welcome["resumed"]
    reader = loop.client(hub, "reader")
    reader.join("stored", **{"from": {}})
    bob.say(pull={"conversation": {"user": "bob"}, "epoch": first["epoch"], "first": 1, "last": 1})
    assert bob.hear("delivery")["replayed"]
    assert hub.is_healthy()
    assert hub.terminate() == 0, "it ends in good order"


# --- what keeps it from starting


def refused(crew, **options):
    """The error of a hub that does not start, and its code."""
    hub = MessagingHub(crew, UNLIMITED, **options)
    code = hub.process.wait()
    return hub.process.wait_event("error"), code


def test_a_folder_is_one_hubs(crew):
    data = crew.folder() / "data"
    hub = start(crew, data=data)
    error, code = refused(crew, data=data)
    assert (error["code"], code) == ("busy", 1)
    assert str(data) in error["message"] and f"process {hub.pid}" in error["message"]
    # The first one has lost nothing by it, and its lock goes with it.
    ann = crew.adopt(Loop()).client(hub, "ann")
    ann.publish({"user": "bob"}, "x", level="STORED")
    assert ann.hear("receipt")["reason"] == "NONE"
    hub.process.kill()
    assert start(crew, data=data).terminate() == 0


def test_a_port_is_one_hubs(crew):
    hub = start(crew)
    error, code = refused(crew, listen=f"127.0.0.1:{hub.port}")
    assert (error["code"], code) == ("address_in_use", 7)
    assert str(hub.port) in error["message"] and error["hint"]
    assert hub.is_healthy()
    assert hub.terminate() == 0


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(crew, small_disk):
    file = crew.folder() / "data"
    file.write_text("not a folder")
    crew.run("mount", "-o", "remount,ro", small_disk)
    for place in (file, file / "below", small_disk, small_disk / "below"):
        error, code = refused(crew, data=place)
        assert code == 1 and str(place) in error["message"], error


@pytest.mark.parametrize("damage", ["noise", "the head", "cut off", "a page"])
def test_a_damaged_database_is_an_error_that_says_what_to_do(crew, damage):
    data, loop = crew.folder() / "data", crew.adopt(Loop())
    hub = start(crew, data=data)
    ann = loop.client(hub, "ann")
    ann.publish_many([({"user": "bob"}, "x" * 2000, {"level": "STORED"}) for _ in range(200)])
    for _ in range(200):
        ann.hear("receipt", reason="NONE")
    assert hub.terminate() == 0
    [file] = [path for path in data.iterdir() if path.is_file() and path.read_bytes()[:13] == b"SQLite format"]
    for other in data.glob(file.name + "-*"):
        other.unlink()
    good = file.read_bytes()
    file.write_bytes({"noise": os.urandom(len(good)), "the head": bytes(100) + good[100:], "cut off": good[:8192 + 100],
                      "a page": good[:4096] + os.urandom(4096 * 8) + good[4096 * 9:]}[damage])
    error, code = refused(crew, data=data)
    assert code == 1 and str(data) in error["message"], error
    assert "Move" in error["message"] and "backup" in error["message"], error


# --- its settings


def reload(hub, settings):
    hub.reload(settings)
    return hub.process.wait_event("reloaded")


def test_a_reload_changes_limits_of_who_is_connected(crew):
    loop = crew.adopt(Loop())
    hub = start(crew, data=crew.folder() / "data")
    ann = loop.client(hub, "ann")

    def refusals(count=30):
        before = len(ann.all("receipt"))
        ann.hear_acked(ann.publish_many([({"user": "bob"}, "x", {}) for _ in range(count)]))
        return {receipt["reason"] for receipt in ann.all("receipt")[before:]}

    assert refusals() == set()
    limits = "[rates.connection]\nmessages_per_second = 1\nmessage_burst = 3\n[session]\nmax_groups = 1\n"
    assert reload(hub, limits)["needs_restart"] == []
    # Shards take it up one after the other.
    streams.eventually("it is limited", lambda: "RATE_LIMITED" in refusals())
    bob = loop.client(hub, "bob")
    assert bob.welcome["limits"]["maxGroups"] == 1
    bob.join("one")
    bob.say(join={"group": "two"})
    assert bob.hear("error")["reason"] == "TOO_MANY_GROUPS"
    # A file that is not good changes nothing, and says why.
    for wrong, named in (("[rates]\nenabled = 7\n", "rates.enabled"), ("[rates.conection]\n", "conection"),
                         ("[[[", "hub.toml"), (UNLIMITED + "[memory]\nlimit = 3\n", "memory.limit")):
        hub.reload(wrong)
        assert named in hub.process.wait_event("reload_failed")["message"]
        assert "RATE_LIMITED" in refusals()
    waiting = reload(hub, UNLIMITED + "[listen]\nmax_connections = 9\n[heartbeat]\nmisses = 9\n")
    assert waiting["needs_restart"] == ["listen.max_connections"]
    streams.eventually("it is not limited", lambda: not refusals(5))
    assert refusals() == set()
    hub.file.unlink()
    hub.process.signal(signal.SIGHUP)
    assert "hub.toml" in hub.process.wait_event("reload_failed")["message"]
    assert refusals() == set()
    assert hub.terminate() == 0


def test_a_reload_changes_the_heartbeat_of_those_who_come(crew):
    loop = crew.adopt(Loop())
    hub = start(crew, data=crew.folder() / "data")

    def ended(reason):
        line = f'sluice_hub_connections_ended_total{{reason="{reason}"}} '
        return [figure.removeprefix(line) for figure in hub.page("/metrics")[1].splitlines() if figure.startswith(line)]

    before = loop.client(hub, "before")
    silent = loop.client(hub, "silent", greet=False)  # whom the next welcome tells
    reload(hub, UNLIMITED + '[heartbeat]\ninterval = "1s"\nmisses = 2\n')
    after = loop.client(hub, "after")
    silent.greet("silent")
    told = [client.welcome["heartbeatIntervalMs"] for client in (before, silent, after)]
    assert told == [15_000, 1_000, 1_000]
    for client in (before, silent, after):
        client.stop_reading()
    streams.eventually("they answer no pings", lambda: ended("heartbeat_missed") == ["2"])
    assert before.closed is None and "sluice_hub_users 1" in hub.page("/metrics")[1]
    assert hub.terminate() == 0


def test_a_reload_changes_routes(crew):
    loop = crew.adopt(Loop())
    hub = start(crew, data=crew.folder() / "data")
    ann, bob = loop.client(hub, "ann"), loop.client(hub, "bob")
    bob.join("ops")
    for settings, critical, level in (
            ("", False, "NONE"), ('[[route]]\nmatch = "group:ops"\nclass = "critical"\n', True, "NONE"),
            ('[[route]]\nmatch = "group:ops"\nstored = false\n', False, "NOT_STORED"), ("", False, "NONE")):
        reload(hub, UNLIMITED + settings)

        def taken_up(critical=critical, level=level):
            ann.publish({"group": "ops"}, "x", level="STORED")
            reason = ann.hear("receipt")["reason"]
            if reason != "NONE":
                return reason == level
            return bob.hear("delivery")["critical"] == critical and level == "NONE"

        streams.eventually("the routes are taken up", taken_up)
    assert hub.terminate() == 0
