"""`gatehouse explain` tells how a request meets the cache, and why not."""
import pytest

from lib.gatehouse import run

INI = """
[listen x]
address = 127.0.0.1:80
[site test]
hosts = *
upstream = app
cache = pages
cache_bypass = cookie:session
cache_bypass = arg:draft = 1
[route test /plain]
cache = none
[route test /text]
respond = 200 text
[upstream app]
server = 127.0.0.1:1
[route test /big]
cache = big
[cache big]
slice = 1m
[cache pages]
memory = 16m
sort_query = on
ignore_query = utm_*
purge_allow = 192.0.2.0/24
"""
CACHE_LINE = 1 + INI.split("\n").index("cache = pages")


def explain(tmp_path, method, url, *args):
    """Lines of the word `cache`, each with its place."""
    ini = tmp_path / "a.ini"
    ini.write_text(INI)
    done = run("explain", method, url, *args, "-c", ini)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(None, 1)[1] for line in done.stdout.splitlines()
             if line.split()[0] == "cache"]
    assert all(f"({ini}:" in line for line in lines)
    return [line.replace(f"{ini}:", "") for line in lines]


AT = f"  ({CACHE_LINE})"
AT_BIG = f"  ({1 + INI.split(chr(10)).index('cache = big')})"
BIG_KEY = "big, as test|http|shop|/big|?|" + AT_BIG
BIG = "big, what is longer in slices, the first: bytes=%s" + AT_BIG
KEY = "pages, as test|http|shop|%s|?|%s" + AT


@pytest.mark.parametrize("method, url, args, want", [
    ("GET", "http://SHOP/a?b=1&utm_x=2&a=3", [],
     [KEY % ("/a", "a=3&b=1")]),
    ("HEAD", "http://shop/a", [],
     [KEY % ("/a", ""), "pages, nothing is kept: the method is HEAD" + AT]),
    ("GET", "http://shop/a", ["-H", "Cache-Control: no-store"],
     [KEY % ("/a", ""),
      "pages, nothing is kept: the request says no-store" + AT]),
    ("POST", "http://shop/a", [],
     ["pages, not asked: the method is neither GET nor HEAD" + AT]),
    ("GET", "http://shop/a", ["-H", "Content-Length: 3"],
     ["pages, not asked: the request has content" + AT]),
    ("GET", "http://shop/a", ["-H", "Transfer-Encoding: chunked"],
     ["pages, not asked: the request has content" + AT]),
    ("GET", "http://shop/a", ["-H", 'If-Match: "x"'],
     ["pages, not asked: its condition is the server's to judge" + AT]),
    ("GET", "http://shop/a",
     ["-H", "Connection: upgrade", "-H", "Upgrade: websocket",
      "-H", "Sec-WebSocket-Version: 13",
      "-H", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="],
     ["pages, not asked: the request asks for an upgrade" + AT]),
    ("GET", "http://shop/a?draft=1", ["-H", "Cookie: session=1"],
     [f"bypassed: cookie:session  ({CACHE_LINE + 1})",
      f"bypassed: arg:draft = 1  ({CACHE_LINE + 2})"]),
    ("GET", "http://shop/a?draft=1", [],
     [f"bypassed: arg:draft = 1  ({CACHE_LINE + 2})"]),
    ("GET", "http://shop/big", [],
     [BIG_KEY, BIG % "0-1048575"]),
    ("GET", "http://shop/big", ["-H", "Range: bytes=3000000-"],
     [BIG_KEY, BIG % "2097152-3145727"]),
    ("HEAD", "http://shop/big", [],
     [BIG_KEY, "big, nothing is kept: the method is HEAD" + AT_BIG]),
    ("GET", "http://shop/plain", [], []),
    ("GET", "http://shop/text", [],
     ["pages, not asked: no server answers" + AT]),
    ("PURGE", "http://shop/a", ["--from", "192.0.2.1"],
     ["pages, a PURGE, which is obeyed"]),
    ("PURGE", "http://shop/a", [],
     ["pages, a PURGE, which is not for this client"]),
])
def test_how_a_request_meets_the_cache(tmp_path, method, url, args, want):
    """Each with the line that decides it."""
    got = explain(tmp_path, method, url, *args)
    if method == "PURGE":
        got = [line.split("  (")[0] for line in got]
    assert got == want
