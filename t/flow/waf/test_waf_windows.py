"""waf: what rules wait for comes over HTTP/2 as over HTTP/1.1, also where it is more
than a window of a stream (RFC 9113 5.2), or waits to be asked for (RFC 9110 10.1.1):
nobody takes any of it meanwhile, and who sends it must be told to go on."""
import subprocess

import pytest

from lib import h2
from lib.h2_origin import H2Origin

RULES = r"""
SecRule ARGS "@contains attack" "id:1,phase:2,deny,status:406,log"
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain
SecResponseBodyLimit 307200
SecRule RESPONSE_BODY "@contains secret" "id:2,phase:4,deny,status:502,log"
"""
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
body_timeout = 1s
[waf w]
rules = {rules}
body_limit = 300k
[site test]
hosts = *
upstream = app
waf = w
[upstream app]
server = {origin}
protocol = h2
"""
LIMIT = 300 * 1024
# windows of a stream: of a client, of an origin; what is held of most content
EDGES = [h2.WINDOW, h2.WINDOW + 1, 65537, 98304, 131072, 131073, LIMIT]
SPOKEN = ["--http1.1", "--http2-prior-knowledge"]


def say(conn, request):
    """As much as the path says, or how much came."""
    n = request.path[1:]
    text = b"%d" % len(request.body)
    if n:
        text = b"secret".rjust(int(n), b".") if request.get("x-end") else \
            b"." * int(n)
    conn.answer(request.stream, text, fields=[("content-type", "text/plain")])


@pytest.fixture(scope="module")
def gh(shared_gatehouse, tmp_path_factory):
    rules = tmp_path_factory.mktemp("rules") / "some.conf"
    rules.write_text(RULES)
    o = H2Origin(say)
    yield shared_gatehouse(INI, rules=rules, origin=o.address)
    o.close()


def curl(gh, how, path="", *args, body=None):
    """(status, length, first bytes) of an answer."""
    done = subprocess.run(
        ["curl", "-s", "-m", "10", how, *args, "-w", "%{stderr}%{http_code}",
         *(["--data-binary", "@-"] if body is not None else []),
         f"http://127.0.0.1:{gh.port}/{path}"],
        input=body, capture_output=True, timeout=30, check=False)
    return int(done.stderr), len(done.stdout), done.stdout[:8]


@pytest.mark.parametrize("how", SPOKEN)
def test_content_of_any_length_is_judged(gh, how):
    for n in EDGES:
        sent = b"a=".ljust(n, b".")
        assert curl(gh, how, body=sent)[::2] == (200, b"%d" % n)
        assert curl(gh, how, body=sent[:-6] + b"attack")[0] == 406
    assert curl(gh, how, body=b"a=".ljust(LIMIT + 1, b"."))[0] == 413


@pytest.mark.parametrize("how", SPOKEN)
def test_answers_of_any_length_are_judged(gh, how):
    for n in EDGES:
        assert curl(gh, how, n)[:2] == (200, n)
        assert curl(gh, how, n, "-H", "X-End: y")[0] == 502


@pytest.mark.parametrize("n", [h2.WINDOW // 2, h2.WINDOW, 3 * h2.WINDOW])
def test_who_stops_is_not_waited_for(gh, n):
    """`body_timeout` holds however much has come: the client could go on."""
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        stream = c.next_stream()
        c.send(h2.headers(stream, h2.POST, h2.END_HEADERS))
        sent = 0

        def may():
            """Bytes that both windows still take."""
            given = {0: h2.WINDOW, stream: h2.WINDOW}
            for f in c.frames:
                if type(f).__name__ == "WindowUpdateFrame":
                    given[f.stream_id] += f.window_increment
            return min(n, *given.values()) - sent

        while sent < n:
            assert c.pump(lambda: may() > 0)
            part = min(may(), h2.FRAME_MAX)
            c.send(h2.data(stream, b"." * part))
            sent += part
        assert c.answer(stream).status == 408


def test_who_waits_to_be_asked_is_asked(gh):
    """By us: the server is not asked before rules have seen it."""
    body = b"a=" + b"." * 998
    with gh.client() as c:
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n"
               b"Expect: 100-continue\r\n\r\n")
        assert c.reader.head().first == b"HTTP/1.1 100 Continue"
        c.send(body)
        infos = []
        assert c.response("POST", infos).text == "1000" and not infos
        # and a client that does not wait
        c.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n"
               b"Expect: 100-continue\r\n\r\n" + body)
        assert c.response("POST", infos).text == "1000" and not infos
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        stream = c.next_stream()
        c.send(h2.headers(stream, h2.block(h2.request(
            "POST", "/", ("expect", "100-continue"))), h2.END_HEADERS))
        assert c.pump(lambda: c.stream(stream).infos)
        c.send(h2.data(stream, body, end=True))
        answer = c.answer(stream)
        assert answer.body == b"1000" and answer.infos == [(100, [])]
