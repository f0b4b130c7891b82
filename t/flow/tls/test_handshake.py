"""Versions, names, key types, clients' certificates: RFC 8446, RFC 5246,
RFC 6066 3, RFC 7301; CONFIG [tls]."""
import re
import socket
import ssl
import subprocess

import pytest

from lib.certs import Authority
from lib.gatehouse import run
from lib.procs import until
from lib.wire import WAIT_S

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def names_of(client):
    return {v for k, v in client.sock.getpeercert()["subjectAltName"]}


@pytest.mark.parametrize("version", [V12, V13])
def test_a_request_through_tls(front, visit, version):
    gh = front(a="respond = 200 {scheme} {tls_version} {tls_sni} {tls_alpn}")
    with visit(gh, version=version) as c:
        assert c.get(host="a.test").text == \
            f"https {c.sock.version()} a.test http/1.1"
        # and more on the same connection
        assert c.get(host="a.test").status == 200


def test_the_name_chooses_the_certificate(front, visit):
    """RFC 6066 3; the site whose host it is shows its own, whatever the case
    and with a dot at the end."""
    gh = front(more="[site w]\nhosts = *.a.test\nrespond = 200 w\n"
                    "certificate = {a}\ncertificate_key = {a_key}\n")
    for host, has in (("a.test", "a.test"), ("b.test", "b.test"),
                      ("x.a.test", "*.a.test"), ("B.TEST", "b.test")):
        with visit(gh, host) as c:
            assert has in names_of(c)
            assert c.get(host=host).text == {"x": "w"}.get(
                host[0], host[0].lower())


@pytest.mark.parametrize("more, has", [
    ("", "a.test"), ("[site d]\nhosts = *\nrespond = 200 d\ncertificate = {b}\n"
                     "certificate_key = {b_key}\n", "b.test")])
def test_who_names_nobody_sees_the_first_or_the_default(front, ca, more, has):
    gh = front(more=more)
    ctx = ca.context()
    ctx.check_hostname = False
    for name in (None, "nobody.test"):
        with gh.client(tls=ctx, name=name) as c:
            assert has in names_of(c)


def test_a_listen_has_a_certificate_of_its_own(front, ca, visit):
    gh = front(listen="certificate = {b}\ncertificate_key = {b_key}")
    ctx = ca.context()
    ctx.check_hostname = False
    with gh.client(tls=ctx) as c:
        assert names_of(c) == {"b.test"}
    with visit(gh, "a.test") as c:
        assert "a.test" in names_of(c)


def test_two_key_types_side_by_side(front, ca):
    """Each client gets what it can check."""
    rsa = ca.make("a_rsa", "a.test", kind="rsa")
    gh = front(more="[site c.test]\nhosts = c.test\nrespond = 200 c\n"
                    "certificate = {a} {rsa}\ncertificate_key = {a_key} "
                    "{rsa_key}\n",
               names={"rsa": rsa, "rsa_key": rsa.with_suffix(".key")})
    for cipher, kind in (("ECDHE-RSA-AES128-GCM-SHA256", "rsaEncryption"),
                         ("ECDHE-ECDSA-AES128-GCM-SHA256", "id-ecPublicKey")):
        ctx = ca.context(version=V12)
        ctx.check_hostname = False
        ctx.set_ciphers(cipher)
        with gh.client(tls=ctx, name="c.test") as c:
            der = c.sock.getpeercert(binary_form=True)
        text = subprocess.run(
            ["openssl", "x509", "-inform", "der", "-noout", "-text"],
            input=der, capture_output=True, check=True, timeout=WAIT_S).stdout
        assert kind.encode() in text


def test_chain_and_key_in_one_file(front, ca, visit, tmp_path):
    """certificate_key may be left out."""
    both = tmp_path / "both.pem"
    pem = ca.make("c", "c.test")
    both.write_text(pem.read_text() + pem.with_suffix(".key").read_text())
    gh = front(more="[site c.test]\nrespond = 200 c\ncertificate = {both}\n",
               names={"both": both})
    with visit(gh, "c.test") as c:
        assert c.get(host="c.test").text == "c"


