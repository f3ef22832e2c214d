"""Clients that do not keep up, and too many at once: who pays for it, what it costs, and that nothing goes untold."""

import json
import re
import resource
import time

import pytest
from harness import procfs, streams
from harness.hub_clients import Loop, MessagingHub
from harness.hub_swarm import TEXT, Swarm, client_frame

MIB = 1 << 20
CUT = "ws backpressure: closing slow consumer channel"
NEVER = 'close_unwritable_after = "-1s"\n'
UNLIMITED = "[rates]\nenabled = false\n"
SMALL = 4096
"""A receive buffer that is soon full: the kernel doubles it, and takes no less."""


class Scene:
    def __init__(self, crew, settings, **options):
        self._crew = crew
        self._options = options
        self.hub = MessagingHub(crew, UNLIMITED + settings, **options).wait()
        self.loop = crew.adopt(Loop())
        self.swarm = crew.adopt(Swarm(self.hub))
        self.overloaded = 0  # publishes that had to be repeated

    def kill_and_start_again(self, settings):
        """With the same data, on the same port."""
        listen = f"127.0.0.1:{self.hub.port}"
        self.hub.process.kill()
        self.hub = MessagingHub(self._crew, UNLIMITED + settings, listen=listen, **self._options).wait()

    def add(self, name, count, *groups, **options):
        return [self.swarm.add(f"{name}{i}", *groups, **options) for i in range(count)]

    def come(self, *members):
        """Members of the swarm, once they are there."""
        self.swarm.run(lambda: all(member.ready for member in members), what="all are welcome")
        return members

    def stall(self, *members):
        self.come(*members)
        for member in members:
            self.swarm.pause(member)
        return members

    def sender(self):
        return self.loop.client(self.hub, "sender")

    def send(self, sender, group, count, size=1000):
        """Messages one after the other, each again until it is accepted; the swarm lives meanwhile."""
        for _ in range(count):
            message = f"{sender.welcome['session']} {sender.seq}"
            while True:
                seq = sender.publish({"group": group}, "x" * size, id=message)
                sender.hear_acked(seq)
                if not sender.untaken("receipt"):
                    break
                receipt = sender.hear("receipt", seq=seq, reason="OVERLOADED")
                assert receipt["retryAfterMs"] > 0
                self.overloaded += 1
                again = time.monotonic() + receipt["retryAfterMs"] / 1000
                self.swarm.run(lambda again=again: time.monotonic() >= again)
            self.swarm.step(0)

    def fill(self, sender, group, enough, most=2000):
        """Publishes until a condition holds."""
        for _ in range(most):
            if enough():
                return
            self.send(sender, group, 4, size=16_000)
        raise AssertionError("it takes all this")

    def hear_all(self, members, group, offsets):
        """Until each of them has been delivered these, in this order, each once, and told of no gap."""
        expected = list(offsets)
        self.swarm.run(lambda: all(len(member.heard(group)) >= len(expected) for member in members),
                       what="all have heard it")
        for member in members:
            assert member.heard(group) == expected and not member.gaps and member.ended is None

    def metric(self, name):
        """The sum over its labels."""
        status, text = self.hub.page("/metrics")
        assert status == 200
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        assert found, name
        return sum(map(float, found))

    def cuts(self):
        return self.hub.log(CUT)


@pytest.fixture(name="open_scene")
def open_scene_fixture(crew):
    scenes = []

    def open_scene(settings="", **options):
        scenes.append(Scene(crew, settings, **options))
        return scenes[-1]

    yield open_scene
    for scene in scenes:
        assert scene.metric("sluice_hub_books_balanced") == 1
        assert scene.hub.is_healthy()
        for member in scene.swarm.members:
            member.comes_back = False
            scene.swarm.drop(member)
        assert scene.hub.terminate() == 0, scene.hub.process.transcript()


# --- those who do not read


