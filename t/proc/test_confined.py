"""No path below the master: workers and the steward open, change and run
nothing by name once they serve."""
import contextlib
import os
import re
import signal
import ssl
import subprocess

from lib import admin
from lib.certs import Authority
from lib.dns import Dns
from lib.procs import until
from lib.wire import WAIT_S

INI = """
[global]
workers = 2
dns_servers = {dns}
[log error]
path = {dir}/error.log
[log access]
path = {dir}/access.log
[listen x]
address = 127.0.0.1:{port}
[listen y]
address = 127.0.0.1:{port1}
tls = on
[site test]
hosts = *
certificate = {ec}.pem {rsa}.pem
certificate_key = {ec}.key {rsa}.key
client_ca = {ec}.pem
verify = optional
upstream = app
[upstream app]
server = app.test:{to}
""" + admin.SECTION
# What a traced process says of itself: its first words to the master (a
# message on its control socket) mark the moment it is ready.
READY = re.compile(r"sendmsg\(")


class Strace:
    """System calls of some processes and of what they become, by pid."""

    def __init__(self, path, pids):
        self.path = path
        words = [w for pid in pids for w in ("-p", str(pid))]
        with open(f"{path}.err", "wb") as err:
            self.process = subprocess.Popen(
                ["strace", "-f", "-o", str(path), "-e",
                 "trace=%file,execve,execveat,sendmsg,fork,vfork,clone,clone3",
                 *words], stderr=err)
        until(lambda: all(self.traces(pid) for pid in pids),
              what="strace at all of them")

    def traces(self, pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return f"TracerPid:\t{self.process.pid}\n" in f.read()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(WAIT_S)

    def calls(self):
        """{pid: [line, ...]}."""
        found = {}
        for line in self.path.read_text(errors="replace").splitlines():
            pid, _, call = line.partition(" ")
            found.setdefault(int(pid), []).append(call.strip())
        return found


def by_path(calls):
    """Those that take a path; fstat(2) is a newfstatat without one."""
    return [c for c in calls if re.match(r"\w+\(", c) and not re.match(
        r'(sendmsg|fork|vfork|clone3?)\(|newfstatat\(\d+, "",', c)]


def test_no_path_after_ready(gatehouse, origin, tmp_path):
    """strace sees no call that takes a path, nor execve, in steward or workers
    during traffic, handshakes, lookups, USR1 and the birth of new workers by HUP and of
    another steward: what is born may read paths until it says that it is ready."""
    with contextlib.ExitStack() as stack:
        dns = Dns({"app.test": ["127.0.0.1"]}, ttl=1)
        stack.callback(dns.close)
        ca = Authority()
        for kind in ("ec", "rsa"):
            ca.make(kind, "test", kind=kind)
        gh = gatehouse(INI, ports=2, dns=dns.address, to=origin().port,
                       ec=ca.dir / "ec", rsa=ca.dir / "rsa")
        steward = until(lambda: admin.steward(gh))
        first = gh.workers()
        tree = [gh.process.pid, *gh.children()]
        trace = Strace(tmp_path / "strace", tree)
        stack.callback(trace.close)

        def traffic():
            before = len(dns.asked)

            def asked():
                with gh.client() as c:
                    assert c.get().text == "ok"
                return len(dns.asked) > before
            until(asked, what="another lookup")
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with gh.client(gh.ports[1], name="test",
                               tls=ca.context(version=version)) as c:
                    assert c.get().text == "ok"
            admin.status(gh)

        traffic()
        os.rename(gh.dir / "access.log", gh.dir / "access.old")
        gh.send_signal(signal.SIGUSR1)
        until((gh.dir / "access.log").exists, what="another log")
        traffic()
        until(lambda: (gh.dir / "access.log").read_text(),
              what="lines in the other log")
        gh.reload()
        until(lambda: not set(first) & set(gh.workers()),
              what="the end of the old workers")
        traffic()
        second = gh.workers()
        gh.expect_bad_end = True
        os.kill(steward, signal.SIGKILL)
        again = until(lambda: (pid := admin.steward(gh)) != steward and pid,
                      what="another steward")
        traffic()
        trace.close()
    calls = trace.calls()
    # it works: the master's own doings are seen
    assert any("gatehouse.ini" in c for c in by_path(calls[gh.process.pid]))
    for pid in [steward, *first]:
        assert not by_path(calls.get(pid, [])), calls[pid]
    assert second and not set(first) & set(second)
    for pid in second:
        said = [i for i, c in enumerate(calls[pid]) if READY.match(c)]
        # the first word is its pid, the second one that it is ready
        assert len(said) >= 2
        assert not by_path(calls[pid][said[1]:]), calls[pid]
    said = [i for i, c in enumerate(calls[again]) if READY.match(c)]
    assert said and not by_path(calls[again][said[0]:]), calls[again]
