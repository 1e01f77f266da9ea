#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""veer-dnsd alone: zone files over UDP and TCP, and a feed from a control plane made of test data."""
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.request

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

from dnsd_util import BUILD, SLOW, Dnsd, FeedServer, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FEED = os.path.join(ROOT, "tests/data/formats/feed.ndjson")
CITY = os.path.join(ROOT, "tests/data/mmdb/GeoIP2-City-Test.mmdb")

ZONE = """$TTL 300
@ SOA ns1 hostmaster 1 900 300 604800 60
@ NS ns1
@ NS ns.other.test.
ns1 A 192.0.2.53
www A 192.0.2.1
www AAAA 2001:db8::1
alias CNAME www
out CNAME www.other.test.
loop CNAME pool
pool CNAME loop
gone CNAME missing
a.b.ent A 192.0.2.7
*.wild A 192.0.2.9
*.wild MX 10 www
sub NS ns.sub
ns.sub A 192.0.2.77
$ORIGIN big.example.
""" + "".join(f"@ A 198.51.{i // 200}.{i % 200}\n" for i in range(600))


@pytest.fixture
def zone(tmp_path):
    path = tmp_path / "example.zone"
    path.write_text(ZONE)
    return path


@pytest.fixture
def server(zone):
    with Dnsd("--zone", f"example={zone}", "--workers", "2") as d:
        yield d.ready()


@pytest.mark.parametrize("tcp", [False, True])
def test_names_are_answered_by_the_book(server, tcp):
    assert server.ask("www.example.", tcp=tcp) == ["192.0.2.1"]
    assert server.ask("www.example.", "AAAA", tcp=tcp) == ["2001:db8::1"]
    assert server.ask("alias.example.", tcp=tcp) == ["192.0.2.1", "www.example."]
    assert server.ask("out.example.", tcp=tcp) == ["www.other.test."]
    assert server.ask("x.y.wild.example.", tcp=tcp) == ["192.0.2.9"]
    assert server.ask("loop.example.", tcp=tcp) == ["loop.example.", "pool.example."]
    reply = server.ask("x.wild.example.", "MX", tcp=tcp, raw=True)
    assert [r.to_text() for r in reply.answer] == ["x.wild.example. 300 IN MX 10 www.example."]
    assert len(reply.additional) == 2


@pytest.mark.parametrize("name,rdtype,rcode", [
    ("nope.example.", "A", dns.rcode.NXDOMAIN), ("b.ent.example.", "A", dns.rcode.NOERROR),
    ("wild.example.", "A", dns.rcode.NOERROR), ("www.example.", "TXT", dns.rcode.NOERROR),
    ("x.www.example.", "A", dns.rcode.NXDOMAIN), ("gone.example.", "A", dns.rcode.NXDOMAIN),
    ("x.wild.example.", "TXT", dns.rcode.NOERROR)])
def test_negative_answers_carry_the_soa(server, name, rdtype, rcode):
    reply = server.ask(name, rdtype, raw=True)
    assert reply.rcode() == rcode and reply.flags & dns.flags.AA
    assert [(r.name.to_text(), r.ttl) for r in reply.authority] == [("example.", 60)]
    assert reply.authority[0].to_text().split()[3] == "SOA"


def test_delegations_refer_with_glue(server):
    for name in ("sub.example.", "deep.x.sub.example."):
        reply = server.ask(name, raw=True)
        assert reply.rcode() == dns.rcode.NOERROR and not reply.flags & dns.flags.AA and not reply.answer
        assert [r.to_text() for r in reply.authority] == ["sub.example. 300 IN NS ns.sub.example."]
        assert [r.to_text() for r in reply.additional] == ["ns.sub.example. 300 IN A 192.0.2.77"]
    reply = server.ask("sub.example.", "DS", raw=True)
    assert reply.flags & dns.flags.AA and reply.authority[0].to_text().split()[3] == "SOA"


