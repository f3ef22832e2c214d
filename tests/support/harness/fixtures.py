"""pytest's side: a crew for each test, and what its processes said beside each failure."""

import pytest

from .crew import Crew


@pytest.fixture(name="crew")
def crew_fixture():
    with Crew() as crew:
        yield crew


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    crew = getattr(item, "funcargs", {}).get("crew")
    if call.when == "call" and report.failed and crew:
        report.sections.append(("processes", crew.transcript()))
