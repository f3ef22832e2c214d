#!/usr/bin/python3
"""The channel bench: 16 KiB messages, unordered, between two processes on loopback, and beside it the same through the
ICE library alone and with pion. Prints one JSON line with medians and spreads; leaves nothing running.

CPU is user and system time of both processes from the open channel to the last message."""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "interop"))
from join import Forwarder, PeerProcess  # noqa: E402
from peers import build_go  # noqa: E402

GB = 1e9


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"


def commit():
    run = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


def run_once(command, count, size, options=()):
    """One transfer; what both ends say it cost, summed."""
    peers = []
    try:
        for role in ("offer", "answer"):
            peers.append(PeerProcess(role, [str(command), role, str(count), str(size), *options]))
        sides = [Forwarder(peers[0], peers[1]), Forwarder(peers[1], peers[0])]
        for side in sides:
            side.expect("open", 30)
        usages = [side.expect("usage", 600) for side in sides]
    finally:
        for peer in peers:
            peer.stop()
    assert all(usage["bytes"] == count * size for usage in usages)
    return {"cpu_s_per_gb": sum(usage["cpu_s"] for usage in usages) / (count * size / GB),
            "mb_per_s": count * size / 1e6 / usages[1]["wall_s"],
            "peak_rss_mib": max(usage["peak_rss_mib"] for usage in usages)}


def measure(prefix, runs, *arguments, **options):
    """Medians under `prefix`, spreads (largest less smallest) under `prefix` and `_spread`."""
    results = [run_once(*arguments, **options) for _ in range(runs)]
    out = {}
    for key in results[0]:
        values = [result[key] for result in results]
        out[prefix + key] = round(statistics.median(values), 3)
        out[prefix + key + "_spread"] = round(max(values) - min(values), 3)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("SLUICE_BUILD_DIR", str(ROOT / "build" / "release")), help="build folder")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mib", type=int, default=1024, help="bytes a run of ours, in MiB")
    parser.add_argument("--pion-mib", type=int, default=0, help="the same for pion; default a quarter of --mib")
    parser.add_argument("--pion-runs", type=int, default=0, help="default: as --runs, at most 3")
    parser.add_argument("--size", type=int, default=16 * 1024, help="bytes a message")
    parser.add_argument("--skip-peers", action="store_true", help="measure ours only")
    options = parser.parse_args()
    ours = pathlib.Path(options.build) / "bench" / "channel_peer"
    count = options.mib * (1 << 20) // options.size
    line = {"bench": "channel", "message_bytes": options.size, "mib": options.mib}
    line |= measure("", options.runs, ours, count, options.size)
    if not options.skip_peers:
        line |= measure("libnice_", options.runs, ours, count, options.size, options=["--plain-ice"])
        with tempfile.TemporaryDirectory() as scratch:
            pion = build_go(ROOT / "bench" / "pion_channel", pathlib.Path(scratch))
            pion_count = (options.pion_mib or max(options.mib // 4, 1)) * (1 << 20) // options.size
            line |= measure("pion_", options.pion_runs or min(options.runs, 3), pion, pion_count, options.size)
    line |= {"runs": options.runs, "commit": commit(), "machine": machine()}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
