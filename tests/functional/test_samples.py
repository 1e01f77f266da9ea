# SPDX-License-Identifier: Apache-2.0
"""State that earlier versions left on disk can be read: the frozen samples of tests/data/vX.Y.Z, made by samples.py of
that version."""
import glob
import os
import shutil

import dns.message
import dns.query
import dns.rdatatype
import pytest

from dnsd_util import Dnsd
from health_rig import free_udp_port
from test_probe import Agent
from veer_util import ROOT, SLOW, Api, wait_until

SAMPLES = sorted(glob.glob(os.path.join(ROOT, "tests", "data", "v*")))
VERSIONS = [os.path.basename(path) for path in SAMPLES]


@pytest.fixture(params=SAMPLES, ids=VERSIONS)
def sample(request, tmp_path):
    """A copy, because the programs write to it."""
    path = tmp_path / "sample"
    shutil.copytree(request.param, path)
    return path


def test_there_is_a_sample():
    assert "v0.1.0" in VERSIONS


def answers_of(ask):
    """The answers that every version must give from the sample: {(name, type): records as text}."""
    return {
        ("www.gslb.example.", "A"): ["127.0.1.98"],  # a is down, c is out
        ("ns1.sample.example.", "A"): ["192.0.2.53"], ("ns1.sample.example.", "AAAA"): ["2001:db8::53"],
        ("mixed.case.sample.example.", "TXT"): ['"a text" "and another"'], ("mail.sample.example.", "MX"): ["10 MAIL.Example."],
        ("any.sample.example.", "A"): ["192.0.2.99"], ("cert.sample.example.", "CAA"): ['0 issue "ca.example"'],
        ("odd.sample.example.", "TYPE65280"): ["\\# 3 abcdef"],
    } if ask is None else {key: ask(*key) for key in answers_of(None)}


def ask_at(port):
    def ask(name, kind):
        reply = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=5 * SLOW)
        return [r.to_text(origin=None, relativize=False) for rrset in reply.answer for r in rrset
                if r.rdtype == dns.rdatatype.from_text(kind)]
    return ask


def test_a_name_server_answers_from_a_saved_plan_alone(sample, tmp_path):
    port = free_udp_port()
    with Dnsd("--feed", f"unix:{tmp_path}/nobody", "--state", str(sample / "nameserver"), listen=(f"127.0.0.1@{port}",)) as d:
        d.ready()
        assert answers_of(ask_at(port)) == answers_of(None)


@pytest.mark.parametrize("part", ["plan.base", "plan.journal"])
def test_each_part_of_a_saved_plan_is_there(sample, part):
    """The sample must contain both parts."""
    assert (sample / "nameserver" / part).stat().st_size > 64


def test_a_store_is_served_and_fed(sample, tmp_path):
    (tmp_path / "api").mkdir()
    api = Api(tmp_path / "api")
    shutil.copy(sample / "veer.db", api.store)
    api.start()
    try:
        def items(path):
            return {item.get("name", item.get("endpoint")): item for item in api.get(path).json["items"]}
        assert items("/v1/sites")["c"]["state"] == "out"
        assert set(items("/v1/pools")) == {"web", "alt"} and set(items("/v1/policies")) == {"www", "last"}
        assert items("/v1/overrides")["alt/d"]["reason"] == "a sample"
        assert items("/v1/maintenance")["window"]["sites"] == ["d"]
        assert api.get("/v1/settings").json["brake"] == "off"
        assert "sample" in items("/v1/tokens") and "real" in items("/v1/agents")
        assert api.get("/v1/endpoints/web/a").json["state"] == "down"
        assert len(api.get("/v1/transitions").json["items"]) >= 1
        assert b"Mixed.Case" in api.get("/v1/zones/sample.example./export").body
        port = free_udp_port()
        # it has followed this store's history before, so it follows it
        with Dnsd("--feed", f"unix:{api.unix}", "--state", str(sample / "nameserver"), listen=(f"127.0.0.1@{port}",)) as d:
            d.ready()
            assert api.put("/v1/zones/sample.example./rrsets/new/A", {"ttl": 60, "records": ["192.0.2.7"]}).status == 201
            wait_until(lambda: ask_at(port)("new.sample.example.", "A") == ["192.0.2.7"], 10, d.log)
            assert answers_of(ask_at(port)) == answers_of(None)
            assert "quarantine" not in d.log()
    finally:
        api.kill()


def test_an_agent_goes_on_with_what_it_was_assigned(sample, tmp_path):
    os.rename(sample / "agent", tmp_path / "state")
    agent = Agent(str(tmp_path), f"unix:{tmp_path}/nobody")
    try:
        agent.wait_for("from=disk")
        agent.wait_for("agent=ag-")
        assert "items=4" in agent.log
    finally:
        agent.kill()