def test_two_thousand_stalled_readers_cost_no_more_than_they_may(crew, open_scene):
    limit = 64 * MIB
    settings = '[memory]\nlimit = "64MiB"\n[heartbeat]\ninterval = "1h"\n'
    scene = open_scene(f"[backpressure]\n{NEVER}{settings}", data=crew.folder() / "data")
    readers = scene.come(*scene.add("reader", 10, "busy"))
    stalled = []
    for hundred in range(20):  # not more handshakes at a time than are let in
        stalled += scene.stall(*scene.add(f"stalled{hundred}.", 100, "busy", buffer=SMALL))
    sender = scene.sender()
    base = peak = procfs.rss(scene.hub.pid)
    sent = 0
    while scene.overloaded < 3:
        assert sent < 1000, "they were not slow enough to show anything"
        scene.send(sender, "busy", 1)
        sent += 1
        peak = max(peak, procfs.rss(scene.hub.pid))
    # Each of them could hold its high mark, 125 MiB in all: the limit is what holds them down. What is on its way to all
    # of them may pass it: a few messages of 2 MiB.
    assert scene.metric("sluice_hub_memory_peak_bytes") < limit + 10 * MIB
    assert scene.metric("sluice_hub_shed_bytes_total") > MIB
    scene.hear_all(readers, "busy", range(1, sent + 1))
    # In truth they share what is charged to each of them: their queues and the log of the store find room below it.
    assert peak < base + limit, f"{peak / MIB:.0f} MiB, {base / MIB:.0f} at the start"
    assert not scene.cuts()
    # With the 2 s that are usual they are cut, each when something has waited for it for so long; then nobody notices
    # that they were there.
    scene.hub.reload(UNLIMITED + settings)
    scene.hub.process.wait_event("reloaded")
    deadline = time.monotonic() + 60
    while len(scene.cuts()) < len(stalled):
        assert time.monotonic() < deadline, f"only {len(scene.cuts())} were cut"
        scene.send(sender, "busy", 5)
        sent += 5
    assert {line["uid"] for line in scene.cuts()} == {member.user for member in stalled}
    refused = scene.overloaded
    scene.send(sender, "busy", 100)
    assert scene.overloaded == refused
    scene.hear_all(readers, "busy", range(1, sent + 101))
    assert scene.metric("sluice_hub_memory_held_bytes") < MIB


def test_slow_consumers_are_cut_and_nobody_else(open_scene):
    scene = open_scene('[backpressure]\nclose_unwritable_after = "500ms"\n')
    readers = scene.come(*scene.add("reader", 10, "busy"))
    slow = scene.stall(*scene.add("slow", 20, "busy", buffer=SMALL))
    sender = scene.sender()
    sent = 0
    while len(scene.cuts()) < len(slow):
        assert sent < 20_000, f"only {len(scene.cuts())} were cut"
        scene.send(sender, "busy", 20, size=4000)
        sent += 20
        scene.hear_all(readers, "busy", range(1, sent + 1))
    lines = scene.cuts()
    assert {line["uid"] for line in lines} == {member.user for member in slow} and len(lines) == len(slow)
    for line in lines:
        assert line["log"] == "warn" and line["reason"] == "slow_consumer"
        assert re.fullmatch(r"\d+-\d+", line["connId"]) and line["remote"] == "127.0.0.1"
        assert line["oldestMs"] >= 500
        waiting, high, low = line["bytesWaiting"], 65536, 32768
        assert waiting > 0
        assert line["bytesBeforeUnwritable"] == max(high - waiting, 0)
        assert line["bytesBeforeWritable"] == max(waiting - low, 0)
    for member in slow:  # a reset, with what the system still had for them
        scene.swarm.go_on(member)
    scene.swarm.run(lambda: all(member.ended for member in slow))
    assert {member.ended for member in slow} == {"reset"} and not any(member.kick for member in slow)
    # What they are told when they come back.
    cut = {line["uid"]: line for line in lines}
    for member in slow:
        scene.swarm.come_back(member)
    scene.swarm.run(lambda: all(member.welcomes == 2 for member in slow))
    for member in slow:
        previous = member.welcome["previous"]
        assert member.welcome["resumed"] and previous["reason"] == "SLOW_CONSUMER"
        assert int(previous["bytesWaiting"]) == cut[member.user]["bytesWaiting"]
        assert int(previous["oldestMs"]) >= 500 and previous["history"]


