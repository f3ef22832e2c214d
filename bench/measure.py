"""What the tunnel benches share: how a run is set up, how runs become one JSON line, and what they ran on."""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from harness import Tunnel, procfs, services  # noqa: E402

GB = 1e9
MIB = 1 << 20
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD_DIR", ROOT / "build" / "release"))
LOAD = BUILD / "bench" / "tcp_load" / "tcp_load"
LONG = 600
"""Seconds that one step of a bench may take before it counts as hanging."""


def arguments(description, runs):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small run: shows that the bench works, not a figure")
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument("--without-ssh", action="store_true", help="measure sluice alone")
    given = parser.parse_args()
    if given.quick:
        given.runs = 1
    return given


def start_load_server(crew):
    server = crew.start("load server", LOAD, "serve")
    return server.wait_event("listening")["port"]


def load(crew, *words):
    """Runs one client of the load program to its end and returns what it measured."""
    client = crew.start("load", LOAD, *words)
    done = client.wait_event("done", timeout=LONG)
    client.wait()
    return done


class SluiceRoute:
    """Hub, host and forward on loopback in front of a port."""

    def __init__(self, crew, target):
        tunnel = Tunnel.open(crew, target)
        self.port = tunnel.port
        self.path = tunnel.connected["path"]
        self.forward = tunnel.forward
        self.pids = [tunnel.host.pid, tunnel.forward.pid]

    def cpu_seconds(self):
        """Of both ends so far; the hub is idle by now."""
        return sum(map(procfs.cpu_seconds, self.pids))

    def rss(self):
        return sum(map(procfs.rss, self.pids))

    def peak_rss_mib(self):
        return max(map(procfs.peak_rss, self.pids)) / MIB


class SshRoute:
    """`ssh -N -L` over a sshd of our own, in front of a port; its default cipher unless told otherwise."""

    def __init__(self, crew, target, *options):
        self._sshd = services.start_sshd(crew)

        def start(port):
            client = crew.start("ssh", *self._sshd.ssh("-v", "-N", "-o", "ExitOnForwardFailure=yes", *options, "-L",
                                                       f"127.0.0.1:{port}:127.0.0.1:{target}", "-p", self._sshd.port,
                                                       "127.0.0.1"))
            client.wait_line("Entering interactive session")
            return port, client

        self.port, self._client = services.start_on_free_port(start)

    def cpu_seconds(self):
        return procfs.cpu_seconds(self._client.pid) + procfs.cpu_seconds_of_tree(self._sshd.process.pid)


class DirectRoute:
    """No tunnel: what the load program itself can do."""

    def __init__(self, _, target):
        self.port = target

    def cpu_seconds(self):
        return 0.0


def alternate(runs, measurements):
    """Calls each measurement in turn, `runs` times round; each returns a dict of figures for one run.

    Returns one flat dict: medians under prefix + key, and largest less smallest under the same with `_spread`.
    """
    results = {prefix: [] for prefix in measurements}
    for _ in range(runs):
        for prefix, measure in measurements.items():
            results[prefix].append(measure())
    line = {}
    for prefix, found in results.items():
        for key in found[0]:
            values = [result[key] for result in found]
            line[prefix + key] = rounded(statistics.median(values))
            line[prefix + key + "_spread"] = rounded(max(values) - min(values))
    return line


def rounded(value):
    return round(value, 3) if value < 100 else round(value, 1)


def report(bench, shape, figures, **settings):
    """Prints the one JSON line of a shape."""
    print(json.dumps({"bench": bench, "shape": shape, **figures, **settings, "commit": commit(), **machine()}),
          flush=True)


def commit():
    described = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True,
                               check=False)
    return described.stdout.strip() or "unknown"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        models = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    return {"cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release()}
