# SPDX-License-Identifier: Apache-2.0
"""Real servers to probe: nginx with all kinds of certificates, gRPC, Knot, and hostile ones. All listen on loopback, on
ports that the kernel chooses."""
import concurrent.futures
import datetime
import os
import socket
import struct
import subprocess
import threading
import time

import grpc

from veer_util import BUILD, ROOT, wait_until

PEERS = os.path.join(ROOT, "build", "peers", "root")


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def closed_port():
    return free_port()


class Pki:
    """An authority and certificates for www.example.test: good, expired, another name, self-signed, and one that ends in ten days."""

    def __init__(self, directory):
        self.dir = str(directory)
        with open(self.path("ca.conf"), "w") as f:
            f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.dir}/index\nnew_certs_dir={self.dir}\nserial={self.dir}/serial\n"
                    "default_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=copy\n[p]\ncommonName=supplied\n")
        open(self.path("index"), "w").close()
        with open(self.path("serial"), "w") as f:
            f.write("01\n")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Test CA",
                     "-days", "3650", "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))
        for name, host, first, last in (("good", "www.example.test", -1, 90), ("expired", "www.example.test", -30, -1),
                                        ("future", "www.example.test", 5, 90), ("other", "other.example.test", -1, 90),
                                        ("soon", "www.example.test", -1, 10)):
            self.issue(name, host, first, last)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=www.example.test",
                     "-addext", "subjectAltName=DNS:www.example.test", "-days", "90", "-keyout", self.path("self.key"),
                     "-out", self.path("self.pem"))
        self.ca = self.path("ca.pem")

    def path(self, name):
        return os.path.join(self.dir, name)

    def openssl(self, *args):
        done = subprocess.run(["openssl", *args], cwd=self.dir, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def issue(self, name, host, first_day, last_day):
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        dates = [(now + datetime.timedelta(days=d)).strftime("%Y%m%d%H%M%SZ") for d in (first_day, last_day)]
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={host}", "-addext",
                     f"subjectAltName=DNS:{host},IP:127.0.0.1", "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"))
        self.openssl("ca", "-batch", "-notext", "-config", self.path("ca.conf"), "-cert", self.path("ca.pem"), "-keyfile",
                     self.path("ca.key"), "-in", self.path(f"{name}.csr"), "-out", self.path(f"{name}.pem"), "-startdate", dates[0],
                     "-enddate", dates[1])

    def text(self, name):
        with open(self.path(name), encoding="ascii") as f:
            return f.read()


LOCATIONS = """
    default_type text/plain;
    location / { return 200 "{\\"status\\": \\"healthy\\"}"; }
    location /echo { return 200 "$request_method $server_protocol host=$http_host sni=$ssl_server_name probe=$http_x_probe reused=$ssl_session_reused"; }
    location /status/500 { return 500 "broken"; }
    location /status/204 { return 204; }
    location /moved { return 302 /echo; }
    location /post-then-get { return 303 /echo; }
    location /loop { return 302 /loop; }
    location /nowhere { return 302 ftp://example.test/; }
    location /secret { return 302 http://user:password@127.0.0.1/; }
    location /slow { root %(dir)s; limit_rate 100; }
    location /body { root %(dir)s; client_body_in_single_buffer on; }
"""


class Nginx:
    """nginx on `ports`: http, h2c, and a TLS port for each certificate."""

    def __init__(self, directory, pki):
        self.dir = str(directory)
        os.makedirs(os.path.join(self.dir, "slow"), exist_ok=True)
        with open(os.path.join(self.dir, "slow", "file"), "w") as f:
            f.write("x" * 20000)
        self.ports = {name: free_port() for name in ("http", "h2c", "good", "expired", "future", "other", "soon", "self", "tls1")}
        locations = LOCATIONS % {"dir": self.dir}
        servers = [f"server {{ listen 127.0.0.1:{self.ports['http']}; {locations} }}",
                   f"server {{ listen 127.0.0.1:{self.ports['h2c']} http2; {locations} }}",
                   f"server {{ listen 127.0.0.1:{self.ports['tls1']} ssl; ssl_certificate {pki.path('good.pem')}; ssl_certificate_key "
                   f"{pki.path('good.key')}; {locations} }}"]
        for name in ("good", "expired", "future", "other", "soon", "self"):
            servers.append(f"server {{ listen 127.0.0.1:{self.ports[name]} ssl http2; ssl_certificate {pki.path(name + '.pem')}; "
                           f"ssl_certificate_key {pki.path(name + '.key')}; {locations} }}")
        temp = "".join(f"{kind}_temp_path {self.dir}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w") as f:
            f.write(f"daemon off; master_process off; pid {self.dir}/nginx.pid; error_log stderr error;\nevents {{ worker_connections 512; }}\n"
                    f"http {{ access_log off; {temp}\n" + "\n".join(servers) + "\n}\n")
        env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(PEERS, "usr/lib/x86_64-linux-gnu"))
        self.log = open(os.path.join(self.dir, "nginx.log"), "w+")
        self.process = subprocess.Popen([os.path.join(PEERS, "usr/sbin/nginx"), "-p", self.dir, "-c", conf], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=env)
        wait_until(lambda: answers(self.ports["http"]), 10, "nginx answers")

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


