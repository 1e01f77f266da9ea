# SPDX-License-Identifier: Apache-2.0
"""`veer run` and the commands around it, with the real programs."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import dns.edns
import dns.message
import dns.query
import pytest

from veer_util import BUILD, SLOW, Program, UnixConnection, Reply, wait_until, source

VEER = os.path.join(BUILD, "veer")


def free_port():
    """A port that is free for UDP and for TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            udp.bind(("127.0.0.1", 0))
            port = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def veer(*args, env=None, timeout=30, stdin=None):
    return subprocess.run([VEER, *map(str, args)], capture_output=True, text=True, timeout=timeout * SLOW, input=stdin,
                          env=dict(os.environ, **(env or {})))


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Run(Program):
    """veer run with its own configuration."""
    leaves_name_server = False

    def __init__(self, directory, probes=1, dnsd=True):
        self.state = os.path.join(str(directory), "state")
        self.config = os.path.join(str(directory), "veer.yaml")
        lines = [f"state: {self.state}", "api:", "  resolver: none"]
        if dnsd:
            self.dns_port = free_port()
            lines += ["dnsd:", f'  listen: ["127.0.0.1@{self.dns_port}"]', "  workers: 1",
                      "  rrl_rate: 5000", "  rrl_slip: 2", "  rrl_exempt: [\"127.0.0.0/8\"]", "  tcp_max: 100", "  tcp_max_prefix: 50"]
        if probes:
            lines += ["probes:"] + [f"  - {{name: p{i}, region: eu, allow_targets: loopback}}" for i in range(probes)]
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        super().__init__(directory, ["veer", "run", self.config])
        self.api = f"unix:{self.state}/api.sock"

    def is_ready(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said()}"
        return re.search(r"program=veer event=ready .*program=\"?veer run", self.said()) is not None

    def children(self):
        """The newest pid of each child, by name."""
        return {m[0]: int(m[1]) for m in re.findall(r"event=started child=(\S+) pid=(\d+)", self.said())}

    def kill(self):
        """Kill it as a crash would; the name server, which survives that, is ended as well."""
        super().kill()
        pid = self.children().get("veer-dnsd") if os.path.exists(self.log_path) else None
        if pid and is_alive(pid) and not self.leaves_name_server:
            os.kill(pid, signal.SIGKILL)

    def call(self, method, path, body=None):
        c = UnixConnection(f"{self.state}/api.sock", 20 * SLOW)
        try:
            c.request(method, path, body=None if body is None else json.dumps(body))
            return Reply(c.getresponse())
        finally:
            c.close()


@pytest.fixture
def run(tmp_path):
    r = Run(tmp_path).start(seconds=30)
    yield r
    try:
        r.stop(30)
    finally:
        r.kill()


