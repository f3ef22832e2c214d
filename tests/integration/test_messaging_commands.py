"""`publish`, `subscribe` and `load` against a hub, as users run them."""

import fcntl
import json
import os
import select
import signal
import subprocess
import time

import pytest
from harness import sluice, sluice_binary
from harness.hub_tokens import EVERYTHING, Issuer

RUN_FIELDS = {"clients", "slow", "duration_s", "sent", "accepted", "refused", "delivered", "gapped", "slow_cut", "normal_cut",
              "p50_ms", "p99_ms", "max_ms", "out_of_order", "duplicates", "missing", "untold", "cpu_s"}


@pytest.fixture(name="hub")
def hub_fixture(crew):
    return sluice.start_hub(crew, "--open")


def publish(crew, hub, *arguments, **options):
    done = crew.run(sluice_binary(), "publish", *hub.options, *arguments, "--json", check=False, **options)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def subscribe(crew, hub, *arguments, user="bob"):
    process = sluice.start(crew, "subscribe", "subscribe", *hub.options, "--user", user, *arguments)
    process.wait_event("connected")
    for group in [arguments[i + 1] for i, word in enumerate(arguments) if word == "--group"]:
        process.wait_event("joined", group=group)
    return process


def load(crew, hub, *arguments):
    done = crew.run(sluice_binary(), "load", *hub.options, *arguments, "--json", check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines and RUN_FIELDS <= set(lines[0]), done.stdout + done.stderr
    return done.returncode, lines[0]


def test_a_message_reaches_a_user(crew, hub):
    bob = subscribe(crew, hub)
    code, events = publish(crew, hub, "--user", "ann", "--to", "bob", "are you\x1b there?")
    assert code == 0
    assert events[-1] == {"event": "done", "accepted": 1, "refused": 0, "unanswered": 0}
    came = bob.wait_event("delivery")
    assert (came["from"], came["to"], came["text"]) == ("ann", {"user": "bob"}, "are you\x1b there?")
    assert came["offset"] == 1
    assert bob.stop() == 0


def test_a_token_that_is_renewed_keeps_a_subscription_going(crew):
    folder = crew.folder()
    issuer = Issuer(folder, more='close_expired_after = "0s"')
    (folder / "hub.toml").write_text(issuer.settings, encoding="utf-8")
    hub = sluice.start_hub(crew, "--config", folder / "hub.toml")
    token = folder / "bob.jwt"
    token.write_text(issuer.token("bob", EVERYTHING, lasts=-25))
    token.chmod(0o600)
    bob = sluice.start(crew, "subscribe", "subscribe", *hub.options, "--token-file", token)
    bob.wait_event("connected", resumed=False)
    token.write_text(issuer.token("bob", EVERYTHING))
    assert "expired" in bob.wait_event("retry")["message"]
    assert bob.wait_event("connected", resumed=True)["previous"] == "token_expired"
    assert bob.stop() == 0


def test_lines_reach_a_group_in_their_order(crew, hub):
    lines = [f"line {i}" for i in range(3_000)]
    bob = subscribe(crew, hub, "--group", "ops", "--count", len(lines))
    code, events = publish(crew, hub, "--user", "ann", "--group", "ops", "--encoding", "json", input="\n".join(lines))
    assert code == 0
    assert events[-1]["accepted"] == len(lines)
    assert bob.wait() == 0
    came = [json.loads(line) for line in bob.transcript(10_000).splitlines() if '"delivery"' in line]
    assert [one["text"] for one in came] == lines


def test_who_is_not_there_finds_it_later(crew):
    hub = sluice.start_hub(crew, "--open", "--data", crew.folder())
    assert publish(crew, hub, "--user", "ann", "--to", "bob", "--level", "stored", "first")[0] == 0
    state = crew.folder() / "bob.state"
    for text in ("first", "second"):
        bob = subscribe(crew, hub, "--state", state, "--count", 1)
        if text == "second":
            assert publish(crew, hub, "--user", "ann", "--to", "bob", text)[0] == 0
        assert bob.wait_event("delivery")["text"] == text
        assert bob.wait() == 0
        assert state.stat().st_mode & 0o777 == 0o600


def test_what_one_device_has_acknowledged_is_still_there_for_another(crew):
    data = crew.folder() / "data"
    hub = sluice.start_hub(crew, "--open", "--data", data)

    def take(device, count):
        process = subscribe(crew, hub, "--device", device)
        texts = [process.wait_event("delivery", text=text)["text"] for text in count]
        assert process.stop() == 0
        return texts

    assert take("phone", []) == []
    assert publish(crew, hub, "--user", "ann", "--to", "bob", input="one\ntwo\n")[0] == 0
    assert take("laptop", ["one", "two"]) == ["one", "two"]
    assert hub.process.stop() == 0
    hub = sluice.start_hub(crew, "--open", "--data", data)
    assert take("phone", ["one", "two"]) == ["one", "two"]
    assert publish(crew, hub, "--user", "ann", "--to", "bob", input="three\n")[0] == 0
    phone = subscribe(crew, hub, "--device", "phone")
    assert phone.wait_event("delivery")["text"] == "three", "nothing comes twice"
    assert phone.stop() == 0


def test_a_subscription_goes_on_over_a_hub_that_starts_again(crew):
    data = crew.folder()
    first = sluice.start_hub(crew, "--open", "--data", data)
    address = first.url.removeprefix("ws://")
    bob = subscribe(crew, first, "--group", "ops")
    assert publish(crew, first, "--user", "ann", "--group", "ops", "--level", "stored", "one")[0] == 0
    one = bob.wait_event("delivery")
    assert one["text"] == "one"
    epoch = one["epoch"]
    assert first.process.stop() == 0
    bob.wait_event("retry")
    second = sluice.start_hub(crew, "--open", "--data", data, "--listen", address)
    assert publish(crew, second, "--user", "ann", "--group", "ops", "--level", "stored", "two")[0] == 0
    assert bob.wait_event("delivery", text="two")["epoch"] > epoch
    assert bob.transcript(1_000).count('"one"') == 1


def test_a_refusal_is_told_and_fails(crew, hub):
    code, events = publish(crew, hub, "--user", "ann", "--group", "ops", "--level", "stored", input="one\ntwo\n")
    assert code == 1
    refused = [event for event in events if event["event"] == "refused"]
    assert [(one["number"], one["reason"]) for one in refused] == [(1, "not_stored"), (2, "not_stored")]
    assert events[-2] == {"event": "done", "accepted": 0, "refused": 2, "unanswered": 0}
    assert all("--data" in one["message"] for one in refused)
    assert "2 of 2" in events[-1]["message"]


@pytest.mark.parametrize("words", [["--to", "\x07", "x"], ["--group", "x" * 256, "x"],
                                   ["--to", "bob", "--key", "x" * 65, "x"]])
def test_what_no_hub_would_take_is_not_sent(crew, hub, words):
    code, events = publish(crew, hub, "--user", "ann", *words)
    assert code == 2
    assert events[-1]["code"] == "invalid_argument"


@pytest.mark.parametrize("encoding", ["proto", "json"])
def test_a_message_that_is_too_large_is_told_and_the_others_are_sent(crew, hub, encoding):
    bob = subscribe(crew, hub)
    lines = [b"first", b"x" * 65_530, b"x" * 70_000, b"no UTF-8 \xff", b"\x01" * 30_000, b"last"]
    done = subprocess.run([sluice_binary(), "publish", *map(str, hub.options), "--user", "ann", "--to", "bob",
                           "--encoding", encoding, "--json"],
                          input=b"\n".join(lines), stdout=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 1
    events = [json.loads(line) for line in done.stdout.splitlines()]
    refused = {event["number"]: event["reason"] for event in events if event["event"] == "refused"}
    expected = {2: "too_large", 3: "too_large", 4: "malformed"}
    if encoding == "json":
        expected[5] = "too_large"  # there each of its bytes takes six
    assert refused == expected
    assert {event["number"] for event in events if event["event"] == "published"} == set(range(1, 7)) - set(expected)
    assert bob.wait_event("delivery", text="last")
    assert not [event for event in events if event["event"] == "retry"]
    assert bob.stop() == 0


def test_who_stops_a_command_is_told_how_long_it_may_take(crew):
    """As long as the hub's clients and its connections have, not as a tunnel's streams."""
    hub = sluice.start_hub(crew, "--open")
    bob = subscribe(crew, hub)
    for process, limit in (bob, 5), (hub.process, 15):
        assert process.stop() == 0
        assert process.wait_event("stopping")["drain_timeout_s"] == limit


def test_a_hub_that_is_not_there_is_an_error_at_once(crew):
    url = f"ws://127.0.0.1:{crew.unused_port()}"
    for words in (["publish", "--user", "ann", "--to", "bob", "x"], ["subscribe", "--user", "bob"]):
        done = crew.run(sluice_binary(), *words, "--hub", url, check=False)
        assert done.returncode == 3, done.stderr
        assert url in done.stderr


def test_a_hub_that_carries_no_messages_says_so(crew):
    hub = sluice.start_hub(crew)
    for words in (["subscribe", "--user", "bob"], ["publish", "--user", "ann", "--to", "bob", "x"],
                  ["load", "--clients", "3", "--duration", "1s"]):
        done = crew.run(sluice_binary(), *words, *hub.options, check=False, timeout=8)
        assert done.returncode == 3, done.stderr
        assert "carries no messages" in done.stderr and "--open" in done.stderr, done.stderr


def test_who_is_not_let_in_is_told_why_once_and_what_to_show(crew):
    issuer, folder = Issuer(crew.folder()), crew.folder()
    config = folder / "hub.toml"
    config.write_text(issuer.settings, encoding="utf-8")
    (folder / "nonsense.jwt").write_text("nonsense", encoding="utf-8")
    (folder / "late.jwt").write_text(issuer.token("bob", lasts=-3600), encoding="utf-8")
    for name in ("nonsense.jwt", "late.jwt"):
        (folder / name).chmod(0o600)
    keyed, opened = sluice.start_hub(crew, "--config", config), sluice.start_hub(crew, "--open")
    for hub, who in [(keyed, ["--user", "bob"]), (keyed, ["--token-file", folder / "nonsense.jwt"]),
                     (keyed, ["--token-file", folder / "late.jwt"]), (opened, ["--token-file", folder / "late.jwt"])]:
        for words in (["subscribe"], ["publish", "--to", "ann", "x"]):
            done = crew.run(sluice_binary(), *words, *hub.options, *who, check=False)
            assert done.returncode == 1, done.stderr
            reason, hint = done.stderr.splitlines()
            assert reason.startswith("sluice: The hub ended it: ") and reason.count(": ") < 4, reason
            assert "--token-file" in hint and "--user" in hint
    done = crew.run(sluice_binary(), "load", "--clients", "2", *keyed.options, check=False)
    assert done.returncode == 1 and "wants a token" in done.stderr and "open hub" in done.stderr, done.stderr


def test_a_hub_that_carries_no_messages_says_that_it_stores_none(crew):
    for words, warned in ([], True), (["--open"], False):
        hub = sluice.start_hub(crew, "--data", crew.folder(), *words)
        assert hub.process.stop() == 0
        assert ("nothing is stored" in hub.process.transcript(10_000)) == warned


def test_a_reader_that_stops_holds_the_subscription_back(crew, hub):
    reading, writing = os.pipe()
    bob = subprocess.Popen([sluice_binary(), "subscribe", *hub.options, "--user", "bob", "--group", "ops"],
                           stdout=writing, stderr=subprocess.DEVNULL)
    crew.at_end(bob.kill)
    os.close(writing)
    time.sleep(1)  # until it has joined: it says so to nobody here
    # More than the pipe takes, and less than what the client and the hub may hold for it.
    lines = "\n".join(f"{i} " + "x" * 200 for i in range(500))
    assert publish(crew, hub, "--user", "ann", "--group", "ops", input=lines)[0] == 0
    with os.fdopen(reading) as output:
        numbers = [int(output.readline().split()[2]) for _ in range(500)]
    assert numbers == list(range(500))
    bob.send_signal(signal.SIGTERM)
    assert bob.wait(20) == 0


def test_a_load_between_users_adds_up(crew, hub):
    code, run = load(crew, hub, "--clients", "20", "--duration", "2s", "--interval", "50ms")
    assert code == 0, run
    assert run["sent"] == run["accepted"] == run["delivered"] > 20 * 30
    assert run["gapped"] == run["missing"] == run["untold"] == run["duplicates"] == run["out_of_order"] == run["normal_cut"] == 0
    assert 0 < run["p50_ms"] <= run["p99_ms"] <= run["max_ms"]


@pytest.mark.parametrize("more", [["--encoding", "json"], ["--no-ack", "--threads", "2"]])
def test_a_load_in_groups_adds_up(crew, hub, more):
    code, run = load(crew, hub, "--mode", "group", "--groups", "2", "--clients", "20", "--duration", "2s", *more)
    assert code == 0, run
    assert run["delivered"] == 10 * run["accepted"] > 0


def test_slow_clients_are_cut_and_nobody_else(crew, hub):
    code, run = load(crew, hub, "--mode", "group", "--groups", "1", "--clients", "20", "--duration", "8s", "--interval",
                     "100ms", "--slow", "30%", "--slow-delay", "30s")
    assert code == 0, run
    assert run["slow"] == 6
    assert run["slow_cut"] == 6
    assert run["normal_cut"] == run["missing"] == 0
    assert run["sent"] == run["accepted"] + run["refused"] + run["unanswered"]


def test_a_storm_loses_nothing(crew):
    hub = sluice.start_hub(crew, "--open", "--data", crew.folder())
    code, run = load(crew, hub, "--mode", "storm", "--clients", "50", "--duration", "4s", "--interval", "20ms")
    assert code == 0, run
    assert run["reconnects"] == 50
    assert run["sent"] == run["accepted"] == run["delivered"]
    assert run["back_s"] < 30


def test_a_load_that_fails_says_so(crew, hub):
    loader = sluice.start(crew, "load", "load", *hub.options, "--clients", "20", "--duration", "30s", "--interval", "20ms")
    deadline = time.monotonic() + 30
    while len(os.listdir(f"/proc/{hub.process.pid}/fd")) < 25:
        assert time.monotonic() < deadline, "they do not come in"
        time.sleep(0.1)
    time.sleep(1)  # so that they have begun to send
    hub.process.kill()
    assert loader.wait(90) == 1
    assert "normal clients cut" in loader.wait_event("error")["message"]


class Printed:
    """What a subscription prints, taken as far as a test wants: it cannot print much more. A context manager."""

    def __init__(self, crew, hub, *arguments):
        self._reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        self._unread = b""
        self.process = sluice.start(crew, "subscribe", "subscribe", *hub.options, *arguments, stdout=writing)
        os.close(writing)
        crew.adopt(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._reading)

    def _more(self):
        ready, _, _ = select.select([self._reading], [], [], 60)
        assert ready, f"it prints no more:\n{self.process.transcript()}"
        data = os.read(self._reading, 4096)
        self._unread += data
        return data

    def take(self, count):
        """So many events, the next ones."""
        while self._unread.count(b"\n") < count:
            assert self._more(), f"it has ended:\n{self.process.transcript()}"
        *lines, self._unread = self._unread.split(b"\n", count)
        return [json.loads(line) for line in lines]

    def end(self):
        """Those that it prints yet when it is asked to end, and its exit status."""
        self.process.signal(signal.SIGTERM)
        self.process.wait_event("stopping")
        while self._more():
            pass
        return self.take(self._unread.count(b"\n")), self.process.wait()


def test_a_subscription_that_is_ended_while_it_fetches_goes_on_where_it_stopped(crew):
    config, state, count = crew.folder() / "hub.toml", crew.folder() / "bob.state", 4_000
    config.write_text('[rates]\nenabled = false\n[heartbeat]\ninterval = "1h"\n'
                      '[backpressure]\nclose_unwritable_after = "-1s"\n'
                      '[[route]]\nmatch = "group:ops"\npolicy = "newest"\n', encoding="utf-8")
    hub = sluice.start_hub(crew, "--open", "--data", crew.folder(), "--config", config)
    words = ["--user", "bob", "--group", "ops", "--pull", "--state", state]
    bob = Printed(crew, hub, *words)
    bob.process.wait_event("joined", group="ops")
    # While it stands still all but the first of them are dropped for it, and it has to fetch them.
    bob.process.signal(signal.SIGSTOP)
    lines = "\n".join(f"{i} " + "x" * 300 for i in range(count))
    assert publish(crew, hub, "--user", "ann", "--group", "ops", "--level", "stored", input=lines)[0] == 0
    bob.process.signal(signal.SIGCONT)
    first = bob.take(count // 2)
    rest, code = bob.end()
    first += rest
    assert code == 0 and len(first) < count - 1_000
    assert sum("replayed" in event for event in first) > 100, "it was fetching"
    bob = Printed(crew, hub, *words)
    second = bob.take(count - len(first))
    assert bob.end() == ([], 0)
    assert {event["event"] for event in first + second} == {"delivery"}
    assert [event["offset"] for event in first] == list(range(1, len(first) + 1))
    assert [event["offset"] for event in second] == list(range(len(first) + 1, count + 1)), "each once, in order"


@pytest.mark.parametrize("keeps", [True, False])
def test_what_has_come_and_was_not_printed_is_left_to_the_next_run(crew, keeps):
    hub = sluice.start_hub(crew, "--open", "--data", crew.folder())
    lines = [f"line {i}" for i in range(100)]
    assert publish(crew, hub, "--user", "ann", "--to", "bob", "--level", "stored", input="\n".join(lines))[0] == 0
    state = ["--state", crew.folder() / "bob.state"] if keeps else []
    printed = []
    for count in (1, 10, 89):
        bob = subscribe(crew, hub, *state, "--count", count)
        assert bob.wait() == 0
        printed += [event["text"] for event in bob.events if event["event"] == "delivery"]
    assert printed == lines
