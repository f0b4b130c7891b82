"""What logs tell of a forward proxy: who, by which rule, of which category, how much
both ways and how long, in each form; and that no name of a user makes a line another
one (CWE-117)."""
import base64
import json
import re

import pytest

from lib.gatehouse import run
from lib.procs import until

HASH = ("$5$rounds=1000$saltsalt$k0ylRWLHVlBxnL.QHEV.f8gDch7ScqF5//h.mx1WAa9")
PASSWORD = "pässword"
# what comes into a line of its own, or ends a value, where it is not escaped
USERS = ("anna", "eve 200 0 GET //forged.test/ -", 'q" 200 5 "-" "x',
         "back\\slash", 'j","status","x', "[x] - b", "Zoë\u2028世",
         "<script>alert(1)</script>", " lead", "trail ", "%0d%0aGET")
# tunnel_timeout, by a clock of whole milliseconds
TUNNEL_MS = 299
FORMATS = ("squid", "combined", "json", "squid_policy", "combined_policy")
LOGS = "".join(f"[log {name}]\npath = {{dir}}/{name}.log\nformat = {name}\n"
               "buffer = none\n" for name in FORMATS)
INI = """
[global]
workers = 1
[listen p]
address = 127.0.0.1:{port}
mode = forward
policy = main
access_log = """ + " ".join(FORMATS) + "\n" + LOGS + """
[forward main]
auth = login
private_networks = allow
connect_ports = 1-65535
tunnel_timeout = 300ms
block_page = {page}
deny = adverts known
allow = known
[acl adverts]
category = ads
category_db = {db}
[acl known]
user = *
[auth login]
scheme = basic
users = people
[users people]
file = {people}
"""
COLUMN = r"(\S+)"
QUOTED = r'"([^"]*)"'
SQUID = " ".join([COLUMN] * 10)
COMBINED = rf"{COLUMN} - {COLUMN} \[([^\]]+)\] {QUOTED} {COLUMN} {COLUMN} " \
    rf"{QUOTED} {QUOTED}"
POLICY = rf" {COLUMN} {COLUMN} {COLUMN} {COLUMN} {COLUMN} {QUOTED}"


class World:
    def __init__(self, gh, origin):
        self.gh, self.origin, self.n = gh, origin, 0

    def ask(self, method, target, user):
        """The line of each log about one request; a tunnel is used until it
        ends by its time."""
        pair = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        self.n += 1
        with self.gh.client() as c:
            c.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\n"
                   f"Proxy-Authorization: Basic {pair}\r\n\r\n".encode())
            self.answer = c.reader.response_head()
            if method == "CONNECT" and self.answer.status == 200:
                c.send(b"x" * 1000)
                c.reader.exactly(1000)
                c.is_closed()
            elif method != "CONNECT":
                self.text = c.reader.to_end() if \
                    self.answer.get("connection") == "close" else \
                    c.reader.exactly(int(self.answer.get("content-length")))
        return {name: self.line(name) for name in FORMATS}

    def line(self, name):
        path = self.gh.dir / f"{name}.log"
        lines = until(
            lambda: path.exists() and path.read_bytes().count(b"\n") >= self.n
            and path.read_text(), what=f"{self.n} lines of {name}")
        assert lines.count("\n") == self.n and lines.isascii() or \
            name == "json"
        return lines.split("\n")[self.n - 1]


@pytest.fixture(scope="module")
def world(shared_gatehouse, shared_origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    folder.chmod(0o755)
    (folder / "ads.txt").write_text("ads.test\n")
    assert run("categories", "build", folder / "db",
               folder / "ads.txt").returncode == 0
    (folder / "people").write_text("".join(f"{u}:{HASH}\n" for u in USERS))
    (folder / "page.html").write_text("<p>{user} {path} {time}</p>")

    def answer(conn):
        while data := conn.sock.recv(65536):
            conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/x y\r\n"
                      b"Content-Length: 2\r\n\r\nok"
                      if data.startswith(b"GET") else data)

    gh = shared_gatehouse(INI, db=folder / "db", people=folder / "people",
                          page=folder / "page.html")
    return World(gh, shared_origin(answer, raw=True))


