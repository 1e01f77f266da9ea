# SPDX-License-Identifier: Apache-2.0
"""The description of the API, api/openapi.json, against its routes, api/rest/routes.c, in both directions: path, method,
query parameters, who may call with which scope, and the largest body."""
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, "tests/functional"))

from route_rows import body_limit, query_of, read_rows  # noqa: E402

FILE = "api/openapi.json"
SCHEMES = {"token": "TOKEN", "agent": "AGENT", "nameserver": "NAMESERVER"}


def callers(operation):
    """(roles, scopes) as a row of routes.c has them."""
    roles, scopes = set(), set()
    for one in operation["security"]:
        roles |= {SCHEMES[scheme] for scheme in one} if one else {"ANONYMOUS"}
        scopes |= {scope for named in one.values() for scope in named}
    return roles, scopes


def faults_of(row, operation):
    """What the file says otherwise than the row."""
    roles, scopes = callers(operation)
    path = [p["name"] for p in operation["parameters"] if p.get("in") == "path"]
    query = [p["name"] for p in operation["parameters"] if p.get("in") == "query"]
    said = {"who": roles, "scopes": scopes, "query parameters": query, "path parameters": path,
            "largest body": operation["x-max-body-bytes"]}
    meant = {"who": set(row.roles), "scopes": set(row.scopes), "query parameters": query_of(row),
             "path parameters": re.findall(r"\{(\w+)\}", row.path), "largest body": body_limit(row)}
    for what, value in said.items():
        if value != meant[what]:
            yield f"{what} {value!r}, but in api/rest/routes.c {meant[what]!r}"


def check(report, described=None, rows=None):
    """Report each difference."""
    rows = read_rows() if rows is None else rows
    if described is None:
        with open(os.path.join(ROOT, FILE), encoding="utf-8") as f:
            described = json.load(f)
    left = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    for row in rows:
        if (row.method, row.path) not in left:
            report(FILE, 1, f"{row.method} {row.path} is a route, but not described (make openapi)")
            continue
        left.discard((row.method, row.path))
        for fault in faults_of(row, described["paths"][row.path][row.method.lower()]):
            report(FILE, 1, f"{row.method} {row.path}: {fault} (make openapi)")
    for method, path in sorted(left):
        report(FILE, 1, f"{method} {path} is described, but no route (make openapi)")
