"""`sluice demo`: shows what it promises and leaves nothing behind, however it ends."""

import os
import pathlib
import signal

import pytest
from harness import procfs, sluice, sluice_binary, streams


def test_a_file_comes_through_unchanged_and_nothing_stays(crew):
    folder = crew.folder()
    done = crew.run(sluice_binary(), "demo", "--size-mib", 8, env={"TMPDIR": str(folder)})
    assert "fetched 8.0 MiB at " in done.stdout
    assert "SHA-256 matches: " in done.stdout
    assert os.listdir(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["writing", "hub", "host", "fetching"])
def test_an_interrupted_run_leaves_no_file_and_no_process(crew, moment, number):
    folder = crew.folder()
    demo = sluice.start(crew, "demo", "demo", "--size-mib", 256, env={"TMPDIR": str(folder)})
    if moment == "writing":
        streams.eventually("a file", lambda: any(folder.glob("*/random.bin")))
    else:
        demo.wait_event(moment)
    started = procfs.descendants(demo.pid)
    assert bool(started) == (moment != "writing")
    demo.signal(number)
    assert demo.wait() == 130
    assert demo.wait_event("error")["code"] == "cancelled"
    assert os.listdir(folder) == []
    assert [pid for pid in started if pathlib.Path(f"/proc/{pid}").exists()] == []
