#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Zones, RRsets, and import and export of zone files, over REST."""
import random
import threading
import time

import pytest

from veer_util import Api, SLOW, wait_until
from test_api import assert_problem

BIG = 100000 if SLOW == 1 else 20000


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    program = Api(tmp_path_factory.mktemp("zones")).start()
    assert program.put("/v1/sites/fra", {"region": "eu"}).status == 201
    for name, address in (("v4", "192.0.2.1"), ("v6", "2001:db8::1"), ("host", "target.example.")):
        assert program.put(f"/v1/pools/{name}", {"endpoints": [{"name": "e", "address": address, "site": "fra"}]}).status == 201
        assert program.put(f"/v1/policies/{name}", {"tree": name}).status == 201
    yield program
    program.stop()


@pytest.fixture
def zone(api):
    """The path of a new zone."""
    api.delete("/v1/zones/z.example.")
    made = api.post("/v1/zones", {"name": "z.example.", "nameservers": ["ns1.z.example.", "ns2.other.test"]})
    assert made.status == 201, made
    return "/v1/zones/z.example."


def serial(api, path):
    return api.get(path).json["serial"]


def records(api, path):
    """All RRsets as a dictionary, without the serial."""
    found, after = {}, None
    while True:
        page = api.get(f"{path}/rrsets?limit=1000" + (f"&after={after}" if after else "")).json
        for item in page["items"]:
            value = item.get("policy") or (item["ttl"], tuple(item["records"]))
            if item["type"] == "SOA":
                fields = item["records"][0].split()
                value = (item["ttl"], tuple(fields[:2] + fields[3:]))
            found[item["name"], item["type"]] = value
        after = page.get("next")
        if after is None:
            return found


def test_a_zone_comes_with_soa_and_ns_and_goes_whole(api, zone):
    shown = api.get(zone).json
    assert shown["name"] == "z.example." and shown["rrsets"] == 2 and shown["serial"] > 0
    assert api.get("/v1/zones/Z.Example").json == shown
    assert shown in api.get("/v1/zones").json["items"]
    soa = api.get(zone + "/rrsets/@/SOA").json
    assert soa["records"][0].split()[:2] == ["ns1.z.example.", "hostmaster.z.example."]
    assert api.get(zone + "/rrsets/z.example./ns").json["records"] == ["ns1.z.example.", "ns2.other.test."]
    assert_problem(api.post("/v1/zones", {"name": "z.example", "nameservers": ["a.b"]}), 409, "z.example.")
    assert api.delete(zone).status == 204
    assert_problem(api.get(zone), 404, "z.example.")
    assert_problem(api.get(zone + "/rrsets"), 404, "z.example.")
    again = api.post("/v1/zones", {"name": "z.example", "nameservers": ["a.b"]})
    assert again.status == 201 and again.json["rrsets"] == 2 and again.json["serial"] >= shown["serial"]


BAD_ZONES = [
    ({"nameservers": ["a.b."]}, "/name"), ({"name": "x..y", "nameservers": ["a.b."]}, "/name"),
    ({"name": "@", "nameservers": ["a.b."]}, "/name"), ({"name": "x.y", "nameservers": []}, "/nameservers"),
    ({"name": "x.y"}, "/nameservers"), ({"name": "x.y", "nameservers": ["a.b", "b..c"]}, "/nameservers/1"),
    ({"name": "x.y", "nameservers": [7]}, "/nameservers/0"), ({"name": "x.y", "nameservers": ["a.b"], "ttl": -1}, "/ttl"),
    ({"name": "x.y", "nameservers": ["a.b"], "hostmaster": "a..b"}, "/hostmaster"),
    ({"name": "x.y", "nameservers": ["a.b"], "colour": 1}, "/colour"),
    ({"name": "a" * 64 + ".y", "nameservers": ["a.b"]}, "/name"),
]


