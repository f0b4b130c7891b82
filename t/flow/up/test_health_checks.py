"""Servers are asked whether they are well (doc/config.md, `health_check`), by
one process for all workers."""
import collections
import threading

import pytest

from lib import admin
from lib.gatehouse import free_port
from lib.origin import OK, Origin, ok
from lib.procs import until

MORE = 20
NO = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
FAST = "interval=100ms"
# long enough for any machine
PATIENT = FAST + " timeout=30s"


class Patient:
    """Answers /healthz with what is in `well`, everything else with its
    name."""

    def __init__(self, name, well=OK):
        self.name, self.well = name, well
        self.checks = 0
        self.asked = 0
        self.agents = set()
        self.hosts = set()

    def __call__(self, conn, request):
        if request.target != "/healthz":
            self.asked += 1
            conn.send(ok(self.name))
            return None
        self.agents.add(request.get("user-agent"))
        self.hosts.add(request.get("host"))
        answer = self.well(self) if callable(self.well) else self.well
        self.checks += 1
        if answer is None:
            conn.reset()
            return False
        conn.send(answer)
        return False


def health(gh):
    """{address: (health, why)}"""
    upstream, = admin.status(gh)["upstreams"]
    return {s["address"]: (s["health"], s["why"]) for s in upstream["servers"]}


def wait_health(gh, server, state, why=None):
    address = getattr(server, "address", server)
    want = (state, why)
    until(lambda: health(gh)[address] == want,
          what=f"{address} {want}, it is {health(gh)[address]}")


def ask(gh, n=MORE):
    """Who answered, of n requests on connections of their own."""
    got = collections.Counter()
    for _ in range(n):
        with gh.client() as c:
            got[c.get().text] += 1
    return got


def said(gh, word):
    return [line for line in gh.stderr().splitlines() if word in line]


@pytest.fixture
def checked(front):
    """checked(servers, line, more): one with that health_check."""
    def make(servers, line, more="", **kwargs):
        return front(servers, workers=kwargs.pop("workers", 2),
                     upstream=f"health_check = {line}\n{more}\n" +
                     admin.SECTION, **kwargs)
    return make


BAD = {
    "status 503": NO,
    "status 404": b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nok",
    "content that does not match": ok(b"failing"),
    "a malformed answer": b"ok\r\n\r\n",
    "the connection broke": None,
}


@pytest.mark.parametrize("why", BAD)
def test_a_wrong_answer_is_found(checked, origin, why):
    """Statuses and content that are not as they should be, garbage, a broken
    connection: left out by all workers, said once."""
    good, bad = Patient(b"good"), Patient(b"bad")
    a, b = origin(good), origin(bad)
    gh = checked([a, b], f"GET /healthz body~^o.$ {PATIENT}")
    until(lambda: good.checks >= 3 and bad.checks >= 3)
    assert set(ask(gh)) == {"good", "bad"}
    bad.well = BAD[why]
    wait_health(gh, b, "down", why)
    assert ask(gh) == {"good": MORE}
    wait_health(gh, a, "up")
    bad.well = OK
    wait_health(gh, b, "up")
    assert set(ask(gh)) == {"good", "bad"}
    line, = said(gh, "server down")
    assert f"server={b.address} " in line and why in line
    line, = said(gh, "server up")
    assert f"server={b.address}" in line
    assert bad.agents == {"gatehouse (health)"}
    assert bad.hosts == {b.address}


def test_a_slow_answer_is_found(checked, origin):
    """timeout: for all of a check."""
    never = threading.Event()
    slow = Patient(b"slow", lambda p: never.wait(60) and OK)
    a, b = origin(Patient(b"good")), origin(slow)
    gh = checked([a, b], f"GET /healthz {FAST} timeout=2s fall=1")
    wait_health(gh, b, "down", "no answer in time")
    assert ask(gh)["slow"] == 0
    never.set()
    wait_health(gh, b, "up")


