"""Targets and hubs by name: a dead address and a silent name server hold up nothing but themselves."""

import socket
import threading
import time

import pytest
from harness import Tunnel, names, services, sluice

pytestmark = pytest.mark.skipif(names.why_not() is not None, reason=names.why_not() or "")

PROMPT = 3.0
"""Far above what a look-up and a race take on a busy machine, far below any timeout of a name server (5 s)."""
UNKNOWN_LIFE = 5.0
"""For how long answers are kept whose time to live is not known (kUnknownNameLife)."""


def echoes(port):
    """Whether a connection through the tunnel works, and after how many seconds."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(b"x")
            return connection.recv(1) == b"x", time.monotonic() - begun
        except ConnectionError:
            return False, time.monotonic() - begun


def start_tunnel(crew, zone, *targets, listens=("0",)):
    served = names.Names(crew, zone)
    tunnel = Tunnel.open(crew, *targets, listens=listens, host_in={"prefix": served.prefix})
    return served, tunnel


def fill(crew, listener):
    """Its queue is full from now on: who connects hears nothing."""
    family, address = listener.family, listener.getsockname()
    for _ in range(3):
        filler = socket.socket(family)
        crew.at_end(filler.close)
        filler.setblocking(False)
        filler.connect_ex(address)


@pytest.mark.skipif(not services.has_ipv6(), reason="this machine has no IPv6")
def test_a_dead_ipv6_address_costs_a_quarter_of_a_second(crew):
    dead = crew.listen("::1", backlog=0)
    fill(crew, dead)
    port = dead.getsockname()[1]
    live = crew.adopt(socket.create_server(("127.0.0.1", port)))

    def serve():
        connection, _ = live.accept()
        with connection:
            connection.sendall(connection.recv(1))

    threading.Thread(target=serve, daemon=True).start()
    _, tunnel = start_tunnel(crew, {"db.test": {"A": ["127.0.0.1"], "AAAA": ["::1"], "ttl": 60}}, f"db.test:{port}")
    worked, took = echoes(tunnel.port)
    assert worked
    assert took < PROMPT


def test_a_silent_name_server_holds_up_its_own_name_alone(crew):
    _, port = services.start_server(crew, "echo")
    zone = {"good.test": {"A": ["127.0.0.1"], "ttl": 60}, "lost.test": None}
    served, tunnel = start_tunnel(crew, zone, f"lost=lost.test:{port}", f"good=good.test:{port}",
                                  listens=("0:lost", "0:good"))
    lost = [crew.connect(tunnel.ports[0]) for _ in range(20)]
    served.process.wait_event("query", name="lost.test")
    worked, took = echoes(tunnel.ports[1])
    assert worked
    assert took < PROMPT
    assert served.asked("lost.test") <= 2  # all of them wait for one look-up (which asks again after 5 s)
    lost[0].settimeout(30)
    with pytest.raises(ConnectionResetError):
        lost[0].recv(1)
    assert tunnel.host.running


def test_answers_are_kept_as_long_as_their_time_to_live_says(crew):
    _, port = services.start_server(crew, "echo")
    zone = {"long.test": {"A": ["127.0.0.1"], "ttl": 600}, "brief.test": {"A": ["127.0.0.1"], "ttl": 0}}
    served, tunnel = start_tunnel(crew, zone, f"long=long.test:{port}", f"brief=brief.test:{port}",
                                  listens=("0:long", "0:brief"))
    assert echoes(tunnel.ports[0])[0]
    served.process.wait_event("query", name="long.test", type="A")
    served.process.wait_event("query", name="long.test", type="A")  # for its time to live
    asked = served.asked("long.test")
    until = time.monotonic() + UNKNOWN_LIFE + 1
    while time.monotonic() < until:
        assert echoes(tunnel.ports[0])[0]
        time.sleep(0.2)
    assert served.asked("long.test") == asked

    assert echoes(tunnel.ports[1])[0]
    served.process.wait_event("query", name="brief.test", type="A")
    served.process.wait_event("query", name="brief.test", type="A")
    before = served.asked("brief.test")
    deadline = time.monotonic() + 60
    while served.asked("brief.test") == before:  # the time to live may still be on its way
        assert echoes(tunnel.ports[1])[0]
        assert time.monotonic() < deadline


def test_names_of_the_hosts_file_are_found_without_asking_anybody(crew):
    _, port = services.start_server(crew, "echo")
    served, tunnel = start_tunnel(crew, {}, f"hosts.test:{port}")
    assert echoes(tunnel.port)[0]
    assert served.asked("hosts.test") == served.asked("hosts.test", "AAAA") == 0


def test_a_hub_is_found_by_name_beside_a_dead_address(crew):
    hub = sluice.start_hub(crew, "--public-name", "hub.test")
    port = int(hub.url.rpartition(":")[2])
    dead = crew.adopt(socket.create_server(("127.9.9.9", port), backlog=0))
    fill(crew, dead)
    served = names.Names(crew, {"hub.test": {"A": ["127.9.9.9", "127.0.0.1"], "ttl": 60}})
    begun = time.monotonic()
    host = sluice.start(crew, "host", "host", "1", "--hub", f"ws://hub.test:{port}", prefix=served.prefix)
    sluice.wait_code(host)
    assert time.monotonic() - begun < PROMPT


def test_a_name_that_does_not_exist_is_told(crew):
    _, tunnel = start_tunnel(crew, {}, "nowhere.test:80")
    worked, took = echoes(tunnel.port)
    assert not worked
    assert took < PROMPT
    tunnel.forward.wait_line("unreachable")
