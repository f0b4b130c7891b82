"""Listening sockets: every form of address, over starts, reloads and ends."""
import os
import signal
import socket
import stat
import subprocess

import pytest

from lib.gatehouse import BINARY, free_port, run
from lib.procs import Load, until
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
[listen x]
address = {address}
[site test]
hosts = *
respond = 200 one
"""


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="needs IPv6")


def get(address, family=socket.AF_INET):
    with socket.socket(family) as s:
        s.settimeout(WAIT_S)
        s.connect(address)
        s.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(4096), b""))
        return answer.split(b"\r\n\r\n")[1]


def is_open(address, family=socket.AF_INET):
    try:
        return get(address, family) == b"one"
    except ConnectionRefusedError:
        return False


@needs_ipv6
@pytest.mark.parametrize("address, v4, v6", [
    (":{port}", True, True),
    ("[::]:{port}", True, True),
    (":{port} [::]:{port}", True, True),
    ("0.0.0.0:{port} [::]:{port}", True, True),
    ("[::]:{port} 0.0.0.0:{port}", True, True),
    ("0.0.0.0:{port}", True, False),
    ("[::1]:{port}", False, True),
    ("127.0.0.1:{port} [::1]:{port}", True, True),
])
def test_addresses_of_both_families(gatehouse, address, v4, v6):
    """`:80` is all addresses of both; what other servers need two lines for
    may be written so, too; a reload takes the sockets over."""
    gh = gatehouse(INI.replace("{address}", address))
    for _ in range(2):
        assert is_open(("127.0.0.1", gh.port)) == v4
        assert is_open(("::1", gh.port), socket.AF_INET6) == v6
        gh.reload()


def test_two_listens_of_one_address_are_refused(tmp_path):
    """In two sections no one knows whose settings hold."""
    ini = tmp_path / "x.ini"
    for second in (":80", "[::]:80"):
        ini.write_text("[site s]\nrespond = 200 x\n[listen a]\n"
                       f"address = :80\n[listen b]\naddress = {second}\n")
        done = run("-t", "-c", ini)
        assert done.returncode == 1
        assert "x.ini:6:11: error: address" in done.stderr
        assert "is listened on twice, first in line 4" in done.stderr


def test_a_port_in_use_is_named(tmp_path):
    """With file, line, column; nothing else is left behind."""
    ini = tmp_path / "x.ini"
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        address = "127.0.0.1:%d" % s.getsockname()[1]
        ini.write_text(f"[listen x]\naddress = unix:{tmp_path}/s {address}\n"
                       "[site s]\nrespond = 200 x\n")
        done = run("-c", ini)
    assert done.returncode == 1
    assert f"error: cannot listen on {address}: Address already in use" \
        in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_unix_socket_lives_as_long_as_its_listener(gatehouse, tmp_path):
    """Made with mode 0666, kept over reloads without a gap, removed when no
    configuration names it, and at the end."""
    path = tmp_path / "s"
    other = tmp_path / "other"
    gh = gatehouse(INI.replace("{address}", f"unix:{path}"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    inode = path.stat().st_ino
    assert get(str(path), socket.AF_UNIX) == b"one"
    for _ in range(3):
        gh.reload()
        assert path.stat().st_ino == inode
        assert get(str(path), socket.AF_UNIX) == b"one"
    gh.reload(INI.replace("{address}", f"unix:{other}"))
    assert get(str(other), socket.AF_UNIX) == b"one"
    until(lambda: not path.exists(), what="the end of the old socket")
    assert gh.stop(signal.SIGTERM) == 0
    assert not other.exists()


def test_a_stale_unix_socket_is_replaced(gatehouse, tmp_path):
    """What a killed one left is in nobody's use."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    gatehouse(INI.replace("{address}", f"unix:{path}"))
    assert get(str(path), socket.AF_UNIX) == b"one"


@pytest.mark.parametrize("what", ["live", "file", "no folder"])
def test_what_is_in_the_way_of_a_unix_socket_stays(tmp_path, what):
    """A socket that somebody listens on, and a file, are not ours."""
    path = tmp_path / "s"
    ini = tmp_path / "x.ini"
    with socket.socket(socket.AF_UNIX) as s:
        if what == "live":
            s.bind(str(path))
            s.listen()
        elif what == "file":
            path.write_text("precious")
        else:
            path = tmp_path / "no" / "s"
        ini.write_text(INI.replace("{address}", f"unix:{path}"))
        done = run("-c", ini)
        assert done.returncode == 1
        assert f"cannot listen on unix:{path}: " in done.stderr
        assert path.exists() == (what != "no folder")
        if what == "file":
            assert path.read_text() == "precious"


