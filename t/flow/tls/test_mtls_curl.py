"""curl as a client with a certificate (RFC 8446 4.4.2, RFC 5246 7.4.6): the right
one, others, none; over HTTP/1.1 and HTTP/2, by each version of TLS; and a session
that goes on with the same certificate."""
import datetime
import subprocess

import pytest

from lib import admin
from lib.certs import Authority
from lib.origin import ok
from lib.procs import until

LIMIT_S = 60
HTTP = ["--http1.1", "--http2"]
TLS = [["--tlsv1.3"], ["--tls-max", "1.2"]]
# curl's exit statuses for a handshake that fails, for an alert that says that
# its certificate has expired (60) and, in TLS 1.3, where a refusal comes behind
# the handshake, for a connection that breaks and a stream of HTTP/2 that does
REFUSED = {35, 60, 55, 56, 16, 92}
ASKS = """
verify = %s
client_ca = {ca}
%s
upstream = app
request_header = Subject: {tls_client_subject}
request_header = Verify: {tls_client_verify}
request_header = Resumed: {tls_resumed}
"""


@pytest.fixture(scope="module")
def people(ca):
    """Certificates of clients by name."""
    stranger = Authority("stranger")
    yesterday = datetime.datetime.now(datetime.timezone.utc) - \
        datetime.timedelta(days=1)
    made = {
        "right": ca.make("right", client=True),
        "second": ca.make("second", client=True),
        "rsa": ca.make("rsa-client", client=True, kind="rsa"),
        "stranger": stranger.make("stranger", client=True),
        "expired": ca.make("late", client=True,
                           ends=yesterday.strftime("%Y%m%d%H%M%SZ")),
        "server's": ca.make("no-client", "a.test"),
        "revoked": ca.make("gone", client=True),
    }
    yield made


class Site:
    """A gatehouse whose a.test asks for certificates; the origin says what it
    heard of the client."""

    def __init__(self, front, origin, ca, how, more=""):
        self.ca = ca
        self.origin = origin(lambda conn, request: conn.send(ok("|".join(
            request.get(name) or "-"
            for name in ("Verify", "Subject", "Resumed")).encode())))
        self.gh = front(listen="protocols = h2 http/1.1", a=ASKS % (how, more),
                        more=admin.SECTION + "[upstream app]\nserver = "
                        f"{self.origin.address}\n")

    def curl(self, *args, who=None, urls=1):
        if who is not None:
            args = [*args, "--cert", who, "--key", who.with_suffix(".key")]
        return subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", str(LIMIT_S),
             "--cacert", self.ca.pem, "--resolve",
             f"a.test:{self.gh.port}:127.0.0.1", "-w", "|%{http_version}\n",
             *map(str, args), *[f"https://a.test:{self.gh.port}/"] * urls],
            text=True, capture_output=True, timeout=LIMIT_S + 10, check=False)

    def refuses(self, *args, who=None):
        done = self.curl(*args, who=who)
        assert done.returncode in REFUSED, (done.returncode, done.stderr)
        assert not self.origin.requests
        until(lambda: admin.status(self.gh)["counters"]
              ["tls_failed_certificate_total"] == 1)


@pytest.fixture
def site(front, origin, ca):
    return lambda how="require", more="": Site(front, origin, ca, how, more)


def number(http):
    return "2" if http == "--http2" else "1.1"


@pytest.mark.parametrize("tls", TLS, ids=["1.3", "1.2"])
@pytest.mark.parametrize("http", HTTP)
@pytest.mark.parametrize("name, subject", [("right", "right"),
                                           ("rsa", "rsa-client")])
def test_the_right_one(site, people, http, tls, name, subject):
    done = site().curl(http, *tls, who=people[name])
    assert done.stdout == f"OK|CN={subject},O=Test|no|{number(http)}\n", \
        done.stderr


@pytest.mark.parametrize("tls", TLS, ids=["1.3", "1.2"])
@pytest.mark.parametrize("http", HTTP)
@pytest.mark.parametrize("name", ["stranger", "expired", "server's"])
def test_a_wrong_one(site, people, http, tls, name):
    """By nobody we trust, over, or not for clients."""
    site().refuses(http, *tls, who=people[name])


@pytest.mark.parametrize("http", HTTP)
def test_a_wrong_one_is_not_better_than_none(site, people, http):
    """Where one may have none."""
    site("optional").refuses(http, who=people["stranger"])


@pytest.mark.parametrize("http", HTTP)
def test_a_revoked_one(site, people, ca, http):
    ca.crl(people["revoked"])
    made = site(more=f"crl = {ca.dir / 'crl.pem'}")
    made.refuses(http, who=people["revoked"])
    assert made.curl(http, who=people["right"]).stdout.startswith("OK|")


@pytest.mark.parametrize("tls", TLS, ids=["1.3", "1.2"])
@pytest.mark.parametrize("http", HTTP)
def test_none(site, http, tls):
    site().refuses(http, *tls)


@pytest.mark.parametrize("http", HTTP)
def test_none_where_one_may_have_none(site, people, http):
    made = site("optional")
    assert made.curl(http).stdout == f"NONE|-|no|{number(http)}\n"
    assert made.curl(http, who=people["right"]).stdout == \
        f"OK|CN=right,O=Test|no|{number(http)}\n"


def test_a_session_goes_on_with_its_certificate(site, people):
    """A second connection of one curl, which asks for its end in HTTP/1.1: the
    client is known by the session. In TLS 1.2 curl takes no tickets
    (SSL_OP_NO_TICKET): test_tickets asks openssl."""
    done = site().curl("--http1.1", "-H", "Connection: close", "--tlsv1.3",
                       who=people["right"], urls=2)
    assert done.stdout == "OK|CN=right,O=Test|no|1.1\n" \
        "OK|CN=right,O=Test|yes|1.1\n", done.stderr


def test_a_session_is_of_one_certificate(site, people):
    """`--next` begins with another certificate: nothing of the first is left."""
    made = site()
    second = people["second"]
    done = made.curl(
        "--http1.1", "-H", "Connection: close", "--tlsv1.3", "--cert",
        people["right"], "--key", people["right"].with_suffix(".key"),
        f"https://a.test:{made.gh.port}/", "--next", "-sS", "--noproxy", "*",
        "--cacert", made.ca.pem, "--resolve",
        f"a.test:{made.gh.port}:127.0.0.1", "-w", "|%{http_version}\n",
        "--http1.1", "--tlsv1.3", "--cert", second, "--key",
        second.with_suffix(".key"))
    assert done.stdout == "OK|CN=right,O=Test|no|1.1\n" \
        "OK|CN=second,O=Test|no|1.1\n", done.stderr
