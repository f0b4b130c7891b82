"""A TLS session goes on wherever the client comes back: on another worker, in
another generation, behind another master (CONFIG [tls] session_tickets,
ticket_rotation; RFC 8446 4.6.1, RFC 5077)."""
import signal
import ssl
import subprocess

import pytest

from lib.certs import Authority
from lib.procs import (end_masters, kill_and_wait, meet_workers, until,
                       wait_gone)

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
ROTATION_S = 120
INI = """
[global]
workers = 2
log_level = info
pid_file = {dir}/pid
shutdown_timeout = 5s
[tls]
%(tls)s
[listen x]
address = 127.0.0.1:{port}
tls = on
[site a.test]
certificate = {pem}
certificate_key = {key}
respond = 200 {worker} {tls_resumed}
%(site)s
"""


def ini(tls="", site=""):
    return INI % {"tls": tls, "site": site}


@pytest.fixture(scope="module")
def ca():
    made = Authority()
    made.make("a", "a.test")
    return made


@pytest.fixture
def start(gatehouse, ca):
    pem = ca.dir / "a.pem"
    masters = []

    def make(text=None):
        gh = gatehouse(text or ini(), pem=pem, key=pem.with_suffix(".key"),
                       ca=ca.pem, dirca=ca.dir)
        gh.masters = masters
        return gh

    yield make
    end_masters(masters)


class Visitor:
    """One client with its newest session; a session belongs to a context."""

    def __init__(self, ca, version, **kwargs):
        self.ctx = ca.context(version=version, **kwargs)
        self.session = None

    def open(self, gh):
        """(number of the worker, whether it was resumed, the connection)."""
        c = gh.client(tls=self.ctx, name="a.test", session=self.session)
        worker, resumed = c.get(host="a.test").text.split()
        assert c.sock.session_reused == (resumed == "yes"), resumed
        self.session = c.sock.session
        return int(worker), resumed == "yes", c

    def visit(self, gh):
        """(number of the worker, whether it was resumed)."""
        worker, is_resumed, c = self.open(gh)
        c.close()
        return worker, is_resumed

    def visit_all(self, gh):
        """Until two workers were met, each time with the session of the one
        before; whether it was resumed each time."""
        answers = []

        def visit():
            worker, is_resumed, c = self.open(gh)
            answers.append(is_resumed)
            return worker, c
        for _, c in meet_workers(visit):
            c.close()
        return all(answers)


@pytest.mark.parametrize("version", [V12, V13])
def test_on_every_worker_and_after_a_reload_and_an_upgrade(start, ca, version):
    gh = start()
    client = Visitor(ca, version)
    assert not client.visit(gh)[1]
    assert client.visit_all(gh)
    gh.reload()
    assert client.visit_all(gh)
    old = gh.process.pid
    gh.send_signal(signal.SIGUSR2)
    pid_file = gh.dir / "pid"
    until(lambda: int(pid_file.read_text()) != old, what="a new master")
    gh.masters.append(int(pid_file.read_text()))
    wait_gone(old)
    assert client.visit_all(gh)


def test_dead_workers_and_a_dead_steward_change_nothing(start, ca):
    gh = start()
    client = Visitor(ca, V13)
    assert not client.visit(gh)[1]
    steward, = gh.children("(health)")
    before = gh.workers()
    for pid in (steward, *before):
        kill_and_wait(pid)
    until(lambda: gh.children("(health)") and len(gh.workers()) == 2 and
          not set(gh.workers()) & set(before), what="all are replaced")
    assert client.visit_all(gh)


def test_a_new_start_has_other_keys(start, ca):
    """Nothing of a key stands in a file."""
    client = Visitor(ca, V13)
    assert not client.visit(start())[1]
    gh = start()
    assert not client.visit(gh)[1]
    assert client.visit(gh)[1]


def s_client(gh, ca, folder, *args):
    """What openssl s_client says of a connection with one request; the session
    that it got is in FOLDER/out."""
    out = folder / "out"
    out.unlink(missing_ok=True)
    request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
    text = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{gh.port}",
         "-servername", "a.test", "-CAfile", ca.pem, "-sess_out", out,
         "-ign_eof", *args], input=request, capture_output=True, timeout=60,
        check=True).stdout.decode()
    return text


def key_name(folder):
    """The first 16 bytes of the ticket in FOLDER/out (RFC 5077 4)."""
    text = subprocess.run(
        ["openssl", "sess_id", "-in", folder / "out", "-noout", "-text"],
        capture_output=True, check=True, timeout=20).stdout.decode()
    lines = text.split("TLS session ticket:\n")[1].splitlines()
    return lines[0].split("-", 1)[1].strip()[:48]


@pytest.mark.long
def test_openssl_comes_back_after_a_rotation(start, ca, tmp_path):
    """ticket_rotation: tickets under the key before are good, and renewed."""
    gh = start(ini("ticket_rotation = 1m"))
    until(lambda: "ticket keys added=1" in gh.stderr())
    assert "Reused" not in s_client(gh, ca, tmp_path)
    first = key_name(tmp_path)
    (tmp_path / "out").rename(tmp_path / "first")

    def is_rotated():
        s_client(gh, ca, tmp_path)
        return key_name(tmp_path) != first

    until(is_rotated, timeout=ROTATION_S, what="another key", pause=1)
    second = key_name(tmp_path)
    text = s_client(gh, ca, tmp_path, "-sess_in", tmp_path / "first")
    assert "Reused" in text
    assert key_name(tmp_path) == second


@pytest.mark.long
def test_the_next_key_is_brought_forward_by_a_reload(start):
    """A shorter rotation holds at once; a steward that is new goes on."""
    gh = start()
    until(lambda: "ticket keys added=1" in gh.stderr())
    gh.reload(ini("ticket_rotation = 1m"))
    until(lambda: gh.stderr().count("ticket keys added=1") == 2,
          timeout=ROTATION_S, what="a key behind the one that took over")


def test_other_authorities_are_no_reason_to_believe_a_session(start, ca,
                                                              tmp_path):
    """Who was let in by an authority, or before a list named it, is verified
    anew when a reload takes another one."""
    mine = ca.make("me", client=True, cn="me")
    who = "verify = optional\nclient_ca = {ca}\n%s"
    gh = start(ini(site=who % ""))
    client = Visitor(ca, V13, cert=mine)
    assert not client.visit(gh)[1]
    assert client.visit(gh)[1]
    gh.reload()
    assert client.visit(gh)[1]
    crl = ca.crl()
    gh.reload(ini(site=who % f"crl = {crl}"))
    assert not client.visit(gh)[1]
    other = Authority("other")
    gh.reload(ini(site=f"verify = off\nclient_ca = {other.pem}"))
    assert not client.visit(gh)[1]
