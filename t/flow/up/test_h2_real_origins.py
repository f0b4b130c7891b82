"""protocol = h2 to servers as people run them: nginx, h2o, node, gatehouse
itself; by TLS and by prior knowledge."""
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from lib import h2
from lib.gatehouse import TOP, free_port
from lib.procs import is_listening, until

LIMIT_S = 60
SIZES = [0, 1, 16384, 1_500_000]
WAYS = ["tls", "plain"]

NGINX = """
daemon off; worker_processes 1; pid {dir}/pid; error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 20; http2_max_concurrent_streams 8;
    server {{
        listen 127.0.0.1:{port} http2 {tls};
        ssl_certificate {pem}; ssl_certificate_key {key};
        root {dir}/www;
    }}
}}
"""

H2O = """
num-threads: 1
http2-max-concurrent-requests-per-connection: 8
user: {user}
listen:
  host: 127.0.0.1
  port: {port}
{tls}
hosts:
  default:
    paths:
      /:
        file.dir: {dir}/www
"""


def nginx(folder, way, pem, port):
    conf = folder / "conf"
    conf.write_text(NGINX.format(
        dir=folder, port=port, pem=pem, key=pem.with_suffix(".key"),
        tls="ssl" if way == "tls" else ""))
    return ["/usr/sbin/nginx", "-c", conf]


def h2o(folder, way, pem, port):
    tls = f"  ssl:\n    certificate-file: {pem}\n    key-file: " \
        f"{pem.with_suffix('.key')}" if way == "tls" else ""
    conf = folder / "conf"
    conf.write_text(H2O.format(
        dir=folder, port=port, tls=tls,
        user="root" if os.geteuid() == 0 else os.environ.get("USER", "")))
    return ["h2o", "-c", conf]


@contextlib.contextmanager
def running(make, way, pem):
    """Its port; it serves files that are named by their sizes."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "www").mkdir()
        for size in SIZES:
            (folder / "www" / str(size)).write_bytes(b"x" * size)
        with subprocess.Popen([str(a) for a in make(folder, way, pem, port)],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            try:
                until(lambda: is_listening(port), what="the server")
                yield port
            finally:
                process.terminate()


@contextlib.contextmanager
def node(way, pem):
    """The port of t/lib/h2_server.js."""
    args = [pem, pem.with_suffix(".key")] if way == "tls" else ["plain"]
    with subprocess.Popen(
            ["node", *map(str, [TOP / "t/lib/h2_server.js", *args])],
            stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture
def pem(ca):
    return ca.make("local", "localhost", ips=["127.0.0.1"])


@pytest.fixture
def to(h2_front, ca):
    """to(way, port) gives a gatehouse in front of that port."""
    def make(way, port, **kwargs):
        if way == "tls":
            return h2_front([f"https://localhost:{port}"],
                            upstream=f"ca = {ca.pem}\n", **kwargs)
        return h2_front([f"127.0.0.1:{port}"], **kwargs)

    return make


def many(gh, n=200):
    """Clients of both versions, all sizes, at once."""
    def one(i):
        size = SIZES[i % len(SIZES)]
        if i % 2:
            with gh.client() as c:
                r = c.get(f"/{size}")
        else:
            with h2.Conn(("127.0.0.1", gh.port)) as c:
                r = c.get(f"/{size}")
        return r.status == 200 and r.body == b"x" * size

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(n)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [nginx, h2o], ids=["nginx", "h2o"])
def test_files(to, pem, make, way):
    """Answers of all sizes are whole, also over the GOAWAYs by which a server
    ends its connections, and over its limit of streams."""
    if make is h2o and shutil.which("h2o") is None:
        pytest.skip("no h2o here")
    with running(make, way, pem) as port:
        gh = to(way, port)
        many(gh)
        assert {line["fault"] for line in gh.log(200)} == {"-"}


@pytest.mark.parametrize("way", WAYS)
def test_node(to, pem, way):
    """node's http2: content both ways, trailers, many at once."""
    body = os.urandom(3 << 20)
    with node(way, pem) as port:
        gh = to(way, port)
        with gh.client() as c:
            # what comes back must be read meanwhile
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                pool.submit(c.send, b"POST /back HTTP/1.1\r\nHost: test\r\n"
                            b"Content-Length: %d\r\n\r\n" % len(body) + body)
                assert c.response("POST").body == body
        with gh.client() as c:
            r = c.get("/trailers")
            assert (r.body, r.trailers) == (b"body", [(b"x-end", b"yes")])
        many(gh, 50)


@pytest.mark.parametrize("way", WAYS)
def test_h2load(to, pem, way):
    """h2load through gatehouse: 2,000 requests of 100 clients' streams."""
    with node(way, pem) as port:
        gh = to(way, port)
        done = subprocess.run(
            ["h2load", "-n", "2000", "-c", "10", "-m", "10",
             f"http://127.0.0.1:{gh.port}/100"], capture_output=True,
            timeout=LIMIT_S, check=True, text=True).stdout
        assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in done, done
        assert re.search(r"status codes: 2000 2xx", done)