def test_an_encrypted_key(front, ca, visit, tmp_path):
    pem = ca.make("c", "c.test")
    key, word = tmp_path / "enc.key", tmp_path / "word"
    word.write_text("open sesame\n")
    subprocess.run(["openssl", "pkey", "-in", pem.with_suffix(".key"), "-aes256",
                    "-passout", f"file:{word}", "-out", key], check=True,
                   timeout=WAIT_S)
    gh = front(more="[site c.test]\nrespond = 200 c\ncertificate = {c}\n"
                    "certificate_key = {key} password=file:{word}\n",
               names={"c": pem, "key": key, "word": word})
    with visit(gh, "c.test") as c:
        assert c.get(host="c.test").text == "c"


def test_only_1_3(front, visit):
    gh = front(tls="min_version = 1.3")
    with visit(gh) as c:
        assert c.sock.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        visit(gh, version=V12)


def test_ciphers_are_chosen_by_the_configuration(front, visit):
    """Names of both generations of suites in one list; the server's order."""
    gh = front(tls="ciphers = TLS_CHACHA20_POLY1305_SHA256:"
                   "ECDHE-ECDSA-AES256-GCM-SHA384")
    for version, name in ((V13, "TLS_CHACHA20_POLY1305_SHA256"),
                          (V12, "ECDHE-ECDSA-AES256-GCM-SHA384")):
        with visit(gh, version=version) as c:
            assert c.sock.cipher()[0] == name


@pytest.mark.parametrize("tls", ["", "ciphers = TLS_AES_128_GCM_SHA256"])
def test_the_default_ciphers_are_strong_ones(front, ca, visit, tls):
    """Mozilla's guideline `intermediate`: no CBC, no RSA key exchange. A list of
    suites of TLS 1.3 leaves those of 1.2 as they are."""
    gh = front(tls=tls)
    with visit(gh, version=V12) as c:
        assert c.sock.cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"
    for cipher in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"):
        ctx = ca.context(version=V12)
        ctx.set_ciphers(cipher + ":@SECLEVEL=0")
        with pytest.raises(ssl.SSLError):
            gh.client(tls=ctx, name="a.test")


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_is_resumed(front, ca, visit, version):
    """One ticket; RFC 8446 2.2, RFC 5077."""
    gh = front(a="respond = 200 {tls_resumed}")
    ctx = ca.context(version=version)
    with visit(gh, ctx=ctx) as c:
        assert c.get(host="a.test").text == "no"
        session = c.sock.session
    with visit(gh, ctx=ctx, session=session) as c:
        assert c.sock.session_reused
        assert c.get(host="a.test").text == "yes"


def test_no_tickets(front, ca, visit):
    gh = front(tls="session_tickets = off")
    ctx = ca.context(version=V12)
    with visit(gh, ctx=ctx) as c:
        assert c.get(host="a.test").status == 200
        session = c.sock.session
    with visit(gh, ctx=ctx, session=session) as c:
        assert not c.sock.session_reused


# --- clients' certificates ---------------------------------------------------

ASKS = """respond = 200 {{tls_client_verify} {{tls_client_subject}
client_ca = {ca}
verify = %s
"""


def asks(how):
    return (ASKS % how).replace("{{", "{")


def test_a_certificate_is_required(front, ca, visit):
    """CONFIG verify = require: nobody without one is served."""
    cert = ca.make("visitor", client=True)
    gh = front(a=asks("require"))
    with visit(gh, cert=cert) as c:
        assert c.get(host="a.test").text == "OK CN=visitor,O=Test"
    for version in (V12, V13):
        with pytest.raises((ssl.SSLError, OSError)):
            with visit(gh, version=version) as c:
                c.get(host="a.test")
    # the other site asks nobody
    with visit(gh, "b.test") as c:
        assert c.get(host="b.test").text == "b"


def test_a_certificate_is_optional(front, ca, visit):
    cert = ca.make("visitor", client=True)
    gh = front(a=asks("optional"))
    with visit(gh, cert=cert) as c:
        assert c.get(host="a.test").text == "OK CN=visitor,O=Test"
    with visit(gh) as c:
        assert c.get(host="a.test").text == "NONE "


