"""A hub's store that is killed under load holds everything that it said it had stored."""

import os
import pathlib

import pytest

STORE_LOAD = pathlib.Path(os.environ["SLUICE_BUILD_DIR"]) / "bench" / "store_load" / "store_load"
SENDERS = 8
WINDOW = 16


def store_load(crew, mode, folder):
    return crew.start(mode, STORE_LOAD, mode, folder / "store", SENDERS, WINDOW, 256, 0)


def held(crew, folder):
    """The offsets of each sender's conversation, by a process of its own, and its epoch."""
    process = store_load(crew, "list", folder)
    assert process.wait() == 0, process.transcript()
    offsets = {event["sender"]: event["offsets"] for event in process.events if event["event"] == "holds"}
    return offsets, process.wait_event("checked")["epoch"]


@pytest.mark.parametrize("enough", [1, 500, 5000])
def test_what_was_reported_as_stored_outlives_kill(crew, enough):
    folder = crew.folder()
    stored = {sender: set() for sender in range(SENDERS)}
    epochs = []
    for _ in range(3):
        writer = store_load(crew, "write", folder)
        epochs.append(writer.wait_event("began")["epoch"])
        count = 0
        while count < enough:
            count += len(writer.wait_event("stored")["messages"])
        writer.kill()
        writer.wait()
        for event in writer.events:
            if event["event"] == "stored":
                for sender, offset in event["messages"]:
                    stored[sender].add(offset)
        offsets, epoch = held(crew, folder)
        epochs.append(epoch)
        for sender, found in offsets.items():
            assert found == sorted(set(found)), "each once, in order"
            missing = stored[sender] - set(found)
            assert not missing, f"sender {sender} was told that these are stored: {sorted(missing)[:10]}"
            # What was on its way at a kill may be there without anybody having been told; no more than that.
            assert len(found) - len(stored[sender]) <= WINDOW * len(epochs)
    assert epochs == sorted(set(epochs)), "each run has an epoch of its own"
