# SPDX-License-Identifier: Apache-2.0
"""Nothing that answers do not need may stop them: a name server, and `veer run`, with things missing or broken around
them."""
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.request

import dns.message
import dns.query
import pytest

from dnsd_util import BUILD, SLOW, Dnsd, wait_for
from test_dnsd import FeedServer, feed_lines
from test_disk import disk  # noqa: F401: a fixture
from test_run import Run, free_port, is_alive, veer
from veer_util import Api

ANSWER = ["192.0.2.2"]
ZONE = "$TTL 60\n@ SOA ns1 admin 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.2\n"


@pytest.fixture
def saved(tmp_path):
    """A state directory with a good plan, whose control plane no longer exists."""
    control = FeedServer(str(tmp_path / "api.sock"), lambda path: feed_lines())
    state = str(tmp_path / "state")
    with Dnsd("--feed", f"unix:{control.path}", "--state", state) as d:
        d.ready()
        wait_for(lambda: d.ask("www.gslb.example.") == ANSWER, what="revision 12")
        assert d.stop() == 0
    control.close()
    return state


def missing(path):
    assert not os.path.exists(path)
    return path


def take_port():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    return s


def link_lock(state):
    os.unlink(f"{state}/lock")
    os.symlink("/etc/passwd", f"{state}/lock")


def block_control(state):
    os.mkdir(f"{state}/control.sock")


BROKEN = [
    ("geoip", lambda state: ["--geoip", missing("/nonexistent/city.mmdb")], None),
    ("geoip", lambda state: ["--geoip", os.path.abspath(__file__)], None),
    ("cookie_secret", lambda state: ["--cookie-secret-file", missing("/nonexistent/secret")], None),
    ("query_log", lambda state: ["--query-log", missing("/nonexistent/queries.log")], None),
    ("state", lambda state: [], link_lock),
    ("control", lambda state: [], block_control),
    ("control", lambda state: ["--control", missing("/nonexistent/control.sock")], None),
]


@pytest.mark.parametrize("part,options,before", BROKEN)
def test_a_saved_plan_is_served_without_the_part_and_that_is_said(saved, tmp_path, part, options, before):
    if before:
        before(saved)
    port = free_port()
    with Dnsd("--feed", f"unix:{tmp_path}/nobody", "--state", saved, "--metrics", f"127.0.0.1:{port}", *options(saved)) as d:
        d.ready()
        assert d.ask("www.gslb.example.") == ANSWER
        d.wait_log(f"level=error.*part={part}|{part.replace('_', ' ')} cannot be written")

        def metrics():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5 * SLOW) as reply:
                return reply.read().decode()
        wait_for(lambda: f'veer_degraded{{part="{part}"}} 1' in metrics(), what=metrics)
        assert len(re.findall(r'veer_degraded\{.*\} 1', metrics())) == 1
        assert d.stop() == 0


def test_zone_files_are_served_without_locations(tmp_path):
    (tmp_path / "zone").write_text(ZONE)
    with Dnsd("--zone", f"example={tmp_path}/zone", "--geoip", "/nonexistent/city.mmdb") as d:
        assert d.ready().ask("www.example.") == ANSWER


def test_an_address_for_metrics_that_is_taken_is_tried_again(saved, tmp_path):
    blocker = take_port()
    port = blocker.getsockname()[1]
    with Dnsd("--feed", f"unix:{tmp_path}/nobody", "--state", saved, "--metrics", f"127.0.0.1:{port}") as d:
        d.ready()
        assert d.ask("www.gslb.example.") == ANSWER
        d.wait_log("level=error.*part=metrics")
        blocker.close()
        d.wait_log("a part works again.*part=metrics", 15)
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5 * SLOW).status == 200


