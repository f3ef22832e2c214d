"""That the network is what the other tests take it for. Without the program under test."""

import json
import pathlib
import subprocess
import sys

import pytest
from harness import netns, services, streams
from harness.netns import SERVER, SERVER_6, SERVER_ALSO, Nat

PROBE = pathlib.Path(netns.__file__).with_name("udp_probe.py")
FRIENDLY = pytest.mark.parametrize("network", [Nat.FRIENDLY], indirect=True, ids=["friendly"])
SYMMETRIC = pytest.mark.parametrize("network", [Nat.SYMMETRIC], indirect=True, ids=["symmetric"])
IPV6 = pytest.mark.parametrize("network", [Nat.NONE], indirect=True, ids=["ipv6"])


def mapping(crew, network):
    return json.loads(crew.run(sys.executable, PROBE, "mapping", SERVER, SERVER_ALSO, netns=network.home_a).stdout)


def punch(crew, network, attempts):
    """Whether two homes get through to each other by sending at the addresses that a STUN server saw."""
    probes = [crew.start(f"probe {home}", sys.executable, PROBE, "punch", SERVER, attempts, netns=home,
                         stdin=subprocess.PIPE)
              for home in (network.home_a, network.home_b)]
    mapped = [probe.wait_event("mapped")["address"] for probe in probes]
    for probe, address in zip(probes, reversed(mapped)):
        probe.stdin.write(json.dumps(address).encode() + b"\n")
        probe.stdin.flush()
    return [probe.wait_event("punched")["through"] for probe in probes]


@FRIENDLY
def test_a_friendly_nat_keeps_one_port_for_all(crew, network):
    netns.start_turn(crew, network)
    found = mapping(crew, network)
    assert found["seen"] == [["198.51.100.6", found["local_port"]]] * 2


@SYMMETRIC
def test_a_symmetric_nat_takes_a_new_port_for_each_destination(crew, network):
    netns.start_turn(crew, network)
    (first_host, first), (second_host, second) = mapping(crew, network)["seen"]
    assert first_host == second_host == "198.51.100.6"
    assert first != second


@FRIENDLY
def test_holes_can_be_punched_through_friendly_nats(crew, network):
    netns.start_turn(crew, network)
    assert punch(crew, network, attempts=300) == [True, True]


@SYMMETRIC
def test_no_hole_can_be_punched_through_symmetric_nats(crew, network):
    netns.start_turn(crew, network)
    assert punch(crew, network, attempts=20) == [False, False]


def reaches(crew, home, address, within=30):
    """Whether a machine answers in so many seconds, were it to say that nobody listens there."""
    return crew.run(sys.executable, "-c", KNOCK, address, within, netns=home).stdout == "answers\n"


def stays_silent(crew, home, address):
    return not reaches(crew, home, address, within=2)


KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=float(sys.argv[2]))
except ConnectionRefusedError:
    print("answers")
except OSError:
    print("silent")
"""


def test_homes_reach_the_middle_but_not_each_other(crew, network):
    assert reaches(crew, network.home_a, SERVER)
    assert reaches(crew, network.home_b, SERVER)
    for address in ("10.61.1.2", "198.51.100.6"):
        assert stays_silent(crew, network.home_b, address), address


def test_coturn_relays(crew, network):
    netns.start_turn(crew, network)
    # Two of its own clients talk through the relay: 5 messages each, all of which must come back.
    done = crew.run("turnutils_uclient", "-u", "sluice", "-w", "relay", "-y", "-m", 2, "-n", 5, SERVER,
                    netns=network.home_a)
    assert "Total lost packets 0" in done.stdout, done.stdout


def test_loss_takes_some_datagrams(crew, network):
    """Half of them here, so that a test of a few hundred datagrams cannot miss it; only the forwarded ones."""
    network.lose(50)
    _, echo = services.start_server(crew, "echo", bind=SERVER, netns=network.middle)
    counter = crew.run(sys.executable, "-c", SEND_MANY, netns=network.home_a)
    assert counter.returncode == 0
    streams.eventually("many are lost", lambda: network.dropped() > 100)
    assert network.dropped() < 300
    assert echo


SEND_MANY = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(400):
    sender.sendto(b"x", ("198.51.100.10", 9))
"""


def test_a_cut_stops_everything_until_it_is_healed(crew, network):
    assert reaches(crew, network.home_a, SERVER)
    network.cut()
    assert stays_silent(crew, network.home_a, SERVER)
    network.heal()
    assert reaches(crew, network.home_a, SERVER)


@IPV6
def test_ipv6_goes_without_ipv4(crew, network):
    assert stays_silent(crew, network.home_a, SERVER)
    assert reaches(crew, network.home_a, SERVER_6)
    netns.start_turn(crew, network, address=SERVER_6)
    seen = crew.run("turnutils_stunclient", SERVER_6, netns=network.home_a).stdout
    assert "2001:db8:1::2" in seen
    assert stays_silent(crew, network.home_b, "2001:db8:1::2")
