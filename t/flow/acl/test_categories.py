"""`category` of an [acl], and `gatehouse categories build` which makes the
database that it looks into (doc/acl.md)."""
import pytest

from lib.gatehouse import run
from lib.procs import until

INI = """
[global]
workers = 1
[log access]
path = {dir}/access.log
format = {status} {acl} {category} {host}
buffer = none
[listen x]
address = 127.0.0.1:{port}
[listen proxy]
address = 127.0.0.1:{port1}
mode = forward
policy = office
[site test]
hosts = *
respond = 200
deny = unwanted
[acl unwanted]
category = ads adult
category_db = {db}
[forward office]
allow = press
[acl press]
category = press
category_db = {db}
"""
LISTS = {
    "ads.txt": "# of one's own\nads.test\n.tracker.test\n",
    "hosts": "127.0.0.1 localhost\n::1 ip6-localhost\n0.0.0.0 0.0.0.0\n"
             "0.0.0.0 banner.test pixel.test # c\n",
    "domains": "dirty.test\n192.0.2.7\n",
    "mixed.txt": "news.dirty.test press\nboth.test press ads\n",
}


def build(folder, *more):
    return run("categories", "build", folder / "c.db", folder / "ads.txt",
               f"ads:{folder}/hosts", f"adult:{folder}/domains",
               folder / "mixed.txt", *more)


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("categories")
    folder.chmod(0o755)
    for name, text in LISTS.items():
        (folder / name).write_text(text)
    done = build(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "8 names in 3 categories\n"
    return folder


@pytest.fixture(scope="module")
def gh(shared_gatehouse, lists):
    return shared_gatehouse(INI, ports=2, db=lists / "c.db")


def ask(gh, host):
    log = gh.dir / "access.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    with gh.client() as c:
        c.get("/", host=host)
    return until(lambda: log.read_text().splitlines()[before:],
                 what="a line")[0].rsplit(" ", 1)[0]


@pytest.mark.parametrize("host, said", [
    ("ads.test", "403 unwanted ads"),
    ("A.Ads.Test.", "403 unwanted ads"),
    ("x.tracker.test", "403 unwanted ads"),
    ("pixel.test", "403 unwanted ads"),
    ("www.dirty.test", "403 unwanted adult"),
    ("192.0.2.7", "403 unwanted adult"),
    ("both.test", "403 unwanted ads"),
    # the nearest name alone
    ("a.news.dirty.test", "200 - -"),
    ("localhost", "200 - -"),
    ("notads.test", "200 - -"),
    ("test", "200 - -"),
])
def test_a_host_is_judged_by_its_category(gh, host, said):
    assert ask(gh, host) == said


def test_a_forward_proxy_asks_for_the_host_it_goes_to(gh):
    with gh.client(gh.ports[1]) as c:
        for host in ("dirty.test", "x.test"):
            assert c.send(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n"
                          "\r\n".encode()).response().status == 403
    done = run("explain", "GET", "http://a.news.dirty.test/", "--listen",
               "proxy", "-c", gh.ini)
    assert "allow = press decides" in done.stdout
    assert "the host is in category press" in done.stdout


def test_explain_tells_the_category(gh):
    done = run("explain", "GET", "http://banner.test/", "-c", gh.ini)
    assert "the host is in category ads" in done.stdout


def test_a_reload_takes_another_database_over_and_refuses_a_doubtful_one(
        gh, lists):
    assert ask(gh, "late.test") == "200 - -"
    (lists / "late.txt").write_text("late.test ads\n")
    assert build(lists, lists / "late.txt").returncode == 0
    gh.reload()
    assert ask(gh, "late.test") == "403 unwanted ads"
    good = (lists / "c.db").read_bytes()
    for bad, why in ((good[:-1], "another length than it tells"),
                     (good[:100] + b"x" + good[101:], "its checksum is"),
                     (b"0.0.0.0 ads.test\n" * 9, "no database of categories")):
        (lists / "c.db").write_bytes(bad)
        gh.reload()
        until(lambda why=why: why in gh.stderr(), what=why)
        assert ask(gh, "late.test") == "403 unwanted ads"
    (lists / "c.db").write_bytes(good)
    gh.reload()
    assert ask(gh, "ads.test") == "403 unwanted ads"


def test_a_mistake_in_a_list_leaves_the_database_as_it_was(tmp_path):
    (tmp_path / "ads.txt").write_text("a.test\n")
    (tmp_path / "Bad.list").write_text("b.test ads\n  b.test\nb..test x\n")
    db = tmp_path / "c.db"
    assert run("categories", "build", db, tmp_path / "ads.txt").returncode == 0
    before = db.read_bytes()
    done = run("categories", "build", db, tmp_path / "Bad.list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Bad.list:2:3: error: the list has no category" in done.stderr
    assert "Bad.list:3:1: error: 'b..test': it is no name" in done.stderr
    done = run("categories", "build", db, tmp_path / "gone")
    assert done.returncode == 1 and "gone cannot be opened" in done.stderr
    done = run("categories", "build", tmp_path / "no" / "c.db",
               tmp_path / "ads.txt")
    assert done.returncode == 1 and "No such file" in done.stderr
    assert db.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "Bad.list", "ads.txt", "c.db"]


@pytest.mark.parametrize("args", [
    [], ["build"], ["build", "x.db"], ["show", "x.db", "a.txt"],
    ["build", "x.db", "--nonsense"], ["build", "", "a.txt"]])
def test_what_is_not_understood_is_status_2_and_its_usage(args):
    done = run("categories", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: gatehouse categories build" in done.stderr


def test_what_is_missing_is_told(tmp_path, lists):
    """The key, the file, a category that the database does not have."""
    ini = tmp_path / "x.ini"
    for lines, said in (
            ("category = ads", "category and category_db need each other"),
            (f"category_db = {lists}/c.db", "need each other"),
            (f"category = a\ncategory_db = {tmp_path}/no",
             f"{tmp_path}/no cannot be used: No such file"),
            (f"category = ads games\ncategory_db = {lists}/c.db",
             "4:16: error: the database has no category 'games'")):
        ini.write_text(f"[site s]\nrespond = 200\n[acl a]\n{lines}\n")
        done = run("-t", "-c", ini)
        assert done.returncode == 1
        assert said in done.stderr
