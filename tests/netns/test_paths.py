"""Two peers who each sit behind a NAT: which way their packets take, and what they survive."""

import signal
import sys
import time

import pytest
from harness import Tunnel, netns, procfs, services, sluice, streams
from harness.netns import SERVER, SERVER_6, Nat

MIB = 1 << 20
LOSS_NOTICE = 15.0
"""Seconds in which each side has to say that the other one is gone: promised, so measured."""
FRIENDLY = pytest.mark.parametrize("network", [Nat.FRIENDLY], indirect=True, ids=["friendly"])
SYMMETRIC = pytest.mark.parametrize("network", [Nat.SYMMETRIC], indirect=True, ids=["symmetric"])
IPV6 = pytest.mark.parametrize("network", [Nat.NONE], indirect=True, ids=["ipv6"])


class Served:
    """A web server in home A with one random file, to be fetched from home B."""

    def __init__(self, crew, network, size):
        self._crew = crew
        self._network = network
        self._folder = crew.folder()
        self._digest = streams.write_random_file(self._folder / "file", size)
        _, self.port = services.start_server(crew, "http", self._folder, netns=network.home_a)

    def arrives_through(self, tunnel):
        received = self._folder / "received"
        self._crew.run("curl", "-sSf", "-o", received, f"http://127.0.0.1:{tunnel.port}/file",
                       netns=self._network.home_b, timeout=280)
        return streams.sha256_of_file(received) == self._digest


def start_talk(crew, network, port, connections=10):
    """Connections from home B to an echo server, each with 16 KiB there and back all the time until it is ended."""
    return crew.start("talk", sys.executable, "-c", TALK, port, connections, netns=network.home_b)


TALK = """
import json, socket, sys, threading
port, connections = map(int, sys.argv[1:])
ends = []
def talk():
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while True:
                connection.sendall(bytes(1 << 14))
                left = 1 << 14
                while left > 0:
                    came = len(connection.recv(left))
                    if came == 0:
                        return ends.append("orderly")
                    left -= came
    except (ConnectionResetError, BrokenPipeError):
        ends.append("reset")
threads = [threading.Thread(target=talk) for _ in range(connections)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"event": "ended", "how": ends}), flush=True)
"""


def start_hub(crew, network, address=SERVER):
    """A hub for everybody: not on loopback, hence with TLS, and pinned by its peers."""
    shown = f"[{address}]" if ":" in address else address
    return sluice.start_hub(crew, "--listen", f"{shown}:0", "--dev-cert", crew.folder() / "certificate",
                            netns=network.middle)


def open_tunnel(crew, network, port, *options, hub_address=SERVER):
    return Tunnel.open(crew, port, hub=start_hub(crew, network, hub_address),
                       host_options=options, forward_options=options,
                       host_in={"netns": network.home_a}, forward_in={"netns": network.home_b})


def way_options(turn, way):
    return turn.stun if way == "direct" else ["--relay-only", *turn.turn]


def path_kinds(tunnel):
    """How each side calls the path: forward's word, then the host's."""
    [connected] = [event for event in tunnel.host.events if event["event"] == "peer_connected"]
    return [tunnel.connected["path"]["kind"], connected["path"]["kind"]]


@FRIENDLY
def test_stun_finds_the_direct_path_through_two_nats(crew, network):
    turn = netns.start_turn(crew, network)
    served = Served(crew, network, 16 * MIB)
    before = network.forwarded_udp()
    tunnel = open_tunnel(crew, network, served.port, *turn.stun)
    assert path_kinds(tunnel) == ["direct", "direct"]
    assert served.arrives_through(tunnel)
    assert network.forwarded_udp() - before > 16 * MIB


@FRIENDLY
def test_a_direct_path_is_preferred_to_a_relay(crew, network):
    turn = netns.start_turn(crew, network)
    served = Served(crew, network, MIB)
    tunnel = open_tunnel(crew, network, served.port, *turn.stun, *turn.turn)
    assert path_kinds(tunnel) == ["direct", "direct"]
    assert served.arrives_through(tunnel)


