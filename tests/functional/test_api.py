#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sites, checks, pools and policies over REST: the life of each kind, preconditions, pages, bad input, objects that are
in use."""
import json
import subprocess

import pytest

from veer_util import Api

SITE = {"name": "fra", "region": "eu", "latitude": 50.11, "longitude": 8.68}
CHECK = {"name": "web", "kind": "http", "port": 8080, "interval_ms": 500, "timeout_ms": 250}
POOL = {"name": "web", "checks": ["web"], "endpoints": [{"name": "fra", "address": "192.0.2.1", "site": "fra"}]}
POLICY = {"name": "www", "ttl": 5, "tree": {"failover": ["web"]}}
MODEL = [("sites", SITE), ("checks", CHECK), ("pools", POOL), ("policies", POLICY)]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    program = Api(tmp_path_factory.mktemp("api")).start()
    yield program
    program.stop()


@pytest.fixture
def model(api):
    """The four objects, and nothing else."""
    remove_all(api)
    for kind, obj in MODEL:
        reply = api.put(f"/v1/{kind}/{obj['name']}", obj)
        assert reply.status == 201, reply
    return api


def remove_all(api):
    for kind in ("policies", "pools", "checks", "sites"):
        names = [item["name"] for item in api.get(f"/v1/{kind}?limit=1000").json["items"]]
        while names:  # a calculated check must be deleted before its parts
            left = [name for name in names if api.delete(f"/v1/{kind}/{name}").status != 204]
            assert len(left) < len(names), left
            names = left


def assert_problem(reply, status, named):
    assert reply.status == status, reply
    assert reply.type == "application/problem+json", reply
    assert reply.json["status"] == status and reply.json["type"].startswith("urn:veer:problem:"), reply
    assert reply.json["title"], reply
    assert named in reply.json["detail"], reply


@pytest.mark.parametrize("kind,obj", MODEL)
def test_each_kind_is_created_read_replaced_listed_deleted(api, kind, obj):
    remove_all(api)
    for needed, other in MODEL:
        if needed == kind:
            break
        assert api.post(f"/v1/{needed}", other).status == 201
    name = obj["name"]
    assert_problem(api.get(f"/v1/{kind}/{name}"), 404, "no such")
    made = api.post(f"/v1/{kind}", obj)
    assert made.status == 201 and made.headers["Location"] == f"/v1/{kind}/{name}", made
    revision = made.json["revision"]
    assert {k: made.json[k] for k in obj} == obj and made.etag == f'"r{revision}"'
    assert_problem(api.post(f"/v1/{kind}", obj), 409, name)
    got = api.get(f"/v1/{kind}/{name}")
    assert got.status == 200 and got.json == made.json and got.etag == made.etag
    assert [i["name"] for i in api.get(f"/v1/{kind}").json["items"]] == [name]
    changed = api.put(f"/v1/{kind}/{name}", made.json)  # the body as it was read, with "revision"
    assert changed.status == 200 and changed.json["revision"] > revision, changed
    assert api.delete(f"/v1/{kind}/{name}").status == 204
    assert api.get(f"/v1/{kind}/{name}").status == 404
    assert_problem(api.delete(f"/v1/{kind}/{name}"), 404, "no such")


def test_the_name_may_be_left_out_of_a_put_but_not_differ(model):
    assert model.put("/v1/sites/iad", {"region": "us"}).status == 201
    assert_problem(model.put("/v1/sites/iad", {"name": "sin", "region": "us"}), 422, "/name")
    assert model.get("/v1/sites/sin").status == 404


def test_preconditions_guard_against_lost_updates(model):
    first = model.get("/v1/sites/fra")
    match = {"If-Match": first.etag}
    second = model.put("/v1/sites/fra?force=fra", dict(SITE, state="out"), headers=match)
    assert second.status == 200 and second.etag != first.etag
    assert_problem(model.put("/v1/sites/fra", SITE, headers=match), 412, f"revision {second.json['revision']}")
    assert_problem(model.delete("/v1/sites/fra", headers=match), 412, "revision")
    assert_problem(model.put("/v1/sites/fra", SITE, headers={"If-None-Match": "*"}), 412, "exists")
    assert_problem(model.put("/v1/sites/new", {"region": "eu"}, headers={"If-Match": "*"}), 412, "not exist")
    assert_problem(model.put("/v1/sites/fra", SITE, headers={"If-Match": "garbage"}), 412, "")
    assert model.get("/v1/sites/fra").json["state"] == "out"
    assert model.put("/v1/sites/new", {"region": "eu"}, headers={"If-None-Match": "*"}).status == 201
    assert model.put("/v1/sites/new", {"region": "us"}, headers={"If-Match": "*"}).status == 200


STALE = {"If-Match": '"r1"'}
ZONE_FILE = "$TTL 60\n@ SOA ns.example. h.example. 1 2 3 4 5\n@ NS ns.example.\n"


def test_an_import_heeds_its_preconditions(model):
    path = "/v1/zones/pre.example./import"
    assert_problem(model.put(path, ZONE_FILE, headers=STALE), 412, "not exist")
    assert model.get("/v1/zones/pre.example.").status == 404
    made = model.put(path, ZONE_FILE, headers={"If-None-Match": "*"})
    assert made.status == 200 and made.etag == model.get("/v1/zones/pre.example.").etag
    assert_problem(model.put(path, ZONE_FILE + "x A 192.0.2.1\n", headers=STALE), 412, f"revision {made.json['revision']}")
    assert_problem(model.put(path, ZONE_FILE, headers={"If-None-Match": "*"}), 412, "exists")
    assert model.get("/v1/zones/pre.example./rrsets/x/A").status == 404
    for etag in (made.etag, "*"):
        assert model.put(path, ZONE_FILE, headers={"If-Match": etag}).status == 200
    assert model.delete("/v1/zones/pre.example.").status == 204


def test_several_overrides_heed_preconditions_on_each(model):
    endpoints = [{"name": n, "address": f"192.0.2.{i}", "site": "fra"} for i, n in enumerate("abc", 1)]
    assert model.put("/v1/pools/pre", {"checks": [], "endpoints": endpoints}).status == 201
    def drain(headers, *names):
        return model.post("/v1/overrides", {"endpoints": [f"pre/{n}" for n in names], "action": "drain", "reason": "x"}, headers=headers)
    assert_problem(drain(STALE, "a", "b"), 412, "not exist")
    made = drain({"If-None-Match": "*"}, "a", "b")
    assert made.status == 201
    assert_problem(drain({"If-None-Match": "*"}, "c", "b"), 412, "exists")
    for condition in (f'"r{made.json["revision"]}"', "*"):
        assert_problem(drain({"If-Match": condition}, "a", "c"), 412, "not exist")
    assert_problem(drain(STALE, "a", "b"), 412, "meanwhile")
    assert model.get("/v1/overrides/pre/c").status == 404
    assert drain({"If-Match": f'"r{made.json["revision"]}"'}, "a", "b").status == 201
    assert drain({"If-Match": "*"}, "a", "b").status == 201
    for name in "ab":
        assert model.delete(f"/v1/overrides/pre/{name}").status == 204
    assert model.delete("/v1/pools/pre").status == 204


def test_the_end_of_a_credential_heeds_preconditions(model):
    made = model.post("/v1/tokens", {"name": "pre", "scopes": ["health:read"]}).json
    paths = [f"/v1/tokens/{made['id']}"]
    for kind, plural in (("agent", "agents"), ("nameserver", "nameservers")):
        ident, _ = model.enrol(kind, "pre")
        paths.append(f"/v1/{plural}/{ident}")
        assert model.get(paths[-1]).etag == f'"r{model.get(paths[-1]).json["revision"]}"'
    for path in paths:
        assert_problem(model.delete(path, headers=STALE), 412, "revision")
        assert_problem(model.delete(path, headers={"If-None-Match": "*"}), 412, "exists")
        assert model.delete(path, headers={"If-Match": "*"}).status == 204
    assert model.get("/v1/sites", token=made["token"]).status == 401
    for path in paths[1:]:
        assert model.get(path).json["state"] == "revoked"
        assert model.delete(path, headers={"If-Match": model.get(path).etag}).status == 204
        assert model.get(path).status == 404


def test_pages_cover_everything_once(model):
    wanted = [f"s{i:03d}" for i in range(25)] + ["fra"]
    for name in wanted[:-1]:
        assert model.put(f"/v1/sites/{name}", {"region": "eu"}).status == 201
    seen, after, pages = [], "", 0
    while True:
        page = model.get("/v1/sites?limit=7" + (f"&after={after}" if after else "")).json
        seen += [i["name"] for i in page["items"]]
        pages += 1
        after = page.get("next")
        if after is None:
            break
    assert seen == sorted(wanted) and pages == 4
    for limit in ("0", "1001", "x", "-1", ""):
        assert_problem(model.get(f"/v1/sites?limit={limit}"), 400, "limit")


def endpoints(*addresses, **more):
    return [dict({"name": f"e{i}", "address": a, "site": "fra"}, **more) for i, a in enumerate(addresses)]


BAD = [  # what, path, body, status, named place
    ("broken JSON", "sites/x", '{"region": "eu",', 400, "line 1"),
    ("nothing", "sites/x", "", 400, "JSON"),
    ("two documents", "sites/x", "{} {}", 400, "JSON"),
    ("invalid UTF-8", "sites/x", b'{"region": "\xff"}', 400, "JSON"),
    ("a key twice", "sites/x", '{"region": "eu", "region": "us"}', 400, "region"),
    ("no object", "sites/x", "[]", 422, "object"),
    ("depth", "sites/x", "[" * 100 + "]" * 100, 400, "JSON"),
    ("unknown key", "sites/x", {"region": "eu", "colour": "red"}, 422, "/colour"),
    ("missing key", "sites/x", {}, 422, "/region"),
    ("wrong type", "sites/x", {"region": 5}, 422, "/region"),
    ("bad name", "sites/X_y", {"region": "eu"}, 422, "/name"),
    ("number out of range", "sites/x", {"region": "eu", "latitude": 91, "longitude": 0}, 422, "/latitude"),
    ("no such word", "sites/x", {"region": "eu", "state": "gone"}, 422, "/state"),
    ("port 0", "checks/x", {"kind": "tcp", "port": 0}, 422, "/port"),
    ("no such kind", "checks/x", {"kind": "pigeon"}, 422, "/kind"),
    ("header injection", "checks/x", {"kind": "http", "headers": {"A": "b\r\nC: d"}}, 422, "/headers"),
    ("no such check", "pools/x", {"checks": ["nope"], "endpoints": endpoints("192.0.2.1")}, 422, "/checks/0"),
    ("no such site", "pools/x", {"endpoints": endpoints("192.0.2.1", site="nope")}, 422, "/endpoints/0/site"),
    ("no address", "pools/x", {"endpoints": endpoints("192.0.2.1", "192.0.2.256")}, 422, "/endpoints/1/address"),
    ("address twice", "pools/x", {"endpoints": endpoints("192.0.2.1", "192.0.2.1")}, 422, "/endpoints"),
    ("addresses and names", "pools/x", {"endpoints": endpoints("192.0.2.1", "a.example.")}, 422, "/endpoints"),
    ("min_up too high", "pools/x", {"min_up": 2, "endpoints": endpoints("192.0.2.1")}, 422, "/min_up"),
    ("no such pool", "policies/x", {"tree": {"failover": ["web", "nope"]}}, 422, "/tree"),
    ("no such fallback", "policies/x", {"tree": "web", "when_all_down": {"pool": "nope"}}, 422, "/when_all_down"),
    ("empty node", "policies/x", {"tree": {"failover": []}}, 422, "/tree/failover"),
    ("no such node", "policies/x", {"tree": {"random": ["web"]}}, 422, "/tree"),
    ("bad country", "policies/x", {"tree": {"match": [{"countries": ["de"], "node": "web"}], "else": "web"}}, 422,
     "/tree/match/0/countries"),
    ("ttl 0", "policies/x", {"ttl": 0, "tree": "web"}, 422, "/ttl"),
    ("tree too deep", "policies/x", json.dumps({"tree": {"failover": [{"failover": [{"failover": [{"failover": [{"failover": [
        {"failover": [{"failover": [{"failover": ["web"]}]}]}]}]}]}]}]}}), 422, "deeper"),
]


@pytest.mark.parametrize("what,path,body,status,named", BAD, ids=[b[0] for b in BAD])
def test_bad_input_is_refused_by_name_and_changes_nothing(api, what, path, body, status, named):
    for kind, obj in MODEL:
        api.put(f"/v1/{kind}/{obj['name']}", obj)
    before = {kind: api.get(f"/v1/{kind}").json for kind, _ in MODEL}
    reply = api.put(f"/v1/{path}", body)
    assert_problem(reply, status, named)
    if status == 422 and named.startswith("/"):
        assert reply.json["errors"][0]["pointer"].startswith(named), reply
    assert {kind: api.get(f"/v1/{kind}").json for kind, _ in MODEL} == before
    # The same body is refused for an object that exists, which stays as it was.
    kind = path.split("/")[0]
    name = dict(MODEL)[kind]["name"]
    if what != "bad name":
        assert_problem(api.put(f"/v1/{kind}/{name}", body), status, named)
    assert {kind: api.get(f"/v1/{kind}").json for kind, _ in MODEL} == before


IN_USE = [("sites/fra", "web"), ("checks/web", "web"), ("pools/web", "www")]


@pytest.mark.parametrize("path,user", IN_USE)
def test_what_is_in_use_cannot_be_deleted(model, path, user):
    assert_problem(model.delete(f"/v1/{path}"), 409, f'"{user}"')
    assert model.get(f"/v1/{path}").status == 200


def test_calculated_checks_refer_to_checks_and_never_in_a_circle(model):
    def calculated(name, *of, **more):
        return model.put(f"/v1/checks/{name}", {"kind": "calculated", "of": list(of), **more})

    assert_problem(calculated("any", "web", "nope"), 422, "/of/1")
    assert model.put("/v1/checks/alive", {"kind": "push", "ttl_s": 30, "on_expiry": "down"}).status == 201
    assert calculated("any", "web", "alive", need="any").status == 201
    assert calculated("both", "any", "web").status == 201
    assert_problem(calculated("any", "web", "both"), 422, "/of")
    assert_problem(calculated("any", "any"), 422, "/of")
    assert_problem(model.delete("/v1/checks/alive"), 409, "any")
    for number, name in enumerate(("l3", "l4")):
        assert calculated(name, ("both", "l3")[number]).status == 201
    assert_problem(calculated("l5", "l4"), 422, "deeper")
    for name in ("l4", "l3", "both", "any", "alive"):
        assert model.delete(f"/v1/checks/{name}").status == 204, name


def test_a_policy_bound_to_an_rrset_cannot_be_deleted(model):
    assert model.post("/v1/zones", {"name": "use.example", "nameservers": ["ns1.use.example"]}).status == 201
    assert model.put("/v1/zones/use.example/rrsets/www/A", {"policy": "www"}).status == 201
    assert_problem(model.delete("/v1/policies/www"), 409, "www.use.example.")
    assert model.delete("/v1/zones/use.example.").status == 204
    assert model.delete("/v1/policies/www").status == 204  # no RRset is bound to the policy


def test_sizes_are_limited(api):
    assert_problem(api.put("/v1/sites/x", "{" + " " * 300000 + "}"), 413, "bytes")
    many = {"endpoints": [{"name": f"e{i}", "address": f"10.0.{i // 250}.{i % 250}", "site": "fra"} for i in range(1001)]}
    assert_problem(api.put("/v1/pools/x", many), 422, "/endpoints")
    assert_problem(api.get("/v1/sites?" + "&".join(f"a{i}=1" for i in range(40))), 400, "query")
    assert api.get("/v1/sites/" + "x" * 3000).status == 404


ODD = [("GET", "/nothing/here", 404), ("PATCH", "/v1/sites/fra", 405), ("DELETE", "/v1/sites", 405), ("GET", "/v1/sites/%ff", 404),
       ("GET", "/%ff%fe", 404), ("GET", "/v1/sites/%00x", 400), ("GET", "/v1/feed?since=x", 400)]


@pytest.mark.parametrize("method,path,status", ODD)
def test_odd_requests_are_problems_too(api, method, path, status):
    assert_problem(api.call(method, path), status, "")


def test_health_status_and_metrics_are_served(model):
    health = model.get("/healthz")
    assert health.status == 200 and health.json["status"] == "ok"
    status = model.get("/v1/status").json
    assert len(status["store_id"]) == 32 and status["controller"] == "acting"
    assert [e["endpoint"] for e in status["endpoints"]] == ["web/fra"]
    assert 0 < status["feed_revision"] <= status["revision"]
    text = model.get("/metrics")
    assert text.type.startswith("text/plain") and b"veer_store_revision " in text.body
    assert model.get("/metrics", tcp=True).status == 200  # open to this host


def test_feed_revision_counts_only_what_is_fed(model):
    before = model.get("/v1/status").json
    assert model.put("/v1/checks/other", {"kind": "tcp", "port": 1}).status == 201
    after = model.get("/v1/status").json
    assert after["revision"] > before["revision"] and after["feed_revision"] == before["feed_revision"]


REFUSED = [
    ("a second one on the same file", lambda a: ["--listen", f"unix:{a.directory}/2.sock", "--store", f"sqlite:{a.store}"], "veer.db"),
    ("beyond loopback in clear text", lambda a: ["--listen", "0.0.0.0:0", "--store", f"sqlite:{a.directory}/2.db"], "--tls-cert"),
    ("half of TLS", lambda a: ["--listen", "127.0.0.1:0", "--store", f"sqlite:{a.directory}/2.db", "--tls-cert", "x"], "--tls-key"),
    ("no store", lambda a: ["--listen", "127.0.0.1:0"], "store"),
    ("no such backend", lambda a: ["--listen", "127.0.0.1:0", "--store", "mysql:x"], "mysql"),
    ("no geo file", lambda a: ["--listen", "127.0.0.1:0", "--store", f"sqlite:{a.directory}/2.db", "--geoip", "/nope.mmdb"], "/nope.mmdb"),
    ("no such option", lambda a: ["--lisen", "x"], "--listen"),
    ("a file in the socket's way", lambda a: ["--listen", f"unix:{a.store}", "--store", f"sqlite:{a.directory}/2.db"], "veer.db"),
]


@pytest.mark.parametrize("what,options,named", REFUSED, ids=[r[0] for r in REFUSED])
def test_start_is_refused_with_status_2_and_a_reason(api, what, options, named):
    p = subprocess.run([api.argv[0], *options(api)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=60, text=True)
    assert p.returncode == 2, p
    assert named in p.stdout, p
    assert api.get("/healthz").status == 200


def test_a_pool_has_room_for_64_checks_and_parts(model):
    """Further parts would stay unknown for ever, and nobody would notice."""
    for i in range(65):
        assert model.put(f"/v1/checks/part{i}", {"kind": "push", "ttl_s": 30}).status == 201
    for i in range(4):
        of = [f"part{n}" for n in range(16 * i, 16 * i + 15)]
        assert model.put(f"/v1/checks/sum{i}", {"kind": "calculated", "of": of}).status == 201
    endpoints = [{"name": "x", "address": "192.0.2.9", "site": "fra"}]
    sums = [f"sum{i}" for i in range(4)]
    assert_problem(model.put("/v1/pools/full", {"checks": [*sums, "part63"], "endpoints": endpoints}), 422, "/checks")
    assert model.put("/v1/pools/full", {"checks": sums, "endpoints": endpoints}).status == 201
    of = [f"part{n}" for n in range(16)]
    assert_problem(model.put("/v1/checks/sum0", {"kind": "calculated", "of": of}), 422, "full")
    assert model.put("/v1/checks/sum0", {"kind": "calculated", "of": of[:15]}).status == 200


def test_more_than_the_engine_takes_is_refused(tmp_path):
    """One pair of check and endpoint too many would leave the controller without any configuration."""
    api = Api(tmp_path).start()
    try:
        assert api.put("/v1/sites/s", {"region": "eu"}).status == 201
        names = [f"c{i}" for i in range(16)]
        for name in names:
            assert api.put(f"/v1/checks/{name}", {"kind": "tcp", "port": 80}).status == 201
        endpoints = [{"name": f"e{i}", "address": f"10.0.{i // 250}.{i % 250 + 1}", "site": "s"} for i in range(1000)]
        for i in range(4):
            assert api.put(f"/v1/pools/p{i}", {"checks": names, "endpoints": endpoints}).status == 201
        refused = api.put("/v1/pools/p4", {"checks": names, "endpoints": endpoints})
        assert_problem(refused, 422, "pairs of check and endpoint")
        assert api.put("/v1/pools/p4", {"checks": names, "endpoints": endpoints[:96]}).status == 201
        assert api.put("/v1/pools/p4", {"checks": names, "endpoints": endpoints[:96]}).status == 200
        assert api.put("/v1/checks/more", {"kind": "calculated", "of": names[:1]}).status == 201
        assert api.put("/v1/pools/p4", {"checks": [*names[:15], "more"], "endpoints": endpoints[:96]}).status == 200
        assert_problem(api.put("/v1/checks/more", {"kind": "calculated", "of": names[-1:]}), 422, "pairs of check and endpoint")
    finally:
        api.stop()