@pytest.mark.parametrize("count", [30, 126])
def test_the_glue_of_many_name_servers_is_whole_or_the_reply_is_truncated(tmp_path, count):
    lines = ["@ 300 IN SOA ns1 h 1 2 3 4 5", "@ 300 NS ns1", "ns1 300 A 10.0.0.1"]
    for i in range(count):
        lines += [f"sub 300 NS n{i}.sub", f"n{i}.sub 300 A 10.1.0.{i}", f"n{i}.sub 300 AAAA fd00::{i + 1:x}"]
    (tmp_path / "many").write_text("\n".join(lines) + "\n")
    with Dnsd("--zone", f"example={tmp_path}/many").ready() as server:
        for tcp in (True, False):
            reply = server.ask("x.sub.example.", tcp=tcp, raw=True, use_edns=0, payload=1232)
            truncated = bool(reply.flags & dns.flags.TC)
            assert truncated == (not tcp)
            assert truncated or sum(map(len, reply.additional)) == 2 * count
        # RFC 9471 3: as many addresses as fit, and TC when some are left out
    lines = [line for line in lines if "AAAA" not in line]
    (tmp_path / "many").write_text("\n".join(lines) + "\n")
    with Dnsd("--zone", f"example={tmp_path}/many").ready() as server:
        reply = server.ask("x.sub.example.", raw=True, use_edns=0, payload=1232)
        assert bool(reply.flags & dns.flags.TC) == (sum(map(len, reply.additional)) < count)


def test_what_is_not_served_is_refused(server):
    assert server.ask("other.test.", raw=True).rcode() == dns.rcode.REFUSED
    assert server.ask("example.", "AXFR", tcp=True, raw=True).rcode() == dns.rcode.REFUSED
    assert server.ask("www.example.", "AXFR", tcp=True, raw=True).rcode() == dns.rcode.NOTAUTH
    query = dns.message.make_query("www.example.", "A", rdclass="CH")
    assert dns.query.udp(query, server.address, port=server.port, timeout=3).rcode() == dns.rcode.REFUSED
    query = dns.message.Message()
    query.set_opcode(dns.opcode.STATUS)
    assert dns.query.udp(query, server.address, port=server.port, timeout=3).rcode() == dns.rcode.NOTIMP


def test_long_answers_come_whole_over_tcp(server):
    for options in ({}, {"use_edns": 0, "payload": 4096}):
        reply = server.ask("big.example.", raw=True, **options)
        assert reply.flags & dns.flags.TC and not reply.answer
        assert len(reply.to_wire()) <= 1232
    assert len(server.ask("big.example.", tcp=True)) == 600


def test_edns_and_case_are_echoed(server):
    reply = server.ask("WwW.eXaMpLe.", raw=True, use_edns=0, want_dnssec=True)
    assert reply.question[0].name.to_text() == "WwW.eXaMpLe."
    assert reply.edns == 0 and reply.payload == 1232 and reply.ednsflags & dns.flags.DO
    query = bytearray(dns.message.make_query("www.example.", "A", use_edns=0).to_wire())
    query[-5] = 1  # the version in the OPT record, which is the last eleven octets
    assert dns.message.from_wire(raw_udp(server, bytes(query))).rcode() == dns.rcode.BADVERS
    assert server.ask("www.example.", raw=True).edns == -1


def options(reply):
    return {int(o.otype): o for o in reply.options}


def ask_with(server, *opts, tcp=False, name="www.example."):
    return options(server.ask(name, raw=True, tcp=tcp, use_edns=0, options=[dns.edns.GenericOption(*o) for o in opts]))


def test_edns_options_are_served_when_asked_for(zone):
    with Dnsd("--zone", f"example={zone}", "--nsid", "ns1.test") as d:
        d.ready()
        assert ask_with(d) == {} and not ask_with(d, (3, b""), (65001, b"x")).keys() - {3}
        nsid = ask_with(d, (3, b""))[3]
        assert (nsid.nsid if hasattr(nsid, "nsid") else nsid.data) == b"ns1.test"
        assert 11 not in ask_with(d, (11, b"")) and 11 in ask_with(d, (11, b""), tcp=True)
        assert ask_with(d, name="other.test.")[15].code == 20
    with Dnsd("--zone", f"example={zone}") as d:
        d.ready()
        assert 3 not in ask_with(d, (3, b""))
        assert len(cookie_of(d, b"12345678")) == 24  # made with a random secret


