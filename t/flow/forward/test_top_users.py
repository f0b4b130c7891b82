"""Which users and domains of a forward proxy come most often, and who moves
most: `gatehouse status --top` (doc/abuse.md)."""
import base64

from lib import admin
from lib.origin import ok
from lib.procs import until

HASH = ("$5$rounds=1000$saltsalt$k0ylRWLHVlBxnL.QHEV.f8gDch7ScqF5//h.mx1WAa9")
MORE = """
[auth login]
scheme = basic
users = people
realm = out
[users people]
file = {people}
""" + admin.SECTION
MANY, FEW = 600, 100
LARGE = bytes(1 << 20)
# What one byte stands for.
SAMPLE = 64 * 1024


def serve(conn, request):
    conn.send(ok(LARGE if request.target == "/large" else b"ok"))


def ask(p, target, host, user, n):
    """n requests on one connection."""
    pair = base64.b64encode(f"{user}:pässword".encode()).decode()
    with p.client() as c:
        for _ in range(n):
            c.send(f"GET http://{host}{target} HTTP/1.1\r\nHost: x\r\n"
                   f"Proxy-Authorization: Basic {pair}\r\n\r\n".encode())
            assert c.response().status == 200


def counted(p, kind):
    """Of all of them."""
    return sum(one["count"] for one in admin.status(p.gh)["top"][kind])


def names(found):
    return [one["name"] for one in found]


def test_users_and_domains_by_requests_and_by_bytes(proxy, origin, tmp_path):
    people = tmp_path / "people"
    people.write_text(f"anna:{HASH}\nben:{HASH}\n")
    o = origin(serve)
    p = proxy("auth = login", more=MORE, names={"people": people},
              **{"global": "heavy_hitters = on"},
              zone={"often.test": ["127.0.0.1"], "large.test": ["127.0.0.1"]})
    port = o.port
    ask(p, "/small", f"often.test:{port}", "anna", MANY)
    ask(p, "/small", f"large.test:{port}", "ben", FEW)
    ask(p, "/large", f"large.test:{port}", "ben", 4)
    # the last answer may be counted behind it
    until(lambda: counted(p, "users_by_bytes") > 4 * len(LARGE) - 3 * SAMPLE)
    top = admin.status(p.gh)["top"]
    assert names(top["users"]) == ["anna", "ben"]
    assert names(top["domains"]) == ["often.test", "large.test"]
    assert MANY / 2 < top["users"][0]["count"] < MANY * 2
    for kind, first in (("users_by_bytes", "ben"),
                        ("domains_by_bytes", "large.test")):
        assert top[kind][0]["name"] == first
        # content, heads, and what the sample is off by
        assert abs(top[kind][0]["count"] - 4 * len(LARGE)) < 3 * SAMPLE
    out = admin.cli(p.gh, "--top").stdout
    assert "BYTES      AT LEAST  USER\n" in out
    assert "REQUESTS      AT LEAST  DOMAIN\n" in out


def test_who_is_not_known_is_no_user(proxy, origin):
    o = origin(serve)
    p = proxy(more=admin.SECTION)
    assert p.get(f"http://{o.address}/large").status == 200
    until(lambda: counted(p, "domains_by_bytes"))
    top = admin.status(p.gh)["top"]
    assert top["users_by_bytes"] == []
    assert names(top["domains_by_bytes"]) == ["127.0.0.1"]
