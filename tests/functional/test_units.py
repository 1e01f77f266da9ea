# SPDX-License-Identifier: Apache-2.0
"""The units of deploy/systemd under a real systemd, which is booted in its own namespaces."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

from veer_util import BUILD, ROOT, SLOW, wait_until

SYSTEMD = "/lib/systemd/systemd"
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc", "--cgroup", "--mount-proc"]
API = "unix:/run/veer-api/api.sock"
CONFIGURATION = {
    "api": f'store: sqlite:/var/lib/veer-api/veer.db\nlisten: ["{API}"]\nfeed_user: veer-dnsd\nopen_socket: true\n',
    "dnsd": f'listen: ["127.0.0.1@53"]\nfeed: "{API}"\nstate: /var/lib/veer-dnsd\n',
    "probe": f'api: "{API}"\nstate: /var/lib/veer-probe\ntoken_file: /etc/veer/probe.token\nregion: eu\nallow_targets: loopback\n',
}
SETUP = r"""
set -eu
put() { curl --fail-with-body -sS --unix-socket /run/veer-api/api.sock -X "$1" -H 'Content-Type: application/json' "http://v$2" -d "$3"; }
put POST /v1/sites '{"name": "fra", "region": "eu"}'
put POST /v1/checks '{"name": "ping", "kind": "icmp", "interval_ms": 1000, "timeout_ms": 500}'
put POST /v1/pools '{"name": "web", "checks": ["ping"], "endpoints": [{"name": "fra", "address": "127.0.1.1", "site": "fra"}]}'
put POST /v1/policies '{"name": "web", "tree": "web"}'
printf '@ 60 SOA ns.gslb.example. h. 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\nwww 60 A 192.0.2.7\n' > /tmp/zone
veer zone import gslb.example /tmp/zone
veer agent enrol --name p1 --region eu --out /etc/veer/probe.token --owner veer-probe
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(SYSTEMD) or shutil.which("curl") is None,
                                reason="needs root, systemd and curl")


