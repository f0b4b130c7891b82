"""cors: who may read answers (https://fetch.spec.whatwg.org/#http-cors-protocol).
Preflights are answered here; what servers say is replaced."""
import pytest

from lib.gatehouse import run
from lib.origin import ok

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
upstream = {origin}
cors = https://app.test https://*.apps.test:8443
cors = methods=GET,PUT headers=X-A,Content-Type expose=X-B max_age=1h
cors = credentials
[route s /any]
cors = none
cors = * methods=* headers=*
[route s /off]
cors = none
[route s /gone]
respond = 404
[route s /untold]
request_header = -Origin
[rule s put]
match = path = /rule
cors = https://other.test
"""
GOOD = ["https://app.test", "https://a.apps.test:8443",
        "https://a.b-c.apps.test:8443"]
BAD = ["http://app.test", "https://app.test:444", "https://app.test.evil",
       "https://xapp.test", "https://apps.test:8443", "https://.apps.test",
       "https://evil/.apps.test:8443", "https://a:1.apps.test:8443", "null",
       "https://APP.test", "https://app.test, https://app.test", ""]


@pytest.fixture(scope="module")
def ask(shared_gatehouse, shared_origin):
    o = shared_origin(lambda conn, request: conn.send(ok(
        extra=b"Access-Control-Allow-Origin: *\r\nVary: Accept\r\n"
              b"access-control-max-age: 5\r\nX-B: 1\r\n")))
    gh = shared_gatehouse(INI, origin=o.address)
    c = gh.client()

    def ask(path, origin, preflight=None, method="GET"):
        extra = f"Origin: {origin}\r\n" if origin is not None else ""
        if preflight:
            method = "OPTIONS"
            extra += f"Access-Control-Request-Method: {preflight}\r\n"
        before = len(o.requests)
        r = c.get(path, extra=extra.encode(), method=method)
        r.was_asked = len(o.requests) > before
        r.names = {k.decode().lower() for k, _ in r.fields
                   if k.lower().startswith(b"access-control-")}
        return r

    yield ask
    c.close()


@pytest.mark.parametrize("origin", GOOD)
def test_who_is_allowed_reads(ask, origin):
    r = ask("/", origin)
    assert r.status == 200 and r.text == "ok"
    assert r.all("access-control-allow-origin") == [origin]
    assert r.all("access-control-allow-credentials") == ["true"]
    assert r.all("access-control-expose-headers") == ["X-B"]
    assert r.all("vary") == ["Accept", "Origin"]
    assert "access-control-max-age" not in r.names


@pytest.mark.parametrize("origin", [*BAD, None])
def test_who_is_not_learns_nothing(ask, origin):
    """Also what the server would have allowed; caches keep the two apart."""
    r = ask("/", origin)
    assert r.status == 200 and not r.names and "Origin" in r.all("vary")


def test_preflights_are_answered_here(ask):
    r = ask("/", GOOD[0], "PUT")
    assert r.status == 204 and not r.was_asked
    assert r.get("access-control-allow-origin") == GOOD[0]
    assert r.get("access-control-allow-methods") == "GET, PUT"
    assert r.get("access-control-allow-headers") == "X-A, Content-Type"
    assert r.get("access-control-max-age") == "3600"
    assert r.get("access-control-allow-credentials") == "true"
    r = ask("/", BAD[0], "PUT")
    assert r.status == 204 and not r.was_asked and not r.names
    # OPTIONS that is no preflight is the server's to answer
    assert ask("/", GOOD[0], method="OPTIONS").was_asked


def test_a_star_is_for_all_and_varies_by_nothing(ask):
    r = ask("/any", "https://whoever.test")
    assert r.all("access-control-allow-origin") == ["*"]
    assert r.all("vary") == ["Accept"]
    assert "access-control-allow-credentials" not in r.names
    r = ask("/any", "https://whoever.test", "PATCH")
    assert r.get("access-control-allow-methods") == "*"
    assert r.get("access-control-allow-headers") == "*"


def test_none_leaves_it_to_the_server_and_errors_can_be_read(ask):
    r = ask("/off", BAD[0])
    assert r.all("access-control-allow-origin") == ["*"]
    assert ask("/off", GOOD[0], "PUT").was_asked
    r = ask("/gone", GOOD[0])
    assert r.status == 404
    assert r.get("access-control-allow-origin") == GOOD[0]
    assert ask("/rule", GOOD[0]).names == set()
    r = ask("/rule", "https://other.test", "GET")
    assert r.get("access-control-allow-methods") == "GET, HEAD, POST"


@pytest.mark.parametrize("line, why", [
    ("* credentials", "exclude each other"),
    ("https://a.test credentials headers=*", "exclude each other"),
    ("credentials", "which origins?"), ("a.test", "is no origin"),
    ("https://a.test/", "is no origin"), ("https://*", "is no origin"),
    ("https://A.test", "is no origin"), ("* methods=A,*", "is no origin"),
    ("* max_age=10", "is no origin"), ("* headers=a:b", "is no origin"),
    ("https://a.*.test", "is no origin"),
])
def test_what_cannot_be_meant(line, why, tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[site s]\nrespond = 200\ncors = {line}\n"
                   "[route s /a]\nrespond = 200\n")
    said = run("-t", "-c", ini).stderr
    assert why in said and said.count("error:") == 1, said


def test_a_server_that_is_not_told_the_origin(ask):
    """request_header takes it away from servers, not from who answers."""
    r = ask("/untold", GOOD[0])
    assert r.get("access-control-allow-origin") == GOOD[0]
    assert "access-control-allow-origin" not in ask("/untold", BAD[0]).names