@FRIENDLY
@pytest.mark.parametrize("transport", ["", "?transport=tcp"], ids=["udp", "tcp"])
def test_relay_only_goes_through_the_relay(crew, network, transport):
    turn = netns.start_turn(crew, network)
    served = Served(crew, network, 8 * MIB)
    before = network.forwarded_udp()
    tunnel = open_tunnel(crew, network, served.port, "--relay-only", turn.turn[0], turn.turn[1] + transport)
    assert path_kinds(tunnel) == ["relayed", "relayed"]
    assert served.arrives_through(tunnel)
    assert network.forwarded_udp() == before  # not a datagram from home to home


@SYMMETRIC
def test_symmetric_nats_fall_back_to_the_relay(crew, network):
    turn = netns.start_turn(crew, network)
    served = Served(crew, network, 8 * MIB)
    tunnel = open_tunnel(crew, network, served.port, *turn.stun, *turn.turn)
    assert path_kinds(tunnel) == ["relayed", "relayed"]
    assert served.arrives_through(tunnel)


@SYMMETRIC
def test_without_any_path_both_sides_say_so(crew, network):
    turn = netns.start_turn(crew, network)
    hub = start_hub(crew, network)
    host = sluice.start_host(crew, hub, "127.0.0.1:9", *turn.stun, netns=network.home_a)
    forward = sluice.start_forward(crew, hub, sluice.wait_code(host), "0", *turn.stun, netns=network.home_b)
    assert forward.wait(120) == 6
    error = forward.wait_event("error")
    assert error["message"]
    assert "--turn" in error["hint"]
    assert host.wait_event("trouble")["message"]
    assert host.running  # and there for the next one


@FRIENDLY
def test_lost_datagrams_are_made_good(crew, network):
    turn = netns.start_turn(crew, network)
    served = Served(crew, network, 16 * MIB)
    network.lose(1)
    tunnel = open_tunnel(crew, network, served.port, *turn.stun)
    assert served.arrives_through(tunnel)
    assert network.dropped() > 0


@pytest.mark.parametrize("way", ["direct", "relayed"])
@FRIENDLY
def test_a_cut_line_is_noticed_on_both_sides(crew, network, way):
    turn = netns.start_turn(crew, network)
    _, echo = services.start_server(crew, "echo", netns=network.home_a)
    tunnel = open_tunnel(crew, network, echo, *way_options(turn, way))
    assert path_kinds(tunnel) == [way, way]
    network.cut()
    cut_at = time.monotonic()
    closed = tunnel.forward.wait_event("closed")
    peer_closed = tunnel.host.wait_event("peer_closed")
    for event in (closed, peer_closed):
        assert event["reason"] == "link_lost"
        assert event["message"]
        assert event["seen_at"] - cut_at <= LOSS_NOTICE
    assert tunnel.forward.wait() == 8
    assert tunnel.host.running


@FRIENDLY
def test_a_short_outage_is_survived(crew, network):
    turn = netns.start_turn(crew, network)
    served = Served(crew, network, 4 * MIB)
    tunnel = open_tunnel(crew, network, served.port, *turn.stun)
    assert served.arrives_through(tunnel)
    network.cut()
    for _ in range(4):  # one a second
        tunnel.forward.wait_event("stats", receive_bytes_per_s=0)
    network.heal()
    assert served.arrives_through(tunnel)