def test_fall_and_rise_are_counted(checked, origin):
    """So many in a row, not before; a single other one begins anew."""
    turns = []

    def well(_):
        # well, then never four bad ones in a row, then four; then the same
        # with three good ones
        script = "1110001000100001101100111" "1111"
        turns.append(script[min(len(turns), len(script) - 1)])
        states.append(health_now())
        return OK if turns[-1] == "1" else NO
    states = []
    gh = None

    def health_now():
        return None if gh is None else (
            len(said(gh, "server down")), len(said(gh, "server up")))
    o = origin(Patient(b"x", well))
    # the first one must not come before there is a log
    gh = checked([o], f"GET /healthz {PATIENT} fall=4 rise=3")
    until(lambda: len(turns) >= 27)
    text = "".join(turns)
    down = text.index("0000") + 4
    up = text.index("111", down) + 3
    # what the k-th check saw was said before it
    assert {s for s in states[:down] if s} <= {(0, 0)}
    assert {s for s in states[down:up] if s} == {(1, 0)}
    assert {s for s in states[up:] if s} == {(1, 1)}


def test_one_check_at_a_time(checked, origin):
    """However slow it is, the next one waits."""
    now, most, lock = [0], [0], threading.Lock()

    def well(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.5)
        with lock:
            now[0] -= 1
        return OK
    slow = Patient(b"slow", well)
    gh = checked([origin(slow)], f"GET /healthz {PATIENT}", workers=4)
    until(lambda: slow.checks >= 4)
    assert most == [1]
    assert ask(gh) == {"slow": MORE}


def test_the_first_result_counts_at_once(checked, origin, named):
    """Nobody is asked for long who was never well."""
    bad = Patient(b"bad", NO)
    b = origin(bad)
    gh = checked([b, named(b"good")], f"GET /healthz interval=1h fall=100")
    wait_health(gh, b, "down", "status 503")
    assert bad.checks == 1


