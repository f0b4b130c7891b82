"""What servers learn of who asks, at three levels; and what is said to a proxy
goes no further (RFC 9110 7.6.1, 11.7)."""
import pytest

FORGED = [
    "X-Forwarded-For: 198.51.100.1", "X-Forwarded-Host: forged",
    "X_Forwarded_For: 198.51.100.2", "Forwarded: for=198.51.100.3",
    "X-Real-IP: 198.51.100.4", "Client-IP: 198.51.100.5",
    "True-Client-IP: 198.51.100.6", "CF-Connecting-IP: 198.51.100.7",
    "X-Client-IP: 198.51.100.8", "X-Cluster-Client-IP: 198.51.100.9",
    "X-Originating-IP: 198.51.100.10", "From: me@a.test",
    "X-UIDH: supercookie", "X-Wap-Profile: phone",
    "Sec-CH-UA-Model: \"198.51.100 phone\"", "Sec-CH-UA-Full-Version-List: x",
    "DPR: 3", "Device-Memory: 8", "X-Client-Data: installation",
    "Via: 1.1 inner.corp.test",
]
FOR_US = [
    "Proxy-Authorization: Basic c2VjcmV0OnNlY3JldA==",
    "Proxy-Connection: keep-alive", "Proxy: http://evil.test/",
    "Proxy-Whatever: x", "Proxy_Authorization: Basic x",
]
PLAIN = ["User-Agent: Own/1.0", "Accept: text/x", "Accept-Language: de",
         "Cookie: a=b", "Authorization: Basic b3du", "X-Own: kept",
         "Referer: http://a.test/", "Sec-CH-UA-Mobile: ?0"]


def seen(proxy, origin, forward):
    """The fields that a server gets, as {lower name: [value]}."""
    o = origin()
    p = proxy(forward)
    assert p.get(f"http://{o.address}/", *PLAIN, *FORGED, *FOR_US).status \
        == 200
    fields = {}
    for name, value in o.requests[0].fields:
        fields.setdefault(name.decode().lower(), []).append(value.decode())
    text = str(fields)
    assert "secret" not in text and "c2VjcmV0" not in text
    assert not [n for n in fields if n.startswith("proxy")]
    for line in PLAIN[1:-1]:
        name, value = line.split(": ", 1)
        assert fields[name.lower()] == [value]
    assert ("sec-ch-ua-mobile" in fields) is ("user_agent" not in forward)
    assert fields["host"] == [o.address]
    return fields


def test_transparent_tells_who_asks(proxy, origin):
    """As RFC 9110 asks; what a client says of itself is not believed."""
    fields = seen(proxy, origin, "")
    assert fields["x-forwarded-for"] == ["127.0.0.1"]
    assert fields["forwarded"] == ["for=127.0.0.1"]
    assert fields["via"][0] == "1.1 inner.corp.test"
    assert fields["via"][1].startswith("1.1 gatehouse-")
    assert fields["user-agent"] == ["Own/1.0"]


@pytest.mark.parametrize("level", ["anonymous", "elite"])
def test_nothing_tells_who_asks(proxy, origin, level):
    fields = seen(proxy, origin, f"anonymize = {level}")
    text = str(fields)
    assert "198.51.100" not in text and "me@" not in text
    assert "inner" not in text and "gatehouse" not in text
    known = {line.split(":")[0].lower() for line in PLAIN} | {"host"}
    if level == "anonymous":
        assert fields["via"] == ["1.1 proxy"]
        known |= {"via"}
    assert set(fields) == known


def test_elite_is_what_a_browser_sends(proxy, origin):
    """The order of fields, too."""
    o = origin()
    proxy("anonymize = elite").get(f"http://{o.address}/", *PLAIN,
                                   host=o.address)
    assert [n.decode() for n, _ in o.requests[0].fields] == \
        ["Host", *(line.split(":")[0] for line in PLAIN)]


def test_via_and_user_agent_are_the_operators(proxy, origin):
    fields = seen(proxy, origin,
                  "anonymize = anonymous\nvia = off\nuser_agent = Any/2")
    assert "via" not in fields and fields["user-agent"] == ["Any/2"]


def test_only_what_is_listed_goes_on(proxy, origin):
    """`keep_header`: all else goes but what says what the request is."""
    o = origin()
    p = proxy("anonymize = elite\nkeep_header = Accept user-agent\n"
              "request_header = X-Added: 1")
    with p.client() as c:
        c.send(f"POST http://{o.address}/ HTTP/1.1\r\nHost: x\r\n"
               "Content-Type: text/x\r\nContent-Length: 2\r\n".encode() +
               "".join(f"{line}\r\n" for line in PLAIN + FORGED).encode() +
               b"\r\nhi")
        assert c.response().status == 200
    got = o.requests[0]
    assert got.body == b"hi" and got.get("content-type") == "text/x"
    assert {name.decode().lower() for name, _ in got.fields} == {
        "host", "content-type", "content-length", "accept", "user-agent",
        "x-added"}


def test_fields_by_list(proxy, origin):
    """request_header, hide_header and response_header, as for sites."""
    o = origin(lambda conn, _: conn.send(
        b"HTTP/1.1 200 OK\r\nServer: x\r\nX-Powered-By: y\r\n"
        b"Proxy-Authentication-Info: z\r\nContent-Length: 0\r\n\r\n"))
    got = proxy("request_header = -X-Own\nrequest_header = X-Site: {host}\n"
                "hide_header = Server\nresponse_header = X-By: us\n"
                "via = off").get(f"http://{o.address}/", "X-Own: 1")
    request = o.requests[0]
    assert request.get("x-site") == "127.0.0.1" and not request.all("x-own")
    assert not got.all("server") and not got.all("via")
    assert not got.all("proxy-authentication-info")
    assert got.get("x-by") == "us" and got.get("x-powered-by") == "y"


def test_the_defaults_of_sites_are_none_of_theirs(proxy, origin):
    """What `[defaults]` says of own sites says nothing of others'."""
    o = origin()
    p = proxy(more="[defaults]\nresponse_header = X-Ours: 1\nmax_body = 1b\n"
                   "hide_header = Server\n")
    got = p.get(f"http://{o.address}/")
    assert not got.all("x-ours")
