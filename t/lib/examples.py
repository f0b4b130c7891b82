"""The systems of etc/examples as they lie there: copied, prepared as their user
would, and told by the environment which ports are free."""
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys

from .gatehouse import BINARY, TOP, Gatehouse
from .procs import is_listening, until
from .wire import WAIT_S

SERVICE = TOP / "t/lib/example_service.py"


def copy(folder, name):
    """A folder with the files of an example and what its ./prepare makes."""
    to = pathlib.Path(folder) / name
    shutil.copytree(TOP / "etc/examples" / name, to)
    subprocess.run([to / "prepare"], check=True, timeout=WAIT_S)
    (to / "run").mkdir()
    (to / "run").chmod(0o755)
    return to


def trust(pem, **kwargs):
    """What a client of TLS needs that believes this certificate."""
    return ssl.create_default_context(cafile=pem, **kwargs)


class Example(Gatehouse):
    """A gatehouse that runs the file of an example where it lies."""

    def __init__(self, path, env):
        self.source = pathlib.Path(path)
        self.env = {**os.environ, **env}
        super().__init__(self.source.parent / "run", "", ports=0, env=env)

    def write(self, ini):
        self.ini = self.source

    def run(self, *words):
        """A command of gatehouse with the same file."""
        return subprocess.run([BINARY, *words, "-c", self.ini], text=True,
                              capture_output=True, timeout=WAIT_S, check=False,
                              env=self.env)


class Program:
    """A server that somebody else wrote, on a port of 127.0.0.1. wait() until it
    serves: many start at once."""

    def __init__(self, argv, port, cwd=None):
        self.argv, self.port, self.cwd = argv, port, cwd
        self.start()

    def wait(self):
        until(self._listens, what=f"{self.argv} listening")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(self.argv, cwd=self.cwd)

    def _listens(self):
        assert self.process.poll() is None, self.argv
        return is_listening(self.port)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(WAIT_S)


def service(name, port):
    """One that tells what it was asked (example_service.py)."""
    return Program([sys.executable, "-IS", SERVICE, name, str(port)], port)


def shown(text):
    """[(command, lines)] of the blocks of a document that begin with `$ `."""
    found = []
    for block in text.split("\n\n"):
        lines = [line.strip() for line in block.splitlines()]
        if block.startswith("    $ "):
            found.append((lines[0][2:], lines[1:]))
    return found


def check_shown(folder, name, env):
    """Each line that doc/examples.md shows of an example's `explain` is one that
    it prints, in this order."""
    text = (TOP / "doc/examples.md").read_text()
    part = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
    cases = shown(part)
    assert cases
    for command, lines in cases:
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, text=True, capture_output=True,
            timeout=WAIT_S, check=False,
            env={**os.environ, **env,
                 "PATH": f"{pathlib.Path(BINARY).parent}:{os.environ['PATH']}"})
        said = iter(" ".join(line.split()) for line in done.stdout.splitlines())
        for line in lines:
            want = " ".join(line.split())
            assert any(want == got for got in said), \
                (command, line, done.stdout, done.stderr)


def told(answer):
    """What a service said that it was asked."""
    return json.loads(answer.text)
