#!/usr/bin/env python3
"""Prints the failed tests of a JUnit report, each with the end of what it printed: `failures.py REPORT`.

A log of thousands of passed tests hides the few lines that matter, and some runners keep only its end.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree

TESTS = 8
LINES = 30
WIDTH = 300


def main(report: pathlib.Path) -> None:
    failed = [case for case in ElementTree.parse(report).iter("testcase") if case.find("failure") is not None]
    for case in failed[:TESTS]:
        reason = case.find("failure").get("message") or "no reason given"
        print(f"\n-- {case.get('name')} of {report.parent.name} failed ({reason}):")
        for line in (case.findtext("system-out") or "").rstrip().splitlines()[-LINES:]:
            print(f"   {line[:WIDTH]}")
    for case in failed[TESTS:]:
        print(f"-- {case.get('name')} of {report.parent.name} failed")


main(pathlib.Path(sys.argv[1]))
