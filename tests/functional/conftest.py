# SPDX-License-Identifier: Apache-2.0
"""The functional tests run in two turns. The first runs as a system user and skips tests that need root; the second
runs those as root.

VEER_SKIPPED_FILE in the environment names the file of skipped tests that the first turn writes; VEER_ONLY_FILE names
the same file for the second turn. A test that hangs fails after TEST_DEADLINE_S, and the tests after it still run.
"""
import os
import signal

import pytest

from veer_util import SLOW

TEST_DEADLINE_S = 600 * SLOW


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    def give_up(_signal, _frame):
        pytest.fail(f"{item.nodeid} does not end within {TEST_DEADLINE_S} s")
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(TEST_DEADLINE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pytest_runtest_logreport(report):
    note(report)


def pytest_collectreport(report):
    note(report)


def note(report):
    path = os.environ.get("VEER_SKIPPED_FILE")
    if path and report.skipped:
        with open(path, "a", encoding="utf-8") as f:
            f.write(report.nodeid + "\n")


def pytest_collection_modifyitems(config, items):
    path = os.environ.get("VEER_ONLY_FILE")
    if not path:
        return
    with open(path, encoding="utf-8") as f:
        wanted = set(f.read().splitlines())
    left_out = [item for item in items if item.nodeid not in wanted and item.nodeid.split("::", maxsplit=1)[0] not in wanted]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
