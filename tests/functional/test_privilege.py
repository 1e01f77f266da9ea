# SPDX-License-Identifier: Apache-2.0
"""What the programs give up: users, capabilities, system calls, core dumps; and that they work without them."""
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

import pytest

from dnsd_util import Dnsd
from probe_api import TOKEN, FakeApi, Site
from veer_util import BUILD, ROOT, SLOW, Api, Program, wait_until

NOBODY = pwd.getpwnam("nobody")
OTHER = pwd.getpwnam("daemon")
NET_BIND_SERVICE, NET_RAW = 1 << 10, 1 << 13
IS_SANITIZED = SLOW > 1

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def place():
    """A directory that other users can traverse, which pytest's directories are not."""
    path = tempfile.mkdtemp(prefix="veer-privilege-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def run():
    """Start programs; none is left at the end, whatever happens."""
    started = []

    def start(kind, *args, **more):
        started.append(kind(*args, **more))
        return started[-1]
    yield start
    for program in started:
        program.kill()


@pytest.fixture
def zone(place):
    path = os.path.join(place, "zone")
    with open(path, "w", encoding="utf-8") as f:
        f.write("@ 60 SOA ns. h. 1 2 3 4 5\n@ 60 NS ns.\na 60 A 192.0.2.1\n")
    return f"example={path}"


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def threads_of(pid):
    return [status_of(f"{pid}/task/{task}") for task in os.listdir(f"/proc/{pid}/task")]


def is_confined(pid, user, capabilities):
    """Is every thread of the process confined, not only the first?"""
    for status in threads_of(pid):
        assert status["Uid"].split() == [str(user.pw_uid)] * 4
        assert status["Gid"].split() == [str(user.pw_gid)] * 4
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == capabilities
        assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
        assert int(status["CapBnd"], 16) & ~(capabilities | NET_RAW) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    has_no_core(pid)


def has_no_core(pid):
    """Only root can read its memory, and it dumps no core."""
    if IS_SANITIZED:
        return
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        assert re.search(r"Max core file size +0 +0 ", f.read())


def can_ping():
    with open("/proc/sys/net/ipv4/ping_group_range", encoding="ascii") as f:
        low, high = map(int, f.read().split())
    return low <= NOBODY.pw_gid <= high


# --- the name server ---------------------------------------------------------------------------------------------------------------

@needs_root
def test_a_name_server_keeps_one_capability(run, zone):
    d = run(Dnsd, "--zone", zone, "--user", "nobody", "--workers", "2", listen=("127.53.0.1@53",)).ready()
    assert d.port == 53 and d.ask("a.example") == ["192.0.2.1"]
    is_confined(d.process.pid, NOBODY, NET_BIND_SERVICE)
    d.hangup()
    d.wait_log("event=reloaded")
    assert d.ask("a.example", tcp=True) == ["192.0.2.1"]
    assert d.stop() == 0


@needs_root
def test_a_name_server_is_replaced_after_it_gave_up_root(run, zone, place):
    state = os.path.join(place, "control")
    os.mkdir(state)
    os.chown(state, NOBODY.pw_uid, NOBODY.pw_gid)
    args = ("--zone", zone, "--user", "nobody", "--control", f"{state}/socket")
    old = run(Dnsd, *args, "--workers", "1", listen=("127.53.0.2@53",)).ready()
    # with more workers and another address the new process binds port 53 itself
    new = run(Dnsd, *args, "--workers", "3", "--replace", listen=("127.53.0.2@53", "127.53.0.3@53")).ready()
    assert old.process.wait(timeout=10 * SLOW) == 0, old.log()
    assert len(new.addresses) == 2 and new.ask("a.example") == ["192.0.2.1"]
    is_confined(new.process.pid, NOBODY, NET_BIND_SERVICE)
    assert new.stop() == 0


@needs_root
def test_capabilities_of_a_service_manager_are_limited_too(run, zone, place):
    """As from a unit file: the process starts as another user, with more in its ambient set than it needs."""
    program = shutil.copy(os.path.join(BUILD, "veer-dnsd"), place)
    log = os.path.join(place, "log")
    with open(log, "w", encoding="utf-8") as f:
        process = subprocess.Popen(["setpriv", "--reuid", "nobody", "--regid", str(NOBODY.pw_gid), "--clear-groups",
                                    "--inh-caps", "+net_bind_service,+net_raw", "--ambient-caps", "+net_bind_service,+net_raw",
                                    program, "--listen", "127.53.0.4@53", "--zone", zone], stderr=f)
    try:
        wait_until(lambda: "event=ready" in open(log, encoding="utf-8").read(), 5)
        for status in threads_of(process.pid):
            assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == NET_BIND_SERVICE
            assert int(status["CapAmb"], 16) == int(status["CapInh"], 16) == 0
    finally:
        process.terminate()
        assert process.wait(timeout=10 * SLOW) == 0


def test_privileges_are_not_gained_also_without_a_user(run, zone):
    d = run(Dnsd, "--zone", zone).ready()
    for status in threads_of(d.process.pid):
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert status["Uid"].split() == [str(os.geteuid())] * 4
    has_no_core(d.process.pid)
    assert d.stop() == 0


@needs_root
@pytest.mark.parametrize("args, says", [
    (("--user", "nosuchuser"), "--user nosuchuser: there is no such user"),
    (("--user", "nobody", "--group", "nosuchgroup"), "--group nosuchgroup: there is no such group"),
    (("--group", "nogroup"), "--group needs --user"),
])
def test_a_user_that_is_none_ends_the_start(zone, args, says):
    done = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--zone", zone, *args],
                          capture_output=True, text=True, timeout=20 * SLOW)
    assert done.returncode == 2 and done.stderr == f"veer-dnsd: {says}\n"


