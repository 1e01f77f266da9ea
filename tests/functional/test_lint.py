# SPDX-License-Identifier: Apache-2.0
"""make lint finds each kind of fault that it looks for, in a tree of a few files with one fault planted."""
import os
import shutil
import subprocess

import pytest

from veer_util import ROOT

HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n"
KEPT = ["tests/lint.py", "tests/lint_names.py", ".clang-format", "base/err.h", "base/arena.h", "zones/dns/name.h", "zones/dns/rdata_impl.h", "zones/dns/rdata.h"]
HAS_FORMAT = "version 14." in (subprocess.run(["clang-format", "--version"], capture_output=True, text=True, check=False).stdout
                               if shutil.which("clang-format") else "")


@pytest.fixture
def tree(tmp_path):
    for path in KEPT:
        os.makedirs(tmp_path / os.path.dirname(path), exist_ok=True)
        shutil.copy(os.path.join(ROOT, path), tmp_path / path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    def lint(path=None, text=""):
        if path is not None:
            os.makedirs(tmp_path / os.path.dirname(path), exist_ok=True)
            (tmp_path / path).write_text(text, encoding="utf-8")
        done = subprocess.run(["/usr/bin/python3", "tests/lint.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout
    return lint


def test_a_clean_tree_passes(tree):
    code, said = tree()
    assert code == 0, said


@pytest.mark.parametrize("path, text, word", [
    ("base/x.c", HEAD + '#include "zones/dns/name.h"\n', "base/x.c:2: base/ may not include zones/dns/"),
    ("zones/dns/x.c", HEAD + '#include "zones/model/model.h"\n', "zones/dns/ may not include zones/model/"),
    ("dnsd/packet/x.c", HEAD + '#include "dnsd/serve/tcp.h"\n', "dnsd/packet/ may not include dnsd/serve/"),
    ("dnsd/serve/x.c", HEAD + '#include "probes/verdict/verdict.h"\n', "dnsd/serve/ may not include probes/verdict/"),
    ("zones/dns/x.c", HEAD + '#include "name.h"\n', "by its full name"),
    ("zones/dns/name_x.c", HEAD + '#include "zones/dns/rdata_impl.h"\n', "private to its noun"),
    ("tests/unit/test_name.c", HEAD + '#include "zones/dns/rdata_impl.h"\n', "private to its noun"),
    ("base/x.c", HEAD + "#include <curl/curl.h>\n", "belongs behind base/http"),
    ("base/x.c", HEAD + "/* " + "x" * 115 + " */\n", "121 columns"),
    ("base/x.c", HEAD + "static int f(void)\n{\n\treturn atoi(\"1\");\n}\n", "atoi() is banned"),
    ("base/x.c", "int x;\n", "SPDX"),
    ("zones/x.c", HEAD, "is not a room"),
    ("docs/x.md", "x" * 121 + "\n", "docs/x.md:1: 121 columns"),
    ("api/rest/x.c", HEAD + "static int f(void)\n{\n\treturn store_commit(0, 0);\n}\n", "store_commit() is for api/control/change.c"),
    ("api/control/objects.c", HEAD + "static int f(void)\n{\n\treturn store_commit(0, 0);\n}\n", "wish it from change()"),
    ("api/control/x.h", HEAD + "struct api_request;\n", "x.h:2: a request or a reply of HTTP is for"),
    ("base/x.c", HEAD + "int f(int first, void (*fn)(int));\n\nint f(int first, void (*other)(int))\n{\n\treturn first;\n}\n",
     "base/x.c:2: f(first, fn) is f(first, other) in base/x.c"),
    ("api/x.c", HEAD + "void f(struct api_reply *reply);\n", "a request or a reply of HTTP is for"),
    ("base/x.c", HEAD + "int f(void);\n\nint f(void)\n{\n\treturn 1;\n}\n", "base/x.c:4: f() has no caller outside tests"),
])
def test_a_fault_is_named_with_its_place(tree, path, text, word):
    code, said = tree(path, text)
    assert code == 1 and word in said and path in said, said


@pytest.mark.parametrize("path, text", [
    ("zones/dns/rdata_x.c", HEAD + '#include "zones/dns/rdata_impl.h"\n'),
    ("tests/unit/test_rdata.c", HEAD + '#include "zones/dns/rdata_impl.h"\n'),
    ("zones/plan/x.c", HEAD + '#include "zones/dns/name.h"\n'),
    ("api/control/change.c", HEAD + "static int f(void)\n{\n\treturn store_commit(0, 0);\n}\n"),
    ("zones/store/x.c", HEAD + "static int f(void)\n{\n\treturn store_commit(0, 0);\n}\n"),
    ("api/rest/x.c", HEAD + "void f(struct api_request *request, struct api_reply *reply);\n"),
    ("base/x.c", HEAD + "int f(int a[2], char *b);\n\nint f(int a[2], char *b)\n{\n\treturn a[0] + *b;\n}\n\n"
     "int main(void)\n{\n\treturn f(0, 0);\n}\n"),
    ("api/control/x.c", HEAD + "/* struct api_request and store_commit() are only spoken of here */\n"),
    ("base/x.c", HEAD + "/* " + "x" * 114 + " */\n"),
    ("base/x.c", HEAD + "int f(void)\n{\n\treturn 1;\n}\n\nint main(void)\n{\n\treturn f();\n}\n"),
    ("base/x.c", HEAD + "int f(void)\n{\n\treturn 1;\n}\n\nstatic int (*const all[])(void) = {f};\n"),
    ("base/x.c", HEAD + "#define NAME(X) put_##X\n\nint put_f(void)\n{\n\treturn 1;\n}\n"),
    ("docs/x.md", "| " + "x" * 121 + " |\n\n```\n" + "x" * 121 + "\n```\n"),
])
def test_what_is_right_passes(tree, path, text):
    code, said = tree(path, text)
    assert code == 0, said


def test_only_callers_outside_tests_count(tree):
    function = "int f(int x);\n\nint f(int x)\n{\n\treturn x; /* f */\n}\n"
    assert tree("base/x.h", HEAD + "/* f() is for all. */\nint f(int x);\n")[0] == 0
    assert tree("tests/unit/test_x.c", HEAD + "int main(void)\n{\n\treturn f(1);\n}\n")[0] == 0
    code, said = tree("base/x.c", HEAD + function)
    assert code == 1 and "base/x.c:4: f() has no caller outside tests" in said, said
    code, said = tree("dnsd/main.c", HEAD + "int main(void)\n{\n\treturn f(1);\n}\n")
    assert code == 0, said


def test_what_a_header_defines_is_a_caller(tree):
    assert tree("base/x.c", HEAD + "int f(void)\n{\n\treturn 1;\n}\n")[0] == 1
    code, said = tree("base/x.h", HEAD + "int f(void);\n\nstatic inline int g(void)\n{\n\treturn f();\n}\n")
    assert code == 0, said


@pytest.mark.skipif(not HAS_FORMAT, reason="clang-format 14 is not here")
def test_the_format_is_clang_formats(tree):
    code, said = tree("base/x.c", HEAD + "static int f(void)\n{\n    return 1;\n}\n")
    assert code == 1 and "base/x.c:3: not as clang-format has it" in said, said
