"""Who comes in while somebody works against it: attackers that hold what is scarce, and a victim that needs some."""

import time

import pytest
from harness import streams
from harness.hub_clients import Loop, MessagingHub
from harness.hub_door import Besiegers, Door, get, upgrade
from harness.hub_swarm import proof_of

SMALL = """
[admission]
max_handshakes = 64
max_unauthenticated = 96
"""
MANY = [f"127.0.1.{n}" for n in range(1, 9)]
SIEGE = 5.0
"""Seconds of each attack."""
PATIENCE = 2.0
"""How long a victim may wait for anything."""


@pytest.fixture(name="loop")
def loop_fixture(crew):
    return crew.adopt(Loop())


def is_served(port, user, source="127.0.0.1"):
    """A page and a whole session, each within its time."""
    began = time.monotonic()
    with Door(port, source, timeout=PATIENCE) as page:
        assert page.ask(get("/healthz")) == 200
    with Door(port, source, timeout=PATIENCE) as client:
        assert client.ask(upgrade()) == 101
        client.say({"hello": {"user": user}})
        assert "welcome" in client.hear()
    return time.monotonic() - began


@pytest.mark.parametrize("says", [b"", get("/healthz")[:-2], upgrade("/v1/hub?resume"), upgrade("/v1/hub")],
                         ids=["nothing", "half a request", "an upgrade that resumes", "an upgrade"])
@pytest.mark.parametrize("sources", [MANY, ["127.0.0.1"]], ids=["from eight addresses", "from the victim's own"])
def test_silent_connections_keep_nobody_out(crew, says, sources):
    hub = MessagingHub(crew, SMALL).wait()
    count = 256 // len(sources)
    # Whoever comes faster than all upgrades together may is told from its neighbours by its address alone.
    pause = 0.0 if len(sources) > 1 else 0.5
    with Besiegers(hub.port, says, sources, count, pause):
        deadline = time.monotonic() + SIEGE
        served = 0
        while time.monotonic() < deadline:
            assert is_served(hub.port, f"victim{served}") < PATIENCE
            served += 1
            time.sleep(0.05)  # one that comes as often as a crowd is told to come later, as a crowd is
    assert served > 10
    assert hub.terminate() == 0


def test_silent_mailbox_connections_keep_nobody_out(crew):
    hub = MessagingHub(crew, "[mailboxes]\nmax_waiting = 64\n").wait()
    with Besiegers(hub.port, upgrade("/v1/mailbox"), MANY, 32):
        deadline = time.monotonic() + SIEGE
        while time.monotonic() < deadline:
            with Door(hub.port, timeout=PATIENCE) as host, Door(hub.port, timeout=PATIENCE) as visitor:
                assert host.ask(upgrade("/v1/mailbox")) == 101
                host.say({"type": "open"})
                number = host.hear()["mailbox"]
                assert visitor.ask(upgrade("/v1/mailbox")) == 101
                visitor.say({"type": "join", "mailbox": number})
                assert visitor.hear()["type"] == "joined"
                assert host.hear()["type"] == "peer_joined"
                visitor.say({"type": "message", "body": "aaaa"})
                assert host.hear() == {"type": "message", "body": "aaaa"}
    assert hub.terminate() == 0


def test_a_mute_visitor_yields_its_place(crew):
    hub = MessagingHub(crew).wait()
    with Door(hub.port) as host, Door(hub.port) as mute, Door(hub.port) as visitor:
        for door in (host, mute, visitor):
            assert door.ask(upgrade("/v1/mailbox")) == 101
        host.say({"type": "open"})
        number = host.hear()["mailbox"]
        mute.say({"type": "join", "mailbox": number})
        assert mute.hear()["type"] == "joined"

        def joins():
            visitor.say({"type": "join", "mailbox": number})
            return visitor.hear()["type"] == "joined"

        streams.eventually("a place", joins, timeout=8)
        assert mute.hear()["code"] == "limit_exceeded"
        assert mute.hear() is None


def test_precedence_needs_proof(crew, loop):
    hub = MessagingHub(crew, "[admission]\nconnections_per_second = 1\nconnection_burst = 30\n").wait()
    token = loop.client(hub, "ann").welcome["sessionToken"]
    doors = []
    try:
        def status(query=""):
            # From many addresses: of one that comes often less is taken.
            doors.append(Door(hub.port, f"127.0.2.{1 + len(doors)}"))
            return doors[-1].ask(upgrade(f"/v1/hub?{query}"))

        while status() != 503:
            assert len(doors) < 40, "two thirds of the burst are for newcomers"

        assert status("resume=" + proof_of(token)) == 101
        assert status("resume=" + proof_of(token, shift=1)) == 101, "a clock that is ahead"
        forged = proof_of(token)[:-1] + ("0" if proof_of(token)[-1] != "0" else "1")
        for query in ("resume", "resume=", f"resume={token}", "resume=" + forged, "resume=" + proof_of(token, shift=3)):
            for _ in range(3):  # a newcomer's token may have come meanwhile
                if status(query) == 503:
                    break
            else:
                raise AssertionError(f"{query} is let in like a proof")
    finally:
        for door in doors:
            door.socket.close()
    assert token.split(".")[1] not in hub.process.transcript(100_000)


def test_a_hub_without_descriptors_says_so_once_a_second_and_recovers(crew):
    hub = MessagingHub(crew, "[admission]\nmax_handshakes = 1000\nrequest_timeout = \"1min\"\n",
                       prefix=["prlimit", "--nofile=80:80"]).wait()
    began = time.monotonic()
    with Besiegers(hub.port, upgrade(), ["127.0.0.1"], 200):
        streams.eventually("trouble in the log", lambda: [line for line in hub.lines() if is_trouble(line)], timeout=30)
        deadline = time.monotonic() + SIEGE
        while time.monotonic() < deadline:
            time.sleep(0.1)
    lasted = time.monotonic() - began
    said = [line for line in hub.lines() if is_trouble(line)]
    assert 2 <= len(said) <= lasted + 2, said
    streams.eventually("service again", lambda: is_served_once(hub.port), timeout=20)
    assert hub.terminate() == 0


def is_trouble(line):
    return "cannot accept a connection" in line.get("message", "")


def is_served_once(port):
    try:
        return is_served(port, "ann") is not None
    except (AssertionError, OSError):
        return False


def test_sixteen_dead_connections_of_a_user_do_not_lock_them_out(crew):
    hub = MessagingHub(crew).wait()
    phones = []
    try:
        for _ in range(16):
            phones.append(Door(hub.port))
            assert phones[-1].ask(upgrade()) == 101
            phones[-1].say({"hello": {"user": "ann"}})
            assert "welcome" in phones[-1].hear()
        # None of them answers a ping any more.
        with Door(hub.port, timeout=8) as fresh:
            assert fresh.ask(upgrade()) == 101
            fresh.say({"hello": {"user": "ann"}})
            assert "welcome" in fresh.hear()
    finally:
        for phone in phones:
            phone.socket.close()
    assert hub.terminate() == 0