BAD_CONFIGS = [
    ("state: relative\n", 1, "absolute"),
    ("# comment\nstate: /STATE\nstat: x\n", 3, "stat"),
    ("state: /STATE\napi:\n  listne: []\n", 3, "listen"),
    ("state: /STATE\napi:\n  listen: [\"127.0.0.1:99999\"]\n", 3, "99999"),
    ("state: /STATE\napi:\n  listen: [\"127.0.0.1:0\", \"nonsense\"]\n", 3, "nonsense"),
    ("state: /STATE\napi:\n  listen: [\"192.0.2.1:8053\"]\n", 3, "tls_cert"),
    ("state: /STATE\napi:\n  tls_cert: /dev/null\n", 2, "tls_key"),
    ("state: /STATE\napi:\n  resolver: [\"192.0.2.1\", \"dns.example\"]\n", 3, "dns.example"),
    ("state: /STATE\ndnsd:\n  workers: 2\n", 2, "listen"),
    ("state: /STATE\ndnsd:\n  listen: [\"127.0.0.1:53\"]\n", 3, "127.0.0.1:53"),
    ("state: /STATE\ndnsd:\n  listen: []\n", 3, "listen"),
    ("state: /STATE\ndnsd:\n  listen: [\"127.0.0.1@53\"]\n  metrics: foo\n", 4, "metrics"),
    ("state: /STATE\ndnsd:\n  listen: [\"127.0.0.1@53\"]\n  dnstap: foo\n", 4, "dnstap"),
    ("state: /STATE\ndnsd:\n  listen: [\"127.0.0.1@53\"]\n  group: nogroup\n", 4, "group"),
    ("state: /STATE\napi:\n  group: nogroup\n", 3, "group"),
    ("state: /STATE\nprobes:\n  - name: a\n    region: eu\n    allow_exec: bin\n", 5, "allow_exec"),
    ("state: /STATE\nprobes:\n  - name: a\n    region: eu\n    exec_user: nobody-of-this-name\n", 5, "nobody-of-this-name"),
    ("state: /STATE\ndnsd:\n  listen: [\"127.0.0.1@53\"]\n  workers: 257\n", 4, "workers"),
    ("state: /STATE\ndnsd:\n  listen: [\"127.0.0.1@53\"]\n  rrl_exempt: [\"::1\", \"192.0.2.1/24\"]\n", 4, "192.0.2.1/24"),
    ("state: /STATE\ndnsd:\n  listen: [\"127.0.0.1@53\"]\n  rrl_rate: 100001\n", 4, "rrl_rate"),
    ("state: /STATE\nprobes:\n  - {name: a, region: eu}\n  - {name: ../../x, region: eu}\n", 4, "../../x"),
    ("state: /STATE\nprobes:\n  - {name: a, region: eu}\n  - {name: a, region: us}\n", 4, "taken"),
    ("state: /STATE\nprobes:\n  - {name: a, region: \"E U\"}\n", 3, "region"),
    ("state: /STATE\nprobes:\n  - {name: a}\n", 3, "region"),
    ("state: /STATE\nprobes:\n  - {name: a, region: eu, allow_targets: everything}\n", 3, "everything"),
    ("state: [1, 2]\n", 1, "state"),
    ("state: /STATE\nstate: /STATE\n", 2, "state"),
    ("state: &a /STATE\n", 1, ""),
    ("state: /STATE\n\tapi: {}\n", 2, ""),
    ("state: /" + "x" * 101 + "\n", 1, "too long"),
    ("{", 2, ""),
    ("", 1, "state"),
]


@pytest.mark.parametrize("text,line,word", BAD_CONFIGS)
def test_a_wrong_configuration_is_refused_with_its_line(tmp_path, text, line, word):
    path = tmp_path / "veer.yaml"
    path.write_text(text.replace("/STATE", f"{tmp_path}/s"))
    for r in (veer("run", "--check-config", path), veer("run", path)):
        check_refusal(r, path, line, word)
    assert not os.path.exists(tmp_path / "s")


