"""One program under a test: its JSON events as they come, what it wrote to stderr, and its end."""

import json
import os
import signal
import subprocess
import threading
import time

from . import procfs

PATIENCE = 60.0
"""How long a wait for an event may take, in seconds. Generous: it only decides how soon a hang is noticed."""
KEPT_LINES = 5000


class Ended(AssertionError):
    """The process ended, or stayed silent, although an event was expected."""


class Process:
    """A running program.

    Lines of JSON on stdout (or stderr, where stdout carries data) become `events`, named by their field `event_key`;
    everything else is kept for `transcript()`. The program leads a session of its own and the kernel kills it when this
    process dies. Owned by the Crew that started it, which kills and reaps it and whatever it started.
    """

    def __init__(self, name, arguments, *, netns=None, env=None, cwd=None, stdin=subprocess.DEVNULL, stdout=None,
                 prefix=(), event_key="event"):
        self.name = name
        self.events = []
        self._event_key = event_key
        self._lines = []
        self._returned = {}  # how many events of a name `wait_event` has looked at
        self._changed = threading.Condition()
        command = [*entering(netns), "setpriv", "--pdeathsig", "KILL", *prefix, *map(str, arguments)]
        self._popen = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE if stdout is None else stdout, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)
        self.pid = self._popen.pid
        self.stdin = self._popen.stdin
        pipes = [pipe for pipe in (self._popen.stdout, self._popen.stderr) if pipe]
        self._readers = [threading.Thread(target=self._read, args=(pipe,), daemon=True) for pipe in pipes]
        self._open_pipes = len(pipes)
        for reader in self._readers:
            reader.start()

    def _read(self, pipe):
        for raw in pipe:
            text = raw.decode(errors="replace").rstrip("\n")
            event = parse_event(text, self._event_key)
            with self._changed:
                if event is not None:
                    event["seen_at"] = time.monotonic()
                    self.events.append(event)
                if event is None or event[self._event_key] != "stats":
                    self._lines.append(text)
                    del self._lines[:-KEPT_LINES]
                self._changed.notify_all()
        with self._changed:
            self._open_pipes -= 1
            self._changed.notify_all()

    def wait_event(self, event, timeout=PATIENCE, where=None, fresh=None, **fields):
        """The next event of that name, not yet returned, whose fields have these values and that `where` accepts.

        Events of that name which do not match are passed over. `fresh` passes over those that were there before this
        call as well; it is the default for `stats`, which tell a state that the caller has just changed, where other
        events tell of something that happened. Raises Ended when the program ends without one.
        """
        deadline = time.monotonic() + timeout
        if fresh is None:
            fresh = event == "stats"
        with self._changed:
            if fresh:
                self._returned[event] = len(self.events)
            while True:
                for index in range(self._returned.get(event, 0), len(self.events)):
                    found = self.events[index]
                    if found[self._event_key] != event:
                        continue
                    if all(found.get(key) == value for key, value in fields.items()) and (not where or where(found)):
                        self._returned[event] = index + 1
                        return found
                if self._open_pipes == 0:
                    raise Ended(f"{self.name} ended without '{event}' {fields or ''}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Ended(f"no '{event}' {fields or ''} from {self.name} in {timeout:.0f} s")
                self._changed.wait(left)

    def follow(self):
        """Every event from the first one on, each as it comes, until the program has ended."""
        index = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: index < len(self.events) or self._open_pipes == 0)
                if index == len(self.events):
                    return
                found = self.events[index]
            index += 1
            yield found

    def wait_line(self, part, timeout=PATIENCE):
        """The first line, on either stream, that contains `part`: for programs that speak no JSON."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for line in self._lines:
                    if part in line:
                        return line
                left = deadline - time.monotonic()
                if self._open_pipes == 0 or left <= 0:
                    raise Ended(f"no line with '{part}' from {self.name}")
                self._changed.wait(left)

    def count(self, event):
        with self._changed:
            return sum(found[self._event_key] == event for found in self.events)

    @property
    def running(self):
        return self._popen.poll() is None

    def signal(self, number):
        if self.running:
            os.kill(self.pid, number)

    def interrupt(self):
        self.signal(signal.SIGINT)

    def wait(self, timeout=PATIENCE):
        """The exit code (negative: the signal that ended it), once all its output has been read."""
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Ended(f"{self.name} still runs after {timeout:.0f} s") from None
        for reader in self._readers:
            reader.join(10)
        return code

    def stop(self, timeout=20):
        """Asks it to end as Ctrl-C does; returns the exit code."""
        self.interrupt()
        return self.wait(timeout)

    def kill(self):
        """Ends it and all its descendants at once, and reaps it. Harmless when it has ended."""
        for pid in [*procfs.descendants(self.pid), self.pid] if self.running else []:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)  # whoever left the tree but stayed in the session
        except (ProcessLookupError, PermissionError):
            pass
        self._popen.wait()
        for reader in self._readers:
            reader.join(10)
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass

    def transcript(self, lines=60):
        with self._changed:
            tail = "\n".join(self._lines[-lines:])
        state = "running" if self.running else f"exit code {self._popen.returncode}"
        return f"--- {self.name} (pid {self.pid}, {state})\n{tail}"


def entering(netns):
    """The words that run what follows in a network namespace."""
    return ["nsenter", f"--net=/run/netns/{netns}"] if netns else []


def parse_event(text, key):
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if key in value else None