def test_a_strangers_certificate_ends_the_handshake(front, ca, visit):
    stranger = Authority("stranger").make("visitor", client=True)
    for how in ("optional", "require"):
        gh = front(a=asks(how))
        with pytest.raises((ssl.SSLError, OSError)):
            with visit(gh, cert=stranger) as c:
                c.get(host="a.test")


def test_a_revoked_certificate(front, ca, visit):
    good = ca.make("visitor", client=True)
    bad = ca.make("revoked", client=True)
    gh = front(a=asks("require") + "crl = {crl}\n",
               names={"crl": ca.crl(bad)})
    with visit(gh, cert=good) as c:
        assert c.get(host="a.test").status == 200
    with pytest.raises((ssl.SSLError, OSError)):
        with visit(gh, cert=bad) as c:
            c.get(host="a.test")


def test_what_is_told_of_a_client(front, ca, visit):
    """Variables for headers, logs, rules."""
    cert = ca.make("visitor", client=True)
    gh = front(a="client_ca = {ca}\nverify = require\nrespond = 200 "
                 "{tls_client_issuer};{tls_client_serial};"
                 "{tls_client_fingerprint}")
    with visit(gh, cert=cert) as c:
        issuer, serial, print_ = c.get(host="a.test").text.split(";")
    said = subprocess.run(
        ["openssl", "x509", "-in", cert, "-noout", "-serial", "-fingerprint",
         "-sha256"], capture_output=True, text=True, check=True,
        timeout=WAIT_S).stdout.replace(":", "").lower()
    assert issuer == "CN=Test ca"
    assert f"serial={serial}\n" in said and f"fingerprint={print_}\n" in said


def test_no_other_sites_handshake_opens_it(front, ca, visit):
    """RFC 9110 7.4: who shook hands with b.test is not let into a.test, nor
    with a session of it."""
    gh = front(a=asks("require"))
    ctx = ca.context(version=V12)
    with visit(gh, "b.test", ctx=ctx) as c:
        assert c.get(host="b.test").status == 200
        assert c.get(host="a.test").status == 421
        session = c.sock.session
    ctx.check_hostname = False
    with pytest.raises((ssl.SSLError, OSError)):
        with visit(gh, "a.test", ctx=ctx, session=session) as c:
            c.get(host="a.test")


def test_nor_does_one_whose_name_begins_alike(front, ca, visit):
    """However long names are the same, sessions are those of one site."""
    one, two = (f"{'x' * 40}-{i}.test" for i in (1, 2))
    ca.make("long", one, two)
    site = "[site %s]\ncertificate = {long}\ncertificate_key = {long_key}\n" \
        "respond = 200 {tls_resumed}\n"
    gh = front(more=site % one + site % two,
               names={"long": ca.dir / "long.pem",
                      "long_key": ca.dir / "long.key"})
    ctx = ca.context(version=V12)
    with visit(gh, one, ctx=ctx) as c:
        c.get(host=one)
        session = c.sock.session
    for host, resumed in ((one, "yes"), (two, "no")):
        with visit(gh, host, ctx=ctx, session=session) as c:
            assert c.get(host=host).text == resumed


def test_without_tls_a_site_that_insists_is_closed(front):
    gh = front(a=asks("require"), ports=2,
               more="[listen plain]\naddress = 127.0.0.1:{port1}\n")
    with gh.client(gh.ports[1]) as c:
        assert c.get(host="a.test").status == 403
        assert c.get(host="b.test").status == 200
    log = gh.dir / "access.log"
    until(lambda: "403 certificate_needed" in log.read_text())


# --- what is no handshake ------------------------------------------------------

