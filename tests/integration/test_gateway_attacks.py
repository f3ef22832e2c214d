"""An attacker and a victim at one hub, for each attack: the victim gets everything, newcomers get in, the hub stays small.

Half a second each here; `./dev soak gateway_attacks` takes five. What it costs in time is `./dev bench hostile`.
"""

import os

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


@pytest.mark.parametrize("name", ATTACKS)
def test_the_victim_of_an_attack_gets_everything(crew, name):
    hub = MessagingHub(crew, data=crew.folder() / "data").wait()
    victims = Victims(hub.port)
    before = procfs.rss(hub.pid)
    attacker = start_attack(crew, name, hub.port)
    seen = victims.measure(SECONDS)  # fails by itself where a message is lost, rejected or out of order
    assert seen["newcomers"] > 0 and seen["turned_away"] == 0, seen
    assert attacker.running
    assert hub.is_healthy()
    assert procfs.rss(hub.pid) < before + GROWTH
    attacker.kill()
    victims.measure(0.1)
    assert hub.terminate() == 0, hub.process.transcript()  # its books balance
