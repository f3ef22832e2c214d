"""Our data channel against headless Chromium's, either side offering; both directions at once, checksums compared."""

import pytest
from join import exchange
from peers import chromium, ours

SIZES = [(400, 16 * 1024), (100, 64 * 1024)]


@pytest.mark.parametrize("count, size", SIZES)
@pytest.mark.parametrize("offers", ["ours", "chromium"])
def test_messages_arrive_whole_both_ways(crew, offers, count, size):
    here = ours(crew, "offer" if offers == "ours" else "answer", count, size)
    there = chromium(crew, "offer" if offers == "chromium" else "answer", count, size, "unordered")
    exchange(*((here, there) if offers == "ours" else (there, here)), count, ours=here)


def test_an_ordered_channel_is_taken_as_one(crew):
    here = ours(crew, "answer", 100, 16 * 1024)
    exchange(chromium(crew, "offer", 100, 16 * 1024, "ordered"), here, 100, ours=here, ordered=True)
