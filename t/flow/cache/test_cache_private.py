"""What a server says to one client alone about an answer that is kept (RFC 9111
3, 3.5, 4.3.4, 4.3.5) changes it for nobody else."""
import pytest

from lib.origin import ok

TAG = b'ETag: "e"\r\n'
OF_ALICE = b"X-User: alice\r\n"
PRIVATE = [
    (b"Cache-Control: private, max-age=600\r\n", b""),
    (b"Cache-Control: no-store, max-age=600\r\n", b""),
    (b"Cache-Control: max-age=600\r\nVary: *\r\n", b""),
    (b"Cache-Control: max-age=600\r\nSet-Cookie: id=alice\r\n", b""),
    # RFC 9111 3.5
    (b"Cache-Control: max-age=600\r\n", b"Authorization: Basic x\r\n")]
NAMES = ["private", "no-store", "vary", "cookie", "authorization"]


class Told:
    """An origin's script: its first answer is stale at once; alice is told
    `fields`, others that nothing has changed."""

    def __init__(self, fields):
        self.fields = fields

    def __call__(self, conn, request):
        fields = TAG + b"Cache-Control: max-age=0\r\n"
        if request.get("x-who"):
            fields = TAG + OF_ALICE + self.fields
        if request.get("if-none-match"):
            conn.send(b"HTTP/1.1 304 Not Modified\r\n" + fields + b"\r\n")
        elif request.method == "HEAD":
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + fields +
                      b"\r\n")
        else:
            conn.send(ok(b"text", fields))


def ask(gh, method="GET", extra=b""):
    with gh.client() as c:
        return c.get(method=method, extra=extra)


def expect_unspoiled(gh, o):
    """The next one asks the server, and gets nothing of alice."""
    n = len(o.requests)
    r = ask(gh)
    assert r.body == b"text"
    assert len(o.requests) == n + 1
    assert not r.get("x-user") and not r.get("set-cookie")


@pytest.mark.parametrize("fields, extra", PRIVATE, ids=NAMES)
def test_a_304_for_one_client_is_not_for_all(cached, fields, extra):
    gh, o = cached(Told(fields))
    ask(gh)
    r = ask(gh, extra=b"X-Who: alice\r\n" + extra)
    assert r.status == 200 and r.body == b"text"
    # who was told has it
    assert r.get("x-user") == "alice"
    assert r.get("set-cookie") == ("id=alice" if b"Cookie" in fields else None)
    assert "stored" not in r.get("cache-status")
    expect_unspoiled(gh, o)


@pytest.mark.parametrize("fields, extra", PRIVATE, ids=NAMES)
def test_an_answer_to_head_for_one_client_is_not_for_all(
        cached, fields, extra):
    gh, o = cached(Told(fields))
    ask(gh)
    r = ask(gh, "HEAD", b"X-Who: alice\r\n" + extra)
    assert r.get("x-user") == "alice"
    expect_unspoiled(gh, o)


def test_a_304_for_all_is_kept(cached):
    gh, o = cached(Told(b"Cache-Control: max-age=600\r\n"))
    ask(gh)
    assert ask(gh, extra=b"X-Who: alice\r\n").get("x-user") == "alice"
    assert ask(gh).get("x-user") == "alice"
    assert len(o.requests) == 2
