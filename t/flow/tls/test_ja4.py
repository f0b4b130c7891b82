"""JA4, the fingerprint of a client's TLS: what {ja4} tells is what a second
reader makes of the bytes that the client sends (FoxIO's JA4.md)."""
import hashlib
import shutil
import ssl
import subprocess

import pytest

SNI, SIGNATURES, ALPN, VERSIONS = 0, 13, 16, 43
WORDS = {0x0304: "13", 0x0303: "12"}


def parts(data, width):
    """A vector whose length takes so many bytes, and what follows it."""
    n = int.from_bytes(data[:width], "big")
    return data[width:width + n], data[width + n:]


def pairs(data):
    all_ = [int.from_bytes(data[i:i + 2], "big")
            for i in range(0, len(data), 2)]
    return [v for v in all_ if v & 0x0f0f != 0x0a0a or v >> 8 != v & 0xff]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12


def words(values):
    return ",".join("%04x" % v for v in values)


def ja4(hello):
    body = hello[5 + 4:]
    version, body = int.from_bytes(body[:2], "big"), body[2 + 32:]
    _, body = parts(body, 1)
    ciphers, body = parts(body, 2)
    _, body = parts(body, 1)
    rest, _ = parts(body, 2)
    exts = {}
    while rest:
        kind, rest = int.from_bytes(rest[:2], "big"), rest[2:]
        exts[kind], rest = parts(rest, 2)
    if VERSIONS in exts:
        version = max(pairs(parts(exts[VERSIONS], 1)[0]))
    alpn = "00"
    if ALPN in exts:
        first = parts(parts(exts[ALPN], 2)[0], 1)[0].decode()
        alpn = first[0] + first[-1]
    ciphers = sorted(pairs(ciphers))
    kinds = [k for k in exts if k & 0x0f0f != 0x0a0a or k >> 8 != k & 0xff]
    hashed = words(sorted(k for k in kinds if k not in (SNI, ALPN)))
    if SIGNATURES in exts:
        hashed += "_" + words(pairs(parts(exts[SIGNATURES], 2)[0]))
    return "t%s%s%02d%02d%s_%s_%s" % (
        WORDS[version], "d" if SNI in exts else "i", len(ciphers),
        len(kinds), alpn, digest(words(ciphers)), digest(hashed))


def hello_of(ctx, name):
    """What a client with this context sends first."""
    out = ssl.MemoryBIO()
    client = ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def shown(front):
    return front(a="respond = 200 {ja4}",
                 listen="certificate = {a}\ncertificate_key = {a_key}")


@pytest.mark.parametrize("name, version, alpn", [
    ("a.test", V12, None), ("a.test", V13, None),
    ("a.test", V13, ["http/1.1"]), ("a.test", V12, ["http/1.1", "other"]),
    (None, V13, None)])
def test_python(shown, ca, name, version, alpn):
    def context():
        ctx = ca.context()
        ctx.check_hostname = False
        ctx.minimum_version = ctx.maximum_version = version
        if alpn:
            ctx.set_alpn_protocols(alpn)
        return ctx

    want = ja4(hello_of(context(), name))
    with shown.client(tls=context(), name=name) as c:
        # of the connection: each request on it has the same
        assert [c.get(host="a.test").text for _ in range(2)] == [want] * 2


def long_hello(n_ciphers, n_signatures):
    """A hello of so many suites and algorithms, in as many records as it takes."""
    def vector(width, data):
        return len(data).to_bytes(width, "big") + data

    def suites(n):
        # TLS_AES_128_GCM_SHA256 and what is not assigned
        return b"\x13\x01" + b"".join(
            (0x1400 + i).to_bytes(2, "big") for i in range(n - 1))

    exts = b"".join(kind.to_bytes(2, "big") + vector(2, data)
                    for kind, data in (
        (VERSIONS, b"\x02\x03\x04"),
        (SIGNATURES, vector(2, suites(n_signatures)))))
    body = (b"\x03\x03" + bytes(32) + vector(1, b"") +
            vector(2, suites(n_ciphers)) + b"\x01\0" + vector(2, exts))
    message = b"\x01" + vector(3, body)
    return b"".join(b"\x16\x03\x01" + vector(2, message[i:i + 16384])
                    for i in range(0, len(message), 16384))


@pytest.mark.parametrize("n_ciphers, n_signatures", [
    (32766, 1), (32766, 16000), (8192, 8192), (8193, 1), (2, 32000)])
def test_a_hello_may_be_long(front, n_ciphers, n_signatures):
    """RFC 8446 4.1.2 has room for 32767 suites: no worker ends of them."""
    gh = front(a="respond = 200 {ja4}", listen="certificate = {a}\n"
               "certificate_key = {a_key}")
    was = gh.workers()
    with gh.client() as c:
        c.send(long_hello(n_ciphers, n_signatures))
        # a handshake or an alert: it was read
        assert c.reader.exactly(1) in (b"\x15", b"\x16")
    assert gh.workers() == was


def test_programs_differ_and_stay_themselves(shown, ca):
    """curl is not openssl, and both are the same each time."""
    def curl(*more):
        return subprocess.run(
            [shutil.which("curl"), "-sS", "--cacert", ca.pem, "--connect-to",
             f"a.test:443:127.0.0.1:{shown.port}", "https://a.test/", *more],
            check=True, capture_output=True, text=True, timeout=20).stdout

    first, again, older = curl(), curl(), curl("--tls-max", "1.2")
    assert first == again
    assert first.startswith("t13d") and older.startswith("t12d")
    assert first[:10] != older[:10]


def test_a_list_judges_by_it(front, ca, visit):
    """[acl] ja4: the whole, or its beginning; without TLS there is none."""
    want = ja4(hello_of(ca.context(), "a.test"))
    gh = front(more=f"[route a.test /whole]\ndeny = whole\nrespond = 200\n"
                    "[route a.test /begin]\nallow = begin\nrespond = 200\n"
                    f"[acl whole]\nja4 = t12d0000* {want}\n"
                    f"[acl begin]\nja4 = {want[:10]}*\n"
                    "[listen y]\naddress = 127.0.0.1:{port1}\n", ports=2)
    with visit(gh, ctx=ca.context()) as c:
        assert [c.get(p, host="a.test").status
                for p in ("/whole", "/begin")] == [403, 200]
    with visit(gh, version=V12) as c:
        assert [c.get(p, host="a.test").status
                for p in ("/whole", "/begin")] == [200, 403]
    with gh.client(gh.ports[1]) as c:
        assert [c.get(p, host="a.test").status
                for p in ("/whole", "/begin")] == [200, 403]


def test_rules_and_logs_know_it(front, ca, visit):
    """A rule refuses a program whatever it says of itself in its fields; plain
    connections and who asks nobody have none."""
    ctx = ca.context()
    want = ja4(hello_of(ctx, "a.test"))
    gh = front(more=f"[rule a.test bots]\nmatch = ja4 = {want}\n"
                    "respond = 403 not you\n"
                    "[listen y]\naddress = 127.0.0.1:{port1}\n", ports=2)
    with visit(gh, ctx=ctx) as c:
        assert c.get(host="a.test").status == 403
    with visit(gh, version=V12) as c:
        assert c.get(host="a.test").status == 200
    with gh.client(gh.ports[1]) as c:
        assert c.get(host="a.test").status == 200
