#!/usr/bin/env python3
"""Runs a slow check over each file of ours, in parallel, and remembers what passed.

Usage: check_files.py headers BUILD_FOLDER  each header compiles with nothing of ours before it
       check_files.py lint BUILD_FOLDER     clang-tidy over each .cpp that is not a test
Both with the commands of that folder.

A file is looked at again only when it, a header of ours that it reaches, the command or the tool has changed: what
passed leaves a stamp under build/checked/, named by a hash of all these.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
STAMPS = ROOT / "build/checked"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def our_files(suffix):
    listed = output_of("git", "ls-files", "-co", "--exclude-standard", "src", "bench", "tests", "fuzz").split("\n")
    return [ROOT / path for path in listed if path.endswith(suffix) and (ROOT / path).is_file()]


def reached_from(path, seen):
    """The file and every header of ours that it includes, directly or not."""
    if path not in seen and path.is_file():
        seen.add(path)
        for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            for folder in (ROOT / "src", ROOT, path.parent):
                if (folder / name).is_file():
                    reached_from((folder / name).resolve(), seen)
                    break
    return seen


def stamp_of(kind, tool, path, command):
    key = hashlib.sha256(f"{kind}\0{tool}\0{path.relative_to(ROOT)}\0{' '.join(command)}".encode())
    for part in sorted(reached_from(path, set())):
        key.update(str(part.relative_to(ROOT)).encode() + b"\0" + part.read_bytes())
    return STAMPS / kind / key.hexdigest()


def compiled_in(build):
    """What ninja runs for each of our sources, without what it writes and where."""
    database = json.loads((pathlib.Path(build) / "compile_commands.json").read_text(encoding="utf-8"))
    return {pathlib.Path(entry["file"]): entry["command"] for entry in database
            if not entry["file"].startswith(str(build))}


def header_jobs(build):
    """Each header as its room is compiled, which is with the precompiled headers of other people's libraries.

    Reading Asio anew for each header takes 5 s, and tells only of a #include that nobody misses.
    """
    rooms = {}  # (folder, whether tests') -> the command of a source there
    for path, command in compiled_in(build).items():
        rooms.setdefault((path.parent, path.name.endswith("_test.cpp")), command)
    tool = output_of("clang++-19", "--version")
    jobs = []
    for path in our_files(".hpp"):
        is_for_tests = path.name == "testing.hpp" or path.parent.name == "testing"
        folder = path.parent
        while not (found := rooms.get((folder, is_for_tests)) or rooms.get((folder, True))) and folder != ROOT:
            folder = folder.parent
        command = shlex.split(found or next(iter(rooms.values())))
        flags = command[command.index(next(part for part in command if "clang++" in part)):command.index("-o")]
        job = [*flags, "-fsyntax-only", f"-I{ROOT}", f"-I{ROOT}/src", "-x", "c++", "-include", str(path), "/dev/null"]
        jobs.append((path, tool, job))
    return jobs


def lint_jobs(build):
    compiled = compiled_in(build)
    tool = output_of("clang-tidy-19", "--version") + (ROOT / ".clang-tidy").read_text(encoding="utf-8")
    jobs = []
    for path in our_files(".cpp"):
        if path in compiled and not path.name.endswith("_test.cpp"):
            command = ["clang-tidy-19", "--quiet", "-p", str(build), str(path)]
            jobs.append((path, tool + compiled[path], command))
    return jobs


def look_at(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + ("" if done.returncode == 0 or done.stdout else done.stderr)


def main(arguments):
    kind = arguments[1]
    jobs = (header_jobs if kind == "headers" else lint_jobs)(pathlib.Path(arguments[2]).resolve())
    (STAMPS / kind).mkdir(parents=True, exist_ok=True)
    stamps = {stamp_of(kind, tool, path, command): (path, command) for path, tool, command in jobs}
    for old in set((STAMPS / kind).iterdir()) - set(stamps):
        old.unlink()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        pending = {pool.submit(look_at, command): (stamp, path)
                   for stamp, (path, command) in stamps.items() if not stamp.exists()}
        for future in concurrent.futures.as_completed(pending):
            stamp, path = pending[future]
            code, text = future.result()
            if code == 0:
                stamp.touch()
            else:
                failed += 1
                print(f"--- {path.relative_to(ROOT)}\n{text.rstrip()}", flush=True)
    print(f"{len(jobs)} files, {len(pending)} looked at, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
