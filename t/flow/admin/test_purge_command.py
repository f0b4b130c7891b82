"""`gatehouse purge` and POST /v1/purge (doc/admin.md)."""
import json
import subprocess

import pytest

from lib import admin
from lib.gatehouse import BINARY, run
from lib.origin import ok
from lib.procs import kill_and_wait, until
from lib.wire import WAIT_S

FRESH = b"Cache-Control: max-age=600\r\n"
INI = """
[global]
workers = 2
shared_memory = 128m
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
cache = pages
[route test /img/]
cache = images
[upstream app]
server = {origin}
[cache pages]
memory = 16m
[cache images]
memory = 16m
ignore_query = utm_*
sort_query = on
""" + admin.SECTION


@pytest.fixture
def world(gatehouse, origin):
    def script(conn, request):
        script.n += 1
        tag = '"e%s"' % request.get("accept-language", "")
        fields = FRESH + f"ETag: {tag}\r\n".encode()
        tags = request.target.partition("?tags=")[2]
        if tags:
            fields += f"Cache-Tag: {tags}\r\n".encode()
        if "/vary" in request.target:
            fields += b"Vary: Accept-Language\r\n"
        if tag in request.get("if-none-match", ""):
            conn.send(b"HTTP/1.1 304 Not Modified\r\n" + fields + b"\r\n")
        else:
            conn.send(ok(b"%d" % script.n, fields))
    script.n = 0
    o = origin(script)
    gh = gatehouse(INI, origin=o.address)
    gh.origin = o
    until(lambda: admin.steward(gh))
    return gh


def get(gh, path, host="test", extra=b""):
    with gh.client() as c:
        return c.get(path, host=host, extra=extra).text


def purge(gh, *args, **kwargs):
    return subprocess.run([BINARY, "purge", "-c", str(gh.ini), *args],
                          text=True, capture_output=True, timeout=WAIT_S,
                          check=False, **kwargs)


def purged(gh, *args, caches="pages images"):
    done = purge(gh, *args)
    assert (done.returncode, done.stderr) == (0, "")
    word, text, *names = done.stdout.split()
    assert (word, text, sorted(names)) == ("purged", "from",
                                           sorted(caches.split()))


def ask(gh, body):
    """POST /v1/purge: (status, object)."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    with admin.connect(gh) as c:
        c.send(b"POST /v1/purge HTTP/1.1\r\nHost: x\r\n"
               b"Content-Length: %d\r\n\r\n" % len(text) + text)
        answer = c.response()
        return answer.status, json.loads(answer.text)


def test_a_url_goes_for_all_workers_and_its_neighbours_stay(world):
    """Gone when the command returns, whichever worker is asked."""
    paths = ("/a", "/ab", "/a/", "/a?x")
    assert [get(world, p) for p in paths] == list("1234")
    purged(world, "http://test/a")
    for _ in range(8):
        assert [get(world, p) for p in paths] == list("5234")


@pytest.mark.parametrize("stored, told", [
    ("SHOP.Test", "http://shop.test/%61/../a?"),
    ("shop.test", "HTTP://SHOP.test:8080/a#top"),
    ("[2001:DB8::1]", "http://[2001:db8::1]/a"),
])
def test_a_url_is_told_in_any_spelling(world, stored, told):
    """RFC 3986 6.2.2: case of scheme and host, escapes, dot segments."""
    assert get(world, "/a", stored) == "1"
    assert get(world, "/a", "other") == "2"
    purged(world, told)
    assert get(world, "/a", stored) == "3"
    assert get(world, "/a", "other") == "2"


def test_all_variants_go_and_so_does_the_mark(world):
    def both():
        return [get(world, "/vary", extra=b"Accept-Language: %s\r\n" % lang)
                for lang in (b"de", b"fr")]

    assert both() == ["1", "2"] == both()
    assert get(world, "/vary2", extra=b"Accept-Language: de\r\n") == "3"
    purged(world, "http://test/vary")
    assert both() == ["4", "5"] == both()
    assert get(world, "/vary2", extra=b"Accept-Language: de\r\n") == "3"


def test_a_name_has_what_counts_of_the_query(world):
    """Without what ignore_query names, and in order with sort_query."""
    assert get(world, "/img/a?b=2&utm_x=1&a=1") == "1"
    assert get(world, "/img/a?a=1&b=2") == "1"
    purged(world, "http://test/img/a?a=1&b=2")
    assert get(world, "/img/a?b=2&a=1&utm_y=2") == "2"


def test_a_prefix_takes_all_that_begins_like_it(world):
    paths = ("/d/a", "/d/b/c?x", "/da", "/d")
    assert [get(world, p) for p in paths] == list("1234")
    purged(world, "http://test/d/*")
    assert [get(world, p) for p in paths] == list("5634")
    purged(world, "http://test/d/b/c?*")
    assert [get(world, p) for p in paths] == list("5734")
    purged(world, "http://test/*")
    assert [get(world, p) for p in paths] == ["8", "9", "10", "11"]


def test_an_escaped_star_is_a_part_of_the_name(world):
    paths = ("/s*", "/sa")
    assert [get(world, p) for p in paths] == list("12")
    purged(world, "http://test/s%2A")
    assert [get(world, p) for p in paths] == list("32")
    purged(world, "http://test/s*")
    assert [get(world, p) for p in paths] == list("45")


def test_tags(world):
    paths = ("/1?tags=red", "/2?tags=red,blue", "/3?tags=green", "/4")
    assert [get(world, p) for p in paths] == list("1234")
    purged(world, "--tag", "red")
    assert [get(world, p) for p in paths] == list("5634")
    purged(world, "--tag", "blue", "green", "Red")
    assert [get(world, p) for p in paths] == list("5784")


def test_more_purges_than_go_on_at_once_are_done_all_the_same(world):
    """doc/shm.md 6.6: a table of 64 at most; the steward's walk makes room."""
    assert [get(world, f"/{i}?tags=t{i}") for i in range(5)] == list("12345")
    purged(world, "--tag", *[f"t{i}" for i in range(1, 400)])
    assert [get(world, f"/{i}?tags=t{i}") for i in range(5)] == list("16789")


