"""A server says who somebody is: what it is asked, what counts of its answer,
and what happens without one."""
import re

import pytest

from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until

INI = """
[global]
workers = 1
[log access]
path = {dir}/access.log
format = {status} {user} {fault} {path}
buffer = none
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
auth = login
timeout = 2s
[route test /named]
auth = named
[route test /lost]
auth = lost
[upstream app]
server = {app}
[upstream login]
server = {login}
[upstream lost]
server = 127.0.0.1:1
[auth login]
scheme = forward
upstream = login
header = X-Tenant X-Role
[auth named]
scheme = forward
upstream = login
uri = /verify
user_header = X-Name
[auth lost]
scheme = forward
upstream = lost
"""
YES = b"Remote-User: anna\r\nX-Name: ben\r\nX-Tenant: t1\r\nX-Other: o\r\n"


def decide(conn, request):
    """What the tests' `X-Want` asks for."""
    want = request.get("x-want", "yes")
    if want == "yes":
        conn.send(ok(b"content", YES))
    elif want == "nobody":
        conn.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif want == "cut":
        return False
    elif want == "hang":
        return None
    else:
        conn.send(b"HTTP/1.1 %b No\r\nContent-Length: 4\r\nX-Secret: s\r\n"
                  b"WWW-Authenticate: One a=1\r\nWWW-Authenticate: Two\r\n\r\n"
                  b"page" % want.encode())
    return None


@pytest.fixture(scope="module")
def world(shared_gatehouse, shared_origin):
    """(gatehouse, the server behind it, the one that is asked)."""
    login = shared_origin(decide)
    app = shared_origin(lambda conn, r: conn.send(ok(b"served")))
    return shared_gatehouse(INI, app=app.address,
                            login=login.address), app, login


def ask(world, path="/", *lines, method="GET", body=b""):
    """(answer, what reached the server or None, what was asked)."""
    gh, app, login = world
    before = len(app.requests)
    with gh.client() as c:
        c.send(f"{method} {path} HTTP/1.1\r\nHost: test\r\n".encode() +
               "".join(f"{x}\r\n" for x in lines).encode() + b"\r\n" + body)
        r = c.response()
    got = app.requests[-1] if len(app.requests) > before else None
    return r, got, login.requests[-1]


def test_the_server_that_is_asked_decides(world):
    r, got, asked = ask(world, "/a/b?c=d", "Cookie: s=1", "X-Role: root",
                        "X_Role: root", "Remote-User: root",
                        "X-Forwarded-Uri: /x")
    assert (r.status, r.text) == (200, "served")
    assert (asked.method, asked.target) == ("GET", "/a/b?c=d")
    assert asked.get("cookie") == "s=1"
    assert asked.all("x-forwarded-uri") == ["/a/b?c=d"]
    assert asked.get("x-forwarded-method") == "GET"
    assert asked.get("x-forwarded-host") == "test"
    assert asked.get("x-forwarded-for") == "127.0.0.1"
    # what it says goes on, what the client says under those names does not
    assert got.all("remote-user") == ["anna"]
    assert got.get("x-tenant") == "t1"
    assert got.get("x-role") is got.get("x_role") is None
    assert got.get("x-other") is None
    assert got.get("cookie") == "s=1"


def test_content_is_for_the_server_alone(world):
    r, got, asked = ask(world, "/post", "Content-Length: 4",
                        "If-None-Match: x", method="POST", body=b"data")
    assert r.status == 200
    assert (got.method, got.body) == ("POST", b"data")
    assert (asked.method, asked.body) == ("GET", b"")
    assert asked.get("content-length") is None
    assert asked.get("if-none-match") is None
    assert asked.get("x-forwarded-method") == "POST"


def test_a_path_of_its_own(world):
    _, got, asked = ask(world, "/named/x?y", "X-Name: root")
    assert asked.target == "/verify"
    assert asked.get("x-forwarded-uri") == "/named/x?y"
    assert got.all("x-name") == ["ben"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_passed_back_with_its_ways_of_asking(world, status):
    r, got, _ = ask(world, "/no", f"X-Want: {status}")
    assert (r.status, got) == (status, None)
    assert r.all("www-authenticate") == ["One a=1", "Two"]
    # nothing else of it
    assert r.get("x-secret") is None and "page" not in r.text


@pytest.mark.parametrize("want, path", [
    ("302", "/"), ("404", "/"), ("500", "/"), ("cut", "/"), ("yes", "/lost")])
def test_anything_else_is_no_answer(world, want, path):
    r, got, _ = ask(world, path, f"X-Want: {want}")
    assert (r.status, got) == (503, None)
    assert r.get("retry-after") == "1"


def test_one_that_hangs_is_not_waited_for(world):
    r, got, _ = ask(world, "/hang", "X-Want: hang")
    assert (r.status, got) == (503, None)


def test_a_client_that_leaves_takes_its_question_along(world):
    gh, _, login = world
    before = len(login.requests)
    c = gh.client()
    c.send(b"GET /left HTTP/1.1\r\nHost: test\r\nX-Want: hang\r\n\r\n")
    login.wait_requests(before + 1)
    c.reset()
    log = gh.dir / "access.log"
    until(lambda: "499 - client_gone /left" in log.read_text(), what="its end")
    assert ask(world, "/after")[0].status == 200


def test_one_that_names_nobody(world):
    gh, _, _ = world
    r, got, _ = ask(world, "/nobody", "X-Want: nobody", "Remote-User: root")
    assert r.status == 200
    assert got.get("remote-user") is None
    log = gh.dir / "access.log"
    until(lambda: "200 - - /nobody" in log.read_text(), what="a line")


@pytest.mark.parametrize("lines, place, told", [
    ("", "4:1", "needs upstream = NAME"),
    ("upstream = nobody", "6:12", "'nobody' is not defined"),
    ("upstream = 127.0.0.1:1\nuri = verify", "7:7", "is no path"),
    ("upstream = 127.0.0.1:1\nuri = /verify?a", "7:7", "is no path")])
def test_mistakes_are_told_where_they_stand(tmp_path, lines, place, told):
    ini = tmp_path / "x.ini"
    ini.write_text("[site test]\nrespond = 200 x\nauth = a\n[auth a]\n"
                   f"scheme = forward\n{lines}\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert re.search(rf"x\.ini:{place}: error: .*{told}", done.stderr), \
        done.stderr
