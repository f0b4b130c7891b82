"""Networks of our own: namespaces of the kernel, with wires between them and
rules that redirect what comes (network_namespaces(7)). Nothing of them is left
when the last descriptor is closed."""
import contextlib
import ctypes
import os
import shutil
import subprocess

from .wire import WAIT_S

CLONE_NEWNET = 0x40000000
OWN = "/proc/thread-self/ns/net"

libc = ctypes.CDLL(None, use_errno=True)


def check(rc):
    if rc != 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))


def why_not():
    """Why there can be none here; None: there can."""
    missing = [p for p in ("ip", "nft") if not shutil.which(p)]
    if missing:
        return f"no {missing[0]}"
    try:
        Namespace().close()
    except OSError as err:
        return f"no network namespaces: {err}"
    return None


class Namespace:
    """A network of its own, with nothing but lo, which is up."""

    def __init__(self):
        before = os.open(OWN, os.O_RDONLY)
        try:
            check(libc.unshare(CLONE_NEWNET))
            self.fd = os.open(OWN, os.O_RDONLY)
            check(libc.setns(before, CLONE_NEWNET))
        finally:
            os.close(before)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def inside(self):
        """This thread's sockets, and the programs it starts, are in it."""
        before = os.open(OWN, os.O_RDONLY)
        try:
            check(libc.setns(self.fd, CLONE_NEWNET))
            yield self
        finally:
            check(libc.setns(before, CLONE_NEWNET))
            os.close(before)

    def run(self, *args, stdin=None, ok=True):
        """A program in it, to its end: CompletedProcess with text output."""
        with self.inside():
            done = subprocess.run(
                [str(a) for a in args], input=stdin, text=True,
                capture_output=True, timeout=WAIT_S, check=False)
        assert not ok or done.returncode == 0, (args, done.stderr)
        return done

    def address(self, link, *addresses):
        """Give a link its addresses, without asking around for others who have
        them, and put it up."""
        self.run("ip", "link", "set", link, "up")
        for a in addresses:
            self.run("ip", "address", "add", a, "dev", link,
                     *["nodad"] * (":" in a))

    def route(self, *gateways):
        """Everything else is behind these."""
        for g in gateways:
            self.run("ip", "-6" if ":" in g else "-4", "route", "add",
                     "default", "via", g)

    def rules(self, text):
        """Rules of nft(8)."""
        self.run("nft", "-f", "-", stdin=text)

    def close(self):
        os.close(self.fd)


def wire(a, a_link, b, b_link):
    """Between two namespaces."""
    a.run("ip", "link", "add", a_link, "type", "veth", "peer", "name", b_link,
          "netns", b.path)
