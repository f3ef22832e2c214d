"""Where a forward listens, what a host exposes, and what stays over a lost tunnel."""

import os
import signal
import socket
import stat
import subprocess
import threading

import pytest
from harness import Tunnel, services, sluice, sluice_binary, streams


@pytest.fixture(name="echo")
def echo_fixture(crew):
    return services.start_server(crew, "echo")[1]


@pytest.fixture(name="key")
def key_fixture(crew):
    key = crew.folder() / "tunnel.key"
    crew.run(sluice_binary(), "keygen", key)
    return key


def assert_echoes(connection, data=b"hello"):
    connection.settimeout(60)
    connection.sendall(data)
    assert streams.read_exactly(connection, len(data)) == data


def test_a_port_stays_over_a_lost_tunnel_and_connections_wait_for_the_next(crew, echo, key):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}", "--key", key)
    host.wait_event("waiting")
    forward = sluice.start_forward(crew, hub, "--key", key, "0")
    forward.wait_event("connected")
    port = sluice.listening_port(forward)
    with crew.connect(port) as connection:
        assert_echoes(connection)
    assert host.stop() == 0
    forward.wait_event("retry")
    # Nobody else can have it meanwhile, and whoever connects is kept.
    with socket.socket() as thief:
        with pytest.raises(OSError):
            thief.bind(("127.0.0.1", port))
    with crew.connect(port) as early:
        early.sendall(b"early")
        again = sluice.start_host(crew, hub, f"127.0.0.1:{echo}", "--key", key)
        again.wait_event("peer_connected")
        assert streams.read_exactly(early, 5) == b"early"
    assert forward.count("listening") == 1
    assert forward.stop() == 0


def test_a_taken_port_is_told_before_a_code_is_spent(crew, echo):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    code = sluice.wait_code(host)
    taken = crew.listen()
    number = taken.getsockname()[1]
    forward = sluice.start_forward(crew, hub, code, str(number))
    assert forward.wait() == 7
    assert str(number) in forward.wait_event("error", code="address_in_use")["message"]
    assert host.count("peer_connected") == 0
    assert host.stop() == 0


def test_a_host_with_a_key_waits_for_its_hub(crew, echo, key):
    def start(port):
        """The host comes first: nobody listens at that port yet."""
        url = f"ws://127.0.0.1:{port}"
        host = sluice.start(crew, "host", "host", f"127.0.0.1:{echo}", "--key", key, "--hub", url)
        host.wait_event("trouble", code="unreachable")
        host.wait_event("trouble", code="unreachable")
        return host, sluice.start_hub(crew, "--listen", f"127.0.0.1:{port}")

    host, hub = services.start_on_free_port(start)
    host.wait_event("waiting")
    forward = sluice.start_forward(crew, hub, "--key", key, "0")
    forward.wait_event("connected")
    # And for one that starts again.
    hub.process.kill()
    host.wait_event("trouble")
    sluice.start_hub(crew, "--listen", hub.url.removeprefix("ws://"))
    host.wait_event("waiting")
    assert host.stop() == 0


@pytest.mark.skipif(not services.has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("name", ["localhost", "*"])
def test_a_name_for_both_families_listens_in_both(crew, echo, name):
    tunnel = Tunnel.open(crew, echo, listens=(f"{name}:0",))
    for address in ("127.0.0.1", "::1"):
        with crew.connect(tunnel.port, address) as connection:
            assert_echoes(connection)


def keepalive_timers(port):
    """The timers of established connections with that port at either end, as the kernel names them."""
    shown = subprocess.run(["ss", "-Htno", "state", "established", f"( sport = :{port} or dport = :{port} )"],
                           check=True, capture_output=True, text=True)
    return shown.stdout


def test_connections_are_kept_alive_on_both_sides(crew, echo):
    tunnel = Tunnel.open(crew, echo)
    with crew.connect(tunnel.port) as connection:
        assert_echoes(connection)
        # Of each connection one end is ours and has the timer, the other is the test's or the server's.
        for port in (tunnel.port, echo):
            streams.eventually("a keep-alive timer", lambda port=port: "timer:(keepalive" in keepalive_timers(port))


def test_unix_sockets_as_target_and_as_listener(crew):
    folder = crew.folder()
    target, entrance = folder / "target.sock", folder / "entrance.sock"
    listener = crew.adopt(socket.socket(socket.AF_UNIX))
    listener.bind(str(target))
    listener.listen()

    def serve():
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"db=unix:{target}")
    forward = sluice.start_forward(crew, hub, sluice.wait_code(host), "-L", f"unix:{entrance}:db")
    listening = forward.wait_event("listening", path=str(entrance))
    assert listening["target"] == "db"
    assert stat.S_IMODE(os.stat(entrance).st_mode) == 0o600
    data = streams.random_bytes(3 << 20)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(entrance))
        connection.settimeout(60)
        sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
        sender.start()
        assert streams.read_to_end(connection) == data
        sender.join()
    thread.join()
    assert forward.stop() == 0
    assert not entrance.exists()


