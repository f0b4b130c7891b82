"""Who asks for a staple: `openssl s_client -status`; and the certificates that
name a responder of a test."""
import re
import subprocess

from . import admin
from .procs import until

LIMIT_S = 60
REQUEST = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


def _command(gh, ca, *args):
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{gh.port}",
            "-servername", "a.test", "-CAfile", str(ca.pem),
            "-verify_return_error", *args]


def staple(gh, ca, *args, status=True):
    """What it says of the response; None: nothing was stapled."""
    said = subprocess.run(
        _command(gh, ca, *(["-status"] if status else []), *args), input="",
        capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout
    assert ("OCSP response" in said) == status
    return said if "OCSP Response Data" in said else None


class Held:
    """A connection that stays, with a request answered on it: `worker` (the
    site says worker=N;) and whether there was a staple."""

    def __init__(self, gh, ca):
        self.process = subprocess.Popen(
            _command(gh, ca, "-status"), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        self.process.stdin.write(REQUEST)
        said = b""
        while not (found := re.search(rb"worker=(\d+);", said)):
            more = self.process.stdout.read(65536)
            assert more, said
            said += more
        self.worker = int(found.group(1))
        self.is_stapled = b"OCSP Response Data" in said

    def close(self):
        self.process.communicate(timeout=LIMIT_S)


def chain(ca, name):
    """The file of a certificate with its issuer behind it."""
    path = ca.dir / f"{name}.chain"
    path.write_text((ca.dir / f"{name}.pem").read_text() + ca.pem.read_text())
    return path


def naming(ca, name, url, **kwargs):
    """A certificate for a.test whose responder that is; its path."""
    return ca.make(name, "a.test",
                   more=[f"authorityInfoAccess=OCSP;URI:{url}"], **kwargs)


def state(gh, at=0):
    """What status says of a certificate."""
    return admin.status(gh)["certificates"][at]


def await_state(gh, word):
    until(lambda: state(gh)["state"] == word, what=f"the state {word}")
