#!/usr/bin/python3
"""What a connection costs that nobody uses: 10,000 of them, each greeted and then silent.

Memory is the server's resident memory with all of them, a few seconds after the last came, less what it had before.
`handshake_cpu_us` is the server's CPU for one of them, from the connect to where it may speak: with the hub that is its
Welcome, as a user of its own; with the peers, a Netty server and one of `ws` on Node, the upgrade.
"""

import argparse
import subprocess
import time

import measure
import messaging
from harness import Crew, procfs

PEERS = ("netty", "ws")
SETTINGS = """
[listen]
max_connections = 20000
[admission]
connections_per_second = 100000
connection_burst = 100000
"""
"""More at once than one hub of the default settings lets in: 10,000 in all, and 2,000 of them a second."""


def run(start, clients, rest):
    with Crew() as crew:
        route = start(crew)
        before = procfs.rss(route.process.pid)
        load = messaging.start_clients(crew, route, "idle", clients, stdin=subprocess.PIPE)
        ready = load.wait_event("ready", timeout=measure.LONG)
        time.sleep(rest)  # not a wait for an event: for memory that is given back
        grown = procfs.rss(route.process.pid) - before
        load.stdin.close()
        assert load.wait() == 0
        route.end()
        return {"rss_kb_per_conn": grown / messaging.KIB / clients, "handshake_cpu_us": ready["handshake_cpu_us"],
                "connects_per_s": ready["connects_per_s"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small run: shows that the bench works, not a figure")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clients", type=int, default=None)
    parser.add_argument("--skip-peers", action="store_true", help="measure ours only")
    given = parser.parse_args()
    if given.quick:
        given.runs = 1
    # The clients' process has a descriptor for each.
    clients = given.clients or (200 if given.quick else 10_000)
    with Crew() as crew:
        starts = {"": lambda here: messaging.HubRoute(here, SETTINGS)}
        if not given.skip_peers:
            starts |= {f"{name}_": start for name, start in messaging.peers(crew, PEERS).items()}
        idle = messaging.idle_cores()
        figures = measure.alternate(given.runs, {prefix: lambda s=start: run(s, clients, 0.5 if given.quick else 3)
                                                 for prefix, start in starts.items()})
        measure.report("gateway-idle", f"{clients}_clients", figures, clients=clients, runs=given.runs,
                       idle_cores_before=round(idle, 2))


if __name__ == "__main__":
    main()
