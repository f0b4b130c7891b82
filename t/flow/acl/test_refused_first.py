"""What a list, a limit, a rule of a WAF or `path_policy` refuses is told at once:
nothing waits for content (RFC 9110 10.1.1), and the rules of phase 1 have told
of the attack before `path` refuses it. By HTTP/1 and HTTP/2."""
import json
import types

import pytest

from lib import h2
from lib.origin import ok
from lib.procs import until

RULES = r"""
SecRule REQUEST_URI_RAW "@contains ..%2f" "id:1,phase:1,pass,log,msg:'climbs'"
SecRule REQUEST_HEADERS:X-Bad "." "id:2,phase:1,deny,status:406,log,msg:'bad'"
SecRule REQUEST_BODY "@contains attack" "id:3,phase:2,deny,log,msg:'body'"
"""
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[log access]
path = {dir}/access.log
format = {protocol} {status} {fault}
buffer = none
[site test]
hosts = *
upstream = app
waf = w
max_body = 1m
[route test /small]
max_body = 10b
[route test /few]
rate_limit = few
[route test /who]
auth = keys
[route test /signed]
auth = links
[route test /work]
challenge = on
[site open]
upstream = app
waf = w
[route test /secret]
deny = !nobody
[acl nobody]
header = X-Nobody
[limit few]
rate = 1/d
key = {path}{header:X-Key}
[auth keys]
scheme = apikey
file = {files}/keys
[auth links]
scheme = hmac
secret = 0123456789abcdef0123456789abcdef
[waf w]
rules = {files}/rules.conf
audit_log = {dir}/audit.log
[upstream app]
server = {origin}
"""
# on a site whose lists do not look at paths: there it would be denied
AMBIGUOUS = "/x/..%2fadmin"


@pytest.fixture(scope="module")
def world(tmp_path_factory, shared_gatehouse, shared_origin):
    files = tmp_path_factory.mktemp("files")
    (files / "rules.conf").write_text(RULES)
    (files / "keys").write_text("a:" + "0" * 64 + "\n")
    o = shared_origin(lambda conn, request: conn.send(ok(b"served")))
    gh = shared_gatehouse(INI, origin=o.address, files=files)
    for key in ("plain", "expect", "chunked", "h2"):
        with gh.client() as c:
            assert c.get("/few", extra=f"X-Key: {key}\r\n".encode()) \
                .status == 200
    until(lambda: (gh.dir / "access.log").read_text().count("\n") == 4,
          what="their lines")
    return types.SimpleNamespace(gh=gh, origin=o)


REFUSED = [
    (AMBIGUOUS, "", 400, "path_ambiguous"), ("/secret", "", 403, "access_denied"),
    ("/few", "", 429, None), ("/who", "", 401, None),
    ("/signed", "", 403, "url_not_signed"), ("/x", "X-Bad: 1", 406, "waf"),
    ("/small", "", 413, "body_too_large"), ("/work", "", 403, None),
]
HOLDS = {"plain": "Content-Length: 100", "chunked": "Transfer-Encoding: chunked",
         "expect": "Content-Length: 100\r\nExpect: 100-continue"}


def host_of(path):
    return "open" if path == AMBIGUOUS else "test"


def lines(world):
    return (world.gh.dir / "access.log").read_text().splitlines()


def next_line(world, n):
    """The one after n lines."""
    return until(lambda: lines(world)[n:], what="a line")[0].split()


@pytest.mark.parametrize("held", HOLDS)
@pytest.mark.parametrize("path, field, status, fault", REFUSED)
def test_held_content_is_not_awaited(world, held, path, field, status, fault):
    """Not a byte of it was sent, and none will be before the answer is here."""
    if path == "/small" and held == "chunked":
        pytest.skip("its length is not told")
    before, n = len(world.origin.requests), len(lines(world))
    infos = []
    with world.gh.client() as c:
        fields = "\r\n".join(filter(None, (field, HOLDS[held],
                                           f"X-Key: {held}")))
        c.send(f"POST {path} HTTP/1.1\r\nHost: {host_of(path)}\r\n"
               f"{fields}\r\n\r\n".encode())
        got = c.response(infos=infos)
    assert (got.status, infos) == (status, [])
    assert len(world.origin.requests) == before
    assert next_line(world, n)[1:3] == [str(status), fault or "-"]


@pytest.mark.parametrize("path, field, status, fault", REFUSED)
def test_nor_is_it_by_http2(world, path, field, status, fault):
    before, n = len(world.origin.requests), len(lines(world))
    fields = [("x-bad", "1")] if field else []
    fields += [("content-length", "100"), ("x-key", "h2")]
    with h2.Conn(("127.0.0.1", world.gh.port)) as c:
        stream = c.next_stream()
        c.send(h2.headers(stream, h2.block(h2.request(
            "POST", path, *fields, authority=host_of(path))), h2.END_HEADERS))
        assert c.answer(stream).status == status
        # the connection is as good as before
        assert c.get("/").status == 200
    assert len(world.origin.requests) == before + 1
    assert next_line(world, n + 1)[1] == "200"
    assert next_line(world, n)[:3] == ["HTTP/2.0", str(status), fault or "-"]


def test_rules_told_of_the_path_before_it_was_refused(world):
    with world.gh.client() as c:
        assert c.get(AMBIGUOUS, host="open").status == 400

    def told():
        log = (world.gh.dir / "audit.log").read_text()
        lines = map(json.loads, log.splitlines())
        return {t["messages"][0]["msg"] for t in lines if t["uri"] == AMBIGUOUS}
    assert until(told) == {"climbs"}
