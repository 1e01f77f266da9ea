# SPDX-License-Identifier: Apache-2.0
"""veer-dnsd's GET /metrics: what it reports, and that no client can delay it."""
import http.client
import os
import re
import resource
import socket
import subprocess
import time

import pytest

from dnsd_util import BUILD, Dnsd, SLOW, descriptors_of, wait_for

ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 900 300 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "zone").write_text(ZONE)
    with Dnsd("--zone", f"example={tmp_path}/zone", "--workers", "2", "--metrics", "127.0.0.1:0",
              listen=("127.0.0.1@0", "::1@0")) as d:
        d.ready()
        d.metrics_port = int(re.search(r'metrics served.*address="?127.0.0.1:(\d+)', d.log()).group(1))
        yield d


def get(server, path="/metrics", method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", server.metrics_port, timeout=5 * SLOW)
    connection.request(method, path)
    reply = connection.getresponse()
    return reply.status, reply.getheader("Content-Type"), reply.read().decode()


def value(server, sample):
    status, kind, text = get(server)
    assert status == 200 and kind == "text/plain; version=0.0.4; charset=utf-8"
    return float(re.search("^" + re.escape(sample) + " (.*)$", text, re.M).group(1))


def test_what_was_asked_is_counted(server):
    for _ in range(3):
        server.ask("ns1.example.")
    server.ask("ns1.example.", "AAAA", tcp=True)
    server.ask("nope.example.", "TXT")
    wait_for(lambda: value(server, 'veer_dns_requests_total{proto="udp",family="ipv4",type="A"}') == 3, what="3 A over UDP")
    assert value(server, 'veer_dns_requests_total{proto="tcp",family="ipv4",type="AAAA"}') == 1
    assert value(server, 'veer_dns_responses_total{rcode="NXDOMAIN"}') == 1
    assert value(server, 'veer_dns_responses_total{rcode="NOERROR"}') == 4
    assert value(server, "veer_dns_tcp_accepted_total") == 1
    server.address, server.port = server.addresses[1]
    server.ask("ns1.example.")
    wait_for(lambda: value(server, 'veer_dns_requests_total{proto="udp",family="ipv6",type="A"}') == 1, what="A over IPv6")
    assert value(server, "veer_zones") == 1 and value(server, "veer_plan_revision") == 1
    assert 0 <= value(server, "veer_plan_age_seconds") < 60 * SLOW
    server.hangup()
    wait_for(lambda: value(server, "veer_plan_revision") == 2, what="the next plan")


def test_times_and_sizes_are_counted(server):
    for _ in range(5):
        server.ask("ns1.example.")
    for _ in range(3):
        server.ask("ns1.example.", tcp=True)
    family = "veer_dns_request_duration_seconds"
    wait_for(lambda: value(server, family + '_count{proto="udp"}') == 5, what="five times")
    wait_for(lambda: value(server, family + '_count{proto="tcp"}') == 3, what="three times")
    for proto, count in (("udp", 5), ("tcp", 3)):
        assert 0 < value(server, f'{family}_sum{{proto="{proto}"}}') < count * SLOW
        for family2 in ("veer_dns_request_size_bytes", "veer_dns_response_size_bytes"):
            assert value(server, f'{family2}_count{{proto="{proto}"}}') == count
            assert 20 * count < value(server, f'{family2}_sum{{proto="{proto}"}}') < 128 * count
            assert value(server, f'{family2}_bucket{{proto="{proto}",le="128"}}') == count


def test_the_first_zones_are_counted_one_by_one(tmp_path):
    (tmp_path / "zone").write_text(ZONE)
    zones = [arg for name in ("a.test", "b.test", "c.test") for arg in ("--zone", f"{name}={tmp_path}/zone")]
    with Dnsd(*zones, "--workers", "2", "--metrics", "127.0.0.1:0", "--zone-metrics", "2") as d:
        d.ready()
        d.metrics_port = int(re.search(r'metrics served.*address="?127.0.0.1:(\d+)', d.log()).group(1))
        for name, count in (("a.test.", 3), ("b.test.", 2), ("c.test.", 1), ("d.test.", 1)):
            for _ in range(count):
                d.ask(name, "SOA")
        wait_for(lambda: value(d, 'veer_zone_queries_total{zone="a.test."}') == 3, what="three queries")
        assert value(d, 'veer_zone_queries_total{zone="b.test."}') == 2
        assert "c.test" not in get(d)[2]
        d.hangup()
        wait_for(lambda: value(d, "veer_plan_revision") == 2, what="the next plan")
        d.ask("a.test.", "SOA")
        wait_for(lambda: value(d, 'veer_zone_queries_total{zone="a.test."}') == 4, what="another query")


def test_other_requests_are_refused(server):
    assert get(server, "/metrics?x=1")[0] == 200
    assert get(server, "/")[0] == 404 and get(server, "/metricsx")[0] == 404 and get(server, "/metric")[0] == 404
    assert get(server, method="POST")[0] == 405
    status, _, text = get(server, method="HEAD")
    assert status == 200 and text == ""
    for request in (b"nonsense\r\n\r\n", b"GET /metrics\r\n\r\n", b"\r\n\r\n", b"GET /metrics FTP/1.1\r\n\r\n", b"\0\0\r\n\r\n"):
        assert raw(server, request).startswith(b"HTTP/1.1 400 "), request
    assert raw(server, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 5000).startswith((b"HTTP/1.1 431 ", b""))
    assert get(server)[0] == 200


def raw(server, request):
    with socket.create_connection(("127.0.0.1", server.metrics_port), timeout=10 * SLOW) as s:
        s.sendall(request)
        data = b""
        try:
            while more := s.recv(65536):
                data += more
        except ConnectionResetError:
            pass
        return data


def test_idle_connections_neither_stay_nor_delay_queries(server):
    idle = [socket.create_connection(("127.0.0.1", server.metrics_port)) for _ in range(40)]
    idle[0].sendall(b"GET /metr")
    assert server.ask("ns1.example.") == ["192.0.2.53"]
    for s in idle:  # connections beyond the limit end at once, the others at their deadline
        s.settimeout(10 * SLOW)
        assert s.recv(1) == b""
    assert get(server)[0] == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "unix:/tmp/x", "127.0.0.1:x"])
def test_an_address_that_cannot_be_used_is_said(tmp_path, address):
    (tmp_path / "zone").write_text(ZONE)
    run = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", f"example={tmp_path}/zone",
                          "--metrics", address], stderr=subprocess.PIPE, text=True, timeout=20)
    assert run.returncode == 2 and f"--metrics {address}: " in run.stderr.splitlines()[-1]


def test_without_descriptors_the_scraper_waits_and_nobody_spins(server):
    pid = server.process.pid
    used = descriptors_of(pid)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)

    def ran_ns():
        with open(f"/proc/{pid}/task/{pid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0])

    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, hard))
    with socket.create_connection(("127.0.0.1", server.metrics_port), timeout=5 * SLOW) as s:
        s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        time.sleep(0.3)
        before = ran_ns()
        time.sleep(1)
        assert ran_ns() - before < 20_000_000 * SLOW
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert s.recv(64).startswith(b"HTTP/1.1 200 ")
