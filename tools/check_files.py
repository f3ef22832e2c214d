#!/usr/bin/env python3
"""Runs a slow check over each file of ours, in parallel, and remembers what passed.

Usage: check_files.py headers            each header compiles alone
       check_files.py lint BUILD_FOLDER  clang-tidy over each .cpp that is not a test, with that folder's commands

A file is looked at again only when it, a header of ours that it reaches, the command or the tool has changed: what
passed leaves a stamp under build/checked/, named by a hash of all these.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
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


def header_jobs():
    flags = output_of("pkg-config", "--cflags", "nice", "usrsctp", "libsodium", "spdlog", "fmt").split()
    command = ["clang++-19", "-std=c++23", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Isrc", "-I.", *flags,
               "-DBOOST_ASIO_NO_DEPRECATED", "-DBOOST_ASIO_DISABLE_BOOST_COROUTINE", '-DSLUICE_VERSION=""', "-x", "c++", "-include"]
    tool = output_of("clang++-19", "--version")
    return [(path, tool, [*command, str(path.relative_to(ROOT)), "/dev/null"]) for path in our_files(".hpp")]


def lint_jobs(build):
    database = json.loads((pathlib.Path(build) / "compile_commands.json").read_text(encoding="utf-8"))
    compiled = {entry["file"]: entry["command"] for entry in database}
    tool = output_of("clang-tidy-19", "--version") + (ROOT / ".clang-tidy").read_text(encoding="utf-8")
    jobs = []
    for path in our_files(".cpp"):
        if str(path) in compiled and not path.name.endswith("_test.cpp"):
            command = ["clang-tidy-19", "--quiet", "-p", str(build), str(path)]
            jobs.append((path, tool + compiled[str(path)], command))
    return jobs


def look_at(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + ("" if done.returncode == 0 or done.stdout else done.stderr)


def main(arguments):
    kind = arguments[1]
    jobs = header_jobs() if kind == "headers" else lint_jobs(arguments[2])
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