@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", b"\0" * 100, b"\x16\x03\x01",
    b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\x15\x03\x01\0\2\2\0",
    b"\x16\x03\x01\0\5\1\0\0\1\0",
], ids=["http", "zeros", "short", "long", "alert", "hello"])
def test_garbage_ends_the_connection(front, visit, data):
    """And nobody else notices."""
    gh = front(listen="header_timeout = 300ms")
    with visit(gh) as other:
        assert other.get(host="a.test").status == 200
        with socket.create_connection(("127.0.0.1", gh.port), WAIT_S) as s:
            try:
                s.sendall(data)
                while s.recv(4096):
                    pass
            except OSError:
                pass
        assert other.get(host="a.test").status == 200


def test_a_half_handshake_is_not_waited_for(front):
    """header_timeout holds for it."""
    gh = front(listen="header_timeout = 100ms")
    with socket.create_connection(("127.0.0.1", gh.port), WAIT_S) as s:
        assert s.recv(1) == b""


def test_renegotiation_is_refused(front, ca):
    """RFC 5246 7.4.1.1: not with us; the connection stays usable or ends."""
    gh = front()
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{gh.port}", "-tls1_2",
         "-servername", "a.test", "-CAfile", ca.pem],
        input=b"R\n", capture_output=True, check=False, timeout=WAIT_S)
    assert b"no renegotiation" in done.stderr or b"RENEGOTIATING" in \
        done.stdout + done.stderr
    with gh.client(tls=ca.context(), name="a.test") as c:
        assert c.get(host="a.test").status == 200


# --- mistakes in the configuration ----------------------------------------------

def refused(tmp_path, ca, site, head=""):
    path = tmp_path / "x.ini"
    path.write_text("[listen x]\naddress = 127.0.0.1:1\ntls = on\n" + head +
                    f"[site a.test]\nrespond = 200 a\n{site}")
    done = run("-t", "-c", path)
    assert done.returncode == 1
    assert "x.ini:" in done.stderr
    return done.stderr


def test_mistakes_are_told_by_line(tmp_path, ca):
    a, b = ca.dir / "a", ca.dir / "b"
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    rows = [
        ("", "has a certificate"),
        (f"certificate = {a}.pem\n", "there is no private key in"),
        (f"certificate = {a}.pem\ncertificate_key = {b}.key\n",
         "is not that of the first certificate"),
        (f"certificate = {a}.pem {b}.pem\n"
         f"certificate_key = {a}.key {b}.key\n",
         f"the certificate {b}.pem has the same type of key"),
        (f"certificate = {a}.gone\n", "cannot be opened"),
        (f"certificate = {a}.pem\ncertificate_key = {a}.gone\n",
         "cannot be opened"),
        (f"certificate = {empty}\n", "there is no certificate in"),
        (f"certificate = {a}.pem\ncertificate_key = {a}.key {b}.key\n",
         "2 keys for 1 certificates"),
        (f"certificate = {a}.pem\ncertificate_key = password=file:{a}.key\n",
         "behind the key"),
        (f"certificate = {a}.pem\ncertificate_key = {a}.key\nverify = require\n",
         "verify needs client_ca"),
        (f"certificate = {a}.pem\ncertificate_key = {a}.key\nverify = require\n"
         f"client_ca = {empty}\n", "authorities cannot be read"),
        (f"client_ca = {ca.pem}\nverify = require\n",
         "verify needs a certificate"),
        (f"certificate = {a}.pem\ncertificate_key = {a}.key\n"
         "[tls]\nciphers = NO-SUCH\n", "no such cipher suite 'NO-SUCH'"),
    ]
    for site, said in rows:
        assert said in refused(tmp_path, ca, site), site


def warned(tmp_path, ca, site, head=""):
    """What the check says of a configuration that is valid."""
    path = tmp_path / "w.ini"
    path.write_text("[listen x]\naddress = 127.0.0.1:1\ntls = on\n" + head +
                    f"[site a.test]\nrespond = 200 a\n"
                    f"certificate = {ca.dir}/a.pem\n"
                    f"certificate_key = {ca.dir}/a.key\n{site}")
    done = run("-t", "-c", path)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_authorities_without_verify_are_noticed(tmp_path, ca):
    trust = f"client_ca = {ca.pem}\n"
    said = "clients are not asked for a certificate"
    assert f"w.ini:8:13: warning: {said}" in warned(tmp_path, ca, trust)
    for how in ("off", "optional", "require"):
        assert said not in warned(tmp_path, ca, f"{trust}verify = {how}\n")
    assert said not in warned(tmp_path, ca, "", head=f"[defaults]\n{trust}")


