import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from harness import netns  # noqa: E402
from harness.fixtures import crew_fixture, pytest_runtest_makereport  # noqa: E402,F401

ALL_SKIPPED = 77
"""SKIP_RETURN_CODE of ../CMakeLists.txt."""


def pytest_collection_modifyitems(items):
    if reason := netns.why_not():
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_sessionfinish(session, exitstatus):
    """What skipped everything has shown nothing: ctest knows this exit code, and says that it was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == pytest.ExitCode.OK and "skipped" in reporter.stats and "passed" not in reporter.stats:
        session.exitstatus = ALL_SKIPPED


@pytest.fixture(name="network")
def network_fixture(request, crew):
    """The namespaces; a test that is parametrized with a Nat gets routers of that kind."""
    return crew.adopt(netns.Network(getattr(request, "param", netns.Nat.FRIENDLY)))
