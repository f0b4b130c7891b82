"""`ocsp_stapling = on`: OCSP responses come from the responder that a certificate
names (RFC 6960 A.1) and reach all workers; no answer of a responder but a good
one is stapled, and a good one no longer than it says."""
import re
import threading

import pytest

from lib import admin, ocsp
from lib.certs import Authority, openssl
from lib.dns import Dns
from lib.gatehouse import run
from lib.origin import Origin, ok
from lib.procs import meet_workers, until
from lib.stapled import (LIMIT_S, Held, await_state, chain, naming, staple,
                         state)

INI = """
[global]
workers = %(workers)s
log_level = info
%(more)s
[listen x]
address = 127.0.0.1:{port}
tls = on
[tls]
ocsp_stapling = %(on)s
[site a.test]
certificate = %(chain)s
certificate_key = %(key)s
respond = 200 worker={worker};
""" + admin.SECTION


@pytest.fixture(scope="module")
def ca():
    made = Authority("fetched")
    made.make("other", "a.test")
    return made


class Responder(Origin):
    """Says `.reply`: the DER of a response, all bytes of an answer, or a script
    like an origin's."""

    def __init__(self):
        self.reply = b""
        super().__init__(self.serve)

    def serve(self, conn, request):
        reply = self.reply
        if callable(reply):
            return reply(conn, request)
        if reply.startswith(b"HTTP/"):
            conn.send(reply)
            return False
        conn.send(ok(reply, b"Content-Type: application/ocsp-response\r\n"))
        return True


@pytest.fixture
def responder():
    made = Responder()
    yield made
    made.close()


@pytest.fixture
def leaf(ca, responder):
    """A certificate of its own, whose responder it is."""
    return naming(ca, f"leaf{responder.port}",
                  f"http://127.0.0.1:{responder.port}/ocsp?of=it")


def ini(ca, pem, *, workers=1, on="on", more="", tail="", issuer=True):
    shown = chain(ca, pem.stem) if issuer else pem
    return INI % {"workers": workers, "on": on, "more": more,
                  "chain": f"{shown} {tail}", "key": pem.with_suffix(".key")}


@pytest.fixture
def start(gatehouse, ca, leaf):
    def make(pem=leaf, **kwargs):
        return gatehouse(ini(ca, pem, **kwargs))
    return make


# --- a good one ----------------------------------------------------------------

def test_from_a_responder_by_name(gatehouse, ca, responder):
    """`openssl ocsp` answers what was asked, a name server says where."""
    pem = naming(ca, "named", f"http://responder.test:{responder.port}")
    responder.reply = lambda conn, request: conn.send(ok(
        ocsp.reply_to(ca, request.body, pem)))
    dns = Dns({"responder.test": ["127.0.0.1"]})
    try:
        gh = gatehouse(ini(ca, pem, more=f"dns_servers = {dns.address}"))
        await_state(gh, "good")
        said = staple(gh, ca)
        assert "Cert Status: good" in said
        assert f"Serial Number: {ocsp.serial(pem)}" in said
        asked, = responder.requests
        assert asked.target == "/"
        assert asked.get("Host") == f"responder.test:{responder.port}"
    finally:
        dns.close()


def test_what_is_asked(start, ca, responder, leaf, tmp_path):
    """POST of a request about this certificate, without a nonce (RFC 5019
    2.1)."""
    responder.reply = ocsp.respond(ca, leaf)
    await_state(start(), "good")
    asked, = responder.requests
    assert asked.method == "POST" and asked.target == "/ocsp?of=it"
    assert asked.get("Host") == f"127.0.0.1:{responder.port}"
    assert asked.get("Content-Type") == "application/ocsp-request"
    (tmp_path / "asked.der").write_bytes(asked.body)
    text = openssl("ocsp", "-reqin", tmp_path / "asked.der", "-req_text")
    assert f"Serial Number: {ocsp.serial(leaf)}" in text
    assert "Nonce" not in text
    assert not responder.errors