@pytest.mark.parametrize("body,pointer", BAD_ZONES)
def test_bad_zones_are_refused_by_pointer(api, body, pointer):
    reply = api.post("/v1/zones", body)
    assert_problem(reply, 422, pointer)
    assert reply.json["errors"][0]["pointer"] == pointer
    assert api.get("/v1/zones/x.y").status == 404


def test_an_rrset_is_created_read_replaced_deleted_and_each_write_raises_the_serial(api, zone):
    first = serial(api, zone)
    made = api.post(zone + "/rrsets", {"name": "www", "type": "A", "ttl": 60, "records": ["192.0.2.2", "192.0.2.1"]})
    assert made.status == 201 and made.headers["Location"].endswith("/rrsets/www.z.example./A"), made
    assert made.json["records"] == ["192.0.2.1", "192.0.2.2"] and made.json["name"] == "www.z.example."
    assert serial(api, zone) == first + 1
    assert_problem(api.post(zone + "/rrsets", {"name": "WWW", "type": "a", "ttl": 60, "records": ["192.0.2.1"]}), 409, "PUT")
    for name in ("www", "www.z.example.", "WWW.Z.example."):
        got = api.get(f"{zone}/rrsets/{name}/A")
        assert got.json == made.json and got.etag == made.etag
    same = api.put(zone + "/rrsets/www/A", made.json)
    assert same.status == 200 and same.json == made.json and serial(api, zone) == first + 1  # nothing changed
    changed = api.put(zone + "/rrsets/www/A", {"ttl": 0, "records": ["192.0.2.3"]}, headers={"If-Match": made.etag})
    assert changed.status == 200 and serial(api, zone) == first + 2
    assert_problem(api.put(zone + "/rrsets/www/A", {"ttl": 1, "records": ["192.0.2.4"]}, headers={"If-Match": made.etag}), 412, "")
    assert_problem(api.delete(zone + "/rrsets/www/A", headers={"If-Match": made.etag}), 412, "")
    assert api.delete(zone + "/rrsets/www/A").status == 204 and serial(api, zone) == first + 3
    assert_problem(api.delete(zone + "/rrsets/www/A"), 404, "www")
    assert_problem(api.get(zone + "/rrsets/www/A"), 404, "www")


GOOD = [("a", "AAAA", ["2001:db8::1"]), ("m", "MX", ["10 mail", "20 mail.other.test."]), ("t", "TXT", ['"v=1; x" "y"']),
        ("_s._tcp", "SRV", ["0 5 443 www"]), ("*", "A", ["192.0.2.1"]), ("c", "CAA", ['0 issue "ca.test"']),
        ("u", "TYPE65280", ["\\# 3 010203"]), ("d", "DNAME", ["other.test."]), ("sub", "NS", ["ns1.sub"]), ("p\\047q", "A", ["192.0.2.1"])]


@pytest.mark.parametrize("name,kind,data", GOOD)
def test_types_are_taken_and_given_back(api, zone, name, kind, data):
    made = api.put(f"{zone}/rrsets/{name.replace(chr(92), '%5C')}/{kind}", {"ttl": 60, "records": data})
    assert made.status == 201, made
    again = api.put(f"{zone}/rrsets/{name.replace(chr(92), '%5C')}/{kind}", {"ttl": 60, "records": made.json["records"]})
    assert again.status == 200 and again.json == made.json


