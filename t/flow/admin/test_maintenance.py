"""maintenance: closed by configuration or by the operator's order, which all
workers know at once and which outlives reloads (doc/presets.md)."""
import pytest

from lib.admin import SECTION, cli, status
from lib.gatehouse import run

INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[site a.test]
respond = 200 a
maintenance = off retry_after=10m allow=192.0.2.0/24,2001:db8::1
error_page = 503 closed.txt
[route a.test /free]
maintenance = off
[site b.test]
respond = 200 b
[route b.test /closed]
maintenance = on retry_after=90s
[route b.test /soon]
maintenance = on retry_after=1500ms
[rule b.test shut]
match = header:X-Shut = yes
maintenance = on
[site c.test]
respond = 200 c
maintenance = on
""" + SECTION


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    gh = shared_gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n"
                          "[site s]\nhosts = *\nrespond = 200\n" + SECTION)
    (gh.dir / "closed.txt").write_text("back soon: {status}")
    gh.reload(INI)
    return gh


def order(gh, *words):
    return run("maintenance", *words, "-c", gh.ini)


def asked(gh, host="a.test", path="/", extra=b"", times=6):
    """(status, content, Retry-After) that all of several connections get: both
    workers say the same."""
    got = set()
    for _ in range(times):
        with gh.client() as c:
            r = c.get(path, host=host, extra=extra)
            got.add((r.status, r.text if len(r.text) < 40 else "page",
                     r.get("retry-after")))
    assert len(got) == 1, got
    return got.pop()


def test_closed_by_configuration(gh):
    """A site, a route of an open one, a rule."""
    assert asked(gh, "c.test") == (503, "page", None)
    assert asked(gh, "b.test") == (200, "b", None)
    assert asked(gh, "b.test", "/closed") == (503, "page", "90")
    assert asked(gh, "b.test", "/soon") == (503, "page", "2")
    assert asked(gh, "b.test", extra=b"X-Shut: yes\r\n")[0] == 503
    with gh.client() as c:
        assert c.get("/", host="c.test").get("cache-control") == "no-store"


def test_an_order_closes_the_site_for_all_but_some(gh):
    """With its page and time; until the next order, over a reload, too."""
    assert asked(gh) == (200, "a", None)
    done = order(gh, "on", "a.test")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    closed = (503, "back soon: 503", "600")
    assert asked(gh) == closed
    for ip, status_ in (("192.0.2.7", 200), ("2001:db8::1", 200),
                        ("192.0.3.1", 503)):
        told = f"X-Forwarded-For: {ip}\r\n".encode()
        assert asked(gh, extra=told)[0] == status_
    assert asked(gh, "b.test") == (200, "b", None)
    gh.reload()
    assert asked(gh) == closed
    assert {"site": "a.test", "order": "on", "closed": True} in \
        status(gh)["maintenance"]
    assert order(gh, "auto", "a.test").returncode == 0
    assert asked(gh) == (200, "a", None)


def test_an_order_opens_what_is_configured_closed(gh):
    assert order(gh, "off", "c.test").returncode == 0
    assert asked(gh, "c.test") == (200, "c", None)
    shown = cli(gh).stdout
    assert "maintenance  c.test: open, by order\n" in shown
    assert order(gh, "auto", "c.test").returncode == 0
    assert asked(gh, "c.test")[0] == 503
    assert "maintenance  c.test: closed, as configured\n" in cli(gh).stdout


@pytest.mark.parametrize("words, code, why", [
    (["on", "none.test"], 1, "there is no site of this name"),
    (["on"], 2, "usage: gatehouse maintenance"),
    (["closed", "a.test"], 2, "usage: gatehouse maintenance"),
    (["on", "a.test", "b.test"], 2, "usage: gatehouse maintenance"),
])
def test_orders_that_mean_nothing(gh, words, code, why):
    done = order(gh, *words)
    assert done.returncode == code and why in done.stderr


@pytest.mark.parametrize("line", [
    "on often", "on allow=a", "on allow=", "on retry_after=10",
    "on retry_after=1s retry_after=2s", "on allow=10.0.0.1/8"])
def test_lines_that_mean_nothing(line, tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[site s]\nrespond = 200\nmaintenance = {line}\n"
                   "[route s /a]\nrespond = 200\n")
    said = run("-t", "-c", ini).stderr
    assert "neither retry_after=10m nor allow=" in said
    assert said.count("error:") == 1


def test_explain_shows_it(gh):
    done = run("explain", "GET", "http://c.test/", "-c", gh.ini)
    assert "maintenance" in done.stdout and "closed" in done.stdout


@pytest.mark.parametrize("words", [
    "retry_after=soon", "allow=a.test", "allow=", "allow=::1 allow=::2",
    "retry_after=1s retry_after=2s", "later"])
def test_a_slip_is_told(words, tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[site s]\nrespond = 200\nmaintenance = on {words}\n")
    said = run("-t", "-c", ini).stderr
    assert f"'{words.split()[-1]}' is neither retry_after=10m nor allow=" \
        "ADDRESS,NETWORK, each once" in said
