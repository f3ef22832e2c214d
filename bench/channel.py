#!/usr/bin/python3
"""The channel bench: 16 KiB messages, unordered, between two processes on loopback, and beside it the same through the
ICE library alone and with pion. Prints one JSON line with medians and spreads; leaves nothing running.

CPU is user and system time of both processes from the open channel to the last message."""

import argparse
import pathlib
import sys
import tempfile

import measure
from measure import BUILD, GB, MIB, ROOT

sys.path.insert(0, str(ROOT / "tests" / "interop"))
from join import Forwarder, PeerProcess  # noqa: E402
from peers import build_go  # noqa: E402

OURS = BUILD / "bench" / "channel_peer"


def transfer(command, mib, size, *options):
    """One transfer of `mib` MiB in messages of `size` bytes; what both ends say it cost, summed."""
    count = mib * MIB // size
    peers = []
    try:
        for role in ("offer", "answer"):
            peers.append(PeerProcess(role, [str(command), role, str(count), str(size), *options]))
        sides = [Forwarder(peers[0], peers[1]), Forwarder(peers[1], peers[0])]
        for side in sides:
            side.expect("open", 30)
        usages = [side.expect("usage", measure.LONG) for side in sides]
    finally:
        for peer in peers:
            peer.stop()
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
    with tempfile.TemporaryDirectory() as scratch:
        routes = {"": lambda: transfer(OURS, given.mib, given.size)}
        if not given.skip_peers:
            pion = build_go(ROOT / "bench" / "pion_channel", pathlib.Path(scratch))
            routes |= {"libnice_": lambda: transfer(OURS, given.mib, given.size, "--plain-ice"),
                       "pion_": lambda: transfer(pion, max(given.mib // 4, 1), given.size)}
        figures = measure.alternate(given.runs, routes)
    measure.report("channel", f"{given.size}-byte messages", figures, mib=given.mib, runs=given.runs)


if __name__ == "__main__":
    main()