def test_every_worker_staples_it(start, ca, responder, leaf):
    responder.reply = ocsp.respond(ca, leaf)
    gh = start(workers=2)
    await_state(gh, "good")

    def visit():
        held = Held(gh, ca)
        assert held.is_stapled
        return held.worker, held
    for _, held in meet_workers(visit):
        held.close()
    # one process asked, once
    assert len(responder.requests) == 1
    counted = admin.status(gh)["counters"]
    assert counted["ocsp_fetches_total"] == 1
    assert counted["tls_stapled_total"] == counted["tls_handshakes_total"] >= 2


def test_what_status_says(start, ca, responder, leaf):
    responder.reply = lambda conn, request: False
    gh = start()
    until(lambda: "problem" in state(gh))
    said = state(gh)
    assert said["state"] == "waiting" and said["next_update"] is None
    assert said["staple"] == "fetch" and said["file"] == str(
        chain(ca, leaf.stem))
    print_of = openssl("x509", "-in", leaf, "-noout", "-fingerprint",
                       "-sha256").split("=")[1].strip()
    assert said["fingerprint"] == print_of.replace(":", "").lower()
    responder.reply = ocsp.respond(ca, leaf)
    await_state(gh, "good")
    said = state(gh)
    assert re.fullmatch(r"\d{4}-.*Z", said["next_update"])
    assert "problem" not in said
    shown = admin.cli(gh).stdout
    assert re.search(rf"(?m)^fetch +good +{said['next_update']} +"
                     rf"{said['file']}$", shown)


def test_a_reload_keeps_it(start, ca, responder, leaf):
    responder.reply = ocsp.respond(ca, leaf)
    gh = start()
    await_state(gh, "good")
    responder.close()
    before = gh.workers()
    gh.reload()
    until(lambda: not set(gh.workers()) & set(before))
    assert "Cert Status: good" in staple(gh, ca)
    assert state(gh)["state"] == "good"


def test_on_and_off_by_reload(start, ca, responder, leaf):
    responder.reply = ocsp.respond(ca, leaf)
    gh = start(on="off")
    assert state(gh) == {"file": str(chain(ca, leaf.stem)), "staple": "none",
                         "fingerprint": state(gh)["fingerprint"],
                         "names": state(gh)["names"],
                         "ends": state(gh)["ends"],
                         "state": "none", "next_update": None}
    assert staple(gh, ca) is None
    gh.reload(ini(ca, leaf))
    await_state(gh, "good")
    until(lambda: staple(gh, ca))
    gh.reload(ini(ca, leaf, on="off"))
    until(lambda: staple(gh, ca) is None)
    until(lambda: state(gh)["staple"] == "none")


def test_a_file_is_not_fetched(start, ca, responder, leaf):
    file = ca.dir / f"{leaf.stem}.ocsp"
    file.write_bytes(ocsp.respond(ca, leaf))
    file.chmod(0o644)
    gh = start(tail=f"ocsp=file:{file}")
    assert staple(gh, ca)
    said = state(gh)
    assert said["staple"] == "file" and said["state"] == "good"
    assert said["next_update"]
    assert not responder.requests


# --- time ----------------------------------------------------------------------

def test_it_is_replaced_at_half_of_its_time(start, ca, responder, leaf):
    """12 s, then a day."""
    responder.reply = ocsp.respond(ca, leaf, since=-1, until=11)
    gh = start()
    await_state(gh, "good")
    first = state(gh)["next_update"]
    responder.reply = ocsp.respond(ca, leaf)
    until(lambda: state(gh)["next_update"] != first)
    assert len(responder.requests) == 2
    (ca.dir / "fetched.der").write_bytes(responder.reply)
    assert ocsp.show(ca.dir / "fetched.der") in staple(gh, ca)


