"""Our data channel against pion's, either side offering; both directions at once, checksums compared."""

import pytest

from join import exchange
from peers import HERE, build_go, ours, pion

SIZES = [(400, 16 * 1024), (100, 64 * 1024)]


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return build_go(HERE / "pion_peer", tmp_path_factory.mktemp("go"))


@pytest.mark.parametrize("count, size", SIZES)
@pytest.mark.parametrize("path", ["fast", "plain-ice"])
@pytest.mark.parametrize("offers", ["ours", "pion"])
def test_messages_arrive_whole_both_ways(program, offers, path, count, size):
    options = [] if path == "fast" else ["--plain-ice"]
    started = []
    try:
        started.append(ours("offer" if offers == "ours" else "answer", count, size, *options))
        started.append(pion(program, "offer" if offers == "pion" else "answer", count, size))
        offerer, answerer = started if offers == "ours" else reversed(started)
        exchange(offerer, answerer, count, ours=started[0])
    finally:
        for peer in started:
            peer.stop()
