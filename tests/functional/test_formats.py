# SPDX-License-Identifier: Apache-2.0
"""docs/formats.md has a section for each kind of object, the numbers of kinds, and all keys of policies, as the sources."""
import re

import pytest

from veer_util import source

KIND_ROW = re.compile(r'\tROW\((\w+),\s*"(\w+)",\s*\w+,\s*(YES|NO),')
# The functions of base/json.h and of model_policy.c that read a member: what is quoted first is its key.
READ = re.compile(r'\b(?:veer_json_\w+|model_read_\w+|read_codes)\([^;"]*?"(\w+)"')
NODE = re.compile(r'\[MODEL_NODE_\w+\] = \{"(\w+)", read_')  # a row of the table of nodes
DOCS = source("docs/formats.md")


def section(docs, heading):
    """From this heading to the next."""
    return re.split(r"\n###? ", docs.split(f"\n### {heading} ")[1])[0]


def headings_missing(docs, kinds):
    """Kinds without a section, and sections of objects without a kind."""
    named = re.findall(r"^### ([\w, ]+) — key: ", docs, re.M)
    found = [name for heading in named for name in heading.split(", ")]
    return sorted(set(kinds) ^ set(found)) + sorted(name for name in set(found) if found.count(name) > 1)


def numbers_wrong(docs, kinds):
    """Numbers and names in section 7 that are not those of the fed kinds."""
    header = source("zones/model/kind.h")
    numbers = {name: number for name, number in re.findall(r"\tMODEL_KIND_(\w+) = (\d+),", header)}
    fed = [(int(numbers[name]), text) for name, text, is_fed in kinds if is_fed == "YES"]
    assert len(fed) == int(re.search(r"MODEL_KINDS_FED = (\d+)", header).group(1))
    line = docs.split("\n## 7. ")[1].split("\nKinds: ")[1].split(".")[0]
    return sorted(set(fed) ^ {(int(number), text) for number, text in re.findall(r"(\d+) (\w+)", line)})


def policy_keys_missing(docs, reader):
    """Keys that the reader of policies knows and the section does not show in JSON, or in words; and the reverse."""
    text = section(docs, "policy")
    quoted = set(re.findall(r'"(\w+)":', text))
    keys = set(READ.findall(reader)) | set(NODE.findall(reader))
    nodes = set(re.findall(r'^\| `\{"(\w+)":', text, re.M))
    unknown = quoted - keys - {"pool"}  # "pool" is read by itself, in read_all_down()
    return sorted((keys - quoted - set(re.findall(r"`(\w+)`", text))) | unknown | (nodes ^ set(NODE.findall(reader))))


KINDS = KIND_ROW.findall(source("zones/model/kind.c"))
READER = source("zones/model/model_policy.c")


def test_each_kind_of_object_has_a_section_and_each_section_a_kind():
    assert len(KINDS) >= 17
    assert headings_missing(DOCS, [text for _, text, _ in KINDS]) == []


def test_the_plan_on_disk_has_the_numbers_of_the_kinds_that_are_fed():
    assert numbers_wrong(DOCS, KINDS) == []


def test_the_section_on_policies_has_the_keys_that_are_read():
    nodes = NODE.findall(READER)
    enum = re.search(r"enum model_node_kind \{(.*?)\};", source("zones/model/model.h"), re.S).group(1)
    assert len(READ.findall(READER)) > 12 and len(nodes) == enum.count("MODEL_NODE_") - 1  # and a pool is a name only
    assert policy_keys_missing(DOCS, READER) == []


def test_the_section_on_policies_has_the_words_of_when_all_down():
    words = re.findall(r'\[MODEL_ALL_DOWN_\w+\] = "(\w+)"', READER)
    text = section(DOCS, "policy").split("`when_all_down`: ")[1].split(". ")[0]
    assert len(words) >= 3 and re.findall(r"`(\w+)`", text) == words


@pytest.mark.parametrize("text", [text for _, text, _ in KINDS])
def test_a_section_that_is_missing_is_noticed(text):
    damaged = re.sub(rf"^(### .*?)\b{text}\b(.* — key: )", r"\1other\2", DOCS, count=1, flags=re.M)
    assert text in headings_missing(damaged, [kind for _, kind, _ in KINDS])


@pytest.mark.parametrize("text", [text for _, text, is_fed in KINDS if is_fed == "YES"])
def test_a_number_that_is_missing_or_another_is_noticed(text):
    for damaged in (re.sub(rf"\b\d+ {text}\b,?", "", DOCS), re.sub(rf"\b\d+ {text}\b", f"99 {text}", DOCS)):
        assert text in [kind for _, kind in numbers_wrong(damaged, KINDS)]


@pytest.mark.parametrize("key", sorted(set(READ.findall(READER))))
def test_a_key_of_policies_that_is_missing_is_noticed(key):
    begin = DOCS.index("\n### policy ")
    end = DOCS.index("\n### ", begin + 1)
    damaged = DOCS[:begin] + re.sub(rf'"{key}":|`{key}`', "", DOCS[begin:end]) + DOCS[end:]
    assert key in policy_keys_missing(damaged, READER)


def test_a_kind_of_node_that_is_new_is_noticed():
    assert policy_keys_missing(DOCS, READER.replace('{"spread", read_spread}', '{"asn", read_asn}')) == ["asn", "spread"]
