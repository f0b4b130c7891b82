"""sticky = header and learn: sessions that all workers remember (doc/config.md,
`sticky`; doc/shm.md 6.9)."""
import time

import pytest

from lib import admin, h2
from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until

HEADER = "sticky = header X-User"


def ask(gh, *fields, path="/"):
    """One request on a connection of its own, whichever worker takes it."""
    with gh.client() as c:
        return c.get(path, extra=b"".join(
            f.encode() + b"\r\n" for f in fields))


def order(gh, server, word):
    done = run("server", "app", server.address, word, "-c", gh.ini)
    assert (done.returncode, done.stderr) == (0, "")


class Shop:
    """A server that opens a session for who comes without, and tells its
    name."""

    def __init__(self, origin, name, field):
        self.name, self.field, self.n = name, field, 0
        self.origin = origin(self)
        self.address = self.origin.address

    def __call__(self, conn, request):
        extra = b""
        if request.target == "/login":
            self.n += 1
            extra = (self.field % f"{self.name}{self.n}").encode() + b"\r\n"
        conn.send(ok(self.name.encode(), extra))


@pytest.fixture
def shops(front, origin):
    """shops("sticky = ...", "Set-Cookie: sid=%s") gives (gatehouse, a, b)."""
    def make(sticky, field, more="", **kwargs):
        a, b = (Shop(origin, name, field) for name in "ab")
        gh = front([a, b], upstream=f"{sticky}\n{more}{admin.SECTION}",
                   **kwargs)
        return gh, a, b
    return make


COOKIE = ("sticky = learn cookie=sid",
          "Set-Cookie: x=1\r\nSet-Cookie: sid=%s; Path=/", "Cookie: y=2; sid=")
FIELD = ("sticky = learn header=X-Session", "X-Session: %s", "X-Session: ")


def log_in(gh, name):
    """The session that this server opens for a new client."""
    def look():
        answer = ask(gh, path="/login")
        if answer.text != name:
            return None
        told = answer.get("x-session") or answer.all("set-cookie")[-1]
        return told.split(";")[0].removeprefix("sid=")
    return until(look)


@pytest.mark.parametrize("sticky, field, mine", [COOKIE, FIELD])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_session_of_the_servers_is_learnt(shops, sticky, field, mine,
                                            workers):
    """Whichever worker it comes to, and after a reload; both ways see all of
    it."""
    gh, a, b = shops(sticky, field, workers=workers)
    sessions = {s.name: log_in(gh, s.name) for s in (a, b)}
    for _ in range(2):
        for name, session in sessions.items():
            for _ in range(6):
                answer = ask(gh, mine + session)
                assert answer.text == name
                assert not answer.all("set-cookie")
        gh.reload()
    seen = [r for s in (a, b) for r in s.origin.requests if r.target == "/"]
    assert all("=" in (r.get("cookie") or "=") for r in seen)
    name, _, value = (mine + sessions["a"]).partition(": ")
    assert value in [r.get(name) for r in seen]


def test_what_servers_did_not_open_is_not_learnt(shops):
    """Else anybody could fill the table: requests are balanced as ever."""
    gh, _, _ = shops(*COOKIE[:2])
    got = [ask(gh, "Cookie: sid=mine").text for _ in range(6)]
    assert got == list("ababab")


def test_a_learnt_session_falls_over_once(shops):
    """It belongs to the next server from then on, also when the first one is
    back."""
    gh, a, b = shops(*COOKIE[:2], more="retry = connect\nkeepalive = 0",
                     workers=2)
    session = log_in(gh, "a")
    order(gh, a, "drain")
    assert ask(gh, f"Cookie: sid={session}").text == "a"
    order(gh, a, "down")
    assert ask(gh, f"Cookie: sid={session}").text == "b"
    order(gh, a, "auto")
    assert [ask(gh, f"Cookie: sid={session}").text for _ in range(6)] \
        == ["b"] * 6
    # by an error of a connection, too
    order(gh, b, "auto")
    session = log_in(gh, "b")
    b.origin.close()
    assert [ask(gh, f"Cookie: sid={session}").text for _ in range(3)] \
        == ["a"] * 3


@pytest.mark.parametrize("workers", [1, 4])
def test_a_value_finds_its_server_again(shops, workers):
    """header: the first request is balanced, the others follow it."""
    gh, a, b = shops(HEADER, "X: %s", workers=workers)
    users = [f"X-User: {i}" for i in range(12)]
    first = [ask(gh, u).text for u in users]
    assert set(first) == {"a", "b"}
    for _ in range(2):
        assert [ask(gh, u).text for u in users] == first
        gh.reload()
    order(gh, a, "drain")
    assert [ask(gh, u).text for u in users] == first
    order(gh, a, "down")
    assert {ask(gh, u).text for u in users} == {"b"}
    # without the field nothing is remembered
    order(gh, a, "auto")
    assert {ask(gh).text for _ in range(20)} == {"a", "b"}


def test_who_is_first_gives_a_new_session_away(front, origin):
    """Of two requests that both found it new: one waits in line at a cache
    while the other one's server is chosen, and then follows."""
    held = []

    def script(name):
        answer = ok(name, b"Cache-Control: private\r\n")

        def serve(conn, request):
            if request.get("x-user") == "other":
                held.append((conn, answer))
            else:
                conn.send(answer)
        return serve
    gh = front([origin(script(b"a")), origin(script(b"b"))],
               listen="h2c = on", site="cache = c",
               upstream=HEADER + "\n[cache c]\nmemory = 4m")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        first = c.ask("GET", "/x", ("x-user", "other"))
        waits = c.ask("GET", "/x", ("x-user", "new"))
        gives = c.answer(c.ask("GET", "/y", ("x-user", "new")))
        (conn, answer), = until(lambda: held)
        conn.send(answer)
        assert c.answer(first).body != gives.body
        # it would be the other one's turn
        assert c.answer(waits).body == gives.body


def test_a_session_that_is_not_used_ends(shops):
    """timeout: then it is new again, and balanced."""
    gh, _, _ = shops(HEADER + " timeout=1s", "X: %s",
                     site="response_header = X-Sticky: {sticky}")
    began = time.monotonic()
    assert ask(gh, "X-User: 1").get("x-sticky") == "new"
    assert ask(gh, "X-User: 1").get("x-sticky") == "kept" or \
        time.monotonic() - began > 1
    ended = time.monotonic() + 1.1
    until(lambda: time.monotonic() > ended)
    assert ask(gh, "X-User: 1").get("x-sticky") == "new"


def test_the_table_needs_memory(tmp_path):
    """It is refused at the start, not found out later."""
    path = tmp_path / "x.ini"
    path.write_text("[global]\nshared_memory = 5m\n[site t]\nupstream = u\n"
                    f"[upstream u]\nserver = 127.0.0.1:1\n{HEADER}\n")
    done = run("-t", "-c", path)
    assert done.returncode == 1
    assert ":7:10: error: the table of sessions does not fit" in done.stderr
    path.write_text(path.read_text().replace("header X-User", "cookie x"))
    assert run("-t", "-c", path).returncode == 0
