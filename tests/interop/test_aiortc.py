"""Our data channel against aiortc's, either side offering; both directions at once, checksums compared."""

import pytest

from join import exchange
from peers import aiortc, ours

SIZES = [(60, 16 * 1024), (20, 64 * 1024)]  # messages, bytes each: SCTP in Python carries a few MB/s


@pytest.mark.parametrize("count, size", SIZES)
@pytest.mark.parametrize("path", ["fast", "plain-ice"])
@pytest.mark.parametrize("offers", ["ours", "aiortc"])
def test_messages_arrive_whole_both_ways(offers, path, count, size):
    options = [] if path == "fast" else ["--plain-ice"]
    started = []
    try:
        started.append(ours("offer" if offers == "ours" else "answer", count, size, *options))
        started.append(aiortc("offer" if offers == "aiortc" else "answer", count, size))
        offerer, answerer = started if offers == "ours" else reversed(started)
        exchange(offerer, answerer, count, ours=started[0])
    finally:
        for peer in started:
            peer.stop()
