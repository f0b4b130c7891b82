"""`root` under attack: nothing outside the folder is told, whatever stands in
the path and whatever becomes of the folder meanwhile (doc/files.md)."""
import ctypes
import os
import pathlib
import socket
import stat
import threading

import pytest

from lib import h2
from lib.procs import until

SECRET = b"outside, nobody's business"
INSIDE = b"inside, for everybody"
AT_FDCWD, EXCHANGE = -100, 2
SWAPS = 150
MANY = 300
NOT_SMALL = 20000  # is not kept in memory

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
root = {www}
[route test /p/]
root = {www}/d
strip_prefix = /p
[route test /proc/]
root = /proc
strip_prefix = /proc
"""


@pytest.fixture(scope="module")
def www(tmp_path_factory):
    top = tmp_path_factory.mktemp("top")
    www = top / "www"
    for path, content in (
            (top / "secret.txt", SECRET), (www / "a.txt", INSIDE),
            (www / "d/secret.txt", INSIDE), (www / "shut/a.txt", SECRET),
            (www / "pass/a.txt", INSIDE), (www / "race/secret.txt", INSIDE),
            (www / ("n" * 255), INSIDE), (www / "\udcff\udcfe", INSIDE),
            (www / "..a/..b", SECRET), (www / "semi;x", INSIDE)):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
    (top / "www-other").mkdir()
    (top / "www-other/secret.txt").write_bytes(SECRET)
    for path in (top, *top.rglob("*")):
        path.chmod(0o755)
    (www / "up").symlink_to("..")
    (www / "d/up").symlink_to("../../secret.txt")
    (www / "abs").symlink_to(top / "secret.txt")
    (www / "loop").symlink_to("loop")
    (www / "inner").symlink_to("d")
    (www / "self").symlink_to("/proc/self/fd")
    (www / "hole").symlink_to(top)
    (www / "shut").chmod(0)
    (www / "pass").chmod(0o711)
    with socket.socket(socket.AF_UNIX) as s:
        # a path of a socket is short
        here = os.open(www, os.O_PATH)
        s.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    return www


@pytest.fixture(scope="module")
def gh(shared_gatehouse, www):
    return shared_gatehouse(INI, www=www)


DEEP = "/".join(["x"] * 511)
OUTSIDE = [
    "/../secret.txt", "/%2e%2e/secret.txt", "/.%2e/secret.txt",
    "/%2E./secret.txt", "/%252e%252e/secret.txt", "/..%2fsecret.txt",
    "/..%5csecret.txt", "/..\\secret.txt", "/%c0%ae%c0%ae/secret.txt",
    "/%uff0e%uff0e/secret.txt", "/..%00/secret.txt", "/..;/secret.txt",
    "/d/../../secret.txt", "/d/%2e%2e/%2e%2e/secret.txt",
    "/./.././secret.txt", "//../secret.txt", "/d//../../secret.txt",
    "/p/../secret.txt", "/p/..%2fsecret.txt", "/p/%2e%2e/%2e%2e/secret.txt",
    "/p../secret.txt", "/p/../../secret.txt", "/../www-other/secret.txt",
    "/-other/secret.txt", "/up/secret.txt", "/d/up", "/abs", "/abs/",
    "/loop", "/inner/secret.txt", "/inner/", "/hole/secret.txt", "/self/3",
    "/socket", "/socket/", "/shut/a.txt", "/..a/..b", "/%2e.a/..b",
    "/a.txt/../../secret.txt", "/a.txt%00.png", "/a.txt%0d%0a", "/a.txt%",
    "/a.txt%2", "/a.txt%zz", "/a.txt/", "/a.txt/.", "/a.txt/x",
    "/" + "n" * 256, "/" + "n" * 255 + "/x", "/" + DEEP, "/" + DEEP + "xxxxx",
    "//", "/%2f", "/%2f%2fetc/passwd", "//etc/passwd", "/etc/passwd",
    "/proc/self/environ", "/proc/self/root/etc/passwd", "/proc/1/cwd",
    "/proc/self/fd/3", "/proc/self/fd/", "/proc/thread-self/fd/4",
    "/proc/", "/proc", "/file:///etc/passwd"]


@pytest.mark.parametrize("path", OUTSIDE, ids=range(len(OUTSIDE)))
def test_nothing_outside_is_told(gh, path):
    """By either protocol, and neither is it an error of our own."""
    with gh.client() as c:
        r = c.get(path)
        assert r.status in (301, 400, 403, 404), r.status
        assert SECRET not in r.body and b"root:" not in r.body
        if r.status == 301:
            assert not r.get("location").startswith("//")
    with h2.Conn(("127.0.0.1", gh.port)) as c:
        got = c.get(path.encode())
        assert got.get("status") != b"200"


@pytest.mark.parametrize("path", [
    "/a.txt", "/p/secret.txt", "/pass/a.txt", "/" + "n" * 255, "/%ff%fe",
    "/semi;x", "/semi%3Bx", "/d/./secret.txt", "/d/../a.txt", "/x/../a.txt",
    "/%70ass/%61.txt"])
def test_what_is_inside_is_told(gh, path):
    with gh.client() as c:
        assert c.get(path).body == INSIDE


@pytest.mark.skipif(os.getuid() != 0, reason="who may make devices")
def test_devices_are_not_there(gh, www):
    for name, device in (("zero", (1, 5)), ("disk", (1, 0))):
        kind = stat.S_IFBLK if name == "disk" else stat.S_IFCHR
        try:
            os.mknod(www / name, kind | 0o666, os.makedev(*device))
        except PermissionError:
            pytest.skip("devices are made by nobody here")
        with gh.client() as c:
            assert c.get(f"/{name}").status == 404


def test_a_race_of_links_wins_nothing(gh, www):
    """A folder and a link out of the root change places all the time: each
    answer is the folder's or none."""
    (www / "link").symlink_to("..")
    libc = ctypes.CDLL(None, use_errno=True)
    done = threading.Event()

    def swap():
        while not done.is_set():
            assert libc.renameat2(
                AT_FDCWD, os.fsencode(www / "race"), AT_FDCWD,
                os.fsencode(www / "link"), EXCHANGE) == 0

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        with gh.client() as c:
            for i in range(SWAPS):
                # names that are not open yet: each one is looked for
                r = c.get("/race/%s" % (f"none{i}" if i % 2 else "secret.txt"))
                assert r.status in (200, 404)
                assert SECRET not in r.body
                if r.status == 200:
                    assert r.body == INSIDE
    finally:
        done.set()
        thread.join()


def held(gh, www):
    """What the workers have open below the folder."""
    found = []
    for pid in gh.workers():
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                found.append(os.readlink(fd))
            except OSError:
                continue
    return [name for name in found if name.startswith(f"{www}/many/")]


def statuses(gh, names):
    """One connection, all at once."""
    with gh.client() as c:
        c.send(b"".join(b"HEAD /many/%s HTTP/1.1\r\nHost: test\r\n\r\n" %
                        n.encode() for n in names))
        return [c.response("HEAD").status for _ in names]


@pytest.mark.skipif(os.getuid() != 0, reason="who may look into workers")
def test_open_files_are_bounded(gh, www):
    """Not one for each name that somebody asks for; and what is gone is let go
    when it is asked for."""
    names = [f"{i}.bin" for i in range(MANY)]
    (www / "many").mkdir()
    for name in names:
        (www / "many" / name).touch()
        os.truncate(www / "many" / name, NOT_SMALL)
    assert statuses(gh, names) == [200] * MANY
    assert 0 < len(held(gh, www)) <= 256
    for name in names:
        (www / "many" / name).unlink()
    until(lambda: statuses(gh, names) == [404] * MANY, what="their end")
    assert held(gh, www) == []
