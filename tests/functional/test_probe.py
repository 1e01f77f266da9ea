# SPDX-License-Identifier: Apache-2.0
"""The real veer-probe against a small control plane and small sites, all on loopback."""
import json
import os
import select
import signal
import stat
import subprocess
import time

import pytest

from probe_api import AGENT, CREDENTIAL, STORE_ID, TOKEN, FakeApi, Site

PROBE = os.path.join(os.environ.get("VEER_BUILD", "build"), "veer-probe")


class Agent:
    """A running veer-probe."""

    def __init__(self, directory, api, region="eu", extra=()):
        self.state = os.path.join(directory, "state")
        token = os.path.join(directory, "token")
        with open(token, "w") as f:
            f.write(TOKEN + "\n")
        self.log = ""
        self.process = subprocess.Popen(
            [PROBE, "--api", api, "--token-file", token, "--state", self.state, "--region", region,
             "--allow-targets", "loopback", *extra], stderr=subprocess.PIPE)

    def wait_for(self, word, timeout=10.0):
        end = time.monotonic() + timeout
        while word not in self.log:
            left = end - time.monotonic()
            assert left > 0, f"no '{word}' in: {self.log}"
            ready, _, _ = select.select([self.process.stderr], [], [], left)
            data = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            assert data or not ready, f"ended without '{word}': {self.log}"
            self.log += data.decode()

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        rest = self.process.communicate(timeout=10)[1]
        self.log += rest.decode()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=10)


@pytest.fixture
def world(tmp_path):
    """An API, a site and a list of agents, which end with the test."""

    class World:
        api = FakeApi()
        site = Site()
        agents = []

        def agent(self, **more):
            self.agents.append(Agent(str(tmp_path), more.pop("url", self.api.url), **more))
            return self.agents[-1]

        def check(self, **more):
            return {"name": "web", "kind": "http", "port": self.site.port, "interval_ms": 200, "timeout_ms": 150,
                    "fall": 2, "rise": 2, **more}

        def item(self, endpoint="p/a", address="127.0.0.1", check="web", phase_ms=0):
            return {"check": check, "endpoint": endpoint, "address": address, "phase_ms": phase_ms}

    w = World()
    w.agents = []
    yield w
    for agent in w.agents:
        agent.kill()
    w.api.close()
    w.site.close()


def states(report):
    return [item[0] for item in report["items"]]


def test_enrols_once_probes_and_reports(world):
    world.api.assign(7, [world.check(host="www.example.com")], [world.item(), world.item("p/b", "127.0.0.2")])
    agent = world.agent()
    agent.wait_for("ready")
    _, report = world.api.wait(lambda r: states(r) == ["u", "d"])
    assert report["assignment_revision"] == 7
    assert report["format"] == 1 and report["blind"] is False
    assert len(report["boot"]) == 16
    assert [item[1] for item in report["items"]] == ["ok", "connect_refused"]
    assert report["items"][0][3] > 0
    assert world.site.hosts == {"www.example.com"}
    with open(os.path.join(agent.state, "identity.json")) as f:
        identity = json.load(f)
    assert len(identity.pop("token_sha256")) == 64
    assert identity == {"id": AGENT, "credential": CREDENTIAL, "name": "eu-1", "region": "eu", "store_id": STORE_ID,
                        "api": world.api.url}
    assert stat.S_IMODE(os.stat(os.path.join(agent.state, "identity.json")).st_mode) == 0o600
    assert agent.stop() == 0
    # Now the agent has an identity: it does not enrol again, and does not need the token.
    agent = world.agent()
    agent.wait_for("ready")
    _, again = world.api.wait(lambda r: states(r) == ["u", "d"])
    assert again["boot"] != report["boot"]
    assert world.api.enrolments == 1
    assert agent.stop() == 0