def cookie_of(server, sent):
    option = ask_with(server, (10, sent))[10]
    return option.client + option.server if hasattr(option, "server") else option.data


def test_cookie_secrets_rotate_without_a_restart(zone, tmp_path):
    old, new = "e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962"
    secrets = tmp_path / "secrets"
    secrets.write_text(old + "\n")
    with Dnsd("--zone", f"example={zone}", "--cookie-secret-file", secrets, "--workers", "2") as d:
        d.ready()
        first = cookie_of(d, b"12345678")
        assert first[:9] == b"12345678\x01" and cookie_of(d, first) == first
        secrets.write_text(new + "\n" + old + "\n")
        d.hangup()
        wait_for(lambda: cookie_of(d, first) != first, what="the new secret")
        assert probe_cookie(d, first) == dns.rcode.NOERROR  # made with the secret before
        second = cookie_of(d, first)
        secrets.write_text(new + "\n")
        d.hangup()
        wait_for(lambda: probe_cookie(d, first) == 23, what="BADCOOKIE")
        assert probe_cookie(d, second) == dns.rcode.NOERROR
        secrets.write_text("nonsense\n")
        d.hangup()
        d.wait_log("cookie secrets stay as they were.*:1: a cookie secret is 32 hex digits")
        assert probe_cookie(d, second) == dns.rcode.NOERROR


def probe_cookie(server, cookie):
    """A query without a question tells whether a cookie is valid (RFC 7873 5.4)."""
    query = dns.message.Message()
    query.use_edns(0, options=[dns.edns.GenericOption(10, cookie)])
    return dns.query.udp(query, server.address, port=server.port, timeout=3 * SLOW).rcode()


@pytest.mark.parametrize("args,reason", [(["--nsid", ""], "--nsid"), (["--nsid", "x" * 65], "--nsid: 1 to 64"),
                                         (["--cookie-secret-file", "/nowhere", "--check-config"], "/nowhere")])
def test_bad_options_are_said_in_one_line(zone, args, reason):
    run = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", f"example={zone}", *args],
                         stderr=subprocess.PIPE, text=True, timeout=20)
    assert run.returncode == 2 and reason in run.stderr.splitlines()[-1]
    assert len(re.findall("(?m)^veer-dnsd: ", run.stderr)) == 1


def raw_udp(server, packet):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.3 * SLOW)
    s.sendto(packet, (server.address, server.port))
    try:
        return s.recv(65535)
    except socket.timeout:
        return None
    finally:
        s.close()


def test_malformed_packets_get_formerr_or_nothing(server):
    query = dns.message.make_query("www.example.", "A").to_wire()
    assert raw_udp(server, b"") is None
    assert raw_udp(server, query[:11]) is None
    assert raw_udp(server, query[:2] + b"\x80" + query[3:]) is None
    for packet in (query[:12], query[:-1], query + b"x", query[:4] + b"\0\2" + query[6:], query[:5] + b"\0" + query[6:]):
        reply = raw_udp(server, packet)
        assert reply[:2] == query[:2] and reply[3] & 15 == dns.rcode.FORMERR
    assert server.ask("www.example.") == ["192.0.2.1"]


def test_tcp_pipelining_keeps_order_through_any_split(server):
    queries = [dns.message.make_query(n, "A") for n in ("www.example.", "big.example.", "nope.example.") * 10]
    data = b"".join(struct.pack("!H", len(q.to_wire())) + q.to_wire() for q in queries)
    s = socket.create_connection((server.address, server.port), timeout=5 * SLOW)
    for i in range(0, len(data), 7):
        s.sendall(data[i:i + 7])
    f = s.makefile("rb")
    for q in queries:
        length, = struct.unpack("!H", f.read(2))
        assert dns.message.from_wire(f.read(length)).id == q.id
    s.close()