def test_everything_and_one_cache_only(world):
    paths = ("/a", "/img/a")
    assert [get(world, p) for p in paths] == list("12")
    purged(world, "--all", "--cache", "images", caches="images")
    assert [get(world, p) for p in paths] == list("13")
    purged(world, "http://test/img/a", "--cache", "pages", caches="pages")
    assert [get(world, p) for p in paths] == list("13")
    purged(world, "--all")
    assert [get(world, p) for p in paths] == list("45")


@pytest.mark.parametrize("args", [
    ["http://test/s?tags=red"], ["http://test/*"], ["--tag", "red"],
    ["--all"]], ids=["url", "prefix", "tag", "all"])
def test_softly_means_to_be_validated_before_it_is_used(world, args):
    assert get(world, "/s?tags=red") == "1"
    purged(world, "--soft", *args)
    for _ in range(4):
        assert get(world, "/s?tags=red") == "1"
    # the walk that ends the purge may have judged it just before
    assert [r.get("if-none-match") for r in world.origin.requests] in (
        [None, '"e"'], [None, '"e"', '"e"'])


def test_a_soft_purge_of_a_url_reaches_its_variants_only(world):
    def all_of():
        return [get(world, "/vary", extra=b"Accept-Language: de\r\n"),
                get(world, "/vary", extra=b"Accept-Language: fr\r\n"),
                get(world, "/varying")]

    assert all_of() == list("123") == all_of()
    purged(world, "--soft", "http://test/vary")
    assert all_of() == list("123") == all_of()
    asked = [r.target for r in world.origin.requests[3:]]
    # each once, or once more by the walk as above
    assert set(asked) == {"/vary"} and 2 <= len(asked) <= 4


def test_memory_comes_back_and_status_tells_it(world):
    def pages():
        cache, = (c for c in admin.status(world)["caches"]
                  if c["name"] == "pages")
        del cache["results"]  # which only grow, and come a moment later
        return cache

    assert [c["name"] for c in admin.status(world)["caches"]] == \
        ["pages", "images"]
    empty = pages()
    assert (empty["memory"], empty["objects"]) == (16 << 20, 0)
    for i in range(10):
        get(world, f"/{i}")
    full = pages()
    assert (full["objects"], full["filling"], full["broken"]) == (10, 0, 0)
    assert full["used"] > empty["used"]
    purged(world, "http://test/1*")
    until(lambda: pages()["objects"] == 9, what="the sweep")
    purged(world, "--all")
    until(lambda: pages()["purges"] == 0, what="the sweep")
    assert pages() == empty
    table = admin.cli(world).stdout.splitlines()
    at = [i for i, line in enumerate(table) if line.startswith("CACHE ")][0]
    assert table[at].split() == ["CACHE", "HITS", "MEMORY", "USED", "OBJECTS",
                                 "FILLING", "EVICTED", "BROKEN", "REPAIRED",
                                 "PURGES"]
    name, _, of, _, *rest = table[at + 1].split()
    assert (name, of, rest) == ("pages", "of", [str(16 << 20)] + ["0"] * 7)


