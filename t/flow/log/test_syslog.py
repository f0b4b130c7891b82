"""[log] syslog: lines to a server by RFC 5424, over UDP (RFC 5426), TCP with
counted octets (RFC 6587 3.4.1) and datagrams of a unix socket; serving never
waits for it."""
import os
import re
import socket
import tempfile
import threading
import time

import pytest

from lib import admin
from lib.gatehouse import free_port, run
from lib.procs import until
from lib.wire import WAIT_S

INI = """
[global]
workers = 1
error_log = {dir}/error.log
[log udp]
syslog = udp://127.0.0.1:{udp}
facility = local3
format = {request_id} {path} {header:X-Long}
buffer = none
[log tcp]
syslog = tcp://127.0.0.1:{tcp}
format = json
buffer = none
[log a-name-of-more-than-thirty-two-bytes]
syslog = unix:{unix}
format = {path} "{header:User-Agent}"
buffer = none
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
respond = 200
access_log = none
[route s /udp]
respond = 200
access_log = udp
[route s /tcp]
respond = 200
access_log = tcp
[route s /unix]
respond = 200
access_log = a-name-of-more-than-thirty-two-bytes
""" + admin.SECTION
# PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD (RFC 5424 6)
HEAD = (rb"<%d>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ([!-~]{1,255}) "
        rb"gatehouse (\d+) %s - ")
LOCAL3_INFO = 19 * 8 + 6
LOCAL7_INFO = 23 * 8 + 6


class Server:
    """The three servers of the configuration."""

    def __init__(self):
        # workers have to come by: not below the folder of all tests
        self.folder = tempfile.TemporaryDirectory(prefix="gh-syslog-")
        os.chmod(self.folder.name, 0o755)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix_path = f"{self.folder.name}/log.sock"
        self.unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.unix.bind(self.unix_path)
        os.chmod(self.unix_path, 0o666)
        self.tcp_port = free_port()
        self.tcp = self.conn = None
        for s in (self.udp, self.unix):
            s.settimeout(WAIT_S)

    def listen(self):
        self.tcp = socket.create_server(("127.0.0.1", self.tcp_port))
        self.tcp.settimeout(WAIT_S)

    def messages(self, n):
        """Of n messages by TCP what is left when their counts are taken off."""
        if self.conn is None:
            self.conn, _ = self.tcp.accept()
            self.conn.settimeout(WAIT_S)
            self.data = b""
        found = []
        while len(found) < n:
            whole = re.match(rb"([1-9]\d*) ", self.data)
            end = whole.end() + int(whole[1]) if whole else None
            if end is None or len(self.data) < end:
                more = self.conn.recv(1 << 20)
                assert more, self.data
                self.data += more
                continue
            found.append(self.data[whole.end():end])
            self.data = self.data[end:]
        return found

    def hang_up(self):
        self.conn.close()
        self.tcp.close()
        self.conn = None

    def close(self):
        for s in (self.udp, self.unix, self.tcp, self.conn):
            if s:
                s.close()
        self.folder.cleanup()


@pytest.fixture(scope="module")
def server():
    s = Server()
    yield s
    s.close()


@pytest.fixture(scope="module")
def gh(shared_gatehouse, server):
    server.listen()
    return shared_gatehouse(INI, udp=server.udp.getsockname()[1],
                            tcp=server.tcp_port, unix=server.unix_path)


def ask(gh, path, n=1, extra=b""):
    with gh.client() as c:
        for _ in range(n):
            assert c.get(path, extra=extra).status == 200


def test_datagrams_of_udp(gh, server):
    """RFC 5424 6: facility and severity, the name of the log, one message a
    line without its end; what is long is cut to what one may have."""
    ask(gh, "/udp", extra=b"X-Request-Id: abc\r\n")
    got = server.udp.recv(65536)
    found = re.fullmatch(HEAD % (LOCAL3_INFO, b"udp") +
                         rb"([0-9a-f]{32}) /udp -", got)
    assert found, got
    assert int(found[2]) in gh.workers()
    assert found[1] in (socket.gethostname().encode(), b"-")
    ask(gh, "/udp", extra=b"X-Long: " + b"z" * 6000 + b"\r\n")
    got = server.udp.recv(65536)
    assert 1000 < len(got) < 4096 + 512 and got.endswith(b"z")


def test_datagrams_of_a_unix_socket(gh, server):
    """What peers say cannot end a message; a name that is no MSGID is left
    out."""
    ask(gh, "/unix", extra=b'User-Agent: a"<13>1 \xc3\xa9\r\n')
    got = server.unix.recv(65536)
    assert re.fullmatch(
        HEAD % (LOCAL7_INFO, b"-") +
        rb'/unix "a\\x22<13>1 \\xC3\\xA9"', got), got


