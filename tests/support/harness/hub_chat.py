"""The same short chat through a hub for each kind of client that no one here wrote (docs/wire/hub.md)."""

import importlib.util
import json
import re
import subprocess
import sys

from . import hub_protocol, streams
from .process import KEPT_LINES

OPS = {"group": "ops"}
LARGEST = str(2**64 - 1)


class Schema:
    """The schema as Google's own Protobuf for Python has it, its JSON mapping included."""

    def __init__(self, crew):
        from google.protobuf import json_format

        self._format = json_format
        out, source = crew.folder(), hub_protocol.SCHEMA
        crew.run("protoc", f"--proto_path={source.parent}", f"--python_out={out}", source)
        spec = importlib.util.spec_from_file_location("envelope_pb2", out / "envelope_pb2.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(spec.name, module)
        spec.loader.exec_module(module)
        self._envelope = module.Envelope

    def check_json(self, text):
        """What the hub says in JSON is word for word what that mapping makes of it."""
        said = json.loads(text)
        mapped = self._format.MessageToDict(self._format.Parse(text, self._envelope()))
        assert mapped == said, f"{text}\nis mapped as\n{json.dumps(mapped)}"
        return said

    def to_bytes(self, envelope):
        return self._format.ParseDict(envelope, self._envelope()).SerializeToString()

    def from_bytes(self, data):
        return self._format.MessageToDict(self._envelope.FromString(data))


class Talk:
    """One connection; what goes over it is dicts as in JSON, numbers of 64 bits being strings."""

    def __init__(self):
        self._taken = set()
        self.seq = 0

    def said(self):
        """All envelopes that the hub has sent so far."""
        raise NotImplementedError

    def say(self, **envelope):
        raise NotImplementedError

    def close(self):
        """In good order."""
        raise NotImplementedError

    def wait_closed(self):
        """The code with which it was closed."""
        raise NotImplementedError

    def hear(self, kind):
        """The first of that kind that was not heard yet."""
        def find():
            for index, envelope in enumerate(self.said()):
                if kind in envelope and index not in self._taken:
                    self._taken.add(index)
                    return [envelope[kind]]
            return None

        return streams.eventually(f"a {kind}", find, timeout=30)[0]

    def greet(self, user, **hello):
        self.say(hello={"user": user, **hello})
        return self.hear("welcome")

    def publish(self, to, content, **more):
        self.seq += 1
        self.say(publish={"seq": str(self.seq), "id": f"m{self.seq}", "to": to, "content": content, **more})

    def ack(self):
        """Everything so far."""
        self.say(ack={"seq": str(sum("delivery" in envelope or "gap" in envelope for envelope in self.said()))})


class LineTalk(Talk):
    """One that a program does which is told what to say in lines of JSON, and tells what happens so too."""

    def __init__(self, process, read, **which):
        super().__init__()
        self._process, self._read, self._which = process, read, which

    def order(self, order, **fields):
        self._process.stdin.write(json.dumps({"order": order, **self._which, **fields}).encode() + b"\n")
        self._process.stdin.flush()

    def wait(self, event):
        return self._process.wait_event(event, **self._which)

    def said(self):
        return [self._read(event["text"]) for event in list(self._process.events)
                if event["event"] == "message" and self._which.items() <= event.items()]

    def say(self, **envelope):
        self.order("text", text=json.dumps(envelope))

    def close(self):
        self.order("close", code=1000, reason="")
        assert self.wait_closed() == 1000

    def wait_closed(self):
        return self.wait("close")["code"]


class WscatTalk(Talk):
    """wscat, as one types: it wants a terminal."""

    def __init__(self, crew, program, url, read):
        super().__init__()
        self._read = read
        words = ["node", str(program), "--no-color", "--slash", "--subprotocol", hub_protocol.JSON, "--connect", url]
        self._process = crew.start("wscat", "script", "-qec", " ".join(words), "/dev/null", stdin=subprocess.PIPE,
                                   env={"TERM": "dumb"})
        self._process.wait_line("Connected")

    def said(self):
        found = re.findall(r"< (\{.*\})", self._process.transcript(KEPT_LINES))
        return [self._read(text) for text in found]

    def say(self, **envelope):
        self._type(json.dumps(envelope))

    def _type(self, text):
        self._process.stdin.write(text.encode() + b"\r")
        self._process.stdin.flush()

    def close(self):
        self._type("/close 1000")
        assert self.wait_closed() == 1000

    def wait_closed(self):
        return int(re.search(r"Disconnected \(code: (\d+)", self._process.wait_line("Disconnected"))[1])


def chat(come):
    """Two users, a group, direct messages, an acknowledgement, a request, a resume, and a mistake.

    `come` opens one connection more to a hub that has a store and that nobody has used before.
    """
    ann, bob = come(), come()
    assert ann.greet("ann")["user"] == "ann"
    welcome = bob.greet("bob", acknowledges=True)
    epoch = welcome["epoch"]
    assert welcome["inbox"] == {"conversation": {"user": "bob"}, "epoch": epoch}
    for members, talk in enumerate((ann, bob), 1):
        talk.say(join={"group": "ops"})
        assert talk.hear("joined") == {"group": "ops", "epoch": epoch, "members": members}

    ann.publish(OPS, {"text": "grüße \U0001f600"}, key="k")
    for talk in (ann, bob):
        delivery = talk.hear("delivery")
        assert int(delivery.pop("sentAtMs")) > 1_600_000_000_000
        assert delivery == {"from": "ann", "to": OPS, "id": "m1", "epoch": epoch, "offset": "1", "key": "k",
                            "content": {"text": "grüße \U0001f600"}}
    bob.publish({"user": "ann"}, {"data": "AP8="})
    assert ann.hear("delivery")["content"] == {"data": "AP8="}
    ann.publish({"user": "bob"}, {"text": "are you there?"}, level="DELIVERED")
    assert bob.hear("delivery")["content"] == {"text": "are you there?"}
    bob.ack()
    assert ann.hear("receipt") == {"seq": "2", "id": "m2", "level": "DELIVERED", "epoch": epoch, "offset": "1"}
    ann.say(request={"seq": "3", "id": "q1", "user": "bob", "content": {"text": "2+2"}, "timeoutMs": 20_000})
    question = bob.hear("delivery")
    bob.say(reply={"request": question["request"], "content": {"text": "4"}})
    assert ann.hear("reply") == {"request": "q1", "content": {"text": "4"}}
    bob.ack()
    bob.close()

    ann.seq = 3
    ann.publish(OPS, {"text": "while you were away"}, level="STORED")
    assert ann.hear("receipt")["offset"] == "2"
    again = come()
    position = {"conversation": OPS, "epoch": epoch, "offset": "1"}
    resumed = again.greet("bob", resume={"sessionToken": welcome["sessionToken"], "positions": [position]})
    assert resumed["resumed"] is True and resumed["session"] == welcome["session"]
    assert resumed["previous"]["reason"] == "CLOSED_BY_CLIENT"
    assert again.hear("joined")["offset"] == "2"
    delivery = again.hear("delivery")
    assert delivery["content"] == {"text": "while you were away"} and delivery["replayed"] is True
    again.say(ping={"nonce": LARGEST})
    assert again.hear("pong") == {"nonce": LARGEST}
    again.close()

    ann.say(hello={"user": "ann"})
    assert ann.hear("kick")["reason"] == "PROTOCOL_VIOLATION"
    assert ann.wait_closed() == 1002
