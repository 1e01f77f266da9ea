# SPDX-License-Identifier: Apache-2.0
"""Real servers of HTTP/1.1 and HTTP/2 whose replies are as large as a request asks for, in clear and by TLS: node, also
behind nginx, Apache and HAProxy as proxies; and nghttpd, which serves files. Each has `ways`: (name, fields of a
check), and states how many bytes of header it can add. Also a process that makes many probes.

    tests/functional/http_peers.py --probes 30000     each body size from 1 to 140 KB and each header size up to 12 KB, in small steps: 0 may fail

The results add up over runs in build/http2/, by server: an interrupted run continues.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from check_servers import PEERS, Pki, answers, free_port
from veer_util import BUILD, ROOT, SLOW, wait_until

NODE = """
const http = require('http'), https = require('https'), http2 = require('http2'), fs = require('fs');
const dir = process.argv[2], ports = process.argv.slice(3).map(Number);
const say = (req, res) => {
  const [, body, head] = req.url.split('/').map(Number);
  for (let i = 0, left = head; left > 0; i++, left -= 512) res.setHeader('x-fill-' + i, 'y'.repeat(Math.max(1, Math.min(left, 512) - 13)));
  res.setHeader('content-type', 'text/plain');
  res.end(body >= 3 ? 'x'.repeat(body - 3) + 'end' : 'x'.repeat(body));
};
const tls = { key: fs.readFileSync(dir + '/good.key'), cert: fs.readFileSync(dir + '/good.pem') };
http.createServer({ keepAliveTimeout: 60000 }, say).listen(ports[0], '127.0.0.1');
https.createServer({ ...tls, keepAliveTimeout: 60000 }, say).listen(ports[1], '127.0.0.1');
http2.createServer(say).listen(ports[2], '127.0.0.1');
http2.createSecureServer(tls, say).listen(ports[3], '127.0.0.1');
"""

BODY_READ = 65536  # bytes of a reply that are read; a check ignores the rest


def program(*parts):
    path = os.path.join(PEERS, *parts)
    return path if os.path.exists(path) else None


class Peer:
    """One server process. A subclass sets `argv` and `ways`."""

    max_header = 12288
    argv = None

    def __init__(self, directory, pki):
        self.dir, self.pki = directory, pki
        self.ports = [free_port() for _ in range(4)]
        os.makedirs(directory, exist_ok=True)

    def start(self):
        env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(PEERS, "usr/lib/x86_64-linux-gnu"))
        self.log = open(os.path.join(self.dir, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env, cwd=self.dir)
        for port in {fields["port"] for _, fields in self.ways}:
            wait_until(lambda port=port: answers(port), 20, f"{type(self).__name__} answers")
        return self

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def tls(self, port, version):
        return {"kind": "https", "port": port, "http_version": version, "host": "www.example.test", "ca_pem": self.pki.text("ca.pem")}

    def four_ways(self):
        clear, tls, h2c, h2 = self.ports
        return [("1.1", {"kind": "http", "port": clear}), ("1.1 TLS", self.tls(tls, "1.1")),
                ("2", {"kind": "http", "port": h2c, "http_version": "2"}), ("2 TLS", self.tls(h2, "2"))]

    def path(self, body, header):
        return f"/{body}/{header}"

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Node(Peer):
    def __init__(self, directory, pki):
        super().__init__(directory, pki)
        self.argv = ["node", self.write("server.js", NODE), pki.dir, *map(str, self.ports)]
        self.ways = self.four_ways()

    @staticmethod
    def is_there():
        return shutil.which("node") is not None


class Nginx(Peer):
    """One port serves both versions over TLS; in clear, HTTP/2 has a port of its own."""

    def __init__(self, directory, pki, behind):
        super().__init__(directory, pki)
        clear, tls, h2c, _ = self.ports
        self.ports[3] = tls
        secure = f"ssl_certificate {pki.path('good.pem')}; ssl_certificate_key {pki.path('good.key')};"
        to = f"location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; }}"
        temp = "".join(f"{kind}_temp_path {directory}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.write("nginx.conf", f"""daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr error;