@pytest.mark.heavy
def test_a_responder_that_is_down_ends_it_at_its_end_only(
        start, ca, responder, leaf):
    responder.reply = ocsp.respond(ca, leaf, since=-1, until=12)
    gh = start()
    await_state(gh, "good")
    responder.close()
    until(lambda: "problem" in state(gh))
    said = state(gh)
    # a slow machine may see the end only
    if said["state"] == "good":
        assert said["next_update"]
    until(lambda: state(gh)["state"] == "expired")
    assert staple(gh, ca) is None
    assert state(gh)["next_update"] is None


def test_one_that_says_nothing_of_use_keeps_the_old_one(
        start, ca, responder, leaf):
    responder.reply = ocsp.respond(ca, leaf, since=-3600, until=3605)
    gh = start()
    await_state(gh, "good")
    responder.reply = b"garbage"
    until(lambda: "problem" in state(gh))
    assert state(gh)["state"] == "good"
    assert "Cert Status: good" in staple(gh, ca)


def test_a_revoked_certificate_is_told_and_not_stapled(
        start, ca, responder, leaf):
    """Not the old answer either."""
    responder.reply = ocsp.respond(ca, leaf, since=-3600, until=3605)
    gh = start()
    await_state(gh, "good")
    responder.reply = ocsp.respond(ca, leaf, revoked=True)
    await_state(gh, "revoked")
    assert staple(gh, ca) is None
    line, = [line for line in gh.stderr().splitlines()
             if "certificate is revoked" in line]
    assert "level=error" in line or " error " in line, line
    assert str(chain(ca, leaf.stem)) in line


# --- responders that are hostile -------------------------------------------------

def drip(conn, _):
    """Never done, one byte at a time, until it is cut."""
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
    pause = threading.Event()
    try:
        while not pause.wait(0.5):
            conn.send(b"0")
    except OSError:
        return False


def endless(conn, _):
    try:
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            conn.send(b"10000\r\n" + bytes(65536) + b"\r\n")
    except OSError:
        return False


HOSTILE = {
    "garbage": (lambda ca, pem: bytes(range(256)), "is not one, or"),
    "nothing": (lambda ca, pem: b"", "is not one, or"),
    "no HTTP": (lambda ca, pem: lambda conn, _: conn.send(
        b"\x00\x01\x02\r\n\r\n"), ""),
    "a cut answer": (lambda ca, pem: b"HTTP/1.1 200 OK\r\n"
                     b"Content-Length: 500\r\n\r\n0", ""),
    "too long": (lambda ca, pem: bytes(8129), ""),
    "endless": (lambda ca, pem: endless, ""),
    "slow": (lambda ca, pem: drip, ""),
    "404": (lambda ca, pem: b"HTTP/1.1 404 Not Found\r\n"
            b"Content-Length: 0\r\n\r\n", "is not 200"),
    "another serial": (lambda ca, pem: ocsp.respond(
        ca, pem, about=ca.dir / "other.pem"), "about another certificate"),
    "a bad signature": (lambda ca, pem: ocsp.spoil(ocsp.respond(ca, pem)),
                        "is not signed for"),
    "another signer": (lambda ca, pem: ocsp.respond(
        ca, pem, signer=(ca.dir / "other.pem", ca.dir / "other.key")),
        "is not signed for"),
    "a refusal": (lambda ca, pem: bytes.fromhex("30030a0103"), "refusal"),
    "expired": (lambda ca, pem: ocsp.respond(ca, pem, since=-200, until=-100),
                "has expired"),
    "of tomorrow": (lambda ca, pem: ocsp.respond(
        ca, pem, since=7200, until=8000), "is not valid yet"),
    "without an end": (lambda ca, pem: ocsp.respond(ca, pem, days=None), ""),
    "unknown": (lambda ca, pem: ocsp.respond(ca, pem, known=False),
                "does not know the certificate"),
}


