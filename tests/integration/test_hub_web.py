"""A hub as HTTP clients, browsers' requests, load balancers and operators meet it."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest
from harness import sluice, streams
from harness.hub_clients import Loop, MessagingHub

UPGRADE = ("GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n")
JSON = "Sec-WebSocket-Protocol: sluice.v1.json\r\n"


def masked(text):
    data = text.encode()
    assert len(data) < 126
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


def port_of(hub):
    return int(hub.url.rsplit(":", 1)[1])


def connect(hub):
    connection = socket.create_connection(("127.0.0.1", port_of(hub)), timeout=30)
    if hub.url.startswith("wss"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    return connection


def exchange(hub, text):
    """The status of the answer, and all of it."""
    with connect(hub) as connection:
        connection.sendall(text.encode())
        answer = streams.read_to_end(connection).decode()
    return int(answer.split()[1]), answer


def status(hub, request="GET /healthz", **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
    return exchange(hub, f"{request} HTTP/1.1\r\n{lines}\r\n")[0]


# --- bytes behind the request


@pytest.mark.parametrize("options", [[], ["--dev-cert"]], ids=["plain", "tls"])
def test_a_frame_that_comes_with_the_upgrade_of_a_mailbox_is_handled(crew, options):
    hub = sluice.start_hub(crew, *options, *([crew.folder() / "dev"] if options else []))
    with connect(hub) as connection:
        connection.sendall(UPGRADE.format(path="/v1/mailbox", host="localhost", more="").encode() +
                           masked('{"type":"open"}'))
        heard = b""
        while b'"opened"' not in heard:
            more = connection.recv(4096)
            assert more, heard
            heard += more


# --- whose requests it takes


@pytest.mark.parametrize("path, more", [("/v1/hub", JSON), ("/v1/mailbox", "")])
def test_a_page_of_another_origin_opens_no_socket(crew, path, more):
    hub = MessagingHub(crew).wait()
    own = f"127.0.0.1:{hub.port}"

    def upgrade(host=own, origin=None):
        return UPGRADE.format(path=path, host=host, more=more + (f"Origin: {origin}\r\n" if origin else ""))

    def code(text):
        with connect(hub) as connection:
            connection.sendall(text.encode())
            return int(connection.recv(4096).split()[1])

    assert code(upgrade()) == 101
    assert code(upgrade(origin=f"http://{own}")) == 101
    assert code(upgrade(origin="http://127.0.0.1:1")) == 403
    assert code(upgrade(origin="null")) == 403
    assert code(upgrade(host="evil.test")) == 403
    assert code(upgrade(host="evil.test", origin="http://evil.test")) == 403
    assert code(upgrade() .replace("Host:", "Host: localhost\r\nHost:")) == 400
    assert code(upgrade().replace("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version")) == 400
    hub.reload('[auth]\norigins = ["http://127.0.0.1:1"]\n[listen]\nhosts = ["hub.example"]\n')
    hub.process.wait_event("reloaded")
    assert code(upgrade(origin="http://127.0.0.1:1")) == 101
    assert code(upgrade(host="hub.example", origin="https://hub.example")) == 101
    assert hub.terminate() == 0


def test_every_page_looks_at_host_and_origin(crew):
    hub = MessagingHub(crew).wait()
    for request in ("GET /healthz", "GET /readyz", "GET /metrics", "GET /v1/admin/status", "DELETE /v1/admin/clients/0-1",
                    "OPTIONS /v1/admin/settings", "GET /nowhere"):
        assert status(hub, request, Host="evil.test") == 403, request
        assert status(hub, request, Origin="http://evil.test") == 403, request
        assert exchange(hub, f"{request} HTTP/1.1\r\n\r\n")[0] == 400, request
    assert status(hub, Origin=f"http://localhost:{hub.port}") == 200
    assert exchange(hub, "GET /healthz HTTP/1.0\r\n\r\n")[0] == 200, "load balancers ask so"
    told = streams.eventually(
        "it is logged", lambda: hub.log("rejected a request for a host that this hub does not go by (listen.hosts)"))
    assert len(told) == 1 and told[0]["host"] == "evil.test", "once a minute"
    assert hub.terminate() == 0


@pytest.mark.parametrize("settings, message", [
    ('[auth]\norigins = ["*"]\n', "open hub"), ('[listen]\nhosts = ["*"]\n', "open hub"),
    ('[auth]\norigins = ["app.example"]\n', "is not an origin"), ('[listen]\nhosts = ["a/b"]\n', "is not a host")])
def test_an_open_hub_is_not_for_every_page(crew, settings, message):
    hub = MessagingHub(crew, settings)
    assert hub.process.wait() == 2
    assert message in json.dumps(hub.process.wait_event("error"))


# --- health


def test_all_connections_are_counted(crew):
    hub = MessagingHub(crew).wait()
    loop = crew.adopt(Loop())
    clients = [loop.client(hub, f"u{i}") for i in range(3)]
    with connect(hub):
        found = streams.eventually("they are counted", lambda: json.loads(hub.page("/healthz")[1])["connections"] == 5)
    assert found and len(clients) == 3
    assert hub.page("/readyz") == (200, '{"status":"ready"}\n')
    assert hub.terminate() == 0


def test_a_hub_that_drains_is_alive_and_not_ready(crew):
    hub = MessagingHub(crew).wait()
    loop = crew.adopt(Loop())
    # One that never answers its close frame: the hub waits for it.
    with connect(hub) as deaf:
        deaf.sendall(UPGRADE.format(path="/v1/hub", host="localhost", more=JSON).encode())
        assert b" 101 " in deaf.recv(4096)
        loop.client(hub, "ann")
        hub.process.signal(signal.SIGTERM)
        hub.process.wait_event("stopping")
        status_code, text = hub.page("/readyz")
        assert (status_code, json.loads(text)["reason"]) == (503, "draining")
        assert hub.page("/healthz")[0] == 200
    assert hub.process.wait(40) == 0


def test_figures_may_ask_for_a_token(crew):
    token = crew.folder() / "metrics.token"
    token.write_text("0123456789abcdef\n", encoding="utf-8")
    token.chmod(0o600)
    hub = MessagingHub(crew, f'[metrics]\ntoken_file = "{token}"\n').wait()
    assert status(hub, "GET /metrics") == 401
    assert status(hub, "GET /metrics", Authorization="Bearer 0123456789abcdeg") == 401
    assert status(hub, "GET /metrics", Authorization="Bearer 0123456789abcdef") == 200
    assert status(hub) == 200
    hub.reload("")
    hub.process.wait_event("reloaded")
    assert status(hub, "GET /metrics") == 200
    assert hub.terminate() == 0


def test_figures_are_gathered_once_a_second(crew):
    hub = MessagingHub(crew, "[metrics]\n").wait()
    begun = time.monotonic()
    pages = [exchange(hub, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")[1].split("\r\n\r\n")[1] for _ in range(20)]
    spent = time.monotonic() - begun
    assert len(set(pages)) <= 2 + spent
    assert hub.terminate() == 0


# --- what is read again


def certificate(folder, name):
    """A pair of its own, as PEM."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def shown(hub):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port_of(hub)), timeout=30) as connection:
        with context.wrap_socket(connection) as secure:
            return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True))


