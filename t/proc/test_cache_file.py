"""[cache] file: what a cache holds outlives the process; what is doubtful does
not."""
import base64
import hashlib
import os
import resource
import signal
import subprocess

import pytest

from lib import admin
from lib.codings import dcz
from lib.gatehouse import BINARY, WAIT_S, Gatehouse
from lib.origin import ok
from lib.procs import end_masters, kill_and_wait, stop, until, wait_gone
from lib.soak_origin import range_of

INI = """
[global]
workers = 2
shared_memory = 160m
log_level = info
shutdown_timeout = 20s
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
upstream = app
cache = pages
[upstream app]
server = {origin}
[cache pages]
memory = 48m
max_object = 16m
status_header = on
purge_allow = 127.0.0.0/8
file = {file}
"""
FRESH = b"Cache-Control: max-age=600\r\nETag: \"e\"\r\n"
BODY = b"".join(b"%07d " % i for i in range(20000))


def numbered(conn, request):
    """Another answer each time; a validation finds nothing new."""
    if request.get("if-none-match"):
        conn.send(b"HTTP/1.1 304 Not Modified\r\n" + FRESH + b"\r\n")
        return
    conn.send(ok(b"%d %s" % (conn.number, request.target.encode()) + BODY,
                 FRESH + b"Connection: close\r\n"))
    conn.close()


class Site:
    """A gatehouse that can be ended and started again."""

    def __init__(self, folder, make_origin, script=numbered):
        self.folder = folder
        self.file = folder / "kept" / "pages"
        self.file.parent.mkdir(mode=0o700)
        self.origin = make_origin(script)
        self.gh = None

    def start(self, ini=INI):
        self.gh = Gatehouse(self.folder, ini, file=self.file,
                            origin=self.origin.address)
        return self.gh

    def end(self, sig=signal.SIGQUIT):
        assert self.gh.stop(sig) == 0
        self.gh.close()

    def again(self, ini=INI, sig=signal.SIGQUIT):
        self.end(sig)
        self.start(ini)

    def kill_all(self):
        pids = [self.gh.process.pid, *self.gh.children()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            wait_gone(pid)
        self.gh.process.wait(WAIT_S)
        self.gh.close()

    def loaded(self):
        """Wait until all that is to come out of the file has come; its line."""
        def lines():
            return [line for line in self.gh.stderr().splitlines()
                    if "cache file loaded" in line]
        return until(lines, what="loading")[0]

    def get(self, path, **kwargs):
        with self.gh.client() as c:
            return c.get(path, **kwargs)

    def fill(self, n=20):
        return {f"/{i}": self.get(f"/{i}").body for i in range(n)}

    def hits(self, content):
        """The paths that are still answered from the cache, as they were."""
        found = set()
        for path, body in content.items():
            r = self.get(path, extra=b"Cache-Control: only-if-cached\r\n")
            if r.status != 504:
                assert r.body == body
                found.add(path)
        return found


@pytest.fixture
def site(tmp_path, origin):
    made = Site(tmp_path, origin)
    yield made
    if made.gh is not None and made.gh.process.returncode is None:
        made.gh.close()


@pytest.mark.parametrize("sig", [signal.SIGQUIT, signal.SIGTERM])
def test_a_stop_and_a_start_keep_the_content(site, sig):
    site.start()
    content = site.fill()
    age = int(site.get("/3").get("age"))
    site.again(sig=sig)
    assert "whole=yes objects=20 damaged=0" in site.loaded()
    assert site.hits(content) == set(content)
    assert len(site.origin.requests) == 20
    assert age <= int(site.get("/3").get("age")) < 600
    assert site.file.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in site.file.parent.iterdir()] == ["pages"]


def test_slices_are_kept_with_what_ties_them(tmp_path, origin):
    def script(conn, request):
        first, last = range_of(request.get("range"), len(BODY))
        conn.send(b"HTTP/1.1 206 Part\r\n" + FRESH +
                  b"Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n"
                  b"\r\n%s" % (first, last, len(BODY), last + 1 - first,
                               BODY[first:last + 1]))

    site = Site(tmp_path, origin, script)
    ini = INI + "slice = 64k\n"
    site.start(ini)
    assert site.get("/x").body == BODY
    site.again(ini)
    assert "whole=yes objects=4 damaged=0" in site.loaded()
    assert site.hits({"/x": BODY})
    assert site.get("/x", extra=b"Range: bytes=-9\r\n").body == BODY[-9:]
    assert len(site.origin.requests) == 3
    site.end()