@pytest.mark.parametrize("make, why", HOSTILE.values(), ids=HOSTILE)
def test_nothing_of_it_is_stapled(start, ca, responder, leaf, make, why):
    """One line of the log for each attempt, and the next one comes later."""
    responder.reply = make(ca, leaf)
    gh = start()
    until(lambda: "problem" in state(gh))
    said = state(gh)
    assert why in said["problem"] and said["state"] == "waiting"
    assert staple(gh, ca) is None
    assert f'ocsp response not fetched certificate="{chain(ca, leaf.stem)}" ' \
        f'responder="http://127.0.0.1:{responder.port}/ocsp?of=it" ' \
        f'why="{said["problem"]}" again_s=4' in gh.stderr()


def test_a_redirection_is_not_followed(start, ca, responder, leaf, origin):
    other = origin(lambda conn, request: conn.send(ok(
        ocsp.respond(ca, leaf))))
    responder.reply = (b"HTTP/1.1 302 Found\r\nLocation: http://%s/\r\n"
                       b"Content-Length: 0\r\n\r\n" % other.address.encode())
    gh = start()
    until(lambda: "is not 200" in state(gh).get("problem", ""))
    assert staple(gh, ca) is None and not other.requests


@pytest.mark.heavy
def test_it_is_asked_again(start, ca, responder, leaf):
    """Twice as late after each failure."""
    responder.reply = b"garbage"
    gh = start()
    until(lambda: len(responder.requests) >= 2)
    until(lambda: "again_s=8" in gh.stderr())
    assert admin.status(gh)["counters"]["ocsp_fetch_failures_total"] >= 2
    responder.reply = ocsp.respond(ca, leaf)
    await_state(gh, "good")
    assert "Cert Status: good" in staple(gh, ca)


def test_a_name_that_nobody_knows(gatehouse, ca):
    pem = naming(ca, "lost", "http://nobody.test:1/")
    dns = Dns({})
    try:
        gh = gatehouse(ini(ca, pem, more=f"dns_servers = {dns.address}"))
        until(lambda: "has no address" in state(gh).get("problem", ""))
    finally:
        dns.close()


def test_other_name_servers_by_reload(gatehouse, ca, responder):
    """The steward lives on; who waits for an answer asks the new ones."""
    pem = naming(ca, "moved", f"http://moved.test:{responder.port}/")
    responder.reply = ocsp.respond(ca, pem)
    silent = Dns(script=lambda query: None)
    dns = Dns({"moved.test": ["127.0.0.1"]})
    try:
        gh = gatehouse(ini(ca, pem, more=f"dns_servers = {silent.address}"))
        until(lambda: silent.asked)
        steward = admin.steward(gh)
        gh.reload(ini(ca, pem, more=f"dns_servers = {dns.address}"))
        await_state(gh, "good")
        assert admin.steward(gh) == steward
    finally:
        silent.close()
        dns.close()


# --- what is said when the configuration is read -----------------------------------

def told(tmp_path, text):
    path = tmp_path / "x.ini"
    path.write_text(text.replace("{port}", "1").replace("{dir}", str(tmp_path)
                                                        ))
    done = run("-t", "-c", path, timeout=LIMIT_S)
    return done.returncode, [
        line for line in (done.stderr + done.stdout).splitlines()
        if "error:" in line or "warning:" in line]


def test_one_that_names_no_responder(ca, tmp_path):
    code, (line,) = told(tmp_path, ini(ca, ca.dir / "other.pem"))
    assert code == 0 and "x.ini:12:15: warning: " in line
    assert "names no OCSP responder with http://" in line


def test_one_whose_chain_lacks_the_issuer(ca, leaf, tmp_path):
    code, (line,) = told(tmp_path, ini(ca, leaf, issuer=False))
    assert code == 0 and "x.ini:12:15: warning: " in line
    assert "append the issuer's certificate" in line


def test_no_room(start, ca, leaf):
    """A reload that cannot have it is refused, and says what to do."""
    gh = start(on="off", more="shared_memory = 4m")
    gh.write(ini(ca, leaf, more="shared_memory = 4m"))
    assert admin.post(gh, "reload")[0] == 422
    assert "what is fetched does not fit: raise shared_memory" in gh.stderr()