def described(program):
    done = subprocess.run([os.path.join(BUILD, program), "--describe-options"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and done.stderr == "", done
    return {row["name"]: row for row in json.loads(done.stdout)}


def test_a_table_says_what_its_program_takes():
    dnsd = described("veer-dnsd")
    assert dnsd["workers"] == {"name": "workers", "kind": "int", "required": False, "min": 1, "max": 256}
    assert dnsd["rrl-exempt"]["max"] == 64 and dnsd["geoip"]["max"] == 8 and dnsd["listen"]["required"]
    assert dnsd["log-format"]["names"] == ["text", "json"]
    assert not {"replace", "adopt-store", "check-config", "config", "describe-options"} & set(dnsd), "they are for the command line"
    for program in ("veer-api", "veer-probe"):
        assert {"user", "group", "log-level"} <= set(described(program))


# Options that veer run sets itself, or that it passes to each program.
DECIDED = {"veer-api": {"store", "feed-user", "open-socket"}, "veer-dnsd": {"zone", "feed", "state", "token-file", "ca-file", "control"},
           "veer-probe": {"api", "token-file", "state", "ca-file"}}
ODD = {"user": "nobody", "group": "nogroup", "resolver": ["192.0.2.1"], "listen": ["127.0.0.1@5300"], "reference": ["192.0.2.1:443"],
       "rrl-exempt": [f"10.0.{i}.0/24" for i in range(64)], "allow-targets": "private", "deny-targets": "10.0.0.0/8",
       "metrics": "127.0.0.1:9153", "dnstap": "unix:/run/dnstap.sock", "exec-user": "daemon", "allow-exec": "/usr/lib/veer"}


def value_of(program, row):
    """A valid value for a configuration file."""
    name = row["name"]
    if program == "veer-api" and name == "listen":
        return ["127.0.0.1:8053"]
    if name in ODD:
        return ODD[name]
    if row["kind"] == "list":
        return ["/dev/null"] * (row["max"] or 2)
    return {"flag": True, "string": "/dev/null", "int": row.get("max"), "enum": row.get("names", [None])[-1]}[row["kind"]]


@pytest.mark.skipif(os.geteuid() != 0, reason="a user and a group are named")
def test_the_file_takes_all_that_the_programs_take(tmp_path):
    sections = {}
    for program, decided in DECIDED.items():
        rows = described(program)
        assert decided <= set(rows), "there is no such option any more"
        sections[program] = {name.replace("-", "_"): value_of(program, row) for name, row in rows.items() if name not in decided}
    path = tmp_path / "veer.yaml"
    path.write_text(json.dumps({"state": f"{tmp_path}/s", "api": sections["veer-api"], "dnsd": sections["veer-dnsd"],
                                "probes": [{"name": "p", **sections["veer-probe"], "region": "eu"}]}))
    r = veer("run", "--check-config", path)
    assert (r.returncode, r.stderr) == (0, ""), r


@pytest.mark.parametrize("key", ["zone", "feed", "state", "token_file", "ca_file", "control", "replace", "adopt_store"])
def test_what_veer_run_decides_is_not_for_the_file(tmp_path, key):
    path = tmp_path / "veer.yaml"
    path.write_text(f"state: {tmp_path}/s\ndnsd:\n  listen: [\"127.0.0.1@53\"]\n  {key}: x\n")
    check_refusal(veer("run", "--check-config", path), path, 4, key)


def test_options_of_the_file_reach_the_name_server(tmp_path):
    r = Run(tmp_path, probes=0)
    port = free_port()
    with open(r.config, "a", encoding="utf-8") as f:
        f.write(f"  metrics: 127.0.0.1:{port}\n  nsid: here\n  query_log: {tmp_path}/queries\n  log_level: debug\n")
    r.start(seconds=30)
    try:
        query = dns.message.make_query("x.example", "A", use_edns=True, options=[dns.edns.GenericOption(dns.edns.NSID, b"")])
        reply = dns.query.udp(query, "127.0.0.1", port=r.dns_port, timeout=10)
        assert [o.data for o in reply.options if o.otype == dns.edns.NSID] == [b"here"], reply
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as metrics:
            assert b"veer_dns_requests_total" in metrics.read()
        wait_until(lambda: "x.example" in open(f"{tmp_path}/queries", encoding="utf-8").read(), 10)
        r.stop()
    finally:
        r.kill()


# A missing file is an error only of the child that needs it; only --check refuses it (test_answers_first.py).
MISSING_FILES = [
    ("state: /STATE\napi:\n  tls_cert: /does/not/exist\n  tls_key: /dev/null\n", 3, "/does/not/exist"),
    ("state: /STATE\ndnsd:\n  listen: [\"127.0.0.1@53\"]\n  geoip: [\"/no/such.mmdb\"]\n", 4, "/no/such.mmdb"),
]


@pytest.mark.parametrize("text,line,word", MISSING_FILES)
def test_a_check_refuses_files_that_are_missing(tmp_path, text, line, word):
    path = tmp_path / "veer.yaml"
    path.write_text(text.replace("/STATE", f"{tmp_path}/s"))
    check_refusal(veer("run", "--check-config", path), path, line, word)
    assert not os.path.exists(tmp_path / "s")


def check_refusal(r, path, line, word):
    assert r.returncode == 2, r.stderr
    assert f"{path}:{line}: " in r.stderr or f"{path}:{line}" in r.stderr, r.stderr
    assert word in r.stderr, r.stderr
    assert len(r.stderr.strip().splitlines()) == 1, r.stderr


def test_a_configuration_that_is_not_there(tmp_path):
    r = veer("run", tmp_path / "nowhere.yaml")
    assert r.returncode == 2 and "nowhere.yaml" in r.stderr
    assert veer("run", tmp_path, "x").returncode == 2  # a directory; too many arguments


def test_it_serves_and_ends_all_of_it(tmp_path):
    r = Run(tmp_path).start(seconds=30)
    children = r.children()
    assert {"veer-api", "veer-dnsd", "enrol-p0", "veer-probe-p0"} == set(children)
    status = json.loads(veer("status", "--json", "--api", r.api).stdout)
    assert [a["name"] for a in status["agents"]] == ["p0"]
    r.stop(30)
    assert not any(is_alive(pid) for pid in children.values())
    assert not os.path.exists(f"{r.state}/notify.sock")
    # Start again with the saved state: no program enrols a second time.
    r = Run(tmp_path).start(seconds=30)
    assert "enrol-p0" not in r.children()
    r.stop(30)


def test_a_child_that_dies_is_started_again_with_growing_pauses(run):
    for _ in range(3):
        pid = run.children()["veer-probe-p0"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: run.children()["veer-probe-p0"] != pid, 10)
    pauses = [int(p) for p in re.findall(r"child=veer-probe-p0 .*signal=9 pause_ms=(\d+)", run.said())]
    assert pauses == [100, 200, 400]
    # The control plane restarts too: its agent and its name server find it again.
    pid = run.children()["veer-api"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: run.children()["veer-api"] != pid, 10)

    def is_heard():
        r = veer("status", "--json", "--api", run.api)
        s = json.loads(r.stdout) if r.returncode == 0 else {}
        return s.get("agents") and s["agents"][0]["state"] == "reporting" and s.get("nameservers")
    wait_until(is_heard, 20)


def test_sighup_reaches_the_children(run):
    before = run.children()
    os.kill(run.process.pid, signal.SIGHUP)
    wait_until(lambda: len(re.findall("program=veer-dnsd event=.*reload", run.said())) >= 1, 10, run.said)
    assert run.children() == before


def test_a_second_one_in_the_same_directory_is_refused(run):
    second = veer("run", run.config)
    assert second.returncode == 2 and "another veer run" in second.stderr
    pid = run.children()["veer-probe-p0"]
    os.kill(pid, signal.SIGKILL)  # the first program still learns of the end of its children
    wait_until(lambda: run.children()["veer-probe-p0"] != pid, 10)
    wait_until(lambda: run.said().count("event=ready child=veer-probe-p0") >= 2, 10, run.said)


def test_ctrl_c_ends_all_of_it(tmp_path):
    r = Run(tmp_path, probes=0).start(seconds=30)
    children = r.children()
    os.kill(r.process.pid, signal.SIGINT)
    assert r.process.wait(timeout=20 * SLOW) == 0
    assert not any(is_alive(pid) for pid in children.values())


def test_a_program_that_is_not_there_is_said(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("veer", "veer-api"):
        shutil.copy(os.path.join(BUILD, name), programs / name)
    r = Run(tmp_path, probes=0)
    r.argv[0] = str(programs / "veer")
    r.start(ready=False)
    try:
        wait_until(lambda: "cannot be executed" in r.said() and "pause_ms=400" in r.said(), 10, r.said)
        assert f"{programs}/veer-dnsd" in r.said()
        assert "event=ready program=" not in r.said()
        r.stop()
    finally:
        r.kill()


def programs_with(directory, name, text):
    """A copy of the programs in which one is replaced by a script, or is missing (None)."""
    place = directory / "bin"
    place.mkdir()
    for program in ("veer", "veer-api", "veer-dnsd", "veer-probe"):
        if program != name:
            shutil.copy(os.path.join(BUILD, program), place / program)
        elif text is not None:
            (place / program).write_text(text)
            (place / program).chmod(0o755)
    return place


@pytest.mark.parametrize("section", ['dnsd:\n  listen: ["127.0.0.1@0"]\n  rrl_exempt: [[x]]\n', 'dnsd:\n  listen: ["127.0.0.1@0"]\n  rrl_exempt: [null]\n'])
def test_a_section_that_is_not_checked_may_hold_anything_but_breaks_nothing(tmp_path, section):
    place = programs_with(tmp_path, "veer-dnsd", None)
    path = tmp_path / "veer.yaml"
    path.write_text(f"state: {tmp_path}/s\n{section}")
    r = subprocess.run([place / "veer", "run", path], capture_output=True, text=True, timeout=30 * SLOW, check=False)
    assert r.returncode == 2 and "rrl_exempt" in r.stderr or "must be a text" in r.stderr, r


@pytest.mark.parametrize("script", ["#!/bin/sh\nexec sleep 300 >&-\n", "#!/bin/sh\nexec sleep 300\n"], ids=["closed", "open"])
def test_a_program_that_hangs_does_not_keep_the_others(tmp_path, script):
    """Its standard output is open in one case and closed in the other."""
    place = programs_with(tmp_path, "veer-probe", script)
    r = Run(tmp_path, probes=1)
    r.argv[0] = str(place / "veer")
    start = time.monotonic()
    r.start(ready=False)
    try:
        wait_until(lambda: "child=veer-dnsd" in r.said(), 10, r.said)
        assert time.monotonic() - start < 6 * SLOW and "its section of the configuration is not checked" in r.said()
    finally:
        r.kill()
        for name, pid in r.children().items():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def test_a_child_that_ignores_sigterm_is_killed(tmp_path):
    r = Run(tmp_path, probes=0).start(seconds=30)
    pid = r.children()["veer-dnsd"]
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    r.stop(40)
    assert 9 < time.monotonic() - start < 20 * SLOW
    assert not is_alive(pid)
    assert "killing" in r.said()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a namespace")
def test_it_runs_as_process_1(tmp_path):
    r = Run(tmp_path, probes=0)
    r.argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *r.argv]
    if subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespaces here")
    r.start(seconds=30)
    r.kill()


ZONE = """$ORIGIN t.example.
$TTL 300
@ SOA ns1 admin 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.1
"""


def test_zones_go_in_and_out(run, tmp_path):
    path = tmp_path / "zone"
    path.write_text(ZONE)
    r = veer("zone", "import", "t.example.", path, "--api", run.api)
    assert r.returncode == 0, r.stderr
    r = veer("zone", "list", "--api", run.api)
    assert r.returncode == 0 and "t.example." in r.stdout
    r = veer("zone", "export", "t.example.", "--api", run.api)
    assert r.returncode == 0 and re.search(r"www\.t\.example\.\s+300\s+IN\s+A\s+192\.0\.2\.1", r.stdout)
    path.write_text(ZONE + "broken A 1.2.3\n")
    r = veer("zone", "import", "t.example.", path, "--api", run.api)
    assert r.returncode == 1 and "7" in r.stderr, r.stderr
    r = veer("zone", "import", "t.example.", tmp_path / "none", "--api", run.api)
    assert r.returncode == 1 and "none" in r.stderr
    r = veer("zone", "export", "other.example.", "--api", run.api)
    assert r.returncode == 1 and r.stdout == "" and r.stderr
    wait_until(lambda: veer("zone", "list", "--json", "--api", run.api).returncode == 0, 5)


def test_tokens_and_agents_are_made(run, tmp_path):
    r = veer("token", "create", "--name", "ci", "--scope", "health:read", "--api", run.api)
    assert r.returncode == 0 and re.fullmatch(r"t-\w+\.vrt_\w{43}\n", r.stdout), r
    token = r.stdout.strip()
    # Over the socket with a token, the rights are those of the token, not of the owner.
    assert veer("status", "--api", run.api, env={"VEER_TOKEN": token}).returncode == 0
    r = veer("token", "create", "--name", "x", "--api", run.api, "--token", token)
    assert r.returncode == 1 and "tokens" in r.stderr, r.stderr
    r = veer("token", "create", "--name", "x", "--scope", "everything", "--api", run.api)
    assert r.returncode == 1 and "everything" in r.stderr
    r = veer("status", "--api", run.api, "--token", "t-x.wrong")
    assert r.returncode == 1 and r.stderr.count("\n") == 1
    r = veer("agent", "enrol", "--name", "us-1", "--region", "us", "--api", run.api)
    assert r.returncode == 0 and re.fullmatch(r"vre_\w{43}\n", r.stdout) and "veer-probe" in r.stderr
    out = tmp_path / "token"
    r = veer("agent", "enrol", "--name", "us-2", "--region", "us", "--out", out, "--api", run.api)
    assert r.returncode == 0 and re.fullmatch(r"vre_\w{43}\n", out.read_text()) and out.stat().st_mode & 0o777 == 0o600
    r = veer("agent", "enrol", "--name", "us-3", "--region", "us", "--out", tmp_path / "no" / "token", "--api", run.api)
    assert r.returncode == 1 and "no/token" in r.stderr
    r = veer("agent", "enrol", "--name", "U S", "--region", "us", "--api", run.api)
    assert r.returncode == 1 and "U S" in r.stderr


COMMANDS = re.findall(r'^\t\{"([a-z ]+)", ".*?", cli_\w+\},$', source("api/cli/main.c"), re.M)
HIDDEN = ["demo seed", "demo site"]  # started by demo run
SHOWN = [command for command in COMMANDS if command not in HIDDEN]


def test_the_commands_are_known():
    assert len(SHOWN) > 30 and len(COMMANDS) == len(SHOWN) + len(HIDDEN)
    assert not any(command in veer("--help").stdout for command in HIDDEN)


@pytest.mark.parametrize("command", SHOWN)
def test_every_command_explains_itself(command):
    r = veer(*command.split(), "--help")
    assert r.returncode == 0 and r.stdout.startswith("Usage: veer " + command) or f"veer {command}" in r.stdout, r
    assert r.stderr == ""
    assert command in veer("--help").stdout


@pytest.mark.parametrize("command", [*SHOWN, "freeze --off"])
def test_every_command_says_its_version_and_does_nothing(command):
    r = veer(*command.split(), "--version")
    assert (r.returncode, r.stderr) == (0, "") and re.fullmatch(r"veer \d+\.\d+\.\d+\n", r.stdout), r


@pytest.mark.parametrize("args,code,word", [
    (["nonsense"], 2, "nonsense"),
    (["zone"], 2, "zone"),
    (["zone", "improt"], 2, "import"),
    (["status", "--jsno"], 2, "--json"),
    (["status", "extra"], 2, "extra"),
    (["token", "create"], 2, "--name"),
    (["agent", "enrol", "--name", "a"], 2, "--region"),
    (["zone", "import"], 2, ""),
    (["demo", "stop"], 2, ""),
    (["status", "--api", "unix:/does/not/exist"], 1, "/does/not/exist"),
    (["status", "--api", "http://127.0.0.1:1"], 1, "127.0.0.1:1"),
    (["status", "--api", "ftp://x"], 2, "ftp"),
    (["status", "--api", "unix:/" + "x" * 200], 1, "at most 107"),
])
def test_errors_say_what_is_wrong(args, code, word):
    r = veer(*args)
    assert r.returncode == code, r
    assert r.stderr.startswith("veer: ") and word in r.stderr, r.stderr
    assert r.stdout == ""