def test_age_goes_on_while_nobody_runs(tmp_path, origin):
    """The origin says that its answer is 100 s old; the cache adds to that."""
    def aged(conn, _request):
        conn.send(ok(b"x", FRESH + b"Age: 100\r\n"))

    site = Site(tmp_path, origin, aged)
    site.start()
    site.get("/")
    site.again()
    site.loaded()
    assert 100 <= int(site.get("/").get("age")) < 600
    assert len(site.origin.requests) == 1
    site.end()


def test_variants_are_found_again(tmp_path, origin):
    def script(conn, request):
        conn.send(ok(request.get("accept-language").encode(), FRESH + b"Vary: Accept-Language\r\n"))

    def get(lang):
        with site.gh.client() as c:
            return c.get("/", extra=b"Accept-Language: %s\r\n" % lang).body

    site = Site(tmp_path, origin, script)
    site.start()
    assert [get(b"en"), get(b"de")] == [b"en", b"de"]
    site.again()
    site.loaded()
    assert [get(b"en"), get(b"de")] == [b"en", b"de"]
    assert len(site.origin.requests) == 2
    site.end()


def test_what_was_purged_stays_away(site):
    site.start()
    content = site.fill(3)
    with site.gh.client() as c:
        c.send(b"PURGE /1 HTTP/1.1\r\nHost: test\r\n\r\n")
        assert c.reader.response().status in (200, 204)
    site.again()
    site.loaded()
    assert site.hits(content) == {"/0", "/2"}


def written(gh):
    """What the status says of it, once something was written."""
    return until(lambda: admin.status(gh)["cache_file"], what="a file")


@pytest.mark.parametrize("is_running", [False, True])
def test_a_kill_costs_what_came_since(site, is_running):
    """What was written before may not be true any more: it is validated."""
    site.start(INI + admin.SECTION)
    content = site.fill(5)
    if is_running:
        assert admin.status(site.gh)["cache_file"] is None
        site.gh.reload((INI + admin.SECTION).replace("{file}", "{file}.other"))
        assert written(site.gh)["ok"] is True
        assert "\ncache file   written at 20" in admin.cli(site.gh).stdout
        site.file.with_name("pages.other").rename(site.file)
    else:
        site.again()
        site.loaded()
    more = {"/new": site.get("/new").body}
    site.kill_all()
    n = len(site.origin.requests)
    site.start()
    assert "objects=5" in site.loaded()
    for path, body in content.items():
        assert site.get(path).body == body
    asked = site.origin.requests[n:]
    assert len(asked) == 5
    assert all(r.get("if-none-match") for r in asked)
    assert site.hits(content) == set(content)
    assert site.hits(more) == set()


def test_a_start_that_fails_changes_nothing(site):
    site.start()
    content = site.fill(3)
    site.end()
    before = site.file.read_bytes()
    gh = Gatehouse(site.folder, INI + "[log x]\npath = {dir}/none/log\n",
                   wait=False, file=site.file, origin=site.origin.address)
    assert gh.process.wait(WAIT_S) == 1
    gh.close()
    assert site.file.read_bytes() == before
    site.start()
    site.loaded()
    assert site.hits(content) == set(content)
    assert len(site.origin.requests) == 3


def test_a_kill_without_a_file_begins_empty(site):
    site.start()
    content = site.fill(3)
    site.kill_all()
    assert not site.file.exists()
    site.start()
    assert site.hits(content) == set()


def test_a_damaged_file_gives_what_is_whole(site):
    site.start()
    content = site.fill()
    site.end()
    data = bytearray(site.file.read_bytes())
    for path in (b"/3", b"/9", b"/17"):
        data[data.index(path + BODY[:20]) + 5000] ^= 1
    site.file.write_bytes(data)
    site.start()
    assert "damaged=3" in site.loaded()
    assert site.hits(content) == set(content) - {"/3", "/9", "/17"}