BAD_RRSETS = [  # what exists, what is put, the place of the error
    ([], "www/A", {"ttl": 60, "records": ["192.0.2.1", "192.0.2.x"]}, "/records/1"),
    ([], "www/A", {"ttl": 60, "records": []}, "/records"),
    ([], "www/A", {"records": ["192.0.2.1"]}, "/ttl"),
    ([], "www/A", {"ttl": 2 ** 31, "records": ["192.0.2.1"]}, "/ttl"),
    ([], "www/A", {"ttl": 60, "records": ["192.0.2.1"], "colour": 1}, "/colour"),
    ([], "www/A", {"ttl": 60, "records": [5]}, "/records/0"),
    ([], "www/A", {"ttl": 60, "records": ["192.0.2.1\nx A 192.0.2.2"]}, "/records/0"),
    ([], "www/NOPE", {"ttl": 60, "records": ["x"]}, "/type"),
    ([], "www/ANY", {"ttl": 60, "records": ["x"]}, "/type"),
    ([], "www/OPT", {"ttl": 60, "records": ["\\# 0"]}, "/type"),
    ([], "www.other.test./A", {"ttl": 60, "records": ["192.0.2.1"]}, "/name"),
    ([], "a..b/A", {"ttl": 60, "records": ["192.0.2.1"]}, "/name"),
    ([], "www/A", {"name": "other", "ttl": 60, "records": ["192.0.2.1"]}, "/name"),
    ([], "www/A", {"type": "AAAA", "ttl": 60, "records": ["2001:db8::1"]}, "/type"),
    ([], "www/CNAME", {"ttl": 60, "records": ["a.test.", "b.test."]}, "/records"),
    ([], "www/SOA", {"ttl": 60, "records": ["a. b. 1 2 3 4 5"]}, "/name"),
    ([], "@/CNAME", {"ttl": 60, "records": ["a.test."]}, "/type"),
    ([], "@/SOA", {"ttl": 60, "records": ["a. b. 1 2 3 4 5", "a. b. 2 2 3 4 5"]}, "/records"),
    ([("www/A", ["192.0.2.1"])], "www/CNAME", {"ttl": 60, "records": ["a.test."]}, "/type"),
    ([("www/CNAME", ["a.test."])], "www/A", {"ttl": 60, "records": ["192.0.2.1"]}, "/type"),
    ([("www/CNAME", ["a.test."])], "www/AAAA", {"policy": "v6"}, "/type"),
    ([("www/A", ["192.0.2.1"])], "www/CNAME", {"policy": "host"}, "/type"),
    ([("d/DNAME", ["a.test."])], "x.y.d/A", {"ttl": 60, "records": ["192.0.2.1"]}, "/name"),
    ([("x.y.d/A", ["192.0.2.1"])], "d/DNAME", {"ttl": 60, "records": ["a.test."]}, "/type"),
    ([], "www/A", {"policy": "nope"}, "/policy"),
    ([], "www/A", {"policy": "v6"}, "/policy"),
    ([], "www/AAAA", {"policy": "v4"}, "/policy"),
    ([], "www/CNAME", {"policy": "v4"}, "/policy"),
    ([], "www/MX", {"policy": "v4"}, "/type"),
    ([], "www/A", {"policy": "v4", "ttl": 60}, "/policy"),
    ([], "www/A", {"policy": "v4", "records": ["192.0.2.1"]}, "/policy"),
]


@pytest.mark.parametrize("there,path,body,pointer", BAD_RRSETS)
def test_bad_rrsets_are_refused_by_pointer_and_change_nothing(api, zone, there, path, body, pointer):
    for other, data in there:
        assert api.put(f"{zone}/rrsets/{other}", {"ttl": 60, "records": data}).status == 201
    before, at = records(api, zone), serial(api, zone)
    reply = api.put(f"{zone}/rrsets/{path}", body)
    assert_problem(reply, 422, pointer)
    assert reply.json["errors"][0]["pointer"] == pointer, reply
    assert records(api, zone) == before and serial(api, zone) == at


def test_the_apex_keeps_soa_and_ns(api, zone):
    for kind in ("SOA", "NS"):
        assert_problem(api.delete(f"{zone}/rrsets/@/{kind}"), 409, "SOA")
    at = serial(api, zone)
    put = api.put(zone + "/rrsets/@/SOA", {"ttl": 60, "records": ["ns1 me 5 3600 600 86400 60"]})
    assert put.status == 200 and serial(api, zone) == at + 1  # a serial that is too low is raised
    ahead = (at + 1000) % 2 ** 32
    assert api.put(zone + "/rrsets/@/SOA", {"ttl": 60, "records": [f"ns1 me {ahead} 3600 600 86400 60"]}).status == 200
    assert serial(api, zone) == ahead
    assert api.put(zone + "/rrsets/@/NS", {"ttl": 60, "records": ["ns9"]}).status == 200


