"""URLs that are signed for a while: which are served, to whom and how long, and
what the server sees of them."""
import base64
import hashlib
import hmac
import re
import subprocess
import time

import pytest

from lib import admin
from lib.gatehouse import TOP, run
from lib.origin import ok
from lib.procs import until
from lib.wire import WAIT_S

SECRET = "a secret of thirty-two bytes or so"
INI = """
[global]
workers = 1
[log access]
path = {dir}/access.log
format = {path} {status} {fault} {user}
buffer = none
[listen x]
address = 127.0.0.1:{port}

trusted_proxies = 127.0.0.1
[site test]
hosts = *
upstream = app
auth = links
request_header = X-User: {user}
[route test /passed]
auth = passing
[route test /own]
auth = own
[rule test partners]
match = user = anna
response_header = X-Partner: yes
[upstream app]
server = {origin}
[users people]
groups_file = {files}/groups
[auth links]
scheme = hmac
secret = file:{files}/secret
users = people
skew = 10s
[auth passing]
scheme = hmac
secret = file:{files}/secret
pass = on
[auth own]
scheme = hmac
secret = file:{files}/secret
query = X-Own-
""" + admin.SECTION


@pytest.fixture(scope="module")
def world(tmp_path_factory, shared_gatehouse, shared_origin):
    """(gatehouse, origin)."""
    folder = tmp_path_factory.mktemp("links")
    (folder / "secret").write_text(SECRET)
    (folder / "groups").write_text("partners: anna\n")
    o = shared_origin(lambda conn, r: conn.send(ok()))
    return shared_gatehouse(INI, origin=o.address, files=folder), o


def signature(*lines, secret=SECRET):
    """Of the lines that doc/auth.md lists."""
    made = hmac.digest(secret.encode(),
                       "".join(f"{line}\n" for line in lines).encode(),
                       hashlib.sha256)
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def url(path="/a", query="", prefix="gh_", expires=None, user="", ip="",
        method="GET", host="test", secret=SECRET):
    """Such a URL without scheme and host."""
    expires = str(int(time.time()) + 3600) if expires is None else str(expires)
    sent = signature(method, host, path, query, expires, user, ip,
                     secret=secret)
    parts = [query] if query else []
    parts += [f"{prefix}expires={expires}"]
    parts += [f"{prefix}user={user}"] if user else []
    parts += [f"{prefix}ip={ip}"] if ip else []
    return path + "?" + "&".join(parts + [f"{prefix}signature={sent}"])


def ask(world, target, *lines, method="GET", host="test"):
    """(answer, what reached the server or None)."""
    gh, o = world
    before = len(o.requests)
    with gh.client() as c:
        r = c.get(target, extra="".join(f"{x}\r\n" for x in lines).encode(),
                  method=method, host=host)
    return r, o.requests[-1] if len(o.requests) > before else None


def refused(world, target, *lines, **kwargs):
    r, got = ask(world, target, *lines, **kwargs)
    assert (r.status, got) == (403, None), target
    assert r.get("www-authenticate") is None
    return True


# --- what is served ----------------------------------------------------------

@pytest.mark.parametrize("target, seen, name", [
    (url(), "/a", "-"), (url(user="anna"), "/a", "anna"),
    (url("/a", "b=2&a=1"), "/a?b=2&a=1", "-"),
    (url("/a%20b/%C3%A4", "q=%2F&&x"), "/a%20b/%C3%A4?q=%2F&&x", "-"),
    (url("/own", "gh_user=x", prefix="X-Own-", user="bob"),
     "/own?gh_user=x", "bob")], ids=range(5))
def test_a_signed_url_is_served_without_its_arguments(world, target, seen,
                                                      name):
    r, got = ask(world, target, "X-User: forged")
    assert r.status == 200
    assert (got.target, got.all("x-user")) == (seen, [name])
    assert r.get("x-partner") == ("yes" if name == "anna" else None)


def test_arguments_may_stand_anywhere_and_be_escaped(world):
    now = str(int(time.time()) + 60)
    sent = signature("GET", "test", "/a", "b=2&a=1", now, "anna lee",
                     "2001:db8::/64")
    for query in (
            f"gh_signature={sent}&b=2&gh_user=anna%20lee&gh_expires={now}"
            "&a=1&gh_ip=2001:db8::/64",
            f"b=2&gh_ip=2001%3adb8%3a%3a%2F64&gh_user=%61nna%20lee&a=1&"
            f"gh_expires={now}&gh_signature={sent}"):
        r, got = ask(world, "/a?" + query, "X-Forwarded-For: 2001:db8::7")
        assert (r.status, got.target) == (200, "/a?b=2&a=1")
        assert got.get("x-user") == "anna lee"


def test_a_server_may_see_them(world):
    target = url("/passed", "a=1", user="anna")
    assert ask(world, target)[1].target == target


def test_it_is_the_host_that_counts_not_how_it_is_written(world):
    for host in ("test", "TEST", "test.", f"test:{world[0].port}"):
        assert ask(world, url(), host=host)[0].status == 200
    assert ask(world, url(host="::1"), host="[::1]")[0].status == 200


def test_get_and_head_are_one(world):
    assert ask(world, url(), method="HEAD")[0].status == 200
    assert refused(world, url(), method="DELETE")
    assert refused(world, url(method="HEAD"), method="HEAD")
    assert ask(world, url(method="DELETE"), method="DELETE")[0].status == 200
    assert refused(world, url(method="DELETE"))


