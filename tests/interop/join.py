"""Joins two peers that speak the protocol of README.md: passes their lines to each other and checks what they say."""

import json
import queue
import subprocess
import threading

SIGNALLING = {"offer", "answer", "candidate", "candidates_done"}


class PeerProcess:
    """One peer program; its lines arrive in `lines`, `None` after its end."""

    def __init__(self, name, arguments, **popen):
        self.name = name
        self.lines = queue.Queue()
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **popen)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for text in self.process.stdout:
            self.lines.put(json.loads(text))
        self.lines.put(None)

    def tell(self, line):
        try:
            self.process.stdin.write(json.dumps(line) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; its lines tell why

    def stop(self):
        """Ends it if it still runs; gives it a moment to clean up behind itself."""
        self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(10)


class Forwarder:
    """Passes one peer's signalling to the other and keeps the rest for `expect`."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.kept = queue.Queue()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while (line := self.source.lines.get()) is not None:
            if line["type"] in SIGNALLING:
                self.sink.tell(line)
            else:
                self.kept.put(line)
        self.kept.put({"type": "ended"})

    def expect(self, kind, timeout):
        line = self.kept.get(timeout=timeout)
        assert line["type"] == kind, f"{self.source.name}: expected {kind}, got {line}"
        return line


def exchange(offerer, answerer, count, ours, timeout=120):
    """Runs the exchange to its end and checks both sums; then the foreign side closes the channel, and `ours` (one of the
    two) must notice."""
    from_offerer, from_answerer = Forwarder(offerer, answerer), Forwarder(answerer, offerer)
    both = (from_offerer, from_answerer)
    for side in both:
        side.expect("open", timeout)
    first, second = (side.expect("result", timeout) for side in both)
    for result in (first, second):
        assert result["sent"] == result["received"] == count
        assert result["ordered"] is False
    assert first["sent_sum"] == second["received_sum"]
    assert second["sent_sum"] == first["received_sum"]
    (answerer if ours is offerer else offerer).tell({"type": "close"})
    (from_offerer if ours is offerer else from_answerer).expect("closed", timeout)
