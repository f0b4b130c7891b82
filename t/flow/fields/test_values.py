"""Field values pass as they came (RFC 9110 5.3, 5.5)."""
import pytest

OURS = ("x-forwarded", "x-real-ip", "forwarded", "via", "x-request-id", "host",
        "connection")


def theirs(fields):
    """Without what gatehouse adds or sets."""
    return [(k, v) for k, v in fields
            if not k.decode().lower().startswith(OURS)]


@pytest.mark.parametrize("value", [
    b"", b"plain", b"\xff\x80\xfe", "é世界".encode(), b"a\tb  c",
    b"\"quoted, text\"", b"a,,b;;c", b"=?utf-8?q?x?=", b"%0d%0a", b"x" * 8000,
    b":", b"a: b", b"{host}", b"${HOME}",
])
def test_a_value_reaches_the_origin_byte_for_byte(setup, value):
    """RFC 9110 5.5: visible bytes, blanks inside and obs-text are kept."""
    r = setup.ask(extra=b"X-Value: " + value + b"\r\n")
    assert [v for k, v in r.fields if k == b"X-Value"] == [value]


@pytest.mark.parametrize("raw", [b"X-V:v", b"X-V: \t v \t ", b"X-V:\tv"])
def test_blanks_around_a_value_are_no_part_of_it(setup, raw):
    """RFC 9110 5.5: optional blanks around a value are taken off."""
    r = setup.ask(extra=raw + b"\r\n")
    assert r.all("x-v") == ["v"]


def test_order_names_and_repetition_are_kept(setup):
    """RFC 9110 5.3: a proxy must not change the order of values of a name;
    here nothing is merged, reordered or respelled."""
    sent = [(b"X-b", b"1"), (b"ACCEPT", b"text/html"), (b"X-B", b"2"),
            (b"x-A", b""), (b"Accept", b"*/*"), (b"X-b", b"3"),
            (b"Cookie", b"a=1"), (b"COOKIE", b"b=2"), (b"~odd!", b"x")]
    r = setup.ask(extra=b"".join(b"%s: %s\r\n" % f for f in sent))
    assert theirs(r.fields) == sent


def test_answers_pass_the_same_way(gatehouse, origin):
    """RFC 9110 5.3, RFC 6265 3: Set-Cookie lines are never merged."""
    sent = [(b"Set-Cookie", b"a=1; Path=/"), (b"X-Empty", b""),
            (b"set-cookie", b"b=2, c"), (b"X-Obs", b"\xff\xe9\t x"),
            (b"WWW-Authenticate", b"Basic realm=\"a, b\""),
            (b"WWW-Authenticate", b"Negotiate"), (b"SERVER", b"own/1"),
            (b"Set-Cookie", b"")]
    lines = b"".join(b"%s: %s\r\n" % f for f in sent)

    def script(conn, request):
        conn.send(b"HTTP/1.1 200 Fine  thanks \xe9\r\n" + lines +
                  b"Content-Length: 2\r\n\r\nok")

    gh = gatehouse("[global]\nworkers = 1\n[listen x]\n"
                   "address = 127.0.0.1:{port}\n[site s]\nhosts = *\n"
                   "upstream = {origin}\n", origin=origin(script).address)
    with gh.client() as c:
        r = c.get("/")
    known = {b"content-length", b"via", b"date"}
    assert [f for f in r.fields if f[0].lower() not in known] == sent
    assert r.first == b"HTTP/1.1 200 Fine  thanks \xe9"


def test_a_date_is_added_only_where_there_is_none(gatehouse, origin):
    """RFC 9110 6.6.1: a recipient with a clock dates what came undated."""
    told = b"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"

    def script(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" +
                  (told if request.target == "/dated" else b"") + b"\r\n")

    gh = gatehouse("[global]\nworkers = 1\n[listen x]\n"
                   "address = 127.0.0.1:{port}\n[site s]\nhosts = *\n"
                   "upstream = {origin}\n", origin=origin(script).address)
    with gh.client() as c:
        assert c.get("/dated").all("date") == ["Tue, 15 Nov 1994 08:12:31 GMT"]
        assert len(c.get("/undated").all("date")) == 1
