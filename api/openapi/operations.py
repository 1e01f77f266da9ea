# SPDX-License-Identifier: Apache-2.0
"""What each route of api/rest/routes.c does, takes and returns. Path, method, scope, query parameters, largest body and
who may call come from routes.c; the statuses that all routes have in common are added by make.py."""
from collections import namedtuple

from objects import ref

# `request`: a schema, a media type for what is not JSON, or None. `replies`: status -> a schema, a media type, or None
# for no body; statuses from 400 on have a sentence on when they happen.
Operation = namedtuple("Operation", "summary request replies", defaults=(None, {}))

GONE = "there is no such object"
STALE = "If-Match or If-None-Match does not hold"
WRONG = "the body is not what the schema says, or contradicts other objects"
USED = "the object is in use"
EMPTY = "the change would leave nothing to answer with: see `force`"
THERE = "there is one of this name already"
NO_TOUCH = "the token may not change all objects"


def page(name):
    return {"type": "object", "required": ["items"], "properties": {
        "items": {"type": "array", "items": ref(name)},
        "next": {"type": "string", "description": "the `after` of the next page; absent on the last one"}}}


def named(name):
    """The name is required in a POST; in a PUT it is that of the path."""
    return {"allOf": [ref(name), {"required": ["name"]}]}


def kind_of_object(plural, name, word, put_409=None, post_409=THERE):
    many, one = f"/v1/{plural}", f"/v1/{plural}/{{name}}"
    return {
        ("GET", many): Operation(f"List {word}s", None, {200: page(name)}),
        ("POST", many): Operation(f"Create a {word}", named(name), {201: ref(name), 409: post_409, 412: STALE, 422: WRONG}),
        ("GET", one): Operation(f"Read a {word}", None, {200: ref(name), 404: GONE}),
        ("PUT", one): Operation(f"Create or replace a {word}", ref(name), {
            200: ref(name), 201: ref(name), 412: STALE, 422: WRONG} | ({409: put_409} if put_409 else {})),
        ("DELETE", one): Operation(f"Delete a {word}", None, {204: None, 404: GONE, 412: STALE} | ({409: USED})),
    }


def kind_of_identity(plural, name, word):
    return {
        ("GET", f"/v1/{plural}"): Operation(f"List {word}s", None, {200: page(name)}),
        ("POST", f"/v1/{plural}"): Operation(f"Announce a {word}: make an enrolment token", ref("New" + name), {
            201: ref("Announced"), 422: WRONG}),
        ("GET", f"/v1/{plural}/{{id}}"): Operation(f"Read a {word}", None, {200: ref(name), 404: GONE}),
        ("DELETE", f"/v1/{plural}/{{id}}"): Operation(f"Revoke a {word}", None, {204: None, 404: GONE, 412: STALE}),
    }


