# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of checks, from the tables that the reader of checks uses (tests/tools/check_fields.c prints them)."""
import json

from objects import NAME, REVISION, array, flag, integer, strict, text, words

SHAPES = {  # fields whose type has only one field
    "name": NAME,
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "headers": {"type": "object", "maxProperties": 16, "additionalProperties": text("", 1024)},
    "statuses": array("", {"oneOf": [integer("", 100, 599), text("", 7, pattern="^[1-5][0-9]{2}(-[1-5][0-9]{2})?$")]}, 16, 1,
                      default=["200-299"]),
    "query_name": text("", 1024),
    "query_type": text("", 32, default="A"),
    "answers": array("", text("", 1024), 16),
    "command": array("", text("", 1024), 32, 1),
    "quorum": {"default": "majority", "oneOf": [{"const": "majority"}, integer("", 1, 64)]},
    "parts": array("", NAME, 16, 1, uniqueItems=True),
    "need": {"default": "all", "oneOf": [{"enum": ["all", "any"]}, integer("", 1, 16)]},
}
PATTERNS = {"path": "^/[^ ]*$", "ca_file": "^/", "host": r"^[^ /@?#\\]*$", "sni": r"^[^ /@?#\\]*$"}  # the further rules of texts
ALWAYS = {"command": ["exec"], "of": ["calculated"], "query_name": ["dns"], "send": ["udp"]}
EXAMPLES = [
    {"name": "web", "kind": "https", "port": 443, "method": "GET", "path": "/", "host": "www.example.com",
     "headers": {"X-Probe": "veer"}, "expect_status": ["200-299", 301], "tls_verify": True, "interval_ms": 5000,
     "timeout_ms": 2000, "fall": 2, "rise": 2, "hold_s": 10, "quorum": 2, "warning": False},
    {"name": "alive", "kind": "push", "ttl_s": 60, "on_expiry": "unknown"},
    {"name": "any", "kind": "calculated", "of": ["web", "alive"], "need": "any"},
]


def field_schema(field, kinds):
    kind, help_text = field["type"], field["help"]
    if kind == "kind":
        return words(help_text, *kinds)
    if kind == "number":
        return integer(help_text, field["min"], field["max"], default=field["fallback"])
    if kind == "flag":
        return flag(help_text, default=bool(field["fallback"]))
    if kind == "word":
        return words(help_text, *field["words"], default=field["words"][field["fallback"]])
    if kind == "text":
        more = {} if field["text_fallback"] is None else {"default": field["text_fallback"]}
        more |= {"pattern": PATTERNS[field["key"]]} if field["key"] in PATTERNS else {}
        return text(help_text, field["max"], **more)
    if kind == "bytes":
        return {"description": help_text, "oneOf": [
            text("literally", field["max"]),
            strict("any octets", {"base64": text("RFC 4648 4", (field["max"] + 2) // 3 * 4)}, ("base64",))]}
    return {key: value for key, value in SHAPES[kind].items() if key != "description"} | {"description": help_text}


def rule(condition, keys, needed):
    then = {"propertyNames": {"enum": keys + ["revision"]}} | ({"required": needed} if needed else {})
    return {"if": {"properties": condition, "required": list(condition)}, "then": then}


def rules(tables):
    """For each kind, the fields that it may have and those that it must have; some only with `tls`."""
    found = []
    for row in tables["kinds"]:
        kind = row["kind"]
        fields = [field for field in tables["fields"] if kind in field["kinds"]]
        needed = [key for key, kinds in ALWAYS.items() if kind in kinds] + ["port"] * (row["default_port"] == -1)
        condition = {"kind": {"const": kind}}
        always = [field["key"] for field in fields if not field["needs_tls"] or kind in ("https", "tls")]
        if len(always) == len(fields):
            found.append(rule(condition, always, needed))
            continue
        found.append(rule(condition | {"tls": {"const": True}}, [field["key"] for field in fields], needed))
        found.append({"if": {"properties": condition, "required": ["kind"],
                             "not": {"properties": {"tls": {"const": True}}, "required": ["tls"]}},
                      "then": {"propertyNames": {"enum": always + ["revision"]}, "required": needed}})
    return found


def check_schema(printed):
    tables = json.loads(printed)
    kinds = [row["kind"] for row in tables["kinds"]]
    properties = {field["key"]: field_schema(field, kinds) for field in tables["fields"]}
    return strict("how to test an endpoint", properties | {"revision": REVISION}, ("kind",), allOf=rules(tables),
                  examples=EXAMPLES)
