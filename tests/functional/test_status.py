# SPDX-License-Identifier: Apache-2.0
"""The status of the whole: what policies answer now, not only the states of endpoints; summary, filters, exit codes."""
import json
import re

import pytest

from health_rig import Rig, cli
from veer_util import wait_until


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path).all_up()
    yield made
    made.stop()


def policies(rig):
    return rig.status()["policies"]


def test_a_policy_that_fails_open_is_shown_counted_and_logged(rig):
    server = rig.name_server()
    wait_until(lambda: policies(rig)["normal"] == 2, 5, lambda: policies(rig))
    assert policies(rig)["items"] == []
    assert cli(rig.api, "status", "--check").returncode == 0
    assert "web/a is in the answers" in cli(rig.api, "why", "web/a").stdout
    assert "alt/d is eligible, but in no policy's answers now" in cli(rig.api, "why", "alt/d").stdout
    rig.say("d", "web/a", "web/b", "web/c")
    wait_until(lambda: rig.verdict("web/c") == "down", 10)
    # www continues with the pool alt; "last" has no other pool
    wait_until(lambda: policies(rig)["fail_open"] == 1, 5, lambda: policies(rig))
    item = policies(rig)["items"][0]
    assert item["policy"] == "last" and item["state"] == "fail_open", item
    assert item["types"] == [{"type": "A", "state": "fail_open", "endpoints": server_set(rig, server, "last")}], item
    rig.say("d", "alt/d")
    wait_until(lambda: policies(rig)["fail_open"] == 2, 10, lambda: policies(rig))
    www = [p for p in policies(rig)["items"] if p["policy"] == "www"][0]
    assert www["types"][0]["endpoints"] == server_set(rig, server, "www"), www
    assert www["types"][0]["endpoints"] == ["web/a", "web/b", "web/c"]  # the first branch, as if all were up
    why = cli(rig.api, "why", "web/b").stdout
    assert "web/b is down or taken out, and still handed out" in why and "policy www (A): it fails open" in why, why
    assert "alt/d is out of the answers" in cli(rig.api, "why", "alt/d").stdout
    status = cli(rig.api, "status", check=False)
    assert re.search(r"POLICY +STATE +TYPE +ANSWERS", status.stdout) and re.search(r"www +fail_open +A +", status.stdout), status.stdout
    assert "Endpoints: 4 of 4 down, 0 up, 0 unknown" in status.stdout
    assert cli(rig.api, "status", "--check", check=False).returncode == 1
    assert rig.api.metric('veer_policies{state="fail_open"}') == 2
    assert re.search(r"level=warning.*policy=www.*state=fail_open", rig.api.said())
    rig.say("u", "web/a", "web/b", "web/c", "alt/d")
    wait_until(lambda: policies(rig)["normal"] == 2, 15, lambda: policies(rig))


def server_set(rig, server, label):
    """The endpoints in a name server's answer."""
    names = {"192.0.2.1": "web/a", "192.0.2.2": "web/b", "192.0.2.3": "web/c", "192.0.2.4": "alt/d"}
    return [names[address] for address in server.addresses(label)]


def test_policies_come_and_go(rig):
    assert rig.api.put("/v1/policies/new", {"tree": "alt"}).status == 201
    wait_until(lambda: policies(rig)["normal"] == 3, 5, lambda: policies(rig))
    assert rig.override("alt/d", "drain", force="alt").status == 201
    wait_until(lambda: [p["policy"] for p in policies(rig)["items"]] == ["new"], 5, lambda: policies(rig))
    assert rig.api.put("/v1/policies/new", {"tree": {"failover": ["alt", "web"]}}).status == 200
    wait_until(lambda: policies(rig)["normal"] == 3, 5, lambda: policies(rig))
    assert rig.api.delete("/v1/policies/new").status == 204
    wait_until(lambda: policies(rig)["normal"] == 2, 5, lambda: policies(rig))


def test_last_resort_and_servfail_are_told_apart(rig):
    assert rig.api.put("/v1/policies/sorry", {"tree": "web", "when_all_down": {"pool": "alt"}}).status == 201
    assert rig.api.put("/v1/policies/hard", {"tree": "web", "when_all_down": "servfail"}).status == 201
    rig.say("d", "web/a", "web/b", "web/c")
    wait_until(lambda: (policies(rig)["fallback"], policies(rig)["servfail"]) == (1, 1), 10, lambda: policies(rig))
    assert "policy sorry (A): as its last resort" in cli(rig.api, "why", "alt/d").stdout


