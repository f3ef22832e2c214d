"""Our data channel against aiortc's, either side offering; both directions at once, checksums compared."""

import pytest

from join import exchange
from peers import aiortc, ours

# Messages, bytes each: SCTP in Python carries a few MB/s. More than ours sends before it waits, see below.
SIZES = [(80, 16 * 1024), (20, 64 * 1024)]


@pytest.mark.parametrize("count, size", SIZES)
@pytest.mark.parametrize("path", ["fast", "plain-ice"])
def test_messages_arrive_whole_both_ways_when_ours_offers(crew, path, count, size):
    sender = ours(crew, "offer", count, size, *path_options(path))
    _, theirs = exchange(sender, aiortc(crew, "answer", count, size), count, ours=sender)
    # What goes before the peer has answered the DCEP OPEN is ordered behind it (RFC 8832 §6); the rest is not.
    assert 0 < theirs["received_unordered"] < count


@pytest.mark.parametrize("count, size", SIZES)
@pytest.mark.parametrize("path", ["fast", "plain-ice"])
@pytest.mark.parametrize("order", ["unordered", "ordered"])
def test_messages_arrive_whole_both_ways_when_aiortc_offers(crew, order, path, count, size):
    """And go back in the order that was offered."""
    sender = ours(crew, "answer", count, size, *path_options(path))
    offerer = aiortc(crew, "offer", count, size, order)
    theirs, _ = exchange(offerer, sender, count, ours=sender, ordered=order == "ordered")
    assert theirs["received_unordered"] == (0 if order == "ordered" else count)


def path_options(path):
    return [] if path == "fast" else ["--plain-ice"]