@pytest.mark.parametrize("make", [
    lambda data: data[:len(data) // 2],
    lambda data: data[:5],
    lambda data: b"",
    lambda data: b"nonsense" * 100000,
    lambda data: data[:200] + bytes(len(data)),
], ids=["half", "five", "empty", "nonsense", "zeros"])
def test_what_is_no_snapshot_costs_nothing(site, make):
    site.start()
    content = site.fill()
    site.end()
    site.file.write_bytes(make(site.file.read_bytes()))
    site.start()
    until(lambda: "cache file" in site.gh.stderr(), what="a word of it")
    site.hits(content)
    content = site.fill()
    assert site.hits(content) == set(content)


def test_a_file_that_others_may_write_is_not_read(site):
    site.start()
    content = site.fill(2)
    site.end()
    site.file.chmod(0o666)
    site.start()
    assert "cache file not used" in site.gh.stderr()
    assert site.hits(content) == set()


def test_a_link_is_not_followed(site, tmp_path):
    site.start()
    content = site.fill(2)
    site.end()
    other = tmp_path / "other"
    site.file.rename(other)
    before = other.read_bytes()
    site.file.symlink_to(other)
    site.start()
    assert "cache file not used" in site.gh.stderr()
    assert site.hits(content) == set()
    site.end()
    # it gives way to a file; what it pointed to is as it was
    assert not site.file.is_symlink()
    assert other.read_bytes() == before


def test_a_full_disk_costs_the_snapshot_alone(site):
    site.start()
    content = site.fill(3)
    site.again()
    site.loaded()
    old = site.file.read_bytes()
    more = site.fill(20)
    resource.prlimit(site.gh.process.pid, resource.RLIMIT_FSIZE,
                     (len(old) // 2, len(old) // 2))
    # the next one has the limit of its master
    pid = admin.steward(site.gh)
    kill_and_wait(pid)
    until(lambda: admin.steward(site.gh) not in (None, pid), what="a steward")
    site.end()
    assert "cache file not written" in site.gh.stderr()
    assert site.file.read_bytes() == old
    assert [p.name for p in site.file.parent.iterdir()] == ["pages"]
    site.start()
    site.loaded()
    for path, body in content.items():
        assert site.get(path).body == body
    assert set(content) <= set(more)


def test_a_folder_that_is_not_there_costs_the_snapshot_alone(site):
    site.start(INI + admin.SECTION)
    content = site.fill(2)
    site.gh.reload((INI + admin.SECTION).replace("{file}", "{file}/none"))
    assert written(site.gh)["ok"] is False
    assert site.hits(content) == set(content)
    site.end()
    assert "cache file not written" in site.gh.stderr()


def test_a_steward_that_dies_while_it_writes_leaves_the_old_file(site):
    site.start()
    site.fill(3)
    site.again()
    site.loaded()
    old = site.file.read_bytes()
    site.fill(20)
    pid = admin.steward(site.gh)
    stop(pid)
    site.gh.send_signal(signal.SIGQUIT)
    temp = site.file.with_name("pages.new")
    until(temp.exists, what="the beginning of a file")
    kill_and_wait(pid)
    assert site.gh.process.wait(WAIT_S) == 0
    assert site.file.read_bytes() == old
    assert not temp.exists()


def test_what_a_killed_master_left_is_written_anew(site):
    temp = site.file.with_name("pages.new")
    temp.write_bytes(b"left")
    site.start()
    content = site.fill(2)
    site.again()
    site.loaded()
    assert not temp.exists()
    assert site.hits(content) == set(content)


def test_another_path_takes_effect_by_a_reload(site):
    site.start()
    content = site.fill(3)
    ini = INI.replace("{file}", "{file}.other")
    site.gh.reload(ini)
    assert site.hits(content) == set(content)
    site.again(ini)
    assert not site.file.exists()
    assert site.file.with_name("pages.other").exists()
    site.loaded()
    assert site.hits(content) == set(content)


def test_reloads_and_the_generations_of_them_keep_one_file(site):
    site.start()
    content = site.fill(3)
    for _ in range(3):
        site.gh.reload()
    content.update(site.fill(5))
    site.again()
    assert "objects=5" in site.loaded()
    assert site.hits(content) == set(content)


def test_each_cache_has_its_own_file(site):
    ini = INI + """
[site other]
hosts = other
upstream = app
cache = more
[cache more]
memory = 8m
status_header = on
file = {file}.more
"""

    def other(extra=b""):
        with site.gh.client() as c:
            return c.get("/", host="other", extra=extra)

    site.start(ini)
    content = site.fill(4)
    body = other().body
    site.again(ini)
    until(lambda: site.gh.stderr().count("cache file loaded") == 2,
          what="both files")
    assert site.hits(content) == set(content)
    assert other(b"Cache-Control: only-if-cached\r\n").body == body


def test_an_upgrade_leaves_the_file_to_the_new_master(site):
    ini = INI.replace("[global]", "[global]\npid_file = {dir}/pid")

    def pid_of():
        return int((site.gh.dir / "pid").read_text().splitlines()[0])

    site.start(ini)
    content = site.fill(4)
    old = pid_of()
    masters = []
    try:
        os.kill(old, signal.SIGUSR2)
        until(lambda: pid_of() != old, what="a new master")
        masters.append(pid_of())
        wait_gone(old)
        assert site.hits(content) == set(content)
        assert not site.file.exists()
        content["/new"] = site.get("/new").body
    finally:
        end_masters(masters)
    assert "cache file loaded" not in site.gh.stderr()
    site.gh.close()
    site.start()
    assert "objects=5" in site.loaded()
    assert site.hits(content) == set(content)


def test_a_smaller_cache_takes_what_fits(site):
    site.start()
    content = site.fill(40)
    site.again(INI.replace("memory = 48m", "memory = 2m"))
    assert "whole=yes" in site.loaded()
    assert 5 <= len(site.hits(content)) < 15


def check(ini):
    return subprocess.run([BINARY, "-t", "-c", str(ini)], text=True,
                          capture_output=True, timeout=WAIT_S, check=False)


def test_a_check_tells_where_it_could_not_be_written(tmp_path):
    ini = tmp_path / "a.ini"
    text = INI.replace("{port}", "1").replace("{origin}", "127.0.0.1:1")
    ini.write_text(text.replace("{file}", f"{tmp_path}/pages"))
    r = check(ini)
    assert r.returncode == 0 and "pages" not in r.stderr
    ini.write_text(text.replace("{file}", f"{tmp_path}/none/pages"))
    r = check(ini)
    assert r.returncode == 0
    assert "none/pages could not be written here" in r.stderr


def test_two_caches_cannot_have_one_file(tmp_path):
    ini = tmp_path / "a.ini"
    text = INI.replace("{port}", "1").replace("{origin}", "127.0.0.1:1")
    ini.write_text((text + "[cache more]\nfile = {file}\n").replace(
        "{file}", f"{tmp_path}/pages"))
    r = check(ini)
    assert r.returncode == 1
    assert "it is the file of [cache pages] already" in r.stderr


def test_dictionaries_come_back(tmp_path, origin):
    """What clients have of before the end is still known (RFC 9842)."""
    old = b"".join(b"%x " % hash(str(i)) for i in range(400))

    def script(conn, request):
        conn.send(ok(old + request.target.encode(), FRESH +
                     b"Content-Type: text/plain\r\n"
                     b"Use-As-Dictionary: match=\"/*\"\r\n"))

    site = Site(tmp_path, origin, script)
    ini = INI.replace("cache = pages\n", "cache = pages\ncompress = dcz\n")
    site.start(ini)
    had = site.get("/1").body
    site.again(ini)
    site.loaded()
    digest = base64.b64encode(hashlib.sha256(had).digest())
    r = site.get("/2", extra=b"Accept-Encoding: dcz\r\n"
                 b"Available-Dictionary: :%s:\r\n" % digest)
    assert dcz(r.body, had) == old + b"/2"
    site.end()
