# SPDX-License-Identifier: Apache-2.0
"""The safety rule with the layout of the README: a pool of one endpoint for each site, and policies that choose among
pools."""
import datetime
import threading

import pytest

from health_rig import Rig, cli
from veer_util import Api, wait_until

SITES = {"fra": "192.0.2.1", "iad": "192.0.2.2", "sin": "192.0.2.3"}
DRAIN = {"action": "drain", "reason": "new kernel"}


def rfc3339(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def api(tmp_path):
    made = Api(tmp_path).start()
    for site, address in SITES.items():
        assert made.put(f"/v1/sites/{site}", {"region": "eu"}).status == 201
        assert made.put(f"/v1/pools/{site}", {"endpoints": [{"name": site, "address": address, "site": site}]}).status == 201
    assert made.put("/v1/policies/www", {"tree": {"failover": list(SITES)}}).status == 201
    yield made
    made.stop()


def overridden(api):
    return sorted(o["endpoint"] for o in api.get("/v1/overrides").json["items"])


def test_one_site_after_the_other_is_drained_but_not_the_last(api):
    assert api.put("/v1/overrides/fra/fra", DRAIN).status == 201
    assert api.put("/v1/overrides/iad/iad", DRAIN).status == 201
    refused = api.put("/v1/overrides/sin/sin", DRAIN)
    assert refused.status == 409 and refused.json["type"].endswith("would-empty"), refused
    assert '"www"' in refused.json["detail"] and '"force": "sin"' in refused.json["detail"]
    assert cli(api, "drain", "sin/sin", "--reason", "x", check=False).returncode == 1
    assert cli(api, "drain", "sin/sin", "--reason", "x", "--force", "sin").returncode == 0


def test_together_is_as_one_after_the_other(api):
    body = {**DRAIN, "endpoints": [f"{s}/{s}" for s in SITES]}
    assert api.post("/v1/overrides", body).status == 409
    assert overridden(api) == []
    assert api.post("/v1/overrides", {**body, "endpoints": body["endpoints"][:2]}).status == 201


def test_each_policy_that_uses_the_pool_is_asked(api):
    assert api.put("/v1/policies/only", {"tree": {"weighted": [{"weight": 1, "node": {"spread": "fra"}}]}}).status == 201
    refused = api.put("/v1/overrides/fra/fra", DRAIN)
    assert refused.status == 409 and '"only"' in refused.json["detail"], refused
    match = {"match": [{"continents": ["EU"], "node": "fra"}], "else": "iad"}
    assert api.put("/v1/policies/only", {"tree": match}).status == 200
    assert api.put("/v1/overrides/fra/fra", DRAIN).status == 201


def test_a_last_resort_does_not_count(api):
    assert api.put("/v1/policies/www", {"tree": "fra", "when_all_down": {"pool": "iad"}}).status == 200
    assert api.put("/v1/overrides/fra/fra", DRAIN).status == 409


def test_each_family_is_asked(api):
    v6 = [{"name": "fra", "address": SITES["fra"], "site": "fra"}, {"name": "fra6", "address": "2001:db8::1", "site": "fra"}]
    assert api.put("/v1/pools/fra", {"endpoints": v6}).status == 200
    assert api.put("/v1/overrides/fra/fra", DRAIN).status == 201
    refused = api.put("/v1/overrides/fra/fra6", DRAIN)
    assert refused.status == 409 and "IPv6" in refused.json["detail"], refused


def test_the_last_site_that_is_in_stays_in(api):
    out = {"region": "eu", "state": "out"}
    assert api.put("/v1/sites/fra", out).status == 200
    assert api.put("/v1/overrides/iad/iad", DRAIN).status == 201
    refused = api.put("/v1/sites/sin", out)
    assert refused.status == 409 and '"www"' in refused.json["detail"] and "force=sin" in refused.json["detail"], refused
    assert api.get("/v1/sites/sin").json.get("state", "in") == "in"
    assert api.put("/v1/sites/sin?force=sin", out).status == 200
    assert api.put("/v1/sites/sin", {"region": "eu"}).status == 200
    assert 'event=site name=sin state=out by=' in api.said()


def test_a_drain_that_did_not_know_of_a_site_is_judged_again(api):
    """A site and a drain change at the same time: one of the last two sites must stay."""
    assert api.put("/v1/overrides/fra/fra", DRAIN).status == 201
    for _ in range(5):
        replies = {}

        def take_out():
            replies["site"] = api.put("/v1/sites/iad", {"region": "eu", "state": "out"})


        other = threading.Thread(target=take_out)
        other.start()
        replies["drain"] = api.put("/v1/overrides/sin/sin", DRAIN)
        other.join()
        assert sorted(r.status // 100 for r in replies.values()) == [2, 4], replies
        api.put("/v1/sites/iad", {"region": "eu"})
        api.delete("/v1/overrides/sin/sin")


def test_a_window_for_one_site_is_carried_out(api):
    made = cli(api, "maintenance", "add", "kernel", "--site", "fra", "--for", "2h", "--reason", "new kernel")
    assert made.stdout.startswith("kernel: from ")
    wait_until(lambda: overridden(api) == ["fra/fra"], 5, api.said)


def test_a_window_for_all_sites_says_beforehand_what_it_will_not_do(api):
    args = ["maintenance", "add", "all", "--from", rfc3339(3600), "--for", "1h", "--reason", "x"]
    for site in SITES:
        args += ["--site", site]
    made = cli(api, *args, check=False)
    assert made.returncode == 1 and 'the pool "sin" will not be drained' in made.stdout and "--force sin" in made.stdout, made
    assert cli(api, *args, "--partial").returncode == 0
    assert cli(api, *args, "--force", "sin").returncode == 0
    assert overridden(api) == []


def test_the_last_site_that_works_is_not_drained(tmp_path):
    """An endpoint that is already down is not a choice: the rule counts endpoints that work now and would not be
    answered afterwards."""
    rig = Rig(tmp_path).all_up()
    try:
        rig.say("d", "web/a", "web/b", "alt/d")
        wait_until(lambda: {rig.verdict(e) for e in ("web/a", "web/b")} == {"down"}, 10)
        refused = rig.override("web/c", "drain")
        assert refused.status == 409, refused
        assert rig.override("web/a", "drain").status == 201
        assert rig.override("web/c", "drain", force="web").status == 201
    finally:
        rig.stop()
