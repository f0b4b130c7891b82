"""Who the client is (RFC 7239, X-Forwarded-*), by trust: a stranger cannot
tell, a trusted proxy can."""
import pytest

OWN = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
       "x-forwarded-port", "x-real-ip", "forwarded")
SPOOFED = (b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
           b"X-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 1\r\n"
           b"X-Forwarded-Server: evil\r\nX-Forwarded-Prefix: /evil\r\n"
           b"X-Forwarded-Anything: evil\r\nX-Real-IP: 6.6.6.6\r\n"
           b"True-Client-IP: 6.6.6.6\r\nClient-IP: 6.6.6.6\r\n"
           b"Forwarded: for=6.6.6.6;proto=https;host=evil.test\r\n")


def test_a_stranger_tells_nothing(setup):
    """Issue 2: a client outside trusted_proxies cannot spoof any of them."""
    r = setup.ask(extra=SPOOFED + SPOOFED)
    assert [r.all(name) for name in OWN] == [
        ["127.0.0.1"], ["http"], ["test"], [str(setup.gh.port)], ["127.0.0.1"],
        ["for=127.0.0.1;host=test;proto=http"]]
    assert "6.6.6.6" not in str(r.fields) and "evil" not in str(r.fields)
    _, ip, port, peer, scheme = setup.logged(r)
    assert (ip, int(port), peer, scheme) == \
        ("127.0.0.1", setup.port, "127.0.0.1", "http")


@pytest.mark.parametrize("way", ["stranger", "trusting", "local", "believed"])
def test_nothing_told_means_the_peer(setup, way):
    """RFC 7239 5.2: the peer is what we see of the client; one on a unix
    socket has no address (6.3: unknown)."""
    r = setup.ask(way)
    is_unix = way in ("local", "believed")
    who = "unknown" if is_unix else "127.0.0.1"
    assert r.all("x-forwarded-for") == [who]
    assert r.all("forwarded") == [f"for={who};host=test;proto=http"]
    assert r.all("x-real-ip") == ([] if is_unix else [who])
    assert setup.logged(r)[1] == ("unix:" if is_unix else who)


@pytest.mark.parametrize("told, client", [
    ("203.0.113.9", "203.0.113.9"),
    ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
    ("6.6.6.6, 203.0.113.9, 192.0.2.7", "203.0.113.9"),
    ("203.0.113.9 ,\t192.0.2.7 , 127.0.0.5", "203.0.113.9"),
    ("203.0.113.9:5555", "203.0.113.9"),
    ("2a00::5", "2a00::5"),
    ("[2a00::5]", "2a00::5"),
    ("[2a00::5]:5555, 2001:db8::9", "2a00::5"),
    ("::ffff:203.0.113.9", "203.0.113.9"),
    ("192.0.2.1, 192.0.2.2", "192.0.2.1"),
    (",, 203.0.113.9,,", "203.0.113.9"),
    # what is no address ends the list: nothing left of it is believed
    ("6.6.6.6, unknown", "127.0.0.1"),
    ("6.6.6.6, unknown, 192.0.2.7", "192.0.2.7"),
    ("6.6.6.6, 203.0.113.9x", "127.0.0.1"),
    ("6.6.6.6, 203.0.113.009", "127.0.0.1"),
    ("6.6.6.6, 203.0.113.9:99999", "127.0.0.1"),
    ("6.6.6.6, fe80::1%eth0", "127.0.0.1"),
    ("", "127.0.0.1"),
])
def test_a_trusted_proxy_is_believed_from_the_right(setup, told, client):
    """Issue 2: of X-Forwarded-For the right-most hop that is not trusted
    itself is the client."""
    r = setup.ask("trusting", extra=f"X-Forwarded-For: {told}\r\n".encode())
    assert r.all("x-real-ip") == [client]
    assert setup.logged(r)[1] == client
    assert setup.logged(r)[3] == "127.0.0.1"
    # the list goes on, with our peer at its end
    assert r.all("x-forwarded-for") == \
        [f"{told}, 127.0.0.1" if told else "127.0.0.1"]


def test_lines_of_the_list_are_one_list(setup):
    """RFC 9110 5.3: lines are joined in their order."""
    r = setup.ask("trusting", extra=b"X-Forwarded-For: 6.6.6.6\r\n"
                  b"X-Other: 1\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n"
                  b"X-Forwarded-For: 192.0.2.2\r\n")
    assert r.all("x-real-ip") == ["203.0.113.9"]
    assert r.all("x-forwarded-for") == \
        ["6.6.6.6, 203.0.113.9, 192.0.2.1, 192.0.2.2, 127.0.0.1"]


