#!/usr/bin/env python3
"""Checks every #include against tools/layers.txt: rooms include downwards only, libraries stay in their rooms.

Usage: check_layers.py [ROOT]. Prints one line for each include that is refused and exits 1 if there is any.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SUFFIXES = (".hpp", ".cpp", ".h", ".cc")


class Rules:
    """The arrows and the homes of libraries, as layers.txt has them."""

    def __init__(self, text):
        self.rooms = {}      # room -> rooms that it may include
        self.libraries = []  # (patterns, rooms that may include them), in order
        groups = {}          # name -> rooms
        for number, line in enumerate(text.splitlines(), 1):
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            head, colon, allowed = line.partition(":")
            kind, _, names = head.strip().partition(" ")
            if not colon or kind not in ("room", "lib", "group") or not names.strip():
                raise ValueError(f"line {number}: expected `room NAME: ...`, `lib PATTERN...: ...` or `group NAME: ...`")
            allowed = [room for name in allowed.split() for room in groups.get(name, [name])]
            if kind == "room":
                self.rooms[names.strip()] = allowed
            elif kind == "group":
                groups[names.strip()] = allowed
            else:
                self.libraries.append((names.split(), allowed))
        self._refuse_unknown_rooms()
        self._refuse_circles()

    def _refuse_unknown_rooms(self):
        for room, allowed in self.rooms.items():
            for other in allowed:
                if other != "*" and other not in self.rooms:
                    raise ValueError(f"room {room}: there is no room {other}")
        for patterns, allowed in self.libraries:
            for room in allowed:
                if room not in ("*", "test") and room not in self.rooms:
                    raise ValueError(f"lib {' '.join(patterns)}: there is no room {room}")

    def _refuse_circles(self):
        below = {room: [] if "*" in allowed else allowed for room, allowed in self.rooms.items()}
        done = set()

        def visit(room, path):
            if room in path:
                raise ValueError("a circle: " + " -> ".join([*path, room]))
            if room not in done:
                for other in below[room]:
                    visit(other, [*path, room])
                done.add(room)

        for room in below:
            visit(room, [])

    def room_of(self, path):
        """The deepest room that holds a path written from src/ (or from the top, for tests, bench and fuzz)."""
        parts = pathlib.PurePosixPath(path).parts[:-1]
        for length in range(len(parts), 0, -1):
            name = "/".join(parts[:length])
            if name in self.rooms:
                return name
        return None

    def refusal_of_room(self, room, target):
        other = self.room_of(target)
        if other is None:
            return f"`{target}` is in no room"
        allowed = self.rooms[room]
        if other == room or other in allowed or "*" in allowed:
            return None
        return f"{room} may not include {other}"

    def refusal_of_library(self, room, is_test, header):
        for patterns, allowed in self.libraries:
            if any(fnmatch.fnmatchcase(header, pattern) for pattern in patterns):
                if "*" in allowed or room in allowed or (is_test and "test" in allowed):
                    return None
                return f"<{header}> may be included in {', '.join(allowed) or 'no room'} only"
        if "." in header or "/" in header:
            return f"<{header}> is in no line of tools/layers.txt"
        return None


def shared_by_tests(root, header):
    return any(next((root / top).rglob(header), None) for top in ("tests", "bench", "fuzz"))


def check_file(rules, root, path):
    """Yields (line number, what is wrong) for one file, its path written from the root."""
    from_src = path.startswith("src/")
    name = path.removeprefix("src/")
    room = rules.room_of(name)
    if room is None:
        yield 1, "this file is in no room of tools/layers.txt"
        return
    is_test = path.endswith(("_test.cpp", "/testing.hpp"))
    for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, header = match.groups()
        if bracket == "<":
            refusal = rules.refusal_of_library(room, is_test, header)
        elif from_src and not is_test and header.endswith("/testing.hpp"):
            refusal = f"{header} is for tests"
        elif (root / "src" / header).is_file():
            refusal = rules.refusal_of_room(room, header)
        elif not from_src and ((root / header).is_file() or shared_by_tests(root, header)):
            refusal = None  # tests, benches and fuzz targets may have headers of their own, and share them
        else:
            refusal = f'"{header}" is not a file under src/ (includes are written from there)'
        if refusal:
            yield number, refusal


def files_of(root):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "src", "tests", "bench", "fuzz"],
                            cwd=root, check=True, capture_output=True, text=True).stdout.split("\n")
    return [path for path in listed if path.endswith(SUFFIXES) and (root / path).is_file()]


def main(arguments):
    root = pathlib.Path(arguments[1] if len(arguments) > 1 else ".").resolve()
    try:
        rules = Rules((root / "tools/layers.txt").read_text(encoding="utf-8"))
    except ValueError as error:
        print(f"tools/layers.txt: {error}")
        return 1
    refused = 0
    for path in files_of(root):
        for number, refusal in check_file(rules, root, path):
            print(f"{path}:{number}: {refusal}")
            refused += 1
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