def test_who_takes_a_few_bytes_a_second_is_slow(open_scene):
    scene = open_scene()
    readers = scene.come(*scene.add("reader", 3, "busy"))
    [slow] = scene.stall(*scene.add("slow", 1, "busy", buffer=SMALL))
    sender = scene.sender()
    sent, began = 0, time.monotonic()
    while not scene.cuts():
        assert time.monotonic() < began + 45
        scene.send(sender, "busy", 4, size=4000)
        sent += 4
        scene.swarm.take(slow, 16)
        again = time.monotonic() + 0.1
        scene.swarm.run(lambda again=again: time.monotonic() >= again)
    [line] = scene.cuts()
    assert (line["uid"], line["reason"]) == ("slow0", "slow_consumer") and line["oldestMs"] >= 2000
    with pytest.raises(ConnectionResetError):
        while scene.swarm.take(slow, 1 << 16) != b"":
            pass
    scene.hear_all(readers, "busy", range(1, sent + 1))


def test_critical_messages_are_not_dropped_and_reach_who_comes_back(crew, open_scene):
    scene = open_scene('[backpressure]\nclose_unwritable_after = "1s"\n'
                       '[[route]]\nmatch = "group:calls"\nclass = "critical"\n', data=crew.folder() / "data")
    [slow] = scene.stall(*scene.add("slow", 1, "calls", "talk", buffer=SMALL))
    sender = scene.sender()
    calls = 0
    # Normal ones until they are dropped, critical ones among them.
    while not scene.metric("sluice_hub_dropped_total"):
        assert calls < 2000
        scene.send(sender, "talk", 5, size=30_000)
        scene.send(sender, "calls", 2, size=2000)
        calls += 2
    streams.eventually("it is cut", scene.cuts)
    scene.send(sender, "calls", 10, size=2000)  # while it is away
    calls += 10
    scene.swarm.go_on(slow)
    scene.swarm.come_back(slow)
    scene.swarm.run(lambda: len(slow.heard("calls")) >= calls, what="all calls have come")
    assert slow.heard("calls") == list(range(1, calls + 1)), "each once, in order, over both connections"
    assert slow.welcomes == 2 and slow.welcome["previous"]["reason"] == "SLOW_CONSUMER"
    assert slow.critical == calls
    assert not [gap for gap in slow.gaps if gap["conversation"] == {"group": "calls"}]


def test_who_comes_and_goes_reaches_everyone_but_the_one_who_does_not_read(open_scene):
    limit, rounds = 16 * MIB, 12
    scene = open_scene(f'[backpressure]\n{NEVER}[memory]\nlimit = "16MiB"\n[heartbeat]\ninterval = "1h"\n')
    swarm = scene.swarm
    [sloth] = scene.come(*scene.add("sloth", 1, "ops", "talk", buffer=SMALL, watches=True))
    watchers = scene.come(*scene.add("watcher", 100, "ops", watches=True))
    others = [*scene.come(*scene.add("a", 100)), *scene.come(*scene.add("b", 100))]
    scene.stall(sloth)
    ann, bob = scene.sender(), scene.loop.client(scene.hub, "bob")
    scene.fill(ann, "talk", lambda: scene.metric("sluice_hub_dropped_total") > 0)  # its socket takes no more
    base = peak = procfs.rss(scene.hub.pid)
    held = scene.metric("sluice_hub_memory_held_bytes")
    here = {member: False for member in others}
    for number in range(rounds):
        moved = others[number % 3::2]  # some stay for a while
        for member in moved:
            swarm.say(member, **{"leave" if here[member] else "join": {"group": "ops"}})
            here[member] = not here[member]
        seq = ann.publish({"user": "bob"}, f"round {number}")
        assert bob.hear("delivery", id=f"m{seq}")["content"] == {"text": f"round {number}"}
        # What is told last of each is how it is. The one who does not read is not waited for.
        told = {member.user: here[member] for member in moved}
        swarm.run(lambda told=told: all(told.items() <= watcher.online.items() for watcher in watchers), what="it is told")
        peak = max(peak, procfs.rss(scene.hub.pid))
    # Without a wait between them: whoever comes and goes within the pause may be no news, or one word.
    for _ in range(rounds):
        for member in others:
            swarm.say(member, **{"leave" if here[member] else "join": {"group": "ops"}})
            here[member] = not here[member]
        swarm.step(0)
    for member in others[::2]:
        swarm.say(member, **{"leave" if here[member] else "join": {"group": "ops"}})
        here[member] = not here[member]
    told = {member.user: is_here for member, is_here in here.items()}
    assert set(told.values()) == {True, False}
    swarm.run(lambda: all(told.items() <= watcher.online.items() for watcher in watchers), what="it is told")
    ann.publish({"group": "ops"}, "who is there?")
    for member in watchers:
        swarm.run(lambda member=member: member.heard("ops") == [1], what="the message has come")
    bob.join("ops")
    bob.say(who={"group": "ops"})
    assert set(bob.hear("members")["users"]) == {"bob", "sloth0", *(member.user for member in watchers),
                                                 *(user for user, is_here in told.items() if is_here)}
    # And nothing that was said earlier comes late.
    swarm.run(lambda: all(watcher.online.get("bob") for watcher in watchers), what="bob is told of")
    assert all(told.items() <= watcher.online.items() for watcher in watchers)
    assert not any(member.ended or member.errors for member in [*watchers, *others])
    assert scene.metric("sluice_hub_slow_connections") >= 1, "it waits for the one who does not read"
    assert held < scene.metric("sluice_hub_memory_held_bytes") < held + MIB
    assert scene.metric("sluice_hub_memory_peak_bytes") < limit
    peak = max(peak, procfs.rss(scene.hub.pid))
    assert peak < base + limit, f"{peak / MIB:.1f} MiB, {base / MIB:.1f} at the start"
    # The one who did not read knows it all when it reads again. Users who came and went meanwhile were no news.
    swarm.go_on(sloth)
    swarm.run(lambda: all(sloth.online.get(user, False) == is_here for user, is_here in told.items())
              and sloth.online.get("bob"), what="the last one is told")