def test_a_stale_unix_socket_is_replaced_and_a_live_one_is_not(crew, echo):
    entrance = crew.folder() / "entrance.sock"
    tunnel = Tunnel.open(crew, echo)
    code = sluice.wait_code(sluice.start_host(crew, tunnel.hub, f"127.0.0.1:{echo}"))
    killed = sluice.start_forward(crew, tunnel.hub, code, f"unix:{entrance}", name="killed")
    killed.wait_event("listening")
    live = sluice.start_forward(crew, tunnel.hub, code, f"unix:{entrance}", name="refused")
    assert live.wait() == 7
    killed.signal(signal.SIGKILL)
    killed.wait()
    assert entrance.exists()
    again = sluice.start_forward(crew, tunnel.hub, code, f"unix:{entrance}", name="again")
    again.wait_event("listening")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(entrance))
        assert_echoes(connection)


def test_a_path_that_no_unix_socket_can_have_is_a_usage_error(crew):
    hub = sluice.start_hub(crew)
    path = "/tmp/" + "x" * 120
    for process in (sluice.start_host(crew, hub, f"db=unix:{path}"),
                    sluice.start_forward(crew, hub, "7-goldfish-amusement-tiger", f"unix:{path}")):
        assert process.wait() == 2
        assert "107" in process.wait_event("error", code="invalid_argument")["message"]


@pytest.mark.parametrize("option", [["--stun", "[::1"], ["--stun", "host:0"], ["--stun", "host:port"], ["--stun", ":1"],
                                    ["--turn", "turn:u:p@[::1"], ["--turn", "turn:u:p@:1"], ["--turn", "stun:host"]])
def test_a_malformed_ice_server_is_a_usage_error_with_its_text(crew, option):
    hub = sluice.start_hub(crew)
    process = sluice.start_host(crew, hub, "22", *option)
    assert process.wait() == 2
    assert option[1] in process.wait_event("error", code="invalid_argument")["message"]


def test_nothing_of_the_ice_library_is_raw_on_standard_error(crew, echo):
    # An address that cannot be a server's: libnice warns of it.
    for server in ("stun:0.0.0.0", "255.255.255.255:3478", "no-such-host.invalid"):
        tunnel = Tunnel.open(crew, echo, host_options=["--stun", server], forward_options=["--stun", server])
        with crew.connect(tunnel.port) as connection:
            assert_echoes(connection)
        for process in tunnel.peers.values():
            process.stop()
            for line in process.transcript(1000).splitlines()[1:]:
                assert line.startswith("{"), line


def test_a_host_that_is_full_says_so_and_is_asked_a_few_times_only(crew, echo, key):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}", "--key", key, "--max-clients", "1")
    host.wait_event("waiting")
    first = sluice.start_forward(crew, hub, "--key", key, "0", name="first")
    first.wait_event("connected")
    second = sluice.start_forward(crew, hub, "--key", key, "0", name="second")
    begun = second.wait_event("retry", code="busy")
    assert "full" in begun["message"]
    visits = [begun]
    while visits[-1]["seen_at"] < begun["seen_at"] + 12:
        visits.append(second.wait_event("retry", code="busy"))
    assert len(visits) <= 5
    assert all(visit["in_ms"] >= 3000 for visit in visits)
    assert host.count("peer_connected") == 1
    # A place becomes free, and the next visit has it.
    assert first.stop() == 0
    second.wait_event("connected")


def test_a_full_host_keeps_its_code(crew, echo):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}", "--max-clients", "1")
    code = sluice.wait_code(host)
    first = sluice.start_forward(crew, hub, code, "0", name="first")
    first.wait_event("connected")
    late = sluice.start_forward(crew, hub, code, "0", name="late")
    assert late.wait() == 1
    assert "full" in late.wait_event("error", code="busy")["message"]
    assert first.stop() == 0
    host.wait_event("peer_closed")
    sluice.start_forward(crew, hub, code, "0", name="next").wait_event("connected")
    assert host.count("code_burnt") == 0
