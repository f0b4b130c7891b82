"""Origins that real programs are and that can be killed, stopped, cut off or
made to talk nonsense; clients that look at every byte and say what they met."""
import collections
import contextlib
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from . import admin
from .gatehouse import Gatehouse, free_port
from .procs import abort_on_close, open_files, stop, until
from .wire import WAIT_S, Client, Closed, Malformed, Truncated

# How long something stays broken.
DOWN_S = 0.5
PADDING = "0123456789abcdef" * 64
NGINX = """
daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
events {{ }}
http {{
    log_format asked "$request_method $request_uri";
    access_log {dir}/asked asked;
    keepalive_requests 1000000;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen {address}:{port}{proto};
        default_type text/plain;
        add_header X-Origin {name};
        location / {{ return 200 "$request_uri {padding}"; }}
    }}
}}
"""
INI = """
[global]
workers = 2
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = app
[upstream app]
%(servers)s
idle_timeout = 500ms
%(upstream)s
""" + admin.SECTION
FIELD = re.compile(r"(\w+)=(\S+)")


def expected(path):
    return f"{path} {PADDING}"


class NginxOrigin:
    """One process of nginx. `prefix` goes before its command."""

    def __init__(self, folder, name, proto="", host="127.0.0.1", prefix=()):
        self.name, self.host, self.prefix = name, host, list(prefix)
        self.port = free_port()
        self.address = f"{host}:{self.port}"
        self.dir = pathlib.Path(folder) / name
        self.dir.mkdir()
        self.conf = self.dir / "conf"
        self.conf.write_text(NGINX.format(
            dir=self.dir, name=name, port=self.port, proto=proto,
            address=host, padding=PADDING))
        self.process = None
        self.start()

    def start(self):
        argv = [*self.prefix, shutil.which("nginx", path="/usr/sbin:/usr/bin"),
                "-e", self.dir / "start.log", "-p", self.dir, "-c", self.conf]
        with open(self.dir / "output", "ab") as out:
            self.process = subprocess.Popen([*map(str, argv)], stdout=out,
                                            stderr=out)
        until(self._is_up, what=f"origin {self.name}")

    def _is_up(self):
        assert self.process.poll() is None, (self.dir / "output").read_text()
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex((self.host, self.port)) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        stop(self.process.pid)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def asked(self):
        """How often it was asked for what: {(method, target): n}."""
        return collections.Counter(
            (self.dir / "asked").read_text().splitlines())

    def close(self):
        if self.process.poll() is None:
            self.go_on()
            self.kill()


class Relay:
    """Bytes to an origin and back, as `mode` says when a connection is made or
    bytes come: pass; slow: what comes back waits `delay` seconds; garbage:
    nonsense comes back; cut_head, cut_body: it breaks so many bytes (20, 700)
    into an answer."""

    CUTS = {"cut_head": 20, "cut_body": 700}
    delay = 2

    def __init__(self, origin):
        self.origin, self.name, self.mode = origin, origin.name, "pass"
        self.over = threading.Event()
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,),
                             daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError), client, \
                socket.create_connection(("127.0.0.1", self.origin.port)) as s:
            back = threading.Thread(target=self._back, args=(s, client),
                                    daemon=True)
            back.start()
            while data := client.recv(65536):
                s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            back.join()

    def _back(self, origin, client):
        with contextlib.suppress(OSError):
            while data := origin.recv(65536):
                if not self._answer(client, data):
                    return
            client.shutdown(socket.SHUT_RDWR)

    def _answer(self, client, data):
        """Whether it goes on."""
        if self.mode == "slow":
            self.over.wait(self.delay)
        elif self.mode == "garbage":
            data = b"\x00\xffnothing that HTTP knows\r\n\r\n"
        elif self.mode in self.CUTS:
            client.sendall(data[:self.CUTS[self.mode]])
            abort_on_close(client)
            # ends the wait of the other thread, which closes it
            client.shutdown(socket.SHUT_RD)
            return False
        client.sendall(data)
        return True

    def close(self):
        self.over.set()
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(WAIT_S)