events {{ worker_connections 512; }}
http {{ access_log off; {temp} keepalive_requests 100000;
server {{ listen 127.0.0.1:{clear}; {to} }}
server {{ listen 127.0.0.1:{h2c} http2; {to} }}
server {{ listen 127.0.0.1:{tls} ssl http2; {secure} {to} }} }}
""")
        self.argv = [program("usr/sbin/nginx"), "-p", directory, "-c", conf]
        self.ways = self.four_ways()

    @staticmethod
    def is_there():
        return program("usr/sbin/nginx") is not None


class Apache(Peer):
    def __init__(self, directory, pki, behind):
        super().__init__(directory, pki)
        clear, tls, _, _ = self.ports
        self.ports[2], self.ports[3] = clear, tls
        modules = program("usr/lib/apache2/modules")
        load = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so"
                         for name in ("mpm_event", "authz_core", "proxy", "proxy_http", "ssl", "http2"))
        conf = self.write("apache.conf", f"""ServerRoot {directory}
PidFile {directory}/apache.pid
DefaultRuntimeDir {directory}
ErrorLog {directory}/error.log
ServerName www.example.test
{load}
Listen 127.0.0.1:{clear}
Listen 127.0.0.1:{tls}
Protocols h2 h2c http/1.1
H2Direct on
MaxKeepAliveRequests 0
KeepAliveTimeout 60
ProxyPass / http://127.0.0.1:{behind}/ disablereuse=on
<VirtualHost 127.0.0.1:{tls}>
SSLEngine on
SSLCertificateFile {pki.path('good.pem')}
SSLCertificateKeyFile {pki.path('good.key')}
</VirtualHost>
""")
        self.argv = [program("usr/sbin/apache2"), "-X", "-f", conf]
        self.ways = self.four_ways()

    @staticmethod
    def is_there():
        return program("usr/sbin/apache2") is not None


class Haproxy(Peer):
    def __init__(self, directory, pki, behind):
        super().__init__(directory, pki)
        clear, tls, h2c, _ = self.ports
        self.ports[3] = tls
        both = self.write("both.pem", pki.text("good.pem") + pki.text("good.key"))
        conf = self.write("haproxy.conf", f"""global
  maxconn 512
  tune.bufsize 32768
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend all
  bind 127.0.0.1:{clear}
  bind 127.0.0.1:{h2c} proto h2
  bind 127.0.0.1:{tls} ssl crt {both} alpn h2,http/1.1
  default_backend node
backend node
  server node 127.0.0.1:{behind}
