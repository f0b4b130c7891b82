"""What people see when they may not: a page of the operator's, whose variables
say why, and for programs Proxy-Status (RFC 9209)."""
import pytest

PAGE = """<!doctype html><title>blocked</title>
<p id="host">{host}</p><p id="why">{fault}</p><p id="id">{request_id}</p>
<style>p { color: red }</style>
"""


def test_a_page_says_why(proxy, tmp_path):
    """In place of the 403 of a plain request and of a CONNECT; what comes from a
    client is escaped in it; other errors keep theirs."""
    page = tmp_path / "blocked.html"
    page.write_text(PAGE)
    p = proxy(f"block_page = {page}", is_open=False)
    got = p.get("http://127.0.0.1/")
    assert got.status == 403 and got.get("content-type").startswith("text/html")
    assert '<p id="host">127.0.0.1</p>' in got.text
    assert '<p id="why">private_address</p>' in got.text
    assert "p { color: red }" in got.text
    c, got = p.connect("a.test:22")
    c.close()
    assert got.status == 403 and '<p id="why">connect_port</p>' in got.text
    assert "blocked" not in p.get("/").text
    assert "blocked" not in p.get("http://none.test/").text


@pytest.mark.parametrize("name", ["ERR_ACCESS_DENIED", "blocked.tmpl"])
def test_any_name_is_one_of_a_page(proxy, tmp_path, name):
    """As a page's, unless it tells another type: filled and escaped as HTML is."""
    page = tmp_path / name
    page.write_text("<p>{fault} {path}</p>")
    got = proxy(f"block_page = {page}", is_open=False).get("http://[::1]/<b>")
    assert got.status == 403
    assert got.get("content-type") == "text/html; charset=utf-8"
    assert got.text == "<p>private_address /&lt;b&gt;</p>"


def test_programs_are_told_what_failed(proxy, origin):
    """RFC 9209 2.3, when it is asked for."""
    o = origin(lambda conn, _: conn.send(b"garbage\r\n\r\n"))
    p = proxy("proxy_status = on", is_open=False)
    q = proxy("proxy_status = on")
    for it, url, error in ((p, "http://127.0.0.1/", "destination_ip_prohibited"),
                           (p, "http://none.test/", "dns_error"),
                           (p, "http://0x7f.1/", "http_request_error"),
                           (p, "/", "http_request_error"),
                           (q, "http://127.0.0.1:1/", "connection_refused"),
                           (q, f"http://{o.address}/", "http_protocol_error")):
        told = it.get(url).get("proxy-status")
        name, kind, _ = told.split("; ")
        assert name.startswith("gatehouse-") and kind == f"error={error}", url
    c, got = p.connect("a.test:22")
    c.close()
    assert "error=http_request_denied" in got.get("proxy-status")
    assert not proxy().get("http://127.0.0.1:1/").all("proxy-status")
