#!/usr/bin/python3
"""What one stalled socket costs fifty busy ones: their throughput without it and with it, in turns.

The stalled client asks for far more than any window and reads nothing, as one whose disk or window manager hangs.
"""

import functools
import socket

import measure
from harness import Crew

STREAMS = 50
ENDLESS = 1 << 50


def move(size, *, stalled):
    with Crew() as crew:
        route = measure.SluiceRoute(crew, measure.start_load_server(crew))
        if stalled:
            sleeper = crew.adopt(socket.create_connection(("127.0.0.1", route.port)))
            sleeper.sendall(b"f" + ENDLESS.to_bytes(8, "big"))
            route.forward.wait_event(
                "stats", where=lambda stats: stats["bytes_received"] > 0 and stats["receive_bytes_per_s"] == 0)
        before = route.cpu_seconds()
        done = measure.load(crew, "fetch", route.port, size, STREAMS)
        return {"mb_per_s": size / 1e6 / done["seconds"],
                "cpu_s_per_gb": (route.cpu_seconds() - before) / (size / measure.GB),
                "peak_rss_mib": route.peak_rss_mib()}


def main():
    given = measure.arguments(__doc__, runs=5)
    size = (50 if given.quick else 1000) * measure.MIB
    figures = measure.alternate(given.runs, {"": functools.partial(move, size, stalled=False),
                                             "stalled_": functools.partial(move, size, stalled=True)})
    figures["stall_costs_percent"] = round(100 * (1 - figures["stalled_mb_per_s"] / figures["mb_per_s"]), 1)
    measure.report("tunnel-stall", "download_50", figures, bytes=size, streams=STREAMS, runs=given.runs)


if __name__ == "__main__":
    main()
