"""OCSP responses are stapled to the certificate that they are about, to clients
that ask for it, while they are valid (RFC 6066 8, RFC 8446 4.4.2.1, RFC
6960)."""
import os
import re
import time

import pytest

from lib import ocsp
from lib.certs import Authority
from lib.gatehouse import run
from lib.procs import until
from lib.stapled import chain, staple

INI = """
[global]
workers = %(workers)s
[listen x]
address = 127.0.0.1:{port}
tls = on
[tls]
%(tls)s
[site a.test]
certificate = %(chain)s
certificate_key = %(key)s
respond = 200 a
"""


@pytest.fixture(scope="module")
def ca():
    """One of its own: its database says who is revoked."""
    made = Authority("stapled")
    made.make("a", "a.test")
    made.make("b", "b.test")
    return made


def shown(ca):
    return chain(ca, "a")


def replace(path, data):
    """At once, as a tool that fetches should."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(0o644)
    os.replace(new, path)


@pytest.fixture
def start(gatehouse, ca, tmp_path):
    """start(der): a gatehouse that staples it; .file is where it stands."""
    def make(der, *, tls="", workers=1, name="a"):
        # the folder of the authority is open to any user
        file = ca.dir / f"{tmp_path.name}.ocsp"
        replace(file, der)
        gh = gatehouse(INI % {
            "workers": workers, "tls": tls, "key": ca.dir / f"{name}.key",
            "chain": f"{chain(ca, name)} ocsp=file:{file}"})
        gh.file = file
        return gh
    return make


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_file_is_stapled(start, ca, version):
    gh = start(ocsp.respond(ca, ca.dir / "a.pem"))
    said = staple(gh, ca, version)
    assert "Cert Status: good" in said
    # to who asks only
    assert staple(gh, ca, version, status=False) is None
    assert "warning" not in gh.stderr()


def test_what_is_stapled_is_what_stood_in_the_file(start, ca):
    der = ocsp.respond(ca, ca.dir / "a.pem")
    said = staple(start(der), ca)
    (ca.dir / "same.der").write_bytes(der)
    text = ocsp.show(ca.dir / "same.der")
    assert "Cert Status: good" in text and text in said


def test_each_key_type_has_its_own(gatehouse, ca):
    """RSA and ECDSA side by side; one that has none gets none."""
    rsa = ca.make("rsa", "a.test", kind="rsa")
    files = []
    for name in ("a", "rsa"):
        files.append(ca.dir / f"{name}.ocsp")
        replace(files[-1], ocsp.respond(ca, ca.dir / f"{name}.pem"))
    ini = INI % {
        "workers": 1, "tls": "", "key": f"{ca.dir}/a.key {ca.dir}/rsa.key",
        "chain": f"{shown(ca)} ocsp=file:{files[0]} {chain(ca, 'rsa')} %s"}
    gh = gatehouse(ini % f"ocsp=file:{files[1]}")
    ec = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    only_rsa = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]
    assert f"Serial Number: {ocsp.serial(ca.dir / 'a.pem')}" in \
        staple(gh, ca, *ec)
    assert f"Serial Number: {ocsp.serial(rsa)}" in staple(gh, ca, *only_rsa)
    gh = gatehouse(ini % "")
    assert staple(gh, ca, *ec)
    assert staple(gh, ca, *only_rsa) is None


def test_a_delegated_signer(start, ca):
    """RFC 6960 4.2.2.2."""
    who = ca.make("signer", usage="OCSPSigning")
    der = ocsp.respond(ca, ca.dir / "a.pem",
                       signer=(who, who.with_suffix(".key")))
    assert "Cert Status: good" in staple(start(der), ca)


# --- files that are not as they should be --------------------------------------

def told(ca, tmp_path, der, *, tail="ocsp=file:{file}", cert=None):
    """The exit status of -t and its lines, for a site with this response."""
    file = tmp_path / "x.ocsp"
    if der is not None:
        file.write_bytes(der)
    ini = tmp_path / "x.ini"
    ini.write_text((INI % {
        "workers": 1, "tls": "", "key": ca.dir / "a.key",
        "chain": f"{cert or shown(ca)} {tail.format(file=file)}"}).replace(
            "{port}", "1"))
    done = run("-t", "-c", ini)
    at = f"{ini}:10:{len(f'certificate = {cert or shown(ca)} ') + 1}: "
    return done.returncode, at, [
        line for line in (done.stderr + done.stdout).splitlines()
        if "error:" in line or "warning:" in line]


def stranger():
    """An authority of the same name, with another key."""
    made = Authority("stapled")
    made.serial = 0
    made.make("a", "a.test")
    return made


def plain(**kwargs):
    return lambda ca: ocsp.respond(ca, ca.dir / "a.pem", **kwargs)


def by_a_leaf(ca):
    """A certificate of the same authority, but not for signing answers."""
    return ocsp.respond(ca, ca.dir / "a.pem",
                        signer=(ca.dir / "b.pem", ca.dir / "b.key"))


BAD = {
    "missing": (lambda ca: None, "cannot be opened: No such file"),
    "empty": (lambda ca: b"", "is empty: fetch it again"),
    "no DER": (lambda ca: b"nothing of the kind", "is not one, or"),
    "cut": (lambda ca: plain()(ca)[:-1], "is not one, or"),
    "more behind it": (lambda ca: plain()(ca) + b"\0", "is not one, or"),
    "large": (lambda ca: plain()(ca) + bytes(8200), "is over 8128 bytes"),
    "a refusal": (lambda ca: bytes.fromhex("30030a0106"),
                  "is a responder's refusal"),
    "another serial": (lambda ca: ocsp.respond(
        ca, ca.dir / "a.pem", about=ca.dir / "b.pem"),
        "is about another certificate"),
    "another issuer": (lambda ca: ocsp.respond(
        (other := stranger()), other.dir / "a.pem"),
        "is about another certificate"),
    "a bad signature": (lambda ca: ocsp.spoil(plain()(ca)),
                        "is not signed for the certificate's issuer"),
    "a signer without the right": (by_a_leaf, "is not signed for"),
    "no end": (plain(days=None), "is not one, or"),
}
TIME = {
    "expired": (plain(since=-7200, until=-3600),
                "has expired at .*Z and is not stapled: fetch it again"),
    "not yet valid": (plain(since=3600, until=7200),
                      "is not valid yet and is stapled from .*Z on"),
    "revoked": (plain(revoked=True),
                "is revoked and is not stapled: get another certificate"),
    "unknown": (plain(known=False), "does not know the certificate and"),
}


@pytest.mark.parametrize("make, words", BAD.values(), ids=BAD)
def test_a_wrong_file_is_one_error(ca, tmp_path, make, words):
    code, at, lines = told(ca, tmp_path, make(ca))
    assert code == 1
    assert len(lines) == 1 and lines[0].startswith(at + "error: "), lines
    assert words in lines[0]


@pytest.mark.parametrize("make, words", TIME.values(), ids=TIME)
def test_what_time_brings_is_one_warning(ca, tmp_path, make, words):
    """It keeps nobody from starting."""
    code, at, lines = told(ca, tmp_path, make(ca))
    assert code == 0
    assert len(lines) == 1 and lines[0].startswith(at + "warning: "), lines
    assert re.search(words, lines[0])


def test_a_chain_without_the_issuer(ca, tmp_path):
    code, at, lines = told(ca, tmp_path, plain()(ca), cert=ca.dir / "a.pem")
    assert code == 1 and len(lines) == 1 and lines[0].startswith(at)
    assert "append its certificate to" in lines[0]


def test_a_file_that_nobody_may_read(ca, tmp_path):
    """A folder, so that root is told, too."""
    code, _, lines = told(ca, tmp_path, None, tail=f"ocsp=file:{tmp_path}")
    assert code == 1 and len(lines) == 1
    assert "cannot be read: Is a directory" in lines[0]


def test_one_behind_a_certificate(ca, tmp_path):
    code, _, lines = told(ca, tmp_path, plain()(ca),
                          tail="ocsp=file:{file} ocsp=file:{file}")
    assert code == 1 and "has one already" in lines[0]


def test_none_in_front(ca, tmp_path):
    file = tmp_path / "x.ocsp"
    code, _, lines = told(ca, tmp_path, plain()(ca),
                          cert=f"ocsp=file:{file}", tail=str(shown(ca)))
    assert code == 1 and "stands behind its certificate" in lines[0]


def test_must_staple_without_a_staple_is_warned_of(ca, tmp_path):
    """RFC 7633."""
    ca.make("must", "a.test", more=["tlsfeature=status_request"])
    told_of = chain(ca, "must")
    key = (ca.dir / "a.key").read_bytes()
    try:
        (ca.dir / "a.key").write_bytes((ca.dir / "must.key").read_bytes())
        code, _, lines = told(ca, tmp_path, None, cert=told_of, tail="")
        assert code == 0 and len(lines) == 1, lines
        assert "warning: " in lines[0] and "x.ini:10:" in lines[0]
        assert "add ocsp=file:PATH behind it" in lines[0]
        code, _, lines = told(
            ca, tmp_path, ocsp.respond(ca, ca.dir / "must.pem"), cert=told_of)
        assert code == 0 and not lines
    finally:
        (ca.dir / "a.key").write_bytes(key)


# --- while it runs -------------------------------------------------------------

def test_a_changed_file_is_picked_up(start, ca):
    gh = start(plain()(ca), tls="certificate_watch = 100ms")
    assert staple(gh, ca)
    later = plain(until=7200)(ca)
    replace(gh.file, later)
    (ca.dir / "later.der").write_bytes(later)
    text = ocsp.show(ca.dir / "later.der")
    until(lambda: text in staple(gh, ca), pause=0.1)
    assert f'certificate file changed path="{gh.file}"' in gh.stderr()


def test_a_wrong_file_leaves_the_old_one_stapled(start, ca):
    gh = start(plain()(ca), tls="certificate_watch = 100ms")
    replace(gh.file, b"nothing")
    until(lambda: "was left as it is" in gh.stderr())
    assert "Cert Status: good" in staple(gh, ca)


def test_it_is_not_stapled_once_its_time_is_over(start, ca):
    """By the clock of the handshake, without any reload."""
    ends = time.time() + 6
    gh = start(plain(until=6)(ca))
    first = staple(gh, ca)
    # a slow machine may have been too slow to see it
    assert first or time.time() > ends - 1
    until(lambda: staple(gh, ca) is None, pause=0.1)
    assert time.time() > ends - 1


@pytest.mark.parametrize("make", [
    plain(since=-7200, until=-3600), plain(since=3600, until=7200),
    plain(revoked=True), plain(known=False)])
def test_what_is_warned_of_is_not_stapled(start, ca, make):
    gh = start(make(ca))
    assert staple(gh, ca) is None
    assert "warn" in gh.stderr()


def test_it_becomes_valid_by_itself(start, ca):
    """One of tomorrow is stapled tomorrow: five minutes earlier, as clocks
    differ."""
    gh = start(plain(since=305, until=7200)(ca))
    until(lambda: staple(gh, ca), pause=0.1)