def test_counted_octets_of_tcp(gh, server):
    """RFC 6587 3.4.1; a server that goes away gets what came meanwhile when it
    is back, and each once."""
    ask(gh, "/tcp/1", n=20)
    got = server.messages(20)
    assert all(re.match(HEAD % (LOCAL7_INFO, b"tcp") + rb'\{"time"', m)
               and m.endswith(b"}") for m in got), got
    server.hang_up()
    lost = 0

    def is_told():
        # the first ones after the end go where nobody reads (RFC 6587 3.4)
        nonlocal lost
        lost += 1
        ask(gh, "/tcp/lost")
        return "access log fails log=tcp" in (gh.dir / "error.log").read_text()

    until(is_told)
    ask(gh, "/tcp/kept", n=10)
    server.listen()
    got = server.messages(10)
    while b"/tcp/kept" not in got[-1]:
        got += server.messages(1)
    got += server.messages(10 - sum(b"/tcp/kept" in m for m in got))
    assert sum(b"/tcp/kept" in m for m in got) == 10
    assert sum(b"/tcp/lost" in m for m in got) <= lost
    ask(gh, "/tcp/last")
    assert b"/tcp/last" in server.messages(1)[0]
    until(lambda: "access log goes on log=tcp" in
          (gh.dir / "error.log").read_text())


def test_a_server_that_does_not_read_costs_lines_only(gh, server):
    """Serving never waits; what has no room is counted, and told once."""
    before = (gh.dir / "error.log").read_text().count("access log fails")
    extra = b"User-Agent: " + b"y" * 3500 + b"\r\n"

    def dropped():
        ask(gh, "/tcp/full", n=200, extra=extra)
        return admin.status(gh)["counters"]["log_lines_dropped_total"]

    until(dropped)
    assert (gh.dir / "error.log").read_text().count(
        "access log fails log=tcp") - before <= 1


FULL = """
[global]
workers = 1
error_log = {dir}/error.log
[log access]
syslog = unix:{unix}
format = {path}
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
respond = 200
""" + admin.SECTION
# more than a socket holds unless the machine says so (unix(7)), less than waits
N_FULL = 300
N_END = 60


class Reader(threading.Thread):
    """Takes the datagrams of a socket: the last word of each, in `got`."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.got = sock, []

    def run(self):
        while word := self.sock.recv(65536).split()[-1:]:
            self.got.append(word[0].decode())


@pytest.fixture
def full():
    """A server, its socket and who reads it when told so."""
    s = Server()
    reader = Reader(s.unix)
    s.unix.settimeout(None)
    yield s, reader
    if reader.is_alive():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b" ", s.unix_path)
        reader.join()
    s.close()


def test_a_reader_that_comes_by_gets_everything(gatehouse, full):
    """What found no room in the socket follows as soon as there is some; and
    at the end of a worker, too."""
    server, reader = full
    gh = gatehouse(FULL, unix=server.unix_path)
    want = [f"/{i}" for i in range(N_FULL + N_END)]
    for path in want[:N_FULL]:
        ask(gh, path)
    reader.start()
    until(lambda: reader.got == want[:N_FULL], what="all lines")
    for path in want[N_FULL:]:
        ask(gh, path)
    gh.reload()
    until(lambda: reader.got == want, what="the lines of the old worker")
    assert admin.status(gh)["counters"]["log_lines_dropped_total"] == 0


def test_a_reader_that_stays_away_is_told_of_once(gatehouse, full):
    """Doc logs.md: once, and with the number of lines when the log goes on; a
    turn of the timer with losses in it is none without."""
    server, reader = full
    # what waits is a few lines, so that there are losses all the time
    gh = gatehouse(FULL.replace("{path}\n", "{path} {header:X-Long}\n"
                                "buffer = none\n"), unix=server.unix_path)
    end = time.monotonic() + 2.5
    sent = 0

    def is_over():
        nonlocal sent
        ask(gh, "/", 40, b"X-Long: " + b"z" * 3500 + b"\r\n")
        sent += 40
        return time.monotonic() > end

    until(is_over)
    text = (gh.dir / "error.log").read_text()
    assert text.count("access log fails") == 1, text
    assert "goes on" not in text
    reader.start()
    until(lambda: "goes on" in (gh.dir / "error.log").read_text())
    lost = int(re.search(r"goes on log=access lines_lost=(\d+)\n",
                         (gh.dir / "error.log").read_text())[1])
    until(lambda: len(reader.got) == sent - lost)
    assert admin.status(gh)["counters"]["log_lines_dropped_total"] == lost


@pytest.mark.parametrize("text, words", [
    ("syslog = 127.0.0.1:514", "x.ini:2:10: error: syslog = 127.0.0.1:514: expected"),
    ("syslog = udp://logs.test:514", "names are not looked up"),
    ("syslog = tcp://127.0.0.1", "expected udp://ADDRESS:PORT"),
    ("syslog = unix:dev/log", "absolute path"),
    ("syslog = udp://127.0.0.1:514\npath = /tmp/x", "'path' (line 3)"),
    ("format = json", "[log access] has no path"),
])
def test_what_is_wrong_is_shown(tmp_path, text, words):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[log access]\n{text}\n[site s]\nrespond = 200 x\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert words in done.stderr, done.stderr


def test_the_error_log_is_a_file(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text("[log error]\nsyslog = udp://127.0.0.1:514\n"
                   "[site s]\nrespond = 200 x\n")
    done = run("-t", "-c", ini)
    assert done.returncode == 1
    assert "x.ini:2:1: error: [log error] is written to a file" in done.stderr
