"""Other programs that speak the PROXY protocol, as peers."""
import shutil
import socket
import subprocess

import pytest

from lib.gatehouse import free_port
from lib.procs import until
from lib.wire import WAIT_S

SBIN = "/usr/sbin:/usr/local/sbin:/usr/bin"


class Peer:
    """One running process that listens on .port."""

    def __init__(self, folder, argv, port):
        self.port = port
        self.errors = folder / f"{argv[0].rsplit('/', 1)[-1]}.err"
        with open(self.errors, "wb") as err:
            self.process = subprocess.Popen(argv, stdout=err, stderr=err)
        until(self._listens, what=f"{argv[0]} listening")

    def _listens(self):
        assert self.process.poll() is None, self.errors.read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.terminate()
        self.process.wait(WAIT_S)


def binary(name):
    path = shutil.which(name, path=SBIN)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture
def nginx(tmp_path):
    """nginx(server_lines) serves them on a free port."""
    made = []

    def make(lines):
        path = binary("nginx")
        port = free_port()
        where = tmp_path / "nginx"
        where.mkdir()
        temps = "".join(f"{kind}_temp_path {where}/{kind};\n" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (where / "nginx.conf").write_text(
            f"daemon off;\nmaster_process off;\npid {where}/pid;\n"
            f"error_log {where}/error.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temps}server {{\n"
            + lines.replace("{port}", str(port)) + "\n}\n}\n")
        made.append(Peer(tmp_path, [path, "-p", str(where), "-e",
                                    str(where / "early"), "-c",
                                    str(where / "nginx.conf")], port))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def haproxy(tmp_path):
    """haproxy(server_options, to) passes HTTP on to a port."""
    made = []

    def make(options, to):
        path = binary("haproxy")
        port = free_port()
        conf = tmp_path / "haproxy.cfg"
        conf.write_text(
            "defaults\n  mode http\n  timeout connect 9s\n"
            "  timeout client 9s\n  timeout server 9s\n"
            f"frontend f\n  bind 127.0.0.1:{port}\n  default_backend b\n"
            f"backend b\n  server s 127.0.0.1:{to} {options}\n")
        made.append(Peer(tmp_path, [path, "-db", "-q", "-f", str(conf)], port))
        return made[-1]

    yield make
    for peer in made:
        peer.close()
