"""redirect_file, canonical_host, redirect_https, trailing_slash: things that are
elsewhere, and the one place of those that are here (doc/presets.md)."""
import pytest

from lib.gatehouse import run

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = www.a.test a.test
respond = 200 here
canonical_host = www.a.test
redirect_file = moved.txt
[route s /slash/]
trailing_slash = add
[route s /bare/]
trailing_slash = remove
[rule s sure]
match = path ^= /sure
redirect_https = on
[site port]
hosts = p.test [::1]
respond = 200 here
canonical_host = q.test:8443
redirect_https = on
[site rule]
hosts = r.test
respond = 200 here
[rule rule other]
match = path = /x
redirect_file = {dir}/moved.txt
"""
N = 100_000
MOVED = """\ufeff# FROM TO [STATUS]

/old /new
/old?a=1 https://b.test/one?x=y 302
/temp http://b.test/ 307
  /%41b/../Ab2\t/c%20d\t308\r
/q /r?own
/café /thé
/here /there#part
/mark http://b.test/c?d#e?f
/more /more?page=1
/itself http://WWW.a.test/itself
/twice /%74wice?x
""" + "".join(f"/shop/item-{i} /shop/{i}\n" for i in range(N))


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    gh = shared_gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n"
                          "[site s]\nhosts = *\nrespond = 200\n")
    (gh.dir / "moved.txt").write_text(MOVED)
    gh.reload(INI)
    return gh


@pytest.fixture
def go(gh):
    """go(path, host) gives (status, Location)."""

    def go(path, host="www.a.test", method="GET"):
        with gh.client() as c:
            r = c.get(path, host=host, method=method)
            assert r.status != 200 or r.text == "here" or method == "HEAD"
            return r.status, r.get("location")

    return go


@pytest.mark.parametrize("path, want", [
    ("/old", (301, "/new")), ("/old?b", (301, "/new?b")),
    ("/old?a=1", (302, "https://b.test/one?x=y")),
    ("/temp", (307, "http://b.test/")), ("/temp?", (307, "http://b.test/?")),
    ("/Ab2", (308, "/c%20d")), ("/%41b2", (308, "/c%20d")),
    ("/q?mine", (301, "/r?own")), ("/caf%c3%a9", (301, "/th%C3%A9")), ("//old", (301, "/new")),
    ("/old/", (200, None)), ("/OLD", (200, None)),
    (f"/shop/item-{N - 1}", (301, f"/shop/{N - 1}")),
    (f"/shop/item-{N}", (200, None)),
    ("/here", (301, "/there#part")), ("/here?q", (301, "/there?q#part")),
    ("/mark?q", (301, "http://b.test/c?d#e?f")),
    ("/more", (301, "/more?page=1")), ("/more?page=2", (301, "/more?page=1")),
    ("/more?page=1", (200, None)), ("/itself", (200, None)),
    ("/itself?q", (200, None)), ("/twice", (301, "/%74wice?x")),
    ("/%74wice?x", (200, None)),
])
def test_places_of_the_list(go, path, want):
    """None leads to itself, for ever."""
    assert go(path) == want


@pytest.mark.parametrize("path, host, want", [
    ("/x?y=1", "a.test", (301, "http://www.a.test/x?y=1")),
    ("/x", "A.test:8080", (301, "http://www.a.test:8080/x")),
    ("/x", "WWW.a.test", (200, None)), ("/x", "www.a.test:81", (200, None)),
    ("/slash/a", "www.a.test", (301, "http://www.a.test/slash/a/")),
    ("/slash/a?b=/", "a.test", (301, "http://www.a.test/slash/a/?b=/")),
    ("/slash/a.css", "www.a.test", (200, None)),
    ("/slash/a/", "www.a.test", (200, None)),
    ("/bare/a//", "www.a.test", (301, "http://www.a.test/bare/a")),
    ("/bare/a", "www.a.test", (200, None)),
    ("/sure", "a.test:81", (301, "https://www.a.test/sure")),
    ("/sure", "www.a.test:81", (301, "https://www.a.test/sure")),
    ("/y", "p.test", (301, "https://q.test:8443/y")),
    ("/y", "[::1]:80", (301, "https://q.test:8443/y")),
    ("/x", "r.test", (200, None)), ("/old", "r.test", (200, None)),
])
def test_the_one_place(go, path, host, want):
    """One redirect, whatever is to change; a path that can be read in two ways
    is nobody's place."""
    assert go(path, host) == want


@pytest.mark.parametrize("listen, site, want", [
    ("redirect_https = on", "", (421, None)),
    ("", "redirect_https = on", (421, None)),
    ("", "redirect_https = on\ncanonical_host = w.test",
     (301, "https://w.test/x")),
    ("", "canonical_host = w.test", (200, None))])
def test_no_host_is_no_way_around_https(gatehouse, listen, site, want):
    """RFC 9112 3.2: HTTP/1.0 may name none."""
    gh = gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n"
                   f"{listen}\n[site s]\nhosts = *\nrespond = 200\n{site}\n")
    with gh.client() as c:
        r = c.send(b"GET /x HTTP/1.0\r\n\r\n").response()
        assert (r.status, r.get("location")) == want


def test_methods_stay(go):
    assert go("/x", "a.test", "POST")[0] == 308
    assert go("/x", "a.test", "HEAD")[0] == 301


def test_explain_tells_the_line(gh):
    done = run("explain", "GET", "http://www.a.test/old", "-c", gh.ini)
    assert "line 3: 301 to /new" in done.stdout
    done = run("explain", "GET", "http://a.test/x", "-c", gh.ini)
    assert "to http://www.a.test/x" in done.stdout


@pytest.mark.parametrize("line, why", [
    ("/a", "m.txt:2: '/a' goes nowhere"), ("a /b", "'a' is no plain path"),
    ("/a%2fb /c", "is no plain path"), ("/a b", "'b' is no path and no"),
    ("/a //b", "is no path and no"), ("/a ftp://b", "is no path and no"),
    ("/a /b 200", "'200' is none of 301"), ("/a /b 301 x", "'x' is more than"),
    ("/a /a", "goes to itself"), ("/a /a#b", "goes to itself"), ("/x /b", "'/x' stands in line 1, too"),
])
def test_a_broken_list_keeps_the_old_one(gh, line, why, tmp_path):
    """Told with its line, once, however many routes inherit it."""
    (tmp_path / "m.txt").write_text(f"/x /y\n{line}\n")
    ini = tmp_path / "x.ini"
    ini.write_text("[site s]\nrespond = 200\nredirect_file = m.txt\n"
                   "[route s /a]\nrespond = 200\n")
    said = run("-t", "-c", ini).stderr
    assert why in said and said.count("error:") == 1, said
