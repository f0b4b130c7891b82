"""Early data (0-RTT): served at once when its method is safe, marked for
servers, taken once by all workers together (RFC 8446 2.3 and 8, RFC 8470;
CONFIG [tls] early_data)."""
import socket
import subprocess
import threading

import pytest

from lib import h2
from lib.origin import OK
from lib.procs import until

WINDOW_S = 60
INI = """
[global]
workers = 2
[tls]
early_data = %s
[listen x]
address = 127.0.0.1:{port}
tls = on
[log access]
path = {dir}/access.log
format = {status} {fault} {method} {path} {tls_resumed}
buffer = none
[site a.test]
certificate = {a}
certificate_key = {a_key}
upstream = {origin}
"""
TOO_EARLY = (b"HTTP/1.1 425 Too Early\r\nContent-Length: 5\r\n\r\nlater")


def request(method, path, more=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: a.test\r\n"
            f"{more}\r\n").encode()


CLOSE = "Connection: close\r\n"


class Scene:
    """A gatehouse that takes early data, an origin, clients of openssl."""

    def __init__(self, ca, folder, gh, origin):
        self.ca, self.dir, self.gh, self.origin = ca, folder, gh, origin
        self.n = 0

    def s_client(self, *args, late=b"", port=None):
        return subprocess.run(
            ["openssl", "s_client", "-connect",
             f"127.0.0.1:{port or self.gh.port}", "-servername", "a.test",
             "-alpn", "http/1.1", "-CAfile", self.ca.pem, "-ign_eof", *args],
            input=late, capture_output=True, timeout=60,
            check=False).stdout.decode("latin-1")

    def session(self):
        path = self.dir / "session"
        path.unlink(missing_ok=True)
        self.s_client("-sess_out", path, late=request("GET", "/first", CLOSE))
        assert path.exists()
        return path

    def early(self, first, late=b"", session=None, port=None, more=()):
        """What came of `first` as early data, and then of `late`."""
        data = self.dir / "data"
        data.write_bytes(first)
        return self.s_client("-sess_in", session or self.session(),
                             "-early_data", data, *more, late=late, port=port)

    def wait_window(self):
        """Nothing is taken in the first seconds."""
        until(lambda: "Early data was accepted" in self.early(
            request("GET", "/window", CLOSE),
            request("GET", "/window", CLOSE)), timeout=WINDOW_S,
              what="the end of the first window", pause=1)
        return self

    def requests(self, path):
        return [r for r in self.origin.requests if r.target == path]

    def path(self):
        """One that no test used."""
        self.n += 1
        return f"/p{self.n}"


def serve(conn, got):
    conn.send(TOO_EARLY if got.target == "/425" and got.get("early-data")
              else OK)


@pytest.fixture(scope="module")
def scene(ca, tmp_path_factory, shared_gatehouse, shared_origin):
    origin = shared_origin(serve)
    gh = shared_gatehouse(INI % "on", a=ca.dir / "a.pem",
                          a_key=ca.dir / "a.key", origin=origin.address)
    return Scene(ca, tmp_path_factory.mktemp("early"), gh,
                 origin).wait_window()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_safe_request_is_served_and_marked(scene, method):
    """RFC 8470 5.1."""
    path = scene.path()
    text = scene.early(request(method, path, CLOSE))
    assert "Early data was accepted" in text and "HTTP/1.1 200" in text
    got, = scene.requests(path)
    assert got.method == method and got.all("early-data") == ["1"]


def test_what_a_client_says_itself_is_said_once(scene):
    path = scene.path()
    scene.early(request("GET", path, CLOSE + "Early-Data: 1\r\n"))
    assert scene.requests(path)[0].all("early-data") == ["1"]


def test_what_comes_behind_the_handshake_is_not_marked(scene):
    early, late = scene.path(), scene.path()
    text = scene.early(request("GET", early), request("GET", late, CLOSE))
    assert text.count("HTTP/1.1 200") == 2
    assert scene.requests(early)[0].all("early-data") == ["1"]
    assert scene.requests(late)[0].all("early-data") == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
def test_another_method_waits_for_the_handshake(scene, method):
    """RFC 8470 3: then it is no copy, and nothing is to be marked."""
    path = scene.path()
    text = scene.early(
        request(method, path, CLOSE + "Content-Length: 0\r\n"))
    assert "Early data was accepted" in text and "HTTP/1.1 200" in text
    got, = scene.requests(path)
    assert got.method == method and got.all("early-data") == []


