"""Formats of the access log: what is in a line, and that no peer can forge,
split or extend one."""
import json
import re

import pytest
from lib.gatehouse import TOP

INI = """
[global]
workers = 1
[log access]
path = {dir}/combined.log
buffer = none
[log common]
path = {dir}/common.log
format = common
buffer = none
[log json]
path = {dir}/json.log
format = json
buffer = none
[log own]
path = {dir}/own.log
format = {method}|{host}|{path}|{query}|{header:X-A}|{cookie:c}|{arg:q}|{response_header:X-Out}|{site}|{route}|{{x}|{status}
buffer = none
[log object]
path = {dir}/object.log
format = { "a": "{header:X-A}", "n": {tries}, "o": "{response_header:X-Out}" }
buffer = none
[listen x]
address = 127.0.0.1:{port}
access_log = access common json own object
line_max = 16k
[site s]
hosts = *
upstream = {origin}
[route s /own]
respond = 204
"""
TEXT = rb'"((?:[^"\\\x00-\x1f\x7f-\xff]|\\x[0-9A-F]{2})*)"'
COMMON = rb"(\S+) - - \[(\d\d/[A-Z][a-z]{2}/\d{4}(?::\d\d){3} \+0000)\] " + \
    TEXT + rb" (\d{3}) (\d+)"
COMBINED = COMMON + rb" " + TEXT + rb" " + TEXT


def unescape(text):
    """What a value was before it was escaped."""
    return re.sub(rb"\\x([0-9A-F]{2})",
                  lambda m: bytes([int(m[1], 16)]), text)


class Setup:
    def __init__(self, gh, o):
        self.gh, self.o = gh, o
        self.n = 0
        self.out = b""

    def ask(self, lines, target=b"/", fields=b"", method=b"GET"):
        """The new line of each log."""
        self.n += 1
        with self.gh.client() as c:
            c.send(b"%s %s HTTP/1.1\r\nHost: test\r\n%s\r\n"
                   % (method, target, fields))
            self.answer = c.response()
        names = ("combined", "common", "json", "own", "object")
        return {name: lines(self.gh.dir / f"{name}.log").wait(self.n)[-1]
                for name in names}


@pytest.fixture(scope="module")
def setup(shared_gatehouse, shared_origin):
    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nX-Out: %s\r\nContent-Length: 5\r\n\r\n"
                  b"hello" % s.out)

    o = shared_origin(script)
    s = Setup(shared_gatehouse(INI, origin=o.address), o)
    return s


def test_combined_and_common(setup, lines):
    """Apache mod_log_config: the common and the combined format."""
    got = setup.ask(lines, b"/p?q=1", b"Referer: http://r/\r\n"
                    b"User-Agent: me/1.0 (x)\r\n")
    m = re.fullmatch(COMBINED, got["combined"])
    assert m and m[1] == b"127.0.0.1"
    assert m.groups()[2:] == (b"GET /p?q=1 HTTP/1.1", b"200", b"5",
                              b"http://r/", b"me/1.0 (x)")
    m = re.fullmatch(COMMON, got["common"])
    assert m and m.groups()[2:] == (b"GET /p?q=1 HTTP/1.1", b"200", b"5")
    got = setup.ask(lines)
    assert re.fullmatch(COMBINED, got["combined"]).groups()[5:] == (b"-", b"-")


