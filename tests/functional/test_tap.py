# SPDX-License-Identifier: Apache-2.0
"""The query log and dnstap: their contents, and that answers are not delayed, whether the output is read or not."""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.request

import dns.message
import pytest

from dnsd_util import BUILD, SLOW, Dnsd, wait_for

ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 900 300 604800 60\n@ NS ns1\nns1 A 192.0.2.53\n"
HAS_DNSTAP = "libfstrm" in subprocess.run(["ldd", os.path.join(BUILD, "veer-dnsd")], capture_output=True, text=True,
                                          check=False).stdout


@pytest.fixture
def start(tmp_path):
    (tmp_path / "zone").write_text(ZONE)
    started = []

    def start_one(*args, **kw):
        d = Dnsd("--zone", f"example={tmp_path}/zone", "--workers", "2", "--metrics", "127.0.0.1:0", *args, **kw)
        started.append(d)
        d.ready()
        d.metrics_port = int(re.search(r'metrics served.*address="?127.0.0.1:(\d+)', d.log()).group(1))
        return d

    yield start_one
    for d in started:
        if d.process.poll() is None:
            d.kill()
        assert "Sanitizer" not in d.log(), d.log()


def metric(server, sample):
    text = urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10 * SLOW).read().decode()
    return float(re.search("^" + re.escape(sample) + " (.*)$", text, re.M).group(1))


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def flood(server, count):
    """Send queries and read replies meanwhile. Return the number of replies."""
    packet = dns.message.make_query("ns1.example.", "A").to_wire()
    replies = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((server.address, server.port))
        s.settimeout(5 * SLOW)
        for _ in range(count // 50):
            for _ in range(50):
                s.send(packet)
            for _ in range(50):
                s.recv(512)
                replies += 1
    return replies


# --- the query log ---------------------------------------------------------------------------------------------


def test_every_query_is_a_line(tmp_path, start):
    log = tmp_path / "queries"
    server = start("--query-log", str(log), listen=("127.0.0.1@0", "::1@0"))
    server.ask("ns1.example.")
    server.ask("NOPE.example.", "TXT", tcp=True)
    server.address, server.port = server.addresses[1]
    server.ask("other.test.", "MX")
    wait_for(lambda: len(lines(log)) == 3, what="three lines")
    text = "\n".join(sorted(lines(log)))
    assert re.search(r"^ts=\S+Z client=127.0.0.1 port=\d+ proto=udp name=ns1.example. type=A rcode=NOERROR query_size=29 size=45$", text, re.M)
    assert re.search(r"client=127.0.0.1 port=\d+ proto=tcp name=NOPE.example. type=TXT rcode=NXDOMAIN ", text)
    assert re.search(r"client=::1 port=\d+ proto=udp name=other.test. type=MX rcode=REFUSED ", text)
    assert os.stat(log).st_mode & 0o777 == 0o640
    assert metric(server, "veer_query_log_lines_total") == 3
    assert metric(server, 'veer_tap_lost_total{at="ring"}') == 0
    # when the file is moved away, a new one is begun
    os.rename(log, tmp_path / "queries.1")
    server.hangup()
    wait_for(log.exists, what="a new file")
    server.ask("ns1.example.")
    wait_for(lambda: len(lines(log)) == 1, what="a line in the new file")
    assert len(lines(tmp_path / "queries.1")) == 3
    assert server.stop() == 0


def test_lines_as_json_and_what_is_left_at_the_end(tmp_path):
    (tmp_path / "zone").write_text(ZONE)
    out = open(tmp_path / "out", "wb")
    process = subprocess.Popen([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", f"example={tmp_path}/zone",
                                "--workers", "1", "--query-log", "-", "--log-format", "json"], stdout=out, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if json.loads(line)["event"] == "ready":
                port = int(json.loads(line)["listen"].split("@")[1])
                break
        asker = Dnsd.__new__(Dnsd)
        asker.address, asker.port = "127.0.0.1", port
        asker.ask("ns1.example.")
        asker.ask('qu"ote\\\\.example.')
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10 * SLOW) == 0
    finally:
        process.kill()
        process.stderr.close()
        out.close()
    entries = [json.loads(line) for line in lines(tmp_path / "out")]
    assert [e["name"] for e in entries] == ["ns1.example.", 'qu\\"ote\\\\.example.']
    assert entries[0]["rcode"] == "NOERROR" and entries[0]["size"] == 45 and entries[0]["proto"] == "udp"


def test_one_of_ten_is_a_line(tmp_path, start):
    log = tmp_path / "queries"
    server = start("--query-log", str(log), "--query-log-sample", "10")
    assert flood(server, 5000) == 5000
    assert server.stop() == 0
    assert 400 < len(lines(log)) < 600


def test_a_pipe_that_nobody_reads_does_not_delay_answers(tmp_path, start):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    server = start("--query-log", str(pipe))
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    server.ask("ns1.example.")
    wait_for(lambda: metric(server, "veer_query_log_lines_total") >= 1, what="the first line")
    begun = time.monotonic()
    assert flood(server, 20000) == 20000
    assert time.monotonic() - begun < 20 * SLOW
    wait_for(lambda: metric(server, 'veer_tap_lost_total{at="query_log"}') > 0, what="losses")
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 3 * SLOW
    os.close(reader)


def test_a_full_disk_does_not_either(start):
    server = start("--query-log", "/dev/full")
    assert flood(server, 2000) == 2000
    wait_for(lambda: metric(server, 'veer_tap_lost_total{at="query_log"}') == 2000, what="losses")
    assert len(re.findall("the query log cannot be written", server.log())) == 1
    assert server.stop() == 0


@pytest.mark.parametrize("option,value", [("--dnstap", "tcp:1.2.3.4"), ("--dnstap", "unix:" + 120 * "x")])
def test_what_cannot_be_opened_is_said(tmp_path, option, value):
    (tmp_path / "zone").write_text(ZONE)
    done = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", f"example={tmp_path}/zone",
                           option, value], stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
    assert done.returncode == 2 and f"{option} {value}"[:80] in done.stderr.splitlines()[-1], done.stderr