def test_behind_a_safe_one_another_method_is_too_early(scene):
    """RFC 8470 5.2, or it waited."""
    safe, other = scene.path(), scene.path()
    text = scene.early(request("GET", safe) + request(
        "POST", other, CLOSE + "Content-Length: 0\r\n"))
    assert len(scene.requests(safe)) == 1
    if "HTTP/1.1 425" in text:
        assert not scene.requests(other)
    else:
        assert scene.requests(other)[0].all("early-data") == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_http_2_waits_for_the_handshake(scene, method):
    """What a client of HTTP/2 sends early is many frames of many streams: all of
    it is served behind the handshake, so nothing of it is to be marked."""
    path = scene.path()
    session = scene.dir / "session_h2"
    said = h2.PREFACE + h2.settings()
    scene.s_client("-alpn", "h2", "-sess_out", session,
                   late=said + h2.goaway())
    asked = h2.headers(1, h2.block(h2.request(
        method, path, scheme="https", authority="a.test")))
    text = scene.early(said + asked + h2.goaway(), session=session,
                       more=("-alpn", "h2"))
    assert "Early data was accepted" in text
    got, = scene.requests(path)
    assert got.method == method and got.all("early-data") == []


def test_a_request_in_two_parts(scene):
    """The rest of a head comes behind the handshake."""
    path = scene.path()
    whole = request("GET", path, CLOSE)
    text = scene.early(whole[:20], whole[20:])
    assert "HTTP/1.1 200" in text
    assert len(scene.requests(path)) == 1


def test_the_origin_may_say_too_early(scene):
    """RFC 8470 5.2: the client hears it and may ask again."""
    text = scene.early(request("GET", "/425"), request("GET", "/425", CLOSE))
    assert "HTTP/1.1 425" in text and "HTTP/1.1 200" in text


class Tap:
    """Between a client and gatehouse; keeps the client's first flight."""

    def __init__(self, port):
        self.listen = socket.create_server(("127.0.0.1", 0))
        self.port = self.listen.getsockname()[1]
        self.to = port
        self.sent = b""
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        client, _ = self.listen.accept()
        server = socket.create_connection(("127.0.0.1", self.to))
        back = threading.Thread(target=self.copy, args=(server, client, None),
                                daemon=True)
        back.start()
        self.copy(client, server, self.keep)
        back.join()
        client.close()
        server.close()

    def keep(self, data):
        self.sent += data

    @staticmethod
    def copy(a, b, note):
        try:
            while data := a.recv(65536):
                if note:
                    note(data)
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listen.close()
        self.thread.join(30)


def test_a_copy_is_refused_by_every_worker(scene):
    """RFC 8446 8.2: the handshake goes on, what was sent early is dropped."""
    path = scene.path()
    session = scene.session()
    tap = Tap(scene.gh.port)
    text = scene.early(request("GET", path, CLOSE), session=session,
                       port=tap.port)
    tap.close()
    assert "Early data was accepted" in text
    assert len(scene.requests(path)) == 1
    kept = []
    try:
        for _ in range(12):
            s = socket.create_connection(("127.0.0.1", scene.gh.port))
            kept.append(s)
            s.settimeout(30)
            s.sendall(tap.sent)
            # a ServerHello: handshake (22), not an alert
            assert s.recv(1) == b"\x16"
    finally:
        for s in kept:
            s.close()
    # others are taken meanwhile
    other = scene.path()
    assert "Early data was accepted" in scene.early(
        request("GET", other, CLOSE))
    assert len(scene.requests(path)) == 1


def test_too_much_ends_the_connection(scene):
    """RFC 8446 4.6.1 max_early_data_size; openssl s_client itself obeys it, so
    what is seen is that the limit is told and is 16 KiB."""
    text = subprocess.run(
        ["openssl", "sess_id", "-in", scene.session(), "-noout", "-text"],
        capture_output=True, check=True, timeout=20).stdout.decode()
    assert "Max Early Data: 16384" in text


def test_off_by_default(ca, tmp_path, gatehouse, origin):
    o = origin(serve)
    gh = gatehouse(INI.replace("early_data = %s", ""), a=ca.dir / "a.pem",
                   a_key=ca.dir / "a.key", origin=o.address)
    scene = Scene(ca, tmp_path, gh, o)
    text = scene.early(request("GET", "/early", CLOSE),
                       request("GET", "/late", CLOSE))
    assert "Early data was not sent" in text and "HTTP/1.1 200" in text
    assert not scene.requests("/early") and scene.requests("/late")


def test_a_client_in_the_first_window_is_served_late(ca, tmp_path, gatehouse,
                                                     origin):
    """Nobody knows what was seen before the start."""
    o = origin(serve)
    gh = gatehouse(INI % "on", a=ca.dir / "a.pem", a_key=ca.dir / "a.key",
                   origin=o.address)
    scene = Scene(ca, tmp_path, gh, o)
    text = scene.early(request("GET", "/early", CLOSE),
                       request("GET", "/late", CLOSE))
    assert "Early data was rejected" in text and "HTTP/1.1 200" in text
    assert not scene.requests("/early") and scene.requests("/late")
