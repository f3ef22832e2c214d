#!/usr/bin/python3
"""The channel bench: 16 KiB messages, unordered, between two processes on loopback, and beside it the same through the
ICE library alone and with pion. Prints one JSON line with medians and spreads; leaves nothing running.

CPU is user and system time of both processes from the open channel to the last message."""

import argparse
import sys

import measure
from harness import Crew
from measure import BUILD, GB, MIB, ROOT

sys.path.insert(0, str(ROOT / "tests" / "interop"))
from join import join, start_peer  # noqa: E402
from peers import build_go  # noqa: E402

OURS = BUILD / "bench" / "channel_peer"


def transfer(command, mib, size, *options, fast=None):
    """One transfer of `mib` MiB in messages of `size` bytes; what both ends say it cost, summed.

    `fast`: what ours must say of its data path."""
    count = mib * MIB // size
    with Crew() as crew:
        peers = [start_peer(crew, role, command, role, count, size, *options) for role in ("offer", "answer")]
        join(*peers)
        for peer in peers:
            assert peer.wait_event("open").get("fast") is fast
        usages = [peer.wait_event("usage", measure.LONG) for peer in peers]
    assert all(usage["bytes"] == count * size for usage in usages)
    return {"cpu_s_per_gb": sum(usage["cpu_s"] for usage in usages) / (count * size / GB),
            "mb_per_s": count * size / 1e6 / usages[1]["wall_s"],
            "peak_rss_mib": max(usage["peak_rss_mib"] for usage in usages)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small run: shows that the bench works, not a figure")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mib", type=int, default=1024, help="bytes a run of ours, in MiB; pion gets a quarter")
    parser.add_argument("--size", type=int, default=16 * 1024, help="bytes a message")
    parser.add_argument("--skip-peers", action="store_true", help="measure ours only")
    given = parser.parse_args()
    if given.quick:
        given.runs, given.mib = 1, 32
    with Crew() as crew:
        routes = {"": lambda: transfer(OURS, given.mib, given.size, fast=True)}
        if not given.skip_peers:
            pion = build_go(crew, ROOT / "bench" / "pion_channel")
            routes |= {"libnice_": lambda: transfer(OURS, given.mib, given.size, "--plain-ice", fast=False),
                       "pion_": lambda: transfer(pion, max(given.mib // 4, 1), given.size)}
        figures = measure.alternate(given.runs, routes)
    measure.report("channel", f"{given.size}-byte messages", figures, mib=given.mib, runs=given.runs)


if __name__ == "__main__":
    main()
