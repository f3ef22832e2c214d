"""Our data channel through coturn: both sides allowed to use the relay only, or one of them."""

import pytest
from harness import services

from join import exchange
from peers import ours

ADDRESS = "127.0.0.1"


@pytest.fixture(name="turn_server")
def turn_server_fixture(crew):
    """coturn with one user; relays on loopback, which it refuses unless told otherwise."""
    folder = crew.folder()

    def start(port):
        server = crew.start(
            "coturn", "turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", "--user",
            "user:secret", "--realm", "sluice", "--listening-ip", ADDRESS, "--relay-ip", ADDRESS, "--listening-port", port,
            "--allow-loopback-peers", "--log-file", "stdout", "--simple-log", "--verbose", "--userdb", folder / "users",
            "--pidfile", folder / "pid", cwd=folder)
        for protocol in ("UDP", "TCP"):
            server.wait_line(f"IPv4. {protocol} listener opened on")
        return port

    return f"user:secret@{ADDRESS}:{services.start_on_free_port(start)}"


@pytest.mark.parametrize("relayed", ["both", "offerer", "answerer"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_relayed_messages_arrive_whole_both_ways(crew, turn_server, transport, relayed):
    count, size = 200, 16 * 1024
    here = ["--local-address", ADDRESS]
    relay = [*here, "--turn", f"{turn_server}/{transport}", "--relay-only"]
    started = [ours(crew, role, count, size, *(relay if relayed in ("both", role + "er") else here))
               for role in ("offer", "answer")]
    exchange(*started, count, ours=started[0])
