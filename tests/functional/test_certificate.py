#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The API's certificate: it is read again when it changes, its expiry is reported, and old versions of TLS and old
ciphers are refused."""
import os
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from veer_util import Api, SLOW, wait_until


def make(directory, name, days=90, kind="ec"):
    """Make a pair: a certificate and its key."""
    cert, key = str(directory / f"{name}.pem"), str(directory / f"{name}.key")
    curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else []
    subprocess.run(["openssl", "req", "-x509", "-newkey", kind, *curve, "-nodes", "-keyout", key, "-out", cert, "-days", str(days),
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


def use(pair, api):
    for source, target in zip(pair, (api.cert, api.key)):
        shutil.copyfile(source, target + ".new")
        os.chmod(target + ".new", 0o600)
        os.rename(target + ".new", target)


@pytest.fixture
def tls(tmp_path):
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    api = Api(tmp_path, "--tls-cert", cert, "--tls-key", key)
    api.cert, api.key = cert, key
    yield api
    api.kill()


def shown(port, **limits):
    """The name in the certificate that the server presents, or the error."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in limits.items():
        if name == "ciphers":
            context.set_ciphers(value)
        else:
            setattr(context, name, value)
    with socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW) as raw:
        with context.wrap_socket(raw) as connection:
            der = connection.getpeercert(binary_form=True)
            run = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=der, capture_output=True, check=True)
            return run.stdout.decode().strip().split("=")[-1].strip()


def test_a_new_certificate_is_shown_after_a_hangup_and_streams_go_on(tls, tmp_path):
    use(make(tmp_path, "first"), tls)
    tls.start()
    assert shown(tls.port) == "first" and tls.metric("veer_api_certificate_days_left") > 80
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    token = tls.make_token("feed:read")
    raw = socket.create_connection(("127.0.0.1", tls.port), timeout=10 * SLOW)
    with context.wrap_socket(raw) as stream:
        stream.sendall(b"GET /v1/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n")
        assert b"200" in stream.recv(4096)
        for turn in range(3):
            use(make(tmp_path, f"next{turn}", days=10), tls)
            os.kill(tls.process.pid, signal.SIGHUP)
            wait_until(lambda name=f"next{turn}": shown(tls.port) == name, 10)
        stream.settimeout(10 * SLOW)
        for _ in range(3):
            assert stream.recv(65536), "heartbeats of the stream from before"
    assert 8 < tls.metric("veer_api_certificate_days_left") < 11 and "ends soon" in tls.said()
    tls.stop()


def test_the_same_pair_is_not_taken_twice_and_a_full_house_takes_the_new_one_later(tls, tmp_path):
    use(make(tmp_path, "first"), tls)
    tls.start()
    for _ in range(3):
        os.kill(tls.process.pid, signal.SIGHUP)
    held = []
    for turn in range(10):
        held.append(socket.create_connection(("127.0.0.1", tls.port), timeout=10 * SLOW))
        use(make(tmp_path, f"next{turn}"), tls)
        os.kill(tls.process.pid, signal.SIGHUP)
        wait_until(lambda: "too many connections" in tls.said() or shown(tls.port) == f"next{turn}", 10)
    assert "too many connections" in tls.said()
    for connection in held:
        connection.close()
    wait_until(lambda: shown(tls.port) == "next9", 40)
    tls.stop()


