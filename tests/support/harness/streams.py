"""What clients of a tunnel do: many connections at once, checked byte by byte; resets; waiting for a figure."""

import asyncio
import hashlib
import random
import socket
import struct
import time


def random_bytes(size, seed=0):
    return random.Random(seed).randbytes(size)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def write_random_file(path, size, seed=0):
    """Fills a file and returns its SHA-256."""
    generator = random.Random(seed)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        while size > 0:
            block = generator.randbytes(min(size, 1 << 20))
            file.write(block)
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def sha256_of_file(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_exactly(connection, size):
    """So many bytes, or fewer when the other side ended before."""
    parts = bytearray()
    while len(parts) < size:
        data = connection.recv(size - len(parts))
        if not data:
            break
        parts += data
    return bytes(parts)


def read_to_end(connection):
    parts = bytearray()
    while data := connection.recv(1 << 16):
        parts += data
    return bytes(parts)


def reset(connection):
    """Closes with a reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


async def exchange(port, data, address="127.0.0.1"):
    """Sends `data` and half-closes while it reads what comes back, to the end."""
    reader, writer = await asyncio.open_connection(address, port)

    async def send():
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    try:
        received = await reader.read(-1)
        await sending
        return received
    finally:
        sending.cancel()
        writer.close()


async def exchange_many(port, blocks, address="127.0.0.1"):
    """Every block through a connection of its own, all open together; returns the indices that came back wrong."""
    results = await asyncio.gather(*(exchange(port, block, address) for block in blocks), return_exceptions=True)
    return [index for index, (block, result) in enumerate(zip(blocks, results)) if block != result]


def eventually(what, condition, timeout=60):
    """Waits until a condition on outside state (a figure in /proc, a port) holds; for what no event tells."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.05)
    return value
