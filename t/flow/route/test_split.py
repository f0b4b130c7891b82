"""split: shares of a route's requests go to other upstreams, kept to closely by
each worker; or by a key, so that a client stays where it is."""
import collections

import pytest

from lib import admin
from lib.gatehouse import run
from lib.origin import ok
from lib.procs import until

INI = """
[global]
workers = %(workers)s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
%(site)s
[upstream app]
server = {main}
[upstream canary]
server = {canary}
[upstream beta]
server = {beta}
""" + admin.SECTION


@pytest.fixture
def split(gatehouse, origin):
    """split("keys of the site and sections", workers=): (gatehouse, ask);
    ask(n, path, header lines) counts who answered."""
    def make(site, workers=1):
        names = {text.decode(): origin(
            lambda conn, r, text=text: conn.send(ok(text))).address
                 for text in (b"main", b"canary", b"beta")}
        gh = gatehouse(INI % {"site": site, "workers": workers}, **names)

        def ask(n, path="/", **kwargs):
            got = collections.Counter()
            with gh.client() as c:
                for _ in range(n):
                    got[c.get(path, **kwargs).text] += 1
            return got

        return gh, ask

    return make


def near(got, want):
    """Turns are even: some requests more or less."""
    return all(abs(got[k] - n) <= 4 for k, n in want.items())


def test_a_share_is_kept_to(split):
    """5 % and 20 % of one worker's requests; the rest stays; both numbers are
    counted."""
    gh, ask = split("split = 5% canary\nsplit = 20% beta")
    got = ask(1000)
    assert near(got, {"canary": 50, "beta": 200, "main": 750}), got
    until(lambda: admin.status(gh)["counters"]["splits_total"] ==
          got["canary"] + got["beta"])


def test_of_all_workers_together(split):
    """Each keeps to it, so all do."""
    _, ask = split("split = 25% canary", workers=3)
    got = sum((ask(20) for _ in range(30)), collections.Counter())
    assert abs(got["canary"] - 150) <= 12, got


def test_nothing_and_all(split):
    """0 % is none, 100 % is all."""
    _, ask = split("split = 0% canary\n[route test /all]\nsplit = 100% beta")
    assert ask(50) == {"main": 50}
    assert ask(50, "/all") == {"beta": 50}


def user(n):
    return b"X-User: %d\r\n" % n


def test_by_a_key_clients_stay(split):
    """Each goes the same way again, and in about the share."""
    _, ask = split("split = 30% canary by={header:X-User}")
    first = [ask(2, extra=user(i)) for i in range(200)]
    assert all(len(got) == 1 for got in first)
    n = sum(got["canary"] > 0 for got in first)
    assert 30 <= n <= 90
    # nobody has no name: one address is one client
    assert len(ask(10)) == 1


def test_a_share_that_grows_keeps_its_clients(split):
    """Over a reload: who was of 20 % is of 50 %, too."""
    line = "split = %s canary by={header:X-User}"
    gh, ask = split(line % "20%")
    before = [i for i in range(60) if ask(1, extra=user(i))["canary"]]
    gh.reload(gh.ini.read_text().replace("20%", "50%"))
    after = [i for i in range(60) if ask(1, extra=user(i))["canary"]]
    assert before and set(before) < set(after)


def test_who_names_its_own_takes_none(split):
    """A route's own upstream, a route that inherits, a rule of each kind."""
    _, ask = split("""split = 100% canary
[route test /own]
upstream = beta
[route test /same]
strip_prefix = /same
[route test /none]
split = none
[rule test r]
match = arg:rule
upstream = beta
[rule test s]
match = arg:share
split = 100% beta
""")
    assert ask(3) == {"canary": 3}
    assert ask(3, "/own") == {"beta": 3}
    assert ask(3, "/same") == {"canary": 3}
    assert ask(3, "/none") == {"main": 3}
    assert ask(3, "/?rule=1") == {"beta": 3}
    assert ask(3, "/?share=1") == {"beta": 3}


ERRORS = {
    "split = 60% canary\nsplit = 50% beta":
        "split: the shares are more than 100% together",
    "split = 60% canary\n[route test /r]\nsplit = 50% beta":
        "with those of the sections around it the shares are more than 100%",
    "split = canary": "split: canary:",
    "split = 5%": "expected a share and an upstream",
    "split = 101% canary": "at most 100%",
    "split = 5% canari": "did you mean 'canary'",
    "split = 5% canary to=x": "unknown word 'to=x'",
    "split = 5% canary by=x": "needs a {variable}",
    "split = 5% canary by={status}": "status",
    "split = 5% canary by={path}\nsplit = 5% beta by={path}":
        "by= stands twice",
    "[route test /r]\nrespond = 200 x\nsplit = 5% canary":
        "only an upstream's requests can be shared",
    "mirror = nobody": "upstream 'nobody' is not defined",
    "mirror = beta\nmirror = canary": "mirror stands twice",
    "mirror = 5% beta more": "nothing behind the upstream",
}


@pytest.mark.parametrize("lines", ERRORS)
def test_what_is_wrong_is_told(lines, tmp_path):
    """At its line."""
    ini = tmp_path / "x.ini"
    text = INI % {"site": lines, "workers": 1}
    for name in ("main", "canary", "beta"):
        text = text.replace("{%s}" % name, "127.0.0.1:1")
    text = text.replace("{port}", "1").replace("{dir}", str(tmp_path))
    ini.write_text(text)
    done = run("-t", "-c", str(ini))
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if ERRORS[lines] in line]
    assert said, done.stderr
    wrong = int(said[0].split(":")[1])
    assert text.splitlines()[wrong - 1].startswith(("split", "mirror"))


def test_explained(split):
    """Both ways: by a key the share that it is of, by turns the rest."""
    gh, ask = split("""split = 10% beta
[route test /key]
split = none
split = 50% canary by={header:X-User}
mirror = beta
""")

    def explain(path, *args):
        done = run("explain", "GET", f"http://127.0.0.1:{gh.port}{path}",
                   *args, "-c", str(gh.ini))
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = explain("/")
    assert "10.0% to beta" in told and "taken to be of the rest" in told
    ways = set()
    for i in range(12):
        told = explain("/key", "-H", f"X-User: {i}")
        way = "50.0% to canary: this one" in told
        ways.add(way)
        assert "mirror" in told and "a copy to beta" in told
        assert f"upstream         {'canary' if way else 'app'}" in told
        assert bool(ask(1, "/key", extra=user(i))["canary"]) == way
    assert ways == {True, False}
