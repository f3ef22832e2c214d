#!/usr/bin/python3
"""Slow clients among others: 200 clients, 60 of which rest 5 s after each message, with 10 messages a second each.

As `single_e2e`, each to the next one's inbox, as ten groups of 20, and the first with clients that acknowledge nothing,
which show as slow only when the kernel's buffers are full. The hub
with its default settings is to cut all 60 within 5 s of their first rest and nobody else, to serve the others as if
nothing were, and to stay small: its own memory after the first 10 s, and the kernel's for all TCP sockets of the machine.
`cuts_logged`: lines of the hub's log that tell of a cut with user and reason. The run fails when a message is not
accounted for, here or in the hub's books.
"""

import argparse
import json
import threading

import measure
import messaging
from harness import Crew, procfs, sluice

CLIENTS = 200
SHAPES = {"single_e2e": ("--mode", "single_e2e"),
          "ten_groups": ("--mode", "group", "--groups", 10),
          "single_e2e_unacknowledged": ("--mode", "single_e2e", "--no-ack")}
FIGURES = ("slow_cut", "normal_cut", "slow_cut_max_s", "p50_ms", "p99_ms", "max_ms", "missing", "out_of_order",
           "duplicates", "delivered", "gapped")
CUT = "ws backpressure: closing slow consumer channel"
LOG_LINES = 5000


def cuts_logged(process):
    """Lines of the log that tell of a cut, with user and reason."""
    lines = process.transcript(LOG_LINES).splitlines()
    logged = [json.loads(line) for line in lines if line.startswith('{"log"')]
    return sum(line["message"] == CUT and bool(line["uid"]) and bool(line["reason"]) for line in logged)


class Sampler(threading.Thread):
    """The hub's memory and that of the kernel's TCP sockets, each half second until `stop`."""

    INTERVAL = 0.5

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.rss_mb = []
        self.socket_mb = []
        self._pid = pid
        self._stopped = threading.Event()

    def run(self):
        while not self._stopped.wait(self.INTERVAL):
            self.rss_mb.append(procfs.rss(self._pid) / measure.MIB)
            self.socket_mb.append(messaging.socket_memory_mb())

    def stop(self):
        self._stopped.set()
        self.join()

    def growth_mb(self, after_s):
        """From then on, the largest less the first."""
        rest = self.rss_mb[int(after_s / self.INTERVAL):] or self.rss_mb[-1:]
        return max(rest) - rest[0]


def run(mode, seconds, flat_after):
    with Crew() as crew:
        route = messaging.HubRoute(crew)
        sampler = Sampler(route.process.pid)
        sampler.start()
        load = sluice.start(crew, "load", "load", "--hub", route.hub.url, *mode, "--clients", CLIENTS, "--duration",
                            f"{seconds}s", "--interval", "100ms", "--slow", "30%", "--slow-delay", "5s")
        done = load.wait_event("load", timeout=measure.LONG)
        code = load.wait()
        sampler.stop()
        assert code == 0, load.transcript()
        cuts = cuts_logged(route.process)
        route.end()
        return {**{key: done.get(key, 0) for key in FIGURES}, "cuts_logged": cuts, "rss_mb": max(sampler.rss_mb),
                "rss_growth_mb": sampler.growth_mb(flat_after), "sock_mem_mb": max(sampler.socket_mb)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short run: shows that the bench works, not a figure")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", choices=SHAPES)
    given = parser.parse_args()
    flat_after = 10
    if given.quick:
        given.runs, given.seconds, flat_after = 1, 3, 2
    for shape, mode in SHAPES.items():
        if given.only not in (None, shape):
            continue
        idle = messaging.idle_cores()
        figures = measure.alternate(given.runs, {"": lambda m=mode: run(m, given.seconds, flat_after)})
        measure.report("gateway-slow", shape, figures, clients=CLIENTS, seconds=given.seconds, runs=given.runs,
                       idle_cores_before=round(idle, 2))


if __name__ == "__main__":
    main()
