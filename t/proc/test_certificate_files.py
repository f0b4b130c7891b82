"""Certificates change under a running gatehouse: by HUP, and by
certificate_watch, without losing a connection; a broken file changes nothing;
what ends soon is spoken of."""
import datetime
import os
import shutil
import socket
import ssl

import pytest

from lib import admin
from lib.certs import Authority
from lib.gatehouse import run
from lib.procs import Load, until

INI = """
[global]
workers = 2
shutdown_timeout = 10s
[listen x]
address = 127.0.0.1:{port}
tls = on
[tls]
%s
[site test]
certificate = {dir}/site.pem
certificate_key = {dir}/site.key
respond = 200 one
""" + admin.SECTION
WATCH = "certificate_watch = 100ms"


@pytest.fixture(scope="module")
def ca():
    return Authority()


def put(ca, gh_dir, name):
    """The certificate of that name becomes the site's, key first, each at
    once."""
    for ext in ("key", "pem"):
        new = gh_dir / f"new.{ext}"
        shutil.copy(ca.dir / f"{name}.{ext}", new)
        new.chmod(0o644)
        os.replace(new, gh_dir / f"site.{ext}")


@pytest.fixture
def start(gatehouse, ca, tmp_path):
    def make(tls=WATCH, first="one"):
        ca.make("one", "test")
        ca.make("two", "test")
        files = tmp_path / "files"
        files.mkdir()
        files.chmod(0o755)
        put(ca, files, first)
        return gatehouse((INI % tls).replace("{dir}/site", str(files / "site"))
                         ), files
    return make


def shown(gh, ca):
    """Who the certificate says it is."""
    with gh.client(tls=ca.context(), name="test") as c:
        subject = dict(x[0] for x in c.sock.getpeercert()["subject"])
        return subject["commonName"]


def test_hup_takes_over_a_new_certificate(start, ca):
    gh, files = start(tls="")
    assert shown(gh, ca) == "one"
    put(ca, files, "two")
    # nothing looks at the files by itself
    assert shown(gh, ca) == "one"
    gh.reload()
    assert shown(gh, ca) == "two"


def test_no_connection_is_lost(start, ca):
    """Old connections go on, new ones are never refused."""
    gh, files = start(tls="")
    with Load(gh.port, tls=ca.context(), keepers=3, shots=3) as load:
        for name in ("two", "one", "two"):
            put(ca, files, name)
            gh.reload()
            seen = load.answers
            until(lambda: load.answers > seen + 20)
    assert not load.failures
    assert shown(gh, ca) == "two"


def test_a_changed_file_is_picked_up(start, ca):
    gh, files = start()
    put(ca, files, "two")
    until(lambda: shown(gh, ca) == "two")
    assert "certificate file changed path=" in gh.stderr()
    # and again
    put(ca, files, "one")
    until(lambda: shown(gh, ca) == "one")


def test_a_broken_file_leaves_the_old_one_serving(start, ca):
    """One attempt, one message; the next change is another."""
    gh, files = start()
    (files / "site.pem").write_text("nothing\n")
    until(lambda: "was left as it is" in gh.stderr())
    assert "there is no certificate in" in gh.stderr()
    assert shown(gh, ca) == "one"
    put(ca, files, "two")
    until(lambda: shown(gh, ca) == "two")
    assert gh.stderr().count("was left as it is") == 1


def test_a_key_that_comes_late_is_waited_for_or_told(start, ca):
    """Half of a change is refused, the whole is taken."""
    gh, files = start()
    shutil.copy(ca.dir / "two.pem", files / "site.pem")
    until(lambda: "is not that of the first certificate" in gh.stderr())
    assert shown(gh, ca) == "one"
    shutil.copy(ca.dir / "two.key", files / "site.key")
    until(lambda: shown(gh, ca) == "two")


# --- the end of certificates ---------------------------------------------------

def in_days(days):
    # the middle of a day, so that a few seconds change no number
    end = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(days=days, hours=12)
    return end.strftime("%Y%m%d%H%M%SZ")


@pytest.mark.parametrize("days, words, level", [
    (13, "expires at", "warn"), (-3, "has expired at", "warn"),
    (15, None, None)])
def test_the_end_is_told(start, ca, tmp_path, days, words, level):
    """Fourteen days before, at the start, with file and line; in status as a
    number always."""
    name = f"ends{days}"
    ca.make(name, "test", ends=in_days(days))
    gh, files = start(first=name)
    # towards zero
    assert admin.status(gh)["certificate"]["days_left"] == \
        (days if days > 0 else days + 1)
    assert f"in {days if days > 0 else days + 1} days" in admin.cli(gh).stdout
    said = [line for line in gh.stderr().splitlines()
            if "certificate" in line]
    if words is None:
        assert not said
        return
    assert any(words in line and f"{files}/site.pem" in line and
               "gatehouse.ini:" in line for line in said), said
    assert any("days=" in line for line in said), said
    # -t says it too, and that all else is well
    done = run("-t", "-c", gh.ini)
    assert done.returncode == 0 and words in done.stderr + done.stdout


def test_an_expired_certificate_is_shown_all_the_same(start, ca):
    """The client decides."""
    ca.make("gone", "test", ends=in_days(-1))
    gh, _ = start(first="gone")
    with socket.create_connection(("127.0.0.1", gh.port), 10) as sock, \
            pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        ca.context().wrap_socket(sock, server_hostname="test")
