#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What happened and how long each step took; doubts that shorten TTLs; pushes; agents that are revoked. Real
programs."""
import socket
import statistics
import threading
import time

import pytest

from health_rig import Agent, Rig, cli, free_udp_port
from veer_util import Api, Program, SLOW, wait_until

ALL = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
STEPS = ["observed_us", "reported_us", "confirm_us", "decided_us", "commit_us", "committed_us", "fed_us"]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    made = Rig(tmp_path_factory.mktemp("transitions"), "--history", "100").all_up()
    made.enrolled_server("ns1")
    made.enrolled_server("ns2")
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def clean(rig):
    yield
    rig.say("u", "web/a", "web/b", "web/c", "alt/d")
    rig.all_up()


def newest(rig, key, to):
    """The newest transition of the endpoint, once it leads to this state and both name servers have acknowledged it."""
    def is_there():
        found = rig.transitions(f"?endpoint={key}&limit=1")
        return found and found[0]["to"] == to and len(found[0].get("nameservers", [])) == 2 and found[0]
    return wait_until(is_there, 10, lambda: rig.transitions(f"?endpoint={key}&limit=2"))


def test_a_failover_is_laid_out_step_by_step(rig):
    rig.agents[0].say("f", "web/a")  # a first failure: the other agents are asked for a second look
    wait_until(lambda: any(key == "web/a" for _, key in rig.agents[1].confirms), 5)
    rig.say("d", "web/a")
    t = newest(rig, "web/a", "down")
    steps = t["steps"]
    assert list(steps) == STEPS, steps
    values = [steps[name] for name in STEPS]
    assert values[0] == 0 and values == sorted(values), steps
    assert steps["decided_us"] < 10_000_000 * SLOW and steps["committed_us"] > 0
    assert {s["name"] for s in t["nameservers"]} == {"ns1", "ns2"}
    for server in t["nameservers"]:
        assert steps["fed_us"] <= server["received_us"] <= server["applied_us"] < steps["fed_us"] + 2_000_000 * SLOW, t
    assert t["from"] == "up" and t["reason"] == "connect_refused" and t["quorum"] == 2 and t["check"] == "web"
    assert len(t["votes"]) == 3 and {v["region"] for v in t["votes"]} == {"eu", "us", "ap"}
    down = [v for v in t["votes"] if v["state"] == "d"]
    assert len(down) >= 2 and all(v["age_ms"] >= 10 and v["name"].startswith("a") for v in down), t["votes"]
    one = rig.api.get(f"/v1/transitions/{t['id']}").json
    assert one["id"] == t["id"] and one["steps"] == steps
    rig.say("u", "web/a")
    up = newest(rig, "web/a", "up")
    assert "reported_us" not in up["steps"] and up["steps"]["fed_us"] >= up["steps"]["decided_us"] >= 0
    text = cli(rig.api, "why", "web/a").stdout
    for words in ("web/a is in the answers", "Last change  down -> up", "decided", "fed to the name servers", "ns2 answers from it"):
        assert words in text, text


def test_the_history_is_paged_newest_first_and_bounded(rig):
    for n in range(18):
        state = "d" if n % 2 == 0 else "u"
        rig.say(state, "web/a", "web/b", "alt/d")
        wait_until(lambda: rig.verdict("alt/d") == ("down" if state == "d" else "up"), 10)
        wait_until(lambda: rig.verdict("web/b") == ("down" if state == "d" else "up"), 10)
    every = rig.transitions("?limit=1000")
    assert len(every) >= 54
    revisions = [t["revision"] for t in every]
    assert revisions == sorted(revisions, reverse=True)
    assert len({t["id"] for t in every}) == len(every)
    paged, after = [], ""
    while True:
        page = rig.api.get(f"/v1/transitions?limit=7{after}").json
        paged += page["items"]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert [t["id"] for t in paged] == [t["id"] for t in every]
    only = rig.transitions("?endpoint=alt/d&limit=1000")
    assert {t["endpoint"] for t in only} == {"alt/d"} and len(only) >= 18
    for _ in range(16):
        for state in "du":
            rig.say(state, "web/a", "web/b", "web/c")
            wait_until(lambda: {rig.verdict(f"web/{x}") for x in "abc"} == {"down" if state == "d" else "up"}, 10)
    wait_until(lambda: len(rig.transitions("?limit=1000")) == 100, 10)
    assert rig.transitions("?limit=1000")[0]["revision"] > every[0]["revision"]


def test_bad_questions_are_refused(rig):
    assert rig.api.get("/v1/transitions?limit=0").status == 400
    assert rig.api.get("/v1/transitions?endpoint=web").status == 400
    assert rig.api.get("/v1/transitions/nothing").status == 404
    assert rig.api.get("/v1/endpoints/web/zz").status == 404


def test_doubt_shortens_ttls_until_it_is_settled(rig):
    server = rig.servers[0]
    assert server.ask("www") == (ALL, 60)
    took = []
    for _ in range(5):
        began = time.monotonic()
        rig.agents[0].says["web/a"] = "f"
        rig.agents[0].report()
        wait_until(lambda: server.ttl("www") == 6, 5)
        took.append(time.monotonic() - began)
        assert server.addresses("www") == ALL and rig.servers[1].ttl("www") in (6, 60)
        wait_until(lambda: rig.servers[1].ttl("www") == 6, 5)
        assert rig.verdict("web/a") == "up"
        rig.agents[0].say("u", "web/a")
        wait_until(lambda: server.ttl("www") == 60 and rig.servers[1].ttl("www") == 60, 10)
    print(f"report to short TTL: median {statistics.median(took) * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms")
    assert statistics.median(took) < 0.25 * SLOW
    assert rig.endpoint("web/a")["doubted"] is False
    rig.agents[0].say("d", "web/b")
    wait_until(lambda: server.ttl("www") == 6, 5)
    assert rig.api.metric("veer_endpoints_in_doubt") == 1
    assert "In doubt" in cli(rig.api, "why", "web/b").stdout
    # From the first doubt to the answer without the endpoint, no answer that contains it has the long TTL again (S19).
    seen, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(server.ask("www"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    rig.say("d", "web/b")
    wait_until(lambda: rig.verdict("web/b") == "down", 10)
    wait_until(lambda: server.ask("www") == ([ALL[0], ALL[2]], 60), 5)
    stop.set()
    watcher.join()
    assert all(ttl == 6 for addresses, ttl in seen if ALL[1] in addresses), seen
    assert rig.api.metric("veer_endpoints_in_doubt") == 0


def test_a_new_subscriber_is_told_what_is_in_doubt_and_a_lone_server_is_not(rig):
    server = rig.servers[1]
    rig.agents[0].say("f", "web/c")
    wait_until(lambda: server.ttl("www") == 6, 5)
    revision = rig.status()["feed_revision"]
    server.kill()
    server.start()
    wait_until(lambda: server.ttl("www") == 6, 10)
    rig.api.kill()
    assert server.ask("www") == (ALL, 6)  # the feed is lost: the doubt stays
    server.kill()
    server.start()
    assert server.ask("www") == (ALL, 6)  # it starts without a control plane: for a while the saved state is in doubt
    rig.api.start()
    rig.agents[0].say("u", "web/c")
    rig.all_up()
    wait_until(lambda: rig.servers[0].ttl("www") == 60, 10)
    assert rig.status()["feed_revision"] >= 0 and revision > 0


def test_ttl_suspect_is_never_above_the_ttl(rig):
    assert rig.api.put("/v1/policies/odd", {"ttl": 3, "ttl_suspect": 4, "tree": "web"}).status == 422
    assert rig.api.put("/v1/policies/odd", {"ttl": 3, "tree": "web"}).status == 201


def test_a_push_is_the_application_own_word(rig):
    check = {"kind": "push", "ttl_s": 60}
    assert rig.api.put("/v1/checks/app", check).status == 201
    pool = {"checks": ["app"], "endpoints": [{"name": "x", "address": "192.0.2.50", "site": "a"},
                                             {"name": "y", "address": "192.0.2.51", "site": "b"}]}
    assert rig.api.put("/v1/pools/pushed", pool).status == 201
    token = rig.api.make_token("health:push")

    def push(body, name="app", bearer=token):
        return rig.api.post(f"/v1/checks/{name}/push", body, token=bearer)

    wait_until(lambda: push({"endpoint": "pushed/x", "state": "up"}).status == 204, 5)
    wait_until(lambda: rig.verdict("pushed/x") == "up", 5)
    assert push({"endpoint": "pushed/x", "state": "down", "ttl_s": 30, "reason": "the disk is full"}).status == 204
    wait_until(lambda: rig.verdict("pushed/x") == "down", 5)
    t = rig.transitions("?endpoint=pushed/x&limit=1")[0]
    assert t["votes"][0]["text"] == "the disk is full" and t["votes"][0]["by"] == "test" and t["quorum"] == 1, t
    assert "the disk is full" in cli(rig.api, "why", "pushed/x").stdout
    assert rig.verdict("pushed/y") == "unknown"
    assert push({"endpoint": "pushed/zz", "state": "up"}).status == 422
    assert push({"endpoint": "web/a", "state": "up"}, "web").status == 422
    assert push({"endpoint": "web/a", "state": "up"}, "nothing").status == 404
    assert push({"endpoint": "pushed/x", "state": "perhaps"}).status == 422
    assert push({"endpoint": "pushed/x"}).status == 422
    assert push({"endpoint": "pushed/x", "state": "up", "ttl_s": 86401}).status == 422
    assert push({"endpoint": "pushed/x", "state": "up"}, bearer=rig.api.make_token("health:read")).status == 403
    assert push({"endpoint": "pushed/x", "state": "up"}, bearer=rig.api.make_token("health:write")).status == 204
    assert rig.api.put("/v1/sites/z", {"region": "eu"}, token=token).status == 403  # and the token has no other rights
    assert rig.api.metric("veer_pushes_total") >= 3
    assert rig.api.delete("/v1/pools/pushed").status == 204 and rig.api.delete("/v1/checks/app").status == 204


def test_silence_after_a_restart_is_down_only_for_who_was_heard(tmp_path):
    """A push that was heard before a restart, but not after it, expires as down. A push that was never heard is new,
    and takes nothing down."""
    api = Api(tmp_path).start()
    try:
        for pool in ("heard", "late"):
            assert api.put(f"/v1/sites/{pool}", {"region": "eu"}).status == 201
            assert api.put(f"/v1/checks/{pool}", {"kind": "push", "ttl_s": 600}).status == 201
            assert api.put(f"/v1/pools/{pool}", {"checks": [pool], "endpoints": [
                {"name": "x", "address": "192.0.2.50", "site": pool}]}).status == 201

        def verdict(pool):
            return next(e["state"] for e in api.get("/v1/status").json["endpoints"] if e["endpoint"] == f"{pool}/x")

        def push(check, endpoint):
            return api.post(f"/v1/checks/{check}/push", {"endpoint": endpoint, "state": "up"}).status == 204

        assert api.put("/v1/checks/heard", {"kind": "push", "ttl_s": 3, "on_expiry": "down"}).status == 200
        for pool in ("heard", "late"):
            wait_until(lambda p=pool: push(p, f"{p}/x"), 5)
        wait_until(lambda: push("heard", "heard/x") and verdict("heard") == verdict("late") == "up", 5)
        assert api.put("/v1/checks/new", {"kind": "push", "ttl_s": 1, "on_expiry": "down"}).status == 201
        assert api.put("/v1/pools/late", {"checks": ["late", "new"], "endpoints": [
            {"name": "x", "address": "192.0.2.50", "site": "late"}]}).status == 200
        api.kill()
        api.start()
        wait_until(lambda: verdict("heard") == "down", 10)
        assert verdict("late") == "up"
    finally:
        api.stop()


def start_pushed(tmp_path):
    """veer-api with an endpoint p/x whose application pushed once and must push again within 2 s."""
    api = Api(tmp_path).start()
    assert api.put("/v1/sites/s", {"region": "eu"}).status == 201
    assert api.put("/v1/checks/app", {"kind": "push", "ttl_s": 2, "on_expiry": "down"}).status == 201
    pool = {"checks": ["app"], "endpoints": [{"name": "x", "address": "192.0.2.1", "site": "s", "weight": 1}]}
    assert api.put("/v1/pools/p", pool).status == 201
    wait_until(lambda: api.post("/v1/checks/app/push", {"endpoint": "p/x", "state": "up"}).status == 204, 5)
    wait_until(lambda: api.get("/v1/endpoints/p/x").json["state"] == "up", 5)
    return api, pool


def test_a_push_that_goes_down_on_expiry_holds_no_longer_than_its_check_says(tmp_path):
    """After a restart only the TTL of the check is known: a push with a longer TTL would be removed too soon."""
    api, _ = start_pushed(tmp_path)
    try:
        def push(ttl_s):
            return api.post("/v1/checks/app/push", {"endpoint": "p/x", "state": "up", "ttl_s": ttl_s})

        assert push(1).status == push(2).status == 204
        refused = push(3)
        assert refused.status == 422 and "expiry" in refused.json["detail"], refused
        assert api.put("/v1/checks/app", {"kind": "push", "ttl_s": 2}).status == 200  # now expiry means unknown
        assert push(3600).status == 204
    finally:
        api.stop()


def test_silence_after_a_restart_is_down_although_a_weight_was_changed(tmp_path):
    api, pool = start_pushed(tmp_path)
    try:
        pool["endpoints"][0]["weight"] = 2
        assert api.put("/v1/pools/p", pool).status == 200
        assert api.put("/v1/checks/app", {"kind": "push", "ttl_s": 3, "on_expiry": "down"}).status == 200
        assert api.post("/v1/checks/app/push", {"endpoint": "p/x", "state": "up"}).status == 204
        api.kill()
        api.start()
        wait_until(lambda: api.get("/v1/endpoints/p/x").json["state"] == "down", 10)
    finally:
        api.stop()


def test_a_revoked_agent_counts_for_nothing_within_5_s(rig):
    extra = Agent(rig.api, "leaving")
    try:
        wait_until(lambda: any(v["agent"] == extra.id for v in rig.endpoint("web/a")["votes"]), 10)
        wait_until(lambda: any(v["agent"] == extra.id and v["state"] == "u" for v in rig.endpoint("web/a")["votes"]), 10)
        extra.stream_ended.clear()
        extra.refused = None
        began = time.monotonic()
        assert rig.api.delete(f"/v1/agents/{extra.id}").status == 204
        assert extra.stream_ended.wait(5 * SLOW)
        wait_until(lambda: not any(v["agent"] == extra.id and v["state"] != "?" for v in rig.endpoint("web/a")["votes"]), 5)
        wait_until(lambda: extra.refused == 401, 5)
        assert time.monotonic() - began < 5 * SLOW
        assert rig.api.subscribe("/v1/agents/self/assignments", token=extra.bearer).status == 401
    finally:
        extra.stop()


def test_real_agents_and_a_real_site(tmp_path):
    """Three veer-probe and a listener that closes: from the first refused connection to the answers of two name
    servers."""
    port = free_udp_port("127.0.2.1")
    listeners = {}
    for n, name in enumerate("abcd"):
        listeners[name] = socket.create_server((f"127.0.2.{n + 1}", port))
    check = {"kind": "tcp", "port": port, "interval_ms": 1000, "timeout_ms": 500, "fall": 2, "hold_s": 0}
    rig = Rig(tmp_path, agents=0, check=check)
    probes = []
    try:
        endpoints = [{"name": x, "address": f"127.0.2.{n + 1}", "site": x} for n, x in enumerate("abc")]
        assert rig.api.put("/v1/pools/web", {"checks": ["web"], "endpoints": endpoints}).status == 200
        assert rig.api.put("/v1/pools/alt", {"checks": ["web"], "endpoints": [
            {"name": "d", "address": "127.0.2.4", "site": "d"}]}).status == 200
        for n in range(3):
            token = rig.api.post("/v1/agents", {"name": f"p{n}", "region": "eu"}).json["token"]
            (tmp_path / f"p{n}.token").write_text(token)
            probes.append(Program(tmp_path, ["veer-probe", "--api", f"http://127.0.0.1:{rig.port}", "--token-file",
                                             tmp_path / f"p{n}.token", "--state", tmp_path / f"p{n}", "--region", "eu",
                                             "--allow-targets", "loopback"], name=f"p{n}.log").start())
        rig.enrolled_server("ns1")
        rig.enrolled_server("ns2")
        rig.all_up()
        listeners.pop("a").close()
        t = newest(rig, "web/a", "down")
        values = [t["steps"][name] for name in STEPS if name in t["steps"]]
        assert values == sorted(values) and "reported_us" in t["steps"], t
        assert t["steps"]["fed_us"] < 3_000_000 * SLOW, t
        for server in rig.servers:
            assert server.addresses("www") == ["127.0.2.2", "127.0.2.3"]
        text = cli(rig.api, "why", "web/a").stdout
        assert "first failed observation" in text and "connect_refused" in text, text
    finally:
        for probe in probes:
            probe.stop()
        for listener in listeners.values():
            listener.close()
        rig.stop()
