"""Our data channel against pion's, either side offering; both directions at once, checksums compared."""

import pytest
from harness import Crew

from join import exchange
from peers import HERE, build_go, ours, pion

SIZES = [(400, 16 * 1024), (100, 64 * 1024)]


@pytest.fixture(name="program", scope="session")
def program_fixture():
    with Crew() as crew:
        yield build_go(crew, HERE / "pion_peer")


@pytest.mark.parametrize("count, size", SIZES)
@pytest.mark.parametrize("path", ["fast", "plain-ice"])
@pytest.mark.parametrize("offers", ["ours", "pion"])
def test_messages_arrive_whole_both_ways(crew, program, offers, path, count, size):
    options = [] if path == "fast" else ["--plain-ice"]
    here = ours(crew, "offer" if offers == "ours" else "answer", count, size, *options)
    there = pion(crew, program, "offer" if offers == "pion" else "answer", count, size, "unordered")
    exchange(*((here, there) if offers == "ours" else (there, here)), count, ours=here)


def test_an_ordered_channel_is_taken_as_one(crew, program):
    here = ours(crew, "answer", 100, 16 * 1024)
    exchange(pion(crew, program, "offer", 100, 16 * 1024, "ordered"), here, 100, ours=here, ordered=True)
