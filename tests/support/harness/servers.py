#!/usr/bin/python3
"""Small servers that tests start as processes of their own: each says its port as JSON and serves until it is killed.

Usage: servers.py [--bind ADDRESS] echo | http FOLDER | sink [BYTES_PER_SECOND] | digest
  echo    sends back what comes, and half-closes after the client did
  http    a folder over HTTP
  sink    reads and throws away, at most so many bytes a second
  digest  reads to the end, then answers with the SHA-256 in hexadecimal
"""

import argparse
import asyncio
import functools
import hashlib
import http.server
import json
import socket
import threading

BLOCK = 64 * 1024


def announce(port):
    print(json.dumps({"event": "listening", "port": port}), flush=True)


class Echo(asyncio.Protocol):
    """Stops reading while the client does not take what comes back."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def eof_received(self):
        self.transport.write_eof()
        return True  # the transport closes once everything is written

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


class Digest(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.sum = hashlib.sha256()

    def data_received(self, data):
        self.sum.update(data)

    def eof_received(self):
        self.transport.write(self.sum.hexdigest().encode())
        return False


async def serve_protocol(bind, protocol):
    server = await asyncio.get_running_loop().create_server(protocol, bind, 0, backlog=4096)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve_sink(bind, bytes_per_second):
    """A thread for each connection. Its own receive buffer is small, so that the kernel hides little."""
    pause = threading.Event()  # never set: a wait that ends with the process
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.create_server((bind, 0), family=family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BLOCK)
        announce(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=drain, args=(connection, bytes_per_second, pause), daemon=True).start()


def drain(connection, bytes_per_second, pause):
    with connection:
        while data := connection.recv(BLOCK):
            if bytes_per_second:
                pause.wait(len(data) / bytes_per_second)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve_http(bind, folder):
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    server_class = type("Server", (http.server.ThreadingHTTPServer,), {"address_family": family})
    with server_class((bind, 0), functools.partial(QuietHandler, directory=folder)) as server:
        announce(server.server_address[1])
        server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("kind", choices=["echo", "http", "sink", "digest"])
    parser.add_argument("argument", nargs="?")
    arguments = parser.parse_args()
    if arguments.kind == "http":
        serve_http(arguments.bind, arguments.argument)
    elif arguments.kind == "sink":
        serve_sink(arguments.bind, float(arguments.argument or 0))
    else:
        asyncio.run(serve_protocol(arguments.bind, Echo if arguments.kind == "echo" else Digest))


if __name__ == "__main__":
    main()
