"""A hub behind proxies: it knows each client by its own address, and believes nobody else's word about it."""

import contextlib
import socket
import struct

import pytest
from harness import services, sluice_binary
from harness.hub_clients import MessagingHub
from harness.hub_door import Door, get, upgrade
from harness.hub_tokens import Issuer

BEHIND = """
[listen]
trusted_proxies = ["127.0.0.1"]
forwarding = "{forwarding}"
[admission]
per_address = 1
"""
FIELDS = {
    "x-forwarded-for": ["X-Forwarded-For: 6.6.6.6, {client}", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: {client}"],
    "forwarded": ['Forwarded: for=6.6.6.6, for={client};proto=https', 'Forwarded: proto=http;for="{client}:4711"'],
}


def statuses(port, *headers, source="127.0.0.1"):
    """Those of upgrades that stay open beside each other, one for each header."""
    with contextlib.ExitStack() as doors:
        return [doors.enter_context(Door(port, source)).ask(upgrade("/v1/hub", header)) for header in headers]


@pytest.mark.parametrize("forwarding", FIELDS)
def test_each_client_counts_by_its_own_address(crew, forwarding):
    hub = MessagingHub(crew, BEHIND.format(forwarding=forwarding)).wait()
    one, other = FIELDS[forwarding]
    assert statuses(hub.port, one.format(client="203.0.113.5"), other.format(client="203.0.113.5"),
                    one.format(client="203.0.113.6")) == [101, 503, 101]
    assert hub.terminate() == 0
    rejected = [line["message"] for line in hub.lines() if "rejected connections" in line.get("message", "")]
    assert len(rejected) == 1 and "203.0.113.5" in rejected[0]


@pytest.mark.parametrize("forwarding", FIELDS)
def test_nobody_but_a_trusted_proxy_is_believed(crew, forwarding):
    hub = MessagingHub(crew, BEHIND.format(forwarding=forwarding)).wait()
    spoofed = FIELDS[forwarding][0].format(client="203.0.113.5")
    assert statuses(hub.port, spoofed, spoofed, source="127.0.0.2") == [101, 101]
    other = next(field for name, field in FIELDS.items() if name != forwarding)[0].format(client="203.0.113.5")
    assert statuses(hub.port, other, other) == [101, 101], "the field that the proxy does not know is the client's"
    assert hub.terminate() == 0


def version_1(client):
    return f"PROXY TCP4 {client} 198.51.100.1 4711 443\r\n".encode()


def version_2(client):
    body = socket.inet_aton(client) + socket.inet_aton("198.51.100.1") + struct.pack("!HH", 4711, 443)
    body += b"\x03\x00\x04abcd"  # a checksum, which is skipped
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", len(body)) + body


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("header", [version_1, version_2])
def test_the_proxy_protocol_names_the_client(crew, header, tls):
    more = ["--dev-cert", crew.folder() / "certificate"] if tls else []
    hub = MessagingHub(crew, BEHIND.format(forwarding="proxy-protocol"), *more).wait()

    def status(door):
        return door.ask(upgrade())

    with Door(hub.port, preface=header("203.0.113.5"), tls=tls) as first:
        assert status(first) == 101
        with contextlib.suppress(OSError), Door(hub.port, preface=header("203.0.113.5"), tls=tls) as second:
            assert status(second) in (None, 503)
        with Door(hub.port, preface=header("203.0.113.6"), tls=tls) as third:
            assert status(third) == 101
            third.say({"hello": {"user": "ann"}})
            assert "welcome" in third.hear()
    with Door(hub.port, preface=b"PROXY UNKNOWN\r\n", tls=tls) as check:
        assert check.ask(get("/healthz")) == 200
    with Door(hub.port, source="127.0.0.2", tls=tls) as direct:
        assert direct.ask(get("/healthz")) == 200, "who is no proxy sends no header"
    with contextlib.suppress(OSError), Door(hub.port, tls=tls) as without:
        assert without.ask(get("/healthz")) is None
    assert hub.terminate() == 0


def test_a_header_that_comes_in_pieces_is_taken(crew):
    hub = MessagingHub(crew, BEHIND.format(forwarding="proxy-protocol")).wait()
    with Door(hub.port) as door:
        for byte in version_2("203.0.113.5"):
            door.socket.sendall(bytes([byte]))
        assert door.ask(get("/healthz")) == 200
    assert hub.terminate() == 0


def start_reverse_proxy(crew, hub_port):
    """nginx in front of a hub; returns its port."""
    folder = crew.folder()

    def start(port):
        configuration = folder / "nginx.conf"
        configuration.write_text(f"""
            daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr notice;
            events {{ worker_connections 1024; }}
            http {{
              access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
              fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
              server {{
                listen 127.0.0.1:{port};
                location / {{
                  proxy_pass http://127.0.0.1:{hub_port};
                  proxy_http_version 1.1;
                  proxy_set_header Upgrade $http_upgrade;
                  proxy_set_header Connection "upgrade";
                  proxy_set_header Host $http_host;
                  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                }}
              }}
            }}""", encoding="utf-8")
        nginx = crew.start("nginx", "nginx", "-c", configuration, "-p", folder, "-e", "stderr")
        nginx.wait_line("using the \"epoll\" event method")
        return port

    return services.start_on_free_port(start)


def test_bad_joins_of_one_client_of_a_proxy_block_no_other(crew):
    hub = MessagingHub(crew, '[listen]\ntrusted_proxies = ["127.0.0.1"]\n').wait()
    port = start_reverse_proxy(crew, hub.port)

    def join(source):
        with Door(port, source) as door:
            assert door.ask(upgrade("/v1/mailbox", "X-Forwarded-For: 127.0.0.6")) == 101
            door.say({"type": "join", "mailbox": "123456789"})
            return door.hear()["code"]

    codes = [join("127.0.0.5") for _ in range(12)]
    assert codes[:10] == ["not_found"] * 10 and codes[-1] == "too_many_tries"
    assert join("127.0.0.6") == "not_found"
    assert hub.terminate() == 0


def test_a_plain_address_is_served_beyond_loopback_when_it_is_asked_for(crew):
    issuer = Issuer(crew.folder())
    hub = MessagingHub(crew, '[listen]\nplain = ["0.0.0.0:0"]\n' + issuer.settings, is_open=False)
    urls = hub.process.wait_event("listening", service="hub")["urls"]
    assert len(urls) == 2 and urls[1].startswith("ws://0.0.0.0:")
    with Door(int(urls[1].rsplit(":", 1)[1])) as door:
        assert door.ask(get("/healthz")) == 200
    assert hub.terminate() == 0


@pytest.mark.parametrize("arguments", [["--open"], []], ids=["argument", "setting"])
def test_an_open_hub_has_no_plain_address(crew, arguments):
    file = crew.folder() / "hub.toml"
    file.write_text('[listen]\nplain = ["0.0.0.0:0"]\n' + ("" if arguments else "[auth]\nopen = true\n"))
    done = crew.run(sluice_binary(), "hub", "--config", file, "--json", *arguments, check=False)
    assert done.returncode != 0
    assert "listen.plain" in done.stdout
