#!/usr/bin/python3
"""Stored messages a second: what the hub's store commits when every sender is told only what is synced to the disk.

64 senders that wait for each message before the next, the same with 16 messages under way each, and one alone. What
waits is committed together, so the first and the last are bound by the disk's sync, which is measured beside them.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time

import measure
from harness import Crew

STORE_LOAD = measure.BUILD / "bench" / "store_load" / "store_load"
SIZE = 256
SHAPES = {"senders_64": (64, 1), "senders_64_window_16": (64, 16), "sender_1": (1, 1)}


def sync_ms(folder, times=50):
    """The median of a page's write and its sync, as one commit has to wait for."""
    path = os.path.join(folder, "sync")
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        found = []
        for _ in range(times):
            begin = time.perf_counter()
            os.pwrite(descriptor, bytes(4096), 0)
            os.fdatasync(descriptor)
            found.append((time.perf_counter() - begin) * 1e3)
        return statistics.median(found)
    finally:
        os.close(descriptor)
        os.unlink(path)


def run(senders, window, seconds):
    folder = tempfile.mkdtemp(prefix="bench-store-", dir=measure.BUILD)  # not in /tmp, which may be memory
    try:
        with Crew() as crew:
            load = crew.start("store_load", STORE_LOAD, "measure", os.path.join(folder, "store"), senders, window,
                              SIZE, seconds)
            done = load.wait_event("done", timeout=measure.LONG)
            load.wait()
        figures = {key: done[key] for key in ("msgs_per_s", "p50_ms", "p99_ms", "cpu_us_per_message")}
        return {**figures, "msgs_per_commit": done["messages"] / done["commits"], "sync_ms": sync_ms(folder)}
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short run: shows that the bench works, not a figure")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    if given.quick:
        given.runs, given.seconds = 1, 0.5
    for shape, (senders, window) in SHAPES.items():
        figures = measure.alternate(given.runs, {"": lambda s=senders, w=window: run(s, w, given.seconds)})
        measure.report("store", shape, figures, senders=senders, window=window, bytes=SIZE, runs=given.runs)


if __name__ == "__main__":
    main()