def test_a_new_steward_purges_as_well(world):
    assert get(world, "/a?tags=red") == "1"
    old = admin.steward(world)
    kill_and_wait(old)
    until(lambda: admin.steward(world) not in (None, old))
    until(lambda: ask(world, {"tags": ["red"]})[0] == 200)
    assert get(world, "/a?tags=red") == "2"


@pytest.mark.parametrize("body, why", [
    (b"", "no object"), (b"{", "no object"), (b"[]", "no object"),
    ({}, "one of url"), ({"all": False}, "one of url"),
    ({"all": True, "url": "http://a/"}, "one of url"),
    ({"url": "http://a/", "tags": ["a"]}, "one of url"),
    ({"all": True, "sotf": True}, "no object"),
    ({"all": "yes"}, "no object"), ({"all": True, "soft": 1}, "no object"),
    (b'{"all": true, "all": true}', "no object"),
    ({"url": "/a"}, "no http:// or https:// URL"),
    ({"url": ""}, "no http:// or https:// URL"),
    ({"url": "ftp://a/"}, "no http:// or https:// URL"),
    ({"url": "http://a*"}, "no http:// or https:// URL"),
    ({"url": "http://u@a/"}, "no http:// or https:// URL"),
    ({"url": "http://a/ b"}, "no http:// or https:// URL"),
    ({"url": "http://a/%2fb"}, "more than one way"),
    ({"url": "http://a/%*"}, "more than one way"),
    ({"url": "http://a/" + "x" * 2048}, "too long"),
    ({"tags": []}, "no tag"), ({"tags": "red"}, "no tag"),
    ({"tags": [", "]}, "no tag"), ({"tags": [1]}, "a tag is a text"),
    ({"tags": [""]}, "a tag is a text"),
])
def test_what_is_not_understood_purges_nothing(world, body, why):
    assert get(world, "/a") == "1"
    status, answer = ask(world, body)
    assert (status, list(answer)) == (400, ["error"])
    assert why in answer["error"]
    assert get(world, "/a") == "1"


def test_the_command_says_what_is_wrong(world):
    """Exit status 1: nobody did it; 2: the command line."""
    done = purge(world, "--all", "--cache", "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert "answers 404: there is no cache of that name" in done.stderr
    done = purge(world, "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "answers 400: this is no http:// or https:// URL" in done.stderr
    for args in ([], ["--soft"], ["--tag"], ["--all", "http://a/"],
                 ["http://a/", "http://b/"], ["--all", "--cache"],
                 ["--tag", "a", "--all"], ["--tag", "a", "--cache", "x", "b"],
                 ["--wrong"], ["-c"], ["--all", "--tag", "\udcff"]):
        done = purge(world, *args)
        assert (done.returncode, done.stdout) == (2, ""), args
        assert done.stderr.startswith("usage: gatehouse purge")


def test_without_caches_there_is_nothing_to_purge(gatehouse):
    gh = gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n[site test]\n"
                   "hosts = *\nrespond = 200 x\n" + admin.SECTION)
    until(lambda: admin.steward(gh))
    done = purge(gh, "--all")
    assert done.returncode == 1
    assert "answers 404: there is no cache" in done.stderr
    assert admin.status(gh)["caches"] == []


def test_nobody_listens(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[global]\n")
    done = run("purge", "--all", "-c", ini)
    assert done.returncode == 1
    assert "has no [admin] with a unix socket" in done.stderr
    ini.write_text(admin.SECTION.replace("{dir}", str(tmp_path)))
    done = run("purge", "--all", "-c", ini)
    assert done.returncode == 1
    assert "no gatehouse runs behind" in done.stderr