@pytest.mark.parametrize("line, what", [
    ("HEAD /healthz expect=204", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("GET /healthz expect=200-299,418",
     b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n"),
    ('GET /healthz body~"all (good|fine)"', ok(b"here:\nall fine, thanks")),
    # what is not looked at may be of any size
    ("GET /healthz", ok(b"x" * 300000)),
], ids=["head", "expect", "body", "large"])
def test_what_is_expected_is_well(checked, origin, line, what):
    """expect and body, HEAD."""
    patient = Patient(b"x", what)
    o = origin(patient)
    gh = checked([o], f"{line} {PATIENT}")
    until(lambda: patient.checks >= 3)
    wait_health(gh, o, "up")
    assert not said(gh, "server down")


def test_content_too_long_to_be_looked_at(checked, origin):
    """body~ wants to see all of it."""
    o = origin(Patient(b"x", ok(b"ok" * 200000)))
    gh = checked([o], f"GET /healthz body~ok {PATIENT}")
    wait_health(gh, o, "down", "a too large answer")


def test_tcp_only_connects(checked, origin, named):
    """No byte is sent; nobody there is down, and comes back."""
    heard = []

    def raw(conn):
        heard.append(conn.sock.recv(100))
    port = free_port()
    nobody = f"127.0.0.1:{port}"
    gh = checked([named(b"good"), nobody], f"tcp {FAST}")
    wait_health(gh, nobody, "down", "no connection")
    assert ask(gh) == {"good": MORE}
    o = Origin(raw, raw=True, port=port)
    try:
        wait_health(gh, nobody, "up")
        until(lambda: len(heard) >= 2)
        assert set(heard) == {b""}
    finally:
        o.close()


def test_a_proxy_header_goes_ahead(checked, origin):
    """send_proxy: a server that wants one gets one, of nobody."""
    heard = []

    def raw(conn):
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            text += conn.sock.recv(4096)
        heard.append(text)
        conn.send(OK)
    o = origin(raw, raw=True)
    gh = checked([o], f"GET /healthz {PATIENT}", more="send_proxy = v1")
    until(lambda: len(heard) >= 2)
    assert all(text.startswith(b"PROXY UNKNOWN\r\nGET /healthz HTTP/1.1\r\n")
               for text in heard)
    wait_health(gh, o, "up")


def test_unix_sockets_are_checked(checked, unix_origin):
    o = unix_origin(b"good")
    gh = checked([o], f"GET /healthz {PATIENT}")
    o.wait(lambda o: len(o.requests) >= 2)
    assert {r.get("host") for r in o.requests} == {"localhost"}
    wait_health(gh, o, "up")


# --- TLS ----------------------------------------------------------------------

@pytest.mark.parametrize("line", [f"tls {PATIENT}", f"GET /healthz {PATIENT}"])
def test_certificates_are_verified(checked, ca, stranger, tls_origin, line):
    """tls and https: by whom, and for which name."""
    fine = tls_origin()
    strange = tls_origin(pem=stranger.make("local", ips=["127.0.0.1"]))
    other = tls_origin(pem=ca.make("other", "other.example"))
    gh = checked([f"https://127.0.0.1:{o.port}" for o in (fine, strange, other)],
                 line, more=f"ca = {ca.pem}\npanic = 0%")
    for o in (strange, other):
        wait_health(gh, f"https://127.0.0.1:{o.port}", "down",
                    "its certificate is not good")
    fine.wait(lambda o: len(o.conns) >= 2)
    wait_health(gh, f"https://127.0.0.1:{fine.port}", "up")
    assert ask(gh) == {"ok": MORE}


@pytest.mark.parametrize("more", ["sni = other.example\nca = {ca}",
                                  "tls_verify = off"])
def test_names_and_trust_are_those_of_the_upstream(checked, ca, tls_origin,
                                                   more):
    o = tls_origin(pem=ca.make("other", "other.example"))
    gh = checked([f"https://127.0.0.1:{o.port}"], f"GET /healthz {PATIENT}",
                 more=more.replace("{ca}", str(ca.pem)))
    o.wait(lambda o: len(o.requests) >= 2)
    wait_health(gh, f"https://127.0.0.1:{o.port}", "up")


def test_the_systems_authorities_hold_without_ca(checked, ca, stranger,
                                                 tls_origin):
    """They were read before the process let go of paths."""
    fine = tls_origin()
    strange = tls_origin(pem=stranger.make("local", ips=["127.0.0.1"]))
    gh = checked([f"https://127.0.0.1:{o.port}" for o in (fine, strange)],
                 f"tls {PATIENT}", env={"SSL_CERT_FILE": str(ca.pem)})
    wait_health(gh, f"https://127.0.0.1:{strange.port}", "down",
                "its certificate is not good")
    fine.wait(lambda o: len(o.conns) >= 2)
    wait_health(gh, f"https://127.0.0.1:{fine.port}", "up")


def test_a_server_that_speaks_no_tls(checked, ca, origin, tls_origin):
    """tls: the server itself may be written without https://."""
    plain, fine = origin(), tls_origin()
    gh = checked([plain, f"localhost:{fine.port}"], f"tls {PATIENT}",
                 more=f"ca = {ca.pem}\npanic = 0%")
    wait_health(gh, plain, "down", "no handshake")
    wait_health(gh, f"localhost:{fine.port}", "up")


# --- names --------------------------------------------------------------------

def test_names_are_looked_up_at_run_time(checked, dns, origin):
    """A name without an address is down, and comes back with one."""
    server = dns()
    patient = Patient(b"x")
    o = origin(patient)
    name = f"app.test:{o.port}"
    gh = checked([name], f"GET /healthz {PATIENT}",
                 **{"global": f"dns_servers = {server.address}"})
    wait_health(gh, name, "down", "its name has no address")
    server.zone["app.test"] = ["127.0.0.1"]
    wait_health(gh, name, "up")
    until(lambda: patient.hosts == {name}, what="a check at its address")


def test_name_servers_of_another_configuration(checked, dns, origin):
    """A reload may name others."""
    right, wrong = dns({"app.test": ["127.0.0.1"]}), dns()
    o = origin(Patient(b"x"))
    name = f"app.test:{o.port}"
    gh = checked([name], f"GET /healthz {PATIENT}",
                 **{"global": f"dns_servers = {wrong.address}"})
    wait_health(gh, name, "down", "its name has no address")
    gh.reload(gh.ini.read_text().replace(wrong.address, right.address))
    wait_health(gh, name, "up")
