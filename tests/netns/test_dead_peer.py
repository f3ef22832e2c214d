"""A client of a hub's messaging that is gone without a word: its packets are dropped on the way, both ways."""

import re
import time

from harness import netns, streams
from harness.hub_clients import Loop, MessagingHub
from harness.hub_tokens import EVERYTHING, Issuer
from harness.messaging import unchecked
from harness.netns import SERVER

OPS = {"group": "ops"}
MIB = 1 << 20


class Scene:
    """A hub in the middle, a member of a group in home A, and others in home B who are not to notice anything."""

    def __init__(self, crew, network, settings=""):
        self._crew, self._network = crew, network
        self._issuer = Issuer(crew.folder())
        self._loop = crew.adopt(Loop())
        self._hub = MessagingHub(
            crew, "[rates]\nenabled = false\n" + settings + self._issuer.settings, "--log-level", "debug", "--dev-cert",
            crew.folder(), data=crew.folder() / "data", is_open=False, listen=f"{SERVER}:0",
            netns=network.middle).wait()
        self.others = [self.come(f"other{i}", network.home_b) for i in range(3)]
        for other in self.others:
            other.join("ops")
        self.sent = 0

    def come(self, user, home, **hello):
        over = {"sock": netns.connect(home, SERVER, self._hub.port), "ssl": unchecked(), "server_hostname": SERVER}
        return self._loop.client(self._hub, token=self._issuer.token(user, EVERYTHING), over=over, **hello)

    def metric(self, name, labels=""):
        page = self._crew.run("curl", "-sSfk", f"https://{SERVER}:{self._hub.port}/metrics", netns=self._network.middle)
        return float(re.search(rf"^{name}{labels} (\S+)$", page.stdout, re.MULTILINE)[1])

    def ended(self, reason):
        return self.metric("sluice_hub_connections_ended_total", f'{{reason="{reason}"}}')

    def lines_of(self, user):
        return [line for line in self._hub.lines() if line.get("uid") == user]

    def send(self, count):
        """To the group, by one of the others; all of them hear it, in its order."""
        sender = self.others[0]
        sender.hear_acked(sender.publish_many([(OPS, "x" * 1000, {}) for _ in range(count)]))
        for other in self.others:
            assert [other.hear("delivery")["offset"] for _ in range(count)] == list(
                range(self.sent + 1, self.sent + count + 1))
        self.sent += count

    def sockets_to_home_a(self):
        """What the hub's machine still keeps of connections with it."""
        router_a = "198.51.100.6"
        return self._crew.run("ss", "-Htan", "dst", router_a, netns=self._network.middle).stdout

    def end(self):
        for other in self.others:
            assert other.closed is None and not other.all("gap")
        assert self.metric("sluice_hub_books_balanced") == 1
        assert self._hub.terminate() == 0, self._hub.process.transcript()


def test_a_dead_member_of_a_busy_group_is_cut_and_goes_on_later(crew, network):
    scene = Scene(crew, network)
    dead = scene.come("dead", network.home_a)
    dead.join("ops")
    scene.send(10)
    assert [dead.hear("delivery")["offset"] for _ in range(10)] == list(range(1, 11))
    network.cut_off_home_a()
    # What the system takes for it comes first, then it waits in the hub; 2 s later it is cut.
    while not scene.ended("slow_consumer"):
        assert scene.sent < 9000, "not so much that the log of the group forgets"
        scene.send(20)
        time.sleep(0.02)
    [line] = [line for line in scene.lines_of("dead") if "closing slow consumer" in line["message"]]
    assert line["reason"] == "slow_consumer" and line["oldestMs"] >= 2000 and line["bytesWaiting"] > 0
    # Nothing of it is left, neither in the hub nor in its system.
    streams.eventually("its memory is free", lambda: scene.metric("sluice_hub_memory_held_bytes") < MIB // 16)
    streams.eventually("its socket is gone", lambda: not scene.sockets_to_home_a())
    streams.eventually("its user is gone", lambda: scene.metric("sluice_hub_users") == len(scene.others))
    scene.send(20)
    network.heal()
    dead.drop()  # its own system may not have noticed
    again = scene.come("dead", network.home_a, resume={
        "sessionToken": dead.welcome["sessionToken"],
        "positions": [{"conversation": OPS, "epoch": dead.welcome["epoch"], "offset": 10}]})
    assert again.welcome["resumed"] and again.welcome["previous"]["reason"] == "SLOW_CONSUMER"
    assert [again.hear("delivery")["offset"] for _ in range(scene.sent - 10)] == list(range(11, scene.sent + 1))
    scene.end()


def test_a_dead_member_of_a_silent_group_misses_its_heartbeats(crew, network):
    scene = Scene(crew, network, '[heartbeat]\ninterval = "1s"\nmisses = 3\n')
    dead = scene.come("dead", network.home_a)
    dead.join("ops")
    network.cut_off_home_a()
    streams.eventually("it is taken for dead", lambda: scene.ended("heartbeat_missed") == 1)
    assert scene.ended("slow_consumer") == 0
    streams.eventually("its user is gone", lambda: scene.metric("sluice_hub_users") == len(scene.others))
    [gone] = [line for line in scene.lines_of("dead") if line["message"] == "client gone"]
    assert gone["reason"] == "heartbeat_missed" and gone["connId"]
    streams.eventually("its socket is gone", lambda: not scene.sockets_to_home_a())
    scene.send(20)
    network.heal()
    dead.drop()
    again = scene.come("dead", network.home_a, resume={"sessionToken": dead.welcome["sessionToken"]})
    assert again.welcome["resumed"] and again.welcome["previous"]["reason"] == "HEARTBEAT_MISSED"
    scene.end()


def test_a_short_outage_ends_nobody(crew, network):
    scene = Scene(crew, network, '[heartbeat]\ninterval = "2s"\nmisses = 10\n'
                                 '[backpressure]\nclose_unwritable_after = "20s"\n')
    away = scene.come("away", network.home_a)
    away.join("ops")
    network.cut_off_home_a()
    scene.send(10)
    network.heal()
    assert [away.hear("delivery")["offset"] for _ in range(10)] == list(range(1, 11))
    assert away.closed is None
    scene.end()