# --- messages that are begun and not finished

WHOLE = json.dumps({"publish": {"seq": "1", "id": "hoarded", "to": {"user": "bob"}, "content": {"text": "x" * 60_000}}}).encode()
SPLIT = 50_000
"""So much of it is said at first."""


def begin(scene, member, way):
    """Says the most of a message; whoever reads it has to keep that until the rest comes."""
    if way == "a fragment":
        text = client_frame(TEXT, WHOLE[:SPLIT])
        return scene.swarm.send(member, bytes([TEXT]) + text[1:])
    return scene.swarm.send(member, client_frame(TEXT, WHOLE)[:SPLIT])


def finish(scene, member, way):
    """Says the rest of it."""
    rest = client_frame(0, WHOLE[SPLIT:]) if way == "a fragment" else client_frame(TEXT, WHOLE)[SPLIT:]
    scene.swarm.send(member, rest)


def exchange(scene, ann, bob, size=3000):
    """Somebody who means well notices nothing."""
    seq = ann.publish({"user": "bob"}, "x" * size)
    assert bob.hear("delivery", id=f"m{seq}")["from"] == "ann"
    ann.hear_acked(seq)
    scene.swarm.step(0)


HOARD = '[memory]\nlimit = "8MiB"\n'


def test_messages_that_nobody_finishes_take_a_part_of_the_memory(open_scene):
    limit, ways = 8 * MIB, ("a fragment", "a part of a frame")
    scene = open_scene(HOARD + '[heartbeat]\ninterval = "1h"\n')
    ann, bob = scene.loop.client(scene.hub, "ann"), scene.loop.client(scene.hub, "bob")
    little = scene.come(*scene.add("little", 100))
    hoarders = {way: scene.come(*scene.add(way, 150)) for way in ways}
    everybody = [*little, *hoarders[ways[0]], *hoarders[ways[1]]]
    exchange(scene, ann, bob)
    held, base = scene.metric("sluice_hub_memory_held_bytes"), procfs.rss(scene.hub.pid)
    for member in little:  # which costs them nothing
        scene.swarm.send(member, client_frame(TEXT, WHOLE)[:3000])
    peak = base
    for index in range(150):
        for way in ways:
            begin(scene, hoarders[way][index], way)
        if index % 10 == 0:
            exchange(scene, ann, bob)
        peak = max(peak, procfs.rss(scene.hub.pid))
    # All of it would be 15 MB. A quarter of the limit is for such, and the others are sent away.
    most = limit // 4 // SPLIT
    scene.swarm.run(lambda: sum(member.ended is not None for member in everybody) >= 300 - most, what="they are refused")
    refused = [member for member in everybody if member.ended]
    assert {member.close_code for member in refused} == {1013}
    assert not set(refused) & set(little)
    assert scene.metric('sluice_hub_connections_ended_total{reason="overloaded"}') == len(refused)
    assert scene.metric("sluice_hub_memory_held_bytes") > held + SPLIT
    assert scene.metric("sluice_hub_memory_peak_bytes") <= limit // 4 + 64 * 1024
    peak = max(peak, procfs.rss(scene.hub.pid))
    assert peak < base + limit, f"{peak / MIB:.1f} MiB, {base / MIB:.1f} at the start"
    for _ in range(50):
        exchange(scene, ann, bob)
    # Who comes back is told why it was sent away, and who finishes is served.
    for member in refused:
        scene.swarm.come_back(member)
    scene.swarm.run(lambda: all(member.welcomes == 2 for member in refused), what="they are back")
    assert {member.welcome["previous"]["reason"] for member in refused} == {"OVERLOADED"}
    staying = {way: [member for member in hoarders[way] if member.welcomes == 1] for way in ways}
    for way in ways:
        for member in staying[way]:
            finish(scene, member, way)
            assert bob.hear("delivery", **{"from": member.user})["id"] == "hoarded"
    streams.eventually("it is all given back", lambda: scene.metric("sluice_hub_memory_held_bytes") <= held)
    # And once more, until they leave.
    for member in hoarders[ways[0]]:
        begin(scene, member, ways[0])
    scene.swarm.run(lambda: sum(member.welcomes == 3 for member in refused) > 10, what="some are refused again")
    for member in everybody:
        member.comes_back = False
        scene.swarm.drop(member)
    streams.eventually("it is all given back", lambda: scene.metric("sluice_hub_memory_held_bytes") <= held)
    for _ in range(50):
        exchange(scene, ann, bob, size=60_000)
    assert ann.closed is None and bob.closed is None


