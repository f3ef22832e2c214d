"""The program under test, started as its users start it."""

import dataclasses
import os
import pathlib

from .process import Process

ROOT = pathlib.Path(__file__).resolve().parents[3]
SOFT_DESCRIPTORS = 256
"""Open files that it may begin with: the crew raises its own limit for load programs, this program has to by itself."""


def sluice_binary():
    """SLUICE_BIN, or the release build of this source tree."""
    return os.environ.get("SLUICE_BIN", str(ROOT / "build/release/src/cli/sluice"))


def start(crew, name, *arguments, prefix=(), env=None, **options):
    """Its temporary files go with the crew: those of a hub in memory that is killed would stay behind."""
    limited = ["prlimit", f"--nofile={SOFT_DESCRIPTORS}:", *prefix]
    env = {"TMPDIR": str(crew.folder()), **(env or {})}
    return crew.start(name, sluice_binary(), *arguments, "--json", prefix=limited, env=env, **options)


@dataclasses.dataclass
class Hub:
    process: Process
    url: str
    fingerprint: str | None

    @property
    def options(self):
        """How a peer reaches this hub."""
        pin = ["--hub-pin", self.fingerprint] if self.fingerprint else []
        return ["--hub", self.url, *pin]


def start_hub(crew, *arguments, **options):
    """A hub on a port of loopback that the kernel chose, unless the arguments say where."""
    if "--listen" not in arguments:
        arguments = ("--listen", "127.0.0.1:0", *arguments)
    process = start(crew, "hub", "hub", *arguments, **options)
    listening = process.wait_event("listening", service="hub")
    return Hub(process, listening["url"], listening.get("fingerprint"))


def start_host(crew, hub, *arguments, **options):
    """A host; `wait_code` tells its first code."""
    return start(crew, "host", "host", *arguments, *hub.options, **options)


def wait_code(host):
    return host.wait_event("waiting", where=lambda event: event.get("code"))["code"]


def start_forward(crew, hub, *arguments, name="forward", **options):
    return start(crew, name, "forward", *arguments, *hub.options, **options)


def listening_port(forward, **fields):
    return forward.wait_event("listening", service="forward", **fields)["port"]


@dataclasses.dataclass
class Tunnel:
    """Hub, host and one forward, connected."""

    hub: Hub
    host: Process
    forward: Process
    connected: dict  # forward's event
    ports: list  # one for each -L, in the order of `listens`
    code: str = ""  # the host's first one

    @property
    def port(self):
        return self.ports[0]

    @property
    def peers(self):
        return {"host": self.host, "forward": self.forward}

    @staticmethod
    def open(crew, *targets, listens=("0",), hub=None, host_options=(), forward_options=(), host_in=None,
             forward_in=None):
        """`targets` as `sluice host` takes them, numbers being ports on loopback; `listens` as `-L` takes them.

        `host_in` and `forward_in` are what Process takes: `netns`, `env`.
        """
        hub = hub or start_hub(crew)
        host = start_host(crew, hub, *map(target_text, targets), *host_options, **(host_in or {}))
        code = wait_code(host)
        places = [word for place in listens for word in ("-L", place)]
        forward = start_forward(crew, hub, code, *places, *forward_options, **(forward_in or {}))
        connected = forward.wait_event("connected")
        ports = [listening_port(forward) for _ in listens]
        host.wait_event("peer_connected")
        return Tunnel(hub, host, forward, connected, ports, code)


def target_text(target):
    return f"127.0.0.1:{target}" if isinstance(target, int) else target
