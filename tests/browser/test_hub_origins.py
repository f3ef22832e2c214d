"""A hub and the pages that headless Chromium shows: its own may use it, those of others may not."""

import json
import pathlib
import re
import subprocess

import pytest
from harness.hub_clients import MessagingHub

FOLDER = pathlib.Path(__file__).resolve().parent
ADMIN_TOKEN = "0123456789abcdef"
NOTHING = {"page": "TypeError", "metrics": "TypeError", "embedded": "TypeError", "admin": "TypeError", "hub": 1006,
           "mailbox": 1006}
EVERYTHING = {"page": 200, "metrics": 200, "embedded": 200, "admin": 200, "hub": "open", "mailbox": "open"}


class Browser:
    def __init__(self, crew):
        self._process = crew.start("chromium", "node", "chromium_origins.mjs", cwd=FOLDER, stdin=subprocess.PIPE,
                                   env={"TMPDIR": str(crew.folder())})
        self.origin = self._process.wait_event("ready")["origin"]

    def try_from(self, where, url):
        """What a page that comes from there can do with the hub at that URL."""
        self._process.stdin.write(json.dumps({"order": "try", "from": where, "url": url}).encode() + b"\n")
        self._process.stdin.flush()
        tried = self._process.wait_event("tried")
        return {what: tried[what] for what in EVERYTHING}

    def end(self):
        self._process.stdin.close()
        assert self._process.wait() == 0


@pytest.fixture(name="browser")
def browser_fixture(crew):
    browser = Browser(crew)
    yield browser
    browser.end()


@pytest.fixture(name="hub_with", params=["http", "https"])
def hub_with_fixture(crew, request):
    """Starts hubs that are open, with administration, and are reached by that scheme."""
    def start(*arguments):
        folder = crew.folder()
        token = folder / "admin.token"
        token.write_text(ADMIN_TOKEN, encoding="utf-8")
        token.chmod(0o600)
        tls = ["--dev-cert", folder / "certificate"] if request.param == "https" else []
        hub = MessagingHub(crew, "", "--admin-token-file", token, *tls, *arguments).wait()
        hub.web = hub.url.replace("ws", "http", 1)
        assert hub.web.startswith(request.param + "://")
        return hub
    return start


def refused(hub, crew):
    page = crew.run("curl", "-sSfk", hub.web + "/metrics").stdout
    return {how: int(float(count)) for how, count in re.findall(r'ended_total\{how="(foreign_\w+)"\} (\S+)', page)}


def test_its_own_pages_may_use_it(browser, hub_with):
    hub = hub_with()
    assert browser.try_from(hub.web + "/healthz", hub.web) == EVERYTHING
    by_name = hub.web.replace("127.0.0.1", "localhost")
    assert browser.try_from(by_name + "/healthz", by_name) == EVERYTHING


def test_pages_of_another_port_may_not(crew, browser, hub_with):
    hub = hub_with()
    assert browser.try_from("here", hub.web) == NOTHING
    assert refused(hub, crew) == {"foreign_host": 0, "foreign_origin": 6}
    assert hub.log("rejected a request that a page of another origin made (auth.origins)")


def test_pages_without_an_origin_may_not(browser, hub_with):
    assert browser.try_from("null", hub_with().web) == NOTHING


def test_a_page_whose_name_was_rebound_may_not(crew, browser, hub_with):
    hub = hub_with()
    evil = hub.web.replace("127.0.0.1", "evil.test")
    tried = browser.try_from("rebound:" + evil + "/page", evil)
    # To the browser it is the page's own server; newer ones also keep such a page from loopback by themselves.
    assert (tried["hub"], tried["mailbox"]) == (1006, 1006)
    assert {tried[what] for what in ("page", "metrics", "embedded", "admin")} <= {403, "TypeError"}
    found = refused(hub, crew)
    assert found["foreign_origin"] == 0
    if hub.web.startswith("https"):  # without TLS the browser may not even ask
        assert found["foreign_host"] >= 2


def test_a_listed_page_may_open_sockets_and_reads_no_page(browser, hub_with):
    hub = hub_with("--allow-origin", browser.origin)
    tried = browser.try_from("here", hub.web)
    assert (tried["hub"], tried["mailbox"]) == ("open", "open")
    assert (tried["page"], tried["metrics"], tried["admin"]) == ("TypeError", "TypeError", "TypeError")
