#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write api/openapi.json and api/openapi.html: make.py CHECK_FIELDS [DIR].

The routes come from api/rest/routes.c, the schema of checks from the tables that CHECK_FIELDS (tests/tools/check_fields.c)
prints, the other schemas and the texts from objects.py and operations.py beside this file.
"""
import html
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/functional")]

from checks import check_schema  # noqa: E402
from errors import ERRORS, OTHER, content  # noqa: E402
from objects import SCHEMAS, ref  # noqa: E402
from operations import GONE, OPERATIONS, STALE, WRONG, PARAMETERS, QUERY_SCHEMAS  # noqa: E402
from route_rows import body_limit, query_of, read_rows  # noqa: E402

ABOUT = """The native API of Veer. Requests and replies are JSON (UTF-8) unless stated otherwise. Over the Unix socket, as
the server's own user or root, no credential is needed, and everything is permitted. HEAD is possible wherever GET is. A
reply with a single object has an ETag, which If-Match takes; If-None-Match: * means that the object must not exist. Unknown
query parameters and unknown members of a body are refused. Later versions may add members to replies.

Every request may also be refused with 429 `share` (the sender has used up its share) and 503 `busy` (the places for all are
taken), both with Retry-After; 409 `conflict` (somebody else changed it meanwhile); 507 `disk-full`; 501 `coding`; and 500
`internal`: the reply `default` of each operation. A path that does not exist gets 404 `not-found`, and another method than
those of the path 405 `method` with Allow. docs/formats.md, section 8, describes the errors."""
SCHEMES = {"TOKEN": "token", "AGENT": "agent", "NAMESERVER": "nameserver"}
ROLES = {"token": "An API token with scopes (`veer token create`): ID.SECRET.",
         "agent": "The credential of an enrolled probe agent: ID.SECRET.",
         "nameserver": "The credential of an enrolled name server: ID.SECRET."}
COMMON = {
    400: "an unknown query parameter, a malformed one, or a body that is not JSON",
    401: "the credential is missing or not good",
    403: "the credential is not for this, lacks the scope, or may not touch this object",
    413: "the body is longer than x-max-body-bytes",
}


SHARED = {400: "Malformed", 401: "Unauthorized", 403: "Forbidden", 404: "Missing", 412: "Stale", 413: "TooLarge", 422: "Invalid"}
SHARED_TEXTS = COMMON | {404: GONE, 412: STALE, 422: WRONG}


HEADERS = {"ETag": "the revision, for If-Match and If-None-Match", "Location": "the path of the object"}
TAGGED = ("Agent", "Nameserver", "Site", "Check", "Pool", "Policy", "Override", "Settings", "Maintenance", "Zone", "RRset", "Imported")
PLACED = {"POST": ("Site", "Check", "Pool", "Policy", "Zone", "RRset"), "PUT": ("Site", "Check", "Pool", "Policy")}


def headers_of(row, status, what):
    """The headers that a reply has beside those of its body."""
    name = what["$ref"].rsplit("/", 1)[1] if isinstance(what, dict) and "$ref" in what else None
    found = []
    if status in (200, 201) and name in TAGGED or row.path.startswith("/openapi") and status in (200, 304):
        found.append("ETag")
    if status in (200, 201) and name in PLACED.get(row.method, ()):
        found.append("Location")
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in found}} if found else {}


def operation_id(method, path):
    words = re.sub(r"[{}]", "", path.removeprefix("/v1")).replace(".", "/").split("/")
    return method.lower() + "".join(word.capitalize() for word in words if word)


def security(row):
    """Who may call it; a token needs one of the scopes."""
    found = [{}] if "ANONYMOUS" in row.roles else []
    for role, scheme in SCHEMES.items():
        if role in row.roles:
            scopes = sorted(row.scopes) if role == "TOKEN" else []
            found += [{scheme: [scope]} for scope in scopes] or [{scheme: []}]
    return found


def reply_json(status, what):
    if what and SHARED_TEXTS.get(status) == what:
        return {"$ref": f"#/components/responses/{SHARED[status]}"}
    if status >= 400 and status != 503:
        return {"description": what, "content": content(status)}
    if status == 503:  # of /healthz
        return {"description": what, "content": {"application/json": {"schema": ref("Health")}}}
    reply = {"description": {200: "done", 201: "created", 202: "accepted", 204: "done", 304: "as it was"}[status]}
    if isinstance(what, str):
        schema = {"application/json": {"type": "object"}, "application/x-ndjson": ref("StreamLine")}.get(what, {"type": "string"})
        return reply | {"content": {what: {"schema": schema}}}
    return reply | ({"content": {"application/json": {"schema": what}}} if what else {})


def parameters(row):
    found = [{"name": name, "in": "path", "required": True, "description": PARAMETERS[name], "schema": {"type": "string"}}
             for name in re.findall(r"\{(\w+)\}", row.path)]
    found += [{"name": name, "in": "query", "description": PARAMETERS[name] if name != "endpoint" else "POOL/NAME",
               "schema": QUERY_SCHEMAS.get(name, {"type": "string"})} for name in query_of(row)]
    return found


def operation_json(row):
    operation = OPERATIONS[row.method, row.path]
    limit = body_limit(row)
    found = {"operationId": operation_id(row.method, row.path), "summary": operation.summary, "security": security(row),
             "x-max-body-bytes": limit, "parameters": parameters(row)}
    if 412 in operation.replies:
        found["parameters"] += [{"$ref": "#/components/parameters/IfMatch"}, {"$ref": "#/components/parameters/IfNoneMatch"}]
    if isinstance(operation.request, str):
        found["requestBody"] = {"required": True, "content": {operation.request: {"schema": {"type": "string"}}}}
    elif operation.request:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.request}}}
    common = {status: text for status, text in COMMON.items() if status != 403 or "ANONYMOUS" not in row.roles}
    replies = common | operation.replies
    found["responses"] = {str(status): reply_json(status, replies[status]) | headers_of(row, status, replies[status])
                          for status in sorted(replies)}
    found["responses"]["default"] = {"$ref": "#/components/responses/Other"}
    return found


def describe(printed_fields):
    rows, paths = read_rows(), {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = operation_json(row)
    left = set(OPERATIONS) - {(row.method, row.path) for row in rows}
    assert not left, f"operations.py describes what is no route: {sorted(left)}"
    schemas = SCHEMAS | {"Check": check_schema(printed_fields)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Veer", "version": "1", "description": ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "parameters": {
                "IfMatch": {"name": "If-Match", "in": "header", "schema": {"type": "string"},
                            "description": 'the ETag that the object must have, such as "r812"; or *: it must exist'},
                "IfNoneMatch": {"name": "If-None-Match", "in": "header", "schema": {"type": "string"},
                                "description": "*: the object must not exist"}},
            "responses": {SHARED[status]: {"description": text, "content": content(status)} for status, text in SHARED_TEXTS.items()} | {
                "Other": {"description": "409 conflict, 429, 500, 501, 503 or 507: see the description of the API",
                          "content": content(*OTHER)}},
            "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()},
            "securitySchemes": {name: {"type": "http", "scheme": "bearer", "description": text} for name, text in ROLES.items()},
        },
    }


def link(schema):
    """A schema in a few words, with a link where it has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f'<a href="#{name}">{name}</a>'
    if "allOf" in schema and "$ref" in schema["allOf"][0]:
        return link(schema["allOf"][0]) + " with " + ", ".join(schema["allOf"][1]["required"])
    if schema.get("type") == "array":
        return "array of " + link(schema["items"])
    if "items" in schema.get("properties", {}) and "next" in schema["properties"]:
        return "page of " + link(schema["properties"]["items"]["items"])
    if "enum" in schema:
        return " ".join(html.escape(json.dumps(word)) for word in schema["enum"])
    return html.escape(" or ".join(schema["type"]) if isinstance(schema.get("type"), list) else schema.get("type", "any"))


