# SPDX-License-Identifier: Apache-2.0
"""A healthy server is up whatever the content and size of its replies: replies of many sizes from real servers, a
sample of those of make http2."""
import pytest

from check_servers import Pki
from http_peers import Peers, Probes, play

TOTAL = 12  # pairs of sizes for each server


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    directory = tmp_path_factory.mktemp("peers")
    made = Peers(str(directory), Pki(tmp_path_factory.mktemp("pki")))
    yield made
    made.close()


@pytest.fixture
def probes():
    made = Probes()
    yield made
    made.close()


@pytest.mark.parametrize("name", ["node", "nginx", "apache", "haproxy", "nghttpd"])
def test_replies_of_all_sizes_pass(peers, probes, name):
    if name not in peers.running:
        pytest.skip(f"{name} is not here: tests/tools/fetch-peers, and node")
    failures = []
    play(peers.running[name], probes, 0, TOTAL, TOTAL, failures)
    assert not failures, "\n".join(failures)