@pytest.mark.parametrize("site, is_told", [
    ("", True), ("verify = off\n", False),
    ("client_ca = {ca.pem}\nverify = optional\n", False)])
def test_a_listen_that_asks_for_certificates_is_passed_by(tmp_path, ca, site,
                                                          is_told):
    """auth.md: `verify` of the site holds, of the listen for sites without a
    certificate."""
    listen = (f"certificate = {ca.dir}/a.pem\ncertificate_key = {ca.dir}/a.key\n"
              f"client_ca = {ca.pem}\nverify = require\n")
    said = warned(tmp_path, ca, site.replace("{ca.pem}", str(ca.pem)), listen)
    assert ("clients of [site a.test] are not asked for a certificate" in said) \
        is is_told, said


def test_a_revocation_list_that_has_ended_is_noticed(tmp_path, ca):
    site = f"client_ca = {ca.pem}\nverify = require\ncrl = %s\n"
    assert "revocation" not in warned(tmp_path, ca, site % ca.crl())
    old = ca.crl(ends="20210101000000Z")
    assert "w.ini:10:7: warning: the revocation list " \
        f"{old} has ended at 2021-01-01T00:00:00.000Z" \
        in warned(tmp_path, ca, site % old)


@pytest.fixture(params=["pkcs8", "traditional"])
def locked(request, tmp_path, ca):
    """An encrypted key of a.test, in each form that PEM has for it."""
    key = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", ca.dir / "a.key", "-aes256",
                    "-passout", "pass:sesame", "-out", key,
                    *(["-traditional"] * (request.param == "traditional"))],
                   check=True, timeout=WAIT_S)
    return key


def test_what_is_wrong_with_a_locked_key(tmp_path, ca, locked):
    wrong = tmp_path / "wrong"
    wrong.write_text("open\n")
    site = f"certificate = {ca.dir / 'a'}.pem\ncertificate_key = {locked}"
    for more, said in (
            ("", "x.ini:7:19: error: the key .* is encrypted: add password="),
            (f" password=file:{wrong}", "x.ini:7:19: .*does not open the key"),
            (" password=sesame", "x.ini:7:.*stands in a file: password=file:")):
        assert re.search(said, refused(tmp_path, ca, site + more + "\n")), more


def test_mistakes_are_told_where_they_stand(tmp_path, ca):
    """The line of what is wrong: of a key, a list of revoked ones, of suites;
    and once, however many sites there are."""
    a, b = ca.dir / "a", ca.dir / "b"
    pair = f"certificate = {a}.pem\ncertificate_key = {a}.key\n"
    lists = (f"client_ca = {ca.pem}\nverify = require\ncrl = {a}.pem\n")
    more = f"[site b.test]\nrespond = 200 b\n{pair}[tls]\nciphers = "
    good = "ECDHE-ECDSA-AES128-GCM-SHA256"
    for site, said in (
            (f"certificate = {a}.pem\ncertificate_key = {b}.key\n",
             "7:19: error: the key "),
            (pair + lists, "10:7: error: a revocation list"),
            (pair + more + f"{good}:ECDHE-NONE", "13:11: .* 'ECDHE-NONE'"),
            (pair + more + f"TLS_NONE:{good}", "13:11: .* 'TLS_NONE'"),
            (pair + more + f"{good}:", "13:11: .* ''"),
            (pair + more + "@SECLEVEL=9", "13:11: .* are left by ")):
        err = refused(tmp_path, ca, site)
        assert re.search(f"x.ini:{said}", err) and "\n1 error" in err, err


def test_a_list_may_take_out_what_is_not_there(front, visit):
    gh = front(tls="ciphers = HIGH:!aNULL:!RC4:!EXPORT")
    with visit(gh, version=V12) as c:
        assert c.get(host="a.test").status == 200