def test_a_damaged_plan_is_answered_from_the_copy_before(saved, tmp_path):
    os.unlink(f"{saved}/highest")
    os.rename(f"{saved}/plan.base", f"{saved}/plan.base.old")
    os.rename(f"{saved}/plan.journal", f"{saved}/plan.journal.old")
    with open(f"{saved}/plan.base.old", "rb") as f:
        damaged = bytearray(f.read())
    damaged[len(damaged) // 2] ^= 4
    with open(f"{saved}/plan.base", "wb") as f:
        f.write(damaged)
    with Dnsd("--feed", f"unix:{tmp_path}/nobody", "--state", saved) as d:
        d.ready()
        assert d.ask("www.gslb.example.") == ANSWER
        d.wait_log("level=error.*part=saved_plan")
        assert d.stop() == 0


def test_without_identity_and_token_a_saved_plan_is_served(saved):
    """As after the loss of identity.json: the only failure is that the feed cannot be followed."""
    with Dnsd("--feed", "https://127.0.0.1:1", "--state", saved) as d:
        d.ready()
        assert d.ask("www.gslb.example.") == ANSWER
        d.wait_log("level=error.*part=feed.*token")


def test_the_lock_of_another_process_is_still_respected(saved, tmp_path):
    with Dnsd("--feed", f"unix:{tmp_path}/nobody", "--state", saved) as d:
        d.ready()
        second = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--feed", f"unix:{tmp_path}/nobody",
                                 "--state", saved], stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
        assert second.returncode == 2


def test_a_state_directory_that_comes_back_is_used_again(tmp_path):
    api = Api(tmp_path).start()
    state = tmp_path / "state"
    state.write_text("in the way")
    try:
        assert api.call("POST", "/v1/zones", {"name": "t.example.", "nameservers": ["ns1.example.net."]}).status == 201
        with Dnsd("--feed", f"unix:{api.unix}", "--state", str(state)) as d:
            d.ready()
            wait_for(lambda: d.ask("t.example.", "NS") == ["ns1.example.net."], what="the zone")
            d.wait_log("level=error.*part=state")
            state.unlink()
            d.wait_log("a part works again.*part=state", 15)
            assert (state / "lock").exists()  # the plan is there after the next full state, half a minute later
            assert d.stop() == 0
        api.stop()
    finally:
        api.kill()


CHECKS = [
    ([], 0, ""),
    (["--geoip", "/nonexistent/city.mmdb"], 2, "/nonexistent/city.mmdb"),
    (["--cookie-secret-file", "/nonexistent/secret"], 2, "/nonexistent/secret"),
    (["--query-log", "/nonexistent/queries.log"], 2, "/nonexistent/queries.log"),
    (["--metrics", "nonsense"], 2, "--metrics nonsense"),
]


@pytest.mark.parametrize("options,code,word", CHECKS)
def test_a_check_of_the_configuration_refuses_what_is_missing(tmp_path, options, code, word):
    (tmp_path / "zone").write_text(ZONE)
    done = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@53", "--zone", f"example={tmp_path}/zone",
                           "--check-config", *options], stderr=subprocess.PIPE, text=True, timeout=20 * SLOW)
    assert done.returncode == code, done.stderr
    assert word in (done.stderr.splitlines() or [""])[-1]


# --- veer run --------------------------------------------------------------------------------------------------


def ask(port, name, rdtype="A"):
    query = dns.message.make_query(name, rdtype)
    reply = dns.query.udp(query, "127.0.0.1", port=port, timeout=2 * SLOW)
    return sorted(r.to_text() for rrset in reply.answer for r in rrset)


class Asking:
    """Asks every few milliseconds and counts the queries that get no answer."""

    def __init__(self, port, name, want):
        self.asked, self.lost = 0, []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(port, name, want))
        self.thread.start()

    def run(self, port, name, want):
        while not self.stopping.wait(0.005):
            self.asked += 1
            try:
                got = ask(port, name)
                if got != want:
                    self.lost.append(got)
            except Exception as error:  # pylint: disable=broad-except
                self.lost.append(repr(error))

    def stop(self):
        self.stopping.set()
        self.thread.join()


def add_zone(r, tmp_path):
    path = tmp_path / "zone"
    path.write_text(ZONE)
    assert veer("zone", "import", "t.example.", path, "--api", r.api).returncode == 0
    wait_for(lambda: ask(r.dns_port, "www.t.example.") == ANSWER, 10, "the zone")


