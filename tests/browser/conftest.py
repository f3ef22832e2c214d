import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "interop")]

from harness.fixtures import crew_fixture, pytest_runtest_makereport  # noqa: E402,F401