def limits(schema):
    names = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "default")
    return html.escape(", ".join(f"{name} {json.dumps(schema[name])}" for name in names if name in schema))


def operation_html(method, path, operation):
    who = ", ".join(" ".join([scheme, *scopes]) for one in operation["security"] for scheme, scopes in one.items())
    who = "everybody" if {} in operation["security"] else who
    rows = [f"<tr><td>who<td>{html.escape(who)}"]
    query = [p["name"] for p in operation["parameters"] if p.get("in") == "query"]
    if query:
        rows.append(f"<tr><td>query<td>{html.escape(' '.join(query))}")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        rows.append(f"<tr><td>body<td>{kind}, at most {operation['x-max-body-bytes']:,} bytes: {link(content['schema'])}")
    for status, reply in operation["responses"].items():
        content = reply.get("content", {})
        text = SHARED_TEXTS[int(status)] if "$ref" in reply and status != "default" else reply.get("description", "")
        shown = "; ".join(f"{kind}: {link(one['schema'])}" for kind, one in content.items() if "problem" not in kind)
        if status != "default":
            rows.append(f"<tr><td>{status}<td>{html.escape(text)} {shown}")
    return (f'<details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code> {html.escape(operation["summary"])}'
            f"</summary><table>{''.join(rows)}</table></details>\n")


def schema_html(name, schema):
    rows = [f"<tr><td><code>{html.escape(key)}</code>{' *' if key in schema.get('required', []) else ''}<td>{link(one)}"
            f"<td>{limits(one)}<td>{html.escape(one.get('description', ''))}"
            for key, one in schema.get("properties", {}).items()]
    examples = "".join(f"<pre>{html.escape(json.dumps(example))}</pre>" for example in schema.get("examples", []))
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    return f'<h3 id="{name}">{name}</h3><p>{html.escape(schema.get("description", ""))}</p>{table}{examples}\n'


def page_of(described):
    operations = "".join(operation_html(method, path, one) for path, methods in described["paths"].items()
                         for method, one in methods.items())
    schemas = "".join(schema_html(name, one) for name, one in described["components"]["schemas"].items())
    errors = "".join(f"<tr><td>{', '.join(map(str, statuses))}<td><code>{slug}</code><td>{html.escape(when)}"
                     for slug, (statuses, when) in ERRORS.items())
    about = "".join(f"<p>{html.escape(part)}</p>" for part in ABOUT.split("\n\n"))
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>Veer: API</title>
<style>body{{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color-scheme:light dark}}
td{{padding:.1em .8em .1em 0;vertical-align:top}}pre{{white-space:pre-wrap;overflow-wrap:anywhere}}summary{{cursor:pointer}}</style>
<h1>Veer: API</h1>
{about}
<p>For programs: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1). Members marked * are required.</p>
<h2>Routes</h2>
{operations}<h2>Errors</h2>
<table>{errors}</table>
<h2>Objects</h2>
{schemas}"""


def main():
    out = sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "api")
    printed = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout
    described = describe(printed)
    with open(os.path.join(out, "openapi.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    with open(os.path.join(out, "openapi.html"), "w", encoding="utf-8") as f:
        f.write(page_of(described))


if __name__ == "__main__":
    main()
