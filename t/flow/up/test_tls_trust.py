"""Whom gatehouse believes to be the server that it was told: RFC 5280 6,
RFC 9525, RFC 6066 3; CONFIG [upstream] tls_verify, ca, sni,
client_certificate."""
import re
import ssl

import pytest

from lib.gatehouse import run



def get(gh, path="/"):
    with gh.client() as c:
        return c.get(path)


def by_name(o):
    """The same server, as localhost."""
    return f"https://localhost:{o.port}"


@pytest.fixture
def trusting(front, ca):
    """front() whose upstream trusts the authority."""
    return lambda servers, upstream="", **kwargs: front(
        servers, upstream=f"ca = {ca.pem}\n{upstream}", **kwargs)


# --- good certificates -----------------------------------------------------------

def test_a_server_by_address(trusting, tls_origin):
    """Its certificate names the address; RFC 6066 3: addresses are no SNI."""
    o = tls_origin()
    gh = trusting([o])
    assert get(gh).text == "ok"
    assert o.shakes == [{"sni": None, "version": "TLSv1.3", "resumed": False,
                         "alpn": "http/1.1", "peer": None}]
    assert gh.log()[0]["server"] == o.address


def test_a_server_by_name(trusting, tls_origin):
    o = tls_origin()
    gh = trusting([by_name(o)])
    assert get(gh).text == "ok"
    assert o.shakes[0]["sni"] == "localhost"


def test_sni_is_sent_and_checked(trusting, tls_origin, ca):
    """CONFIG sni: the name instead of the server's."""
    o = tls_origin(pem=ca.make("app", "app.internal"))
    gh = trusting([o], "sni = app.internal")
    assert get(gh).text == "ok"
    assert o.shakes[0]["sni"] == "app.internal"
    gh = trusting([o], "sni = other.internal")
    assert get(gh).status == 502


def test_sni_may_be_an_address(trusting, tls_origin, ca):
    """It is looked for and not sent (RFC 6066 3)."""
    o = tls_origin(pem=ca.make("ip", ips=["192.0.2.7"]))
    gh = trusting([by_name(o)], "sni = 192.0.2.7")
    assert get(gh).text == "ok"
    assert o.shakes[0]["sni"] is None


def test_a_wildcard_is_one_label(trusting, tls_origin, ca):
    """RFC 9525 6.3."""
    o = tls_origin(pem=ca.make("wild", "*.app.internal"))
    gh = trusting([o], "sni = a.app.internal")
    assert get(gh).text == "ok"
    gh = trusting([o], "sni = a.b.app.internal")
    assert get(gh).status == 502


def test_a_chain_is_followed(trusting, tls_origin, below):
    pem = below.make("local", "localhost")
    pem.write_text(pem.read_text() + below.pem.read_text())
    o = tls_origin(pem=pem)
    assert get(trusting([by_name(o)])).text == "ok"


def test_the_systems_authorities(front, tls_origin, ca):
    """Without ca: OpenSSL's places, which are read at the start."""
    o = tls_origin()
    gh = front([o], env={"SSL_CERT_FILE": str(ca.pem)})
    assert get(gh).text == "ok"
    gh = front([o])
    assert get(gh).status == 502


def test_verification_can_be_off(front, tls_origin, stranger):
    """CONFIG tls_verify: whoever answers is believed; SNI is sent."""
    o = tls_origin(pem=stranger.make("x", "other.test"))
    gh = front([by_name(o)], upstream="tls_verify = off")
    assert get(gh).text == "ok"
    assert o.shakes[0]["sni"] == "localhost"


def test_plain_and_tls_side_by_side(trusting, tls_origin, origin):
    plain, tls = origin(), tls_origin()
    gh = trusting([plain, tls])
    for _ in range(4):
        assert get(gh).text == "ok"
    assert (len(plain.requests), len(tls.requests)) == (2, 2)


# --- bad ones ----------------------------------------------------------------------

@pytest.fixture
def wrong(ca, below, stranger, kind):
    """The certificate that is wrong in that way."""
    if kind == "itself":
        return stranger.pem
    if kind == "stranger":
        return stranger.make("local", "localhost")
    if kind == "bare":
        return below.make("bare", "localhost")
    return {
        "expired": lambda: ca.make("old", "localhost", ends="20210101000000Z"),
        "early": lambda: ca.make("early", "localhost", begins="20400101000000Z",
                                ends="20410101000000Z"),
        "name": lambda: ca.make("other", "other.test"),
        # RFC 9525 6.3: a subject's common name is no identity
        "nameless": lambda: ca.make("nameless", cn="localhost"),
        "purpose": lambda: ca.make("purpose", "localhost", client=True),
    }[kind]()


@pytest.mark.parametrize("kind, why", [
    ("expired", "certificate has expired"),
    ("early", "certificate is not yet valid"),
    ("name", "hostname mismatch"),
    ("nameless", "hostname mismatch"),
    ("stranger", "unable to get local issuer certificate"),
    ("itself", "self-signed certificate"),
    ("bare", "unable to get local issuer certificate"),
    ("purpose", "unsuitable certificate purpose"),
])
def test_a_bad_certificate_is_502(trusting, tls_origin, wrong, why):
    """RFC 9110 15.6.3; nothing of the request was sent; the log says why and
    whose it is, the client is told nothing."""
    o = tls_origin(pem=wrong)
    gh = trusting([by_name(o)])
    r = get(gh)
    assert r.status == 502 and why not in r.text
    assert gh.fault() == "origin_cert"
    line = next(t for t in gh.stderr().splitlines() if "server refused" in t)
    assert f'why="TLS: {why}"' in line
    assert f"server={by_name(o)} name=localhost" in line
    o.wait_failed()
    assert not o.requests


