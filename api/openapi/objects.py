# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas of what the API takes and returns. Those of checks come from the tables of zones/model/ (checks.py);
tests/functional/test_openapi.py tries the limits of the others at the readers of the real program."""

from errors import known_type

INT53 = 2**53 - 1


def ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def text(description, most=None, **more):
    return {"type": "string", "description": description} | ({"maxLength": most} if most else {}) | more


def integer(description, least=0, most=INT53, **more):
    return {"type": "integer", "description": description, "minimum": least, "maximum": most} | more


def flag(description, **more):
    return {"type": "boolean", "description": description} | more


def words(description, *known, **more):
    return {"type": "string", "description": description, "enum": list(known)} | more


def array(description, items, most=None, least=0, **more):
    return {"type": "array", "description": description, "items": items} | ({"maxItems": most} if most else {}) \
        | ({"minItems": least} if least else {}) | more


def strict(description, properties, required=(), **more):
    """An object that has no other members: what the readers of requests take."""
    return {"type": "object", "description": description, "properties": properties, "required": list(required),
            "additionalProperties": False} | more


def open_object(description, properties, required=(), **more):
    """An object of a reply: later versions may add members."""
    return {"type": "object", "description": description, "properties": properties, "required": list(required)} | more


REVISION = integer("the revision that last changed the object; only in replies, and ignored in requests", 0, readOnly=True)
NAME = ref("Name")
ENDPOINT = ref("EndpointKey")
TIME = ref("Time")
OWNER = text("who decided it; the default is the token's name", 256)
REASON = text("why; others will ask", 256, minLength=1)
TTL = integer("seconds", 0, 2**31 - 1)
ID = text("the id that the control plane chose", 63)
OPEN = {"type": "object"}

COMMON = {
    "Name": text("a DNS label: a-z, 0-9 and -, not at the ends", 63, minLength=1, pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
                 examples=["fra"]),
    "EndpointKey": text("an endpoint: POOL/NAME", 127, pattern="^[a-z0-9-]+/[a-z0-9-]+$", examples=["web/fra"]),
    "Time": text("RFC 3339", 64, format="date-time", examples=["2030-01-31T00:00:00Z"]),
    "Scope": words("what a token may do; admin includes all others", "admin", "zones:read", "zones:write", "health:read",
                   "health:push", "health:write", "agents", "tokens", "feed:read"),
    "Problem": open_object("an error (RFC 9457)", {
        "type": known_type(), "title": text("the status in words"),
        "status": integer("the status of the reply", 400, 599), "detail": text("what is wrong, and what to do", 1023),
        "errors": array("the place in the body", open_object("", {
            "pointer": text("a JSON pointer (RFC 6901)"), "detail": text("what is wrong there")}, ("pointer", "detail")))},
        ("type", "title", "status", "detail"), examples=[{
            "type": "urn:veer:problem:invalid", "title": "Unprocessable Content", "status": 422,
            "detail": "/region: is required", "errors": [{"pointer": "/region", "detail": "is required"}]}]),
}

SITE = strict("a region or data centre", {
    "name": NAME, "region": NAME, "failure_domain": NAME,
    "latitude": {"type": "number", "minimum": -90, "maximum": 90, "description": "degrees; together with longitude"},
    "longitude": {"type": "number", "minimum": -180, "maximum": 180, "description": "degrees; together with latitude"},
    "state": words("out: an administrator took it out, and none of its endpoints is eligible", "in", "out", default="in"),
    "revision": REVISION}, ("region",), dependentRequired={"latitude": ["longitude"], "longitude": ["latitude"]},
    examples=[{"name": "fra", "region": "eu", "latitude": 50.11, "longitude": 8.68, "failure_domain": "eu-grid", "state": "in"}])

POOL = strict("endpoints that serve the same thing", {
    "name": NAME, "checks": array("the checks that watch the endpoints", NAME, 16, uniqueItems=True, default=[]),
    "min_up": integer("how many endpoints must be eligible for the pool to be available", 1, 1000, default=1),
    "endpoints": array("what can be answered with; either all are addresses, or all are host names", strict("", {
        "name": NAME, "site": NAME,
        "address": text("an IPv4 or IPv6 address, or an absolute host name", 254, minLength=1),
        "weight": integer("0: given out only when nothing else is eligible", 0, 65535, default=100),
        "capacity": integer("how much it can carry, in any unit", 1, 2**32 - 1)}, ("name", "site", "address")), 1000, 1),
    "revision": REVISION}, ("endpoints",),
    examples=[{"name": "web", "checks": ["web"], "min_up": 1, "endpoints": [
        {"name": "fra", "address": "192.0.2.1", "site": "fra", "weight": 100, "capacity": 1000}]}])

CODE = text("", 2, pattern="^[A-Z]{2}$")
NODE = ref("Node")
NODES = {
    "Node": {"description": "a node of a policy's tree; at most 8 deep and 2,048 in all", "oneOf": [
        NAME | {"description": "all eligible endpoints of the pool"},
        strict("one eligible endpoint of the pool, chosen by weight", {"spread": NAME}, ("spread",)),
        strict("the first node that is available", {"failover": array("", NODE, 1024, 1)}, ("failover",)),
        strict("one of the available nodes, chosen by weight", {"weighted": array("", strict("", {
            "weight": integer("", 0, 65535), "node": NODE}, ("weight", "node")), 1024, 1)}, ("weighted",)),
        strict("the first rule that matches the client and whose node is available, otherwise `else`", {
            "match": array("", strict("", {
                "countries": array("ISO 3166-1 alpha-2, and XK", CODE, 1024),
                "continents": array("", words("", "AF", "AN", "AS", "EU", "NA", "OC", "SA"), 1024), "node": NODE},
                ("node",)), 1024, 1),
            "else": NODE}, ("match",))]},
}
POLICY = strict("the tree that chooses among pools for one client", {
    "name": NAME, "ttl": integer("of answers, in seconds", 1, 86400, default=9),
    "ttl_suspect": integer("of answers with an endpoint in doubt; at most `ttl`. Default: 6, or `ttl` if that is less", 1, 86400),
    "when_all_down": {"description": "what is answered when nothing is available", "default": "all", "oneOf": [
        words("all: as if all were up; last: the last set that was not empty", "all", "last", "servfail"),
        strict("a fallback pool", {"pool": NAME}, ("pool",))]},
    "tree": NODE, "revision": REVISION,
    "warnings": array("only in the reply to a write, and ignored in requests", text(""), readOnly=True)}, ("tree",),
    examples=[{"name": "www", "ttl": 9, "when_all_down": "all", "tree": {"failover": ["web"]}}])

ACTION = words("up: eligible whatever agents report; down and drain: not eligible", "up", "down", "drain")
FORCE = {"description": "pools that may be emptied", "oneOf": [text("one"), array("several", text(""), 16)]}
OVERRIDE_FIELDS = {"action": ACTION, "reason": REASON, "owner": OWNER, "expires_at": TIME,
                   "ttl_s": integer("the time until it ends, in place of expires_at", 1, 366 * 86400), "force": FORCE}
OVERRIDE = open_object("an administrator's decision, which takes precedence over the verdict", {
    "endpoint": ENDPOINT, "action": ACTION, "owner": OWNER, "reason": REASON,
    "source": {"type": ["string", "null"], "description": "maintenance/NAME, or null"},
    "expires_at": {"type": ["string", "null"], "description": "RFC 3339; null: it does not end by itself"},
    "created_at": TIME, "revision": REVISION}, ("endpoint", "action", "owner", "reason", "revision"))

FREEZE = strict("no verdict changes while it is on", {
    "on": flag("", default=True), "owner": OWNER, "reason": text("required while it is on", 256),
    "since": TIME},
    anyOf=[{"properties": {"on": {"const": False}}, "required": ["on"]},
           {"properties": {"reason": {"minLength": 1}}, "required": ["reason"]}])
SETTINGS = strict("the settings of all verdicts", {
    "freeze": FREEZE, "brake": words("the brake on mass removals", "on", "off", default="on"),
    "max_removal_percent": integer("of endpoints that may be removed at once", 1, 100, default=25), "revision": REVISION},
    examples=[{"freeze": {"on": False}, "brake": "on", "max_removal_percent": 25}])

MAINTENANCE = strict("a planned drain of all endpoints that it names; it names at least one site, pool or endpoint", {
    "name": NAME, "sites": array("", NAME, 1000), "pools": array("", NAME, 1000), "endpoints": array("", ENDPOINT, 1000),
    "force": array("pools that may be emptied", NAME, 1000), "starts_at": TIME, "ends_at": TIME,
    "repeat": words("", "none", "weekly", default="none"), "until": TIME | {"description": "no repetition begins then or later"},
    "owner": OWNER, "reason": text("why; others will ask", 256), "created_at": TIME | {"readOnly": True}, "revision": REVISION,
    "not_drained": array("only in the reply to a write: pools that it will not drain", open_object("", {
        "pool": NAME, "reason": text("")}, ("pool", "reason")), readOnly=True)},
    ("starts_at", "ends_at", "reason"),
    anyOf=[{"properties": {key: {"minItems": 1}}, "required": [key]} for key in ("sites", "pools", "endpoints")],
    dependentSchemas={"until": {"properties": {"repeat": {"const": "weekly"}}, "required": ["repeat"]}},
    examples=[{"name": "kernel", "sites": ["fra"], "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-01T01:00:00Z",
               "repeat": "weekly", "until": "2031-01-01T00:00:00Z", "owner": "ci", "reason": "new kernel"}])

DOMAIN = text("a domain name", 1024, minLength=1)
RRSET = strict("the records of one name and type, or a policy that answers for them", {
    "name": text("absolute, or relative to the zone; @ is the apex", 1024, minLength=1), "type": text("such as A, or TYPE65280", 16, minLength=1),
    "ttl": TTL, "records": array("the RDATA of each record, as in a zone file", text(""), least=1),
    "policy": NAME, "revision": REVISION}, (),
    oneOf=[{"required": ["records", "ttl"]}, {"required": ["policy"]}],
    examples=[{"name": "mail", "type": "A", "ttl": 300, "records": ["192.0.2.1", "192.0.2.2"]}])
NEW_ZONE = strict("a zone to make", {
    "name": DOMAIN, "nameservers": array("", DOMAIN, 16, 1), "hostmaster": DOMAIN,
    "ttl": TTL | {"description": "of the SOA (300) and the NS RRset (86400)"}}, ("name", "nameservers"),
    examples=[{"name": "gslb.example.", "nameservers": ["ns1.gslb.example."], "hostmaster": "hostmaster.example."}])
ZONE = open_object("a zone", {"name": DOMAIN, "version": integer("which RRsets are visible"), "rrsets": integer("their number"),
                              "serial": integer("", 0, 2**32 - 1), "revision": REVISION}, ("name", "version", "rrsets", "revision"))

PATTERNS = array("patterns of names; without it, all", text("", 1024, minLength=1), 64, 1)
NEW_TOKEN = strict("a token to make", {
    "name": text("for people", 63), "scopes": array("", ref("Scope"), 9, 1, uniqueItems=True), "endpoints": PATTERNS,
    "checks": PATTERNS, "zones": PATTERNS, "expires_at": TIME,
    "ttl_s": integer("the time until it expires, in place of expires_at", 1, 10 * 366 * 86400)}, ("name", "scopes"),
    examples=[{"name": "ci", "scopes": ["zones:read", "zones:write"], "zones": ["gslb.example."], "ttl_s": 86400}])
TOKEN = open_object("a token, without its secret", {
    "id": ID, "name": text(""), "scopes": array("", ref("Scope")), "created_at": TIME, "expires_at": TIME,
    "last_used_at": TIME, "revision": REVISION}, ("id", "name", "scopes", "revision"))
IDENTITY = {"id": ID, "name": NAME, "site": {"type": ["string", "null"]}, "state": words("", "enrolled", "revoked"),
            "created_at": TIME, "revision": REVISION}

SCHEMAS = COMMON | NODES | {
    "Site": SITE, "Pool": POOL, "Policy": POLICY, "Override": OVERRIDE, "Settings": SETTINGS, "Maintenance": MAINTENANCE,
    "RRset": RRSET, "Zone": ZONE, "NewZone": NEW_ZONE, "Token": TOKEN, "NewToken": NEW_TOKEN,
    "NewOverride": strict("an override of one endpoint", OVERRIDE_FIELDS, ("action", "reason"),
                          examples=[{"action": "drain", "reason": "new kernel", "ttl_s": 3600}]),
    "NewOverrides": strict("overrides of several endpoints: all of them, or none", {
        "endpoints": array("", ENDPOINT, 40, 1, uniqueItems=True)} | OVERRIDE_FIELDS, ("endpoints", "action", "reason"),
        examples=[{"endpoints": ["web/fra"], "action": "drain", "reason": "new kernel", "force": "web"}]),
    "Overridden": open_object("", {"count": integer("the overrides that were made"), "revision": REVISION}, ("count", "revision")),
    "Agent": open_object("a probe agent", IDENTITY | {"region": NAME}, ("id", "name", "region", "state", "revision")),
    "Nameserver": open_object("a name server", IDENTITY, ("id", "name", "state", "revision")),
    "NewAgent": strict("an agent to announce", {"name": NAME, "region": NAME, "site": text("", 63)}, ("name", "region"),
                       examples=[{"name": "eu-1", "region": "eu"}]),
    "NewNameserver": strict("a name server to announce", {"name": NAME, "site": text("", 63)}, ("name",),
                            examples=[{"name": "ns1"}]),
    "Announced": open_object("an enrolment token, shown once", {
        "token": text("for one enrolment", pattern="^vre_"), "name": NAME, "region": {"type": ["string", "null"]}, "expires_at": TIME},
        ("token", "name", "expires_at")),
    "Adopting": open_object("", {"nameserver": text("as it was named"), "store_id": text("what it will follow")},
                            ("nameserver", "store_id")),
    "MadeToken": open_object("a new token, shown once", {
        "id": ID, "name": text(""), "token": text("for the header Authorization: Bearer"), "expires_at": TIME}, ("id", "name", "token")),
    "Transition": open_object("a change of a verdict", {
        "id": ID, "endpoint": ENDPOINT, "at": TIME, "from": text(""), "to": words("", "up", "down"), "check": text(""),
        "quorum": integer(""), "regions": integer(""), "reason": text(""), "steps": OPEN | {"description": "microseconds since the first observation"},
        "votes": array("", OPEN), "nameservers": array("", OPEN), "revision": REVISION}, ("id", "endpoint", "at", "from", "to", "revision")),
    "EndpointState": open_object("an endpoint now", {
        "endpoint": ENDPOINT, "state": words("", "up", "down", "unknown"), "eligible": flag(""), "address": text(""), "site": NAME,
        "site_state": words("", "in", "out"), "override": {"type": ["object", "null"]}, "verdict": {"type": ["object", "null"]},
        "freeze": OPEN, "votes": array("", OPEN), "controller": words("", "acting", "deposed", "not answering"),
        "answered_by": array("policies that hand it out now", OPEN)},
        ("endpoint", "state", "eligible", "address", "site", "site_state", "override", "verdict", "controller", "answered_by")),
    "Push": strict("an application's own report on an endpoint", {
        "endpoint": ENDPOINT, "state": words("", "up", "down"), "ttl_s": integer("how long it is valid; the default is the check's", 1, 86400),
        "reason": text("", 255)}, ("endpoint", "state"), examples=[{"endpoint": "web/fra", "state": "down", "reason": "disk"}]),
    "Imported": open_object("", {"rrsets": integer(""), "serial": integer("", 0, 2**32 - 1), "revision": REVISION},
                            ("rrsets", "serial", "revision")),
    "ImportState": open_object("", {"state": text(""), "done": integer("records read"), "total": integer("")}, ("state", "done", "total")),
    "Delegation": open_object("the last comparison with the parent zone", {
        "zone": DOMAIN, "state": text(""), "summary": text(""), "checked_at": TIME, "parent": DOMAIN, "servers": array("", OPEN),
        "glue": array("", OPEN), "ttl": OPEN, "warnings": array("", text(""))}, ("zone", "state", "summary")),
    "Health": open_object("", {"status": words("", "ok", "failing"), "revision": integer("the newest revision"),
                               "reason": text("why it is failing")}, ("status", "revision")),
    "Status": open_object("the state of everything", {
        "revision": integer(""), "feed_revision": integer(""), "store_id": text(""), "lineage": text(""),
        "controller": words("", "acting", "deposed", "not answering"), "election": integer(""), "sites": array("", OPEN),
        "endpoints": array("", OPEN), "agents": array("", OPEN), "settings": ref("Settings"), "overrides": array("", OPEN),
        "maintenance": array("", OPEN), "policies": OPEN, "delegations": OPEN, "nameservers": array("", OPEN)},
        ("revision", "feed_revision", "store_id", "lineage", "controller", "sites", "settings", "overrides", "maintenance",
         "policies", "delegations", "nameservers")),
    "Enrolment": strict("an exchange of an enrolment token", {
        "token": text("", 64), "kind": words("", "agent", "nameserver"), "region": NAME,
        "nonce": text("random; the same token and nonce get the same reply again", 64, minLength=32, pattern="^[0-9A-Za-z]+$")},
        ("token", "kind"), examples=[{"token": "vre_abc", "kind": "agent", "region": "eu"}]),
    "Enrolled": open_object("an identity, shown once", {
        "id": ID, "credential": text("the secret of ID.SECRET", pattern="^vrc_"), "name": NAME, "region": {"type": ["string", "null"]}},
        ("id", "credential", "name")),
    "Report": open_object("what an agent saw; docs/formats.md, section 6", {
        "format": {"const": 1}, "assignment_revision": integer(""), "boot": text("16 hex digits"), "seq": integer("", 1), "blind": flag(""),
        "items": array("one for each assigned item: state, reason, age_ms, rtt_us", array("", {}))},
        ("format", "assignment_revision", "boot", "seq", "items"),
        examples=[{"format": 1, "assignment_revision": 812, "boot": "00000000000000a1", "seq": 1, "blind": False,
                   "items": [["u", "ok", 120, 3500]]}]),
    "Uplink": open_object("what a name server says of itself; docs/formats.md, section 3", {
        "format": {"const": 1}, "name": text(""), "boot": text(""), "store_id": text(""), "revision": integer("")}, ("format",)),
    "Instructions": open_object("what the name server must do", {"adopt": text("a lineage"), "full_state": {"const": True}}),
    "StreamLine": open_object("one line of a stream; docs/formats.md, sections 2 and 5", {"type": text("such as hello")}, ("type",)),
}
