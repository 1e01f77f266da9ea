# SPDX-License-Identifier: Apache-2.0
"""Real agents that are cut off, with one real control plane or several: references, dead control planes, and a start
without one."""
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from probe_api import FakeApi, Site
from test_probe import Agent, states
from veer_util import Api, Program, SLOW, wait_until


class Listener:
    """Accepts TCP connections and drops them. Its port stays reserved, so it can go away and come back."""

    def __init__(self):
        self.port = 0
        self.socket = None
        self.open()

    def open(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, args=(self.socket,), daemon=True).start()

    @staticmethod
    def serve(listening):
        while True:
            try:
                listening.accept()[0].close()
            except OSError:
                return

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # ends accept()
        except OSError:
            pass
        self.socket.close()


@pytest.fixture
def listeners():
    made = [Listener() for _ in range(3)]
    yield made
    for listener in made:
        listener.close()


def reference_args(*listening):
    return [word for one in listening for word in ("--reference", f"127.0.0.1:{one.port}")]


@pytest.fixture
def fake(tmp_path):
    """A small control plane, a site, and an agent made by agent(*arguments)."""

    class World:
        api = FakeApi()
        site = Site()
        agents = []

        def agent(self, *extra, url=None):
            self.agents.append(Agent(str(tmp_path), url or self.api.url, extra=extra))
            return self.agents[-1]

        def assign(self, *apis, endpoints=1, **check):
            items = [{"check": "web", "endpoint": f"p/e{i}", "address": f"127.0.0.{i + 1}", "phase_ms": 0} for i in range(endpoints)]
            for api in apis or (self.api,):
                api.assign(1, [{"name": "web", "kind": "tcp", "port": self.site.port, "interval_ms": 200, "timeout_ms": 150, "fall": 2,
                                "rise": 2, **check}], items, report_ms=200)

    w = World()
    w.agents = []
    yield w
    for agent in w.agents:
        agent.kill()
    w.api.close()
    w.site.close()


def test_a_blind_agent_moves_no_verdict(tmp_path, listeners):
    site, *references = listeners
    api = Api(tmp_path).start()
    made = api.post("/v1/agents", {"name": "eu-1", "region": "eu"}).json
    (tmp_path / "token").write_text(made["token"])
    agent = Program(tmp_path, ["veer-probe", "--api", f"unix:{api.unix}", "--token-file", tmp_path / "token", "--state", tmp_path / "agent",
                               "--allow-targets", "loopback", *reference_args(*references)], name="agent.log")
    try:
        assert api.put("/v1/sites/s", {"region": "eu"}).status == 201
        check = {"kind": "tcp", "port": site.port, "interval_ms": 500, "timeout_ms": 200, "hold_s": 0}
        assert api.put("/v1/checks/c", check).status == 201
        assert api.put("/v1/pools/p", {"checks": ["c"], "endpoints": [{"name": "e", "address": "127.0.0.1", "site": "s"}]}).status == 201
        agent.start()

        def status():
            return api.get("/v1/status").json

        def verdict():
            return status()["endpoints"][0]

        wait_until(lambda: verdict()["state"] == "up", 10, status)
        assert [a["state"] for a in status()["agents"]] == ["reporting"], status()["agents"]
        # To see, an agent needs only one of two references.
        references[0].close()
        time.sleep(1.5)
        assert status()["agents"][0]["state"] == "reporting"
        references[1].close()
        wait_until(lambda: status()["agents"][0]["state"] == "blind", 5, status)
        assert api.metric("veer_agents_not_counted") == 1
        assert "blind: no reference can be reached" in agent.said()
        site.close()
        time.sleep(2.5)  # by now the agent reports down, but its report does not count
        assert verdict()["state"] == "up" and verdict()["wait"] == "no_quorum", verdict()
        # The agent sees again and is believed: the site really is down.
        references[0].open()
        wait_until(lambda: status()["agents"][0]["state"] == "reporting", 5, status)
        wait_until(lambda: verdict()["state"] == "down", 5, status)
        site.open()
        wait_until(lambda: verdict()["state"] == "up", 10, status)
        agent.stop()
    finally:
        agent.kill()
        api.stop()


def test_blindness_takes_two_rounds_of_all_and_ends_with_one_answer(fake, listeners):
    references = listeners[:2]
    fake.assign()
    agent = fake.agent(*reference_args(*references), "--reference", "icmp:127.0.0.1")
    agent.wait_for("ready")
    fake.api.wait(lambda r: states(r) == ["u"])
    for reference in references:
        reference.close()
    time.sleep(1.5)
    assert not any(r["blind"] for _, r in fake.api.reports)  # the agent still gets an echo reply
    agent.kill()
    agent = fake.agent(*reference_args(*references))
    agent.wait_for("ready")
    closed_all = fake.api.wait(lambda r: r["blind"])[0]
    references[1].open()
    seen = fake.api.wait(lambda r: not r["blind"])[0]
    assert seen - closed_all < 1.5 * SLOW
    # The references are checked at the moment a probe fails, not a second later.
    references[1].close()
    fake.site.close()
    fake.api.wait(lambda r: r["blind"], timeout=2 * SLOW)
    assert agent.stop() == 0


