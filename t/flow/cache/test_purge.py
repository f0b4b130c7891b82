"""PURGE, by who may."""
import threading

import pytest

from lib.origin import ok
from lib.wire import WAIT_S

FRESH = b"Cache-Control: max-age=600\r\n"


def counting(extra=b""):
    """An origin's script that numbers its answers."""
    def script(conn, request):
        script.n += 1
        fields = FRESH + extra
        tags = request.target.partition("?tags=")[2]
        if tags:
            fields += f"Cache-Tag: {tags}\r\n".encode()
        conn.send(ok(b"%d" % script.n, fields + b'ETag: "e"\r\n'))
    script.n = 0
    return script


def get(gh, path, extra=b""):
    with gh.client() as c:
        return c.get(path, extra=extra).text


def purge(gh, path, extra=b""):
    with gh.client() as c:
        return c.get(path, extra=extra, method="PURGE").status


def test_a_url_goes_and_its_neighbours_stay(cached):
    gh, o = cached(counting(), cache="purge_allow = 127.0.0.0/8")
    assert [get(gh, p) for p in ("/a", "/b", "/a?x", "/a")] == list("1231")
    assert purge(gh, "/a") == 200
    for _ in range(4):
        assert [get(gh, p) for p in ("/a", "/b", "/a?x")] == list("423")


def test_all_variants_of_a_url_go(cached):
    gh, o = cached(counting(b"Vary: Accept-Language\r\n"),
                   cache="purge_allow = 127.0.0.0/8")

    def both():
        return [get(gh, "/v", b"Accept-Language: %s\r\n" % lang)
                for lang in (b"de", b"fr")]

    assert both() == ["1", "2"] == both()
    assert purge(gh, "/v") == 200
    assert both() == ["3", "4"] == both()


def test_all_below_a_path_go(cached):
    gh, o = cached(counting(), cache="purge_allow = 127.0.0.0/8")
    paths = ("/img/a", "/img/b/c", "/image", "/img")
    assert [get(gh, p) for p in paths] == list("1234")
    assert purge(gh, "/img/*") == 200
    assert [get(gh, p) for p in paths] == list("5634")


def test_tags(cached):
    gh, o = cached(counting(), cache="purge_allow = 127.0.0.0/8")
    paths = ("/1?tags=red", "/2?tags=red,blue", "/3?tags=blue", "/4")
    assert [get(gh, p) for p in paths] == list("1234")
    assert purge(gh, "/", b"Cache-Tag: red\r\n") == 200
    assert [get(gh, p) for p in paths] == list("5634")
    assert purge(gh, "/", b"Cache-Tag: blue, green\r\n") == 200
    assert [get(gh, p) for p in paths] == list("5784")


def test_everything(cached):
    gh, o = cached(counting(), cache="purge_allow = 127.0.0.0/8")
    paths = [f"/{i}" for i in range(30)]
    before = [get(gh, p) for p in paths]
    assert purge(gh, "/", b"Purge: all\r\n") == 200
    assert not set(before) & {get(gh, p) for p in paths}


@pytest.mark.parametrize("path, extra", [
    ("/s", b""), ("/*", b""), ("/", b"Cache-Tag: red\r\n"),
    ("/", b"Purge: all\r\n")])
def test_a_soft_purge_asks_the_origin_and_keeps_the_content(
        cached, path, extra):
    def script(conn, request):
        if request.get("if-none-match"):
            conn.send(b'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n' + FRESH +
                      b"\r\n")
        else:
            conn.send(ok(b"content", FRESH + b'ETag: "e"\r\n'
                         b"Cache-Tag: red\r\n"))

    gh, o = cached(script, cache="purge_allow = 127.0.0.0/8")
    assert get(gh, "/s") == "content"
    assert purge(gh, path, b"Purge: soft\r\n" + extra if b"Purge" not in extra
                 else b"Purge: soft, all\r\n") == 200
    for _ in range(3):
        assert get(gh, "/s") == "content"
    assert [r.get("if-none-match") for r in o.requests] == [None, '"e"']


def test_others_may_not(cached):
    gh, o = cached(counting(), cache="purge_allow = 192.0.2.0/24")
    assert get(gh, "/a") == "1"
    assert purge(gh, "/a") == 403
    assert get(gh, "/a") == "1"
    assert len(o.requests) == 1


def test_without_purge_allow_it_is_a_method_like_others(cached):
    """The origin's to judge; and not safe, so what it is about goes."""
    gh, o = cached(counting())
    assert get(gh, "/a") == "1"
    assert purge(gh, "/a") == 200
    assert o.requests[1].method == "PURGE"
    assert get(gh, "/a") == "3"


