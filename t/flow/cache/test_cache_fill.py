"""What the cache asks a server for is what its client asked for."""
import pytest

from lib.origin import ok

FRESH = b"Cache-Control: max-age=600\r\n"


def test_targets_of_every_length(cached):
    """Path and query are copied for it: how long they are does not matter."""
    gh, o = cached(lambda conn, r: conn.send(ok(r.target.encode(), FRESH)))
    with gh.client() as c:
        for n in range(70):
            target = "/" + "x" * n + "?" + "y" * (n % 5)
            assert c.get(target).text == target


@pytest.mark.parametrize("host", ["[::1]", "[::1]:81", "test:81", "test"])
def test_the_host_as_it_was_told(cached, host):
    gh, o = cached(lambda conn, r: conn.send(ok(b"", FRESH)),
                   site="request_header = X-Seen: {host} {authority}")
    with gh.client() as c:
        c.get(host=host)
    bare = host.removesuffix(":81")
    assert o.requests[0].get("host") == host
    assert o.requests[0].get("x-seen") == f"{bare} {host}"
