import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from harness import netns  # noqa: E402
from harness.fixtures import crew_fixture, pytest_runtest_makereport  # noqa: E402,F401


def pytest_collection_modifyitems(items):
    if reason := netns.why_not():
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(name="network")
def network_fixture(request, crew):
    """The namespaces; a test that is parametrized with a Nat gets routers of that kind."""
    return crew.adopt(netns.Network(getattr(request, "param", netns.Nat.FRIENDLY)))