def test_a_renewed_certificate_is_taken_up_and_half_a_pair_is_not(crew):
    folder = crew.folder()
    old, new = certificate(folder, "old"), certificate(folder, "new")
    cert, key = folder / "hub.pem", folder / "hub.key"
    shutil.copy(old[0], cert)
    shutil.copy(old[1], key)
    key.chmod(0o600)
    hub = sluice.start_hub(crew, "--tls-cert", cert, "--tls-key", key)
    first = shown(hub)
    shutil.copy(new[0], cert)
    hub.process.wait_line("the certificate stays as it was")
    assert shown(hub) == first
    os.replace(new[1], key)
    streams.eventually("it is taken up", lambda: shown(hub) == new[0].read_text(encoding="utf-8"))
    assert hub.process.stop() == 0


def test_a_hang_up_ends_no_hub(crew):
    hub = sluice.start_hub(crew, "--open")
    for _ in range(2):
        hub.process.signal(signal.SIGHUP)
        assert hub.process.wait_event("reloaded")["needs_restart"] == []
    assert status(hub) == 200
    assert hub.process.stop() == 0


def test_the_log_says_what_a_reload_has_changed(crew):
    hub = MessagingHub(crew, "[memory]\nlimit = '64MiB'\n").wait()
    hub.reload("[memory]\nlimit = '32MiB'\n[listen]\nmax_connections = 7\n")
    hub.process.wait_event("reloaded")
    waits = streams.eventually("it is logged", lambda: hub.log("a setting waits for a restart"))
    assert [line["key"] for line in waits] == ["listen.max_connections"]
    assert [(line["key"], line["from"], line["to"]) for line in hub.log("a setting has changed")] == [
        ("memory.limit", '"64MiB"', '"32MiB"')]
    hub.reload("[memory]\nlimits = 1\n")
    hub.process.wait_event("reload_failed")
    told = streams.eventually("it is logged", lambda: hub.log("the settings stay as they were"))
    assert "did you mean `limit`?" in told[0]["why"]
    assert hub.terminate() == 0


# --- secrets


def test_a_secret_that_others_may_read_is_refused_with_the_command_to_run(crew):
    folder = crew.folder()
    cert, key = certificate(folder, "hub")
    token = folder / "token"
    token.write_text("0123456789abcdef\n", encoding="utf-8")
    for path, arguments in ((key, ["--tls-cert", cert, "--tls-key", key]), (token, ["--admin-token-file", token])):
        path.chmod(0o644)
        hub = sluice.start(crew, "hub", "hub", "--open", "--listen", "127.0.0.1:0", *arguments)
        assert hub.wait() != 0
        assert f"chmod 600 {path}" in hub.wait_event("error")["message"]
    data = folder / "data"
    data.mkdir()
    data.chmod(0o777)
    hub = sluice.start(crew, "hub", "hub", "--open", "--listen", "127.0.0.1:0", "--data", data)
    assert hub.wait() != 0
    assert f"chmod go-w {data}" in hub.wait_event("error")["message"]


@pytest.mark.parametrize("options, is_spoken", [
    (["-tls1_3"], True), (["-tls1_2", "-cipher", "ECDHE+AESGCM"], True), (["-tls1_2", "-cipher", "ECDHE+AES:!AESGCM:!AESCCM"], False),
    (["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"], False), (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], False)])
def test_only_modern_tls_is_spoken(crew, options, is_spoken):
    hub = sluice.start_hub(crew, "--dev-cert", crew.folder() / "dev")
    done = crew.run("openssl", "s_client", "-connect", f"127.0.0.1:{port_of(hub)}", *options, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode == 0) == is_spoken, done.stdout
    assert hub.process.stop() == 0