def policy(said, form):
    """(in, out, ms, result, category, rule) behind a line of that form."""
    m = re.fullmatch(form + POLICY, said)
    assert m, said
    come, gone, ms, *rest = m.groups()[-6:]
    return int(come), int(gone), int(ms), rest


def test_each_form_tells_who_and_by_which_rule(world):
    got = world.ask("GET", f"http://{world.origin.address}/p?q", "anna")
    assert world.answer.status == 200
    m = re.fullmatch(SQUID, got["squid"])
    assert m[8] == "anna" and m[4] == "TCP_MISS/200"
    # a type with a blank is one column
    assert m[10] == r"text/x\x20y"
    m = re.fullmatch(COMBINED, got["combined"])
    assert m[2] == "anna" and m[5] == "200"
    for name, form in (("squid_policy", SQUID), ("combined_policy", COMBINED)):
        come, gone, _, rest = policy(got[name], form)
        assert rest == ["allowed", "-", "allow = known"]
        assert come > 50 and gone > 40
    said = json.loads(got["json"])
    assert {k: said[k] for k in ("user", "acl", "acl_rule", "acl_result",
                                 "category", "status")} == {
        "user": "anna", "acl": "known", "acl_rule": "allow = known",
        "acl_result": "allowed", "category": "", "status": 200}
    assert said["bytes_in"] > 50 and said["bytes_out"] > 40


def test_each_form_tells_the_category_of_what_is_denied(world):
    for method, target in (("GET", "http://x.ads.test/"),
                           ("CONNECT", "ads.test:443")):
        got = world.ask(method, target, "anna")
        assert world.answer.status == 403
        for name, form in (("squid_policy", SQUID),
                           ("combined_policy", COMBINED)):
            assert policy(got[name], form)[3] == \
                ["denied", "ads", "deny = adverts known"]
        said = json.loads(got["json"])
        assert (said["category"], said["acl_rule"], said["acl_result"],
                said["fault"]) == \
            ("ads", "deny = adverts known", "denied", "access_denied")


def test_a_tunnel_is_told_with_its_time_and_bytes(world):
    """Its line is written at its end: the duration is that of the tunnel."""
    got = world.ask("CONNECT", world.origin.address, "anna")
    m = re.fullmatch(SQUID, got["squid"])
    assert m[4] == "TCP_TUNNEL/200" and int(m[2]) >= TUNNEL_MS
    for name, form in (("squid_policy", SQUID), ("combined_policy", COMBINED)):
        come, gone, ms, rest = policy(got[name], form)
        assert come > 1000 and gone > 1000 and ms >= TUNNEL_MS
        assert rest[0] == "allowed"
    said = json.loads(got["json"])
    assert said["duration"] >= TUNNEL_MS / 1000
    assert said["fault"] == "tunnel_timeout"
    assert said["bytes_in"] > 1000 and said["bytes_out"] > 1000


@pytest.mark.parametrize("user", USERS)
def test_no_name_of_a_user_makes_another_line(world, user):
    """Each form has as many columns as ever, and the name can be read back."""
    got = world.ask("GET", f"http://{world.origin.address}/", user)
    assert world.answer.status == 200
    escaped = "".join(
        c if c.isascii() and c.isprintable() and c not in ' "\\' else
        "".join(f"\\x{b:02X}" for b in c.encode()) for c in user)
    m = re.fullmatch(SQUID, got["squid"])
    assert m and m[8] == escaped, got["squid"]
    m = re.fullmatch(COMBINED, got["combined"])
    assert m and m[2] == escaped, got["combined"]
    for name, form in (("squid_policy", SQUID), ("combined_policy", COMBINED)):
        assert policy(got[name], form)[3] == ["allowed", "-", "allow = known"]
    said = json.loads(got["json"])
    assert said["user"] == user and said["status"] == 200


def test_the_block_page_escapes_who_and_what(world):
    """CWE-79: of the user's name and the path nothing is markup."""
    user = "<script>alert(1)</script>"
    world.ask("GET", "http://ads.test/<b>&\"'</p>", user)
    assert world.answer.status == 403
    text = world.text.decode()
    assert "&lt;script&gt;" in text and "<script" not in text
    assert "/&lt;b&gt;&amp;&quot;" in text and "<b>" not in text
    assert re.search(r" 20\d\d-\d\d-\d\dT[0-9:.]+Z</p>$", text)
