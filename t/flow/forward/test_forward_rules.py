"""Rules that look at more than the target: the answer's type and length, the hour, an
address that only one of a name's has; and a line that is tried before it denies."""
import datetime

import pytest

from lib.dns import Dns
from lib.gatehouse import run
from lib.origin import Origin
from lib.procs import until

INI = """
[global]
workers = 1
dns_servers = {dns}
[log access]
path = {dir}/access.log
format = {status} {acl_result} {category} {acl_rule}
buffer = none
[listen p]
address = 127.0.0.1:{port}
mode = forward
policy = main
[forward main]
private_networks = allow
connect_ports = 1-65535
deny = films
deny = large
deny = now closed
deny = then other
deny = inner pictures
deny = social log-only
deny = sounds log-only
deny = worse
allow = all
[acl films]
content_type = video/*
[acl large]
response_size = >1k
[acl now]
time = %s 00:00-24:00
zone = UTC
[acl then]
time = %s 00:00-24:00
zone = UTC
[acl closed]
domain = closed.test
[acl other]
domain = other.test
[acl inner]
dst_ip = 127.0.0.9
[acl pictures]
content_type = image/*
[acl social]
domain = .social.test
[acl sounds]
content_type = audio/*
[acl worse]
domain = worse.social.test
"""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NAMES = {name: ["127.0.0.1"] for name in (
    "plain.test", "closed.test", "other.test", "a.social.test",
    "worse.social.test")}


def ini():
    """`now` holds for today and the days beside it, so that midnight may
    come."""
    today = datetime.datetime.now(datetime.timezone.utc).weekday()
    near = {(today + i) % 7 for i in (-1, 0, 1)}
    return INI % (" ".join(DAYS[i] for i in sorted(near)),
                  " ".join(DAYS[i] for i in range(7) if i not in near))


def answer(conn, request):
    """`/TYPE/SUBTYPE?LENGTH`; with `,COMPLETE` behind it a part of as much."""
    path, _, length = request.target.partition("?")
    length, _, complete = length.partition(",")
    body = b"x" * int(length or 2)
    part = f"Content-Range: bytes 0-{len(body) - 1}/{complete}\r\n"
    conn.send(b"HTTP/1.1 %s OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
              b"%s\r\n" % (b"206" if complete else b"200", path[1:].encode(),
                          len(body), part.encode() * bool(complete)) + body)


class World:
    def __init__(self, gh, origin):
        self.gh, self.origin, self.n = gh, origin, 0

    def said(self, target, host="plain.test", port=None):
        """The status, and the rest of its line of the log."""
        self.n += 1
        host = f"{host}:{port or self.origin.port}"
        with self.gh.client() as c:
            if target is None:
                c.send(f"CONNECT {host} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                got = c.reader.response_head()
            else:
                c.send(f"GET http://{host}{target} HTTP/1.1\r\nHost: x\r\n\r\n"
                       .encode())
                got = c.response()
        path = self.gh.dir / "access.log"
        line = until(lambda: (lines := path.read_text().splitlines()) and
                     len(lines) >= self.n and lines[self.n - 1],
                     what=f"{self.n} lines")
        status, rest = line.split(" ", 1)
        assert int(status) == got.status
        return got.status, rest


@pytest.fixture(scope="module")
def world(shared_gatehouse, shared_origin):
    dns = Dns({**NAMES, "two.test": ["127.0.0.1", "127.0.0.9"],
               "owt.test": ["127.0.0.9", "127.0.0.1"]})
    yield World(shared_gatehouse(ini(), dns=dns.address),
                shared_origin(answer))
    dns.close()


@pytest.mark.parametrize("target, host, status, said", [
    ("/text/plain", "plain.test", 200, "allowed - allow = all"),
    ("/video/mp4", "plain.test", 403, "denied - deny = films"),
    ("/VIDEO/x;a=b", "plain.test", 403, "denied - deny = films"),
    ("/text/plain?1024", "plain.test", 200, "allowed - allow = all"),
    ("/text/plain?1025", "plain.test", 403, "denied - deny = large"),
    # a part is as long as the whole of which it is one; several of them
    # at once hide what that is
    ("/text/plain?10,1024", "plain.test", 206, "allowed - allow = all"),
    ("/text/plain?10,1025", "plain.test", 403, "denied - deny = large"),
    ("/text/plain?10,*", "plain.test", 206, "allowed - allow = all"),
    ("/multipart/byteranges;boundary=x?10,20", "plain.test", 403,
     "denied - deny = films"),
    ("/multipart/byteranges;boundary=x", "plain.test", 200,
     "allowed - allow = all"),
    ("/text/plain", "closed.test", 403, "denied - deny = now closed"),
    ("/text/plain", "other.test", 200, "allowed - allow = all"),
    (None, "closed.test", 403, "denied - deny = now closed"),
    (None, "other.test", 200, "allowed - allow = all"),
    # only logged: the lines behind it decide
    ("/text/plain", "a.social.test", 200,
     "log_only - deny = social log-only"),
    ("/video/mp4", "a.social.test", 403, "denied - deny = films"),
    (None, "a.social.test", 200, "log_only - deny = social log-only"),
    ("/text/plain", "worse.social.test", 403, "denied - deny = worse"),
    ("/audio/x", "plain.test", 200, "log_only - deny = sounds log-only"),
])
def test_a_rule_decides(world, target, host, status, said):
    assert world.said(target, host) == (status, said)


@pytest.mark.parametrize("host", ["two.test", "owt.test"])
def test_an_answer_is_judged_by_the_address_it_came_from(world, host):
    """A name of two addresses, of which a rule denies pictures of one: which
    of them answers says whether they pass, in whatever order they stand."""
    inner = Origin(answer, host="127.0.0.9")
    outer = Origin(answer)
    try:
        assert world.said("/text/x", host, inner.port)[0] == 200
        assert world.said("/image/x", host, inner.port) == \
            (403, "denied - deny = inner pictures")
        assert world.said("/image/x", host, outer.port) == \
            (200, "allowed - allow = all")
    finally:
        inner.close()
        outer.close()


@pytest.mark.parametrize("lines, told", [
    ("[forward f]\nallow = all log-only",
     ":6:13: error: log-only is for trying a deny line"),
    ("[forward f]\ndeny = !log-only",
     ":6:8: error: log-only is for trying a deny line"),
    ("[forward f]\nallow = all\n[acl log-only]\nip = ::1",
     ":7:6: error: 'log-only' cannot be the name of an acl"),
])
def test_what_cannot_be_tried_is_told(tmp_path, lines, told):
    ini = tmp_path / "x.ini"
    ini.write_text("[listen p]\naddress = 127.0.0.1:3128\nmode = forward\n"
                   "policy = f\n" + lines + "\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 1 and told in done.stderr, done.stderr


def test_explain_tells_of_a_line_that_is_tried(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[listen p]\naddress = 127.0.0.1:3128\nmode = forward\n"
                   "policy = f\n[forward f]\n"
                   "deny = s log-only\nallow = all\n"
                   "[acl s]\ndomain = .s.test\n")
    done = run("explain", "GET", "http://a.s.test/", "--listen", "p",
               "-c", ini)
    assert "deny = s log-only holds, which is only logged" in done.stdout
    assert "allow = all decides" in done.stdout