def test_a_client_that_never_reads_does_not_stop_others(server):
    query = dns.message.make_query("big.example.", "A").to_wire()
    s = socket.create_connection((server.address, server.port))
    s.setblocking(False)
    try:
        while True:
            s.send((struct.pack("!H", len(query)) + query) * 50)
    except BlockingIOError:
        pass
    assert server.ask("www.example.", tcp=True) == ["192.0.2.1"]
    assert server.ask("www.example.") == ["192.0.2.1"]
    s.close()


def test_all_listen_addresses_answer_from_their_own(zone):
    with Dnsd("--zone", f"example={zone}", listen=("0.0.0.0@0", "::@0")) as d:
        d.ready()
        for address, port in (("127.0.0.1", d.port), ("127.0.0.9", d.port), ("::1", d.addresses[1][1])):
            d.address, d.port = address, port
            assert d.ask("www.example.") == ["192.0.2.1"]  # dnspython checks the source address of the reply


def test_reload_keeps_a_zone_whose_file_is_broken(server, zone):
    zone.write_text(ZONE.replace("192.0.2.1", "192.0.2.2"))
    server.hangup()
    wait_for(lambda: server.ask("www.example.") == ["192.0.2.2"], what="the new address")
    zone.write_text(ZONE.replace("192.0.2.1\n", "nonsense\n"))
    server.hangup()
    server.wait_log(re.escape(f"{zone}:6: "))
    assert server.ask("www.example.") == ["192.0.2.2"]
    zone.write_text(ZONE)
    server.hangup()
    wait_for(lambda: server.ask("www.example.") == ["192.0.2.1"], what="the first address")


def test_a_pipe_in_place_of_a_file_hangs_no_reload(zone, tmp_path):
    secrets = tmp_path / "cookies"
    secrets.write_text("00" * 16 + "\n")
    with Dnsd("--zone", f"example={zone}", "--cookie-secret-file", str(secrets)) as d:
        d.ready()
        for path in (zone, secrets):
            text = path.read_text()
            path.unlink()
            os.mkfifo(path)
            d.hangup()
            d.wait_log(re.escape(f"{path}: cannot read: is no regular file"))
            assert d.ask("www.example.") == ["192.0.2.1"]
            path.unlink()
            path.write_text(text)
        zone.write_text(ZONE.replace("192.0.2.1", "192.0.2.2"))
        d.hangup()
        wait_for(lambda: d.ask("www.example.") == ["192.0.2.2"], what="the new address")
        assert d.stop() == 0


def test_a_second_server_on_the_same_address_does_not_start(server, zone):
    for address in (f"127.0.0.1@{server.port}", f"0.0.0.0@{server.port}"):
        second = Dnsd("--zone", f"example={zone}", listen=("127.0.0.1@0", address))
        assert second.process.wait(timeout=10 * SLOW) == 2
        second.reader.join()
        assert f"cannot listen on {address}: another program uses this address" in second.lines[-1]
        assert "ready" not in second.log()
    assert all(server.ask("www.example.") == ["192.0.2.1"] for _ in range(20))