def test_a_message_that_is_not_finished_over_two_pings_ends_its_connection(open_scene):
    scene = open_scene(HOARD + '[heartbeat]\ninterval = "1s"\nmisses = 100\n')
    ann, bob = scene.loop.client(scene.hub, "ann"), scene.loop.client(scene.hub, "bob")
    hoarders = scene.come(*scene.add("hoarder", 20))
    quiet = scene.come(*scene.add("quiet", 20))
    for member in hoarders:
        begin(scene, member, "a fragment")
    deadline = time.monotonic() + 60
    while not all(member.ended for member in hoarders):
        assert time.monotonic() < deadline, "they may go on for ever"
        exchange(scene, ann, bob)
        scene.swarm.step(0.01)
    assert {member.ended for member in hoarders} == {"reset"}
    for member in hoarders:
        scene.swarm.come_back(member)
    scene.swarm.run(lambda: all(member.welcomes == 2 for member in hoarders), what="they are back")
    assert {member.welcome["previous"]["reason"] for member in hoarders} == {"HEARTBEAT_MISSED"}
    assert not any(member.ended for member in quiet) and ann.closed is None and bob.closed is None
    assert scene.metric("sluice_hub_memory_held_bytes") < SPLIT


# --- layers, watched or switched off


def test_a_dry_run_cuts_nobody_and_counts(open_scene):
    scene = open_scene('[backpressure]\ndry_run = true\nclose_unwritable_after = "300ms"\n'
                       'write_buffer_limit = "64MiB"\n'
                       "[memory]\nenabled = false\n")
    [slow] = scene.stall(*scene.add("slow", 1, "busy", buffer=SMALL))
    sender = scene.sender()
    scene.fill(sender, "busy", lambda: scene.metric("sluice_hub_would_drop_total") > 20)
    streams.eventually("it would have been cut", lambda: scene.metric("sluice_hub_would_cut_total") == 1)
    assert not scene.cuts() and scene.metric("sluice_hub_dropped_total") == 0
    scene.swarm.go_on(slow)
    scene.hear_all([slow], "busy", range(1, sender.seq + 1))


