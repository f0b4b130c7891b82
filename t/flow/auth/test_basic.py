"""Names and passwords: who is let on, what the server gets of it, what is
remembered, and what happens when there is too much to verify."""
import base64
import concurrent.futures
import re
import select

import pytest

from lib import admin
from lib.gatehouse import run
from lib.h2 import Conn
from lib.origin import ok
from lib.procs import until
from lib.wire import WAIT_S

# libxcrypt's crypt(3) and `openssl passwd -apr1` made them, of PASSWORD
PASSWORD = "pässword"
HASHES = {
    "bcrypt": "$2y$05$abcdefghijklmnopqrstuucZGbUxuMlEqps0qcu2pjhO7vaatQZIC",
    "sha256": "$5$rounds=1000$saltsalt$"
              "k0ylRWLHVlBxnL.QHEV.f8gDch7ScqF5//h.mx1WAa9",
    "sha512": "$6$rounds=1000$saltsalt$GRg0cJEHso4LJZYmvs6cl1YziCrkl3pvdLeF58"
              "R.fERGV/fOgD8w6F4Ljko0wttVnHPN.v.Sy4JUmYierjxw6/",
    "yescrypt": "$y$j75$saltsaltsaltsalt$"
                "GTjgW/9UgmrXy8uruvVNL3v8/Cj7D8cOKPAWboOC/N5",
    "apr1": "$apr1$saltsalt$553eXAj/BD3irf9w9nutz/",
}
# 50 ms of a CPU for each password
SLOW = "$2y$10$abcdefghijklmnopqrstuu4T826PRnz0Hu6YlprUuxkZxOOj5Fw5S"

INI = """
[global]
workers = 1
[log access]
path = {dir}/access.log
format = combined
buffer = none
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = app
auth = staff
cache = pages
request_header = X-User: {user}
[route test /open]
auth = none
[route test /passed]
auth = passing
[route test /answer]
respond = 200 hello {user}
[rule test boss]
match = path ^= /answer
match = user = boss
response_header = X-Boss: yes
[rule test late]
match = path ^= /ruled
auth = none
[upstream app]
server = {origin}
[cache pages]
memory = 1m
[users people]
file = {files}/people
groups_file = {files}/groups
[auth staff]
scheme = basic
users = people
realm = Staff "only"
[auth passing]
users = people
pass = on
""" + admin.SECTION


def sent(user, password=PASSWORD):
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Authorization: Basic {pair}\r\n".encode()


def write_people(folder, extra=""):
    (folder / "people").write_text("".join(
        f"{kind}:{text}\n" for kind, text in HASHES.items()) +
        f"boss:{HASHES['apr1']}\n" + extra)
    (folder / "groups").write_text("admins: boss\n")


@pytest.fixture(scope="module")
def staff(tmp_path_factory, shared_gatehouse, shared_origin):
    """(gatehouse, origin, folder of the files)."""
    def script(conn, request):
        fields = b"Cache-Control: max-age=60"
        if request.target.startswith("/public"):
            fields += b", public"
        conn.send(ok((request.get("x-user") or "-").encode(),
                     fields + b"\r\n"))

    o = shared_origin(script)
    folder = tmp_path_factory.mktemp("people")
    write_people(folder)
    return shared_gatehouse(INI, origin=o.address, files=folder), o, folder


def ask(gh, path="/", extra=b"", **kwargs):
    with gh.client() as c:
        return c.get(path, extra=extra, **kwargs)


def counters(gh):
    return admin.status(gh)["counters"]


@pytest.mark.parametrize("kind", HASHES)
def test_each_kind_of_hash(staff, kind):
    gh, _, _ = staff
    r = ask(gh, "/answer", sent(kind))
    assert (r.status, r.text) == (200, f"hello {kind}")
    assert ask(gh, "/answer", sent(kind, PASSWORD + "x")).status == 401


@pytest.mark.parametrize("extra", [
    b"", sent("nobody"), sent(""), sent("bcrypt", ""), sent("bcrypt", "x" * 600),
    b"Authorization: Bearer YTpi\r\n", b"Authorization: Basic\r\n",
    b"Authorization: Basic !!!!\r\n", b"Authorization: Basic YTpiYg\r\n",
    b"Authorization: Basic Yg==\r\n", b"Authorization: Basic Yjr/\r\n",
    # what is for a proxy says nothing to a server
    b"Proxy-" + sent("bcrypt")], ids=range(12))