def test_a_good_server_answers_instead(trusting, tls_origin, ca):
    """Nothing was sent: even a POST goes to the next one."""
    bad = tls_origin(pem=ca.make("other", "other.test"))
    good = tls_origin()
    gh = trusting([by_name(bad), by_name(good)])
    # of two in turn one goes to the bad one first
    with gh.client() as c:
        for _ in range(2):
            c.send(b"POST / HTTP/1.1\r\nHost: test\r\n"
                   b"Content-Length: 2\r\n\r\nhi")
            assert c.response("POST").text == "ok"
    assert [r.body for r in good.requests] == [b"hi", b"hi"]
    assert not bad.requests
    assert "2" in [line["tries"] for line in gh.log(2)]


# --- certificates of ours -------------------------------------------------------------

@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_certificate_is_shown(trusting, tls_origin, ca, version,
                                       tmp_path):
    """CONFIG client_certificate: one file with all of it."""
    o = tls_origin(ca=ca.pem, version=getattr(ssl.TLSVersion, version))
    pem = ca.make("gate", client=True)
    both = tmp_path / "gate.pem"
    both.write_text(pem.read_text() + pem.with_suffix(".key").read_text())
    gh = trusting([o], f"client_certificate = {both}")
    assert get(gh).text == "ok"
    subject = dict(part[0] for part in o.shakes[0]["peer"]["subject"])
    assert subject["commonName"] == "gate"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_certificate_is_missing(trusting, tls_origin, ca, version):
    """In TLS 1.3 the refusal comes behind the handshake."""
    o = tls_origin(ca=ca.pem, version=getattr(ssl.TLSVersion, version))
    gh = trusting([o])
    assert get(gh).status == 502
    assert gh.fault() == "origin_tls"
    assert not o.requests


# --- mistakes in the configuration -------------------------------------------------------

INI = """[listen x]
address = 127.0.0.1:1
[site a]
upstream = u
[upstream u]
server = https://127.0.0.1:1
"""


def told(tmp_path, text, env=None, ini=INI):
    path = tmp_path / "x.ini"
    path.write_text(ini + text)
    return run("-t", "-c", path, env=env)


def test_mistakes_are_told_by_line(tmp_path, ca):
    one = ca.make("one", "one.test", client=True)
    two = ca.make("two", "two.test", client=True)
    mixed = tmp_path / "mixed.pem"
    mixed.write_text(one.read_text() + two.with_suffix(".key").read_text())
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    rows = [
        (f"ca = {tmp_path}/none.pem\n", 6,
         f"authorities {tmp_path}/none.pem cannot be opened"),
        (f"ca = {empty}\n", 6, "no certificate in the file of authorities"),
        (f"client_certificate = {tmp_path}/none.pem\n", 22, "cannot be opened"),
        (f"client_certificate = {one}\n", 22, "there is no private key in"),
        (f"client_certificate = {empty}\n", 22, "there is no certificate in"),
        (f"client_certificate = {mixed}\n", 22,
         "is not that of the first certificate"),
        ("sni = a.test:443\n", 7, "without port"),
    ]
    for text, col, why in rows:
        done = told(tmp_path, text)
        assert done.returncode == 1
        lines = [t for t in done.stderr.splitlines() if "error:" in t]
        assert len(lines) == 1, done.stderr
        assert re.search(rf"x\.ini:7:{col}: error: ", lines[0]), lines
        assert why in lines[0]


def test_a_client_certificate_that_ends_soon(tmp_path, ca):
    """As it is told of those of sites."""
    pem = ca.make("gone", client=True, ends="20210101000000Z")
    both = tmp_path / "gone.pem"
    both.write_text(pem.read_text() + pem.with_suffix(".key").read_text())
    done = told(tmp_path, f"client_certificate = {both}\n")
    assert done.returncode == 0
    assert re.search(r"x\.ini:7:\d+: warning: the certificate .*has expired",
                     done.stderr)


def test_a_system_without_authorities(tmp_path):
    """Told once, with what to do; nothing of it when nobody is verified."""
    env = {"SSL_CERT_FILE": f"{tmp_path}/none", "SSL_CERT_DIR": str(tmp_path)}
    done = told(tmp_path, "[upstream v]\nserver = https://127.0.0.1:2\n", env)
    assert done.returncode == 1
    assert done.stderr.count("this system has no authorities") == 1
    assert "x.ini:6:10: error:" in done.stderr
    assert "install ca-certificates, name a file with ca" in done.stderr
    assert told(tmp_path, "tls_verify = off\n", env).returncode == 0


def test_a_folder_of_authorities(front, tls_origin, ca, tmp_path):
    """What openssl-rehash(1) makes of a folder."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "0a1b2c3d.0").write_text(ca.pem.read_text())
    (folder / "other.pem").write_text("nothing\n")
    gh = front([tls_origin()], env={"SSL_CERT_FILE": f"{tmp_path}/none",
                                    "SSL_CERT_DIR": str(folder)})
    assert get(gh).text == "ok"


def test_keys_without_tls_are_noticed(tmp_path, ca):
    """Somebody believes that TLS is spoken."""
    done = told(tmp_path, "", ini=INI.replace("https://", "") +
                f"ca = {ca.pem}\nsni = a.test\n"
                f"client_certificate = {ca.pem}\n")
    assert done.returncode == 0
    for key in ("ca", "sni", "client_certificate"):
        assert f"warning: {key} does nothing" in done.stderr


def test_explain_says_https(tmp_path):
    (tmp_path / "x.ini").write_text(INI.replace("upstream = u",
                                                "upstream = u\nhosts = *"))
    done = run("explain", "-c", tmp_path / "x.ini", "GET", "http://a/")
    assert "https://127.0.0.1:1" in done.stdout, (done.stdout, done.stderr)