def test_json(setup, lines):
    """RFC 8259: a line is one object; numbers are numbers, null where there
    is none."""
    got = json.loads(setup.ask(lines, b"/p?q=1", b"User-Agent: me\r\n")["json"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", got["time"])
    assert re.fullmatch("[0-9a-f]{32}", got["request_id"])
    want = {"client_ip": "127.0.0.1", "scheme": "http", "method": "GET",
            "host": "test", "uri": "/p?q=1", "protocol": "HTTP/1.1",
            "status": 200, "body_bytes_out": 5, "listen": "x", "site": "s",
            "route": "", "server": setup.o.address, "tries": 1,
            "origin_status": 200, "referer": "", "user_agent": "me",
            "acl": "", "acl_rule": ""}
    assert {k: got[k] for k in want} == want
    assert got["bytes_out"] > 5 and got["bytes_in"] > 20
    assert 0 <= got["duration"] < 60
    assert got["connect_ms"] <= got["answer_ms"]
    got = json.loads(setup.ask(lines, b"/own")["json"])
    assert got["server"] == "" and got["origin_status"] is None
    assert got["route"] == "/own" and got["connect_ms"] is None
    assert got["status"] == 204


def test_json_tells_why(gatehouse, origin, lines):
    """symptoms.md: for what is older than `why` keeps there is the log; its keys
    are those of logs.md."""
    gh = gatehouse("""
[global]
workers = 1
[log access]
path = {dir}/a
format = json
buffer = none
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
upstream = {origin}
cache = store
cache_ttl = 1h
[route s /few]
respond = 200
rate_limit = one
[route s /shut]
respond = 200
deny = all
[cache store]
memory = 1m
[limit one]
rate = 1/d
""", origin=origin().address)
    with gh.client() as c:
        for path in ("/a", "/a", "/few", "/few", "/shut"):
            c.get(path)
    told = [json.loads(line) for line in lines(gh.dir / "a").wait(5)]
    assert [[t[k] for k in ("status", "cache", "limit", "blocked", "fault")]
            for t in told] == [
        [200, "miss", "", "", ""], [200, "hit", "", "", ""],
        [200, "", "", "", ""], [429, "", "one", "limit", ""],
        [403, "", "", "access_denied", "access_denied"]]
    doc = (TOP / "doc" / "logs.md").read_text()
    part = doc[doc.index("`format = json` is"):doc.index("Keys may be added")]
    assert set(told[0]) <= set(re.findall(r"`(\w+)`", part))


def test_templates(setup, lines):
    """doc/reference: variables in braces, {{ a brace, - for nothing."""
    setup.out = b"seen"
    got = setup.ask(lines, b"/a/../b/%41?q=1&q=2", b"X-A: 1\r\nX-A: 2\r\n"
                    b"Cookie: b=2; c=3\r\n")
    setup.out = b""
    assert got["own"] == b"GET|test|/b/A|q=1&q=2|1|3|1|seen|s|-|{x}|200"
    got = setup.ask(lines, b"/own")
    assert got["own"] == b"GET|test|/own|-|-|-|-|-|s|/own|{x}|204"


HOSTILE = [bytes([b]) for b in (*range(0x21, 0x7f), *range(0x80, 0x100))] + [
    b'" 200 5 "-" "forged', b"\\", b"\\\\", b'\\"', b"\\x22", b"\\u0022",
    b"a\tb", b'","status":200,"x":"', b"}\t{", "é世界😀".encode(),
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xe2\x82", b"\xff" * 9,
    b"\xe2\x80\xa8", b"\xc2\x85", b"{host}", b"%0d%0a", b"<script>",
    b"\xc2\x9b2J",
]


def test_no_field_value_breaks_a_line(setup, lines):
    """CWE-117: every byte that a field may hold is escaped where it could end
    a value, and can be read back."""
    for value in HOSTILE:
        setup.out = value
        got = setup.ask(lines, fields=b"Referer: %s\r\nUser-Agent: %s\r\n"
                        b"X-A: %s\r\n" % (value, value, value))
        m = re.fullmatch(COMBINED, got["combined"])
        assert m, got["combined"]
        assert unescape(m[6]) == unescape(m[7]) == value
        text = value.decode("utf-8", errors="surrogateescape")
        told = json.loads(got["json"].decode("utf-8"))
        assert re.sub("\ufffd+", "?", told["user_agent"]) == \
            re.sub("[\udc80-\udcff]+", "?", text)
        assert told["status"] == 200
        told = json.loads(got["object"].decode("utf-8"))
        assert told["a"] == told["o"] and told["n"] == 1
        assert got["own"].count(b"\n") == 0
        assert all(0x20 <= b < 0x7f for b in got["own"])
    setup.out = b""
    # not a line more than there were requests
    for name in ("combined", "common", "json", "own", "object"):
        assert len(lines(setup.gh.dir / f"{name}.log").all()) == setup.n


def test_no_target_or_method_breaks_a_line(setup, lines):
    """CWE-117: the same for the request line: visible ASCII but `#`."""
    target = b"/" + bytes(set(range(0x21, 0x7f)) - {ord("#")})
    method = b"!$%&'*+-.^_`|~9aZ"
    got = setup.ask(lines, target, method=method)
    m = re.fullmatch(COMBINED, got["combined"])
    assert unescape(m[3]) == method + b" " + target + b" HTTP/1.1"
    told = json.loads(got["json"])
    assert told["uri"].encode() == target and told["method"] == method.decode()


@pytest.mark.parametrize("raw", [
    b"GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", b"\"\" \"\" \"\"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
    b"GET / HTTP/1.1\r\n\xff: x\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n",
    b"\x80\x9e\x01\x03\x01\n\n\n\n\n\n\n\n", b"GET http://\"/ HTTP/1.1\r\n\r\n",
])
def test_what_is_no_request_gets_a_line_like_others(setup, lines, raw):
    """Issue 2: each exchange is logged once, those of malformed heads too,
    and nothing of them is copied raw."""
    setup.n += 1
    with setup.gh.client() as c:
        c.send(raw)
        assert c.response().status in (400, 505)
    got = lines(setup.gh.dir / "combined.log").wait(setup.n)[-1]
    assert re.fullmatch(COMBINED, got), got
    told = json.loads(lines(setup.gh.dir / "json.log").wait(setup.n)[-1])
    assert told["status"] in (400, 505) and told["fault"] == "client_bad"


def test_long_values_are_cut_not_the_line(setup, lines):
    """doc/config: a line has a limit; values are cut so that its form stays,
    in the middle of no escape."""
    value = b'"' * 12000
    setup.n += 1
    with setup.gh.client() as c:
        c.send(b"GET /" + b'"' * 7000 + b" HTTP/1.1\r\nHost: test\r\n"
               b"User-Agent: %s\r\nX-A: %s\r\n\r\n" % (value, value))
        assert c.response().status == 200
    got = lines(setup.gh.dir / "combined.log").wait(setup.n)[-1]
    assert re.fullmatch(COMBINED, got) and len(got) < 32768
    told = json.loads(lines(setup.gh.dir / "json.log").wait(setup.n)[-1])
    assert set(told["user_agent"]) == {'"'} and told["status"] == 200


@pytest.mark.parametrize("status, word, make", [
    (499, "client_gone", "leave"), (502, "origin_connect", "nobody"),
    (504, "origin_timeout", "silent"),
])
def test_what_went_wrong_is_told(gatehouse, origin, lines, status, word, make):
    """doc/reference: {fault} says why, {status} what the client was told; 499:
    it left first."""
    def script(conn, request):
        if make == "leave":
            left.reset()

    address = "127.0.0.1:1" if make == "nobody" else origin(script).address
    gh = gatehouse("""
[global]
workers = 1
[log access]
path = {dir}/a
format = {status} {fault} {tries} {server}
buffer = none
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
upstream = app
[upstream app]
server = {origin}
response_timeout = 300ms
retry = none
""", origin=address)
    left = gh.client()
    left.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    want = f"{status} {word} 1 {address}".encode()
    assert lines(gh.dir / "a").wait() == [want]
    left.close()
