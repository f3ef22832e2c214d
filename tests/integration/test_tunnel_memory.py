"""What waits in a host is bounded over all its clients, and each of them has a share."""

import os
import socket

from harness import procfs, services, sluice

MIB = 2**20
SOCKETS = 5000
"""16 KiB each, 78 MiB: within what one session may hold, so that only the host's own limit bounds all of them."""


def flood(crew, hub, code, number):
    """A client that fills every window that it is given."""
    program = os.environ.get("TUNNEL_FLOOD") or os.path.join(os.environ["SLUICE_BUILD_DIR"],
                                                              "tests/integration/tunnel_flood")
    return crew.start(f"flood {number}", program, hub.url, code, SOCKETS)


def test_clients_that_fill_their_windows_stay_within_the_memory_limit(crew):
    _, echo = services.start_server(crew, "echo")
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}", "--memory-limit", "96MiB")
    code = sluice.wait_code(host)
    before = procfs.rss(host.pid)
    victim = sluice.start_forward(crew, hub, code, "-L", "0", name="victim")
    port = sluice.listening_port(victim)
    floods = []
    for number in range(5):
        floods.append(flood(crew, hub, code, number))
        floods[-1].wait_event("flooded")
        floods[-1].wait_event("rejected")
    assert procfs.peak_rss(host.pid) - before < 128 * MIB  # 375 MiB without the limit
    for one in floods:
        assert one.events[-1]["event"] != "ended"
        assert next(e for e in one.events if e["event"] == "rejected")["text"].startswith("this host has no memory left")
    host.wait_line("no memory left for one more connection")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:  # each has a share
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"


def test_a_client_that_finds_no_memory_is_told_so(crew):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, "1", "--memory-limit", "16MiB")
    code = sluice.wait_code(host)
    for number in range(4):
        client = sluice.start_forward(crew, hub, code, "-L", "0", name=f"client {number}")
        first = next(event for event in client.follow() if event["event"] in ("connected", "error"))
        if first["event"] == "error":
            assert "no memory left for one more client" in first["message"]
            break
    else:
        raise AssertionError("nobody was rejected")
    assert host.running