def end(r, pids):
    r.kill()
    for pid in pids:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_killed_hard_it_leaves_the_name_server_answering_and_the_next_one_takes_its_place(tmp_path):
    r = Run(tmp_path).start(seconds=30)
    children = r.children()
    add_zone(r, tmp_path)
    asking = Asking(r.dns_port, "www.t.example.", ANSWER)
    r.leaves_name_server = True
    r.kill()
    r.leaves_name_server = False
    try:
        wait_for(lambda: not any(is_alive(pid) for name, pid in children.items() if name != "veer-dnsd"), 15, "the others end")
        assert is_alive(children["veer-dnsd"])
        r.start(seconds=30)
        wait_for(lambda: not is_alive(children["veer-dnsd"]), 15, "the old name server ends")
        assert ask(r.dns_port, "www.t.example.") == ANSWER
        asking.stop()
        assert asking.asked > 20 and not asking.lost
        r.stop(30)
        assert not any(is_alive(pid) for pid in r.children().values())
    finally:
        asking.stop()
        end(r, [*children.values(), *r.children().values()])


def test_a_name_server_that_hangs_is_noticed_and_started_again(tmp_path):
    r = Run(tmp_path, probes=0).start(seconds=30)
    try:
        add_zone(r, tmp_path)
        pid = r.children()["veer-dnsd"]
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: r.children()["veer-dnsd"] != pid, 30, r.said)
        assert "it hangs" in r.said()
        wait_for(lambda: r.said().count("event=ready child=veer-dnsd") == 2, 10, r.said)
        assert ask(r.dns_port, "www.t.example.") == ANSWER
        r.stop(30)
    finally:
        end(r, r.children().values())


def test_a_missing_certificate_and_location_file_stop_no_answers(tmp_path):
    r = Run(tmp_path, probes=0).start(seconds=30)
    add_zone(r, tmp_path)
    r.stop(30)
    with open(r.config, encoding="utf-8") as f:
        text = f.read()
    with open(r.config, "w", encoding="utf-8") as f:
        f.write(text.replace("api:\n", "api:\n  tls_cert: /nonexistent/cert.pem\n  tls_key: /nonexistent/key.pem\n")
                + "  geoip: [\"/nonexistent/city.mmdb\"]\n")
    done = veer("run", "--check-config", r.config)
    assert done.returncode == 2 and re.search(r"veer\.yaml:\d+: .*/nonexistent/cert\.pem", done.stderr), done.stderr
    r.start(ready=False)
    try:
        def answers():
            try:
                return ask(r.dns_port, "www.t.example.") == ANSWER
            except (OSError, dns.exception.Timeout):
                return False
        wait_for(answers, 20, r.said)
        wait_for(lambda: "/nonexistent/cert.pem" in r.said() and "/nonexistent/city.mmdb" in r.said(), 10, r.said)
        r.stop(30)
    finally:
        end(r, r.children().values())


def test_a_disk_that_became_read_only_stops_no_answers(disk, tmp_path):  # noqa: F811: the fixture
    r = Run(disk, probes=1).start(seconds=30)
    add_zone(r, tmp_path)
    r.stop(30)
    r.log_path = str(tmp_path / "second.log")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    r.start(ready=False)
    try:
        def answers():
            try:
                return ask(r.dns_port, "www.t.example.") == ANSWER
            except (OSError, dns.exception.Timeout):
                return False
        wait_for(answers, 20, r.said)
        assert "cannot be written in" in r.said()
        r.stop(30)
    finally:
        end(r, r.children().values())
        subprocess.run(["mount", "-o", "remount,rw", disk], check=False)


def test_what_a_name_server_does_without_stands_in_the_status(tmp_path):
    r = Run(tmp_path, probes=0)
    with open(r.config, "a", encoding="utf-8") as f:
        f.write("  geoip: [\"/nonexistent/city.mmdb\"]\n")
    r.start(seconds=30)
    try:
        wait_for(lambda: "without geoip" in veer("status", "--api", r.api).stdout, 10, "the status")
        r.stop(30)
    finally:
        end(r, r.children().values())
