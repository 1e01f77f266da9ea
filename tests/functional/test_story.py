#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The story of the demonstration with the real programs: a site fails, the answers move, and every program is killed in
turn."""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import time

import dns.edns
import dns.message
import dns.query
import dns.rdatatype
import pytest

BUILD = os.environ.get("VEER_BUILD", os.path.join(os.path.dirname(__file__), "../../build"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SLOW = 4 if "thread" in os.path.basename(BUILD) or "address" in os.path.basename(BUILD) else 1
ROUNDS = 50 if SLOW == 1 else 10
ADDRESS = {"fra": "127.0.1.1", "iad": "127.0.1.2", "sin": "127.0.1.3"}


def free_port(kind, addresses):
    """A port that is free on all addresses, for programs that have one port option."""
    for _ in range(100):
        socks = []
        try:
            port = 0
            for address in addresses:
                s = socket.socket(socket.AF_INET, kind)
                socks.append(s)
                s.bind((address, port))
                port = s.getsockname()[1]
            return port
        except OSError:
            continue
        finally:
            for s in socks:
                s.close()
    raise RuntimeError("no free port")


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds * SLOW} s: {what() if callable(what) else what}"
        time.sleep(0.005)


class Demo:
    """`veer demo run` from a copy of the programs, on its own ports."""

    def __init__(self, directory):
        self.bin = os.path.join(directory, "build")
        os.mkdir(self.bin)
        for name in ("veer", "veer-api", "veer-dnsd", "veer-probe"):
            shutil.copy(os.path.join(BUILD, name), self.bin)
        os.symlink(os.path.join(ROOT, "tests"), os.path.join(directory, "tests"))
        self.dns_port = free_port(socket.SOCK_DGRAM, ["127.0.0.1"])
        self.env = dict(os.environ, DNS_PORT=str(self.dns_port),
                        API_PORT=str(free_port(socket.SOCK_STREAM, ["127.0.0.1"])),
                        SITE_PORT=str(free_port(socket.SOCK_STREAM, list(ADDRESS.values()))))
        self.env.pop("VEER_API", None)
        self.out = open(os.path.join(directory, "out"), "w+")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([os.path.join(self.bin, "veer"), "demo", "run"], env=self.env, stdout=self.out,
                                        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        wait_until(lambda: "event=ready" in self.said(), 60, self.said)

    def said(self):
        assert self.process.poll() is None, "the demonstration ended:\n" + self.read()
        return self.read()

    def read(self):
        with open(self.out.name, encoding="utf-8") as f:
            return f.read()

    def is_saved(self):
        """Is the newest revision of the feed on the name server's disk? (It is served before that.)"""
        with open(os.path.join(self.bin, "demo", "state", "dnsd", "highest"), encoding="utf-8") as f:
            return int(f.read().split()[1]) >= max(n["revision"] for n in self.status()["nameservers"])

    def complaints(self):
        """The errors that sanitizers wrote into the programs' logs."""
        found = []
        logs = os.path.join(self.bin, "demo", "log")
        for name in os.listdir(logs):
            with open(os.path.join(logs, name), encoding="utf-8", errors="replace") as f:
                text = f.read()
            if "Sanitizer" in text or "runtime error" in text:
                found.append(name + ":\n" + text[-8000:])
        return found

    def veer(self, *args, check=True):
        p = subprocess.run([os.path.join(self.bin, "veer"), *args], env=self.env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=60, text=True)
        assert not check or p.returncode == 0, p.stdout
        return p.stdout

    def status(self):
        return json.loads(self.veer("status", "--json"))

    def ask(self, name="www.gslb.example.", subnet=None, timeout=2):
        options = [dns.edns.ECSOption(subnet, 32)] if subnet else None
        query = dns.message.make_query(name, "A", use_edns=0, options=options)
        reply = dns.query.udp(query, "127.0.0.1", port=self.dns_port, timeout=timeout)
        return sorted(r.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for r in rrset)

    def try_ask(self):
        try:
            return self.ask(timeout=0.2)
        except Exception:  # noqa: not serving (yet)
            return None

    def children(self, *words):
        """Processes of this demonstration whose command line holds all the words."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    line = f.read().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if line.startswith(self.bin) and all(w in line for w in words):
                found.append(int(pid))
        return found

    def only_child(self, *words):
        found = self.children(*words)
        assert len(found) == 1, (words, found)
        return found[0]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        self.out.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    d = Demo(str(tmp_path_factory.mktemp("story")))
    try:
        d.start()
        yield d
    finally:
        d.stop()


def verdicts(demo):
    return {e["endpoint"]: e["state"] for e in demo.status()["endpoints"]}


def moves_to(demo, expected, seconds, what):
    wait_until(lambda: demo.try_ask() == expected, seconds, what)


def test_it_says_what_to_try(demo):
    wait_until(lambda: "Ctrl-C ends everything" in demo.said(), 30, demo.said)
    assert f"dig +short @127.0.0.1 -p {demo.dns_port} www.gslb.example" in demo.said()
    assert demo.ask() == [ADDRESS["fra"]]


def test_weighted_gives_each_its_share(demo):
    seen = [demo.ask("any.gslb.example.")[0] for _ in range(200)]
    assert set(seen) == set(ADDRESS.values())
    assert 60 <= seen.count(ADDRESS["fra"]) <= 140  # half of 200, six standard deviations


def test_match_follows_the_client_subnet(demo):
    assert demo.ask("geo.gslb.example.", "81.2.69.160") == [ADDRESS["fra"]]
    assert demo.ask("geo.gslb.example.", "216.160.83.56") == [ADDRESS["iad"]]


def test_a_stopped_site_leaves_the_answers_and_comes_back(demo):
    times = []
    for _ in range(ROUNDS):
        begin = time.monotonic()
        demo.veer("demo", "stop", "fra")
        moves_to(demo, [ADDRESS["iad"]], 10, "fra is still answered")
        times.append(time.monotonic() - begin)
        demo.veer("demo", "start", "fra")
        moves_to(demo, [ADDRESS["fra"]], 10, "fra does not come back")
        wait_until(lambda: set(verdicts(demo).values()) == {"up"}, 10, "not all are up")
    print(f"\nfailover: median {statistics.median(times) * 1000:.0f} ms, max {max(times) * 1000:.0f} ms, n={len(times)}")
    assert max(times) <= 1.5 * SLOW


def test_all_down_answers_as_if_all_were_up(demo):
    for site in ADDRESS:
        demo.veer("demo", "stop", site)
    wait_until(lambda: set(verdicts(demo).values()) == {"down"}, 10, "not all are down")
    for _ in range(20):
        assert demo.ask() == [ADDRESS["fra"]]
        assert demo.ask("any.gslb.example.")[0] in ADDRESS.values()
    for site in ADDRESS:
        demo.veer("demo", "start", site)
    wait_until(lambda: set(verdicts(demo).values()) == {"up"}, 10, "not all came back")


def test_answers_go_on_while_veer_api_is_dead(demo):
    before = demo.status()["revision"]
    os.kill(demo.only_child("veer-api"), signal.SIGKILL)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        assert demo.ask() == [ADDRESS["fra"]]
    wait_until(lambda: demo.veer("status", "--json", check=False).startswith("{"), 20, "veer-api does not come back")
    assert demo.status()["revision"] > before
    # The new controller decides as the old one did.
    wait_until(lambda: all(a["state"] == "reporting" for a in demo.status()["agents"]), 20, demo.status)
    demo.veer("demo", "stop", "fra")
    moves_to(demo, [ADDRESS["iad"]], 10, "the restarted controller does not fail over")
    demo.veer("demo", "start", "fra")
    moves_to(demo, [ADDRESS["fra"]], 10, "the restarted controller does not restore")


def test_a_name_server_that_starts_alone_serves_the_saved_plan(demo):
    demo.veer("demo", "stop", "fra")
    moves_to(demo, [ADDRESS["iad"]], 10, "no failover")
    wait_until(demo.is_saved, 10, "the plan is not on disk")
    api, dnsd = demo.only_child("veer-api"), demo.only_child("veer-dnsd")
    os.kill(api, signal.SIGSTOP)  # so that its supervisor does not restart it, and the feed gets no answer
    try:
        os.kill(dnsd, signal.SIGKILL)
        begin = time.monotonic()
        wait_until(lambda: demo.try_ask() == [ADDRESS["iad"]], 5, "the saved plan is not served")
        took = time.monotonic() - begin
        print(f"\nalone after kill -9: served within {took * 1000:.0f} ms")
        assert took <= 1.0 * SLOW
    finally:
        os.kill(api, signal.SIGCONT)
    demo.veer("demo", "start", "fra")
    moves_to(demo, [ADDRESS["fra"]], 20, "no restoration after veer-api is back")


def test_no_verdict_changes_while_fewer_than_the_quorum_speak(demo):
    wait_until(lambda: set(verdicts(demo).values()) == {"up"}, 20, "not all are up")
    stopped = [demo.only_child("veer-probe", f"probe-{name}") for name in ("us-1", "ap-1")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)  # silent, and not restarted
    try:
        wait_until(lambda: sum(a["state"] == "silent" for a in demo.status()["agents"]) == 2, 20, demo.status)
        demo.veer("demo", "stop", "fra")
        begin = time.monotonic()
        while time.monotonic() < begin + 3:
            assert demo.ask() == [ADDRESS["fra"]]
        page = demo.veer("status")
        assert "no quorum: 1 of 2 needed agents speak" in page, page
        assert "silent" in page, page
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    moves_to(demo, [ADDRESS["iad"]], 20, "no failover after the agents are back")
    demo.veer("demo", "start", "fra")
    moves_to(demo, [ADDRESS["fra"]], 20, "no restoration")


def test_killed_agents_come_back_with_their_identity(demo):
    ids = {a["id"] for a in demo.status()["agents"]}
    for name in ("us-1", "ap-1"):
        os.kill(demo.only_child("veer-probe", f"probe-{name}"), signal.SIGKILL)
    wait_until(lambda: all(a["state"] == "reporting" for a in demo.status()["agents"]) and
               len(demo.children("veer-probe")) == 3, 20, demo.status)
    assert {a["id"] for a in demo.status()["agents"]} == ids
    assert set(verdicts(demo).values()) == {"up"}


def test_ctrl_c_leaves_nothing_behind(demo):
    demo.veer("demo", "stop", "sin")
    demo.veer("demo", "start", "sin")
    assert demo.children() != []
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30 * SLOW) == 0
    wait_until(lambda: demo.children() == [], 10, demo.children)
    assert demo.complaints() == []
    # A second run starts clean.
    demo.start()
    moves_to(demo, [ADDRESS["fra"]], 30, "the second run does not serve")
