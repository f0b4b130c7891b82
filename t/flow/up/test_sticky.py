"""sticky = cookie: a signed cookie names the server (doc/config.md, `sticky`)."""
import re

import pytest

from lib import admin, h2
from lib.gatehouse import free_port, run
from lib.origin import OK, ok
from lib.procs import until

STICKY = "sticky = cookie gh_srv"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
UPGRADE = (b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")


def cookie_of(answer, name="gh_srv"):
    """The value that it sets, or None."""
    for text in answer.all("set-cookie"):
        if text.startswith(name + "="):
            return text.split(";")[0].split("=", 1)[1]
    return None


def with_cookie(value):
    return b"Cookie: gh_srv=%s\r\n" % value.encode()


def ask(gh, value=None, path="/", extra=b"", **kwargs):
    """One request on a connection of its own, whichever worker takes it."""
    with gh.client(**kwargs) as c:
        if value is not None:
            extra += with_cookie(value)
        return c.get(path, extra=extra)


def order(gh, server, word):
    done = run("server", "app", server.address, word, "-c", gh.ini)
    assert (done.returncode, done.stderr) == (0, "")


def who_has(gh, names):
    """{server's text: its cookie} of all of them."""
    found = {}

    def look():
        answer = ask(gh)
        found[answer.text] = cookie_of(answer)
        return set(found) == set(names)
    until(look, what="a cookie of each server")
    return found


@pytest.fixture
def three(front, named):
    """three(more, ...) gives (gatehouse, {name: origin})."""
    def make(more="", sticky=STICKY, **kwargs):
        servers = {n: named(n.encode()) for n in "abc"}
        gh = front(servers.values(),
                   upstream=f"{sticky}\n{more}{admin.SECTION}", **kwargs)
        return gh, servers
    return make


@pytest.mark.parametrize("workers", [1, 4])
def test_a_client_finds_its_server_again(three, workers):
    """Whichever worker it comes to, after a reload, when the servers stand in
    another order, and with another policy; and no answer sets it again."""
    gh, servers = three(workers=workers)
    cookies = who_has(gh, servers)

    def check():
        for name, value in cookies.items():
            for _ in range(4):
                answer = ask(gh, value)
                assert answer.text == name
                assert not answer.all("set-cookie")
                assert not answer.all("cache-control")
    check()
    gh.reload()
    check()
    text = gh.ini.read_text()
    lines = [f"server = {o.address}\n" for o in servers.values()]
    for line in lines:
        text = text.replace(line, "")
    gh.reload(text.replace("[upstream app]\n", "[upstream app]\n" + "".join(
        reversed(lines)) + "balance = least_conn\n"))
    check()


def test_what_the_cookie_says(three):
    """Opaque: the same length, no address; HttpOnly, Lax, for all paths, and
    for no cache but the browser's."""
    gh, servers = three()
    answer = ask(gh)
    text, = answer.all("set-cookie")
    assert re.fullmatch(r"gh_srv=[\w-]{44}; Path=/; HttpOnly; SameSite=Lax",
                        text)
    assert answer.all("cache-control") == ["private"]
    assert len(set(map(len, who_has(gh, servers).values()))) == 1


def test_the_cookie_has_options(three):
    gh, _ = three(sticky="sticky = cookie __Secure-x ttl=2h path=/shop "
                         "domain=example.com samesite=none secure")
    text, = ask(gh).all("set-cookie")
    assert re.fullmatch(
        r"__Secure-x=[\w-]{44}; Path=/shop; Domain=example.com; Max-Age=7200; "
        "HttpOnly; SameSite=None; Secure", text)


def test_it_is_secure_where_the_client_came_by_tls(three, ca):
    """By our own listen, or as a trusted proxy says."""
    pem = ca.make("front", "test")
    gh, _ = three(
        listen="trusted_proxies = 127.0.0.1\n[listen s]\n"
               f"address = 127.0.0.1:{{port1}}\ntls = on\ncertificate = {pem}\n"
               f"certificate_key = {pem.with_suffix('.key')}", ports=2)
    assert "Secure" not in ask(gh).get("set-cookie")
    assert ask(gh, port=gh.ports[1], tls=ca.context(), name="test").get(
        "set-cookie").endswith("; Secure")
    assert ask(gh, extra=b"X-Forwarded-Proto: https\r\n").get(
        "set-cookie").endswith("; Secure")


def forged(value):
    """What is like it and is not it."""
    yield ""
    yield value[:-1]
    yield value + "A"
    yield value * 100
    yield '"' + value + '"'
    yield "A" * len(value)
    yield value.swapcase()
    for i in (0, 3, 12, 25, len(value) - 1):
        other = ALPHABET[ALPHABET.index(value[i]) ^ 1]
        yield value[:i] + other + value[i + 1:]


def test_a_forged_cookie_is_replaced(three):
    """It names nobody; the client gets a good one."""
    gh, servers = three()
    cookies = who_has(gh, servers)
    for bad in forged(cookies["a"]):
        answer = ask(gh, bad)
        assert answer.status == 200
        assert cookie_of(answer) == cookies[answer.text], bad
    # in its turn, as if none had come
    got = {ask(gh, cookies["a"][:-1]).text for _ in range(3)}
    assert got == set(servers)


def test_a_cookie_of_another_upstream_says_nothing(front, named):
    gh = front([named(b"a")], upstream=STICKY + "\n[upstream b]\nserver = "
               f"{named(b'b').address}\n{STICKY}",
               site="[route test /b]\nupstream = b")
    value = cookie_of(ask(gh))
    assert cookie_of(ask(gh, value, "/b")) not in (None, value)
    assert cookie_of(ask(gh, value)) is None


@pytest.mark.parametrize("sent, left", [
    (b"gh_srv=%s", None),
    (b"a=b; gh_srv=%s", "a=b"),
    (b"gh_srv=%s; a=b", "a=b"),
    (b"a=b;gh_srv=%s ;  c=d", "a=b;  c=d"),
    (b"a;b;;c;gh_srv=%s;d;e;f;g;h;i;j;k;l;m;n;o;p;q;r;s;t;u;v;w;x;y;z;;",
     "a;b;;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q;r;s;t;u;v;w;x;y;z;;"),
    (b"gh_srv=x; gh_srv=%s; xgh_srv=1; gh_srvx=2; GH_SRV=3",
     "xgh_srv=1; gh_srvx=2; GH_SRV=3"),
])
def test_servers_do_not_see_it(three, sent, left):
    """What is not ours is sent as it came."""
    gh, servers = three()
    value = who_has(gh, servers)["b"]
    answer = ask(gh, extra=b"Cookie: " + sent.replace(
        b"%s", value.encode()) + b"\r\n")
    assert (answer.text, cookie_of(answer)) == ("b", None)
    assert servers["b"].requests[-1].all("cookie") == (
        [left] if left is not None else [])


def test_a_drained_server_keeps_its_clients(three):
    """And gets no new ones; down means down."""
    gh, servers = three(workers=2)
    cookies = who_has(gh, servers)
    order(gh, servers["a"], "drain")
    assert {ask(gh).text for _ in range(9)} == {"b", "c"}
    for _ in range(4):
        answer = ask(gh, cookies["a"])
        assert (answer.text, cookie_of(answer)) == ("a", None)
    order(gh, servers["a"], "down")
    answer = ask(gh, cookies["a"])
    assert cookie_of(answer) == cookies[answer.text] != cookies["a"]
    order(gh, servers["a"], "auto")
    assert ask(gh, cookies["a"]).text == "a"


def test_a_drained_server_that_is_sick_keeps_nobody(front, origin, named):
    """Its checks still count."""
    sick = []
    a = origin(lambda conn, request: conn.send(
        OK if request.target == "/" or not sick else
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    gh = front([a, named(b"b")], upstream=f"{STICKY}\nhealth_check = GET "
               f"/healthz interval=100ms fall=1\n{admin.SECTION}")
    value = who_has(gh, ["ok", "b"])["ok"]
    order(gh, a, "drain")
    assert ask(gh, value).text == "ok"
    sick.append(True)
    until(lambda: ask(gh, value).text == "b")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_dead_server_falls_over(three, method):
    """The request is answered by another one, and its cookie is that one's;
    whatever the method, since nothing of it was sent."""
    gh, servers = three("retry = connect\nkeepalive = 0")
    cookies = who_has(gh, servers)
    servers["a"].close()
    with gh.client() as c:
        answer = c.get(method=method, extra=with_cookie(cookies["a"]) + (
            b"Content-Length: 0\r\n" if method == "POST" else b""))
    assert answer.text in "bc"
    assert cookie_of(answer) == cookies[answer.text]
    assert ask(gh, cookie_of(answer)).text == answer.text


def test_an_ejected_server_falls_over(front, origin, named):
    bad = origin(lambda conn, request: conn.send(
        b"HTTP/1.1 500 No\r\nContent-Length: 1\r\n\r\na"))
    gh = front([bad, named(b"b")],
               upstream=f"{STICKY}\neject = 5xx>=4 for=1h")
    value = who_has(gh, "ab")["a"]
    until(lambda: ask(gh, value).text == "b")


def test_a_server_that_is_named_no_more_falls_over(three):
    gh, servers = three()
    value = who_has(gh, servers)["a"]
    gh.reload(gh.ini.read_text().replace(
        f"server = {servers['a'].address}\n", ""))
    answer = ask(gh, value)
    assert answer.text in "bc" and cookie_of(answer)
    # the name means the same when it is back
    gh.reload(gh.ini.read_text().replace(
        STICKY, f"{STICKY}\nserver = {servers['a'].address}"))
    assert ask(gh, value).text == "a"


def test_a_client_stays_with_its_backup(front, named):
    """Where its session is, when the others are back."""
    port = free_port()
    b = named(b"b")
    gh = front([f"127.0.0.1:{port}", b.address + " backup"],
               upstream=f"{STICKY}\nretry = connect\nkeepalive = 0")
    value = cookie_of(ask(gh))
    a = named(b"a", port=port)
    assert {ask(gh).text for _ in range(3)} == {"a"}
    assert ask(gh, value).text == "b"
    a.close()


def test_a_passed_over_answer_sets_the_cookie_of_the_next(front, origin, named):
    """retry = 503: who answers is who is named."""
    full = origin(lambda conn, request: conn.send(
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    gh = front([full, named(b"b")], upstream=f"{STICKY}\nretry = 503")
    answer = ask(gh)
    assert answer.text == "b"
    assert cookie_of(ask(gh, cookie_of(answer))) is None


def test_our_own_answers_set_none(front):
    gh = front([f"127.0.0.1:{free_port()}"],
               upstream=STICKY + "\nretry = none")
    answer = ask(gh)
    assert (answer.status, answer.all("set-cookie")) == (502, [])


def test_a_cookie_is_over_when_its_time_is(three):
    """ttl: whatever the client keeps."""
    gh, servers = three(sticky="sticky = cookie gh_srv ttl=1s")
    value = cookie_of(ask(gh))
    until(lambda: {ask(gh, value).text for _ in range(3)} == set(servers))


@pytest.mark.parametrize("ttl", ["3h", "30m", None])
def test_a_cookie_is_renewed_at_half_of_its_time(three, ttl):
    """And when that is another one now. The server is the same."""
    gh, _ = three(sticky="sticky = cookie gh_srv ttl=1h")
    first = ask(gh)
    value = cookie_of(first)
    assert cookie_of(ask(gh, value)) is None
    gh.reload(gh.ini.read_text().replace(" ttl=1h", f" ttl={ttl}" if ttl
                                         else ""))
    again = ask(gh, value)
    assert again.text == first.text
    renewed = cookie_of(again)
    assert renewed not in (None, value)
    again = ask(gh, renewed)
    assert (again.text, cookie_of(again)) == (first.text, None)


def test_a_cache_never_has_it(front, origin):
    """Neither what is kept nor who is answered from it: not even those whose
    request filled it. What may not be kept has it."""
    o = origin(lambda conn, request: conn.send(ok(
        b"x", b"Vary: Cookie\r\nCache-Control: " +
        (b"max-age=60\r\n" if request.target == "/kept"
         else b"private\r\n"))))
    other = origin(o.script)
    gh = front([o, other], upstream=STICKY + "\n[cache c]\nmemory = 4m",
               site="cache = c")
    filled = ask(gh, path="/kept")
    assert not filled.all("set-cookie")
    passed = ask(gh, path="/own")
    assert passed.get("cache-control") == "private"
    value = cookie_of(passed)
    assert value
    hit = ask(gh, value, path="/kept")
    assert hit.all("age") and not hit.all("set-cookie")
    assert hit.all("cache-control") == ["max-age=60"]
    before = [len(s.requests) for s in (o, other)]
    for _ in range(4):
        assert cookie_of(ask(gh, value, path="/own")) is None
    after = [len(s.requests) for s in (o, other)]
    assert sorted(b - a for a, b in zip(before, after)) == [0, 4]


def test_caches_behind_us_keep_it_for_nobody(front, origin):
    """RFC 9111 5.2.2.7, RFC 9213."""
    o = origin(lambda conn, request: conn.send(ok(
        b"x", b"Cache-Control: max-age=60\r\nCDN-Cache-Control: max-age=9\r\n"
        )))
    gh = front([o], upstream=STICKY)
    answer = ask(gh)
    assert "private" in answer.all("cache-control")
    assert "private" in answer.all("cdn-cache-control")
    answer = ask(gh, cookie_of(answer))
    assert answer.all("cache-control") == ["max-age=60"]
    assert answer.all("cdn-cache-control") == ["max-age=9"]


def test_http_2_on_both_sides(h2_front, h2_origin):
    """Crumbs of a Cookie field (RFC 9113 8.2.3) are one."""
    def named(text):
        return h2_origin(lambda conn, request: conn.answer(
            request.stream, text))
    a, b = named(b"a"), named(b"b")
    gh = h2_front([a, b], upstream=STICKY)
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        first = c.get("/")
        value = first.get("set-cookie").decode().split(";")[0]
        for _ in range(4):
            again = c.get("/", ("cookie", "x=y"), ("cookie", value))
            assert again.body == first.body
            assert again.get("set-cookie") is None
    mine = a if first.body == b"a" else b
    assert mine.requests[-1].get("cookie") == "x=y"


def test_websocket(front, origin):
    """The handshake's answer sets it, and the next one finds its server."""
    def script(text):
        return lambda conn, request: conn.send(
            b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\n"
            b"Upgrade: websocket\r\nX-Who: %s\r\n\r\n" % text)
    gh = front([origin(script(b"a")), origin(script(b"b"))], upstream=STICKY)

    def shake(value=None):
        answer = ask(gh, value, extra=UPGRADE)
        assert answer.status == 101
        return answer
    first = shake()
    for _ in range(4):
        again = shake(cookie_of(first))
        assert again.get("x-who") == first.get("x-who")
        assert not again.all("set-cookie")


def test_ten_thousand_servers(front, named):
    """The last one is found like the first."""
    z = named(b"z")
    gh = front([z], upstream=STICKY)
    value = cookie_of(ask(gh))
    gh.reload(gh.ini.read_text().replace(f"server = {z.address}\n", "".join(
        f"server = 127.0.{i // 250}.{i % 250 + 1}:1\n"
        for i in range(9999)) + f"server = {z.address}\n"))
    assert [ask(gh, value).text for _ in range(9)] == ["z"] * 9


def test_it_is_counted_and_logged(three):
    gh, servers = three()
    path = gh.dir / "sticky.log"
    gh.reload(gh.ini.read_text().replace(
        "[site test]", f"[log s]\npath = {path}\nbuffer = none\n"
        "format = {sticky}\n[site test]").replace(
            "hosts = *", "hosts = *\naccess_log = s"))
    value = cookie_of(ask(gh))
    ask(gh, value)
    order(gh, servers[ask(gh, value).text], "down")
    ask(gh, value)
    until(lambda: path.read_text().split() == ["new", "kept", "kept", "moved"])
    numbers = admin.status(gh)["counters"]
    assert numbers["sticky_kept_total"] == 2
    assert numbers["sticky_moved_total"] == 1
    assert "gh_srv" not in admin.cli(gh).stdout


def test_it_is_explained(three):
    """Without a word of who it is."""
    gh, _ = three()
    done = run("explain", "-c", gh.ini, "GET", f"http://test:{gh.port}/",
               "-H", "Cookie: a=b; gh_srv=x")
    line, = [t for t in done.stdout.splitlines() if t.startswith("sticky")]
    assert "cookie gh_srv" in line and ":" in line
    assert "Cookie: a=b\n" in done.stdout
    assert "set-cookie: gh_srv=" in done.stdout
