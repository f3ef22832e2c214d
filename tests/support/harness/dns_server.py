#!/usr/bin/python3
"""A name server for tests: says each question as JSON, and answers as a zone file in JSON has it.

Usage: dns_server.py ADDRESS ZONE
The zone maps a name to {"A": [...], "AAAA": [...], "ttl": seconds}, or to null: then it never answers. Other names do
not exist.
"""

import json
import socket
import struct
import sys

TYPES = {1: ("A", socket.AF_INET), 28: ("AAAA", socket.AF_INET6)}
NO_ERROR, NO_SUCH_NAME = 0, 3


def name_of(message):
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels).lower(), at + 1


def answer(message, zone):
    """The answer to a query, or None for silence."""
    name, end = name_of(message)
    kind, family = TYPES.get(struct.unpack("!H", message[end:end + 2])[0], (None, None))
    print(json.dumps({"event": "query", "name": name, "type": kind}), flush=True)
    entry = zone.get(name, {})
    if entry is None:
        return None
    addresses = entry.get(kind, [])
    code = NO_ERROR if name in zone else NO_SUCH_NAME
    head = message[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(addresses), 0, 0)
    records = [b"\xc0\x0c" + message[end:end + 4] + struct.pack("!IH", entry["ttl"], len(packed)) + packed
               for packed in (socket.inet_pton(family, address) for address in addresses)]
    return head + message[12:end + 4] + b"".join(records)


def main():
    address, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        zone = json.load(file)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        print(json.dumps({"event": "listening", "address": address}), flush=True)
        while True:
            message, client = server.recvfrom(4096)
            if (reply := answer(message, zone)) is not None:
                server.sendto(reply, client)


if __name__ == "__main__":
    main()
