"""Joins two peers that speak the protocol of README.md: passes their lines to each other and checks what they say."""

import contextlib
import json
import subprocess
import threading

SIGNALLING = {"offer", "answer", "candidate", "candidates_done"}
PATIENCE = 120.0


def start_peer(crew, name, *arguments, **options):
    """One peer program; its lines are events, named by their `type`."""
    return crew.start(name, *arguments, stdin=subprocess.PIPE, event_key="type", **options)


def tell(peer, line):
    with contextlib.suppress(OSError, ValueError):  # it has ended, or was stopped; its lines tell why
        peer.stdin.write(json.dumps(line).encode() + b"\n")
        peer.stdin.flush()


def join(one, other):
    """From now on what either says for signalling reaches the other."""
    for source, sink in ((one, other), (other, one)):
        threading.Thread(target=pass_on, args=(source, sink), daemon=True).start()


def pass_on(source, sink):
    for line in source.follow():
        if line["type"] in SIGNALLING:
            tell(sink, line)


def exchange(offerer, answerer, count, ours, ordered=False):
    """Runs the exchange to its end and checks both sums, and that the channel is ordered, or not, on both sides. Then the
    foreign side closes it, `ours` (one of the two) must notice, and both end. Returns what they said."""
    both = (offerer, answerer)
    join(offerer, answerer)
    for peer in both:
        peer.wait_event("open", PATIENCE)
    first, second = results = [peer.wait_event("result", PATIENCE) for peer in both]
    for result in results:
        assert result["sent"] == result["received"] == count
        assert result["ordered"] is ordered
    assert first["sent_sum"] == second["received_sum"]
    assert second["sent_sum"] == first["received_sum"]
    tell(answerer if ours is offerer else offerer, {"type": "close"})
    ours.wait_event("closed", PATIENCE)
    assert [peer.wait() for peer in both] == [0, 0]
    return results
