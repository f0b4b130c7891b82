"""Who may use the proxy: 407, never 401, for plain requests and for tunnels (RFC
9110 11.7), and what proved it stays here."""
import base64

import pytest

from lib.origin import ok
from lib.procs import until

HASH = ("$5$rounds=1000$saltsalt$k0ylRWLHVlBxnL.QHEV.f8gDch7ScqF5//h.mx1WAa9")
PASSWORD = "pässword"
MORE = """
[auth login]
scheme = basic
users = people
realm = Internet access
[users people]
file = {people}
[log squid]
path = {dir}/squid.log
format = squid
buffer = none
"""


def proof(name, password, field="Proxy-Authorization"):
    pair = base64.b64encode(f"{name}:{password}".encode()).decode()
    return f"{field}: Basic {pair}"


def test_who_is_not_known_is_asked(proxy, origin, tmp_path):
    people = tmp_path / "people"
    people.write_text(f"anna:{HASH}\n")
    o = origin()
    p = proxy("auth = login", more=MORE, listen="access_log = access squid",
              names={"people": people})
    url = f"http://{o.address}/x?y"
    good = proof("anna", PASSWORD)
    for fields in ((), (proof("anna", "wrong"),), (proof("ben", PASSWORD),),
                   (proof("anna", PASSWORD, "Authorization"),)):
        got = p.get(url, *fields)
        assert got.status == 407
        assert 'realm="Internet access"' in got.get("proxy-authenticate")
        assert not got.all("www-authenticate")
        c, got = p.connect(o.address, *fields)
        c.close()
        assert got.status == 407 and got.get("connection") == "close"
        assert got.all("proxy-authenticate")
    assert not o.conns
    assert p.get(url, good, "Authorization: Basic b3du").status == 200
    assert o.requests[0].get("authorization") == "Basic b3du"
    assert not o.requests[0].all("proxy-authorization")
    c, got = p.connect(o.address, good)
    with c:
        assert got.status == 200
        c.send(b"GET /t HTTP/1.1\r\nHost: t\r\n\r\n")
        assert c.response().text == "ok"
    squid = p.gh.dir / "squid.log"
    lines = until(lambda: len(got := squid.read_text().splitlines()) >= 10 and
                  got, what="ten lines")
    assert [line.split()[3] for line in lines] == \
        ["TCP_DENIED/407"] * 8 + ["TCP_MISS/200", "TCP_TUNNEL/200"]
    plain, tunnel = (line.split() for line in lines[-2:])
    assert plain[5:8] == ["GET", url, "anna"]
    assert plain[8] == "HIER_DIRECT/127.0.0.1"
    assert tunnel[5:] == ["CONNECT", o.address, "anna",
                          "HIER_DIRECT/127.0.0.1", "-"]
    assert len(plain) == 10 and "." in plain[0]


@pytest.mark.parametrize("uri, asked", [
    ("uri = /who\n", ["/who"] * 3), ("", ["/x", "/x", "/"])])
def test_a_server_says_who_may(proxy, origin, uri, asked):
    """scheme = forward: it is asked before the host of the target is looked up,
    which it has nothing to do with; its 401 is the proxy's 407. A tunnel has no
    path."""
    knows = origin(lambda c, r: c.send(
        ok(b"", b"Remote-User: anna\r\n") if r.get("x-token") == "good" else
        b"HTTP/1.1 401 Who\r\nWWW-Authenticate: Bearer\r\n"
        b"Content-Length: 0\r\n\r\n"))
    o = origin()
    p = proxy("auth = asked\nallow = all", zone={"a.test": ["127.0.0.1"]},
              more="[auth asked]\nscheme = forward\n"
              f"upstream = knows\n{uri}[upstream knows]\n"
              f"server = {knows.address}\n")
    workers = p.gh.workers()
    port = o.address.rsplit(":", 1)[1]
    for host in (o.address, f"a.test:{port}"):
        got = p.get(f"http://{host}/x")
        assert got.status == 407 and got.get("proxy-authenticate") == "Bearer"
        assert p.get(f"http://{host}/x", "X-Token: good").text == "ok"
        c, got = p.connect(host, "X-Token: good")
        with c:
            assert got.status == 200
    assert [r.target for r in knows.requests] == asked * 2
    assert p.gh.workers() == workers
