"""What the messaging benches share: the hub and the servers beside it, each as one route that clients can be sent to."""

import os
import time

import measure
from harness import procfs, sluice

WS_LOAD = measure.BUILD / "bench" / "ws_load" / "ws_load"
SEND_LOOP = measure.BUILD / "bench" / "send_loop" / "send_loop"
PEERS = measure.ROOT / "bench" / "peers"
JARS = ":".join(f"/usr/share/java/netty-{name}.jar"
                for name in ("buffer", "codec", "codec-http", "common", "handler", "resolver", "transport"))
EVENT_LOOPS = 2
"""Of the hub and of Netty; `ws` has one."""
KIB = 1024
PAGE = os.sysconf("SC_PAGE_SIZE")


class HubRoute:
    """`sluice hub --open`, with the settings given and all others at their defaults."""

    dialect = "hub"

    def __init__(self, crew, settings=""):
        file = crew.folder() / "hub.toml"
        file.write_text(settings)
        self.hub = sluice.start_hub(crew, "--open", "--shards", EVENT_LOOPS, "--config", file)
        self.process = self.hub.process
        self.port = int(self.hub.url.rpartition(":")[2].rstrip("/"))

    def end(self):
        """As an operator ends it: it says no when its books do not balance."""
        self.process.signal(15)
        code = self.process.wait()
        assert code == 0, f"the hub ended with {code}\n{self.process.transcript()}"


class PeerRoute:
    """A server that hands every message on to everyone."""

    dialect = "plain"

    def __init__(self, crew, name, *command):
        self.process = crew.start(name, *command)
        self.port = self.process.wait_event("listening")["port"]

    def end(self):
        self.process.kill()


def netty(crew, classes, *words):
    # A heap as a server of this size gets one: Java's default is a quarter of the machine.
    return PeerRoute(crew, "netty", "java", "-Xmx512m", "-cp", f"{JARS}:{classes}", "Broadcast", EVENT_LOOPS, *words)


def ws(crew):
    return PeerRoute(crew, "ws", "node", PEERS / "ws" / "broadcast.mjs")


def send_loop(crew):
    return PeerRoute(crew, "send_loop", SEND_LOOP)


def build_netty(crew):
    """Compiles the server; returns the folder of its classes, which goes with the crew."""
    classes = crew.folder()
    crew.run("javac", "-cp", JARS, "-d", classes, PEERS / "netty" / "Broadcast.java")
    return classes


def start_clients(crew, route, mode, *numbers, **options):
    return crew.start("ws_load", WS_LOAD, mode, route.dialect, route.port, route.process.pid, *numbers, **options)


def rss_mb(route):
    return procfs.rss(route.process.pid) / measure.MIB


def peers(crew, names):
    """How to start each server of these names, in a crew of the run's own."""
    classes = build_netty(crew) if any(name.startswith("netty") for name in names) else None
    known = {"netty": lambda here: netty(here, classes),
             "netty_consolidated": lambda here: netty(here, classes, "consolidated"),
             "ws": ws,
             "send_loop": send_loop}
    return {name: known[name] for name in names}


def idle_cores(seconds=1.0):
    """How much of the machine nobody uses, in cores: what a figure is worth depends on it."""
    def idle():
        with open("/proc/stat", encoding="ascii") as stat:
            return int(stat.readline().split()[4]) / os.sysconf("SC_CLK_TCK")
    before = idle()
    time.sleep(seconds)
    return (idle() - before) / seconds


def socket_memory_mb():
    """What the kernel holds for all TCP sockets of this machine: /proc/net/sockstat, in pages."""
    with open("/proc/net/sockstat", encoding="ascii") as stat:
        for line in stat:
            words = line.split()
            if words[0] == "TCP:":
                return int(words[words.index("mem") + 1]) * PAGE / measure.MIB
    raise RuntimeError("no TCP in /proc/net/sockstat")