def test_without_backpressure_only_the_limit_cuts(open_scene):
    scene = open_scene('[backpressure]\nenabled = false\nclose_unwritable_after = "1ms"\n'
                       'write_buffer_limit = "512KiB"\n')
    scene.stall(*scene.add("slow", 1, "busy", buffer=SMALL))
    scene.fill(scene.sender(), "busy", scene.cuts)
    [cut] = scene.cuts()
    assert cut["bytesWaiting"] > 400_000 and scene.metric("sluice_hub_dropped_total") == 0


def test_without_dropping_what_is_normal_waits(open_scene):
    scene = open_scene(f"[backpressure]\n{NEVER}drop_when_unwritable = false\n")
    [slow] = scene.stall(*scene.add("slow", 1, "busy", buffer=SMALL))
    sender = scene.sender()
    scene.fill(sender, "busy", lambda: scene.metric("sluice_hub_memory_held_bytes") > 300_000)
    scene.swarm.go_on(slow)
    scene.hear_all([slow], "busy", range(1, sender.seq + 1))
    assert scene.metric("sluice_hub_dropped_total") == 0 and not scene.cuts()


def test_a_negative_time_cuts_nobody(open_scene):
    scene = open_scene(f"[backpressure]\n{NEVER}")
    [slow] = scene.stall(*scene.add("slow", 1, "busy", buffer=SMALL))
    sender = scene.sender()
    scene.fill(sender, "busy", lambda: scene.metric("sluice_hub_dropped_total") > 20)
    time.sleep(3)  # half as long again as is usual
    assert not scene.cuts()
    scene.swarm.go_on(slow)
    # In order, and whatever it was not delivered it was told.
    scene.send(sender, "busy", 1)
    last = sender.seq
    scene.swarm.run(lambda: last in slow.heard("busy"))
    told = [offset for gap in slow.gaps for offset in range(int(gap["first"]), int(gap["last"]) + 1)]
    assert slow.heard("busy") == sorted(set(slow.heard("busy")))
    assert sorted(slow.heard("busy") + told) == list(range(1, last + 1))
    assert {gap["reason"] for gap in slow.gaps} == {"DROPPED_OLDEST"}


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_the_window_can_be_switched_off(open_scene, enabled):
    scene = open_scene(f'[backpressure]\nack_window_enabled = {enabled}\nack_window = "8KiB"\n'
                       'drop_when_unwritable = false\nclose_unwritable_after = "300ms"\n')
    ann, bob = scene.sender(), scene.loop.client(scene.hub, "bob", acknowledges=True)
    bob.join("busy")
    scene.send(ann, "busy", 100)
    if enabled == "true":  # it may not have taken more than that, and is cut as it says nothing
        assert bob.wait_closed()[0] == 1006
        assert len(bob.all("delivery")) <= 8
        [cut] = streams.eventually("its end is told", scene.cuts)
        assert cut["reason"] == "unacknowledged"
    else:
        assert [bob.hear("delivery")["offset"] for _ in range(100)] == list(range(1, 101))
        time.sleep(1)  # three times what it may take
        bob.ping()
        assert not scene.cuts()


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_classes_can_be_switched_off(open_scene, enabled):
    scene = open_scene(f'[classes]\nenabled = {enabled}\n[[route]]\nmatch = "group:calls"\nclass = "critical"\n')
    ann = scene.loop.client(scene.hub, "ann")
    ann.join("calls")
    ann.publish({"group": "calls"}, "x")
    assert ann.hear("delivery")["critical"] is (enabled == "true")