def test_nobody_else_is_let_on(staff, extra):
    """RFC 7617 2: a 401 says how to ask."""
    gh, o, _ = staff
    before = len(o.requests)
    r = ask(gh, "/secret", extra)
    assert r.status == 401
    assert r.all("www-authenticate") == \
        ['Basic realm="Staff \\"only\\"", charset="UTF-8"']
    assert len(o.requests) == before


def test_two_fields_of_credentials_are_refused(staff):
    """Two readers would believe two different ones."""
    gh, _, _ = staff
    assert ask(gh, "/x", sent("bcrypt") + sent("nobody")).status == 400


def test_the_server_learns_who_it_is_and_no_password(staff):
    gh, o, _ = staff
    r = ask(gh, "/who", sent("sha256") + b"X-User: root\r\n" +
            b"Proxy-" + sent("apr1"))
    assert r.text == "sha256"
    got = o.requests[-1]
    assert got.all("x-user") == ["sha256"]
    assert got.get("authorization") is None
    assert got.get("proxy-authorization") is None


def test_pass_leaves_them_there(staff):
    gh, o, _ = staff
    assert ask(gh, "/passed", sent("sha256")).status == 200
    assert o.requests[-1].get("authorization").startswith("Basic ")


def test_none_lets_everybody_on(staff):
    """And what others made of Authorization is the server's."""
    gh, o, _ = staff
    assert ask(gh, "/open/1", b"Authorization: Own x\r\n").status == 200
    assert o.requests[-1].get("authorization") == "Own x"
    # by a rule as well
    assert ask(gh, "/ruled").status == 200


def test_rules_wait_for_the_user(staff):
    gh, _, _ = staff
    assert ask(gh, "/answer", sent("boss")).get("x-boss") == "yes"
    assert ask(gh, "/answer", sent("apr1")).get("x-boss") is None
    assert ask(gh, "/answer").status == 401


def test_logs_name_who_proved_it(staff):
    gh, _, _ = staff
    log = gh.dir / "access.log"
    ask(gh, "/logged", sent("apr1"))
    ask(gh, "/logged", sent("apr1", "guess"))
    lines = until(lambda: len(got := [
        line for line in log.read_text().splitlines() if "/logged" in line
    ]) == 2 and got, what="two lines")
    assert re.match(r"127\.0\.0\.1 - apr1 \[.* 200 ", lines[0])
    assert re.match(r"127\.0\.0\.1 - - \[.* 401 ", lines[1])


def test_a_password_is_verified_once(staff):
    """However many bring it at once, and however often."""
    gh, _, _ = staff
    before = counters(gh)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(
            lambda _: ask(gh, "/answer", sent("bcrypt", "once")).status,
            range(40)))
    assert got == [401] * 40
    after = counters(gh)
    assert after["auth_checks_total"] - before["auth_checks_total"] == 1
    assert after["auth_refused_total"] - before["auth_refused_total"] == 40
    # another section's credentials are others
    assert ask(gh, "/passed", sent("bcrypt", "once")).status == 401
    assert counters(gh)["auth_checks_total"] - \
        before["auth_checks_total"] == 2


def test_a_cache_keeps_for_all_only_what_is_said_to_be(staff):
    """RFC 9111 3.5, also when Authorization ends here."""
    gh, o, _ = staff
    assert [ask(gh, "/mine", sent(u)).text for u in ("apr1", "boss")] == \
        ["apr1", "boss"]
    assert [ask(gh, "/public", sent(u)).text for u in ("apr1", "boss")] == \
        ["apr1", "apr1"]
    # what is kept is nobody's who is not let on
    assert ask(gh, "/public").status == 401
    assert len([r for r in o.requests if r.target == "/public"]) == 1


def test_http_2(staff):
    gh, _, _ = staff
    pair = base64.b64encode(f"apr1:{PASSWORD}".encode()).decode()
    with Conn(("127.0.0.1", gh.port)) as c:
        s = c.get("/answer", ("authorization", f"Basic {pair}"))
        assert s.status == 200
        s = c.get("/answer")
        assert s.status == 401
        assert s.get("www-authenticate").startswith(b"Basic ")