def test_a_new_certificate_waits_in_sight_and_not_for_ever_for_streams_with_old_ones(tls, tmp_path):
    """A stream does not end by itself: with certificates that are valid for a day, the ninth would otherwise never be
    presented."""
    use(make(tmp_path, "first"), tls)
    tls.start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    token, streams, last = tls.make_token("feed:read"), [], "first"
    for turn in range(9):
        raw = socket.create_connection(("127.0.0.1", tls.port), timeout=10 * SLOW)
        streams.append(context.wrap_socket(raw))
        streams[-1].sendall(b"GET /v1/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n")
        assert b"200" in streams[-1].recv(4096)
        use(make(tmp_path, f"next{turn}"), tls)
        os.kill(tls.process.pid, signal.SIGHUP)
        if turn < 8:
            last = f"next{turn}"
            wait_until(lambda: shown(tls.port) == last, 10)
    wait_until(lambda: "the new certificate waits: too many connections" in tls.said(), 5, tls.said)
    assert tls.metric("veer_api_certificate_waiting") == 1 and tls.metric("veer_api_certificates_old") == 8
    assert shown(tls.port) == last
    wait_until(lambda: shown(tls.port) == "next8", 40, tls.said)
    assert tls.metric("veer_api_certificate_waiting") == 0 and tls.said().count("the new certificate waits") == 1

    def is_cut(stream):
        try:
            while stream.recv(65536):
                pass
        except (TimeoutError, ssl.SSLError) as error:
            return not isinstance(error, TimeoutError)
        return True
    for stream in streams:
        stream.settimeout(0.1)
    assert [is_cut(stream) for stream in streams] == [True] + [False] * 8
    for stream in streams:
        stream.close()
    tls.stop()


def test_a_change_of_the_files_is_noticed_and_a_bad_pair_changes_nothing(tls, tmp_path):
    use(make(tmp_path, "first"), tls)
    tls.start()
    with open(tls.cert, "w", encoding="ascii") as f:
        f.write("nothing")
    os.kill(tls.process.pid, signal.SIGHUP)
    wait_until(lambda: "cannot be used; what was used stays" in tls.said(), 10)
    assert shown(tls.port) == "first"
    use(make(tmp_path, "second"), tls)
    wait_until(lambda: shown(tls.port) == "second", 20)
    tls.stop()


def test_without_a_good_certificate_the_unix_socket_is_served_and_tcp_waits(tls, tmp_path):
    tls.start(ready=False)
    wait_until(lambda: "event=ready" in tls.said(), 10)
    assert "TCP waits" in tls.said() and tls.get("/healthz").status == 200
    port = int(tls.ready_field("port"))
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    use(make(tmp_path, "late"), tls)
    os.kill(tls.process.pid, signal.SIGHUP)
    tls.port = port

    def is_served():
        try:
            return shown(port) == "late"
        except OSError:
            return False
    wait_until(is_served, 10)
    tls.stop()


def test_without_anything_to_serve_it_ends(tmp_path):
    api = Api(tmp_path, "--tls-cert", str(tmp_path / "none.pem"), "--tls-key", str(tmp_path / "none.key"))
    api.argv = [a for n, a in enumerate(api.argv) if not (a.startswith("unix:") or (a == "--listen" and api.argv[n + 1].startswith("unix:")))]
    api.start(ready=False)
    assert api.process.wait(20 * SLOW) == 2 and "none.pem" in api.said()


@pytest.mark.parametrize("limits", [{"maximum_version": ssl.TLSVersion.TLSv1_1, "ciphers": "ALL:@SECLEVEL=0"},
                                    {"maximum_version": ssl.TLSVersion.TLSv1, "ciphers": "ALL:@SECLEVEL=0"},
                                    {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": "AES128-GCM-SHA256:AES256-SHA:@SECLEVEL=0"}])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_and_static_keys_are_refused(tls, tmp_path, limits):
    use(make(tmp_path, "rsa", kind="rsa:2048"), tls)
    tls.start()
    assert shown(tls.port, maximum_version=ssl.TLSVersion.TLSv1_2) == shown(tls.port) == "rsa"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shown(tls.port, minimum_version=ssl.TLSVersion.MINIMUM_SUPPORTED, **limits)
    tls.stop()


def test_a_key_that_everybody_may_read_is_said(tls, tmp_path):
    use(make(tmp_path, "loose"), tls)
    os.chmod(tls.key, 0o644)
    tls.start()
    assert "everybody on this host may read the key" in tls.said()
    tls.stop()
