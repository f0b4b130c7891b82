"""Requests that a server can answer in different ways are different to the
cache: what one client writes otherwise does not come to another one."""
import pytest

from lib.origin import ok

FRESH = b"Cache-Control: max-age=600\r\n"


def echo(conn, request):
    conn.send(ok(f"{request.get('host')} {request.target}".encode(), FRESH))


def ask(gh, target, host="test", method="GET"):
    with gh.client() as c:
        return c.get(target, host=host, method=method).text


@pytest.mark.parametrize("target, host", [
    ("/a", "test:81"), ("http://test:81/a", "test"),
    ("/./a", "test"), ("/x/../a", "test"), ("//a", "test"), ("/%61", "test"),
    ("/a?", "test"), ("/a;x", "test"), ("/a%3bx", "test"),
    ("/a", "test."), ("/a", "other")])
def test_what_a_server_sees_is_what_counts(cached, target, host):
    gh, o = cached(echo)
    first = ask(gh, target, host)
    assert ask(gh, "/a") == "test /a"
    assert ask(gh, target, host) == first
    assert len(o.requests) == 2


@pytest.mark.parametrize("target, host", [
    ("/a", "test:80"), ("http://test/a", "x"), ("/a", "TEST")])
def test_the_same_written_otherwise_is_the_same(cached, target, host):
    gh, o = cached(echo)
    assert ask(gh, "/a") == "test /a" == ask(gh, target, host)
    assert len(o.requests) == 1


@pytest.mark.parametrize("target", ["/%61", "/./a", "//a", "/a?"])
def test_unsafe_methods_reach_what_was_written_so(cached, target):
    """RFC 9111 4.4"""
    gh, o = cached(echo)
    ask(gh, target)
    with gh.client() as c:
        c.get(target, method="POST", extra=b"Content-Length: 0\r\n")
    ask(gh, target)
    assert len(o.requests) == 3