def test_a_soft_purge_of_a_url_reaches_its_variants_only(cached):
    def script(conn, request):
        tag = '"%s"' % request.get("accept-language", "")
        fields = FRESH + f"ETag: {tag}\r\nVary: Accept-Language\r\n".encode()
        if tag in request.get("if-none-match", ""):
            conn.send(b"HTTP/1.1 304 Not Modified\r\n" + fields + b"\r\n")
        else:
            conn.send(ok(tag.encode(), fields))

    def all_of():
        return [get(gh, path, b"Accept-Language: %s\r\n" % lang)
                for path, lang in (("/v", b"de"), ("/v", b"fr"), ("/vx", b"a"))]

    gh, o = cached(script, cache="purge_allow = 127.0.0.0/8")
    before = all_of()
    assert before == ['"de"', '"fr"', '"a"']
    assert purge(gh, "/v", b"Purge: soft\r\n") == 200
    assert all_of() == before == all_of()
    assert [r.target for r in o.requests[3:]] == ["/v", "/v"]


def test_hosts_have_no_case_and_an_escaped_star_is_a_name(cached):
    gh, o = cached(counting(), cache="purge_allow = 127.0.0.0/8")

    def get_of(path, host):
        with gh.client() as c:
            return c.get(path, host=host).text

    def both():
        return [get_of("/d/a", "Shop.TEST"), get_of("/d*", "shop.test")]

    assert both() == ["1", "2"] == both()
    with gh.client() as c:
        assert c.get("/d/*", host="SHOP.test", method="PURGE").status == 200
    assert both() == ["3", "2"] == both()
    with gh.client() as c:
        assert c.get("/d%2a", host="SHOP.test", method="PURGE").status == 200
    assert both() == ["3", "4"] == both()


class Held:
    """An origin's script that numbers its answers, each of which waits to be let
    go; or says that nothing has changed."""

    def __init__(self, fields):
        self.fields, self.n = FRESH + fields, 0
        self.let = threading.Semaphore(0)

    def __call__(self, conn, request):
        self.n += 1
        answer = ok(b"%d" % self.n, self.fields + b'ETag: "e"\r\n')
        if request.get("if-none-match"):
            answer = b'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n' + \
                self.fields + b"\r\n"
        assert self.let.acquire(timeout=WAIT_S)
        conn.send(answer)

    def ask(self, gh, o, meanwhile=lambda: None, method="GET"):
        """What a client gets, when something happens while the origin knows its
        answer already."""
        n = len(o.requests)
        with gh.client() as c:
            c.send(f"{method} /x HTTP/1.1\r\nHost: test\r\nContent-Length: 0"
                   "\r\n\r\n".encode())
            o.wait_requests(n + 1)
            meanwhile()
            self.let.release()
            return c.response(method).text


@pytest.mark.parametrize("fields", [b"", b"Vary: Accept-Language\r\n"],
                         ids=["one", "variants"])
@pytest.mark.parametrize("how", [
    ("/x", b""), ("/*", b""), ("/", b"Purge: all\r\n"), ("/x", b"Purge: soft\r\n"),
    ("/", b"Purge: soft, all\r\n")],
    ids=["url", "prefix", "all", "soft url", "soft all"])
def test_what_is_on_its_way_is_meant_too(cached, fields, how):
    """Its origin has said what is purged now, under whatever key it is kept."""
    script = Held(fields)
    gh, o = cached(script, cache="purge_allow = 127.0.0.0/8")

    def purged():
        assert purge(gh, *how) == 200

    assert script.ask(gh, o, purged) == "1"
    # asked again, or validated
    assert script.ask(gh, o) in "12"
    assert len(o.requests) == 2


@pytest.mark.parametrize("fields", [b"", b"Vary: Accept-Language\r\n"],
                         ids=["one", "variants"])
def test_who_was_asked_before_a_soft_purge_renews_nothing(cached, fields):
    script = Held(fields)
    gh, o = cached(script, cache="purge_allow = 127.0.0.0/8")

    def purged():
        assert purge(gh, "/", b"Purge: soft, all\r\n") == 200

    assert script.ask(gh, o) == "1"
    purged()
    assert script.ask(gh, o, purged) == "1"
    assert script.ask(gh, o) == "1"
    assert get(gh, "/x") == "1"
    assert [r.get("if-none-match") for r in o.requests] == [None, '"e"', '"e"']


def test_the_answer_to_a_post_is_meant_too(cached):
    script = Held(b"Content-Location: /x\r\n")
    gh, o = cached(script, cache="purge_allow = 127.0.0.0/8")

    def purged():
        assert purge(gh, "/x") == 200

    assert script.ask(gh, o, method="POST") == "1"
    assert get(gh, "/x") == "1"
    assert script.ask(gh, o, purged, "POST") == "2"
    assert script.ask(gh, o) == "3"