# --- dnstap ----------------------------------------------------------------------------------------------------


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """A protocol buffer as {number: value}."""
    at, out = 0, {}
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        else:
            assert key & 7 == 2, key
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        assert key >> 3 not in out
        out[key >> 3] = value
    assert at == len(data)
    return out


def frames(data):
    """The data frames of a frame stream."""
    at, out = 0, []
    while at < len(data):
        size, at = struct.unpack_from("!I", data, at)[0], at + 4
        if size == 0:  # a control frame
            size, at = struct.unpack_from("!I", data, at)[0], at + 4
        else:
            out.append(data[at:at + size])
        at += size
    return out


class Collector:
    """A running fstrm_capture."""

    def __init__(self, directory, number=0):
        self.path = directory / "tap.sock"
        self.out = directory / f"tap.{number}"
        if self.path.exists():
            self.path.unlink()
        self.process = subprocess.Popen(["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", str(self.path), "-w", str(self.out)],
                                        stderr=subprocess.DEVNULL)
        wait_for(self.path.exists, what="the collector")

    def messages(self):
        """The messages that it received, after it has stopped: pairs of a Dnstap and its Message."""
        return [(fields(f), fields(fields(f)[14])) for f in frames(self.out.read_bytes())]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


needs_dnstap = pytest.mark.skipif(not HAS_DNSTAP or shutil.which("fstrm_capture") is None, reason="built without libfstrm")


@needs_dnstap
def test_a_collector_gets_queries_and_replies(tmp_path, start):
    collector = Collector(tmp_path)
    try:
        server = start("--dnstap", f"unix:{collector.path}", "--nsid", "ns7", listen=("127.0.0.1@0", "::1@0"))
        before = time.time()
        server.ask("ns1.example.")
        server.ask("ns1.EXAMPLE.", tcp=True)
        server.address, server.port = server.addresses[1]
        server.ask("nope.example.", "TXT")
        assert server.stop() == 0
    finally:
        collector.stop()
    messages = collector.messages()
    assert len(messages) == 6
    for outer, inner in messages:
        assert outer[1] == b"ns7" and outer[2].startswith(b"veer-dnsd ") and outer[15] == 1
        assert before - 1 < inner[8] + inner[9] / 1e9 < time.time() + 1 and 0 < inner[6] < 65536
    queries = [m for _, m in messages if m[1] == 1]
    replies = [m for _, m in messages if m[1] == 2]
    assert {(q[2], q[3], bytes(q[4])) for q in queries} == {(1, 1, bytes([127, 0, 0, 1])), (1, 2, bytes([127, 0, 0, 1])),
                                                             (2, 1, bytes(15) + b"\1")}
    for q, r in zip(queries, replies):
        query, reply = dns.message.from_wire(q[10]), dns.message.from_wire(r[14])
        assert query.is_response(reply) and q[6] == r[6] and 10 not in r and 14 not in q
    assert sorted(dns.message.from_wire(q[10]).question[0].to_text() for q in queries) == [
        "nope.example. IN TXT", "ns1.EXAMPLE. IN A", "ns1.example. IN A"]


@needs_dnstap
def test_a_collector_may_come_late_and_come_back(tmp_path, start):
    server = start("--dnstap", f"unix:{tmp_path}/tap.sock")
    server.ask("ns1.example.")
    for number in range(2):
        collector = Collector(tmp_path, number)
        try:
            deadline = time.monotonic() + 15 * SLOW
            while not collector.out.exists() or len(collector.out.read_bytes()) < 300:
                server.ask("ns1.example.")
                collector.process.send_signal(signal.SIGHUP)
                time.sleep(0.1)
                assert time.monotonic() < deadline
        finally:
            collector.stop()
    assert server.stop() == 0


@needs_dnstap
def test_a_collector_that_does_not_read_delays_neither_answers_nor_the_end(tmp_path, start):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.bind(str(tmp_path / "tap.sock"))
        s.listen(1)
        server = start("--dnstap", f"unix:{tmp_path}/tap.sock")
        assert flood(server, 20000) == 20000
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 6 * SLOW
