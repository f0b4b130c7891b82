"""`quota` of a [forward]: so many bytes a day for each user, over all workers,
connections and versions; kept over reload, upgrade and restart, and no longer
than the day."""
import base64
import concurrent.futures
import datetime
import os
import signal

import pytest

from lib import admin, h2
from lib.gatehouse import Gatehouse, run
from lib.origin import ok
from lib.procs import end_masters, replace_master, until

HASH = ("$5$rounds=1000$saltsalt$k0ylRWLHVlBxnL.QHEV.f8gDch7ScqF5//h.mx1WAa9")
USERS = ("anna", "ben", "cleo", "dora", "emil", "fritz", "gina", "half", "ida")
LIMIT = 1024 * 1024
BODY = bytes(range(256)) * 256  # 64k
# What one exchange may pass it by: a piece of a quota, and what is in flight.
SLACK = LIMIT // 256 + 2 * 64 * 1024
INI = """
[global]
workers = 2
quota_file = {dir}/quota
pid_file = {dir}/pid
error_log = {dir}/error.log
log_level = info
[listen x]
address = 127.0.0.1:{port}
mode = forward
policy = out
h2c = on
access_log = access
[log access]
path = {dir}/access.log
format = {user} {status} {fault} {bytes_in} {bytes_out} {host}
buffer = none
[forward out]
auth = login
deny = spent sparing
allow = all
private_networks = allow
connect_ports = 1-65535
block_page = {page}
quota = 1m/d per {user} zone=UTC%s
[acl spent]
quota = 50%%
[acl sparing]
user = half
[auth login]
scheme = basic
users = people
realm = out
[users people]
file = {people}
""" + admin.SECTION


def proof(user):
    pair = base64.b64encode(f"{user}:pässword".encode()).decode()
    return f"Proxy-Authorization: Basic {pair}"


def pour(conn):
    """A tunnel's server: gives until nobody takes more."""
    try:
        while True:
            conn.send(BODY)
    except OSError:
        pass


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "people").write_text("".join(f"{u}:{HASH}\n" for u in USERS))
    (folder / "page.html").write_text(
        "<p>{fault} {user} {status} {request_id}</p>")
    return {"people": folder / "people", "page": folder / "page.html"}


@pytest.fixture(scope="module")
def server(shared_origin):
    return shared_origin(lambda conn, r: conn.send(ok(BODY)))


@pytest.fixture(scope="module")
def tap(shared_origin):
    return shared_origin(pour, raw=True)


@pytest.fixture(scope="module")
def gh(shared_gatehouse, files):
    return shared_gatehouse(INI % "", **files)


def get(gh, server, user, path="/x"):
    with gh.client() as c:
        c.send(f"GET http://{server.address}{path} HTTP/1.1\r\nHost: x\r\n"
               f"{proof(user)}\r\n\r\n".encode())
        answer = c.response()
        # all of it is counted and logged before the other end closes
        assert c.shut().is_closed()
        return answer


def until_refused(gh, server, user, limit=LIMIT):
    """The refusal, when as much was served as is allowed: one more where the
    other worker was asked before the first had counted to the end."""
    for n in range(100):
        answer = get(gh, server, user)
        if answer.status != 200:
            assert limit - len(BODY) <= n * len(BODY) <= limit + len(BODY)
            return answer
    raise AssertionError("never refused")


def used(gh, user):
    for q in admin.status(gh)["quotas"]["used"]:
        if q["name"] == f"out {user}":
            return q["used"]
    return 0


def moved(gh, user):
    """Bytes of the user's exchanges that were let on, as the log has them."""
    lines = [line.split() for line in
             (gh.dir / "access.log").read_text().splitlines()]
    return sum(int(f[3]) + int(f[4]) for f in lines
               if f[0] == user and f[1] == "200")


def settled(gh, user):
    """What is used when all that the log has is counted."""
    return until(lambda: (n := moved(gh, user)) == used(gh, user) and n)


def test_requests_are_refused_when_it_is_used_up(gh, server):
    """403 with the block page, which names it; nobody else is."""
    answer = until_refused(gh, server, "anna")
    assert answer.status == 403
    assert answer.text.startswith("<p>quota anna 403 ")
    assert settled(gh, "anna") >= LIMIT
    assert get(gh, server, "ben").status == 200
    with gh.client() as c:
        c.send(f"CONNECT {server.address} HTTP/1.1\r\nHost: x\r\n"
               f"{proof('anna')}\r\n\r\n".encode())
        assert c.response().status == 403
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        got = c.get("/x", ("proxy-authorization",
                           proof("anna").split(": ")[1]),
                    authority=server.address)
        assert got.status == 403 and b"quota anna" in got.body
    assert admin.status(gh)["counters"]["quota_over_total"] >= 3


def tunnel(gh, tap, user):
    """Take from it until it is broken off."""
    with gh.client() as c:
        c.send(f"CONNECT {tap.address} HTTP/1.1\r\nHost: x\r\n"
               f"{proof(user)}\r\n\r\n".encode())
        if c.reader.response_head().status != 200:
            return
        with pytest.raises(ConnectionResetError):
            while c.sock.recv(65536):
                pass


