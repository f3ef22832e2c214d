#!/usr/bin/python3
"""64 bytes there and back over one stream, one at a time: idle, and while 8 other streams send all they can.

Beside it the same through `ssh -L`, in turns. `load_mb_per_s` is what the 8 others moved meanwhile.
"""

import functools
import signal

import measure
from harness import Crew

STREAMS = 8
ENDLESS = 1 << 50


def latencies(crew, port, count):
    done = measure.load(crew, "ping", port, count)
    return done["p50_us"], done["p99_us"]


def ping(route_class, direction, count):
    with Crew() as crew:
        route = route_class(crew, measure.start_load_server(crew))
        figures = {}
        figures["idle_p50_us"], figures["idle_p99_us"] = latencies(crew, route.port, count)
        others = crew.start("others", measure.LOAD, direction, route.port, ENDLESS, STREAMS)
        if route_class is measure.SluiceRoute:
            key = "send_bytes_per_s" if direction == "push" else "receive_bytes_per_s"
            route.forward.wait_event("stats", where=lambda stats: stats[key] > measure.MIB)  # they are under way
        figures["p50_us"], figures["p99_us"] = latencies(crew, route.port, count)
        if route_class is measure.SluiceRoute:
            figures["load_mb_per_s"] = route.forward.wait_event("stats")[key] / 1e6
        others.signal(signal.SIGINT)
        return figures


def main():
    given = measure.arguments(__doc__, runs=5)
    count = 500 if given.quick else 5000
    for shape, direction in (("others_upload", "push"), ("others_download", "fetch")):
        measurements = {"": functools.partial(ping, measure.SluiceRoute, direction, count)}
        if not given.without_ssh:
            measurements["ssh_"] = functools.partial(ping, measure.SshRoute, direction, count)
        measure.report("tunnel-latency", shape, measure.alternate(given.runs, measurements), pings=count,
                       streams=STREAMS, runs=given.runs)


if __name__ == "__main__":
    main()