def test_reports_every_period_with_rising_numbers(world):
    world.api.assign(1, [world.check()], [world.item()], report_ms=200)
    world.agent().wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"])
    start = len(world.api.reports)
    time.sleep(2.0)
    got = world.api.reports[start:]
    assert 8 <= len(got) <= 13
    numbers = [report["seq"] for _, report in world.api.reports]
    assert numbers == sorted(set(numbers))
    assert all(report["items"][0][2] < 500 for _, report in got)


def test_a_change_is_reported_at_once(world):
    world.api.assign(1, [world.check(fall=3)], [world.item()], report_ms=5000)
    world.agent().wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"])
    world.site.status = 500
    at, report = world.api.wait(lambda r: states(r) == ["f"])
    assert report["items"][0][1] == "http_status"
    first_failure = world.site.hits[-1]
    assert at - first_failure < 0.15
    at, _ = world.api.wait(lambda r: states(r) == ["d"])
    assert at - world.site.hits[-1] < 0.15
    world.site.status = 200
    world.api.wait(lambda r: r["items"][0][:2] == ["d", "ok"])
    world.api.wait(lambda r: states(r) == ["u"])


def test_confirm_looks_at_once_and_its_tries_overlap(world):
    world.api.assign(1, [world.check(interval_ms=60000, fall=3)], [world.item()])
    world.agent().wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"])
    time.sleep(3.5)  # the quick first round is over: now the interval is a minute
    world.site.status = 503
    before = len(world.site.hits)
    start = time.monotonic()
    world.api.send({"type": "confirm", "check": "web", "endpoint": "p/a"})
    world.api.send({"type": "confirm", "check": "web", "endpoint": "p/nobody"})
    at, _ = world.api.wait(lambda r: states(r) == ["d"])
    assert at - start < 0.6
    hits = world.site.hits[before:before + 3]
    assert len(hits) == 3
    assert 0.15 < hits[2] - hits[0] < 0.4


def test_goes_on_when_the_control_plane_restarts(world):
    world.api.assign(1, [world.check()], [world.item()])
    agent = world.agent()
    agent.wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"])
    world.api.close()
    hits = len(world.site.hits)
    time.sleep(1.0)
    assert len(world.site.hits) > hits + 2
    port = world.api.port
    world.api = FakeApi(port)
    world.api.assign(2, [world.check()], [world.item(), world.item("p/b")])
    _, report = world.api.wait(lambda r: states(r) == ["u", "u"])
    assert report["assignment_revision"] == 2
    assert agent.stop() == 0


def test_restarts_alone_from_disk(world):
    world.api.assign(5, [world.check()], [world.item()])
    agent = world.agent()
    agent.wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"])
    agent.kill()
    world.api.close()
    time.sleep(0.3)
    hits = len(world.site.hits)
    agent = world.agent()
    agent.wait_for("from=disk")
    time.sleep(1.0)
    assert len(world.site.hits) >= hits + 3
    world.api = FakeApi(world.api.port)
    world.api.assignments = {"type": "assignments", "revision": 5, "checks": [], "items": [], "report_ms": 1000}
    with_disk = world.api.wait(lambda r: r["assignment_revision"] == 5)[1]
    assert len(with_disk["items"]) in (0, 1)
    assert agent.stop() == 0


def test_starts_alone_from_a_directory_that_cannot_be_written(world, tmp_path):
    world.api.assign(3, [world.check()], [world.item()])
    agent = world.agent()
    agent.wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"])
    assert agent.stop() == 0
    mounted = ["mount", "--bind", agent.state, agent.state], ["mount", "-o", "remount,ro,bind", agent.state]
    if any(subprocess.run(command, capture_output=True).returncode != 0 for command in mounted):
        subprocess.run(["umount", agent.state], capture_output=True)
        pytest.skip("mounting needs root")
    try:
        world.api.assign(4, [world.check()], [world.item(), world.item("p/b", "127.0.0.2")])
        agent = world.agent()
        agent.wait_for("ready")
        world.api.wait(lambda r: states(r) == ["u", "d"])  # it works on, and reports that nothing is on disk
        agent.wait_for("assignments not kept")
        assert agent.stop() == 0
    finally:
        subprocess.run(["umount", agent.state], check=True)


