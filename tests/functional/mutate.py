# SPDX-License-Identifier: Apache-2.0
"""Bodies at the limits of a JSON Schema and just beyond them, made from a valid one."""
import copy

UNLIKE = {"object": "x", "array": {}, "string": 7, "integer": "x", "number": "x", "boolean": "x"}


def values(schema, value):
    """Other values for a place with this schema: some keep to it, others do not."""
    kind = schema.get("type")
    if kind in UNLIKE:
        yield UNLIKE[kind]
    if kind in ("integer", "number"):
        for limit, step in (("minimum", -1), ("maximum", 1)):
            yield from (schema[limit], schema[limit] + step) if limit in schema else ()
    if "enum" in schema:
        yield from schema["enum"] + ["nonsense"]
    if kind == "boolean":
        yield from (True, False)
    if kind == "string" and "maxLength" in schema and not schema.keys() & {"pattern", "format", "enum"}:
        yield from ("a" * schema["maxLength"], "a" * (schema["maxLength"] + 1))
    if kind == "string" and "minLength" in schema:
        yield ""
    if kind == "string" and "pattern" in schema:
        yield "? ?"
    if kind == "array" and isinstance(value, list) and value:
        yield from ([], value + value[:1], value + [7])
        yield from ([value[0]] * (schema["maxItems"] + 1),) if "maxItems" in schema else ()


def places(schemas, schema, value, at=()):
    """(path, schema) of the value and of everything in it."""
    schema = schemas.resolve(schema) | {key: rule for key, rule in schema.items() if key == "readOnly"}
    if "oneOf" in schema and "properties" not in schema:
        schema = schemas.resolve(next(one for one in schema["oneOf"] if schemas.is_valid(one, value)))
    yield at, schema
    if isinstance(value, dict):
        for key, one in schema.get("properties", {}).items():
            if key in value:
                yield from places(schemas, one, value[key], at + (key,))
            else:
                yield at + (key,), schemas.resolve(one) | {k: rule for k, rule in one.items() if k == "readOnly"}
    if isinstance(value, list) and value and "items" in schema:
        yield from places(schemas, schema["items"], value[0], at + (0,))


def put(body, at, value):
    body = copy.deepcopy(body)
    node = body
    for part in at[:-1]:
        node = node[part]
    node[at[-1]] = value
    return body


def get(body, at):
    for part in at:
        if isinstance(body, dict) and part not in body:
            return None
        body = body[part]
    return body


def without(body, at):
    body = copy.deepcopy(body)
    node = get(body, at[:-1])
    del node[at[-1]]
    return body


def mutants(schemas, schema, body):
    """(path, what was done, the changed body)."""
    for at, one in places(schemas, schema, body):
        now = get(body, at)
        if one.get("readOnly"):
            continue  # a request may hold anything there: it is ignored
        if isinstance(now, dict) and one.get("additionalProperties") is False:
            yield at, "unknown member", put(body, at + ("no-such-member",), 1)
        if at and isinstance(at[-1], str) and now is not None:
            yield at, "left out", without(body, at)
        if at:
            for value in values(one, now):
                yield at, f"{value!r:.40}", put(body, at, value)