# --- what is not -------------------------------------------------------------

def test_it_ends(world):
    now = int(time.time())
    assert ask(world, url(expires=now - 2))[0].status == 200  # skew
    assert refused(world, url(expires=now - 11))
    later = url(expires=now - 11)
    assert refused(world, later.replace(str(now - 11), str(now + 60)))


@pytest.mark.parametrize("target", [
    "/a", "/a?x=1", url().replace("/a?", "/b?"), url().replace("/a?", "/a/?"),
    url().replace("/a?", "/%61?"), url() + "&x=1",
    url(query="x=1").replace("x=1", "x=2"),
    url(query="x=1&y=2").replace("x=1&y=2", "y=2&x=1"),
    url(query="x=1").replace("x=1&", ""), url(host="other"),
    url(user="anna").replace("anna", "root"),
    url(user="anna").replace("gh_user=anna&", ""), url() + "&gh_user=anna",
    url(secret=SECRET + "x"), url()[:-1], url() + "A", url() + "=",
    url(expires="soon"), url(expires=-1), url(expires=10**12),
    url(user="a%0Ab"), url("/own"), url(prefix="X-Own-"),
    url().replace("signature=", "signature=!")], ids=range(24))
def test_nothing_else_is_served(world, target):
    assert refused(world, target)


@pytest.mark.parametrize("more", [
    "gh_expires=9999999999", "gh_signature=" + "A" * 43, "gh_user=a&gh_user=a",
    "gh_user", "gh_ip=", "gh_=1", "gh_more=1", "gh_user=%4", "gh_user=%zz"])
@pytest.mark.parametrize("is_first", [True, False])
def test_what_can_be_read_in_two_ways_is_refused(world, more, is_first):
    target = url()
    assert refused(world, target.replace("?", f"?{more}&") if is_first
                   else f"{target}&{more}")


def test_no_argument_stands_there_twice(world):
    """Not even with the same value, which every reading would believe."""
    target = url(query="x=1", user="anna", ip="192.0.2.7")
    client = "X-Forwarded-For: 192.0.2.7"
    assert ask(world, target, client)[0].status == 200
    for pair in target.split("?")[1].split("&")[1:]:
        assert refused(world, f"{target}&{pair}", client)


def test_a_host_of_another_site_is_another_one(world):
    assert refused(world, url(), host="other")
    assert ask(world, url(host="other"), host="other")[0].status == 200


def test_it_may_be_for_one_client(world):
    def came(ip, client):
        return ask(world, url(ip=ip), f"X-Forwarded-For: {client}")[0].status

    assert came("192.0.2.7", "192.0.2.7") == 200
    assert came("192.0.2.7", "192.0.2.8") == 403
    assert came("192.0.2.0/24", "192.0.2.8") == 200
    assert came("2001:db8::/64", "2001:db8::5") == 200
    assert came("2001:db8::/64", "2001:db8:0:1::5") == 403
    assert came("nowhere", "192.0.2.7") == 403
    other = url(ip="192.0.2.7").replace("192.0.2.7", "192.0.2.8")
    assert refused(world, other, "X-Forwarded-For: 192.0.2.8")


def test_what_is_refused_is_told_and_counted(world):
    gh, _ = world

    def count():
        return admin.status(gh)["counters"]["auth_refused_total"]

    before = count()
    assert refused(world, "/told") and refused(world, url("/told") + "A")
    until(lambda: count() == before + 1)
    log = gh.dir / "access.log"
    until(lambda: log.read_text().count("/told 403 url_not_signed") == 2)


def test_a_shell_can_make_one(world):
    """doc/auth.md, as it stands there."""
    text = (TOP / "doc" / "auth.md").read_text()
    script = re.search(r"(?m)(?:^    .*\n)*^    .*openssl dgst.*\n"
                       r"(?:^    .*\n)*", text).group()
    script = re.sub("(?m)^    ", "", script)
    done = subprocess.run(
        ["bash", "-c", script], text=True, capture_output=True, check=True,
        timeout=WAIT_S)
    target = done.stdout.strip().removeprefix("https://example.com")
    r, got = ask(world, target, host="example.com")
    assert (r.status, got.target) == (200, "/film.mp4?q=hd")


# --- mistakes, explain -------------------------------------------------------

MISTAKES = """[site test]
respond = 200 x
auth = a
[auth a]
scheme = hmac
%s
"""


@pytest.mark.parametrize("lines, place, told", [
    ("", "4:1", "needs a secret"),
    ("secret = short", "6:10", "shorter than 32"),
    (f"secret = {SECRET}\nquery = a&b", "7:9", "cannot begin with 'a&b'")],
    ids=range(3))
def test_mistakes_are_told_where_they_stand(tmp_path, lines, place, told):
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % lines)
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert re.search(rf"x\.ini:{place}: error: .*{told}", done.stderr), \
        done.stderr


def test_explain_says_why_a_url_is_refused(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(MISTAKES % f"secret = {SECRET}")
    for target, told in ((url(user="anna"), "a knows anna"),
                         (url(expires=1), "it has ended"),
                         (url() + "&gh_user=x", "the signature is another"),
                         ("/a", "its expiry is missing")):
        done = run("explain", "GET", f"http://test{target}", "-c", ini)
        assert told in done.stdout, target
