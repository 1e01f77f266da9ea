# SPDX-License-Identifier: Apache-2.0
"""A small version of the test of abuse beside normal clients; `make abuse` runs it in full."""
import os

import pytest

import abuse
from dnsd_util import BUILD, SLOW

SECONDS = 2
# the least that a build with sanitizers must answer; other builds must meet abuse.BAR
SLOW_BAR = 0.98

PHASES = [abuse.Phase("connections", connections=400),
          abuse.Phase("random names from one network", floods=[("subdomain", 10000, 1)]),
          abuse.Phase("random names from everywhere", floods=[("subdomain", 10000, 250)]),
          abuse.Phase("broken packets", floods=[("malformed", 10000, 250)])]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with abuse.Server(str(tmp_path_factory.mktemp("abuse")), "--tcp-max", "200") as s:
        yield s


@pytest.mark.skipif(not os.path.exists(os.path.join(BUILD, "tests/flood")), reason="tests/flood is not built")
@pytest.mark.parametrize("phase", PHASES, ids=lambda p: p.name)
def test_normal_clients_do_not_notice(server, phase):
    phase.run(server, SECONDS, udp_rate=500, connects_s=400)
    bar = abuse.BAR if SLOW == 1 else SLOW_BAR
    assert phase.share(phase.udp) >= bar and phase.share(phase.tcp) >= bar, phase.report()
    if SLOW == 1:
        assert phase.grown_kb() < 4096, phase.report()
    if phase.crowd:
        assert phase.counters["tcp_accepted"] >= 300, phase.report()
