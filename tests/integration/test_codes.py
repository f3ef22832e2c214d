"""Who gets in: codes, right and wrong, and where they may come from; key files."""

import os
import pty
import stat
import sys

import pytest
from harness import Process, services, sluice, sluice_binary, streams


@pytest.fixture(name="echo")
def echo_fixture(crew):
    return services.start_server(crew, "echo")[1]


def assert_works(crew, forward):
    forward.wait_event("connected")
    with crew.connect(sluice.listening_port(forward)) as connection:
        connection.sendall(b"hello")
        assert streams.read_exactly(connection, 5) == b"hello"


def with_other_words(code, other):
    """The mailbox of one code with the words of another: well-formed, and wrong."""
    return code.partition("-")[0] + "-" + other.partition("-")[2]


def test_a_wrong_code_is_told_to_both_sides_and_burnt(crew, echo):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    right = sluice.wait_code(host)
    wrong = with_other_words(right, sluice.wait_code(sluice.start_host(crew, hub, f"127.0.0.1:{echo}")))

    guesser = sluice.start_forward(crew, hub, wrong, "0", name="guesser")
    assert guesser.wait() == 5
    error = guesser.wait_event("error", code="wrong_code")
    assert error["message"] and error["hint"]
    host.wait_event("code_burnt")

    # The right code is worth nothing any more; the new one is.
    fresh = sluice.wait_code(host)
    assert fresh != right
    late = sluice.start_forward(crew, hub, right, "0", name="late")
    assert late.wait() == 4
    late.wait_event("error")
    assert_works(crew, sluice.start_forward(crew, hub, fresh, "0"))


def test_a_code_serves_several_clients_one_after_the_other(crew, echo):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    code = sluice.wait_code(host)
    for n in range(3):
        forward = sluice.start_forward(crew, hub, code, "0", name=f"forward{n}")
        assert_works(crew, forward)
        assert forward.stop() == 0


def test_an_unknown_code_says_so(crew, echo):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    code = sluice.wait_code(host)
    assert host.stop() == 0
    forward = sluice.start_forward(crew, hub, code, "0")
    assert forward.wait() == 4
    error = forward.wait_event("error", code="not_found")
    assert error["message"] and error["hint"]


@pytest.mark.parametrize("text", ["7-", "7-harbor", "-a-b-c", "7-not-three-words-at-all", "99999999999999999999-a-b-c"])
def test_what_is_no_code_is_a_usage_error(crew, text):
    hub = sluice.start_hub(crew)
    forward = sluice.start_forward(crew, hub, "0", env={"SLUICE_CODE": text})
    assert forward.wait() == 2
    forward.wait_event("error", code="invalid_argument")


def test_a_code_may_come_from_a_file(crew, echo):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    file = crew.folder() / "code"
    file.write_text(sluice.wait_code(host) + "\n", encoding="ascii")
    file.chmod(0o600)
    assert_works(crew, sluice.start_forward(crew, hub, "--code-file", file, "0"))


def test_code_and_hub_may_come_from_the_environment(crew, echo):
    hub = sluice.start_hub(crew)
    environment = {"SLUICE_HUB": hub.url}
    host = sluice.start(crew, "host", "host", f"127.0.0.1:{echo}", env=environment)
    environment["SLUICE_CODE"] = sluice.wait_code(host)
    assert_works(crew, sluice.start(crew, "forward", "forward", "0", env=environment))


def test_a_code_is_asked_for_on_a_terminal(crew, echo):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    code = sluice.wait_code(host)
    ours, theirs = pty.openpty()
    crew.at_end(os.close, ours)
    forward = sluice.start_forward(crew, hub, "0", stdin=theirs, prefix=[sys.executable, "-c", ON_TERMINAL])
    os.close(theirs)
    os.write(ours, code.encode() + b"\n")
    assert_works(crew, forward)


ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_the_case_of_a_code_does_not_matter(crew, echo):
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}")
    assert_works(crew, sluice.start_forward(crew, hub, sluice.wait_code(host).upper(), "0"))


def test_without_a_code_and_a_terminal_it_is_a_usage_error(crew):
    hub = sluice.start_hub(crew)
    forward = sluice.start_forward(crew, hub, "0")
    assert forward.wait() == 2


@pytest.fixture(name="key")
def key_fixture(crew):
    key = crew.folder() / "tunnel.key"
    crew.run(sluice_binary(), "keygen", key)
    return key


def test_a_key_file_lets_clients_in_again_and_again(crew, echo, key):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}", "--key", key)
    assert "code" not in host.wait_event("waiting")
    forwards: list[Process] = []
    for n in range(3):
        forwards.append(sluice.start_forward(crew, hub, "--key", key, "0", name=f"forward{n}"))
        assert_works(crew, forwards[-1])
    for forward in forwards:
        assert forward.stop() == 0


def test_a_different_key_finds_nobody(crew, echo, key):
    other = crew.folder() / "other.key"
    crew.run(sluice_binary(), "keygen", other)
    assert other.read_bytes() != key.read_bytes()
    hub = sluice.start_hub(crew)
    host = sluice.start_host(crew, hub, f"127.0.0.1:{echo}", "--key", key)
    host.wait_event("waiting")
    stranger = sluice.start_forward(crew, hub, "--key", other, "0", name="stranger")
    for _ in range(2):  # with a key the host may come later, so it goes on trying
        assert stranger.wait_event("retry", code="not_found")["message"]
    assert_works(crew, sluice.start_forward(crew, hub, "--key", key, "0"))


def test_a_key_file_that_others_may_read_is_refused(crew, echo, key):
    hub = sluice.start_hub(crew)
    key.chmod(0o644)
    for process in (sluice.start_host(crew, hub, f"127.0.0.1:{echo}", "--key", key),
                    sluice.start_forward(crew, hub, "--key", key, "0")):
        assert process.wait() in (1, 2)
        assert str(key) in process.wait_event("error")["message"]


def test_keygen_overwrites_nothing(crew, key):
    before = key.read_bytes()
    assert crew.run(sluice_binary(), "keygen", key, check=False).returncode != 0
    assert key.read_bytes() == before