def test_bound_rrsets_are_shown_with_their_policy(api, zone):
    for kind, policy, name in (("A", "v4", "w"), ("AAAA", "v6", "w"), ("CNAME", "host", "c")):
        made = api.put(f"{zone}/rrsets/{name}/{kind}", {"policy": policy})
        assert made.status == 201 and made.json["policy"] == policy and "ttl" not in made.json, made
    assert api.put(zone + "/rrsets/w/A", {"ttl": 5, "records": ["192.0.2.9"]}).status == 200  # static again
    assert api.get(zone + "/rrsets/w/A").json["records"] == ["192.0.2.9"]


def test_rrsets_come_in_pages(api, zone):
    for i in range(20):
        assert api.put(f"{zone}/rrsets/n{i:02d}/A", {"ttl": 60, "records": ["192.0.2.1"]}).status == 201
    seen, after = [], None
    while True:
        page = api.get(zone + "/rrsets?limit=6" + (f"&after={after}" if after else "")).json
        seen += [(i["name"], i["type"]) for i in page["items"]]
        after = page.get("next")
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 22 and ("n07.z.example.", "A") in seen


def test_writers_at_once_lose_nothing(api, zone):
    at, failed = serial(api, zone), []

    def write(worker):
        for i in range(10):
            reply = api.put(f"{zone}/rrsets/w{worker}-{i}/A", {"ttl": 60, "records": [f"192.0.2.{i}"]})
            if reply.status != 201:
                failed.append(reply)

    threads = [threading.Thread(target=write, args=(w,)) for w in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed and serial(api, zone) == at + 60 and api.get(zone).json["rrsets"] == 62


# --- zone files ---------------------------------------------------------------------------------------------------------

HEAD = "$TTL 300\n@ IN SOA ns1 hostmaster 7 3600 600 86400 60\n@ NS ns1\n"


def test_an_import_replaces_static_rrsets_and_keeps_bound_ones(api, zone):
    assert api.put(zone + "/rrsets/any/A", {"policy": "v4"}).status == 201
    assert api.put(zone + "/rrsets/old/A", {"ttl": 60, "records": ["192.0.2.1"]}).status == 201
    at = serial(api, zone)
    reply = api.put(zone + "/import", HEAD + "ns1 A 192.0.2.53\nnew A 192.0.2.2\nany AAAA 2001:db8::9\n", headers={"Content-Type": "text/dns"})
    assert reply.status == 200 and reply.json["rrsets"] == 6, reply
    found = records(api, zone)
    assert set(found) == {("z.example.", "SOA"), ("z.example.", "NS"), ("ns1.z.example.", "A"), ("new.z.example.", "A"),
                          ("any.z.example.", "AAAA"), ("any.z.example.", "A")}
    assert found["any.z.example.", "A"] == "v4" and serial(api, zone) == at + 1  # 7 is too low, so it is raised
    assert api.get(zone).json["revision"] == reply.json["revision"]
    wait_until(lambda: api.get(zone + "/import").json["state"] == "idle", 10)


def test_an_import_makes_the_zone(api):
    api.delete("/v1/zones/made.example")
    reply = api.put("/v1/zones/made.example./import", HEAD)
    assert reply.status == 200 and reply.json["rrsets"] == 2 and reply.json["serial"] == 7, reply
    assert serial(api, "/v1/zones/made.example") == 7
    assert api.delete("/v1/zones/made.example").status == 204


BAD_FILES = [
    (HEAD + "a A 192.0.2.1\nb A 192.0.2.300\n", "line 5:"), (HEAD + "a NOPE x\n", "line 4:"),
    (HEAD + "www.other.test. A 192.0.2.1\n", "line 4:"), (HEAD + "c CNAME a\nc A 192.0.2.1\n", "line 5:"),
    (HEAD + "$INCLUDE /etc/passwd\n", "line 4:"), (HEAD + "$GENERATE 1-2 a$ A 192.0.2.$\n", "line 4:"),
    (HEAD + 'a TXT "open\n', "line 4:"), (HEAD + "a TXT ( x\n", "line 4:"), (HEAD + "any A 192.0.2.1\n", 'any.z.example. A'),
    (HEAD + "any CNAME a\n", "bound to the policy"), ("@ NS ns1\n", "no SOA"), ("", "no SOA"),
    ("@ SOA ns1 h 1 2 3 4 5\n", "no NS"), (HEAD + "@ SOA ns1 h 1 2 3 4 5\n", "line 4:"), ("\x00\x01", "line 1:"),
]


@pytest.mark.parametrize("text,named", BAD_FILES)
def test_a_bad_zone_file_names_its_line_and_changes_nothing(api, zone, text, named):
    assert api.put(zone + "/rrsets/any/A", {"policy": "v4"}).status == 201
    before, at = records(api, zone), serial(api, zone)
    assert_problem(api.put(zone + "/import", text), 422, named)
    assert records(api, zone) == before and serial(api, zone) == at


def big_zone(count, seed):
    rng = random.Random(seed)
    lines = [HEAD]
    for i in range(count):
        name = f"h{i:06d}"
        kind = rng.randrange(4)
        if kind == 0:
            lines.append(f"{name} {rng.randrange(86400)} A 10.{rng.randrange(256)}.{i >> 8 & 255}.{i & 255}\n")
        elif kind == 1:
            lines.append(f"{name} AAAA 2001:db8::{i & 0xffff:x}:{rng.randrange(65536):x}\n")
        elif kind == 2:
            lines.append(f'{name} TXT "{rng.getrandbits(64):x}" "b;\\"c"\n')
        else:
            lines.append(f"{name} CNAME h{rng.randrange(count):06d}.other.test.\n")
    return "".join(lines)


def test_a_big_zone_goes_in_and_out_unchanged_while_others_work(api, zone):
    text = big_zone(BIG, 1)
    assert api.put(zone + "/rrsets/any/A", {"policy": "v4"}).status == 201
    outcome, delays, states = {}, [], set()
    worker = threading.Thread(target=lambda: outcome.update(reply=api.put(zone + "/import", text, timeout=300)))
    worker.start()
    i = 0
    while worker.is_alive():
        start = time.monotonic()
        assert api.put("/v1/sites/other", {"region": f"r{i % 2}"}).status in (200, 201)
        delays.append(time.monotonic() - start)
        progress = api.get(zone + "/import").json
        assert 0 <= progress["done"] <= max(progress["total"], progress["done"])
        states.add(progress["state"])
        if "writing" in states and i % 50 == 0:
            assert_problem(api.put(zone + "/import", HEAD), 409, "under way")
        i += 1
        time.sleep(0.005)
    worker.join()
    assert outcome["reply"].status == 200 and outcome["reply"].json["rrsets"] == BIG + 3, outcome
    assert "writing" in states and max(delays) < 2 * SLOW, (states, sorted(delays)[-5:])
    exported = api.get(zone + "/export", timeout=120)
    assert exported.type.startswith("text/dns") and b"; any A bound to policy v4\n" in exported.body
    assert api.get(zone).json["rrsets"] == BIG + 3
    before = records(api, zone)
    again = api.put(zone + "/import", exported.body, timeout=300)
    assert again.status == 200 and again.json["rrsets"] == BIG + 3, again
    assert records(api, zone) == before


def start_import(api, path, text):
    """Start an import in a thread and wait until it writes; the reply is put into the dictionary."""
    outcome = {}
    worker = threading.Thread(target=lambda: outcome.update(reply=api.put(path + "/import", text, timeout=300)))
    worker.start()
    wait_until(lambda: api.get(path + "/import").json["state"] == "writing", 60)
    return worker, outcome


def test_what_is_bound_during_an_import_is_carried_over_too(api, zone):
    for name in ("stays", "goes"):
        assert api.put(f"{zone}/rrsets/{name}/A", {"policy": "v4"}).status == 201
    worker, outcome = start_import(api, zone, big_zone(BIG // 4, 3))
    assert api.put(zone + "/rrsets/comes/A", {"policy": "v4"}).status == 201
    assert api.delete(zone + "/rrsets/goes/A").status == 204
    assert api.put(zone + "/rrsets/static/A", {"ttl": 60, "records": ["192.0.2.1"]}).status == 201  # the import replaces it
    at, before = serial(api, zone), api.get(zone).json["version"]
    worker.join()
    assert outcome["reply"].status == 200 and outcome["reply"].json["rrsets"] == BIG // 4 + 4, outcome
    found = records(api, zone)
    assert api.get(zone).json["version"] > before and serial(api, zone) == at + 1
    assert {name for (name, _), value in found.items() if value == "v4"} == {"stays.z.example.", "comes.z.example."}
    assert ("static.z.example.", "A") not in found and len(found) == BIG // 4 + 4


def test_a_name_bound_during_an_import_that_the_file_has_too_stops_it(api, zone):
    worker, outcome = start_import(api, zone, big_zone(BIG // 4, 4) + "clash A 192.0.2.1\n")
    assert api.put(zone + "/rrsets/clash/A", {"policy": "v4"}).status == 201
    before = records(api, zone)
    worker.join()
    assert_problem(outcome["reply"], 422, "clash.z.example. A")
    assert records(api, zone) == before


def test_a_zone_deleted_during_an_import_stays_deleted(api, zone):
    worker, outcome = start_import(api, zone, big_zone(BIG // 4, 5))
    assert api.delete(zone).status == 204
    worker.join()
    assert_problem(outcome["reply"], 409, "retry")
    assert api.get(zone).status == 404


def test_an_import_ends_when_the_server_stops(tmp_path):
    api = Api(tmp_path).start()
    path = "/v1/zones/k.example."
    assert api.put(path + "/import", HEAD).status == 200
    worker, outcome = start_import(api, path, big_zone(BIG // 2, 6))
    start = time.monotonic()
    api.stop()
    worker.join()
    assert time.monotonic() - start < 5 * SLOW and outcome.get("reply") is None or outcome["reply"].status == 503
    api.start()
    assert set(records(api, path)) == {("k.example.", "SOA"), ("k.example.", "NS")}
    api.stop()


def test_an_import_killed_in_the_middle_leaves_the_old_version_whole(tmp_path):
    api = Api(tmp_path).start()
    path = "/v1/zones/k.example."
    rng = random.Random(7)
    try:
        assert api.put(path + "/import", HEAD + "old A 192.0.2.1\n").status == 200
        before, at = records(api, path), serial(api, path)
        text = big_zone(BIG // 2, 2)
        for _ in range(4):
            def run():
                try:
                    api.put(path + "/import", text, timeout=300)
                except OSError:
                    pass
            worker = threading.Thread(target=run)
            worker.start()
            wait_until(lambda: api.get(path + "/import").json["state"] == "writing", 60)
            threshold = rng.randrange(1, BIG // 20)
            wait_until(lambda: api.get(path + "/import").json["done"] >= threshold, 60)
            api.kill()
            worker.join()
            api.start()
            assert records(api, path) == before and serial(api, path) == at
        # The orphans are removed by themselves; until then they belong to no version that is visible.
        wait_until(lambda: "removed RRsets" in api.said(), 60)
        reply = api.put(path + "/import", text, timeout=300)
        assert reply.status == 200 and reply.json["rrsets"] == BIG // 2 + 2
    finally:
        api.kill()
