"""One worker in front of one recording origin: most tests need no more."""
import pytest

from lib.procs import until

INI = """
[global]
workers = 1
%(global)s
[listen x]
address = 127.0.0.1:{port}
%(listen)s
[site test]
hosts = *
upstream = app
%(site)s
[upstream app]
server = {origin}
%(upstream)s
%(more)s
"""


@pytest.fixture
def pair(gatehouse, origin):
    """pair(script, listen="key = value", ...) gives (gatehouse, origin);
    more= are sections of its own."""

    def make(script=None, raw=False, env=None, **sections):
        o = origin(script, raw)
        lines = {"global": "", "listen": "", "site": "", "upstream": "",
                 "more": "", **sections}
        return gatehouse(INI % lines, origin=o.address, env=env), o

    return make


LOG = """
[log access]
path = {dir}/access.log
format = {status} {fault}
buffer = none
"""


@pytest.fixture
def logged(pair):
    """Like pair, and gives (gatehouse, origin, lines): lines(n) waits for n
    lines "STATUS FAULT" of the access log."""

    def make(*args, more="", **kwargs):
        gh, o = pair(*args, more=LOG + more, **kwargs)
        path = gh.dir / "access.log"

        def lines(n=1):
            return until(lambda: (got := path.read_text().splitlines()) and
                         len(got) >= n and got, what=f"{n} lines of the log")

        return gh, o, lines

    return make
