"""Our data channel through coturn: both sides allowed to use the relay only, or one of them."""

import shutil
import socket
import subprocess
import time

import pytest

from join import exchange
from peers import ours

ADDRESS = "127.0.0.1"


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


@pytest.fixture(scope="module")
def turn_server(tmp_path_factory):
    """coturn with one user; relays on loopback, which it refuses unless told otherwise."""
    assert shutil.which("turnserver"), "coturn is not installed"
    folder, port = tmp_path_factory.mktemp("turn"), free_port()
    with open(folder / "out", "w") as log:
        server = subprocess.Popen(
            ["turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", "--user", "user:secret",
             "--realm", "sluice", "--listening-ip", ADDRESS, "--relay-ip", ADDRESS, "--listening-port", str(port),
             "--allow-loopback-peers", "--log-file", "stdout", "--db", str(folder / "db"),
             "--pidfile", str(folder / "pid")], stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 20
        while not accepts(port):
            assert server.poll() is None and time.monotonic() < deadline, (folder / "out").read_text()
            time.sleep(0.05)
        yield f"user:secret@{ADDRESS}:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("relayed", ["both", "offerer", "answerer"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_relayed_messages_arrive_whole_both_ways(turn_server, transport, relayed):
    count, size = 200, 16 * 1024
    here = ["--local-address", ADDRESS]
    relay = [*here, "--turn", f"{turn_server}/{transport}", "--relay-only"]
    started = []
    try:
        for role in ("offer", "answer"):
            options = relay if relayed in ("both", role + "er") else here
            started.append(ours(role, count, size, *options))
        exchange(*started, count, ours=started[0])
    finally:
        for peer in started:
            peer.stop()
