# SPDX-License-Identifier: Apache-2.0
"""The rows of api/rest/routes.c, read as text, and which of them break the rules of who may call what."""
import re
from collections import namedtuple

from veer_util import source

Row = namedtuple("Row", "method path group roles scopes takes_body limit query")

ROW = re.compile(r'\{"(\w+)",\s*"(/[^"]*)",\s*API_CLASS_(\w+),\s*(\w+),\s*(\w+),\s*(\w+),\s*handle_\w+,\s*\w+,\s*([^{}]*)\}')
WHERE = "in SPECIAL in tests/functional/test_access.py"


def scope_texts():
    """API_SCOPE_X -> what it is called in tokens."""
    return dict(re.findall(r'\{(API_SCOPE_\w+), "([^"]+)"\}', source("api/http/request.c")))


def capabilities():
    """The text of a kind of objects -> the scope that writes it, "" when only the control plane does."""
    return dict(re.findall(r'ROW\(\w+,\s*"(\w+)",.*"([^"]*)"\),\n', source("zones/model/kind.c")))


def read_rows(text=None):
    """All rows; fails for one that cannot be read."""
    text = source("api/rest/routes.c") if text is None else text
    before, table = text.split("static const struct api_route routes[] = {\n")
    table = table.split("\n};")[0]
    roles = {name: frozenset(re.findall(r"API_ROLE_(\w+)", value))
             for name, value in re.findall(r"^\t(\w+) = ((?:1 << API_ROLE_\w+(?: \| )?)+),$", before, re.M)}
    scopes = {name: frozenset([text]) for name, text in scope_texts().items()} | {"API_SCOPE_NONE": frozenset()}
    for name, value in re.findall(r"#define (\w+) \(\(enum api_scope\)\(([^)]*)\)\)", before):
        scopes[name] = frozenset().union(*(scopes[one] for one in re.findall(r"API_SCOPE_\w+", value)))
    found = ROW.findall(table)
    assert len(found) == table.count('\n\t{"') + table.startswith('\t{"') > 0, \
        "a row of api/rest/routes.c has a form that tests/functional/route_rows.py cannot read: add it to ROW there"
    for method, path, group, role, scope, *_ in found:
        assert method in ("GET", "PUT", "POST", "DELETE"), f"{method} {path}: teach test_access.py to try this method"
        assert role in roles, f"{method} {path}: {role} is none of the sets of roles at the head of api/rest/routes.c"
        assert scope in scopes, f"{method} {path}: {scope} is no scope in api/http/request.c, nor a set in routes.c"
    return [Row(method, path, group, roles[role], scopes[scope], limit != "0", limit, query)
            for method, path, group, role, scope, limit, query in found]


def constants():
    """The numbers that routes.c and the headers that it includes give names to."""
    found = {}
    for path in ("api/rest/routes.c", "api/rest/api.h", "probes/verdict/report.h"):
        for name, value in re.findall(r"^(?:#define |\t)(\w+_(?:MAX|OBJECT))(?: =)? (\(?[0-9a-zA-Z_<*+() ]+)", source(path), re.M):
            found[name] = re.sub(r"\b(\d+)u?\b", r"\1", value)
    return found


def body_limit(row):
    """How many bytes the body of a request may have."""
    known = constants()
    text = row.limit
    while names := re.findall(r"[A-Za-z_]\w+", text):
        for name in names:
            text = re.sub(rf"\b{name}\b", f"({known[name].strip()})", text)
    return int(eval(text))  # numbers and operators only  pylint: disable=eval-used


def query_of(row):
    """The names of the query parameters of a row."""
    pages = re.search(r'#define PAGES "([^"]*)"', source("api/rest/routes.c")).group(1)
    text = row.query.replace("PAGES", f'"{pages}"')
    return "".join(re.findall(r'"([^"]*)"', text)).split()


def kind_of(path, kinds):
    """The kind of objects that a path is about: that of its last segment that names one."""
    words = [word.replace("policies", "policy") for word in path.split("/") if "{" not in word]
    named = [kind for word in words for kind in (word, word.removesuffix("s")) if kind in kinds]
    return named[-1] if named else None


def fault_of(row, special, kinds):
    """Why the row must not be as it is; None when nothing is wrong with it."""
    if (row.method, row.path) in special:
        roles, scopes = special[row.method, row.path]
        if (row.roles, row.scopes) != (frozenset(roles), frozenset(scopes)):
            return f"it is for {sorted(row.roles)} with {sorted(row.scopes)}, but {WHERE} it is for others"
        return None
    if row.roles != {"TOKEN"} or len(row.scopes) != 1:
        return f"it is not for tokens with one scope only: if that is intended, list it {WHERE}"
    scope, = row.scopes
    writer = kinds.get(kind_of(row.path, kinds)) or "health:write"
    expected = writer.replace(":write", ":read") if row.method == "GET" else writer
    if scope != expected:
        return f"it needs {scope}, but what it is about needs {expected} (kind.c): if that is intended, list it {WHERE}"
    return None


def faults(rows, special):
    """A sentence for each row that breaks a rule, and for each special one that is no row."""
    kinds = capabilities()
    found = [f"{row.method} {row.path}: {fault}" for row in rows if (fault := fault_of(row, special, kinds))]
    gone = set(special) - {(row.method, row.path) for row in rows}
    return found + [f"{method} {path}: it is no route, but it is {WHERE}: remove it there" for method, path in sorted(gone)]