""")
        self.argv = [program("usr/sbin/haproxy"), "-db", "-f", conf]
        self.ways = self.four_ways()

    @staticmethod
    def is_there():
        return program("usr/sbin/haproxy") is not None


class Nghttpd(Peer):
    """Only HTTP/2, in clear or by TLS, with one process for each. It adds no headers."""

    max_header = 0

    def __init__(self, directory, pki):
        super().__init__(directory, pki)
        _, _, h2c, h2 = self.ports
        both = f"'{program('usr/sbin/nghttpd')}' -d '{directory}/files' -a 127.0.0.1"
        self.argv = ["sh", "-c", f"{both} --no-tls {h2c} & first=$!; trap 'kill $first $second' TERM; "
                     f"{both} {h2} '{pki.path('good.key')}' '{pki.path('good.pem')}' & second=$!; wait; wait"]
        self.ways = self.four_ways()[2:]
        # A check that does not ask for HTTP/2 uses it too, because the server speaks nothing else.
        self.ways.append(("default TLS", {**self.tls(h2, "2"), "http_version": "default"}))
        os.makedirs(os.path.join(directory, "files"), exist_ok=True)

    def path(self, body, header):
        path = os.path.join(self.dir, "files", str(body))
        if not os.path.exists(path):
            with open(path, "w", encoding="ascii") as f:
                f.write("x" * (body - 3) + "end" if body >= 3 else "x" * body)
        return f"/{body}"

    @staticmethod
    def is_there():
        return program("usr/sbin/nghttpd") is not None


BEHIND = {"nginx": Nginx, "apache": Apache, "haproxy": Haproxy}


class Peers:
    """All servers that are available here, by name; `missing` has the names of the others."""

    def __init__(self, directory, pki):
        self.running, self.missing = {}, []
        if Node.is_there():
            self.running["node"] = Node(os.path.join(directory, "node"), pki).start()
        for name, kind in BEHIND.items():
            if kind.is_there() and "node" in self.running:
                self.running[name] = kind(os.path.join(directory, name), pki, self.running["node"].ports[0]).start()
        if Nghttpd.is_there():
            self.running["nghttpd"] = Nghttpd(os.path.join(directory, "nghttpd"), pki).start()
        self.missing = [name for name in ("node", *BEHIND, "nghttpd") if name not in self.running]

    def close(self):
        for peer in self.running.values():
            peer.close()


class Probes:
    """A process that makes probes and keeps connections between them."""

    def __init__(self):
        self.process = subprocess.Popen([os.path.join(BUILD, "tests/probe_many")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, check, count=1, address="127.0.0.1"):
        """Return (passed, failed, how the first failed probe ended)."""
        body = {"name": "c", "interval_ms": 60000, "timeout_ms": 5000 * SLOW, **check}
        self.process.stdin.write(f"{count} {address} {json.dumps(body)}\n")
        self.process.stdin.flush()
        good, bad, text = self.process.stdout.readline().rstrip("\n").split(" ", 2)
        return int(good), int(bad), text

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def check_of(peer, fields, is_kept, body, header):
    check = {**fields, "path": peer.path(body, min(header, peer.max_header)), "keep_connection": is_kept}
    if 3 <= body <= BODY_READ:
        check["body_contains"] = "end"
    return check


def sizes(number, total):
    """The `number`th of `total` pairs: bodies of 1 byte to 140 KB and headers of none to 12 KB, both in small steps, in
    a mixed order."""
    rng = random.Random(number)
    return 1 + (number * 140 * 1024 // total + rng.randrange(32)), 12288 * (number * 7919 % total) // total


def play(peer, probes, first, count, total, failures):
    """Make the probes from number `first` on, of `total`, of one server: each way, on new and on kept connections."""
    for number in range(first, first + count):
        body, header = sizes(number, total)
        for way, fields in peer.ways:
            for is_kept in (False, True):
                _, bad, text = probes.run(check_of(peer, fields, is_kept, body, header))
                if bad:
                    failures.append(f"{type(peer).__name__} {way}{' kept' if is_kept else ''}, body {body}, header {header}: {text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", type=int, default=30000)
    args = parser.parse_args()
    state = os.path.join(ROOT, "build", "http2")
    os.makedirs(state, exist_ok=True)
    progress_path = os.path.join(state, f"progress-{args.probes}-{int(os.path.getmtime(os.path.join(BUILD, 'tests/probe_many')))}.json")
    progress = {}
    if os.path.exists(progress_path):
        with open(progress_path, encoding="ascii") as f:
            progress = json.load(f)
    failures, began = [], time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        pki_dir = os.path.join(directory, "pki")
        os.mkdir(pki_dir)
        peers, probes = Peers(directory, Pki(pki_dir)), Probes()
        try:
            ways = sum(2 * len(peer.ways) for peer in peers.running.values())
            total = -(-args.probes // ways)  # pairs of sizes for each server
            for name, peer in peers.running.items():
                for first in range(progress.get(name, 0), total, 20):
                    play(peer, probes, first, min(20, total - first), total, failures)
                    progress[name] = min(first + 20, total)
                    with open(progress_path, "w", encoding="ascii") as f:
                        json.dump(progress, f)
                print(f"{name}: {total} sizes, {2 * len(peer.ways)} ways each, {len(failures)} failures so far", flush=True)
        finally:
            probes.close()
            peers.close()
    for failure in failures[:50]:
        print(failure)
    print(f"{ways * total} probes, {len(failures)} failures, {time.monotonic() - began:.0f} s; not here: {', '.join(peers.missing) or 'none'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
