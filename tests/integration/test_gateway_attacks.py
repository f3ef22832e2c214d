"""An attacker and a victim at one hub, for each attack: the victim gets everything, newcomers get in, the hub stays small.

Half a second each here; `./dev soak gateway_attacks` takes five. What it costs in time is `./dev bench hostile`.
"""

import os
import re

import pytest
from harness import procfs
from harness.attacker import ATTACKS, start_attack
from harness.hub_clients import MessagingHub
from harness.hub_victims import Victims

SECONDS = 5.0 if os.environ.get("SLUICE_SOAK") else 0.5
MIB = 1 << 20
GROWTH = 96 * MIB
"""Beside what the limits of one user allow (4 MiB), of the fan-out (64 MiB) and of the store's queue (16 MiB), an allocator
keeps some."""
EVIDENCE = {
    "silent_sockets": ('connections{state="greeting"}', 100),
    "one_program": ('connections{state="greeting"}', 100),
    "pings": ("paced_total", 10),
    "control_pings": (None, 0),
    "leaves": ('refusals_total{reason="not_member"}', 100),
    "refused_joins": ('refusals_total{reason="protocol_violation"}', 100),
    "questions": ("paced_total", 10),
    "bad_publishes": ('refusals_total{reason="malformed"}', 100),
    "large_requests": ('refusals_total{reason="overloaded"}', 10),
    "presence": ("envelopes_received_total", 5_000),
    "awaited_deliveries": ('refusals_total{reason="too_many_requests"}', 10),
    "fan_out": ('refusals_total{reason="overloaded"}', 10),
    "stored": ('store_removed_total{conversation="user",reason="trimmed"}', 10),
    "many_ids": ("publishes_accepted_total", 5_000),
    "unfinished": ('connections{state="open"}', 40),
    "wrong_codes": ('mailbox_denials_total{reason="too_many_tries"}', 100),
}
"""What of the hub's figures shows that the attack takes place, and how much more of it there is afterwards. Control frames are
not among them: that hub stops reading."""


def figure(hub, name):
    return float(re.search(rf"^sluice_hub_{re.escape(name)} (\S+)$", hub.page("/metrics")[1], re.MULTILINE)[1])


@pytest.mark.parametrize("name", ATTACKS)
def test_the_victim_of_an_attack_gets_everything(crew, name):
    hub = MessagingHub(crew, data=crew.folder() / "data").wait()
    victims = Victims(hub.port)
    before = procfs.rss(hub.pid)
    sign, least = EVIDENCE[name]
    calm = figure(hub, sign) if sign else 0
    attacker = start_attack(crew, name, hub.port)
    seen = victims.measure(SECONDS)  # fails by itself where a message is lost, rejected or out of order
    assert seen["newcomers"] > 0 and seen["turned_away"] == 0, seen
    assert attacker.running and attacker.events[-1]["said"] > 50_000, attacker.events
    assert not sign or figure(hub, sign) >= calm + least, f"{name} did not take place"
    assert hub.is_healthy()
    assert procfs.rss(hub.pid) < before + GROWTH
    attacker.kill()
    victims.measure(0.1)
    assert hub.terminate() == 0, hub.process.transcript()  # its books balance