@needs_root
def test_a_directory_of_another_is_refused_by_its_name(run, place):
    state = os.path.join(place, "deep", "state")
    os.mkdir(os.path.join(place, "deep"))
    os.mkdir(state)
    with open(os.path.join(state, "file"), "w", encoding="utf-8"):
        pass
    done = subprocess.run([os.path.join(BUILD, "veer-dnsd"), "--listen", "127.0.0.1@0", "--feed", f"unix:{place}/none", "--state", state,
                           "--user", "nobody"], capture_output=True, text=True, timeout=20 * SLOW)
    assert done.returncode == 2 and f"{state} belongs to user 0, not to nobody: chown -R nobody: {state}" in done.stderr
    assert os.stat(state).st_uid == 0


# --- the control plane -------------------------------------------------------------------------------------------------------------

@needs_root
def test_a_control_plane_keeps_no_capability(run, place):
    directory = os.path.join(place, "api")
    os.mkdir(directory)
    api = run(Api, directory, "--user", "nobody", "--group", "nogroup", listen="127.53.0.5:80")
    api.log_path = os.path.join(place, "log")
    api.start()
    assert api.port == 80
    is_confined(api.process.pid, NOBODY, 0)
    assert os.stat(directory).st_uid == os.stat(api.store).st_uid == NOBODY.pw_uid
    assert api.post("/v1/zones", {"name": "e.test.", "nameservers": ["ns.e.test."]}).status == 201  # root is an owner
    api.stop()


@needs_root
def test_a_key_that_only_root_reads_is_read_before(run, place):
    directory, key, cert = (os.path.join(place, name) for name in ("api", "key", "cert"))
    os.mkdir(directory)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
                    "-subj", "/CN=localhost", "-days", "2"], check=True, capture_output=True)
    os.chmod(key, 0o600)
    api = run(Api, directory, "--user", "nobody", "--tls-cert", cert, "--tls-key", key)
    api.log_path = os.path.join(place, "log")
    api.start()
    assert api.get("/healthz").status == 200
    # the next reload would not find the file: that is reported now
    (line,) = cannot_read(api.said())
    assert f"file={key} " in line and "user=nobody" in line and "option=tls-key" in line
    api.stop()
    shutil.chown(key, "nobody")
    api.start()
    assert cannot_read(api.said()) == []
    api.stop()


def cannot_read(log):
    return [line for line in log.splitlines() if "level=warning" in line and "the user cannot read a file" in line]


@needs_root
def test_files_that_a_reload_will_not_read_are_named_at_the_start(run, zone, fake, place):
    closed = os.path.join(place, "closed")
    os.mkdir(closed, 0o700)
    inside, config = os.path.join(closed, "secret"), os.path.join(place, "config")
    for path, text in ((inside, "0" * 32 + "\n"), (config, "workers: 1\n")):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    os.chmod(config, 0o600)
    d = run(Dnsd, "--zone", zone, "--user", "nobody", "--config", config, "--cookie-secret-file", inside).ready()
    assert [re.search(r"file=(\S+)", line).group(1) for line in cannot_read(d.log())] == [inside, config]
    assert d.stop() == 0
    agent = run(Agent, place, fake.api.url, "--user", "nobody", "--ca-file", inside)
    agent.start()
    assert len(cannot_read(agent.said())) == 1 and inside in agent.said()
    agent.stop()