class Booted:
    """A systemd for the test; its cgroup holds all of its processes."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="veer-units-")
        os.chmod(self.directory, 0o755)
        self.cgroup = self._make_cgroup()
        self.process = None

    @staticmethod
    def _make_cgroup():
        found = subprocess.run(["findmnt", "-n", "-t", "cgroup2", "-o", "TARGET"], capture_output=True, text=True, check=False)
        if found.returncode != 0:
            pytest.skip("there is no cgroup2")
        path = os.path.join(found.stdout.split()[0], f"veer-units-{os.getpid()}")
        try:
            os.mkdir(path)
        except OSError as e:
            pytest.skip(f"no cgroup of our own: {e}")
        return path

    def start(self):
        def enter():
            with open(os.path.join(self.cgroup, "cgroup.procs"), "w", encoding="ascii") as f:
                f.write("0")
        self.process = subprocess.Popen([*NAMESPACES, os.path.join(ROOT, "tests", "tools", "boot-systemd"), self.directory, BUILD, ROOT],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=enter)
        wait_until(self._is_up, 60, "systemd")
        return self

    def _is_up(self):
        if self.process.poll() is not None:
            said = self.process.stdout.read().decode()
            pytest.skip(f"systemd does not boot here: {said[-300:]}")
        if self._first() is None:
            return False
        return self.do("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def _first(self):
        """The pid, in our namespace, of the systemd inside."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            children = f.read().split()
        return children[0] if children else None

    def do(self, *argv, check=True, text=None):
        """Run a command inside, with `text` as its standard input."""
        done = subprocess.run(["nsenter", "-t", self._first(), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w",
                               "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", f"VEER_API={API}", *argv],
                              capture_output=True, text=True, input=text, timeout=60 * SLOW, check=False)
        assert not check or done.returncode == 0, (argv, done.stdout, done.stderr)
        return done

    def show(self, unit, name):
        return self.do("systemctl", "show", "-P", name, unit).stdout.strip()

    def journal(self, unit):
        return self.do("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    def run(self, unit):
        done = self.do("systemctl", "start", unit, check=False)
        assert done.returncode == 0 and self.show(unit, "ActiveState") == "active", self.journal(unit)

    def put(self, path, text):
        self.do("sh", "-c", f"cat > {path}", text=text)

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(timeout=30)
        wait_until(self._is_gone, 30, "the end of systemd")
        shutil.rmtree(self.directory)

    def _is_gone(self):
        for path, _, _ in os.walk(self.cgroup, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                return False
        return True


@pytest.fixture(scope="module")
def host():
    booted = Booted()
    try:
        booted.start()
        for name, text in CONFIGURATION.items():
            booted.do("mkdir", "-p", "/etc/veer")
            booted.put(f"/etc/veer/{name}.yaml", text)
        for unit in ("veer-api", "veer-dnsd", "veer-probe"):  # like the unit, but the test does not wait for 10 s
            booted.do("mkdir", "-p", f"/etc/systemd/system/{unit}.service.d")
            booted.put(f"/etc/systemd/system/{unit}.service.d/watchdog.conf", f"[Service]\nWatchdogSec={2 * SLOW}\n")
        booted.do("systemctl", "daemon-reload")
        booted.run("veer-api")
        booted.run("veer-dnsd")
        booted.do("bash", "-c", SETUP)
        booted.run("veer-probe")
        yield booted
    finally:
        booted.kill()


def answer(host, name):
    return host.do("/usr/bin/python3", "-c",
                   "import sys, dns.message as m, dns.query as q\n"
                   "r = q.udp(m.make_query(sys.argv[1], 'A'), '127.0.0.1', timeout=5)\n"
                   "print(' '.join(str(x) for s in r.answer for x in s))", name, check=False).stdout.strip()


def pid_of(host, unit):
    return int(host.show(unit, "MainPID"))


def test_three_units_serve_probe_and_answer(host):
    for unit in ("veer-api", "veer-dnsd", "veer-probe"):
        assert host.show(unit, "ActiveState") == "active", host.journal(unit)
    wait_until(lambda: answer(host, "www.gslb.example") == "192.0.2.7", 10, lambda: host.journal("veer-dnsd"))

    def is_judged():
        status = json.loads(host.do("veer", "status", "--json").stdout)
        endpoints = {e["endpoint"]: e for e in status["endpoints"]}
        return endpoints.get("web/fra", {}).get("state") == "up"
    wait_until(is_judged, 20, lambda: host.journal("veer-probe"))


def test_a_reload_of_the_name_server_puts_a_new_process_in_its_place(host):
    before = pid_of(host, "veer-dnsd")
    host.do("systemctl", "reload", "veer-dnsd")
    wait_until(lambda: pid_of(host, "veer-dnsd") not in (0, before), 20, lambda: host.journal("veer-dnsd"))
    assert answer(host, "www.gslb.example") == "192.0.2.7"
    wait_until(lambda: host.show("veer-dnsd", "ActiveState") == "active", 20, lambda: host.journal("veer-dnsd"))
    assert host.show("veer-dnsd", "NRestarts") == "0"


def test_a_reload_of_an_agent_keeps_its_process(host):
    before = pid_of(host, "veer-probe")
    host.do("systemctl", "reload", "veer-probe")
    assert pid_of(host, "veer-probe") == before
    assert host.show("veer-probe", "ActiveState") == "active"


@pytest.mark.parametrize("unit", ["veer-api", "veer-dnsd", "veer-probe"])
@pytest.mark.parametrize("sign", ["KILL", "STOP"])  # the watchdog notices the second
def test_what_dies_or_hangs_is_started_again(host, unit, sign):
    before = pid_of(host, unit)
    host.do("systemctl", "kill", "-s", sign, "--kill-whom=main", unit)
    wait_until(lambda: pid_of(host, unit) not in (0, before) and host.show(unit, "ActiveState") == "active", 40,
               lambda: host.journal(unit))
    wait_until(lambda: answer(host, "www.gslb.example") == "192.0.2.7", 20, lambda: host.journal("veer-dnsd"))


@pytest.mark.skipif(SLOW > 1, reason="the leak checker needs a system call at the end that the units do not allow")
@pytest.mark.parametrize("unit", ["veer-probe", "veer-dnsd", "veer-api"])
def test_a_stop_is_clean(host, unit):
    host.do("systemctl", "stop", unit)
    assert host.show(unit, "Result") == "success", host.journal(unit)
    assert host.show(unit, "ExecMainStatus") == "0"
    host.run(unit)


@pytest.mark.parametrize("unit, most", [("veer-dnsd", 2.0), ("veer-api", 2.0), ("veer-probe", 3.0)])
def test_what_runs_exposes_little(host, unit, most):
    said = host.do("systemd-analyze", "security", "--no-pager", unit).stdout
    assert float(said.split("Overall exposure level for")[1].split(":")[1].split()[0]) <= most, said
