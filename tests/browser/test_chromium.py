"""Our data channel against headless Chromium's, either side offering; both directions at once, checksums compared."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from join import exchange  # noqa: E402
from peers import chromium, ours  # noqa: E402

SIZES = [(400, 16 * 1024), (100, 64 * 1024)]


@pytest.mark.parametrize("count, size", SIZES)
@pytest.mark.parametrize("offers", ["ours", "chromium"])
def test_messages_arrive_whole_both_ways(offers, count, size):
    started = []
    try:
        started.append(ours("offer" if offers == "ours" else "answer", count, size))
        started.append(chromium("offer" if offers == "chromium" else "answer", count, size))
        offerer, answerer = started if offers == "ours" else reversed(started)
        exchange(offerer, answerer, count, ours=started[0])
    finally:
        for peer in started:
            peer.stop()
