#!/usr/bin/python3
"""Asks what a NAT does with plain UDP, without the program under test.

Usage: udp_probe.py mapping SERVER SERVER    where two STUN servers see one socket of ours, as JSON
       udp_probe.py punch SERVER ATTEMPTS    says the mapped address; reads the other side's from stdin, sends to it ten
                                             times a second and says whether something came back
"""

import ipaddress
import json
import os
import secrets
import select
import socket
import struct
import sys

MAGIC = 0x2112A442  # RFC 8489 §5
BINDING_REQUEST, BINDING_SUCCESS, XOR_MAPPED_ADDRESS = 0x0001, 0x0101, 0x0020
STUN_ATTEMPTS = 60


def mapped_address(probe, server):
    """RFC 8489 §14.2: the address that the server saw, exclusive-or'ed with the magic cookie."""
    transaction = secrets.token_bytes(12)
    for _ in range(STUN_ATTEMPTS):
        probe.sendto(struct.pack("!HHI", BINDING_REQUEST, 0, MAGIC) + transaction, (server, 3478))
        if not select.select([probe], [], [], 0.5)[0]:
            continue
        answer, _ = probe.recvfrom(2048)
        if struct.unpack_from("!H", answer)[0] != BINDING_SUCCESS or answer[8:20] != transaction:
            continue
        at = 20
        while at < len(answer):
            kind, size = struct.unpack_from("!HH", answer, at)
            if kind == XOR_MAPPED_ADDRESS:
                port = struct.unpack_from("!H", answer, at + 6)[0] ^ (MAGIC >> 16)
                four = struct.unpack_from("!I", answer, at + 8)[0] ^ MAGIC
                return [str(ipaddress.IPv4Address(four)), port]
            at += 4 + (size + 3) // 4 * 4
    raise SystemExit(f"no STUN answer from {server}")


def say(value):
    print(json.dumps(value), flush=True)


def punch(probe, other, attempts):
    """Both sides send until both have heard: a datagram that came says whether its sender has heard already."""
    heard = False
    for _ in range(attempts):
        probe.sendto(b"heard" if heard else b"hello", other)
        while select.select([probe], [], [], 0.1)[0]:
            data, sender = probe.recvfrom(2048)
            if sender == other:
                heard = True
                if data == b"heard":
                    probe.sendto(b"heard", other)
                    return True
    return heard


def main():
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.bind(("0.0.0.0", 0))
    if sys.argv[1] == "mapping":
        say({"event": "mapping", "local_port": probe.getsockname()[1],
             "seen": [mapped_address(probe, server) for server in sys.argv[2:]]})
    else:
        say({"event": "mapped", "address": mapped_address(probe, sys.argv[2])})
        host, port = json.loads(sys.stdin.readline())
        say({"event": "punched", "through": punch(probe, (host, port), int(sys.argv[3]))})
    os._exit(0)


if __name__ == "__main__":
    main()
