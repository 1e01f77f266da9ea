# SPDX-License-Identifier: Apache-2.0
"""Tables that must be whole: without one of its rows, or a row without one of its columns, a file does not compile."""
import re
import subprocess

import pytest

from veer_util import BUILD, ROOT, source

FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-I" + ROOT, "-fsyntax-only", "-x", "c", "-"]


def compiles(text):
    done = subprocess.run(["gcc", *FLAGS], input=text, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def rows_of(text, macro):
    """Where the table's rows begin and end: each is a call of the macro, in brackets that match."""
    found = []
    for m in re.finditer(rf"(?<=[\t ]){macro}\((?!KIND|KEY)", text):
        depth, end = 0, m.end() - 1
        while True:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
            if depth == 0:
                break
        found.append((m.start(), end + 1))  # with its comma
    return found


@pytest.mark.parametrize("path, macro, least, says", [
    ("zones/model/kind.c", "ROW", 17, "each kind has one row"),
    ("zones/plan/plan_build.c", "ROW", 7, "each kind that is fed has a row"),
    ("zones/model/check_kind.c", "ROW", 11, "each kind of check has one row"),
    ("api/control/object_kind.c", "ROW", 4, "each kind has one row"),
    ("api/control/object_kind.c", "ELSEWHERE", 13, "each kind has one row"),
])
def test_without_one_of_its_rows_a_table_does_not_compile(path, macro, least, says):
    text = source(path)
    assert compiles(text) == (True, "")
    rows = rows_of(text, macro)
    assert len(rows) >= least
    for begin, end in rows:
        ok, said = compiles(text[:begin] + text[end:])
        assert not ok and says in said, text[begin:end]


def without_argument(call, at):
    """A call without its argument number `at`; commas in strings and in inner brackets separate nothing."""
    commas, depth, is_string = [], 0, False
    for i, char in enumerate(call):
        if char == '"':
            is_string = not is_string
        elif not is_string:
            depth += {"(": 1, ")": -1}.get(char, 0)
            if char == "," and depth == 1:
                commas.append(i)
    begin = commas[at - 1] if at > 0 else call.index("(") + 1
    end = commas[at] + (at == 0) if at < len(commas) else call.rindex(")")
    return call[:begin] + call[end:], len(commas) + 1


@pytest.mark.parametrize("path, macro, columns", [
    ("zones/model/kind.c", "ROW", 9), ("zones/model/check_field.c", "FIELD", 8), ("zones/model/check_kind.c", "ROW", 4),
    ("api/control/object_kind.c", "ROW", 8)])
def test_a_row_without_one_of_its_columns_does_not_compile(path, macro, columns):
    text = source(path)
    assert compiles(text) == (True, "")
    for number, (begin, end) in enumerate(rows_of(text, macro)):
        at = number % columns
        row, count = without_argument(text[begin:end - 1], at)
        assert count == columns, text[begin:end]
        ok, said = compiles(text[:begin] + row + text[end - 1:])
        assert not ok and f"requires {columns} arguments" in said, row


@pytest.mark.parametrize("path", ["zones/model/kind.c", "api/control/object_kind.c"])
def test_a_kind_without_a_row_does_not_compile(path):
    """The other way round: a number that is given out, and no row for it."""
    header = source("zones/model/kind.h").replace("\tMODEL_KIND_COUNT\n", "\tMODEL_KIND_NEW,\n\tMODEL_KIND_COUNT\n")
    ok, said = compiles(header + source(path))
    assert not ok and "each kind has one row" in said


OBJECT_ROUTES = [("GET", "objects_list"), ("POST", "object_create"), ("GET", "object_get"), ("PUT", "object_put"),
                 ("DELETE", "object_delete")]


def test_kinds_in_the_table_of_objects_have_all_five_routes_and_no_others_have_them():
    written = re.findall(r"\tROW\((\w+),", source("api/control/object_kind.c"))
    rows = re.findall(r'\{"(\w+)",\s*"/[^"]*",[^{}"]*\bhandle_(objects?_\w+),\s*MODEL_KIND_(\w+),', source("api/rest/routes.c"))
    assert len(written) >= 4
    assert sorted(rows) == sorted((method, handler, kind) for kind in written for method, handler in OBJECT_ROUTES)


def test_a_kind_of_check_without_a_row_does_not_compile():
    header = source("zones/model/model.h").replace("\tMODEL_CHECK_KIND_COUNT\n", "\tMODEL_CHECK_NEW,\n\tMODEL_CHECK_KIND_COUNT\n")
    ok, said = compiles(header + source("zones/model/check_kind.c"))
    assert not ok and "each kind of check has one row" in said


def test_each_kind_that_is_probed_can_be_probed_by_hand():
    """The URLs in the help of `veer-probe check` and in docs/configuration.md are those of the kinds, with their ports."""
    rows = re.findall(r'\tROW\(\w+, +"(\w+)", +(\w+), +(\w+)\)', source("zones/model/check_kind.c"))
    assert len(rows) >= 11
    ports = {text: port for text, port, probed in rows if probed == "AGENTS" and text != "exec"}  # a URL says no command
    shown = subprocess.run([f"{BUILD}/veer-probe", "check", "--help"], capture_output=True, text=True, check=True).stdout
    urls = dict(re.findall(r"(\w+)://(\S+)", shown.split("URLs: ")[1].split("\n\n")[0]))
    assert set(urls) == set(ports) | {"grpcs"}
    text = source("docs/configuration.md").split("\nURLs: ")[1].split("\n\n")[0]
    documented = {kind: rest for kinds, rest in re.findall(r"`([\w()]+)://([^`]+)`", text)
                  for kind in (("http", "https") if kinds == "http(s)" else (kinds,))}
    assert set(documented) == set(ports) and "`grpcs://`" in text
    for kind, port in ports.items():
        assert port != "MODEL_PORT_REQUIRED" or ":PORT" in urls[kind], f"the help of {kind}"
        assert port != "MODEL_PORT_NONE" or ":PORT" not in urls[kind], f"the help of {kind}"
        expected = {"MODEL_PORT_REQUIRED": r"\w+:PORT", "MODEL_PORT_NONE": r"\w+"}.get(port, r"\w+\[:PORT\]")
        assert re.fullmatch(expected, documented[kind].split("/")[0]), f"docs/configuration.md, {kind}"