def test_references_follow_a_reload(fake, listeners, tmp_path):
    config = tmp_path / "probe.yaml"

    def write(*references):
        config.write_text(f"api: {fake.api.url}\nstate: {tmp_path}/state\ntoken_file: {tmp_path}/token\nallow_targets: loopback\n"
                          f"reference: [{', '.join(references)}]\n")

    dead = listeners[0]
    dead.close()
    fake.assign()
    agent = fake.agent()
    agent.wait_for("ready")
    agent.stop()
    write(f'"127.0.0.1:{dead.port}"')
    agent.process = subprocess.Popen([os.path.join(os.environ.get("VEER_BUILD", "build"), "veer-probe"), "--config", str(config)],
                                                   stderr=subprocess.PIPE)
    agent.log = ""
    fake.api.wait(lambda r: r["blind"])
    write(f'"127.0.0.1:{dead.port}"', f'"localhost:{listeners[1].port}"')
    agent.process.send_signal(signal.SIGHUP)
    fake.api.wait(lambda r: not r["blind"])
    write('"nonsense"')
    agent.process.send_signal(signal.SIGHUP)
    agent.wait_for("not reloaded")
    listeners[1].close()
    fake.api.wait(lambda r: r["blind"])
    write()
    agent.process.send_signal(signal.SIGHUP)
    fake.api.wait(lambda r: not r["blind"])
    assert agent.stop() == 0


def test_without_references_all_failing_at_once_is_a_hint(fake):
    fake.site.close()
    fake.site = Site(address="0.0.0.0")
    fake.assign(endpoints=4)
    agent = fake.agent()
    agent.wait_for("ready")
    fake.api.wait(lambda r: states(r) == ["u"] * 4)
    assert "everything fails at once" not in agent.log
    fake.site.close()
    agent.wait_for("everything fails at once")
    fake.api.wait(lambda r: states(r) == ["d"] * 4 and not r["blind"])
    assert agent.stop() == 0


def test_too_few_endpoints_are_no_hint(fake):
    fake.site.close()
    fake.site = Site(address="0.0.0.0")
    fake.assign(endpoints=3)
    agent = fake.agent()
    agent.wait_for("ready")
    fake.api.wait(lambda r: states(r) == ["u"] * 3)
    fake.site.close()
    fake.api.wait(lambda r: states(r) == ["d"] * 3)
    assert agent.stop() == 0
    assert "everything fails at once" not in agent.log


@pytest.mark.parametrize("text", ["host", "host:0", "host:65536", "::1:80", "[127.0.0.1]:80", "icmp:", "a b:80", ":80", "icmp:a/b", ".:1"])
def test_a_bad_reference_is_refused(tmp_path, text):
    program = Program(tmp_path, ["veer-probe", "--api", "https://x", "--state", tmp_path / "s", "--reference", text])
    program.start(ready=False)
    assert program.process.wait(10 * SLOW) == 2
    assert "is not a reference" in program.said()


def test_a_control_plane_that_hangs_delays_no_report_to_another(fake):
    hung = socket.socket()
    hung.bind(("127.0.0.1", 0))
    hung.listen(1)  # never accepted by the program: the kernel accepts the first connections, but nobody replies
    fake.assign()
    fake.agent().wait_for("ready")
    fake.api.wait(lambda r: states(r) == ["u"])
    fake.agents[0].kill()
    agent = fake.agent(url=f"http://127.0.0.1:{hung.getsockname()[1]},{fake.api.url}")
    try:
        agent.wait_for("ready")
        fake.api.wait(lambda r: states(r) == ["u"])
        start = len(fake.api.reports)
        time.sleep(4)
        at = [t for t, _ in fake.api.reports[start:]]
        gaps = [b - a for a, b in zip(at, at[1:])]
        assert len(at) >= 15 / SLOW and max(gaps) < 0.5 * SLOW, gaps
        fake.site.close()
        fake.api.wait(lambda r: states(r) == ["d"], timeout=2 * SLOW)
    finally:
        agent.kill()
        hung.close()


def test_a_restart_while_all_control_planes_are_away(fake):
    other = FakeApi()
    other.token_used = True
    try:
        fake.assign(fake.api, other)
        urls = f"{fake.api.url},{other.url}"
        agent = fake.agent(url=urls)
        agent.wait_for("ready")
        fake.api.wait(lambda r: states(r) == ["u"])
        fake.api.close()
        other.close()
        agent.kill()
        agent = fake.agent(url=urls)
        agent.wait_for("from=disk")
        fake.site.close()
        agent.wait_for("state=d", 5 * SLOW)  # the agent has found out alone that the site is down
        other = FakeApi(other.port)
        fake.assign(other)
        assert states(other.wait(lambda r: states(r) != ["?"], timeout=15)[1]) == ["d"]
        assert agent.stop() == 0
    finally:
        other.close()


CUT_OFF = """
import subprocess, sys
from probe_api import FakeApi
from test_probe import Agent
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
api = FakeApi()
agent = Agent(sys.argv[1], api.url, extra=["--reference", "192.0.2.1:80", "--reference", "icmp:192.0.2.2"])
try:
    api.assign(1, [{"name": "web", "kind": "tcp", "port": 80, "interval_ms": 200, "timeout_ms": 150, "fall": 2, "rise": 2}],
               [{"check": "web", "endpoint": "p/e0", "address": "site.example.", "phase_ms": 0}], report_ms=200)
    api.wait(lambda r: r["blind"])
finally:
    agent.kill()
"""


def test_an_agent_that_lost_its_routes_is_blind(tmp_path):
    """Its control plane may be on the same host. Then the agent cannot resolve any name, and must not be believed that
    those endpoints are down."""
    run = subprocess.run(["unshare", "-n", sys.executable, "-c", CUT_OFF, str(tmp_path)], capture_output=True, text=True,
                         timeout=60 * SLOW, check=False, env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.abspath(__file__))})
    if "unshare" in run.stderr and "not permitted" in run.stderr:
        pytest.skip("no network namespaces here")
    assert run.returncode == 0, run.stderr