def test_an_agent_that_was_stopped_blames_nobody(world):
    world.site.delay = 0.1
    names = [f"p/e{i}" for i in range(20)]
    world.api.assign(1, [world.check(fall=1, interval_ms=500, timeout_ms=400)],
                     [world.item(name, phase_ms=25 * i) for i, name in enumerate(names)], report_ms=200)
    agent = world.agent()
    agent.wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"] * 20)
    start = len(world.api.reports)
    for seconds in (3, 1.5):
        agent.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        agent.process.send_signal(signal.SIGCONT)
        world.api.wait(lambda r: states(r) == ["u"] * 20)
        time.sleep(0.5)
    assert all(states(report) == ["u"] * 20 for _, report in world.api.reports[start:])
    # the agent can see, so an endpoint that fails now is reported down
    world.site.status = 500
    world.api.wait(lambda r: states(r) == ["d"] * 20)


def test_what_stays_is_not_forgotten_by_new_assignments(world):
    world.api.assign(1, [world.check()], [world.item()])
    world.agent().wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"])
    world.api.assign(2, [world.check(), world.check(name="db", kind="tcp")],
                     [world.item("p/new", "127.0.0.3"), world.item(), world.item(check="db")])
    _, report = world.api.wait(lambda r: r["assignment_revision"] == 2)
    assert states(report) == ["?", "u", "?"]
    world.api.wait(lambda r: states(r) == ["d", "u", "u"])
    world.api.assign(3, [world.check(path="/other")], [world.item()])
    _, report = world.api.wait(lambda r: r["assignment_revision"] == 3)
    assert states(report) == ["?"]


def test_probes_come_once_an_interval_at_the_place_of_the_phase(world):
    def places(count):
        start = len(world.site.hits)
        deadline = time.monotonic() + 10
        while len(world.site.hits) < start + count and time.monotonic() < deadline:
            time.sleep(0.02)
        return world.site.hits[start:start + count]

    world.api.assign(1, [world.check(interval_ms=800)], [world.item()])
    world.agent().wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u"])
    before = places(4)
    gaps = [b - a for a, b in zip(before, before[1:])]
    assert all(0.7 < gap < 0.9 for gap in gaps), gaps
    world.api.assign(2, [world.check(interval_ms=800)], [world.item(phase_ms=400)])
    world.api.wait(lambda r: r["assignment_revision"] == 2)
    after = places(3)
    shift = (after[-1] - before[-1]) % 0.8
    assert 0.3 < shift < 0.5, shift


def test_fails_over_between_control_planes_and_reports_to_all(world):
    other = FakeApi()
    other.token_used = True
    try:
        for api in (world.api, other):
            api.assign(1, [world.check()], [world.item()])
        agent = world.agent(url=f"{world.api.url},{other.url}/")
        agent.wait_for("ready")
        world.api.wait(lambda r: states(r) == ["u"])
        _, there = other.wait(lambda r: states(r) == ["u"])
        assert there["boot"] == world.api.reports[-1][1]["boot"]
        connected, spare = (world.api, other) if world.api.streams else (other, world.api)
        connected.cut()
        spare.wait_stream()
        assert agent.stop() == 0
    finally:
        other.close()


def test_an_agent_behind_a_dead_control_plane_enrols_at_the_other(world):
    dead = FakeApi()
    dead.close()
    agent = world.agent(url=f"{dead.url},{world.api.url}")
    agent.wait_for("ready")
    assert world.api.enrolments == 1
    assert agent.stop() == 0


def test_an_agent_that_enrols_while_another_does_tries_again_and_says_so(world):
    world.api.conflicts = 2
    agent = world.agent()
    agent.wait_for("ready")
    assert world.api.enrolments == 3
    assert "tried again" in agent.log and "somebody else changed it meanwhile" in agent.log
    assert agent.stop() == 0