class Health(grpc.GenericRpcHandler):
    """grpc.health.v1.Health, written with raw bytes."""

    statuses = {b"": 1, b"shop": 1, b"cellar": 2, b"odd": 77}

    def service(self, details):
        if details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self.check)

    def check(self, request, context):
        name = request[2:] if request else b""
        if name == b"slow":
            time.sleep(3)
        if name not in self.statuses:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return bytes((8, self.statuses[name]))


class GrpcServer:
    def __init__(self, pki, options=()):
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=(Health(),), options=options)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        with open(pki.path("good.key"), "rb") as key, open(pki.path("good.pem"), "rb") as cert:
            credentials = grpc.ssl_server_credentials([(key.read(), cert.read())])
        self.tls_port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.server.start()

    def close(self):
        self.server.stop(0)


class Knot:
    def __init__(self, directory):
        self.dir = str(directory)
        self.port = free_port()
        with open(os.path.join(self.dir, "example.test.zone"), "w") as f:
            f.write("$ORIGIN example.test.\n@ 60 SOA ns hostmaster 1 3600 600 86400 60\n@ 60 NS ns\nns 60 A 192.0.2.53\n"
                    "www 60 A 192.0.2.1\nwww 60 A 192.0.2.2\nwww 60 AAAA 2001:db8::1\nalias 60 CNAME www\n"
                    "@ 60 MX 10 Mail\nmail 60 A 192.0.2.25\n_s._tcp 60 SRV 1 2 443 www\ntext 60 TXT \"two words\" more\n"
                    + "".join(f"big 60 TXT \"{i:03d}{'x' * 200}\"\n" for i in range(40)))
        conf = os.path.join(self.dir, "knot.conf")
        with open(conf, "w") as f:
            f.write(f"server:\n    rundir: {self.dir}\n    listen: 127.0.0.1@{self.port}\nlog:\n  - target: stderr\n    any: warning\n"
                    f"database:\n    storage: {self.dir}\nzone:\n  - domain: example.test\n    storage: {self.dir}\n"
                    "    file: example.test.zone\n    zonefile-sync: -1\n    journal-content: none\n")
        env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(PEERS, "usr/lib/x86_64-linux-gnu"))
        self.log = open(os.path.join(self.dir, "knot.log"), "w+")
        self.process = subprocess.Popen([os.path.join(PEERS, "usr/sbin/knotd"), "-c", conf], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env=env)
        wait_until(lambda: answers(self.port), 10, "knotd answers")

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


class Hostile:
    """A TCP server that calls `behave(connection, first bytes)` for each connection in its own thread."""

    def __init__(self, behave, reads=True):
        self.behave, self.reads = behave, reads
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        # the number of bytes sent must show how many were read: without this the kernel alone would buffer megabytes
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.port = self.listener.getsockname()[1]
        self.sent = 0
        self.connections = 0
        self.is_over = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            self.behave(self, connection, connection.recv(65536) if self.reads else b"")
        except OSError:
            pass
        finally:
            connection.close()

    def send(self, connection, data):
        connection.sendall(data)
        self.sent += len(data)

    def close(self):
        self.is_over = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class UdpServer:
    """Answers each datagram with the datagrams that `reply(data)` gives."""

    def __init__(self, reply):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.reply = reply
        self.sources = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                data, source = self.socket.recvfrom(65536)
                if not data:
                    return
                self.sources.append((source[1], data))
                for answer in self.reply(data):
                    self.socket.sendto(answer, source)
            except OSError:
                return

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", ("127.0.0.1", self.port))
        self.socket.close()


def dns_header(query, flags=0x8180, questions=1, answers_=0):
    return query[:2] + struct.pack(">HHHHH", flags, questions, answers_, 0, 0)