@pytest.mark.parametrize("way", ["direct", "relayed"])
@FRIENDLY
def test_a_killed_forward_is_noticed_and_everything_of_it_is_freed(crew, network, way):
    _, echo = services.start_server(crew, "echo", netns=network.home_a)
    options = way_options(netns.start_turn(crew, network), way)
    hub = start_hub(crew, network)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}", *options, netns=network.home_a)
    code = sluice.wait_code(host)

    def start_busy_forward(name):
        forward = sluice.start_forward(crew, hub, code, "0", *options, name=name, netns=network.home_b)
        assert forward.wait_event("connected")["path"]["kind"] == way
        talk = start_talk(crew, network, sluice.listening_port(forward))
        host.wait_event("stats", sessions=1, streams=10, where=lambda stats: stats["receive_bytes_per_s"] > 0)
        return forward, talk

    # What libraries and allocators keep for good is there after the first client has come and gone in good order.
    first, talk = start_busy_forward("first forward")
    assert first.stop() == 0
    talk.wait_event("ended")
    host.wait_event("peer_closed", reason="closed")
    host.wait_event("stats", sessions=0, streams=0)
    descriptors, rss = procfs.descriptors(host.pid), procfs.rss(host.pid)

    killed, _ = start_busy_forward("killed forward")
    killed_at = time.monotonic()
    killed.signal(signal.SIGKILL)
    closed = host.wait_event("peer_closed")
    assert closed["reason"] == "link_lost"
    assert closed["message"]
    assert closed["seen_at"] - killed_at <= LOSS_NOTICE
    assert host.wait_event("stats", sessions=0, streams=0)["buffered"] == 0
    streams.eventually("descriptors are back", lambda: procfs.descriptors(host.pid) <= descriptors)
    assert procfs.rss(host.pid) <= rss + 4 * MIB

    start_busy_forward("next forward")


@pytest.mark.parametrize("way", ["direct", "relayed"])
@FRIENDLY
def test_a_killed_host_is_noticed_and_ends_what_went_through_it(crew, network, way):
    _, echo = services.start_server(crew, "echo", netns=network.home_a)
    tunnel = open_tunnel(crew, network, echo, *way_options(netns.start_turn(crew, network), way))
    assert path_kinds(tunnel) == [way, way]
    talk = start_talk(crew, network, tunnel.port)
    tunnel.forward.wait_event("stats", streams=10, where=lambda stats: stats["receive_bytes_per_s"] > 0)
    killed_at = time.monotonic()
    tunnel.host.signal(signal.SIGKILL)
    closed = tunnel.forward.wait_event("closed")
    assert closed["reason"] == "link_lost"
    assert closed["message"]
    assert closed["seen_at"] - killed_at <= LOSS_NOTICE
    assert tunnel.forward.wait() == 8
    assert talk.wait_event("ended")["how"] == ["reset"] * 10  # cut off is not an orderly end


@FRIENDLY
def test_the_tunnel_lives_on_without_its_hub(crew, network):
    _, echo = services.start_server(crew, "echo", netns=network.home_a)
    tunnel = open_tunnel(crew, network, echo, *netns.start_turn(crew, network).stun)
    start_talk(crew, network, tunnel.port)
    tunnel.forward.wait_event("stats", streams=10)
    tunnel.hub.process.kill()
    tunnel.host.wait_event("trouble")  # it has noticed, and looks for the hub again
    for _ in range(round(LOSS_NOTICE)):  # one a second
        assert tunnel.forward.wait_event("stats", streams=10)["receive_bytes_per_s"] > 0
    start_talk(crew, network, tunnel.port, connections=5)  # new ones need no hub either
    tunnel.forward.wait_event("stats", streams=15, where=lambda stats: stats["receive_bytes_per_s"] > 0)
    assert tunnel.host.running and tunnel.host.count("peer_closed") == 0


@IPV6
def test_peers_with_ipv6_alone_meet(crew, network):
    served = Served(crew, network, 8 * MIB)
    tunnel = open_tunnel(crew, network, served.port, hub_address=SERVER_6)
    assert path_kinds(tunnel) == ["direct", "direct"]
    assert "2001:db8:1::2" in tunnel.connected["path"]["remote"]
    assert served.arrives_through(tunnel)
