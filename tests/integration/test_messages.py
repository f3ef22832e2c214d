"""What a person reads: who ended what, which way it goes, how to use it, and in colour or not."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest
from harness import Tunnel, services, sluice, sluice_binary

ADDRESS = r"(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+"
PATH = rf"direct path {ADDRESS} -> {ADDRESS}"


class Told:
    """A hub, and a host and a forward that talk to a person."""

    def __init__(self, crew, *forward_options):
        _, echo = services.start_server(crew, "echo")
        self.hub = sluice.start_hub(crew)
        self.host = crew.start("host", sluice_binary(), "host", echo, *self.hub.options)
        code = self.host.wait_line("code: ").split()[1]
        self.forward = crew.start("forward", sluice_binary(), "forward", code, "0", *self.hub.options,
                                  *forward_options)
        self.forward.wait_line(" leads to ")


def test_both_sides_name_the_path_with_its_kind_and_addresses(crew):
    told = Told(crew)
    assert re.search(rf"^connected in .*, {PATH}$", told.forward.wait_line("connected in"))
    assert re.search(rf"^client 1 connected, {PATH}$", told.host.wait_line("client 1 connected"))


def test_ones_own_end_is_not_blamed_on_the_host(crew):
    told = Told(crew)
    assert told.forward.stop() == 0
    told.forward.wait_line("the tunnel was closed")
    assert "host" not in told.forward.transcript().partition("stopping")[2]


def test_the_end_of_stdio_is_not_blamed_on_the_host(crew):
    _, echo = services.start_server(crew, "echo")
    hub = sluice.start_hub(crew)
    code = sluice.wait_code(sluice.start_host(crew, hub, f"127.0.0.1:{echo}"))
    done = crew.run(sluice_binary(), "forward", code, "--stdio", "", *hub.options, input="through")
    assert done.stdout == "through"
    assert "the tunnel was closed" in done.stderr
    assert "host" not in done.stderr


def test_a_host_that_stopped_in_good_order_is_said_to_have(crew):
    told = Told(crew)
    assert told.host.stop() == 0
    assert told.forward.wait() == 8
    told.forward.wait_line("sluice: the host ended the tunnel")
    told.forward.wait_line("started again it prints a new code")


def test_a_program_is_told_the_same(crew):
    _, echo = services.start_server(crew, "echo")
    tunnel = Tunnel.open(crew, echo)
    assert tunnel.host.stop() == 0
    tunnel.forward.wait_event("closed", reason="closed")
    error = tunnel.forward.wait_event("error", code="closed")
    assert error["message"] == "the host ended the tunnel"
    assert error["hint"]
    assert tunnel.forward.wait() == 8


def test_with_a_key_a_host_name_is_a_place_to_listen(crew):
    key = crew.folder() / "tunnel.key"
    crew.run(sluice_binary(), "keygen", key)
    hub = f"ws://127.0.0.1:{crew.unused_port()}"
    forward = sluice.start(crew, "forward", "forward", "--key", key, "--hub", hub, "my-host.invalid:2222")
    assert "cannot listen on my-host.invalid" in forward.wait_event("error", code="not_found")["message"]


@pytest.mark.parametrize("command", ["hub", "host", "forward", "keygen", "demo", "version"])
def test_every_command_has_an_example(crew, command):
    text = crew.run(sluice_binary(), command, "--help").stdout
    assert re.search(rf"Examples?:\n(  .*\n)*  .*sluice {command}\b", text)


def test_the_status_line_on_a_wide_terminal_names_both_addresses(crew):
    _, echo = services.start_server(crew, "echo")
    hub = sluice.start_hub(crew)
    code = sluice.wait_code(sluice.start_host(crew, hub, f"127.0.0.1:{echo}"))
    terminal = Terminal(crew, columns=300)
    forward = crew.start("forward", sluice_binary(), "forward", code, "0", *hub.options, stdout=terminal.theirs)
    text = terminal.read_until(b" | held back ")
    assert re.search(rf"\x1b\[2K{PATH} \| .*0 streams \| out ", text)
    assert forward.stop() == 0


in_colour = pytest.mark.parametrize(
    "on_terminal,no_color,coloured", [(True, "", True), (True, "1", False), (False, "", False), (False, "1", False)])


def what_stderr_shows(crew, command, on_terminal, no_color, until):
    """Runs a program with its standard error on a terminal or a pipe; its exit code, and the text."""
    terminal = Terminal(crew)
    done = subprocess.run(command, env={**os.environ, "TERM": "xterm", "NO_COLOR": no_color}, timeout=60, check=False,
                          input=b"", stdout=subprocess.PIPE, stderr=terminal.theirs if on_terminal else subprocess.PIPE)
    return done.returncode, terminal.read_until(until) if on_terminal else done.stderr.decode()


@in_colour
def test_errors_are_coloured_on_a_terminal_unless_refused(crew, on_terminal, no_color, coloured):
    command = [sluice_binary(), "forward", "7-goldfish-amusement-tiger", "0",
               "--hub", f"ws://127.0.0.1:{crew.unused_port()}"]
    code, text = what_stderr_shows(crew, command, on_terminal, no_color, b"healthz")
    assert code == 3
    assert text.startswith("\x1b[31msluice:\x1b[0m " if coloured else "sluice: ")


@in_colour
def test_the_log_is_coloured_on_a_terminal_unless_refused(crew, on_terminal, no_color, coloured):
    _, echo = services.start_server(crew, "echo")
    hub = sluice.start_hub(crew)
    code = sluice.wait_code(sluice.start_host(crew, hub, f"127.0.0.1:{echo}"))
    command = [sluice_binary(), "forward", code, "--stdio", "", *hub.options, "--log-level", "debug"]
    code, text = what_stderr_shows(crew, command, on_terminal, no_color, b"the tunnel was closed")
    assert code == 0
    assert ("\x1b[36mdebug\x1b[m webrtc: " in text) == coloured
    assert (" debug webrtc: " in text) != coloured


@pytest.mark.parametrize("words,told", [
    (["hubb", "--open"], "There is no command 'hubb'; did you mean `hub`?"),
    (["--json", "a\x1b"], "There is no command 'a\\u001b'.")])
def test_a_command_that_does_not_exist_is_named(crew, words, told):
    done = crew.run(sluice_binary(), *words, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"sluice: {told}\n"), done.stderr


class Terminal:
    """A terminal whose other side is in this process."""

    def __init__(self, crew, columns=80):
        self._ours, self.theirs = pty.openpty()
        crew.at_end(os.close, self._ours)
        crew.at_end(os.close, self.theirs)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read_until(self, end):
        """What was written to it, until that came. The test's own limit ends one that never does."""
        text = b""
        while end not in text:
            text += os.read(self._ours, 4096)
        return text.decode()