# --- the agent ---------------------------------------------------------------------------------------------------------------------

class Agent(Program):
    def __init__(self, place, api, *extra):
        self.state = os.path.join(place, "state")
        token = os.path.join(place, "token")
        with open(token, "w", encoding="utf-8") as f:
            f.write(TOKEN + "\n")
        super().__init__(place, ["veer-probe", "--api", api, "--token-file", token, "--state", self.state,
                                 "--allow-targets", "loopback", *extra])

    def runner(self):
        """The process that runs programs; it is the only child."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            children = [int(pid) for pid in f.read().split()]
        assert len(children) == 1
        return children[0]


@pytest.fixture
def fake():
    class Fake:
        api = FakeApi()
        site = Site()

        def assign(self, *checks):
            self.revision += 1
            self.api.assign(self.revision, list(checks),
                            [{"check": c["name"], "endpoint": "p/a", "address": "127.0.0.1", "phase_ms": 0} for c in checks])

        def check(self, kind, **more):
            return {"name": kind, "kind": kind, "interval_ms": 500, "timeout_ms": 400, "fall": 2, "rise": 2, **more}
    f = Fake()
    f.revision = 0
    yield f
    f.api.close()
    f.site.close()


def last(report, count=1):
    return [item[:2] for item in report["items"]] if len(report["items"]) == count else None


@needs_root
def test_an_agent_pings_and_runs_programs_without_root(run, fake, place):
    directory, out = os.path.join(place, "programs"), os.path.join(place, "out")
    os.mkdir(directory)
    os.mkdir(out)
    os.chmod(out, 0o777)
    program = os.path.join(directory, "who")
    with open(program, "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\nset -e\nid -u > {out}/new\ngrep -E 'CapEff|NoNewPrivs' /proc/self/status >> {out}/new\nmv {out}/new {out}/who\n")
    os.chmod(program, 0o755)
    fake.assign(fake.check("http", port=fake.site.port), fake.check("icmp"), fake.check("exec", command=[program], interval_ms=1000, timeout_ms=1000))
    agent = run(Agent, place, fake.api.url, "--user", "nobody", "--allow-exec", directory, "--exec-user", OTHER.pw_name).start()
    fake.api.wait(lambda r: last(r, 3) == [["u", "ok"]] * 3)
    is_confined(agent.process.pid, NOBODY, 0 if can_ping() else NET_RAW)
    for name in ("identity.json", "assignments.json"):
        assert os.stat(os.path.join(agent.state, name)).st_uid == NOBODY.pw_uid
    with open(os.path.join(out, "who"), encoding="ascii") as f:
        assert f.read().split() == [str(OTHER.pw_uid), "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
    runner = status_of(agent.runner())
    assert runner["Uid"].split() == [str(OTHER.pw_uid)] * 4
    assert (int(runner["CapPrm"], 16), runner["NoNewPrivs"], runner["Seccomp"]) == (0, "1", "0")
    pid = agent.runner()
    agent.stop()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or status_of(pid)["State"].startswith("Z"), 5, "the runner ends with its agent")


def test_programs_are_unknown_once_their_runner_has_ended(run, fake, place):
    program = os.path.join(place, "true")
    shutil.copy("/bin/true", program)
    fake.assign(fake.check("exec", command=[program], interval_ms=1000, timeout_ms=1000), fake.check("http", port=fake.site.port))
    agent = run(Agent, place, fake.api.url, "--allow-exec", place).start()
    fake.api.wait(lambda r: last(r, 2) == [["u", "ok"]] * 2)
    os.kill(agent.runner(), signal.SIGKILL)
    wait_until(lambda: "the process that runs programs has ended" in agent.said(), 5, agent.said)
    fake.api.wait(lambda r: last(r, 2) == [["?", "exec_lost"], ["u", "ok"]])
    assert "until this agent is restarted" in agent.said()
    agent.stop()


def test_a_runner_that_has_ended_is_counted_and_shown_by_the_control_plane(run, place):
    program = os.path.join(place, "true")
    shutil.copy("/bin/true", program)
    os.mkdir(os.path.join(place, "api"))
    api = run(Api, os.path.join(place, "api")).start()
    assert api.put("/v1/sites/s", {"region": "eu"}).status == 201
    assert api.put("/v1/checks/run", {"kind": "exec", "command": [program], "interval_ms": 1000, "timeout_ms": 1000}).status == 201
    assert api.put("/v1/pools/p", {"checks": ["run"], "endpoints": [{"name": "a", "address": "127.0.0.1", "site": "s"}]}).status == 201
    agent = run(Agent, place, f"unix:{api.unix}", "--allow-exec", place)
    with open(os.path.join(place, "token"), "w", encoding="ascii") as f:
        f.write(api.post("/v1/agents", {"name": "eu-1", "region": "eu"}).json["token"])
    agent.start()

    def status():
        return subprocess.run([f"{BUILD}/veer", "status", "--check", "--api", f"unix:{api.unix}"], capture_output=True, text=True, check=False)
    wait_until(lambda: status().returncode == 0, 15, lambda: status().stdout)
    assert api.metric("veer_agents_runner_lost") == 0
    os.kill(agent.runner(), signal.SIGKILL)
    wait_until(lambda: api.metric("veer_agents_runner_lost") == 1, 10, agent.said)
    shown = status()
    assert shown.returncode == 1 and "runs no programs: restart it" in shown.stdout, shown.stdout
    agent.stop()
    agent.start()
    wait_until(lambda: api.metric("veer_agents_runner_lost") == 0, 10, agent.said)


def test_the_runner_knows_the_directory_by_itself(run, fake, place):
    """With SIGHUP it reads the configuration again; the agent cannot change the directory."""
    directories = [os.path.join(place, name) for name in ("one", "two")]
    for directory in directories:
        os.mkdir(directory)
        shutil.copy("/bin/true", directory)
    config, token = os.path.join(place, "config"), os.path.join(place, "token")

    def write(directory):
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"api: {fake.api.url}\nstate: {place}/state\ntoken_file: {token}\nallow_targets: loopback\n"
                    + (f"allow_exec: {directory}\n" if directory else ""))
    with open(token, "w", encoding="utf-8") as f:
        f.write(TOKEN + "\n")
    fake.assign(fake.check("exec", command=[f"{directories[1]}/true"], interval_ms=1000, timeout_ms=1000))
    write(None)
    agent = run(Program, place, ["veer-probe", "--config", config]).start()
    fake.api.wait(lambda r: last(r) == [["?", "exec_refused"]])
    for directory, expected in ((directories[0], ["?", "exec_refused"]), (directories[1], ["u", "ok"]), (None, ["?", "exec_refused"])):
        write(directory)
        agent.process.send_signal(signal.SIGHUP)
        fake.api.wait(lambda r, expected=expected: last(r) == [expected])
    agent.stop()


# --- own addresses -----------------------------------------------------------------------------------------------------------------

OWN = """
import subprocess, sys
probe, port = sys.argv[1], "9"
for line in ("link set lo up", "addr add 203.0.113.10/32 dev lo", "addr add 10.9.0.1/24 dev lo"):
    subprocess.run(["ip", *line.split()], check=True)
