"""Fields in which answers tell of their way: Proxy-Status (RFC 9209) and
Server-Timing, each by its own switch, off by default."""
import re

import pytest

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[cache c]
memory = 8m
status_header = on
[defaults]
upstream = app
[site plain.test]
[site told.test]
proxy_status = on
server_timing = on
cache = c
[route told.test /cut]
upstream = cut
[route told.test /no]
deny = all
upstream = app
[route told.test /quiet]
proxy_status = off
server_timing = off
upstream = cut
[upstream app]
server = {origin}
[upstream cut]
server = {cut}
retry = none
"""


@pytest.fixture(scope="module")
def ask(shared_gatehouse, shared_origin):
    def answer(conn, request):
        kept = b"Cache-Control: max-age=60\r\n" if "kept" in request.target \
            else b""
        conn.send(b"HTTP/1.1 200 OK\r\n" + kept + b"Server-Timing: db;dur=1\r\n"
                  b"Content-Length: 2\r\n\r\nok")
    o = shared_origin(answer)
    cut = shared_origin(lambda *_: False)
    gh = shared_gatehouse(INI, origin=o.address, cut=cut.address)

    def one(path, host="told.test"):
        with gh.client() as c:
            return c.get(path, host=host)
    return one


def test_nothing_is_told_unasked(ask):
    for answer in (ask("/a", "plain.test"), ask("/quiet"),
                   ask("/x", "nobody.test")):
        assert not answer.get("proxy-status")
        assert not [v for v in answer.all("server-timing") if "total" in v]


@pytest.mark.parametrize("path, status, error, details", [
    ("/cut", 502, "connection_terminated", "origin_reset"),
    ("/no", 403, "http_request_denied", "access_denied"),
])
def test_proxy_status_names_the_failure(ask, path, status, error, details):
    """RFC 9209 2.1.1, 2.3: of answers that are made here."""
    answer = ask(path)
    assert answer.status == status
    assert re.fullmatch(r'gatehouse-[0-9a-f]+; error=%s; details="%s"' % (
        error, details), answer.get("proxy-status")), answer.fields


def test_proxy_status_says_nothing_of_good_answers(ask):
    assert not ask("/a").get("proxy-status")


def test_server_timing_tells_the_parts(ask):
    """Behind what the server told; a hit has no server."""
    number = r"\d+\.\d{3}"
    server, ours = ask("/a").all("server-timing")
    assert server == "db;dur=1"
    assert re.fullmatch(rf"cache;desc=\w+, (connect;dur={number}, "
                        rf"origin;dur={number}, )?total;dur={number}", ours)
    ask("/kept")
    hit = ask("/kept")
    assert "hit" in hit.get("cache-status")
    assert re.fullmatch(rf"cache;desc=hit, total;dur={number}",
                        hit.all("server-timing")[-1])
    away = ask("/cut").get("server-timing")
    assert re.search(rf"total;dur={number}$", away)
