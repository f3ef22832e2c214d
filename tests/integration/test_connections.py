"""Many connections, several targets, several clients; nothing grows, nothing reaches what was not named."""

import asyncio
import socket

from harness import Tunnel, procfs, services, sluice, streams

KIB = 1 << 10
MIB = 1 << 20


def ping(port, data, address="127.0.0.1"):
    """One short connection to an echo server: there and back, then closed in order."""
    with socket.create_connection((address, port), timeout=60) as connection:
        connection.sendall(data)
        assert streams.read_exactly(connection, len(data)) == data
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def ends(port):
    """Whether a new connection is ended from the other side without a byte."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            return connection.recv(1) == b""
    except ConnectionResetError:  # so soon, perhaps, that it was not seen to be connected
        return True


def test_a_thousand_connections_at_once_each_get_their_own_bytes(crew):
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, echo)
    blocks = [streams.random_bytes(16 * KIB + 17 * n, seed=n) for n in range(1000)]
    assert asyncio.run(streams.exchange_many(tunnel.port, blocks)) == []
    for process in tunnel.peers.values():
        process.wait_event("stats", streams=0)


def test_ten_thousand_short_connections_leave_nothing_behind(crew):
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, echo)

    def run_and_settle(count):
        for n in range(count):
            ping(tunnel.port, n.to_bytes(8, "big"))
        for process in tunnel.peers.values():
            process.wait_event("stats", streams=0)

    run_and_settle(2000)  # pools, caches and tables of what closed lately have reached their size
    before = {name: (procfs.rss(p.pid), procfs.descriptors(p.pid)) for name, p in tunnel.peers.items()}
    run_and_settle(8000)
    for name, process in tunnel.peers.items():
        rss, descriptors = before[name]
        assert procfs.rss(process.pid) <= rss + 2 * MIB, name
        assert procfs.descriptors(process.pid) == descriptors, name


def test_each_port_reaches_its_own_target(crew):
    folder = crew.folder()
    (folder / "name").write_text("web", encoding="utf-8")
    _, http = services.start_server(crew, "http", folder)
    _, echo = services.start_server(crew, "echo")
    _, digest = services.start_server(crew, "digest")
    tunnel = Tunnel.open(crew, f"echo=127.0.0.1:{echo}", f"web=127.0.0.1:{http}", f"sum=127.0.0.1:{digest}",
                         listens=("0:web", "0:sum", "0:echo", "0"))
    web, summed, echoed, default = tunnel.ports
    assert crew.run("curl", "-sSf", f"http://127.0.0.1:{web}/name").stdout == "web"
    ping(echoed, b"one")
    ping(default, b"the first target is the default")
    with socket.create_connection(("127.0.0.1", summed), timeout=60) as connection:
        connection.sendall(b"abc")
        connection.shutdown(socket.SHUT_WR)
        assert streams.read_to_end(connection).decode() == streams.sha256(b"abc")


def test_a_target_that_was_not_named_is_refused(crew):
    _, echo = services.start_server(crew, "echo")
    # Another service on the same machine: its address is known to the client, its name is not.
    other = crew.listen()
    other_port = other.getsockname()[1]
    tunnel = Tunnel.open(crew, f"echo=127.0.0.1:{echo}", listens=("0:other", f"0:127.0.0.1:{other_port}", "0:echo"))
    by_name, by_address, allowed = tunnel.ports
    assert ends(by_name)
    assert ends(by_address)
    other.settimeout(0)
    try:
        other.accept()
        raise AssertionError("the host connected to a target that it does not offer")
    except BlockingIOError:
        pass
    tunnel.forward.wait_line("(unknown_target)")
    tunnel.forward.wait_line("(not_allowed)")
    ping(allowed, b"what was named still works")


def test_a_target_that_refuses_ends_the_client_and_nothing_else(crew):
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, f"echo=127.0.0.1:{echo}", f"down=127.0.0.1:{crew.unused_port()}",
                         listens=("0:down", "0:echo"))
    down, up = tunnel.ports
    for _ in range(10):
        assert ends(down)
    tunnel.forward.wait_line("(dial_failed)")
    ping(up, b"still here")


def test_a_client_learns_no_address_behind_a_targets_name(crew):
    # Nobody listens behind a name and an address, and one name does not resolve.
    port = crew.unused_port()
    private = {"db": f"localhost:{port}", "cache": f"127.0.0.1:{port}", "lost": f"no-such-host.invalid:{port}"}
    tunnel = Tunnel.open(crew, *(f"{name}={address}" for name, address in private.items()),
                         listens=[f"0:{name}" for name in private])
    for name, at in zip(private, tunnel.ports):
        assert ends(at)
        told = tunnel.forward.wait_line(f": {name}: ")
        for secret in ("127.0.0.1", "::1", "localhost", "no-such-host", str(port)):
            assert secret not in told, told
        tunnel.host.wait_line(private[name].split(":")[0])  # the host's own log may say it
    tunnel.forward.wait_line("db: connection refused")


def test_several_clients_share_one_host(crew):
    _, echo = services.start_server(crew, "echo")
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    code = sluice.wait_code(host)
    forwards = []
    for n in range(4):
        forward = sluice.start_forward(crew, hub, code, "0", name=f"forward{n}")
        forward.wait_event("connected")
        forwards.append((forward, sluice.listening_port(forward)))
    sessions = {host.wait_event("peer_connected")["session"] for _ in forwards}
    assert len(sessions) == 4
    assert asyncio.run(exchange_through_all(forwards)) == [[]] * 4
    # One leaves; the others stay.
    assert forwards[0][0].stop() == 0
    host.wait_event("peer_closed", reason="closed")
    assert asyncio.run(exchange_through_all(forwards[1:])) == [[]] * 3


async def exchange_through_all(forwards):
    blocks = [streams.random_bytes(256 * KIB, seed=n) for n in range(10)]
    return await asyncio.gather(*(streams.exchange_many(port, blocks) for _, port in forwards))


def test_listens_on_the_address_it_was_told(crew):
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, f"e=127.0.0.1:{echo}", listens=("127.0.0.2:0:e", "[::1]:0:e", "127.0.0.1:0"))
    addresses = [event["address"] for event in tunnel.forward.events if event["event"] == "listening"]
    assert addresses == ["127.0.0.2", "::1", "127.0.0.1"]
    for address, port in zip(addresses, tunnel.ports):
        ping(port, b"here", address)
    try:
        socket.create_connection(("127.0.0.3", tunnel.ports[0]), timeout=10).close()
        raise AssertionError("it listens on an address that it was not told")
    except ConnectionRefusedError:
        pass


def test_a_target_may_be_an_ipv6_address(crew):
    _, echo = services.start_server(crew, "echo", bind="::1")
    tunnel = Tunnel.open(crew, f"[::1]:{echo}")
    ping(tunnel.port, b"six")
