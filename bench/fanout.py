#!/usr/bin/python3
"""What it costs to hand a message on: clients of one room at a fixed number of deliveries a second, 256 bytes each.

1,000 clients at 100,000 deliveries/s, and 200 at 400,000; through the hub with its default settings, and beside it, with
the same clients, through a Netty server with its ChannelGroup and water marks, one of `ws` on Node, and `send_loop`, which
does nothing but send(): what a plain loop pays. CPU is user and system time of the server's process; latency is from
the publish to the receipt. `missing` is what did not come at all.
"""

import argparse
import sys

import measure
import messaging
from harness import Crew

SIZE = 256
SHAPES = {"1000_clients_100k": (1000, 100_000), "200_clients_400k": (200, 400_000)}
PEERS = ("netty", "netty_consolidated", "ws", "send_loop")
FIGURES = ("cpu_us_per_delivery", "p50_ms", "p99_ms", "deliveries_per_s", "missing", "server_cores", "load_cores")


def run(start, clients, per_second, given):
    with Crew() as crew:
        route = start(crew)
        load = messaging.start_clients(crew, route, "fanout", clients, max(per_second // clients, 1), SIZE,
                                       int(given.warm * 1000), int(given.seconds * 1000))
        done = load.wait_event("done", timeout=measure.LONG)
        assert load.wait() == 0
        figures = {key: done[key] for key in FIGURES}
        figures["rss_mb"] = messaging.rss_mb(route)
        if done["refused"]:
            print(f"{done['refused']} refused, the last: {done['last_refusal']}", file=sys.stderr)
        route.end()
        return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small run: shows that the bench works, not a figure")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="that are measured")
    parser.add_argument("--warm", type=float, default=5, help="seconds before: Java compiles meanwhile")
    parser.add_argument("--only", choices=SHAPES)
    parser.add_argument("--skip-peers", action="store_true", help="measure ours only")
    given = parser.parse_args()
    shapes = SHAPES
    if given.quick:
        given.runs, given.seconds, given.warm = 1, 1, 0.5
        shapes = {"20_clients_2k": (20, 2000)}
    if given.only:
        shapes = {given.only: SHAPES[given.only]}
    with Crew() as crew:
        starts = {"": messaging.HubRoute}
        if not given.skip_peers:
            starts |= {f"{name}_": start for name, start in messaging.peers(crew, PEERS).items()}
        for shape, (clients, per_second) in shapes.items():
            idle = messaging.idle_cores()
            figures = measure.alternate(given.runs, {
                prefix: lambda s=start, c=clients, r=per_second: run(s, c, r, given)
                for prefix, start in starts.items()})
            measure.report("fanout", shape, figures, clients=clients, bytes=SIZE, seconds=given.seconds, runs=given.runs,
                           idle_cores_before=round(idle, 2))


if __name__ == "__main__":
    main()
