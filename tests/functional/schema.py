# SPDX-License-Identifier: Apache-2.0
"""JSON Schema 2020-12, as much of it as api/openapi.json uses. A keyword that is not known here is an error."""
import json
import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
NOTES = {"description", "default", "examples", "readOnly", "format"}


def is_type(value, name):
    if name in ("integer", "number"):
        return not isinstance(value, bool) and isinstance(value, (int, float)) and (name == "number" or value == int(value))
    return isinstance(value, TYPES[name])


def is_same(a, b):
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


class Schemas:
    """The schemas of one document."""

    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        """What a reference refers to; any other node is itself."""
        while "$ref" in node:
            node = self.find(node["$ref"])
        return node

    def find(self, pointer):
        node = self.document
        for part in pointer.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def faults(self, schema, value, at=""):
        """A sentence for each rule that the value breaks."""
        for keyword, rule in schema.items():
            if keyword in NOTES or keyword == "then":  # `then` is a part of `if`
                continue
            check = getattr(self, "on_" + keyword.removeprefix("$"), None)
            assert check is not None, f"{keyword}: teach tests/functional/schema.py this keyword"
            yield from check(rule, value, at, schema)

    def is_valid(self, schema, value):
        return next(self.faults(schema, value), None) is None

    def on_ref(self, rule, value, at, _):
        yield from self.faults(self.find(rule), value, at)

    def on_type(self, rule, value, at, _):
        names = rule if isinstance(rule, list) else [rule]
        if not any(is_type(value, name) for name in names):
            yield f"{at}: {value!r:.80} is not of type {names}"

    def on_properties(self, rule, value, at, _):
        for key in rule.keys() & value.keys() if isinstance(value, dict) else ():
            yield from self.faults(rule[key], value[key], f"{at}/{key}")

    def on_required(self, rule, value, at, _):
        for key in set(rule) - value.keys() if isinstance(value, dict) else ():
            yield f"{at}/{key}: is required"

    def on_additionalProperties(self, rule, value, at, schema):
        for key in value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ():
            if rule is False:
                yield f"{at}/{key}: there is no such member"
            else:
                yield from self.faults(rule, value[key], f"{at}/{key}")

    def on_propertyNames(self, rule, value, at, _):
        for key in value if isinstance(value, dict) else ():
            yield from self.faults(rule, key, f"{at}/{key}")

    def on_maxProperties(self, rule, value, at, _):
        if isinstance(value, dict) and len(value) > rule:
            yield f"{at}: more than {rule} members"

    def on_dependentRequired(self, rule, value, at, _):
        for key, needed in rule.items():
            if isinstance(value, dict) and key in value:
                yield from self.on_required(needed, value, at, _)

    def on_dependentSchemas(self, rule, value, at, _):
        for key, one in rule.items():
            if isinstance(value, dict) and key in value:
                yield from self.faults(one, value, at)

    def on_items(self, rule, value, at, _):
        for i, item in enumerate(value if isinstance(value, list) else ()):
            yield from self.faults(rule, item, f"{at}/{i}")

    def on_minItems(self, rule, value, at, _):
        if isinstance(value, list) and len(value) < rule:
            yield f"{at}: fewer than {rule} elements"

    def on_maxItems(self, rule, value, at, _):
        if isinstance(value, list) and len(value) > rule:
            yield f"{at}: more than {rule} elements"

    def on_uniqueItems(self, rule, value, at, _):
        if rule and isinstance(value, list) and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
            yield f"{at}: an element stands twice"

    def on_minimum(self, rule, value, at, _):
        if is_type(value, "number") and value < rule:
            yield f"{at}: {value} is less than {rule}"

    def on_maximum(self, rule, value, at, _):
        if is_type(value, "number") and value > rule:
            yield f"{at}: {value} is more than {rule}"

    def on_minLength(self, rule, value, at, _):
        if isinstance(value, str) and len(value) < rule:
            yield f"{at}: shorter than {rule}"

    def on_maxLength(self, rule, value, at, _):
        if isinstance(value, str) and len(value) > rule:
            yield f"{at}: longer than {rule}"

    def on_pattern(self, rule, value, at, _):
        if isinstance(value, str) and not re.search(rule, value):
            yield f"{at}: {value!r:.80} does not match {rule}"

    def on_enum(self, rule, value, at, _):
        if not any(is_same(one, value) for one in rule):
            yield f"{at}: {value!r:.80} is none of {rule}"

    def on_const(self, rule, value, at, _):
        if not is_same(rule, value):
            yield f"{at}: {value!r:.80} is not {rule!r}"

    def on_not(self, rule, value, at, _):
        if self.is_valid(rule, value):
            yield f"{at}: is what it must not be"

    def on_allOf(self, rule, value, at, _):
        for one in rule:
            yield from self.faults(one, value, at)

    def on_anyOf(self, rule, value, at, _):
        if not any(self.is_valid(one, value) for one in rule):
            yield f"{at}: {value!r:.80} is none of {len(rule)} forms"

    def on_oneOf(self, rule, value, at, _):
        if sum(self.is_valid(one, value) for one in rule) != 1:
            yield f"{at}: {value!r:.80} is not exactly one of {len(rule)} forms"

    def on_if(self, rule, value, at, schema):
        if self.is_valid(rule, value):
            yield from self.faults(schema.get("then", {}), value, at)