def refused(address, *options):
    done = subprocess.run([probe, "check", *options, "--timeout-ms", "500", f"tcp://{address}:{port}"], capture_output=True, text=True)
    return "which the agent would refuse" in done.stdout
assert refused("203.0.113.10")
assert refused("203.0.113.10", "--allow-targets", "private")
assert not refused("203.0.113.10", "--allow-targets", "loopback")
assert not refused("203.0.113.10", "--allow-targets", "203.0.113.10")
assert not refused("203.0.113.11")
assert refused("203.0.113.11", "--deny-targets", "203.0.113.0/24")
assert refused("10.9.0.1", "--allow-targets", "private,10.0.0.0/8")
assert refused("10.9.0.77", "--allow-targets", "private"), "the kernel takes all of a network at lo for its own"
assert not refused("10.8.0.1", "--allow-targets", "10.0.0.0/8")
assert refused("10.8.0.1", "--allow-targets", "10.0.0.0/8", "--deny-targets", "10.8.0.0/16")
assert refused("[::1]") and not refused("[::1]", "--allow-targets", "::1/128")
"""


@needs_root
def test_addresses_of_the_own_host_count_as_loopback():
    done = subprocess.run(["unshare", "-n", "python3", "-c", OWN, os.path.join(BUILD, "veer-probe")], capture_output=True, text=True,
                          timeout=60 * SLOW)
    assert done.returncode == 0, done.stderr


# --- units -------------------------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("name, most", [("veer-dnsd", 2.0), ("veer-api", 2.0), ("veer-probe", 3.0)])
def test_a_unit_exposes_little(name, most):
    unit = os.path.join(ROOT, "deploy", "systemd", f"{name}.service")
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level.group(1)) <= most, done.stdout


# --- veer run ----------------------------------------------------------------------------------------------------------------------

def children_of(pid):
    """The child processes by program name."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = status_of(entry)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if status["PPid"] == str(pid):
            found[status["Name"]] = int(entry)
    return found


ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(f"GET {sys.argv[2]} HTTP/1.1\\r\\nHost: veer\\r\\nConnection: close\\r\\n\\r\\n".encode())
    print(s.recv(4096).split()[1].decode(), end="")
