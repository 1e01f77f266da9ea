#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small, seeded sample of the comparison with Knot and NSD; `make differential` runs all of it."""
import os

import differential
import pytest

BUILD = os.environ.get("VEER_BUILD", os.path.join(differential.ROOT, "build"))
PEERS = os.path.join(differential.ROOT, "build", "peers", "root")


@pytest.mark.skipif(not os.path.exists(os.path.join(PEERS, "usr/sbin/knotd")), reason="tests/tools/fetch-peers was not run")
def test_the_same_zones_give_the_same_answers_as_knot_and_nsd():
    asked, counts, unexplained = differential.run(os.path.abspath(BUILD), PEERS, range(1001, 1009), 120)
    assert asked == 1680  # questions about the zones and the families around them; the seeds fix their number
    assert unexplained == [], "\n".join(unexplained[:5])
    assert sum(counts.values()) < asked / 20, counts
