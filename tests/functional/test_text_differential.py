#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A sample of text_differential.py: `make differential-text` runs all of it."""
import os

import pytest
import text_differential
import text_maker

BUILD = os.environ.get("VEER_BUILD", os.path.join(text_differential.ROOT, "build"))
PEERS = os.path.join(text_differential.ROOT, "build", "peers", "root")


@pytest.mark.skipif(not os.path.exists(os.path.join(PEERS, "usr/bin/named-compilezone")), reason="tests/tools/fetch-peers was not run")
def test_lines_of_zone_files_mean_what_they_mean_to_bind():
    judge = text_differential.run(os.path.abspath(BUILD), PEERS, range(1000, 1010))
    assert judge.unexplained == [], "\n".join(judge.unexplained[:5])
    assert judge.taken > judge.asked * 0.75, "most lines are right"
    assert sum(judge.counts.values()) < judge.asked / 50, judge.counts


def test_the_maker_writes_every_type():
    seen = {rtype for rtype, _, _ in text_maker.lines(1, 3000)}
    assert seen == set(text_maker.TYPES) and len(seen) > 60