"""


@needs_root
def test_each_program_of_veer_run_has_its_own_user(run, place):
    bin_user = pwd.getpwnam("bin")
    state, config = os.path.join(place, "state"), os.path.join(place, "veer.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"state: {state}\napi:\n  user: nobody\n  resolver: none\ndnsd:\n  listen: [\"127.53.0.6@53\"]\n  workers: 1\n  user: {OTHER.pw_name}\n"
                f"probes:\n  - {{name: p, region: eu, allow_targets: loopback, user: {bin_user.pw_name}}}\n")
    service = run(Program, place, ["veer", "run", config]).start(ready=False)
    wait_until(lambda: 'event=ready program="veer run"' in service.said(), 30, service.said)
    programs = children_of(service.process.pid)
    is_confined(programs["veer-api"], NOBODY, 0)
    is_confined(programs["veer-dnsd"], OTHER, NET_BIND_SERVICE)
    is_confined(programs["veer-probe"], bin_user, 0 if can_ping() else NET_RAW)
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o711
    owners = {name: os.stat(os.path.join(state, name)).st_uid for name in ("veer.db", "dnsd", "probe-p", "probe-p/identity.json")}
    assert owners == {"veer.db": NOBODY.pw_uid, "dnsd": OTHER.pw_uid, "probe-p": bin_user.pw_uid, "probe-p/identity.json": bin_user.pw_uid}
    # the name server is accepted by its user and follows the feed, and the control plane gets its reports
    api = Api(state)
    assert api.post("/v1/zones", {"name": "e.test.", "nameservers": ["ns.e.test."]}).status == 201

    def answers():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.sendto(bytes.fromhex("0001000000010000000000000165047465737400") + b"\x00\x06\x00\x01", ("127.53.0.6", 53))
            reply = s.recv(512)
            return reply[3] & 15 == 0 and reply[7] == 1
    wait_until(answers, 10, service.said)
    wait_until(lambda: api.get("/v1/status").json["nameservers"], 10)
    # any other user has no access, and the name server's user may do only that
    as_other = ["setpriv", "--reuid", "mail", "--regid", "mail", "--clear-groups", "/usr/bin/python3", "-c", ASK, f"{state}/api.sock"]
    as_feeder = [OTHER.pw_name if word == "mail" else word for word in as_other]
    for who, path, code in ((as_other, "healthz", "200"), (as_other, "v1/zones", "401"), (as_feeder, "v1/zones", "403"),
                            (as_feeder, "v1/status", "403")):
        assert subprocess.run([*who, f"/{path}"], capture_output=True, text=True, timeout=20).stdout == code, (who, path)
    # the programs still notice the supervisor's death, although the kernel clears the death signal on a change of user
    service.kill()
    wait_until(lambda: not any(os.path.exists(f"/proc/{programs[name]}") for name in ("veer-api", "veer-probe")), 10)
    assert answers()
    again = run(Program, place, ["veer", "run", config], "log2").start(ready=False)
    wait_until(lambda: 'event=ready program="veer run"' in again.said(), 30, again.said)
    wait_until(lambda: not os.path.exists(f"/proc/{programs['veer-dnsd']}"), 10)
    assert answers()
    again.stop()


def test_a_user_that_is_none_is_refused_with_its_line(place):
    config = os.path.join(place, "veer.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"state: {place}/state\napi:\n  user: nosuchuser\n")
    done = subprocess.run([os.path.join(BUILD, "veer"), "run", "--check-config", config], capture_output=True, text=True, timeout=20 * SLOW)
    assert done.returncode == 2 and f"{config}:3: user nosuchuser: there is no such user" in done.stderr
