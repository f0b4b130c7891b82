"""Two gatehouses in a row: each adds its hop, the second believes the first."""
import pytest

from lib.gatehouse import free_port
from lib.procs import until
from lib.wire import Client

SECOND = """
[global]
workers = 1
pid_file = {dir}/pid
[log a]
path = {dir}/a.log
format = {client_ip} {scheme} {request_id} {header:X-Forwarded-For}
buffer = none
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = %s
access_log = a
[site s]
hosts = *
upstream = {origin}
"""
FIRST = SECOND.replace("[listen x]\naddress = 127.0.0.1:{port}\n",
                       "[listen x]\naddress = 127.0.0.1:{port}"
                       " unix:{dir}/s\n")


def logged(gh):
    """The words of the first line, which is written after the answer."""
    return until(lambda: (gh.dir / "a.log").read_text().split())


@pytest.fixture
def chain(gatehouse, origin):
    """chain(trust of the first, trust of the second)."""
    def make(first, second):
        o = origin()
        gh2 = gatehouse(SECOND % second, origin=o.address)
        gh1 = gatehouse(FIRST % first, origin=f"127.0.0.1:{gh2.port}")
        return gh1, gh2, o
    return make


def test_the_client_is_known_behind_two(chain):
    """Issue 2: the list through two gatehouses ends in both peers, and the
    second finds the client that the first saw."""
    gh1, gh2, o = chain("127.0.0.0/8", "127.0.0.0/8")
    with gh1.client() as c:
        c.get("/", extra=b"X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n"
                         b"X-Forwarded-Proto: https\r\n")
    r = o.requests[0]
    assert r.all("x-forwarded-for") == \
        ["6.6.6.6, 203.0.113.9, 127.0.0.1, 127.0.0.1"]
    assert r.all("x-real-ip") == ["203.0.113.9"]
    assert r.all("x-forwarded-proto") == ["https"]
    assert r.all("x-forwarded-port") == [str(gh1.port)]
    assert r.get("forwarded").count("for=") == 2
    one, two = [logged(g) for g in (gh1, gh2)]
    assert one[:3] == two[:3] == ["203.0.113.9", "https",
                                  r.get("x-request-id")]


def test_a_stranger_stays_one_behind_two(chain):
    """Issue 2: what a stranger says is gone before the second could believe
    it."""
    gh1, gh2, o = chain("192.0.2.0/24", "127.0.0.0/8")
    with gh1.client() as c:
        c.get("/", host="a,for=6.6.6.6",
              extra=b"X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
                    b"X-Request-Id: forged\r\nVia: 1.1 other\r\n")
    r = o.requests[0]
    assert r.all("x-forwarded-for") == ["127.0.0.1, 127.0.0.1"]
    assert r.get("x-request-id") != "forged"
    assert logged(gh2)[0] == "127.0.0.1"
    # three hops, in their order
    via = ", ".join(r.all("via")).split(", ")
    assert via[0] == "1.1 other" and len(via) == 3 and via[1] != via[2]


def test_a_unix_hop_does_not_cut_the_chain(chain):
    """doc/config: a proxy on a unix socket has no address to be listed with;
    the one behind still finds the client."""
    gh1, gh2, o = chain("unix:", "127.0.0.0/8")
    with Client(str(gh1.dir / "s")) as c:
        c.get("/", extra=b"X-Forwarded-For: 203.0.113.9\r\n")
    assert o.requests[0].all("x-real-ip") == ["203.0.113.9"]
    assert logged(gh2)[0] == "203.0.113.9"


def test_answers_tell_both_hops(chain):
    """RFC 9110 7.6.3: each proxy appends itself to Via of the answer."""
    gh1, _, _ = chain("127.0.0.0/8", "127.0.0.0/8")
    with gh1.client() as c:
        r = c.get("/")
    via = ", ".join(r.all("via")).split(", ")
    assert len(via) == 2 and via[0] != via[1]
    assert all(v.startswith("1.1 ") for v in via)


def test_a_loop_is_found(gatehouse):
    """RFC 9110 7.6.3: a proxy that finds itself in Via has a loop: 508."""
    port = free_port()
    gh = gatehouse("[global]\nworkers = 1\n[listen x]\n"
                   "address = 127.0.0.1:{port} 127.0.0.1:{inner}\n"
                   "[site s]\nhosts = *\nupstream = 127.0.0.1:{inner}\n",
                   inner=port)
    with gh.client() as c:
        assert c.get("/").status == 508


def test_via_names_the_version_that_came(chain):
    """RFC 9110 7.6.3: received-protocol is the message's, not ours."""
    gh1, _, o = chain("192.0.2.1", "127.0.0.0/8")
    with gh1.client() as c:
        c.send(b"GET / HTTP/1.0\r\nHost: test\r\n\r\n")
        c.response()
    via = ", ".join(o.requests[0].all("via")).split(", ")
    assert [v.split()[0] for v in via] == ["1.0", "1.1"]