def activated(ini, sock, folder, fd=3):
    """gatehouse with the socket as its descriptor 3."""
    def place():
        os.dup2(sock.fileno(), fd)
        os.set_inheritable(fd, True)
    return subprocess.Popen([BINARY, "-c", str(ini)], pass_fds=[fd],
                            preexec_fn=place,
                            stderr=open(folder / "err", "wb"))


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_socket_of_the_service_manager(tmp_path, family):
    """fd:3 (socket activation): a blocking listener is served by all workers,
    also after reloads that drop it and name it again; its file and its
    queue are the manager's and outlive gatehouse."""
    pid = tmp_path / "pid"
    ini = tmp_path / "x.ini"
    port = free_port()
    text = (INI.replace("[global]", f"[global]\npid_file = {pid}")
            .replace("{address}", f"fd:3 127.0.0.1:{port}"))
    ini.write_text(text)
    with socket.socket(family) as s:
        s.bind(str(tmp_path / "s") if family == socket.AF_UNIX
               else ("127.0.0.1", 0))
        s.listen()
        where = s.getsockname()
        with activated(ini, s, tmp_path) as process:
            until(pid.exists)
            until(pid.read_text)
            assert [get(where, family) for _ in range(4)] == [b"one"] * 4
            # a worker that blocked in accept would not answer this
            assert [get(("127.0.0.1", port)) for _ in range(8)] == [b"one"] * 8
            for address, body in ((f"127.0.0.1:{port}", b"two"),
                                  (f"fd:3 127.0.0.1:{port}", b"three")):
                ini.write_text(text.replace(f"fd:3 127.0.0.1:{port}", address)
                               .replace("200 one", f"200 {body.decode()}"))
                process.send_signal(signal.SIGHUP)
                until(lambda b=body: get(("127.0.0.1", port)) == b)
            assert get(where, family) == b"three"
            process.send_signal(signal.SIGQUIT)
            assert process.wait(WAIT_S) == 0
        if family == socket.AF_UNIX:
            assert (tmp_path / "s").exists()
        # still listening: the next one takes it over
        with socket.socket(family) as c:
            c.connect(where)


@pytest.mark.parametrize("number", ["9", "99999999999", "x"])
def test_a_descriptor_that_is_no_listener_is_refused(tmp_path, number):
    """fd:9 when nothing was passed."""
    ini = tmp_path / "x.ini"
    ini.write_text(INI.replace("{address}", f"fd:{number}"))
    done = run("-c", ini)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "fd" in done.stderr


def backlog_of(port):
    """As ss shows it: Send-Q of a listening socket."""
    text = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], text=True,
                          capture_output=True, check=True).stdout
    return int(text.split()[2])


def test_the_backlog_is_what_is_written(gatehouse):
    """backlog, also when a reload changes it on the same socket."""
    line = "127.0.0.1:{port}\nbacklog = "
    gh = gatehouse(INI.replace("{address}", line + "7"))
    try:
        assert backlog_of(gh.port) == 7
    except FileNotFoundError:
        pytest.skip("needs ss")
    gh.reload(INI.replace("{address}", line + "33"))
    assert backlog_of(gh.port) == 33


def test_a_full_worker_leaves_the_rest_to_others(gatehouse):
    """worker_connections: beyond it connections wait in the queue and are
    served when others end; nothing is refused."""
    gh = gatehouse(INI.replace("workers = 2",
                               "workers = 1\nworker_connections = 16")
                   .replace("{address}", "127.0.0.1:{port}"))
    full = [gh.client() for _ in range(16)]
    for c in full:
        assert c.get().status == 200
    with gh.client() as late:
        late.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        # the first ones are still served while one waits
        assert full[0].get().status == 200
        full.pop().close()
        assert late.response().text == "one"
    for c in full:
        c.close()
    with Load(gh.port, 0, 4) as load:
        load.wait_answers(30)
    assert not load.failures


def test_an_address_of_another_machine_is_refused(tmp_path):
    """EADDRNOTAVAIL, named."""
    ini = tmp_path / "x.ini"
    ini.write_text(INI.replace("{address}", "192.0.2.1:8080"))
    done = run("-c", ini)
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1:8080: Cannot assign requested address" \
        in done.stderr