# --- WebSocket ------------------------------------------------------------

UPGRADE = (b"GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n"
           b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def shake(c):
    """The handshake of RFC 6455 1.3, with its own example."""
    c.send(UPGRADE)
    r = c.reader.response_head()
    assert (r.status, r.get("upgrade"), r.get("sec-websocket-accept")) == \
        (101, "websocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


def echo(conn, came):
    """A raw origin's end of a tunnel."""
    if type(came).__name__ == "DataFrame":
        conn.body(came.stream_id, came.data,
                  end="END_STREAM" in came.flags)


def test_websocket_is_extended_connect(h2_front, h2_origin):
    """RFC 8441 5: the handshake of HTTP/1.1 is an extended CONNECT to the
    origin; both directions end on their own."""
    o = h2_origin(lambda conn, r: None, {h2.ENABLE_CONNECT_PROTOCOL: 1},
                  on_head=lambda conn, r: conn.head(r.stream, 200),
                  on_frame=echo)
    gh = h2_front([o])
    with gh.client() as c:
        shake(c)
        for n in 1, 70000:
            c.send(b"y" * n)
            assert c.reader.exactly(n) == b"y" * n
        c.sock.shutdown(1)
        assert c.reader.sock.recv(1) == b""
    request, = o.requests
    assert dict(request.fields[:5]) == {
        b":method": b"CONNECT", b":scheme": b"http", b":path": b"/chat",
        b":authority": b"test", b":protocol": b"websocket"}
    assert request.get("sec-websocket-version") == "13"
    assert request.get("sec-websocket-key") is None
    assert gh.log()[0]["status"] == "101"


def test_websocket_of_a_client_of_http_2(h2_front, h2_origin):
    """RFC 8441: a tunnel of streams on both sides; what the client says before
    it is granted waits."""
    def on_head(conn, request):
        heads.append((conn, request.stream))

    heads = []
    o = h2_origin(lambda conn, r: None, {h2.ENABLE_CONNECT_PROTOCOL: 1},
                  on_head=on_head, on_frame=echo)
    gh = h2_front([o])
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        stream = c.next_stream()
        c.send(h2.headers(stream, h2.block(
            [*h2.request("CONNECT", "/chat"), (":protocol", "websocket"),
             ("sec-websocket-version", "13")]), h2.END_HEADERS),
               h2.data(stream, b"early"))
        o.wait(lambda _: heads)
        assert o.requests[0].body == b""
        conn, number = heads[0]
        conn.head(number, 200)
        c.pump(lambda: c.stream(stream).body == b"early")
        assert c.stream(stream).status == 200
        c.send(h2.data(stream, b" late", end=True))
        assert c.answer(stream).body == b"early late"
    assert o.requests[0].is_ended
    assert gh.fault() == "-"


def test_websocket_that_is_refused(h2_front, h2_origin):
    """RFC 8441 5: any other answer is an answer."""
    o = h2_origin(None, {h2.ENABLE_CONNECT_PROTOCOL: 1},
                  on_head=lambda conn, r: conn.answer(r.stream, b"no", 403))
    gh = h2_front([o])
    with gh.client() as c:
        c.send(UPGRADE)
        r = c.response()
        assert (r.status, r.text) == (403, "no")


def test_websocket_to_who_takes_none(h2_front, h2_origin):
    """RFC 8441 3: an origin that has not announced it is not asked."""
    o = h2_origin()
    gh = h2_front([o])
    with gh.client() as c:
        c.send(UPGRADE)
        assert c.response().status == 502
    assert gh.fault() == "origin_no_tunnel"
    assert not o.requests


@pytest.mark.parametrize("way", WAYS)
def test_websocket_through_node(to, pem, way):
    """node's http2 grants it; what it echoes comes back whole."""
    with node(way, pem) as port, to(way, port).client() as c:
        shake(c)
        data = os.urandom(1 << 20)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(c.send, data)
            assert c.reader.exactly(len(data)) == data


def test_two_gatehouses(to, h2_front, gatehouse, origin):
    """gatehouse before gatehouse: requests and a tunnel through both."""
    def script(conn):
        while head := conn.reader.request():
            if head.get("upgrade"):
                conn.send(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\n"
                          b"Upgrade: websocket\r\nSec-WebSocket-Accept: "
                          b"x\r\n\r\n")
                conn.send(conn.reader.exactly(5))
                return
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    o = origin(script, raw=True)
    inner = gatehouse("""
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site x]
hosts = *
upstream = app
[upstream app]
server = {origin}
""", origin=o.address)
    gh = to("plain", inner.port)
    with gh.client() as c:
        assert c.get().text == "ok"
        shake(c)
        c.send(b"hello")
        assert c.reader.exactly(5) == b"hello"