def test_filters_and_the_summary(rig):
    rig.say("d", "web/a")
    wait_until(lambda: rig.verdict("web/a") == "down", 10)
    shown = cli(rig.api, "status", "--down").stdout
    assert "Endpoints: 1 of 4 down, 3 up, 0 unknown" in shown and "web/a " in shown and "web/b" not in shown
    assert re.findall(r"(?m)^(?:web|alt)/\w", cli(rig.api, "status", "--site", "b").stdout) == ["web/b"]
    assert re.findall(r"(?m)^(?:web|alt)/\w", cli(rig.api, "status", "--pool", "alt").stdout) == ["alt/d"]
    assert cli(rig.api, "status", "--check", check=False).returncode == 1


def test_of_very_many_only_those_to_look_at_are_listed(rig):
    many = [{"name": f"e{i}", "address": f"198.51.100.{i}", "site": "a"} for i in range(1, 60)]
    assert rig.api.put("/v1/pools/many", {"checks": ["web"], "endpoints": many}).status == 201
    wait_until(lambda: len(rig.status()["endpoints"]) == 63, 10)
    rig.say("d", *[f"many/e{i}" for i in range(1, 6)])
    wait_until(lambda: sum(e["state"] == "down" for e in rig.status()["endpoints"]) == 5, 10)
    wait_until(lambda: sum(e["state"] == "up" for e in rig.status()["endpoints"]) == 58, 10)
    shown = cli(rig.api, "status").stdout
    assert "Endpoints: 5 of 63 down (all at a), 58 up, 0 unknown" in shown, shown
    assert sorted(re.findall(r"(?m)^many/\w+", shown)) == [f"many/e{i}" for i in range(1, 6)]
    assert len(re.findall(r"(?m)^many/\w+", cli(rig.api, "status", "--all").stdout)) == 59


def test_measured_times_are_shown_and_a_near_timeout_is_said(rig):
    rig.agents[1].rtt_us = 400000  # the timeout is 500 ms
    wait_until(lambda: all(e.get("near_timeout") for e in rig.status()["endpoints"]), 20, rig.status)
    near = rig.status()["endpoints"][0]["near_timeout"]
    assert near["agent"] == rig.agents[1].id and near["timeout_ms"] == 500 and near["check"] == "web"
    assert 250000 <= near["rtt_us"] <= 400000
    assert re.search(r"probes take \d+ of 500 ms from", cli(rig.api, "status").stdout)
    assert re.search(r"a0 .* 1\.0 ms", cli(rig.api, "why", "web/a").stdout)


def test_name_servers_and_agents_that_were_not_heard_are_shown(rig):
    server = rig.enrolled_server("ns7")
    wait_until(lambda: [n["state"] for n in rig.status()["nameservers"]] == ["serving"], 10, rig.status)
    server.stop()
    rig.servers.clear()
    rig.api.stop()
    for agent in rig.agents[1:]:
        agent.stop()
    rig.api.start()
    [seen] = rig.status()["nameservers"]
    assert (seen["name"], seen["state"]) == ("ns7", "never heard") and seen["id"].startswith("ns-"), seen
    wait_until(lambda: sorted(a["state"] for a in rig.status()["agents"]) == ["never heard", "never heard", "reporting"], 10, rig.status)
    text = cli(rig.api, "status").stdout
    assert re.search(r"ns7 +ns-\w+ +never heard", text), text
    assert cli(rig.api, "status", "--check", check=False).returncode == 1
    assert json.loads(cli(rig.api, "status", "--json").stdout)["nameservers"][0]["state"] == "never heard"


def test_an_agent_is_silent_as_soon_as_its_views_do_not_count(rig):
    """The time is not fixed: it is three report periods here, and with a slower check three of its intervals."""
    agent = rig.agents[2]

    def seen(limit_ms):
        [found] = [a for a in rig.status()["agents"] if a["id"] == agent.id]
        assert found["silent_after_ms"] == limit_ms, found
        assert (found["state"] == "silent") == (found["heard_ms_ago"] > limit_ms) == found["silent"], found
        return found["state"]

    agent.stop()
    wait_until(lambda: seen(3000) == "silent", 10)
    assert rig.api.metric('veer_agents_not_counted{reason="silent"}') == 1
    slow = {"kind": "tcp", "port": 80, "interval_ms": 60000, "timeout_ms": 500, "hold_s": 0}
    assert rig.api.put("/v1/checks/web", slow).status == 200
    wait_until(lambda: [a for a in rig.status()["agents"] if a["id"] == agent.id][0]["silent_after_ms"] == 180000, 5)
    assert seen(180000) == "reporting"
    assert rig.api.metric('veer_agents_not_counted{reason="silent"}') == 0
