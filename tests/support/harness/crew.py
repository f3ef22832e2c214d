"""Owns what a test starts and makes, and takes it all away again, also when the test fails."""

import contextlib
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile

from .process import Process, entering


class Crew:
    """The processes, folders and sockets of one test. A context manager: leaving it ends and removes everything."""

    def __init__(self):
        self.processes = []
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        raise_descriptor_limit()
        return self

    def __exit__(self, kind, *_):
        if kind:  # outside pytest, which shows this by itself
            print(self.transcript(), file=sys.stderr)
        self._stack.close()

    def start(self, name, *arguments, **options):
        """Starts a program; see Process for the options."""
        process = Process(name, arguments, **options)
        self.processes.append(process)
        self._stack.callback(process.kill)
        return process

    def run(self, *arguments, timeout=120, netns=None, env=None, check=True, **options):
        """Runs a program to its end and returns its output as text. Raises AssertionError when it fails."""
        command = [*entering(netns), "setpriv", "--pdeathsig", "KILL", *map(str, arguments)]
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(command, timeout=timeout, env={**os.environ, **(env or {})}, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def folder(self, *, open_to_all=False):
        """A folder that goes with the crew. `open_to_all` lets services enter that run as another user."""
        path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-test-"))
        self._stack.callback(shutil.rmtree, path, ignore_errors=True)
        if open_to_all:
            path.chmod(0o755)
        return path

    def listen(self, address="127.0.0.1", backlog=128):
        """A listening socket on a port that the kernel chose, closed with the crew."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self._stack.enter_context(socket.create_server((address, 0), family=family, backlog=backlog))

    def unused_port(self):
        """A port on loopback that refuses connections for as long as the crew lives: bound, never listening."""
        return self._stack.enter_context(bound_socket()).getsockname()[1]

    def connect(self, port, address="127.0.0.1", timeout=60):
        """A connected socket, closed with the crew."""
        return self._stack.enter_context(socket.create_connection((address, port), timeout=timeout))

    def adopt(self, context):
        """Enters a context that ends with the crew."""
        return self._stack.enter_context(context)

    def at_end(self, function, *arguments, **options):
        self._stack.callback(function, *arguments, **options)

    def transcript(self):
        return "\n".join(process.transcript() for process in self.processes)


def bound_socket():
    reserved = socket.socket()
    reserved.bind(("127.0.0.1", 0))
    return reserved


def raise_descriptor_limit():
    """As many descriptors as this process may have; what it starts inherits them, but for the program under test."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
