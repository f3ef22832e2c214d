"""`forward --stdio` for programs: its exit status says whether what came out was all there was."""

import json
import signal
import subprocess
import threading

import pytest
from harness import services, sluice, sluice_binary, streams


def run_stdio(crew, target, *, exposes, **options):
    """One `forward --stdio TARGET` to its end; what it said on standard error as events, and how it ended."""
    hub = sluice.start_hub(crew)
    code = sluice.wait_code(sluice.start_host(crew, hub, *exposes))
    done = crew.run(sluice_binary(), "forward", code, "--stdio", target, "--json", *hub.options, check=False,
                    **options)
    return done, [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{"event"')]


def error_of(events):
    return next(event for event in events if event["event"] == "error")


def serve_once(crew, act):
    """A target that does `act` with its one connection; its port, and the thread to be joined."""
    listener = crew.listen()

    def serve():
        connection, _ = listener.accept()
        with connection:
            act(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread


def test_a_whole_answer_ends_well(crew):
    _, echo = services.start_server(crew, "echo")
    done, _ = run_stdio(crew, "t", exposes=[f"t=127.0.0.1:{echo}"], input="x" * 300_000)
    assert done.returncode == 0
    assert done.stdout == "x" * 300_000


def test_an_unknown_target_is_a_failure(crew):
    done, events = run_stdio(crew, "nosuch", exposes=["t=127.0.0.1:1"], input="")
    assert done.returncode == 1
    assert error_of(events)["code"] == "refused"
    assert "nosuch" in error_of(events)["message"]


def test_a_target_that_refuses_is_a_failure(crew):
    port = crew.unused_port()
    done, events = run_stdio(crew, "t", exposes=[f"t=127.0.0.1:{port}"], input="")
    assert done.returncode == 1
    assert "dial_failed" in error_of(events)["message"]


def test_an_answer_that_was_cut_short_by_a_reset_is_a_failure(crew):
    def cut_short(connection):
        connection.sendall(b"half of it")
        connection.recv(5)
        streams.reset(connection)

    port, thread = serve_once(crew, cut_short)
    done, events = run_stdio(crew, "t", exposes=[f"t=127.0.0.1:{port}"], input="begin")
    thread.join()
    assert done.returncode == 1
    assert "reset" in error_of(events)["message"]


@pytest.mark.parametrize("host_signal", ["interrupt", "kill"])
def test_an_answer_that_was_cut_short_by_the_hosts_end_is_a_failure(crew, host_signal):
    listener = crew.listen()
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"t=127.0.0.1:{listener.getsockname()[1]}")
    forward = sluice.start_forward(crew, hub, sluice.wait_code(host), "--stdio", "t")
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"half of it")
        getattr(host, host_signal)()
        assert forward.wait() != 0


def test_the_hosts_side_is_told_when_ssh_ends_its_proxy_command(crew):
    _, echo = services.start_server(crew, "echo")
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"t=127.0.0.1:{echo}")
    forward = sluice.start_forward(crew, hub, sluice.wait_code(host), "--stdio", "t", stdin=subprocess.PIPE)
    forward.stdin.write(b"hello")
    forward.stdin.flush()
    host.wait_event("stats", where=lambda stats: stats["bytes_sent"] >= 5)
    forward.stdin.close()
    forward.signal(signal.SIGHUP)
    assert host.wait_event("peer_closed")["reason"] == "closed"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_are_nobodys(crew, closed):
    """Without care the next socket gets the number of a closed descriptor, and output goes into it."""
    received = []

    def take(connection):
        connection.settimeout(60)
        received.append(streams.read_to_end(connection))

    port, thread = serve_once(crew, take)
    hub = sluice.start_hub(crew)
    code = sluice.wait_code(sluice.start_host(crew, hub, f"t=127.0.0.1:{port}"))
    done = crew.run("sh", "-c", f'exec "$@" {closed}', "sh", sluice_binary(), "forward", code, "--stdio", "t", "--json",
                    *hub.options, input="for the target")
    thread.join()
    assert done.returncode == 0
    assert received == [b"" if "<&-" in closed else b"for the target"]
    assert done.stdout == ""