class Namespace:
    """A network of its own, joined to ours by a pair of interfaces. OSError
    where the machine allows none. Should nobody close it, it is gone with the
    process that holds it, some time later."""

    def __init__(self, number):
        self.tag = tag = f"gh{number % 100000}"
        net = f"198.18.{number >> 6 & 255}.{(number & 63) << 2}"
        base, last = net.rsplit(".", 1)
        ours, self.host = (f"{base}.{int(last) + i}" for i in (1, 2))
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "echo made; exec sleep 600"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.prefix = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        try:
            said = self.holder.stdout.readline().strip()
            if said != "made":
                raise OSError(said)
            self.run("ip", "link", "add", tag, "type", "veth", "peer", "name",
                     "gh", "netns", str(self.holder.pid))
            self.run("ip", "addr", "add", f"{ours}/30", "dev", tag)
            self.run("ip", "link", "set", tag, "up")
            self.run(*self.prefix, "ip", "addr", "add", f"{self.host}/30",
                     "dev", "gh")
            self.join()
        except OSError:
            self.close()
            raise

    @staticmethod
    def run(*argv):
        done = subprocess.run(argv, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")

    def cut(self):
        self.run(*self.prefix, "ip", "link", "set", "gh", "down")

    def join(self):
        self.run(*self.prefix, "ip", "link", "set", "gh", "up")

    def close(self):
        with contextlib.suppress(OSError):
            self.run("ip", "link", "del", self.tag)
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Clients:
    """Threads that ask over connections that they keep, without pause.
    got     {what: n}: "ok", a status, or the kind of failure
    last    {origin's name: when it answered last}
    """

    def __init__(self, port, n=4, method="GET", body=b"", pause_s=0.002):
        self.port, self.method, self.pause_s = port, method, pause_s
        self.rest = b"\r\n"
        if body:
            self.rest = b"Content-Length: %d\r\n\r\n" % len(body) + body
        self.longest_s = 0
        self.got, self.last = collections.Counter(), {}
        self.failures = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i,))
                        for i in range(n)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(WAIT_S)
            assert not thread.is_alive(), "a client hangs"

    def _note(self, what, name=None, detail=None):
        with self.lock:
            self.got[what] += 1
            if name is not None:
                self.last[name] = time.monotonic()
            if what != "ok":
                self.failures.append((what, detail))

    def _ask(self, client, path):
        """Whether the connection takes another request."""
        begun = time.monotonic()
        try:
            client.send(f"{self.method} {path} HTTP/1.1\r\n"
                        "Host: test\r\n".encode() + self.rest)
            answer = client.response(self.method)
        except (Truncated, Closed, Malformed, OSError) as err:
            self._note(type(err).__name__, detail=f"{path}: {err!s:.80}")
            return False
        took = time.monotonic() - begun
        self.longest_s = max(self.longest_s, took)
        if answer.status != 200:
            self._note(answer.status, detail=f"{path} {took:.3f}")
        elif answer.text != expected(path):
            self._note("wrong", detail=f"{path}: {answer.text[:80]}")
        else:
            self._note("ok", answer.get("x-origin"))
        return answer.get("connection") != "close"

    def _run(self, number):
        n = 0
        while not self.over.is_set():
            with Client(("127.0.0.1", self.port)) as client:
                goes_on = True
                while goes_on and not self.over.is_set():
                    n += 1
                    goes_on = self._ask(client, f"/{number}/{n}")
                    self.over.wait(self.pause_s)

    def wait_answer(self, name, timeout_s):
        """Until that origin answers a request from now on; seconds it took."""
        begun = time.monotonic()
        until(lambda: self.last.get(name, 0) > begun, timeout=timeout_s,
              what=f"an answer of {name} within {timeout_s:.1f} s")
        return time.monotonic() - begun


class H2Load:
    """h2load beside it, again and again, a fixed number of requests a second;
    everything but a 2xx is a failure."""

    COUNTS = re.compile(
        r"requests: (\d+) total, \d+ started, \d+ done, \d+ succeeded, "
        r"(\d+) failed, (\d+) errored, (\d+) timeout")
    STATUSES = re.compile(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, "
                          r"(\d+) 5xx")

    def __init__(self, port):
        self.argv = ["h2load", "-n", "300", "-c", "3", "-m", "8", "--rps=100",
                     f"http://127.0.0.1:{port}/h2load"]
        self.over = threading.Event()
        self.runs, self.failures = 0, []
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.is_set():
            said = subprocess.run(self.argv, capture_output=True, text=True,
                                  timeout=WAIT_S, check=False).stdout
            counts = self.COUNTS.search(said)
            statuses = self.STATUSES.search(said)
            self.runs += 1
            if counts is None or statuses is None or any(
                    map(int, counts.groups()[1:] + statuses.groups())):
                self.failures.append(said)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(2 * WAIT_S)


class World:
    """gatehouse in front of these origins. Leaving it proves that nothing is
    left: no request counted at a server, no descriptor in a worker."""

    def __init__(self, folder, origins, upstream):
        servers = "\n".join(f"server = {o.address}" for o in origins)
        self.origins = origins
        self.gh = Gatehouse(folder, INI % {"servers": servers,
                                           "upstream": upstream})
        self.port = self.gh.port
        self.files = self._files()

    def _files(self):
        return {pid: len(open_files(pid)) for pid in self.gh.workers()}

    def servers(self):
        upstream, = admin.status(self.gh)["upstreams"]
        return {s["address"]: s for s in upstream["servers"]}

    def ejected_ms(self, origin):
        """The time of its last ejection; 0: there was none."""
        found = [dict(FIELD.findall(line))
                 for line in self.gh.stderr().splitlines()
                 if "server ejected" in line]
        return max([0, *(int(e["for_ms"]) for e in found
                         if e["server"] == origin.address)])

    def check_rest(self):
        def is_at_rest():
            return not any(s["active"] for s in self.servers().values())
        until(is_at_rest, what="no request at any server")
        until(lambda: self._files() == self.files,
              what=f"descriptors as before: {self.files}")

    def close(self):
        self.gh.close()
