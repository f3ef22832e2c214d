"""A running hub in its operator's hands: the commands, the pages, settings that change."""

import asyncio
import json
import re
import signal
import socket
import urllib.error
import urllib.request

import pytest
from harness import sluice, sluice_binary, streams
from harness.messaging import Client, unchecked

TOKEN = "operator-token-0123456789"


@pytest.fixture(name="token_file")
def token_file_fixture(crew):
    path = crew.folder() / "admin.token"
    path.write_text(TOKEN + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def administrate(crew, command, *arguments, hub=None, token_file=None, json_=True):
    options = [*(hub.options if hub else []), *(["--admin-token-file", token_file] if token_file else [])]
    return crew.run(sluice_binary(), command, *arguments, *options, *(["--json"] if json_ else []), check=False)


def ask(hub, method, path, body=None):
    request = urllib.request.Request(hub.url.replace("ws://", "http://") + path, method=method, data=body,
                                     headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def value_of(hub, key):
    return ask(hub, "GET", "/v1/admin/settings")["settings"][key]["value"]


def test_commands_say_what_went_wrong(crew, token_file):
    hub = sluice.start_hub(crew, "--open", "--admin-token-file", token_file)
    wrong = crew.folder() / "wrong.token"
    wrong.write_text("another-token-0123456789", encoding="utf-8")
    short = crew.folder() / "short.token"
    short.write_text("secret", encoding="utf-8")
    for path in (wrong, short):
        path.chmod(0o600)
    for arguments, code, words in [
            (("clients",), 2, "SLUICE_ADMIN_TOKEN_FILE"),
            (("kick", "ann"), 2, "--admin-token-file FILE"),
            (("clients", "--admin-token-file", crew.folder() / "none"), 1, "there is no such file"),
            (("clients", "--admin-token-file", short), 2, "16 to 8192"),
            (("clients", "--admin-token-file", wrong), 1, "does not take this admin token"),
            (("clients", "--admin-token-file", token_file, "--limit", "0"), 2, "--limit"),
            (("kick", "--admin-token-file", token_file), 2, "USER|ID"),
            (("kick", "nobody", "--admin-token-file", token_file), 1, "no connection"),
            (("kick", "0-99", "--admin-token-file", token_file), 1, "no client 0-99")]:
        done = administrate(crew, *arguments, hub=hub)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert words in done.stdout + done.stderr, (arguments, done.stdout, done.stderr)
    down = administrate(crew, "clients", "--hub", f"ws://127.0.0.1:{crew.unused_port()}", token_file=token_file)
    assert down.returncode == 3, down.stdout


def test_a_hub_without_a_token_has_no_administration(crew, token_file):
    hub = sluice.start_hub(crew, "--open")
    done = administrate(crew, "clients", hub=hub, token_file=token_file)
    assert done.returncode == 1
    assert "admin.token_file" in done.stdout


def test_a_hub_does_not_start_without_its_token(crew):
    hub = sluice.start(crew, "hub", "hub", "--open", "--listen", "127.0.0.1:0", "--admin-token-file", "/nowhere/token")
    assert hub.wait() == 1
    assert "/nowhere/token" in hub.wait_event("error")["message"]


def test_clients_are_listed_and_kicked_through_a_pinned_hub(crew, token_file):
    hub = sluice.start_hub(crew, "--open", "--admin-token-file", token_file, "--dev-cert", crew.folder() / "dev")
    asyncio.run(lists_and_kicks(crew, hub, token_file))


async def lists_and_kicks(crew, hub, token_file):
    ann = await Client.connect(hub.url, "ann b")

    async def run(*arguments, **options):
        done = await asyncio.to_thread(administrate, crew, *arguments, hub=hub, token_file=token_file, **options)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.splitlines()

    table = await run("clients", json_=False)
    heads = ["ID", "USER", "REMOTE", "AGENT", "AGE", "GROUPS", "WAITING", "UNACKNOWLEDGED", "OLDEST"]
    assert table[0].split() == heads, table
    assert "ann b" in table[1] and table[2] == "1 client", table
    kicked = [json.loads(line) for line in await run("kick", "ann b", "--message", "enough")]
    assert kicked == [{"event": "kicked", "user": "ann b", "connections": 1}]
    kick = await ann.hear("kick")
    assert (kick["reason"], kick["message"]) == ("KICKED", "enough")
    assert await ann.ended() == 4053
    left = [json.loads(line) for line in await run("clients", "--user", "ann b")]
    assert left == [{"event": "done", "clients": 0, "more": False}]


def test_settings_change_until_the_file_is_read_again(crew, token_file):
    config = crew.folder() / "hub.toml"
    config.write_text(f"""
        [listen]
        addresses = ["127.0.0.1:0"]
        [auth]
        open = true
        [store]
        folder = "data"
        max_messages = 100
        [admin]
        token_file = "{token_file}"
        """, encoding="utf-8")
    process = sluice.start(crew, "hub", "hub", "--config", config)
    hub = sluice.Hub(process, process.wait_event("listening")["url"], None)
    changed = ask(hub, "PATCH", "/v1/admin/settings", 
                  b"[store]\nmax_messages = 3\n[heartbeat]\ninterval = '5s'\n[listen]\nmax_connections = 7\n")
    assert changed == {"applied": ["heartbeat.interval", "store.max_messages"],
                       "needsRestart": ["listen.max_connections"]}
    assert (value_of(hub, "store.max_messages"), value_of(hub, "listen.max_connections")) == (3, 10_000)
    asyncio.run(keeps_three(hub))
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(hub, "PATCH", "/v1/admin/settings", b"[store]\nmax_message = 3\n")
    assert refused.value.code == 400
    assert "did you mean `max_messages`?" in json.loads(refused.value.read())["message"]
    process.signal(signal.SIGHUP)
    process.wait_event("reloaded")
    assert value_of(hub, "store.max_messages") == 100
    assert process.stop() == 0


def test_a_change_of_one_setting_leaves_the_log_as_it_is(crew, token_file):
    hub = sluice.start_hub(crew, "--open", "--admin-token-file", token_file)
    assert value_of(hub, "log.level") == "warn"
    ask(hub, "PATCH", "/v1/admin/settings", b"[store]\nmax_messages = 3\n")
    assert value_of(hub, "log.level") == "warn"
    assert "changed settings" not in hub.process.transcript(), "it is told at info"
    ask(hub, "PATCH", "/v1/admin/settings", b'[log]\nlevel = "info"\n')
    hub.process.wait_line("changed settings")
    assert hub.process.stop() == 0


async def keeps_three(hub):
    """What is kept of a group follows the settings of now."""
    ann = await Client.connect(hub.url, "ann")
    assert ann.welcome["heartbeatIntervalMs"] == 5000
    for number in range(6):
        await ann.publish({"group": "ops"}, str(number), level="STORED")
        assert (await ann.hear("receipt"))["level"] == "STORED"
    late = await Client.connect(hub.url, "late")
    await late.say(join={"group": "ops", "from": {}})
    kept = [(await late.hear("delivery"))["content"]["text"] for _ in range(3)]
    assert kept == ["3", "4", "5"]
    await ann.close()
    await late.close()


def test_a_store_whose_bound_is_lowered_keeps_the_newest(crew, token_file):
    hub = sluice.start_hub(crew, "--open", "--admin-token-file", token_file, "--data", crew.folder() / "data")
    asyncio.run(lowers_the_bound(hub))
    assert hub.process.stop() == 0


async def lowers_the_bound(hub):
    def stored():
        return ask(hub, "GET", "/v1/admin/status")["messaging"]["store"]["messages"]

    ann = await Client.connect(hub.url, "ann")
    for number in range(100):
        await ann.publish({"group": "ops"}, f"{number} ".ljust(40_000, "x"), level="STORED")
        assert (await ann.hear("receipt"))["level"] == "STORED"
    assert stored() == 100
    changed = ask(hub, "PATCH", "/v1/admin/settings", b'[store]\nbound = "1MiB"\nmax_bytes = "1MiB"\n')
    assert changed == {"applied": ["store.bound", "store.max_bytes"], "needsRestart": []}
    await asyncio.to_thread(streams.eventually, "the oldest are evicted", lambda: stored() < 30)
    await ann.publish({"group": "ops"}, "100 ", level="STORED")
    assert (await ann.hear("receipt"))["level"] == "STORED"
    late = await Client.connect(hub.url, "late")
    await late.say(join={"group": "ops", "from": {}})
    numbers = [-1]
    while numbers[-1] < 100:
        numbers.append(int((await late.hear("delivery"))["content"]["text"].split()[0]))
    assert 10 < len(numbers) < 30, numbers
    await ann.close()
    await late.close()


def own_address():
    """One of this machine's that is not loopback's, whose connections count like anybody's; none: None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return None
        return probe.getsockname()[0]


def test_connections_of_an_address_are_as_many_as_the_file_says_now(crew):
    if (address := own_address()) is None:
        pytest.skip("this machine has no address but loopback's")
    config = crew.folder() / "hub.toml"

    def write(most):
        config.write_text(f'[listen]\naddresses = ["{address}:0"]\ndev_cert = "dev"\n'
                          f"[admission]\nper_address = {most}\n", encoding="utf-8")

    write(2)
    process = sluice.start(crew, "hub", "hub", "--config", config)
    port = int(process.wait_event("listening")["url"].rsplit(":", 1)[1])
    connected = []

    def is_let_in():
        """Asks for a WebSocket; a hub that is full still reads requests for its pages."""
        try:
            connection = socket.create_connection((address, port), timeout=30)
            connected.append(unchecked().wrap_socket(connection))
            connected[-1].sendall(f"GET /v1/mailbox HTTP/1.1\r\nHost: {address}:{port}\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
            return connected[-1].recv(12) == b"HTTP/1.1 101"
        except OSError:
            return False

    assert [is_let_in() for _ in range(3)] == [True, True, False]
    write(3)
    process.signal(signal.SIGHUP)
    assert process.wait_event("reloaded")["needs_restart"] == []
    assert [is_let_in() for _ in range(2)] == [True, False]
    for connection in connected:
        connection.close()
    assert process.stop() == 0


def test_metrics_are_read_by_a_scraper(crew, token_file):
    hub = sluice.start_hub(crew, "--open", "--admin-token-file", token_file)
    page = hub.url.replace("ws://", "http://") + "/metrics"
    with urllib.request.urlopen(page, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = answer.read().decode().splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    described = {line.split()[2] for line in lines if line.startswith("# HELP")}
    for line in samples:
        name, value = line.rsplit(" ", 1)
        family = re.sub("_(bucket|sum|count)$", "", name.split("{")[0])  # a histogram's
        assert name.split("{")[0] in described or family in described, line
        float(value)
    assert "sluice_hub_books_balanced 1" in samples
    process = ask(hub, "GET", "/v1/admin/status")["process"]
    assert process["residentBytes"] > 1 << 20 and process["openDescriptors"] > 3, process