def port_free_everywhere():
    """A port that is free on all addresses, for UDP and for TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as t:
            u.bind(("0.0.0.0", 0))
            try:
                t.bind(("0.0.0.0", u.getsockname()[1]))
                return u.getsockname()[1]
            except OSError:
                continue


def test_as_many_addresses_as_allowed_are_served(zone):
    port = port_free_everywhere()
    addresses = [f"127.0.0.{i}@{port}" for i in range(1, 66)]
    with Dnsd("--zone", f"example={zone}", "--workers", "2", listen=addresses[:64]) as d:
        d.wait_log("event=ready")
        for address in ("127.0.0.1", "127.0.0.64"):
            reply = dns.query.udp(dns.message.make_query("www.example.", "A"), address, port=port, timeout=3 * SLOW)
            assert len(reply.answer) == 1
    one_more = Dnsd("--zone", f"example={zone}", listen=addresses)
    assert one_more.process.wait(timeout=10 * SLOW) == 2
    one_more.reader.join()
    assert "at most 64 times" in one_more.lines[-1]


def test_a_worker_that_cannot_wait_goes_on_answering(zone):
    with Dnsd("--zone", f"example={zone}", "--metrics", "127.0.0.1:0") as d:
        d.ready()
        pid = d.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, limits[1]))  # poll(2) of more descriptors fails with EINVAL
        for _ in range(20):
            assert d.ask("www.example.") == ["192.0.2.1"]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert d.ask("www.example.", tcp=True) == ["192.0.2.1"]
        assert d.ask("www.example.") == ["192.0.2.1"]
        address = re.search(r'metrics served.*address="?([0-9.:]+)', d.log()).group(1)
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=5).read().decode()
        assert int(re.search(r"(?m)^veer_dns_waits_failed_total (\d+)$", text).group(1)) > 0
        assert d.stop() == 0


def test_sigterm_ends_with_status_0(server):
    assert server.ask("www.example.") == ["192.0.2.1"]
    assert server.stop() == 0


@pytest.mark.parametrize("args,reason", [
    ([], "nothing to serve"), (["--zone", "nonsense"], "ORIGIN=FILE"), (["--zone", "a..b=/dev/null"], "empty label"),
    (["--zone", "example=/nonexistent"], "/nonexistent: cannot be opened"), (["--workers", "0"], "workers"),
    (["--nonsense"], "nonsense"), (["--feed", "http://192.0.2.1:80"], "http://192.0.2.1:80"),
    (["--feed", "unix:/x", "--zone", "a=b"], "exclude"), (["--geoip", "/nonexistent", "--feed", "unix:/x", "--check-config"], "/nonexistent"),
    (["--feed", "https://127.0.0.1:1", "--state", "/tmp/veer-none", "--token-file", "/nonexistent"], "/nonexistent")])
def test_bad_arguments_end_with_status_2_and_one_line(args, reason):
    run = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0"] + args, capture_output=True,
                         text=True, timeout=10 * SLOW)
    assert run.returncode == 2, run.stderr
    last = run.stderr.splitlines()[-1]
    assert last.startswith("veer-dnsd: ") and reason in last, run.stderr


def test_a_configuration_file_says_the_same(zone, tmp_path):
    config = tmp_path / "dnsd.yaml"
    config.write_text(f"listen: 127.0.0.1@0\nzone:\n  - example={zone}\nworkers: 1\n")
    process = Dnsd("--config", str(config), listen=())
    with process as d:
        assert d.ready().ask("www.example.") == ["192.0.2.1"]
    config.write_text(config.read_text() + "wrokers: 2\n")
    run = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--config", str(config)], capture_output=True, text=True,
                         timeout=10 * SLOW)
    assert run.returncode == 2 and f"{config}:5: " in run.stderr and "workers" in run.stderr


def test_a_zone_file_error_at_start_names_file_and_line(tmp_path):
    path = tmp_path / "bad.zone"
    path.write_text("$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS a\nwww A 1.2.3\n")
    run = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", f"example={path}"],
                         capture_output=True, text=True, timeout=10 * SLOW)
    assert run.returncode == 2
    assert f"{path}:4: " in run.stderr.splitlines()[-1]


# --- from the feed ------------------------------------------------------------------------------------------

def feed_lines():
    with open(FEED, encoding="utf-8") as f:
        return f.read()


@pytest.fixture
def control(tmp_path):
    server = FeedServer(str(tmp_path / "api.sock"), lambda path: feed_lines())
    yield server
    server.close()


def verdict(endpoint, state, revision):
    return [{"type": "put", "kind": "verdict", "key": endpoint, "revision": revision,
             "object": {"endpoint": endpoint, "state": state, "since_revision": revision}},
            {"type": "commit", "revision": revision}]


def ecs(address, bits):
    return {"use_edns": 0, "options": [dns.edns.ECSOption(address, bits)]}


def echoed(reply):
    return [(o.address, o.srclen, o.scopelen) for o in reply.options if isinstance(o, dns.edns.ECSOption)]


def test_the_feed_is_served_and_acknowledged(tmp_path, control):
    with Dnsd("--feed", f"unix:{control.path}", "--state", str(tmp_path / "state"), "--geoip", CITY) as d:
        d.ready()
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.2"], what="revision 12: fra is down")
        reply = d.ask("www.gslb.example.", raw=True)
        assert reply.answer[0].ttl == 5
        control.push(*verdict("fra/fra", "up", 13))
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.1"], what="revision 13: fra is up")
        up = wait_for(lambda: [u for u in control.uplinks if u["revision"] == 13], what="uplink")[-1]
        assert up["format"] == 1 and up["zones"] == 1 and up["applied_us"] >= 0
        assert up["store_id"] == "0b8a6f0f5d3c4e2f9a7b1c2d3e4f5a6b"
        wait_for(lambda: control.uplinks[-1]["queries"] >= 3, what="counters")
        assert d.stop() == 0


def test_the_client_subnet_decides_and_its_scope_is_told(tmp_path, control):
    with Dnsd("--feed", f"unix:{control.path}", "--geoip", CITY) as d:
        d.ready()
        # at revision 11 fra is in the answers, too, but the next revision takes it out
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.2"], what="revision 12")
        control.push(*verdict("fra/fra", "up", 13))
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.1"], what="revision 13")
        # 81.2.69.142 is in GB, 89.160.20.112 in SE, 216.160.83.56 in US: DE and US have a rule of their own, NA a
        # weighted one
        reply = d.ask("geo.gslb.example.", raw=True, **ecs("81.2.69.142", 24))
        assert echoed(reply)[0][:2] == ("81.2.69.0", 24) and echoed(reply)[0][2] > 0
        seen = set()
        for _ in range(60):
            seen.update(d.ask("geo.gslb.example.", **ecs("216.160.83.56", 32)))
        assert seen == {"192.0.2.1", "192.0.2.2"}
        assert {a for _ in range(20) for a in d.ask("geo.gslb.example.", **ecs("89.160.20.112", 24))} == {"192.0.2.1"}
        # without a match node the answer is valid for all clients
        assert echoed(d.ask("www.gslb.example.", raw=True, **ecs("216.160.83.56", 32))) == [("216.160.83.56", 32, 0)]
        assert d.ask("ns1.gslb.example.", raw=True, **ecs("2001:db8::", 56)).options[0].scopelen == 0


def test_nothing_is_bound_before_there_is_a_plan(tmp_path):
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port.bind(("127.0.0.1", 0))
    number = port.getsockname()[1]
    port.close()
    with Dnsd("--feed", f"unix:{tmp_path}/nobody", listen=(f"127.0.0.1@{number}",)) as d:
        d.wait_log("waiting for the first plan")
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", number))
        s.close()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", number), timeout=1)
        assert d.stop() == 0


def test_a_name_server_that_starts_alone_serves_the_saved_plan(tmp_path, control):
    state = str(tmp_path / "state")
    with Dnsd("--feed", f"unix:{control.path}", "--state", state) as d:
        d.ready()
        control.push(*verdict("fra/fra", "up", 13))
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.1"], what="revision 13")
        wait_for(lambda: open(f"{state}/highest", encoding="ascii").read().split()[1:2] == ["13"]
                 if os.path.exists(f"{state}/highest") else False, what="the journal")
        d.kill()
    control.close()
    start = time.monotonic()
    with Dnsd("--feed", f"unix:{control.path}", "--state", state) as d:
        d.ready()
        assert d.ask("www.gslb.example.") == ["192.0.2.1"]
        assert time.monotonic() - start < 1 * SLOW
        # when the control plane comes back, the server asks only for newer changes
        again = FeedServer(control.path, lambda path: feed_lines().split("\n")[0].replace('"revision":11', '"revision":14') + "\n")
        wait_for(lambda: again.requests, 10, "a new stream")
        assert "since=13" in again.requests[0] and "lineage=5d0c8be1" in again.requests[0]
        wait_for(lambda: again.streams, what="the stream")
        again.push(*verdict("fra/fra", "down", 14))
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.2"], what="revision 14")
        again.close()


def test_a_saved_plan_is_served_whatever_becomes_of_the_identity(tmp_path, control):
    state, token = tmp_path / "state", tmp_path / "token"
    token.write_text("of-one-use\n")
    # without a plan the server can only report that
    with Dnsd("--feed", f"unix:{control.path}", "--state", str(state), "--token-file", str(token)) as d:
        assert d.process.wait(10 * SLOW) == 2
        assert "enrolment was refused" in d.wait_log("refused").string
    with Dnsd("--feed", f"unix:{control.path}", "--state", str(state)) as d:
        d.ready()
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.2"], what="revision 12")
    with Dnsd("--feed", f"unix:{control.path}", "--state", str(state), "--token-file", str(token)) as d:
        d.ready()
        d.wait_log("enrolment was refused; what was saved is served")
        assert d.ask("www.gslb.example.") == ["192.0.2.2"]
        d.hangup()
        d.wait_log("reloading")
        assert d.ask("www.gslb.example.") == ["192.0.2.2"]
        assert d.stop() == 0
    token.unlink()
    for feed in (f"unix:{control.path}", "https://127.0.0.1:1"):
        with Dnsd("--feed", feed, "--state", str(state), "--token-file", str(token)) as d:
            d.ready()
            d.wait_log("level=error.*no token to enrol with; what was saved is served")
            assert d.ask("www.gslb.example.") == ["192.0.2.2"]
            assert d.stop() == 0
    (state / "identity.json").write_text("{damaged")
    with Dnsd("--feed", f"unix:{control.path}", "--state", str(state)) as d:
        d.ready()
        d.wait_log("the feed cannot be followed; what was saved is served.*identity.json")
        assert d.ask("www.gslb.example.") == ["192.0.2.2"]
        assert d.stop() == 0


def test_an_unfinished_commit_is_never_served(tmp_path, control):
    with Dnsd("--feed", f"unix:{control.path}") as d:
        d.ready()
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.2"], what="revision 12")
        control.push(verdict("iad/iad", "down", 13)[0])
        control.cut()
        wait_for(lambda: len(control.requests) > 1, 10, "a new stream")
        assert d.ask("www.gslb.example.") == ["192.0.2.2"]


def test_a_revision_that_was_served_is_never_taken_back(tmp_path, control):
    with Dnsd("--feed", f"unix:{control.path}") as d:
        d.ready()
        wait_for(lambda: control.streams, what="the stream")
        control.push(*verdict("fra/fra", "up", 20))
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.1"], what="revision 20")
        control.cut()  # the next stream begins with the state of revision 12 of the same store
        d.wait_log("20 of the same lineage was served", 10)
        assert d.ask("www.gslb.example.") == ["192.0.2.1"]


def test_the_next_control_plane_is_tried(tmp_path, control):
    with Dnsd("--feed", f"unix:{tmp_path}/nobody,unix:{control.path}") as d:
        d.ready(10)
        wait_for(lambda: d.ask("www.gslb.example.") == ["192.0.2.2"], what="an answer")


@pytest.mark.skipif(shutil.which("strace") is None or SLOW > 1, reason="needs strace, and no sanitizer")
def test_a_worker_under_load_calls_the_kernel_only_to_wait_receive_and_send(zone, tmp_path):
    query = dns.message.make_query("www.example.", "A").to_wire()
    table = tmp_path / "table"
    with Dnsd("--zone", f"example={zone}", "--workers", "1", "--rrl-exempt", "none", "--rrl-rate", "100000") as d:
        d.ready()
        workers = [t for t in os.listdir(f"/proc/{d.process.pid}/task") if int(t) != d.process.pid]
        assert len(workers) == 1
        tracer = subprocess.Popen(["strace", "-c", "-U", "name,calls", "-o", str(table), "-p", workers[0]],
                                  stderr=subprocess.PIPE, text=True)
        if "attached" not in tracer.stderr.readline():
            pytest.skip("processes cannot be traced here")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((d.address, d.port))
            s.settimeout(5)
            for _ in range(200):
                for _ in range(50):
                    s.send(query)
                for _ in range(50):
                    s.recv(2048)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=10)
    rows = [line.split() for line in table.read_text().splitlines()]
    calls = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    calls.pop("total", None)
    assert set(calls) <= {"poll", "recvmmsg", "sendmmsg", "restart_syscall"}, calls
    assert calls["sendmmsg"] < 10000, calls