def tunnel_h2(gh, tap, user):
    with h2.Conn(("127.0.0.1", gh.port), timeout=60) as c:
        s = c.next_stream()
        c.send(h2.headers(s, h2.block(
            [(":method", "CONNECT"), (":authority", tap.address),
             ("proxy-authorization", proof(user).split(": ")[1])]),
            h2.END_HEADERS))
        got = c.answer(s)
        assert got.reset or got.status == 403


@pytest.mark.parametrize("user, how", [("cleo", tunnel), ("dora", tunnel_h2)])
def test_what_is_under_way_is_broken_off(gh, tap, user, how):
    """In the middle of a tunnel, which would go on for ever."""
    how(gh, tap, user)
    assert LIMIT <= settled(gh, user) <= LIMIT + SLACK
    assert f"{user} 200 quota" in (gh.dir / "access.log").read_text()


def test_all_of_a_user_are_counted_together(gh, tap):
    """Over connections, versions and workers."""
    ways = [tunnel, tunnel_h2] * 4
    with concurrent.futures.ThreadPoolExecutor(len(ways)) as pool:
        for done in [pool.submit(way, gh, tap, "emil") for way in ways]:
            done.result()
    assert LIMIT <= used(gh, "emil") <= LIMIT + len(ways) * SLACK
    until(lambda: moved(gh, "emil") == used(gh, "emil"))


def test_a_term_waits_for_who_it_is(gh, server):
    """`[acl] quota`: half of it, and only for whom the line is about."""
    answer = until_refused(gh, server, "half", LIMIT // 2)
    assert "access_denied half 403" in answer.text


def test_it_is_kept_over_reload_and_crash(gh, server):
    until_refused(gh, server, "fritz")
    before = settled(gh, "fritz")
    gh.reload()
    os.kill(gh.workers()[0], signal.SIGKILL)
    assert get(gh, server, "fritz").status == 403
    assert used(gh, "fritz") == before


@pytest.fixture
def again(tmp_path, files):
    """again(more) starts one with the same files as the one before it."""
    made = []

    def make(more=""):
        if made:
            made[-1].stop()
        folder = tmp_path / str(len(made))
        folder.mkdir()
        ini = (INI % more).replace("{dir}/quota", str(tmp_path / "quota"))
        made.append(Gatehouse(folder, ini, **files))
        return made[-1]

    yield make
    for g in made:
        g.close()


def errors(g):
    return (g.dir / "error.log").read_text()


def test_it_is_kept_over_a_restart(again, server, tmp_path):
    first = again()
    until_refused(first, server, "gina")
    assert get(first, server, "ida").status == 200
    counts = {u: settled(first, u) for u in ("gina", "ida")}
    second = again()
    lines = (tmp_path / "quota").read_text().splitlines()
    today = (datetime.datetime.now(datetime.timezone.utc) -
             datetime.datetime(1970, 1, 1,
                               tzinfo=datetime.timezone.utc)).days
    assert lines == ["gatehouse quotas 1",
                     f"{today} {counts['gina']} out%20gina",
                     f"{today} {counts['ida']} out%20ida", "end 2"]
    assert oct((tmp_path / "quota").stat().st_mode)[-3:] == "600"
    until(lambda: used(second, "gina") == counts["gina"])
    assert get(second, server, "gina").status == 403
    assert get(second, server, "ida").status == 200
    # yesterday is over, and a file that is not ours is refused and kept
    second.stop()
    (tmp_path / "quota").write_text("\n".join(lines).replace(
        f"{today} {counts['gina']}", f"{today - 1} {counts['gina']}") + "\n")
    third = again()
    until(lambda: used(third, "ida"))
    assert get(third, server, "gina").status == 200
    third.stop()
    (tmp_path / "quota").write_text(f"gatehouse quotas 1\n{today} 5\n")
    fourth = again()
    until(lambda: (tmp_path / "quota.refused").exists())
    assert 'line=2 error="expected DAY USED NAME"' in errors(fourth)
    assert get(fourth, server, "ida").status == 200
    fourth.stop()
    assert "out%20ida" in (tmp_path / "quota").read_text()


def test_an_upgrade_goes_on_with_it(again, server, tmp_path):
    g = again()
    g.masters = []
    until_refused(g, server, "anna")
    before = settled(g, "anna")
    replace_master(g)
    try:
        assert get(g, server, "anna").status == 403
        assert used(g, "anna") == before
    finally:
        end_masters(g.masters)
    assert f"{before} out%20anna" in (tmp_path / "quota").read_text()


@pytest.mark.parametrize("value, said", [
    ("2g per {user}", "a quota is a size a day, for example 2g/d"),
    ("2g/d", "it lacks whose it is, for example `per {user}`"),
    ("2g/d per {user} zone=Mars/Base", "no 'Mars/Base'"),
    ("2g/d per {user} from=25:00", "expected from=HH:MM"),
    ("2g/d per {nobody}", "nobody"),
    ("0b/d per {user}", "at least one byte"),
])
def test_what_is_wrong_is_told(tmp_path, value, said):
    ini = tmp_path / "x.ini"
    ini.write_text("[listen x]\naddress = :1\nmode = forward\npolicy = out\n"
                   f"[forward out]\nquota = {value}\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 1 and said in done.stderr
    assert ":6:" in done.stderr
