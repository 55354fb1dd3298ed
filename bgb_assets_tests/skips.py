"""What was skipped, by reason; and a failure where something was skipped that this machine could have had.

`BGB_TEST_REQUIRE` names what must not be skipped: `fixtures`, `browser`. The first words of a skip's reason say
which it is: "fixtures absent: ...", "browser absent: ...".
"""

import os
from collections import Counter

import pytest

FAILED = 1


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """Print the reasons with their counts."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")
    for reason in _missing(reasons):
        terminalreporter.write_line(f"FAILED: skipped although this machine has it: {reason}", red=True)


def pytest_sessionfinish(session, exitstatus):
    """Fail the session where something was skipped that is required."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reasons = [_reason(report) for report in reporter.stats.get("skipped", [])] if reporter else []
    if _missing(reasons) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = FAILED


def _missing(reasons):
    required = os.environ.get("BGB_TEST_REQUIRE", "").split()
    return [reason for reason in reasons if any(reason.startswith(f"{name} absent") for name in required)]


def _reason(report):
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