@pytest.mark.parametrize("told, client, scheme", [
    ('for=203.0.113.9', "203.0.113.9", "http"),
    ('For="203.0.113.9:47011";proto=https', "203.0.113.9", "https"),
    ('for="[2a00::5]"', "2a00::5", "http"),
    ('for="[2a00::5]:80";by=203.0.113.43;PROTO=HTTPS', "2a00::5", "https"),
    ('by=192.0.2.1 ; for=203.0.113.9', "203.0.113.9", "http"),
    ('for=6.6.6.6, for=203.0.113.9;proto=https, for=192.0.2.1;proto=http',
     "203.0.113.9", "https"),
    # neither names nor the unknown are addresses (6.2, 6.3)
    ('for=6.6.6.6, for=unknown', "127.0.0.1", "http"),
    ('for=6.6.6.6, for=_gazonk', "127.0.0.1", "http"),
    ('for=6.6.6.6, for="_x:80"', "127.0.0.1", "http"),
    ('for=6.6.6.6, proto=https', "127.0.0.1", "http"),
    ('for=6.6.6.6;for=203.0.113.9', "127.0.0.1", "http"),
    ('for=2a00::5', "2a00::5", "http"),
    # a text is no place for pairs or members of the list (4: quoted-string)
    ('for=203.0.113.9;host="a,for=6.6.6.6"', "203.0.113.9", "http"),
    ('for=203.0.113.9;host="a;for=6.6.6.6;b"', "203.0.113.9", "http"),
    ('host="a;for=6.6.6.6"', "127.0.0.1", "http"),
    ('for=203.0.113.9;host="a\\",for=6.6.6.6;x=\\""', "203.0.113.9", "http"),
    # a quote that a stranger left open hides nothing on its right
    ('for="6.6.6.6, for=203.0.113.9', "203.0.113.9", "http"),
    ('for=6.6.6.6;x="\\, for=203.0.113.9;proto=https', "203.0.113.9", "https"),
    ('x="", for=6.6.6.6", for=203.0.113.9', "203.0.113.9", "http"),
])
def test_forwarded_is_believed_from_the_right(setup, told, client, scheme):
    """RFC 7239 4: Forwarded says the same where there is no
    X-Forwarded-For."""
    r = setup.ask("trusting", extra=f"Forwarded: {told}\r\n".encode())
    assert r.all("x-real-ip") == [client]
    assert r.all("x-forwarded-proto") == [scheme]
    assert r.all("forwarded") == \
        [f"{told}, for=127.0.0.1;host=test;proto={scheme}"]
    assert setup.logged(r)[4] == scheme


def test_a_trusted_proxy_tells_scheme_host_and_port(setup):
    """Issue 2: what a trusted proxy said of the client's side stays."""
    r = setup.ask("trusting", extra=b"X-Forwarded-For: 203.0.113.9\r\n"
                  b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: a.test\r\n"
                  b"X-Forwarded-Port: 443\r\nX-Real-IP: 6.6.6.6\r\n")
    assert [r.all(name) for name in OWN] == [
        ["203.0.113.9, 127.0.0.1"], ["https"], ["a.test"], ["443"],
        ["203.0.113.9"], ["for=127.0.0.1;host=test;proto=https"]]
    assert setup.logged(r)[4] == "https"


@pytest.mark.parametrize("told", ["gopher", "https x", "", "HTTPS\tx"])
def test_a_scheme_that_is_none_is_not_believed(setup, told):
    """RFC 7239 5.4: proto is a scheme; here http or https."""
    r = setup.ask("trusting", extra=f"X-Forwarded-Proto: {told}\r\n".encode())
    assert setup.logged(r)[4] == "http"


@pytest.mark.parametrize("host, quoted", [
    ("test.example", "test.example"),
    ("test.example:80", '"test.example:80"'),
    ("[2001:db8::1]", '"[2001:db8::1]"'),
    ("a,for=6.6.6.6", '"a,for=6.6.6.6"'),
    ("a;for=6.6.6.6;b", '"a;for=6.6.6.6;b"'),
    ("a(b)=c", '"a(b)=c"'),
    ("a!$&'*+b", "a!$&'*+b"),
])
def test_a_host_cannot_forge_members_of_forwarded(setup, host, quoted):
    """RFC 7239 4, RFC 3986 3.2.2: a host may hold commas, semicolons and
    equal signs; what is no token is quoted."""
    r = setup.ask(host=host)
    assert r.all("forwarded") == [f"for=127.0.0.1;host={quoted};proto=http"]


def test_a_unix_peer_is_believed_where_it_is_named(setup):
    """doc/config: `unix:` in trusted_proxies stands for unix sockets; they add
    no address to the list of others."""
    told = b"X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n"
    r = setup.ask("believed", extra=told)
    assert r.all("x-forwarded-for") == ["203.0.113.9, 192.0.2.1"]
    assert r.all("x-real-ip") == ["203.0.113.9"]
    assert setup.logged(r)[1] == "203.0.113.9"
    r = setup.ask("local", extra=told)
    assert r.all("x-forwarded-for") == ["unknown"]
    assert r.all("x-real-ip") == []
    assert r.get("x-forwarded-port") is None


def test_connection_cannot_hide_a_hop(setup):
    """RFC 9110 7.6.1: nominated fields are removed before ours are added."""
    r = setup.ask("trusting", extra=b"X-Forwarded-For: 203.0.113.9\r\n"
                  b"Connection: X-Forwarded-For, Forwarded\r\n")
    assert r.all("x-forwarded-for") == ["127.0.0.1"]
