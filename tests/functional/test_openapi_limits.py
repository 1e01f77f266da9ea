#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas of api/openapi.json against the readers of the real program: the examples are accepted, and bodies at
each limit and just beyond it are accepted or refused as the schema says."""
import json

import pytest

from mutate import mutants
from schema import Schemas
from veer_util import Api, source

DOCUMENT = json.loads(source("api/openapi.json"))
SCHEMAS = Schemas(DOCUMENT)
NAMES = DOCUMENT["components"]["schemas"]
WHERE = {
    "Site": "PUT /v1/sites/limits", "Check": "PUT /v1/checks/limits", "Pool": "PUT /v1/pools/limits", "Policy": "PUT /v1/policies/limits",
    "Settings": "PUT /v1/settings", "Maintenance": "PUT /v1/maintenance/limits", "NewOverride": "PUT /v1/overrides/web/fra",
    "NewOverrides": "POST /v1/overrides", "NewToken": "POST /v1/tokens", "NewAgent": "POST /v1/agents",
    "NewNameserver": "POST /v1/nameservers", "NewZone": "POST /v1/zones", "RRset": "PUT /v1/zones/z.example./rrsets/mail/A",
    "Push": "POST /v1/checks/alive/push",
}
NAMED = ("Site", "Check", "Pool", "Policy", "Maintenance", "RRset")  # the name is in the path
# What these schemas do not say, because it is a rule between members, about other objects or on a grammar.
BEYOND = ("must be at most interval_ms x fall", "is more than the pool has endpoints", "stands twice", "is not an IPv4 or IPv6",
          "too large when compiled", "holds no certificate", "must not be above", "there is no pool", "cannot be limited to some",
          "over 255 octets", "is no record type")


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    program = Api(tmp_path_factory.mktemp("limits")).start()
    examples = {name: NAMES[name]["examples"] for name in WHERE}
    made = [program.put("/v1/sites/fra", examples["Site"][0])]
    made += [program.put(f"/v1/checks/{check['name']}", check) for check in examples["Check"]]
    pool = examples["Pool"][0] | {"checks": ["web", "alive"]}
    pool["endpoints"] = pool["endpoints"] + [{"name": "iad", "address": "192.0.2.2", "site": "fra"}]
    made += [program.put("/v1/pools/web", pool), program.put("/v1/policies/www", examples["Policy"][0])]
    made += [program.post("/v1/zones", {"name": "z.example.", "nameservers": ["ns.example."]})]
    assert {reply.status for reply in made} == {201}, made
    yield program
    program.stop()


def cases():
    for name, where in WHERE.items():
        for example in NAMES[name]["examples"]:
            method, path = where.split()
            body = {key: value for key, value in example.items() if key not in ("name", "type") or name not in NAMED}
            yield pytest.param(name, method, path, body, id=f"{name} {example.get('kind', '')}".strip())


@pytest.mark.parametrize("name,method,path,example", cases())
def test_schemas_and_readers_have_the_same_limits(api, name, method, path, example):
    schema, said = NAMES[name], []
    count = 0
    assert api.call(method, path, example).status < 300
    if name == "NewZone":
        assert api.delete(f"/v1/zones/{example['name']}").status == 204
    for at, what, body in mutants(SCHEMAS, schema, example):
        reply = api.call(method, path, body)
        if name == "NewZone" and reply.status == 201:
            assert api.delete(reply.headers["Location"]).status == 204
        faults = list(SCHEMAS.faults(schema, body))
        detail = (reply.json or {}).get("detail", "")
        assert reply.status < 500, (at, what, reply)
        count += 1
        if bool(faults) != (reply.status >= 300) and not (not faults and any(word in detail for word in BEYOND)):
            said.append(f"{'/'.join(map(str, at))} {what}: {reply.status} {detail} {faults}")
    assert said == [], "\n".join(said)
    assert count > 5
