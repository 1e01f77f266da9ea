# SPDX-License-Identifier: Apache-2.0
"""Real agents of two regions: calculated checks, and a quorum that requires both regions. Real programs and a site
whose reply changes."""
import pytest

from probe_api import Site
from veer_util import Api, Program, wait_until

PROBED = {"interval_ms": 300, "timeout_ms": 250, "fall": 2, "rise": 2, "hold_s": 0}


class World:
    """veer-api, one agent in eu, one in us, and a site."""

    def __init__(self, directory):
        self.dir, self.site = directory, Site()
        self.api = Api(directory).start()
        self.agents = [self.agent(region) for region in ("eu", "us")]
        self.put("sites/s", {"region": "eu"})
        self.put("checks/web", {"kind": "http", "port": self.site.port, **PROBED})
        self.put("checks/port", {"kind": "tcp", "port": self.site.port, **PROBED})

    def agent(self, region):
        token = self.dir / f"{region}.token"
        token.write_text(self.api.post("/v1/agents", {"name": region, "region": region}).json["token"])
        agent = Program(self.dir, ["veer-probe", "--api", f"unix:{self.api.unix}", "--token-file", token, "--state", self.dir / region,
                                   "--allow-targets", "loopback"], name=f"{region}.log")
        return agent.start()

    def put(self, path, body):
        reply = self.api.put(f"/v1/{path}", body)
        assert reply.status in (200, 201), reply

    def pool(self, name, *checks):
        self.put(f"pools/{name}", {"checks": list(checks), "endpoints": [{"name": "x", "address": "127.0.0.1", "site": "s"}]})

    def endpoint(self, pool):
        return next(e for e in self.api.get("/v1/status").json["endpoints"] if e["endpoint"] == f"{pool}/x")

    def becomes(self, state, *pools):
        wait_until(lambda: all(self.endpoint(p)["state"] == state for p in pools), 20, lambda: self.api.get("/v1/status").json)

    def close(self):
        for agent in self.agents:
            agent.kill()
        self.api.stop()
        self.site.close()


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def test_calculated_checks_of_what_agents_see(world):
    world.put("checks/any", {"kind": "calculated", "of": ["web", "port"], "need": "any", "hold_s": 0})
    world.put("checks/all", {"kind": "calculated", "of": ["web", "port"], "hold_s": 0})
    world.pool("any", "any")
    world.pool("all", "all")
    world.becomes("up", "any", "all")
    world.site.status = 500  # the port still accepts connections
    world.becomes("down", "all")
    assert world.endpoint("any")["state"] == "up"
    world.site.status = 200
    world.becomes("up", "all")
    world.site.close()
    world.becomes("down", "any", "all")


def test_a_quorum_of_regions_wants_both(world):
    """The quorum is one vote, but from two regions: an agent alone decides nothing, both together do."""
    world.put("checks/wide", {"kind": "http", "port": world.site.port, "quorum": 1, "regions": 2, **PROBED})
    world.put("checks/narrow", {"kind": "http", "port": world.site.port, "quorum": 1, **PROBED})
    world.pool("wide", "wide")
    world.pool("narrow", "narrow")
    world.becomes("up", "wide", "narrow")
    world.agents[1].kill()
    wait_until(lambda: world.endpoint("wide")["wait"] == "no_regions", 20, lambda: world.endpoint("wide"))
    world.site.status = 500
    world.becomes("down", "narrow")
    assert world.endpoint("wide")["state"] == "up"
    world.agents[1].start()
    world.becomes("down", "wide")