OPERATIONS = {
    ("GET", "/healthz"): Operation("Does the store work?", None, {200: ref("Health"), 503: "the store does not work"}),
    ("GET", "/metrics"): Operation("Metrics, for Prometheus; without a token only from this host", None, {
        200: "text/plain"}),
    ("GET", "/openapi.json"): Operation("This description", None, {200: "application/json", 304: None}),
    ("GET", "/openapi"): Operation("This description, as a page", None, {200: "text/html", 304: None}),
    ("GET", "/v1/status"): Operation("Read the state of everything", None, {200: ref("Status")}),
    ("GET", "/v1/backup"): Operation("Read the whole store, as an SQLite database", None, {200: "application/vnd.sqlite3"}),
    ("GET", "/v1/feed"): Operation("Follow all changes, as name servers do", None, {200: "application/x-ndjson"}),
    ("POST", "/v1/uplink"): Operation("Say what a name server serves", ref("Uplink"), {
        200: ref("Instructions"), 204: None, 422: WRONG}),
    ("POST", "/v1/enrol"): Operation("Exchange an enrolment token for an identity", ref("Enrolment"), {
        201: ref("Enrolled"), 409: "the token is for another region, or two enrolled at once", 422: WRONG}),
    ("GET", "/v1/agents/self/assignments"): Operation("Follow what this agent must probe", None, {200: "application/x-ndjson"}),
    ("POST", "/v1/agents/self/reports"): Operation("Report what this agent saw", ref("Report"), {
        204: None, 409: "the report is for other assignments, or not newer than the last", 422: WRONG}),
    **kind_of_identity("agents", "Agent", "probe agent"),
    **kind_of_identity("nameservers", "Nameserver", "name server"),
    ("POST", "/v1/nameservers/{id}/adopt"): Operation("Tell a name server to follow this store", None, {
        202: ref("Adopting"), 404: "no such name server was heard", 409: "it keeps no store in quarantine"}),
    ("GET", "/v1/tokens"): Operation("List tokens", None, {200: page("Token")}),
    ("POST", "/v1/tokens"): Operation("Make a token", ref("NewToken"), {201: ref("MadeToken"), 422: WRONG}),
    ("DELETE", "/v1/tokens/{id}"): Operation("Remove a token", None, {204: None, 404: GONE, 412: STALE}),
    **kind_of_object("sites", "Site", "site", EMPTY),
    **kind_of_object("checks", "Check", "check"),
    **kind_of_object("pools", "Pool", "pool", EMPTY),
    **kind_of_object("policies", "Policy", "policy"),
    ("GET", "/v1/overrides"): Operation("List overrides", None, {200: page("Override")}),
    ("POST", "/v1/overrides"): Operation("Override several endpoints at once", ref("NewOverrides"), {
        201: ref("Overridden"), 404: "there is no such endpoint", 409: EMPTY, 412: STALE, 422: WRONG}),
    ("GET", "/v1/overrides/{pool}/{endpoint}"): Operation("Read an override", None, {200: ref("Override"), 404: GONE}),
    ("PUT", "/v1/overrides/{pool}/{endpoint}"): Operation("Override an endpoint", ref("NewOverride"), {
        200: ref("Override"), 201: ref("Override"), 404: "there is no such endpoint", 409: EMPTY, 412: STALE, 422: WRONG}),
    ("DELETE", "/v1/overrides/{pool}/{endpoint}"): Operation("End an override", None, {
        204: None, 404: GONE, 409: "it belongs to a maintenance window", 412: STALE}),
    ("GET", "/v1/settings"): Operation("Read the settings of all verdicts", None, {200: ref("Settings")}),
    ("PUT", "/v1/settings"): Operation("Replace the settings of all verdicts", ref("Settings"), {
        200: ref("Settings"), 201: ref("Settings"), 412: STALE, 422: WRONG}),
    ("GET", "/v1/maintenance"): Operation("List maintenance windows", None, {200: page("Maintenance")}),
    ("GET", "/v1/maintenance/{name}"): Operation("Read a maintenance window", None, {200: ref("Maintenance"), 404: GONE}),
    ("PUT", "/v1/maintenance/{name}"): Operation("Create or replace a maintenance window", ref("Maintenance"), {
        200: ref("Maintenance"), 201: ref("Maintenance"), 412: STALE, 422: WRONG}),
    ("DELETE", "/v1/maintenance/{name}"): Operation("Delete a maintenance window", None, {204: None, 404: GONE, 412: STALE}),
    ("GET", "/v1/transitions"): Operation("List changes of verdicts, the newest first", None, {200: page("Transition")}),
    ("GET", "/v1/transitions/{id}"): Operation("Read a change of a verdict", None, {200: ref("Transition"), 404: GONE}),
    ("GET", "/v1/endpoints/{pool}/{endpoint}"): Operation("Read the state of an endpoint, with the reasons", None, {
        200: ref("EndpointState"), 404: GONE}),
    ("POST", "/v1/checks/{name}/push"): Operation("Say that an endpoint is up or down", ref("Push"), {
        204: None, 404: GONE, 422: WRONG}),
    ("GET", "/v1/zones"): Operation("List zones", None, {200: page("Zone")}),
    ("POST", "/v1/zones"): Operation("Create a zone with its SOA and NS", ref("NewZone"), {201: ref("Zone"), 409: THERE, 422: WRONG}),
    ("GET", "/v1/zones/{zone}"): Operation("Read a zone", None, {200: ref("Zone"), 404: GONE}),
    ("DELETE", "/v1/zones/{zone}"): Operation("Delete a zone and all of its RRsets", None, {204: None, 404: GONE, 412: STALE}),
    ("GET", "/v1/zones/{zone}/export"): Operation("Read a zone as a zone file", None, {200: "text/dns", 404: GONE}),
    ("PUT", "/v1/zones/{zone}/import"): Operation("Replace a zone by a zone file", "text/dns", {
        200: ref("Imported"), 409: "another import or many changes are under way", 412: STALE, 422: "the file has an error"}),
    ("GET", "/v1/zones/{zone}/import"): Operation("Read how far an import is", None, {200: ref("ImportState"), 404: GONE}),
    ("GET", "/v1/zones/{zone}/delegation"): Operation("Read the last comparison with the parent zone", None, {
        200: ref("Delegation"), 404: GONE}),
    ("POST", "/v1/zones/{zone}/delegation"): Operation("Compare with the parent zone now", None, {
        200: ref("Delegation"), 404: GONE}),
    ("GET", "/v1/zones/{zone}/rrsets"): Operation("List the RRsets of a zone", None, {200: page("RRset"), 404: GONE}),
    ("POST", "/v1/zones/{zone}/rrsets"): Operation("Create an RRset", {"allOf": [ref("RRset"), {"required": ["name", "type"]}]}, {
        201: ref("RRset"), 404: GONE, 409: THERE, 412: STALE, 422: WRONG}),
    ("GET", "/v1/zones/{zone}/rrsets/{name}/{type}"): Operation("Read an RRset", None, {200: ref("RRset"), 404: GONE}),
    ("PUT", "/v1/zones/{zone}/rrsets/{name}/{type}"): Operation("Create or replace an RRset", ref("RRset"), {
        200: ref("RRset"), 201: ref("RRset"), 404: "there is no such zone", 412: STALE, 422: WRONG}),
    ("DELETE", "/v1/zones/{zone}/rrsets/{name}/{type}"): Operation("Delete an RRset", None, {
        204: None, 404: GONE, 409: "a zone needs its SOA and NS", 412: STALE}),
}

PARAMETERS = {  # of paths and queries
    "id": "the id, or for `adopt` also the name", "name": "the name", "pool": "the pool's name", "endpoint": "the endpoint's name",
    "zone": "the zone's name, absolute", "type": "the type of the RRset",
    "limit": "how many at most", "after": "the `next` of the page before", "force": "the pool or site that may be emptied",
    "since": "the revision that the client has", "store_id": "the store that it is of", "lineage": "the lineage that it is of",
    "seen": "the newest revision that the client has seen",
}
QUERY_SCHEMAS = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    "since": {"type": "integer", "minimum": 0}, "seen": {"type": "integer", "minimum": 0},
    "endpoint": ref("EndpointKey"),
}