def test_a_client_that_leaves_is_not_waited_for(staff):
    gh, _, _ = staff
    c = gh.client()
    c.send(b"GET /left HTTP/1.1\r\nHost: test\r\n" +
           sent("sha512", "leave") + b"\r\n")
    c.reset()
    assert ask(gh, "/answer", sent("sha512")).status == 200


def test_files_are_read_again_and_a_broken_one_keeps_the_old(staff):
    gh, _, folder = staff
    assert ask(gh, "/answer", sent("new")).status == 401
    write_people(folder, f"new:{HASHES['apr1']}\n")
    gh.reload()
    assert ask(gh, "/answer", sent("new")).status == 200
    write_people(folder, "worse:plain\n")
    gh.reload()
    assert ask(gh, "/answer", sent("new")).status == 200
    assert re.search(r"people:7: 'worse': this is no hash but a plain",
                     gh.stderr())
    write_people(folder)
    gh.reload()
    assert ask(gh, "/answer", sent("new")).status == 401


def test_more_than_can_be_verified_are_told_to_come_again(tmp_path, gatehouse):
    """The others are not held up by it."""
    write_people(tmp_path, f"slow:{SLOW}\n")
    gh = gatehouse(INI, origin="127.0.0.1:1", files=tmp_path)
    assert ask(gh, "/answer", sent("apr1")).status == 200
    flood = [gh.client() for _ in range(140)]
    for i, c in enumerate(flood):
        c.send(b"GET /answer HTTP/1.1\r\nHost: test\r\n" +
               sent("slow", f"guess{i}") + b"\r\n")
    until(lambda: counters(gh)["auth_busy_total"] >= 1, what="a full queue")
    # who is known goes on at once
    assert ask(gh, "/answer", sent("apr1")).status == 200
    told = select.select([c.sock for c in flood], [], [], WAIT_S)[0]
    got = [c.response() for c in flood if c.sock in told]
    assert {r.get("retry-after") for r in got if r.status == 503} == {"1"}
    for c in flood:
        c.reset()
    # what nobody waits for is not verified
    until(lambda: ask(gh, "/answer", sent("sha256")).status == 200,
          what="room")


MISTAKES = """[site test]
respond = 200 x
auth = a
[users u]
file = %s/users
[auth a]
%s
"""


@pytest.mark.parametrize("lines, users, place, told", [
    ("", "", "6:1", "scheme = basic needs users = NAME"),
    ("users = v", "", "7:9", "users 'v' is not defined"),
    ("scheme = digest\nusers = u", "", "7:10", "expected|it is one of"),
    ("scheme = helper\nusers = u", "", "6:1", "helper = PATH, a program"),
    ("users = u\nttl = 10", "", "8:7", "needs a unit"),
    ("users = u", None, "5:8", "users cannot be read: No such file"),
    ("users = u", "a:b\n", "5:8", "users:1: 'a': this is no hash"),
    ("users = u\nrealm = a\tb", "a:" + HASHES["apr1"], "8:9",
     "control character"),
])
def test_mistakes_are_told_where_they_stand(tmp_path, lines, users, place,
                                            told):
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % (tmp_path, lines))
    if users is not None:
        (tmp_path / "users").write_text(users)
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert re.search(rf"x\.ini:{place}: error: .*({told})", done.stderr), \
        done.stderr
    assert "saltsalt" not in done.stderr


def test_explain_says_who_it_would_be(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % (tmp_path, "users = u"))
    (tmp_path / "users").write_text(f"anna:{HASHES['bcrypt']}\n")
    asked = ["explain", "GET", "http://test/x", "-c", ini]
    field = sent("anna").decode().strip()
    assert re.search(r"auth .*a knows anna .*x\.ini:6",
                     run(*asked, "-H", field).stdout)
    done = run(*asked)
    assert re.search(r"auth .*a asks who it is: 401", done.stdout)
    assert "HTTP/1.1 401" in done.stdout
    field = sent("anna", "x").decode().strip()
    assert "does not know these credentials" in run(*asked, "-H",
                                                    field).stdout
