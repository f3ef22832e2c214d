#!/usr/bin/python3
"""What each attack costs those who mean well: a victim's latency and a newcomer's, without and with the attack.

The victim publishes 200 times a second to another user, who acknowledges, on connections that were there before the
attack; `p50_ms` and `p99_ms` are from the publish to the delivery. Each 100 ms somebody comes: `connect_p99_ms` is from the
connect to the welcome, and `turned_away` counts those who did not get in at their first try. The attackers
(tests/support/harness/attacker.py) run in a process of their own at a lower priority, since theirs would be another
machine. Not one of the victim's messages may be lost or rejected; `rss_mb` is the hub's at the end.
"""

import argparse

import measure
import messaging
from harness import Crew, procfs, sluice
from harness.attacker import ATTACKS, start_attack
from harness.hub_victims import Victims

NEEDS_STORE = {"stored", "awaited_deliveries"}


def run(name, seconds):
    with Crew() as crew:
        words = ["--data", crew.folder() / "data"] if name in NEEDS_STORE else []
        hub = sluice.start_hub(crew, "--open", "--shards", messaging.EVENT_LOOPS, *words)
        port = int(hub.url.rpartition(":")[2].rstrip("/"))
        victims = Victims(port)
        victims.measure(min(1, seconds))  # until everything is warm
        calm = victims.measure(seconds)
        attacker = start_attack(crew, name, port)
        attacked = victims.measure(seconds)
        rss = procfs.rss(hub.process.pid) / measure.MIB
        attacker.kill()
        return {**{f"calm_{key}": value for key, value in calm.items()}, **attacked, "rss_mb": rss}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short run: shows that the bench works, not a figure")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", choices=ATTACKS)
    given = parser.parse_args()
    if given.quick:
        given.runs, given.seconds = 1, 0.5
    for name in [given.only] if given.only else ATTACKS:
        idle = messaging.idle_cores()
        figures = measure.alternate(given.runs, {"": lambda n=name: run(n, given.seconds)})
        measure.report("hostile", name, figures, seconds=given.seconds, runs=given.runs, idle_cores_before=round(idle, 2))


if __name__ == "__main__":
    main()
