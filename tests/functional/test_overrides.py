#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Administrators' decisions take precedence over verdicts, with real programs: overrides, freeze, maintenance windows,
the safety rule."""
import datetime
import threading
import time

import pytest

from health_rig import Rig, cli
from veer_util import Api, wait_until

ALL = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    made = Rig(tmp_path_factory.mktemp("overrides")).all_up()
    made.name_server()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def clean(rig):
    """Each test begins with everything up and without overrides."""
    yield
    rig.say("u", "web/a", "web/b", "web/c", "alt/d")
    rig.api.put("/v1/settings", {})
    for window in rig.api.get("/v1/maintenance").json["items"]:
        rig.api.delete(f"/v1/maintenance/{window['name']}")
    for override in rig.api.get("/v1/overrides").json["items"]:
        if not override["source"]:
            rig.api.delete(f"/v1/overrides/{override['endpoint']}")
    wait_until(lambda: rig.api.get("/v1/overrides").json["items"] == [], 10)
    rig.all_up()


def rfc3339(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answers(rig, wanted, label="www"):
    wait_until(lambda: rig.servers[0].addresses(label) == wanted, 5, lambda: rig.servers[0].addresses(label))


def test_drain_force_down_and_force_up_beat_verdicts(rig):
    answers(rig, ALL)
    made = rig.override("web/a", "drain")
    assert made.status == 201 and made.json["owner"] == "local" and made.json["expires_at"] is None, made
    answers(rig, ALL[1:])
    assert rig.override("web/b", "down").status == 201
    answers(rig, ALL[2:])
    rig.say("d", "web/c")
    wait_until(lambda: rig.verdict("web/c") == "down", 10)
    answers(rig, ["192.0.2.4"])
    assert rig.override("web/c", "up").status == 201
    answers(rig, ALL[2:])
    endpoint = rig.endpoint("web/c")
    assert endpoint["state"] == "down" and endpoint["eligible"] and endpoint["override"]["action"] == "up"
    assert not rig.endpoint("web/a")["eligible"]
    assert rig.api.delete("/v1/overrides/web/c").status == 204
    answers(rig, ["192.0.2.4"])
    assert rig.api.metric('veer_overrides{action="drain"}') == 1


def test_what_is_wrong_is_refused(rig):
    assert rig.override("web/zz", "drain").status == 404
    assert rig.override("nowhere/a", "drain").status == 404
    assert rig.override("web/a", "sideways").status == 422
    assert rig.override("web/a", "drain", reason="").status == 422
    assert rig.api.put("/v1/overrides/web/a", {"action": "drain"}).status == 422
    assert rig.override("web/a", "drain", ttl_s=0).status == 422
    assert rig.override("web/a", "drain", expires_at=rfc3339(-5)).status == 422
    assert rig.override("web/a", "drain", expires_at="tomorrow").status == 422
    assert rig.override("web/a", "drain", ttl_s=5, expires_at=rfc3339(5)).status == 422
    assert rig.override("web/a", "drain", extra=1).status == 422
    assert rig.api.delete("/v1/overrides/web/a").status == 404
    token = rig.api.make_token("health:read")
    assert rig.api.put("/v1/overrides/web/a", {"action": "drain", "reason": "x"}, token=token).status == 403
    assert rig.api.get("/v1/overrides", token=token).status == 200
    writer = rig.api.make_token("health:write")
    made = rig.api.put("/v1/overrides/web/a", {"action": "drain", "reason": "x"}, token=writer)
    assert made.status == 201 and made.json["owner"] == "test", made
    again = rig.api.put("/v1/overrides/web/a", {"action": "down", "reason": "y"}, headers={"If-Match": '"r1"'})
    assert again.status == 412


def test_the_last_of_a_policy_stays_unless_the_pool_is_named(rig):
    assert rig.override("alt/d", "drain").status == 201  # the policy still has the pool "web"
    assert rig.override("web/a", "drain").status == 201
    assert rig.override("web/b", "down").status == 201
    refused = rig.override("web/c", "drain")
    assert refused.status == 409 and refused.json["type"].endswith("would-empty"), refused
    assert '"force": "web"' in refused.json["detail"]
    assert rig.override("web/c", "drain", force="alt").status == 409
    assert rig.override("web/a", "drain", reason="another reason").status == 200  # this override empties nothing
    assert rig.override("web/c", "drain", force="web").status == 201
    assert rig.api.delete("/v1/overrides/alt/d").status == 204
    answers(rig, ["192.0.2.4"])
    # Several overrides in one request are one transaction: all or none.
    for name in "abc":
        rig.api.delete(f"/v1/overrides/web/{name}")
    assert rig.override("alt/d", "drain").status == 201
    body = {"action": "drain", "reason": "x", "endpoints": ["web/a", "web/b", "web/c"]}
    assert rig.api.post("/v1/overrides", body).status == 409
    assert [o["endpoint"] for o in rig.api.get("/v1/overrides").json["items"]] == ["alt/d"]
    assert rig.api.post("/v1/overrides", {**body, "endpoints": ["web/a", "web/b"]}).status == 201
    # The pool changes while overrides exist: c must not be removed.
    left = [{"name": name, "address": f"192.0.2.{i + 1}", "site": name} for i, name in enumerate("ab")]
    pool = {"checks": ["web"], "endpoints": left}
    assert rig.api.put("/v1/pools/web", pool).json["type"].endswith("would-empty")


def test_of_concurrent_drains_of_the_last_two_one_is_refused(rig):
    assert rig.override("alt/d", "drain").status == 201
    for _ in range(10):
        assert rig.override("web/a", "drain").status in (200, 201)
        replies = {}
        barrier = threading.Barrier(2)

        def drain(name):
            barrier.wait()
            replies[name] = rig.override(f"web/{name}", "drain")

        threads = [threading.Thread(target=drain, args=(name,)) for name in "bc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(reply.status for reply in replies.values()) == [201, 409], replies
        for name in "bc":
            rig.api.delete(f"/v1/overrides/web/{name}")


def test_an_override_ends_by_itself(rig):
    assert rig.override("web/a", "drain", ttl_s=1).status == 201
    answers(rig, ALL[1:])
    began = time.monotonic()
    wait_until(lambda: rig.api.get("/v1/overrides/web/a").status == 404, 5)
    assert time.monotonic() - began < 3
    answers(rig, ALL)


def test_it_survives_kill_9_of_both(rig):
    assert rig.override("web/a", "drain", expires_at=rfc3339(3600)).status == 201
    answers(rig, ALL[1:])
    server = rig.servers[0]
    rig.api.kill()
    assert server.addresses("www") == ALL[1:]
    server.kill()
    server.start()  # without the control plane, from its disk
    assert server.addresses("www") == ALL[1:]
    rig.api.start()
    assert rig.api.get("/v1/overrides/web/a").json["action"] == "drain"
    wait_until(lambda: rig.status()["controller"] == "acting", 10)
    rig.all_up()
    assert server.addresses("www") == ALL[1:]
    assert rig.api.delete("/v1/overrides/web/a").status == 204
    answers(rig, ALL)


def test_freeze_holds_a_dying_endpoint_in(rig):
    assert rig.api.put("/v1/settings", {"freeze": {"on": True}}).status == 422  # without a reason
    frozen = rig.api.put("/v1/settings", {"freeze": {"on": True, "reason": "looking", "owner": "me"}})
    assert frozen.status in (200, 201), frozen
    wait_until(lambda: rig.status()["settings"]["freeze"]["on"], 2)
    rig.say("d", "web/a")
    wait_until(lambda: rig.endpoint("web/a")["wait"] == "frozen", 5, lambda: rig.endpoint("web/a"))
    assert rig.servers[0].addresses("www") == ALL
    assert rig.api.metric("veer_frozen") == 1
    assert rig.api.metric('veer_endpoints_waiting{for="frozen"}') == 1
    text = cli(rig.api, "why", "web/a").stdout
    assert "everything is frozen" in text and "looking" in text, text
    assert "FROZEN by me" in cli(rig.api, "status").stdout
    assert rig.override("web/b", "drain").status == 201  # overrides still count
    answers(rig, [ALL[0], ALL[2]])
    assert rig.api.put("/v1/settings", {"freeze": {"on": False}}).status == 200
    answers(rig, ALL[2:])


def test_settings_of_the_brake(rig):
    assert rig.api.put("/v1/settings", {"brake": "sometimes"}).status == 422
    assert rig.api.put("/v1/settings", {"max_removal_percent": 0}).status == 422
    reply = rig.api.put("/v1/settings", {"brake": "off", "max_removal_percent": 50})
    assert reply.status in (200, 201), reply
    assert rig.api.get("/v1/settings").json["max_removal_percent"] == 50
    assert rig.api.metric("veer_brake_off") == 1


def test_a_last_set_leaves_out_what_is_drained(rig):
    assert rig.override("web/a", "drain").status == 201
    rig.say("d", "web/b", "web/c")
    wait_until(lambda: rig.verdict("web/b") == "down" and rig.verdict("web/c") == "down", 10)
    answers(rig, ALL[1:2] if rig.servers[0].addresses("last") == ALL[1:2] else rig.servers[0].addresses("last"), "last")
    assert ALL[0] not in rig.servers[0].addresses("last")


def test_a_maintenance_window_drains_and_gives_back(rig):
    window = {"sites": ["a"], "starts_at": rfc3339(-60), "ends_at": rfc3339(3600), "reason": "new kernel"}
    assert rig.api.put("/v1/maintenance/kernel", window).status == 201
    answers(rig, ALL[1:])
    override = rig.api.get("/v1/overrides/web/a").json
    assert override["source"] == "maintenance/kernel" and override["action"] == "drain", override
    assert rig.api.delete("/v1/overrides/web/a").status == 409  # it belongs to the maintenance window
    assert [w["state"] for w in rig.status()["maintenance"]] == ["on"]
    assert rig.override("web/a", "up").status == 200  # but an administrator may override the window
    answers(rig, ALL)
    assert rig.api.delete("/v1/overrides/web/a").status == 204
    answers(rig, ALL[1:])
    assert rig.api.delete("/v1/maintenance/kernel").status == 204
    answers(rig, ALL)
    window["starts_at"], window["ends_at"] = rfc3339(1), rfc3339(2.5)
    assert rig.api.put("/v1/maintenance/soon", window).status == 201
    assert rig.servers[0].addresses("www") == ALL
    answers(rig, ALL[1:])
    answers(rig, ALL)


def test_what_is_left_at_a_site_that_is_out_is_nothing(tmp_path):
    api = Api(tmp_path).start()
    try:
        for site in "abc":
            assert api.put(f"/v1/sites/{site}", {"region": "eu"}).status == 201
        pool = {"endpoints": [{"name": site, "address": f"192.0.2.{i + 1}", "site": site} for i, site in enumerate("ab")]}
        assert api.put("/v1/pools/p", pool).status == 201
        drain = {"action": "drain", "reason": "x"}
        assert api.put("/v1/sites/a", {"region": "eu", "state": "out"}).status == 200
        refused = api.put("/v1/overrides/p/b", drain)
        assert refused.status == 409 and refused.json["type"].endswith("would-empty"), refused
        assert api.put("/v1/overrides/p/a", drain).status == 201  # this override removes nothing from the answers
        assert api.put("/v1/overrides/p/b", {**drain, "force": "p"}).status == 201
        assert api.delete("/v1/overrides/p/a").status == api.delete("/v1/overrides/p/b").status == 204
        # When all sites of a pool are out already, no override empties it: only the endpoints that would be left count.
        assert api.put("/v1/sites/b", {"region": "eu", "state": "out"}).status == 200
        assert api.put("/v1/overrides/p/b", drain).status == 201
        assert api.put("/v1/overrides/p/a", drain).status == 409
        assert api.put("/v1/pools/p", pool).status == 200
        # The pool changes: c would be the only endpoint left that counts.
        assert api.put("/v1/sites/b", {"region": "eu"}).status == 200
        assert api.put("/v1/pools/p", pool).json["type"].endswith("would-empty")
        pool["endpoints"].append({"name": "c", "address": "192.0.2.3", "site": "c"})
        assert api.put("/v1/pools/p", pool).status == 200
    finally:
        api.stop()


def test_a_window_that_would_empty_a_pool_says_so(rig):
    window = {"pools": ["web", "alt"], "starts_at": rfc3339(-60), "ends_at": rfc3339(3600), "reason": "all of it"}
    made = rig.api.put("/v1/maintenance/all", window)
    assert made.status == 201 and [b["pool"] for b in made.json["not_drained"]] == ["web"], made
    wait_until(lambda: rig.status()["maintenance"][0]["blocked_pools"] == ["web"], 5, rig.status)
    assert rig.servers[0].addresses("www") == ALL
    assert [o["endpoint"] for o in rig.api.get("/v1/overrides").json["items"]] == ["alt/d"]
    assert rig.api.metric("veer_maintenance_blocked") == 1
    assert "would empty" in cli(rig.api, "maintenance", "list").stdout
    made = rig.api.put("/v1/maintenance/all", {**window, "force": ["web"]})
    assert made.status == 200 and "not_drained" not in made.json, made
    wait_until(lambda: rig.status()["maintenance"][0]["blocked_pools"] == [], 5)
    wait_until(lambda: len(rig.api.get("/v1/overrides").json["items"]) == 4, 5)


def test_windows_that_are_none_are_refused(rig):
    good = {"sites": ["a"], "starts_at": rfc3339(60), "ends_at": rfc3339(120), "reason": "x"}
    for bad in ({"sites": []}, {"sites": ["zz"]}, {"ends_at": good["starts_at"]}, {"starts_at": "now"}, {"reason": None},
                {"until": rfc3339(600)}, {"repeat": "daily"}, {"endpoints": ["web"]}, {"pools": ["zz"]},
                {"repeat": "weekly", "ends_at": rfc3339(8 * 86400)}):
        assert rig.api.put("/v1/maintenance/bad", {**good, **bad}).status == 422, bad
    weekly = {**good, "repeat": "weekly", "starts_at": rfc3339(60 - 7 * 86400), "ends_at": rfc3339(120 - 7 * 86400)}
    assert rig.api.put("/v1/maintenance/weekly", weekly).status == 201
    assert rig.status()["maintenance"][0]["state"] == "scheduled"
    weekly["starts_at"] = rfc3339(-60 - 14 * 86400)
    weekly["ends_at"] = rfc3339(60 - 14 * 86400)
    assert rig.api.put("/v1/maintenance/weekly", weekly).status == 200
    answers(rig, ALL[1:])


def test_the_commands(rig):
    cli(rig.api, "drain", "alt/d", "--reason", "x")
    assert "drained" in cli(rig.api, "drain", "web/a", "web/b", "--reason", "x", "--for", "2h").stdout
    refused = cli(rig.api, "drain", "web/c", "--reason", "x", check=False)
    assert "say --force web" in refused.stderr, refused
    for wrong, says in [(["why", "web"], "POOL/ENDPOINT"), (["why", "web/"], "POOL/ENDPOINT"), (["freeze"], "--reason"),
                        (["drain", "web/c", "--reason", "x", "--for", "1x"], "--for"),
                        (["maintenance", "add", "m", "--reason", "x", "--site", "a", "--for", "1x"], "--for")]:
        misused = cli(rig.api, *wrong, check=False)
        assert misused.returncode == 2 and says in misused.stderr, misused
    assert refused.returncode == 1 and "no endpoint left" in refused.stderr, refused
    assert "drained; " in cli(rig.api, "status").stdout or "drained" in cli(rig.api, "status").stdout
    text = cli(rig.api, "why", "web/a").stdout
    assert "out of the answers" in text and "drained by local" in text, text
    cli(rig.api, "release", "web/a", "web/b")
    assert cli(rig.api, "release", "web/a", check=False).returncode == 1
    cli(rig.api, "force", "down", "web/a", "--reason", "x")
    answers(rig, ALL[1:])
    cli(rig.api, "force", "up", "web/a", "--reason", "x")
    answers(rig, ALL)
    assert cli(rig.api, "freeze", check=False).returncode == 2
    cli(rig.api, "freeze", "--reason", "because")
    assert rig.status()["settings"]["freeze"]["reason"] == "because"
    cli(rig.api, "freeze", "--off")
    assert not rig.status()["settings"]["freeze"]["on"]
    cli(rig.api, "maintenance", "add", "night", "--reason", "x", "--for", "1h", "--site", "b")
    answers(rig, [ALL[0], ALL[2]])
    assert "night" in cli(rig.api, "maintenance", "list").stdout
    cli(rig.api, "maintenance", "end", "night")
    answers(rig, ALL)
    assert cli(rig.api, "drain", "web/a", "--reason", "x", "--for", "soon", check=False).returncode == 2


def test_freezing_keeps_what_another_sets_meanwhile(rig):
    """`veer freeze` reads the settings and writes them: a change made in between must not be undone."""
    lost = []
    done = threading.Event()

    def set_percent():
        percent = 1
        while not done.is_set():
            percent = percent % 100 + 1
            settings = rig.api.get("/v1/settings")
            body = {**settings.json, "max_removal_percent": percent}
            condition = {"If-Match": settings.headers["ETag"]} if settings.json["revision"] else {"If-None-Match": "*"}
            if rig.api.put("/v1/settings", body, headers=condition).status >= 300:
                continue
            time.sleep(0.002)
            if rig.api.get("/v1/settings").json["max_removal_percent"] != percent:
                lost.append(percent)

    setter = threading.Thread(target=set_percent)
    setter.start()
    try:
        for i in range(20):
            cli(rig.api, "freeze", *(["--reason", "x"] if i % 2 == 0 else ["--off"]), check=False)
    finally:
        done.set()
        setter.join()
    assert not lost, lost


def test_an_endpoint_that_goes_takes_its_override_along(rig):
    assert rig.override("web/c", "drain").status == 201
    left = [{"name": name, "address": f"192.0.2.{i + 1}", "site": name} for i, name in enumerate("ab")]
    assert rig.api.put("/v1/pools/web", {"checks": ["web"], "endpoints": left}).status == 200
    wait_until(lambda: rig.api.get("/v1/overrides").json["items"] == [], 5)
    left.append({"name": "c", "address": "192.0.2.3", "site": "c"})
    assert rig.api.put("/v1/pools/web", {"checks": ["web"], "endpoints": left}).status == 200
    answers(rig, ALL)


def test_what_somebody_says_while_a_window_begins_stands(tmp_path):
    """A window over many pools takes a moment to begin: an override that is set meanwhile must not be replaced by the
    window's drain."""
    api = Api(tmp_path).start()
    try:
        count = 120
        for site in ("s1", "s2"):
            assert api.put(f"/v1/sites/{site}", {"region": "eu"}).status == 201
        for i in range(count):
            endpoints = [{"name": "x", "address": "192.0.2.1", "site": "s1"}, {"name": "y", "address": "192.0.2.2", "site": "s2"}]
            assert api.put(f"/v1/pools/p{i:03}", {"checks": [], "endpoints": endpoints}).status == 201
        window = {"starts_at": rfc3339(-1), "ends_at": rfc3339(600), "sites": ["s1"], "reason": "kernel"}
        assert api.put("/v1/maintenance/kernel", window).status == 201
        wait_until(lambda: api.get("/v1/overrides?limit=1").json["items"], 10)
        said = api.put(f"/v1/overrides/p{count - 1:03}/x", {"action": "up", "reason": "this one is needed"})
        assert said.status in (200, 201), said
        wait_until(lambda: len(api.get("/v1/overrides?limit=1000").json["items"]) == count, 20)
        time.sleep(0.5)
        assert api.get(f"/v1/overrides/p{count - 1:03}/x").json["action"] == "up"
    finally:
        api.stop()