def test_region_is_asserted_and_a_used_token_is_refused(world):
    agent = world.agent(region="us")
    assert agent.process.wait(10) == 2
    agent.stop()
    assert "this token is for region eu" in agent.log
    agent = world.agent()
    agent.wait_for("ready")
    assert agent.stop() == 0
    agent = world.agent(region="us")
    assert agent.process.wait(10) == 2
    agent.stop()
    assert "--region is us, but this agent was enrolled for region eu" in agent.log
    os.remove(os.path.join(agent.state, "identity.json"))
    agent = world.agent()
    assert agent.process.wait(10) == 2
    agent.stop()
    assert "unknown, used or expired" in agent.log


def test_two_agents_do_not_share_a_directory(world):
    world.agent().wait_for("ready")
    second = world.agent()
    assert second.process.wait(10) == 2
    second.stop()
    assert "another veer-probe uses this directory" in second.log


def test_refuses_targets_that_its_own_operator_does_not_allow(world):
    world.api.assign(1, [world.check(), world.check(name="lo", kind="tcp")],
                     [world.item(), world.item("p/m", "169.254.169.254"), world.item("p/n", "localhost.", check="lo")])
    agent = world.agent()
    agent.wait_for("ready")
    world.api.wait(lambda r: states(r) == ["u", "?", "u"] and r["items"][1][1] == "refused_target")
    agent.kill()
    agent.process = subprocess.Popen(
        [PROBE, "--api", world.api.url, "--state", agent.state], stderr=subprocess.PIPE)
    _, report = world.api.wait(lambda r: all(item[1] == "refused_target" for item in r["items"]))
    assert states(report) == ["?", "?", "?"]


def test_reload_takes_over_what_may_change(world, tmp_path):
    config = tmp_path / "probe.yaml"
    agent_dir = str(tmp_path / "state")
    token = tmp_path / "token"
    token.write_text(TOKEN)

    def write(allow):
        config.write_text(f"api: {world.api.url}\nstate: {agent_dir}\ntoken_file: {token}\nallow_targets: {allow}\n")

    write("private")
    world.api.assign(1, [world.check()], [world.item()])
    agent = world.agent()
    agent.kill()
    agent.process = subprocess.Popen([PROBE, "--config", str(config)], stderr=subprocess.PIPE)
    agent.log = ""
    agent.wait_for("ready")
    world.api.wait(lambda r: r["items"][0][:2] == ["?", "refused_target"])
    write("loopback")
    agent.process.send_signal(signal.SIGHUP)
    world.api.wait(lambda r: states(r) == ["u"])
    write("nonsense")
    agent.process.send_signal(signal.SIGHUP)
    agent.wait_for("not reloaded")
    world.api.wait(lambda r: states(r) == ["u"])
    assert agent.stop() == 0


@pytest.mark.parametrize("argv, says", [
    (["--api", "ftp://x", "--state", "D"], "neither https"),
    (["--api", "http://192.0.2.1", "--state", "D"], "loopback addresses only"),
    (["--api", "https://x"], "--state"),
    (["--api", "https://x", "--state", "D"], "--token-file"),
    (["--api", "https://x", "--state", "D", "--region", "No"], "not a region"),
    (["--api", "https://x", "--state", "D", "--allow-targets", "lo"], "none of loopback"),
    (["--api", "https://x", "--state", "D", "--token-file", "/nonexistent"], "/nonexistent"),
    (["--nonsense"], "nonsense"),
])
def test_bad_arguments_exit_2_with_one_line(tmp_path, argv, says):
    argv = [str(tmp_path / "state") if a == "D" else a for a in argv]
    p = subprocess.run([PROBE, *argv], capture_output=True, text=True, timeout=10)
    assert p.returncode == 2
    assert len(p.stderr.splitlines()) == 1
    assert says in p.stderr


def test_stops_at_once_while_it_waits_for_a_control_plane(world):
    world.api.close()
    agent = world.agent()
    agent.wait_for("not enrolled yet")
    start = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - start < 1.0
