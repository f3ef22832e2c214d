"""What goes over a hub's WebSocket (docs/wire/hub.md), in both encodings, as dicts with the names of the JSON mapping.

Written from the schema file alone, with nothing of the program under test: messages are read off
`proto/sluice/v1/envelope.proto`. A decoded message has all its plain fields, those that were left out with their
defaults; a message inside it that was left out is absent.
"""

import base64
import json
import pathlib
import re
import struct

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "proto/sluice/v1/envelope.proto"
JSON, PROTO = "sluice.v1.json", "sluice.v1.proto"
INTEGERS = {"uint64", "int64", "uint32", "int32"}
AS_TEXT = {"uint64", "int64"}
"""Integers that the JSON mapping writes as strings."""


class Field:
    def __init__(self, repeated, kind, name, number, choice):
        head, *rest = name.split("_")
        self.name = head + "".join(word.capitalize() for word in rest)
        self.repeated, self.kind, self.number = repeated, kind, number
        self.choice = choice  # one of several: absence says something

    @property
    def default(self):
        if self.repeated:
            return []
        if self.kind in ENUMS:
            return ENUMS[self.kind][0]
        return {"string": "", "bytes": b"", "bool": False}.get(self.kind, 0)

    @property
    def is_message(self):
        return self.kind in MESSAGES


def read_schema():
    enums, messages = {}, {}
    name, choice = None, False
    for line in SCHEMA.read_text(encoding="utf-8").splitlines():
        line = line.split("//")[0].strip()
        if match := re.match(r"(enum|message) (\w+) \{", line):
            name = match[2]
            (enums if match[1] == "enum" else messages)[name] = {}
        elif line.startswith("oneof"):
            choice = True
        elif line == "}" and choice:
            choice = False
        elif match := re.match(r"(\w+) = (\d+);", line):
            enums[name][int(match[2])] = match[1]
        elif match := re.match(r"(repeated )?(\w+) (\w+) = (\d+);", line):
            field = Field(bool(match[1]), match[2], match[3], int(match[4]), choice)
            messages[name][field.number] = field
    return enums, messages


ENUMS, MESSAGES = read_schema()
REASONS = {name: number for number, name in ENUMS["Reason"].items()}


def encode(subprotocol, message):
    """`{"publish": {...}}` as what a WebSocket message carries: str or bytes."""
    if subprotocol == JSON:
        return json.dumps(to_json("Envelope", message), ensure_ascii=False)
    return to_proto("Envelope", message)


def decode(data):
    """The kind of an envelope, and its fields."""
    if isinstance(data, str):
        envelope = from_json("Envelope", json.loads(data))
    else:
        envelope = from_proto("Envelope", data)
    [(kind, body)] = envelope.items()
    return kind, body


def field_of(kind, name):
    return next(field for field in MESSAGES[kind].values() if field.name == name)


def each(field, value, convert):
    return [convert(one) for one in value] if field.repeated else convert(value)


def to_json(kind, message):
    def convert(field, value):
        if field.is_message:
            return to_json(field.kind, value)
        if field.kind == "bytes":
            return base64.b64encode(value).decode()
        return str(value) if field.kind in AS_TEXT else value

    fields = {name: field_of(kind, name) for name in message}
    return {name: each(fields[name], value, lambda one, field=fields[name]: convert(field, one))
            for name, value in message.items()}


def from_json(kind, message):
    def convert(field, value):
        if field.is_message:
            return from_json(field.kind, value)
        if field.kind == "bytes":
            return base64.b64decode(value, validate=True)
        if field.kind in AS_TEXT:
            assert isinstance(value, str), f"{field.name}: 64 bits that are not text"
        return int(value) if field.kind in INTEGERS else value

    found = defaults(kind)
    for name, value in message.items():
        field = field_of(kind, name)
        found[name] = each(field, value, lambda one, field=field: convert(field, one))
        plain = not field.choice and not field.is_message
        assert not plain or found[name] != field.default, f"{name}: a default that is written"
    return found


def defaults(kind):
    return {field.name: field.default for field in MESSAGES[kind].values()
            if not field.choice and (field.repeated or not field.is_message)}


def varint(number):
    number &= (1 << 64) - 1
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)
    return bytes(data)


def take_varint(data, place):
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def to_proto(kind, message):
    data = b""
    for name, value in message.items():
        field = field_of(kind, name)
        for one in value if field.repeated else [value]:
            data += to_proto_field(field, one)
    return data


def to_proto_field(field, value):
    if field.is_message:
        value = to_proto(field.kind, value)
    elif field.kind == "string":
        value = value.encode()
    elif field.kind in ENUMS:
        value = next(number for number, name in ENUMS[field.kind].items() if name == value)
    if isinstance(value, bytes):
        return varint(field.number << 3 | 2) + varint(len(value)) + value
    return varint(field.number << 3) + varint(int(value))


def from_proto(kind, data):
    found = defaults(kind)
    place = 0
    while place < len(data):
        tag, place = take_varint(data, place)
        field = MESSAGES[kind][tag >> 3]
        value, place = take_varint(data, place)
        if tag & 7 == 2:
            value, place = data[place:place + value], place + value
        else:
            assert tag & 7 == 0, f"{field.name}: wire type {tag & 7}"
        value = from_proto_field(field, value)
        if field.repeated:
            found[field.name].append(value)
        else:
            found[field.name] = value
    return found


def from_proto_field(field, value):
    if field.is_message:
        return from_proto(field.kind, value)
    if field.kind == "string":
        return value.decode()
    if field.kind in ENUMS:
        return ENUMS[field.kind][value]
    if field.kind == "bool":
        return bool(value)
    if field.kind == "int64":
        return struct.unpack("<q", struct.pack("<Q", value))[0]
    return value
