#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The description of the API, api/openapi.json, against the real program: every path, method and documented status is
tried, and each reply is compared with its schema. A status that is served and not described is a failure."""
import copy
import json
import os
import re
import subprocess
import sys

import pytest

from health_rig import ZONE, Rig
from route_rows import read_rows
from schema import Schemas
from veer_util import BUILD, ROOT, Api, Reply, source, wait_until

sys.path += [os.path.join(ROOT, "tests"), os.path.join(ROOT, "api/openapi")]
import lint_api  # noqa: E402
from errors import ERRORS  # noqa: E402

DOCUMENT = json.loads(source("api/openapi.json"))
SCHEMAS = Schemas(DOCUMENT)
OPERATIONS = {(method.upper(), path): operation for path, methods in DOCUMENT["paths"].items()
              for method, operation in methods.items()}
ROWS = {(row.method, row.path): row for row in read_rows()}
UNTRIED = {  # documented, but not made here, and why
    ("GET", "/healthz", 503): "the store must fail: test_disk.py",
    ("PUT", "/v1/zones/{zone}/import", 409): "two imports at the same time: test_zones.py",
}
STALE = {"If-Match": '"r1"'}
ZONE_TEXT = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"


def documented(key):
    return {int(status) for status in OPERATIONS[key]["responses"] if status != "default"}


class Walk:
    """Sends requests, and notes which statuses of which operations were seen."""

    def __init__(self, rig):
        self.rig = rig
        self.api = rig.api
        self.seen = set()
        self.sent = {}

    def judge(self, key, reply, sent=None):
        """Compare a reply with what is documented of it."""
        status = reply.status
        assert status in documented(key), f"{key}: {status} is served, but not documented: {reply}"
        described = SCHEMAS.resolve(OPERATIONS[key]["responses"][str(status)])
        assert {name for name in ("ETag", "Location") if name in reply.headers} == described.get("headers", {}).keys(), (key, reply)
        content = described.get("content")
        if content is None:
            assert reply.body == b"", (key, reply)
        else:
            kind = reply.type.split(";")[0]
            assert kind in content, f"{key}: {status} is of type {kind}, but {list(content)} are documented"
            if reply.json is not None:
                faults = list(SCHEMAS.faults(content[kind]["schema"], reply.json))
                assert not faults, (key, status, faults, reply)
        if sent is not None and status in (200, 201, 202, 204):
            faults = list(SCHEMAS.faults(OPERATIONS[key]["requestBody"]["content"]["application/json"]["schema"], sent))
            assert not faults, f"{key}: the schema refuses what the server accepts: {faults}"
        self.seen.add((*key, status))

    def go(self, status, method, path, body=None, *values, **kw):
        """Send one request of the route `path`, whose parameters have these values; it must get this status."""
        filled = path
        for value in values:
            filled = re.sub(r"\{\w+\}", value, filled, count=1)
        reply = self.api.call(method, filled + kw.pop("query", ""), body, **kw)
        assert reply.status == status, (method, filled, status, reply)
        self.judge((method, path), reply, body if not isinstance(body, (str, bytes, type(None))) else None)
        return reply


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("openapi"), agents=1)
    yield Walk(rig)
    rig.stop()


@pytest.fixture(scope="module")
def strangers(walk):
    """A credential that is not for the route."""
    agent, server = walk.api.enrol("agent", "stranger")[1], walk.api.enrol("nameserver", "stranger")[1]
    return {key: server if row.roles == {"AGENT"} else agent for key, row in ROWS.items()}


# --- the files --------------------------------------------------------------------------------------------------------------

def test_the_files_are_what_make_openapi_writes(tmp_path):
    subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "api/openapi/make.py"), os.path.join(BUILD, "tests/check_fields"), str(tmp_path)],
                   check=True)
    for name in ("openapi.json", "openapi.html"):
        assert (tmp_path / name).read_text(encoding="utf-8") == source(f"api/{name}"), "make openapi"


def test_the_examples_are_valid_and_every_reference_leads_somewhere():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for example in schema.get("examples", []):
            assert not list(SCHEMAS.faults(schema, example)), name
    for pointer in set(re.findall(r'"\$ref": "([^"]*)"', source("api/openapi.json"))):
        assert SCHEMAS.find(pointer) is not None


def test_the_types_of_errors_are_those_that_the_sources_send():
    sent = set()
    for folder in ("api/http", "api/rest"):
        for name in os.listdir(os.path.join(ROOT, folder)):
            found = re.findall(r'(?:api_problem\([^"]*?|\{)(\d{3}),\s*"([a-z-]+)"', source(f"{folder}/{name}") if name.endswith(".c") else "")
            sent |= {(int(status), slug) for status, slug in found}
    assert sent == {(status, slug) for slug, (statuses, _) in ERRORS.items() for status in statuses}


def lint_says(change):
    document, said = copy.deepcopy(DOCUMENT), []
    change(document["paths"])
    lint_api.check(lambda path, line, what: said.append(what), document)
    return said


DAMAGE = [
    (lambda paths: None, None),
    (lambda paths: paths.pop("/v1/status"), "GET /v1/status is a route, but not described"),
    (lambda paths: paths["/v1/sites"].update(patch=paths["/v1/sites"]["get"]), "PATCH /v1/sites is described, but no route"),
    (lambda paths: paths["/v1/sites"]["get"].update(security=[{"token": ["health:read"]}, {"agent": []}]),
     "GET /v1/sites: who {"),
    (lambda paths: paths["/v1/enrol"]["post"]["security"].pop(), "POST /v1/enrol: who {"),
    (lambda paths: paths["/v1/sites"]["get"].update(security=[{"token": ["admin"]}]), "GET /v1/sites: scopes {'admin'}"),
    (lambda paths: paths["/v1/sites"]["get"]["parameters"].pop(), "GET /v1/sites: query parameters ['limit']"),
    (lambda paths: paths["/v1/sites/{name}"]["get"]["parameters"].pop(), "GET /v1/sites/{name}: path parameters []"),
    (lambda paths: paths["/v1/enrol"]["post"].update({"x-max-body-bytes": 1}), "POST /v1/enrol: largest body 1, but"),
]


@pytest.mark.parametrize("change,word", DAMAGE)
def test_lint_notices_each_difference_from_the_routes(change, word):
    said = lint_says(change)
    assert said == [] if word is None else len(said) == 1 and word in said[0], said


# --- the walk -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("key", OPERATIONS, ids=" ".join)
def test_what_every_route_refuses(walk, strangers, key):
    method, path = key
    filled = [f"x{i}" for i in range(path.count("{"))]
    walk.go(400, method, path, None, *filled, query="?nonsense=1")
    walk.go(401, method, path, None, *filled, token="x")
    if "ANONYMOUS" not in ROWS[key].roles:
        walk.go(403, method, path, None, *filled, token=strangers[key])
    limit = OPERATIONS[key]["x-max-body-bytes"]
    walk.go(413, method, path, None, *filled, headers={"Content-Length": str(limit + 1)})


def test_other_methods_get_405_with_those_that_are_possible(walk):
    for path, methods in DOCUMENT["paths"].items():
        known = {method.upper() for method in methods}
        known |= {"HEAD"} if "GET" in known else set()
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"} - known:
            reply = walk.api.call(method, re.sub(r"\{\w+\}", "x", path))
            assert reply.status == 405 and set(reply.headers["Allow"].split(", ")) == known, (method, path, reply)
            assert not list(SCHEMAS.faults(DOCUMENT["components"]["schemas"]["Problem"], reply.json))


def test_the_service_as_a_whole(walk):
    for path in ("/healthz", "/metrics", "/v1/status", "/v1/backup"):
        walk.go(200, "GET", path)
    for path in ("/openapi.json", "/openapi"):
        reply = walk.go(200, "GET", path, tcp=True)  # without a credential
        assert reply.body.decode() == source("api/openapi.json" if path.endswith("json") else "api/openapi.html")
        assert reply.headers["Cache-Control"] == "no-cache"
        for tag in (reply.etag, f'"x", {reply.etag}', "*"):
            walk.go(304, "GET", path, tcp=True, headers={"If-None-Match": tag})
        walk.go(200, "GET", path, headers={"If-None-Match": '"x"'})
        head = walk.api.call("HEAD", path, tcp=True)
        assert head.status == 200 and head.body == b"" and int(head.headers["Content-Length"]) == len(reply.body)


def test_the_page_needs_no_script_and_nothing_from_elsewhere():
    page = source("api/openapi.html")
    assert not re.search(r"<script|<link|<img|\bon\w+=|https?://|url\(", page)
    for method, path in OPERATIONS:
        assert f"<b>{method}</b> <code>{path}</code>" in page


def objects():
    """plural, name, a valid object, and one that is refused."""
    endpoint = {"name": "a", "address": "192.0.2.9", "site": "a"}
    return [("sites", {"name": "new", "region": "eu"}, {"region": 1}), ("checks", {"name": "new", "kind": "push"}, {"kind": "x"}),
            ("pools", {"name": "new", "endpoints": [endpoint]}, {"endpoints": []}), ("policies", {"name": "new", "tree": "web"}, {"tree": 1})]


@pytest.mark.parametrize("plural,good,bad", objects())
def test_objects(walk, plural, good, bad):
    many, one = f"/v1/{plural}", f"/v1/{plural}/{{name}}"
    walk.go(404, "GET", one, None, "new")
    walk.go(404, "DELETE", one, None, "new")
    walk.go(412, "POST", many, good, headers=STALE)
    walk.go(201, "POST", many, good)
    walk.go(409, "POST", many, good)
    walk.go(422, "POST", many, bad | {"name": "other"})
    walk.go(200, "GET", many)
    walk.go(200, "GET", one, None, "new")
    walk.go(200, "PUT", one, good, "new")
    walk.go(412, "PUT", one, good, "new", headers=STALE)
    walk.go(422, "PUT", one, bad, "new")
    walk.go(400, "PUT", one, "{", "new")
    walk.go(412, "DELETE", one, None, "new", headers=STALE)
    walk.go(204, "DELETE", one, None, "new")
    walk.go(201, "PUT", one, good, "new")
    walk.go(204, "DELETE", one, None, "new")
    walk.go(409, "DELETE", one, None, {"sites": "a", "checks": "web", "pools": "web", "policies": "www"}[plural])


def test_changes_that_would_leave_nothing_are_refused(walk):
    pool = {"checks": ["web"], "endpoints": [{"name": "o", "address": "192.0.2.20", "site": "only"}]}
    walk.go(201, "PUT", "/v1/sites/{name}", {"region": "eu"}, "only")
    walk.go(201, "PUT", "/v1/pools/{name}", pool, "only")
    walk.go(201, "PUT", "/v1/policies/{name}", {"tree": "only"}, "only")
    walk.go(409, "PUT", "/v1/sites/{name}", {"region": "eu", "state": "out"}, "only")
    drain = {"action": "drain", "reason": "a test"}
    one = "/v1/overrides/{pool}/{endpoint}"
    walk.go(409, "PUT", one, drain, "only", "o")
    walk.go(409, "POST", "/v1/overrides", drain | {"endpoints": ["only/o"]})
    walk.go(201, "PUT", one, drain | {"force": "only"}, "only", "o")
    two = pool["endpoints"] + [{"name": "p", "address": "192.0.2.21", "site": "only"}]
    walk.go(200, "PUT", "/v1/pools/{name}", pool | {"endpoints": two}, "only")
    walk.go(409, "PUT", "/v1/pools/{name}", pool, "only")  # the one that stays is drained


def test_overrides(walk):
    drain, one, many = {"action": "drain", "reason": "a test"}, "/v1/overrides/{pool}/{endpoint}", "/v1/overrides"
    where = ("web", "a")
    walk.go(404, "GET", one, None, *where)
    walk.go(404, "DELETE", one, None, *where)
    walk.go(404, "PUT", one, drain, "web", "nobody")
    walk.go(422, "PUT", one, {"action": "drain"}, *where)
    walk.go(201, "PUT", one, drain | {"ttl_s": 60, "owner": "ci"}, *where)
    walk.go(200, "PUT", one, drain, *where)
    walk.go(412, "PUT", one, drain, *where, headers=STALE)
    walk.go(200, "GET", one, None, *where)
    walk.go(200, "GET", many)
    walk.go(200, "GET", many, query="?limit=1")
    walk.go(400, "GET", many, query="?limit=0")
    walk.go(412, "DELETE", one, None, *where, headers=STALE)
    walk.go(204, "DELETE", one, None, *where)
    walk.go(201, "POST", many, drain | {"endpoints": ["web/a", "web/b"]})
    walk.go(404, "POST", many, drain | {"endpoints": ["web/nobody"]})
    walk.go(412, "POST", many, drain | {"endpoints": ["web/a"]}, headers=STALE)
    walk.go(422, "POST", many, drain | {"endpoints": []})
    for name in "ab":
        walk.go(204, "DELETE", one, None, "web", name)


def test_settings_and_maintenance(walk):
    walk.go(200, "GET", "/v1/settings")
    walk.go(412, "PUT", "/v1/settings", {}, headers=STALE)
    walk.go(201, "PUT", "/v1/settings", {"brake": "off"})
    walk.go(200, "PUT", "/v1/settings", {"freeze": {"on": False}, "max_removal_percent": 30})
    walk.go(422, "PUT", "/v1/settings", {"brake": "broken"})
    walk.go(200, "GET", "/v1/settings")
    one = "/v1/maintenance/{name}"
    window = {"endpoints": ["web/c"], "starts_at": "2020-01-01T00:00:00Z", "ends_at": "2090-01-01T00:00:00Z", "reason": "a test"}
    walk.go(404, "GET", one, None, "w")
    walk.go(404, "DELETE", one, None, "w")
    walk.go(201, "PUT", one, window, "w")
    walk.go(200, "PUT", one, window | {"sites": ["d"], "pools": ["alt"]}, "w")
    walk.go(412, "PUT", one, window, "w", headers=STALE)
    walk.go(422, "PUT", one, {"reason": "x"}, "w")
    walk.go(200, "GET", one, None, "w")
    walk.go(200, "GET", "/v1/maintenance")
    wait_until(lambda: walk.api.get("/v1/overrides/web/c").status == 200, 10)
    walk.go(200, "GET", "/v1/overrides")
    walk.go(409, "DELETE", "/v1/overrides/{pool}/{endpoint}", None, "web", "c")
    walk.go(412, "DELETE", one, None, "w", headers=STALE)
    walk.go(204, "DELETE", one, None, "w")


def test_tokens(walk):
    walk.go(201, "POST", "/v1/tokens", {"name": "ci", "scopes": ["zones:read"], "zones": ["x."], "expires_at": "2090-01-01T00:00:00Z"})
    made = walk.go(201, "POST", "/v1/tokens", {"name": "ci", "scopes": ["admin"], "ttl_s": 60})
    walk.go(422, "POST", "/v1/tokens", {"name": "ci", "scopes": ["root"]})
    walk.go(200, "GET", "/v1/tokens")
    walk.go(404, "DELETE", "/v1/tokens/{id}", None, "t-none")
    walk.go(412, "DELETE", "/v1/tokens/{id}", None, made.json["id"], headers=STALE)
    walk.go(204, "DELETE", "/v1/tokens/{id}", None, made.json["id"])


@pytest.mark.parametrize("plural,body", [("agents", {"name": "n1", "region": "eu"}), ("nameservers", {"name": "n1"})])
def test_identities(walk, plural, body):
    many, one, kind = f"/v1/{plural}", f"/v1/{plural}/{{id}}", plural[:-1]
    token = walk.go(201, "POST", many, body).json["token"]
    walk.go(422, "POST", many, {"name": "N"})
    if kind == "agent":
        walk.go(409, "POST", "/v1/enrol", {"token": token, "kind": kind, "region": "us"})
    made = walk.go(201, "POST", "/v1/enrol", {"token": token, "kind": kind}).json
    walk.go(401, "POST", "/v1/enrol", {"token": token, "kind": kind})
    walk.go(422, "POST", "/v1/enrol", {"token": token, "kind": "x"})
    walk.go(200, "GET", many)
    walk.go(200, "GET", one, None, made["id"])
    walk.go(404, "GET", one, None, "x")
    walk.go(412, "DELETE", one, None, made["id"], headers=STALE)
    walk.go(204, "DELETE", one, None, made["id"])
    walk.go(404, "DELETE", one, None, "x")


def first_line(walk, path, token):
    """The head and the first line of a stream."""
    stream = walk.api.subscribe(path, token=token)
    key = ("GET", path)
    content = OPERATIONS[key]["responses"][str(stream.status)]["content"]
    assert stream.response.headers["Content-Type"] in content, key
    assert not list(SCHEMAS.faults(content["application/x-ndjson"]["schema"], stream.line()))
    stream.close()
    walk.seen.add((*key, stream.status))


def test_what_programs_send(walk):
    agent, server = walk.api.enrol("agent", "n2")[1], walk.api.enrol("nameserver", "n2")
    first_line(walk, "/v1/agents/self/assignments", agent)
    first_line(walk, "/v1/feed", server[1])
    reports = "/v1/agents/self/reports"
    walk.go(409, "POST", reports, {"format": 1, "assignment_revision": 1, "boot": "00000000000000a1", "seq": 1, "blind": False, "items": []},
            token=agent)
    walk.go(422, "POST", reports, {"format": 1}, token=agent)
    mine = walk.rig.agents[0]
    wait_until(lambda: mine.assignments is not None, 10)
    body = {"format": 1, "assignment_revision": mine.assignments["revision"], "boot": "00000000000000a2", "seq": 1, "blind": False,
            "items": [["u", "ok", 10, 1000] for _ in mine.assignments["items"]]}
    walk.go(204, "POST", reports, body, token=mine.bearer)
    status = walk.api.get("/v1/status").json
    says = {"format": 1, "name": "n2", "boot": "a", "store_id": status["store_id"], "lineage": status["lineage"], "revision": status["revision"],
            "applied_us": 1, "applied": [], "uptime_s": 1, "zones": 1, "queries": 1,
            "answers": {"noerror": 0, "nxdomain": 0, "servfail": 0, "refused": 0}}
    uplink, adopt = "/v1/uplink", "/v1/nameservers/{id}/adopt"
    walk.go(404, "POST", adopt, None, "unheard")
    walk.go(204, "POST", uplink, says, token=server[1])
    walk.go(409, "POST", adopt, None, server[0])
    walk.go(204, "POST", uplink, says | {"quarantine": {"why": "zone_lost", "store_id": "x", "lineage": "y", "revision": 1}}, token=server[1])
    walk.go(202, "POST", adopt, None, server[0])
    walk.go(200, "POST", uplink, says | {"quarantine": {"why": "zone_lost", "store_id": "x", "lineage": "y", "revision": 1}}, token=server[1])
    walk.go(422, "POST", uplink, {"format": 2}, token=server[1])


def test_health(walk):
    walk.go(200, "GET", "/v1/endpoints/{pool}/{endpoint}", None, "web", "a")
    walk.go(404, "GET", "/v1/endpoints/{pool}/{endpoint}", None, "web", "nobody")
    push = "/v1/checks/{name}/push"
    assert walk.api.put("/v1/checks/app", {"kind": "push"}).status == 201
    pool = {"checks": ["app"], "endpoints": [{"name": "a", "address": "192.0.2.30", "site": "a"}]}
    assert walk.api.put("/v1/pools/app", pool).status == 201
    says = {"endpoint": "app/a", "state": "up", "ttl_s": 60, "reason": "x"}
    wait_until(lambda: walk.api.post("/v1/checks/app/push", says).status == 204, 10)
    walk.go(204, "POST", push, says, "app")
    walk.go(404, "POST", push, says, "none")
    walk.go(422, "POST", push, says | {"state": "?"}, "app")
    items = wait_until(lambda: walk.rig.transitions(), 20)
    walk.go(200, "GET", "/v1/transitions")
    walk.go(200, "GET", "/v1/transitions", query="?endpoint=web/a&limit=1")
    walk.go(200, "GET", "/v1/transitions/{id}", None, items[0]["id"])
    walk.go(404, "GET", "/v1/transitions/{id}", None, "x")


def test_zones(walk):
    many, one = "/v1/zones", "/v1/zones/{zone}"
    walk.go(201, "POST", many, {"name": "new.example.", "nameservers": ["ns.new.example."], "ttl": 60, "hostmaster": "h.example."})
    walk.go(409, "POST", many, {"name": "new.example.", "nameservers": ["ns.new.example."]})
    walk.go(422, "POST", many, {"name": "new.example."})
    walk.go(200, "GET", many)
    for path in (one, one + "/export", one + "/import", one + "/delegation", one + "/rrsets"):
        walk.go(200, "GET", path, None, ZONE)
        walk.go(404, "GET", path, None, "n..o" if path.endswith("import") else "none.example.")
    walk.go(200, "POST", one + "/delegation", None, ZONE)
    walk.go(404, "POST", one + "/delegation", None, "none.example.")
    walk.go(200, "PUT", one + "/import", ZONE_TEXT, "new.example.")
    walk.go(412, "PUT", one + "/import", ZONE_TEXT, "new.example.", headers=STALE)
    walk.go(422, "PUT", one + "/import", "?", "new.example.")
    walk.go(412, "DELETE", one, None, "new.example.", headers=STALE)
    walk.go(204, "DELETE", one, None, "new.example.")
    walk.go(404, "DELETE", one, None, "new.example.")


def test_rrsets(walk):
    many, one = "/v1/zones/{zone}/rrsets", "/v1/zones/{zone}/rrsets/{name}/{type}"
    where, good = (ZONE, "x", "A"), {"ttl": 60, "records": ["192.0.2.1"]}
    full = good | {"name": "x", "type": "A"}
    walk.go(404, "GET", one, None, *where)
    walk.go(404, "DELETE", one, None, *where)
    walk.go(404, "PUT", one, good, "none.example.", "x", "A")
    walk.go(404, "POST", many, full, "none.example.")
    walk.go(201, "POST", many, full, ZONE)
    walk.go(409, "POST", many, full, ZONE)
    walk.go(412, "POST", many, full | {"name": "y"}, ZONE, headers=STALE)
    walk.go(422, "POST", many, full | {"records": ["x"]}, ZONE)
    read = walk.go(200, "GET", one, None, *where)
    walk.go(200, "PUT", one, read.json, *where)  # what was read may be written
    walk.go(412, "PUT", one, good, *where, headers=STALE)
    walk.go(422, "PUT", one, {"records": ["x"], "ttl": 1}, *where)
    walk.go(201, "PUT", one, {"policy": "www"}, ZONE, "bound", "A")
    walk.go(200, "GET", many, None, ZONE)
    walk.go(409, "DELETE", one, None, ZONE, "@", "SOA")
    walk.go(412, "DELETE", one, None, *where, headers=STALE)
    walk.go(204, "DELETE", one, None, *where)


def test_every_documented_status_was_seen(walk):
    """Runs last."""
    wanted = {(*key, status) for key in OPERATIONS for status in documented(key)}
    assert walk.seen <= wanted
    assert sorted(wanted - walk.seen - UNTRIED.keys()) == [], "documented, but no request here gets it"
    assert sorted(UNTRIED.keys() & walk.seen) == [], "it is tried: remove it from UNTRIED"
    assert set(OPERATIONS) == set(ROWS)
