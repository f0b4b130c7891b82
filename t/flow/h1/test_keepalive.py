"""Persistence of client connections (RFC 9112 9.3)."""

INI = """
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = {origin}
"""


def test_two_requests_share_a_connection(gatehouse, origin):
    """RFC 9112 9.3: a 1.1 connection persists unless somebody says close."""
    o = origin()
    gh = gatehouse(INI, origin=o.address)
    with gh.client() as c:
        assert c.get("/a").text == "ok"
        assert c.get("/b").text == "ok"
    assert [r.target for r in o.requests] == ["/a", "/b"]
    assert len(o.conns) == 1


def test_close_is_honoured(gatehouse, origin):
    """RFC 9112 9.6: after Connection: close the response is the last."""
    gh = gatehouse(INI, origin=origin().address)
    with gh.client() as c:
        r = c.get("/", extra=b"Connection: close\r\n")
        assert r.get("connection") == "close"
        assert c.is_closed()
