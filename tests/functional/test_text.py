#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Data is served as it was written: records in JSON, names in paths, query parameters, and stored records that cannot
be read."""
import base64
import os
import re
import sqlite3
import subprocess
import urllib.parse

import dns.rdatatype
import pytest

from dnsd_util import Dnsd
from route_rows import read_rows
from test_api import assert_problem
from veer_util import BUILD, Api, wait_until


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    program = Api(tmp_path_factory.mktemp("text")).start()
    yield program
    program.stop()


@pytest.fixture
def zone(api):
    api.delete("/v1/zones/z.example.")
    assert api.post("/v1/zones", {"name": "z.example.", "nameservers": ["ns1.z.example."]}).status == 201
    return "/v1/zones/z.example."


def put(api, zone, name, kind, *data):
    return api.put(f"{zone}/rrsets/{name}/{kind}", {"ttl": 60, "records": list(data)})


def cli(api, *words):
    return subprocess.run([os.path.join(BUILD, "veer"), *words, "--api", f"unix:{api.unix}"], capture_output=True, text=True, timeout=60)


# --- records ------------------------------------------------------------------------------------------------------------

LOST = [("TXT", "v=DMARC1; p=none", '"v=DMARC1; p=none"'), ("TXT", "v=spf1 include:_spf.example.net -all", "quotation marks"),
        ("TXT", "v=DMARC1\\; p=none", "quotation marks"), ("SPF", "v=spf1 -all", "quotation marks"), ("MX", "10 mail ; primary", "comment"),
        ("TXT", '"a" ; b', "comment"), ("A", "192.0.2.1 ; x", "comment"), ("CAA", "0 issue letsencrypt.org; account=1", "comment"),
        ("TXT", '"' + "a" * 402 + '"', '255 octets: write it as several, "first part" "second part"'), ("A", "192.0.2.1 192.0.2.2", "more text"),
        ("CNAME", '"b.example.org."', "quotation marks"), ("A", "192.0.2.1\nx A 192.0.2.2", "one line"), ("TXT", 'a"b"', "quotation mark"),
        ("LOC", "42 21 54.1234 N 71 6 W 10m", "location"), ("MX", "10", "missing")]


@pytest.mark.parametrize("kind,text,named", LOST)
def test_what_would_lose_something_is_refused_and_says_what_to_write(api, zone, kind, text, named):
    reply = put(api, zone, "x", kind, text)
    assert_problem(reply, 422, named)
    assert reply.json["errors"][0]["pointer"] == "/records/0"
    assert api.get(f"{zone}/rrsets/x/{kind}").status == 404


KEPT = [("TXT", '"v=DMARC1; p=none"', None), ("TXT", "plain", '"plain"'), ("TXT", "a\\;b", '"a;b"'), ("TXT", '"a" "b c"', None), ("CAA", "0 issue letsencrypt.org",
        '0 issue "letsencrypt.org"'), ("LOC", "42 21 54 N 71 6 W 10m", "42 21 54.000 N 71 6 0.000 W 10.00m 1m 10000m 10m"), ("MX", "10 Mail", "10 Mail.z.example."),
        ("SVCB", '1 . alpn="f\\\\\\\\oo\\\\,bar,h2"', None), ("TXT", "\\# 3 024142", '"AB"'), ("HTTPS", "1 . port=443 alpn=h2", '1 . alpn="h2" port=443'),
        ("TYPE258", "\\# 2 0161", None), ("NAPTR", '10 20 u "E2U+sip" "!^.*$!sip:a@b!" .', '10 20 "u" "E2U+sip" "!^.*$!sip:a@b!" .')]


@pytest.mark.parametrize("kind,text,shown", KEPT)
def test_what_is_taken_is_given_back_as_the_same(api, zone, kind, text, shown):
    made = put(api, zone, "x", kind, text)
    assert made.status == 201 and made.json["records"] == [shown or text], made
    again = put(api, zone, "x", kind, *made.json["records"])
    assert again.status == 200 and again.etag == made.etag, "what is shown means what is stored"
    exported = api.get(zone + "/export").body.decode()
    assert f"\t{kind}\t{shown or text}\n" in exported
    assert api.put(zone + "/import", exported).status == 200
    assert api.get(f"{zone}/rrsets/x/{kind}").json["records"] == [shown or text]


MALFORMED = [("TXT", "\\# 2 0541"), ("TXT", "\\# 0"), ("SPF", "\\# 2 0541"), ("HINFO", "\\# 2 0141"), ("CAA", "\\# 2 00ff"), ("DS", "\\# 1 00"), ("URI", "\\# 1 00"),
             ("SSHFP", "\\# 0"), ("TLSA", "\\# 1 00"), ("DNSKEY", "\\# 2 0100"), ("A", "\\# 3 c00002"), ("MX", "\\# 4 00010161"), ("NSEC", "\\# 5 0000024000"),
             ("NAPTR", "\\# 9 000100010000000161"), ("EUI48", "\\# 5 0000000000"), ("ISDN", "\\# 2 0531"), ("TYPE258", "\\# 2 0561")]


@pytest.mark.parametrize("kind,text", MALFORMED)
def test_the_generic_form_of_a_known_type_is_checked_as_that_type(api, zone, kind, text):
    assert_problem(put(api, zone, "x", kind, text), 422, "/records/0")
    assert api.get(zone + "/rrsets").json["items"] and api.get(zone + "/export").status == 200


def test_the_case_of_names_is_kept_and_makes_no_difference(api, zone):
    made = put(api, zone, "WwW", "MX", "10 Mail.Example.ORG.", "10 mail.example.org.", "20 B")
    assert made.status == 201 and made.json["name"] == "WwW.z.example."
    assert made.json["records"] == ["10 Mail.Example.ORG.", "20 B.z.example."]
    assert api.get(f"{zone}/rrsets/www/MX").json == made.json == api.get(f"{zone}/rrsets/WWW.Z.EXAMPLE./mx").json
    assert_problem(api.post(zone + "/rrsets", {"name": "www", "type": "MX", "ttl": 1, "records": ["1 a"]}), 409, "PUT")
    assert "WwW.z.example.\t60\tIN\tMX\t10 Mail.Example.ORG.\n" in api.get(zone + "/export").body.decode()
    assert api.delete(f"{zone}/rrsets/wWw/MX").status == 204


def test_answers_carry_names_as_they_were_written(api, zone):
    assert put(api, zone, "Www", "MX", "10 Mail.Example.ORG.", "20 Mx.Z.example.").status == 201
    assert put(api, zone, "mx", "A", "192.0.2.7").status == 201
    assert put(api, zone, "al", "CNAME", "WWW.z.example.").status == 201
    server = Dnsd("--feed", f"unix:{api.unix}").ready(20)
    try:
        reply = wait_until(lambda: (lambda r: r if r.answer else None)(server.ask("al.z.example.", "MX", raw=True)), 20)
        text = reply.to_text()
        assert "Mail.Example.ORG." in text and "20 Mx.Z.example." in text and "CNAME WWW.z.example." in text, text
        assert any(r.rdtype == dns.rdatatype.A for r in reply.additional), text
    finally:
        server.stop()


# --- what is stored and cannot be read ------------------------------------------------------------------------------------


def test_one_rrset_that_cannot_be_read_breaks_no_list_and_no_export(tmp_path):
    api = Api(tmp_path).start()
    zone = "/v1/zones/z.example."
    assert api.post("/v1/zones", {"name": "z.example.", "nameservers": ["ns1.z.example."]}).status == 201
    for name in ("a", "b", "c", "d"):
        assert put(api, zone, name, "A", "192.0.2.1").status == 201
    version = api.get(zone).json["version"]
    api.stop()
    wire = b"\1b\1z\7example\0\0\x10\0\1\0\0\0\x3c\0\2\5A"  # TXT, cut short within its string
    text = b"\1d\1Z\7example\0\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"  # from an older store, and correct except for the case
    with sqlite3.connect(api.store) as db:
        table = next(n for n, in db.execute("select name from sqlite_master where type='table'") if "key" in [c[1] for c in db.execute(f"pragma table_info({n})")]
                     and "value" in [c[1] for c in db.execute(f"pragma table_info({n})")] and n != "meta")
        for key, value in ((f"z.example./{version}/b.z.example./A", "not JSON\x01"), (f"z.example./{version}/c.z.example./A", '{"wire":"AAAA"}'),
                           (f"z.example./{version}/d.z.example./A", '{"wire":"%s"}' % base64.b64encode(text).decode())):
            assert db.execute(f"update {table} set value=? where key=?", (value, key)).rowcount == 1
        row = db.execute(f"select * from {table} where key=?", (f"z.example./{version}/a.z.example./A",)).fetchone()
        names = [c[1] for c in db.execute(f"pragma table_info({table})")]
        row = list(row)
        row[names.index("key")] = f"z.example./{version}/e.z.example./TXT"
        row[names.index("value")] = '{"wire":"%s"}' % base64.b64encode(wire.replace(b"\1b", b"\1e")).decode()
        db.execute(f"insert into {table} values ({','.join('?' * len(row))})", row)
    db.close()
    api.start()
    try:
        page = api.get(zone + "/rrsets")
        assert page.status == 200, page
        shown = {(i["name"], i["type"]): i.get("records") for i in page.json["items"]}
        assert shown["a.z.example.", "A"] == ["192.0.2.1"] and shown["d.Z.example.", "A"] == ["192.0.2.1"]
        assert shown["e.z.example.", "TXT"] == ["\\# 2 0541"], "what no text can say is shown by its octets"
        assert sorted(u["rrset"] for u in page.json["unreadable"]) == ["b.z.example./A", "c.z.example./A"] and all(u["detail"] for u in page.json["unreadable"])
        exported = api.get(zone + "/export")
        assert exported.status == 200 and exported.body.decode().count("; left out, for it cannot be read: z.example./") == 2, exported.body
        assert "rrset unreadable" in api.said()
        assert_problem(api.get(zone + "/rrsets/b/A"), 500, "replace it with PUT")
        assert put(api, zone, "b", "A", "192.0.2.2").status == 200 and api.delete(zone + "/rrsets/c/A").status == 204
        assert api.delete(zone + "/rrsets/e/TXT").status == 204
        assert "unreadable" not in api.get(zone + "/rrsets").json
    finally:
        api.stop()


# --- names in paths -------------------------------------------------------------------------------------------------------

ODD_NAMES = ["0/25.2.0.192.in-addr.arpa.", ".", "..", "a%b.", "a\\b.", "a b.", "*.example.", "a?b.", "a#b.", "a+b.", "a&b=c.", "ä.", "a\\.b.example.", "%2F.", "a;b."]
ODD_ZONES = ["0/25.2.0.192.in-addr.arpa.", ".", "a%b.test.", "a\\032b.test.", "*.test.", "a\\.b.test.", "%2F.test.", "a+b.test.", "x\\\\y.test."]


def routes():
    return [(row.method, row.path) for row in read_rows()]


def test_every_route_reads_each_segment_whole(api):
    found = routes()
    assert len(found) > 60
    for method, path in found:
        count = path.count("{")
        if count == 0 or path.endswith("/push"):
            continue
        for name in ODD_NAMES:
            asked = re.sub(r"\{[^}]*\}", lambda m: urllib.parse.quote(name, safe=""), path)
            reply = api.call(method, asked, body={} if method in ("PUT", "POST") else None)
            # the answer comes from this route, not "there is nothing at" or "not possible here", and it names the
            # object of the request
            assert reply.status in (200, 204, 404, 409, 422) and "there is nothing at" not in (reply.json or {}).get("detail", ""), (method, asked, reply)
            if reply.status == 404 and method == "GET":
                assert name[:20] in reply.json["detail"], (asked, reply)
        for bad in ("%", "%2", "%zz", "%00", "a%00b", "%2f%"):
            asked = re.sub(r"\{[^}]*\}", bad, path)
            assert_problem(api.call(method, asked, body={} if method in ("PUT", "POST") else None), 400, "hex digits")
    api.delete("/v1/zones/.")
    for name in ODD_NAMES:
        api.delete("/v1/zones/" + urllib.parse.quote(name, safe=""))


@pytest.mark.parametrize("name", ODD_ZONES)
def test_zones_of_any_name_are_made_read_changed_and_deleted(api, name):
    made = api.post("/v1/zones", {"name": name, "nameservers": ["ns1.example.net."]})
    assert made.status == 201, made
    path = "/v1/zones/" + urllib.parse.quote(name, safe="")
    assert api.get(path).json == made.json == api.get(made.headers["Location"]).json
    assert made.json["name"] == name.lower()
    rrset = api.post(path + "/rrsets", {"name": "0/25", "type": "NS", "ttl": 60, "records": ["ns1.example.net."]})
    assert rrset.status == 201 and api.get(rrset.headers["Location"]).json == rrset.json
    assert api.get(path + "/rrsets/0%2F25/NS").json == rrset.json
    exported = cli(api, "zone", "export", name)
    assert exported.returncode == 0 and "0/25." in exported.stdout, exported
    with open(os.path.join(api.directory, "zone.txt"), "w", encoding="utf-8") as f:
        f.write(exported.stdout)
    imported = cli(api, "zone", "import", name, f.name)
    assert imported.returncode == 0, imported
    assert api.delete(path + "/rrsets/0%2F25/NS").status == 204
    assert name.lower() in cli(api, "zone", "list").stdout
    assert api.delete(path).status == 204 and api.get(path).status == 404


def test_an_escaped_slash_separates_nothing(api, zone):
    assert_problem(api.get("/v1%2Fzones"), 404, "nothing at")
    assert api.get("/%76%31/zones").status == 200
    assert_problem(api.get("/v1/zones/z.example.%2Fexport"), 404, "z.example./export")


# --- query parameters -------------------------------------------------------------------------------------------------------


def test_unknown_query_parameters_are_refused_on_every_route(api):
    for method, path in routes():
        asked = re.sub(r"\{[^}]*\}", "x", path)
        reply = api.call(method, asked + "?nosuch=1", body={} if method in ("PUT", "POST") else None, token=None)
        if method == "POST" and path in ("/v1/uplink", "/v1/agents/self/reports") or reply.status in (401, 403):
            continue
        assert_problem(reply, 400, '"nosuch"')


def test_the_known_query_parameters_are_named(api):
    reply = api.get("/v1/pools?site=fra")
    assert_problem(reply, 400, "limit")
    assert reply.json["type"] == "urn:veer:problem:unknown-parameter" and "after" in reply.json["detail"] and '"site"' in reply.json["detail"]
    assert_problem(api.get("/v1/sites?limit=1&limit=2"), 400, "twice")
    assert_problem(api.get("/v1/sites?limit=%"), 400, "hex digits")
    assert api.get("/v1/sites?limit=1&after=a").status == 200
    assert api.get("/v1/transitions?endpoint=a%2Fb&limit=1").status == 200
    before = api.get("/v1/sites").json
    assert_problem(api.delete("/v1/sites?region=eu"), 405, "")
    assert api.get("/v1/sites").json == before


# --- policies -------------------------------------------------------------------------------------------------------------------


def pool_and_site(api):
    assert api.put("/v1/sites/fra", {"region": "eu"}).status in (200, 201)
    assert api.put("/v1/pools/p", {"endpoints": [{"name": "e", "address": "192.0.2.1", "site": "fra"}]}).status in (200, 201)


def test_codes_that_are_no_countries_are_refused_with_a_hint(api):
    pool_and_site(api)
    reply = api.put("/v1/policies/geo", {"tree": {"match": [{"countries": ["DE", "UK"], "node": "p"}], "else": "p"}})
    assert_problem(reply, 422, "GB")
    assert reply.json["errors"][0]["pointer"] == "/tree/match/0/countries"
    assert_problem(api.put("/v1/policies/geo", {"tree": {"match": [{"countries": ["XX"], "node": "p"}], "else": "p"}}), 422, "XX")


def test_location_rules_without_a_database_are_said_everywhere(api):
    pool_and_site(api)
    body = {"tree": {"match": [{"countries": ["DE"], "node": "p"}], "else": "p"}}
    made = api.put("/v1/policies/geo", body)
    assert made.status == 201 and "--geoip" in made.json["warnings"][0]
    assert "warnings" not in api.get("/v1/policies/geo").json
    again = api.put("/v1/policies/geo", made.json)  # a PUT accepts the body of the reply
    assert again.status == 200
    server = Dnsd("--feed", f"unix:{api.unix}")
    try:
        server.wait_log("location rules without a database", 20)

        def said():
            servers = api.get("/v1/status").json["nameservers"]
            return [s for s in servers if s.get("location_policies") == 1 and s["location_networks"] == 0]
        wait_until(said, 20)
        warning, = api.put("/v1/policies/geo", body).json["warnings"]
        assert said()[0]["name"] in warning
        assert "has no location database" in cli(api, "status").stdout
        assert api.put("/v1/policies/plain", {"tree": "p"}).json.get("warnings") is None
        warning, = api.put("/v1/policies/plain", {"tree": "p", "when_all_down": "servfail"}).json["warnings"]
        assert "resolver" in warning
    finally:
        server.stop()
        assert api.delete("/v1/policies/geo").status == 204


def test_lists_of_a_policy_take_1024_elements(api):
    pool_and_site(api)
    for count, status in ((1024, (200, 201)), (1025, (422,))):
        assert api.put("/v1/policies/long", {"tree": {"failover": ["p"] * count}}).status in status
        assert api.put("/v1/policies/long", {"tree": {"weighted": [{"weight": 1, "node": "p"}] * count}}).status in status
        assert api.put("/v1/policies/long", {"tree": {"match": [{"countries": ["DE"], "node": "p"}] * count, "else": "p"}}).status in status
        assert api.put("/v1/policies/long", {"tree": {"match": [{"countries": ["DE"] * count, "node": "p"}], "else": "p"}}).status in status


def test_statuses_are_taken_as_numbers(api):
    made = api.put("/v1/checks/web", {"kind": "http", "port": 80, "expect_status": [200, "300-399"]})
    assert made.status == 201, made
    assert_problem(api.put("/v1/checks/web", {"kind": "http", "port": 80, "expect_status": [20]}), 422, "/expect_status")


# --- errors say where ---------------------------------------------------------------------------------------------------------------


def test_a_refused_zone_file_is_named_with_line_and_text(api, zone):
    path = os.path.join(api.directory, "bad.zone")
    with open(path, "w", encoding="utf-8") as f:
        f.write("$TTL 300\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nwww A 192.0.2.300\n")
    with open(path, encoding="utf-8") as f:
        assert_problem(api.put(zone + "/import", f.read()), 422, "line 4: an IPv4 address is needed, as 192.0.2.1: www A 192.0.2.300")
    said = cli(api, "zone", "import", "z.example.", path)
    assert said.returncode == 1 and f"{path}:4: an IPv4 address is needed, as 192.0.2.1: www A 192.0.2.300" in said.stderr, said


def test_what_is_not_there_is_named(api, zone):
    pool_and_site(api)
    for path, named in (("/v1/sites/nosuch", 'site: "nosuch"'), ("/v1/policies/nosuch", 'policy: "nosuch"'), ("/v1/overrides/p/nosuch", '"p/nosuch"'),
                        ("/v1/maintenance/nosuch", '"nosuch"'), ("/v1/agents/nosuch", 'agent: "nosuch"')):
        assert_problem(api.get(path), 404, named)
        assert_problem(api.delete(path), 404, named)
    assert api.put("/v1/policies/bound", {"tree": "p"}).status == 201
    assert api.put(zone + "/rrsets/www/A", {"policy": "bound"}).status == 201
    reply = api.delete("/v1/policies/bound")
    assert_problem(reply, 409, "the RRset www.z.example. A is bound")