def test_rates_can_be_switched_off(open_scene):
    scene = open_scene("[rates.connection]\nmessages_per_second = 1\nmessage_burst = 1\n")  # and rates are off
    ann = scene.loop.client(scene.hub, "ann")
    many = [({"user": "bob"}, "x", {}) for _ in range(500)]
    ann.hear_acked(ann.publish_many(many))
    assert not ann.all("receipt")
    # And on again, while it is there.
    scene.hub.reload("[rates.connection]\nmessages_per_second = 1\nmessage_burst = 1\n")
    scene.hub.process.wait_event("reloaded")
    ann.hear_acked(ann.publish_many(many))
    assert {receipt["reason"] for receipt in ann.all("receipt")} == {"RATE_LIMITED"}


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_admission_can_be_switched_off(open_scene, enabled):
    scene = open_scene(f"[admission]\nenabled = {enabled}\nconnections_per_second = 10\nconnection_burst = 10\n"
                       'retry_after_min = "1s"\nretry_after_max = "1s"\n')
    members = scene.come(*scene.add("user", 20))
    sent_away = sum(len(member.sent_away) for member in members)
    assert (sent_away > 0) == (enabled == "true")
    assert scene.metric("sluice_hub_admission_sent_away_total") == sent_away
    assert {seconds for member in members for seconds in member.sent_away} <= {1}


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_memory_limits_can_be_switched_off(open_scene, enabled):
    scene = open_scene(f'[backpressure]\n{NEVER}drop_when_unwritable = false\nwrite_buffer_limit = "16MiB"\n'
                       f'[memory]\nenabled = {enabled}\nlimit = "1MiB"\nuser_limit = "1MiB"\n')
    scene.stall(*scene.add("slow", 1, "busy", buffer=SMALL))
    sender = scene.sender()
    if enabled == "true":
        scene.fill(sender, "busy", lambda: scene.metric("sluice_hub_shed_bytes_total") > 0)
        assert scene.metric("sluice_hub_memory_peak_bytes") < 2 * MIB
    else:
        scene.fill(sender, "busy", lambda: scene.metric("sluice_hub_memory_held_bytes") > 2 * MIB)
        assert scene.metric("sluice_hub_shed_bytes_total") == 0 and not scene.overloaded


def test_a_store_that_is_switched_off_stores_nothing(crew, open_scene):
    scene = open_scene("[store]\nenabled = false\n", data=crew.folder() / "data")
    ann = scene.loop.client(scene.hub, "ann")
    ann.publish({"user": "bob"}, "x", level="STORED")
    assert ann.hear("receipt")["reason"] == "NOT_STORED"
    assert scene.metric("sluice_hub_store_appended_total") == 0


def test_without_a_tick_each_message_leaves_at_once(open_scene):
    scene = open_scene('[fanout]\ntick = "0s"\nslice = 1\n')
    members = scene.come(*scene.add("user", 20, "busy"))
    scene.send(scene.sender(), "busy", 50)
    scene.hear_all(members, "busy", range(1, 51))


# --- too many at once


def test_five_thousand_clients_come_back_to_a_hub_that_was_killed(crew, open_scene):
    count = 5000
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < count + 500:
        pytest.skip(f"{count} clients need as many open files, of each of two processes")
    quiet = '[heartbeat]\ninterval = "1h"\n'
    scene = open_scene("[admission]\nenabled = false\n" + quiet, data=crew.folder() / "data")
    swarm = scene.swarm
    members = []
    for hundred in range(count // 100):
        members += scene.come(*scene.add(f"user{hundred}.", 100))
    sessions = [member.welcome["session"] for member in members]
    [epoch] = {int(member.welcome["epoch"]) for member in members}
    assert scene.metric("sluice_hub_users") == count
    for member in members:
        member.comes_back = True
    scene.kill_and_start_again("[admission]\nconnections_per_second = 500\nconnection_burst = 500\n"
                               'retry_after_min = "1s"\nretry_after_max = "3s"\n' + quiet)
    swarm.run(lambda: all(member.welcomes == 2 for member in members), what="all have come back")
    for member, session in zip(members, sessions):
        assert member.welcome["resumed"] and member.welcome["session"] == session
        assert int(member.welcome["epoch"]) > epoch
    away = [seconds for member in members for seconds in member.sent_away]
    assert set(away) == {1, 2, 3}, "they are sent to different times"
    answered = scene.metric("sluice_hub_admission_sent_away_total")
    # What is said at the door is not heard by everyone: some still send their request when it closes.
    at_the_door = scene.metric(r'sluice_hub_server_ended_total\{how="gave_way"\}')
    assert answered <= len(away) <= answered + at_the_door
    # And they are there: one message to all of them.
    ann = scene.loop.client(scene.hub, "ann")
    ann.publish({"all": True}, "welcome back")
    swarm.run(lambda: all(len(member.offsets.get("all:True", [])) == 1 for member in members), what="all have heard")
