"""What the rows of the cache are put to: gatehouse in front of an origin that
answers as they say, or what GH_CACHE_PEER names: another cache (see
lib/cachepeers.py), or `uncached`, a gatehouse that keeps nothing: it passes the
rows of what must not be used again, and no others. Then a table tells how many
rows of each kind were passed."""
import collections
import os

import pytest

from lib.cachepeers import Peer
from lib.cacheplay import Book, Play
from lib.wire import Malformed

INI = """
[global]
workers = 2
shared_memory = 256m
[listen x]
address = 127.0.0.1:{port}
h2c = on
[upstream app]
server = {origin}
retry = none
[site rfc.test]
hosts = rfc.test other.test
upstream = app
"""
# Every behaviour that is not the letter of the RFC has its own site and cache.
CACHED = """
cache = rfc
cache_profile = rfc9111
[cache rfc]
memory = 32m
max_object = 4m
status_header = on
[site careful.test]
upstream = app
cache = careful
[site strip.test]
upstream = app
cache = careful
cache_cookies = strip
[site store.test]
upstream = app
cache = careful
cache_cookies = store
[site ttl.test]
upstream = app
cache = careful
cache_ttl = 60s
[site uses.test]
upstream = app
cache = careful
cache_min_uses = 2
[site bypass.test]
upstream = app
cache = careful
cache_bypass = header:X-Bypass
[site rules.test]
upstream = app
cache = careful
response_header = X-Rule: of the site
[cache careful]
memory = 4m
max_object = 1m
[site keys.test]
upstream = app
cache = keys
[cache keys]
memory = 4m
ignore_query = utm_* fbclid
sort_query = on
[site tenant.test]
upstream = app
cache = tenant
[cache tenant]
memory = 4m
key = {host}{path}{header:X-Tenant}
[site late.test]
upstream = app
cache = late
[cache late]
memory = 4m
stale_while_revalidate = 60s
[site lasting.test]
upstream = app
cache = lasting
[cache lasting]
memory = 4m
stale_if_error = 60s
[site negative.test]
upstream = app
cache = negative
[cache negative]
memory = 4m
negative_ttl = 60s
[site small.test]
upstream = app
cache = small
[cache small]
memory = 4m
max_object = 10k
[site apart.test]
upstream = app
cache = apart
[cache apart]
memory = 4m
coalesce = off
[site purged.test]
upstream = app
cache = purged
[cache purged]
memory = 4m
purge_allow = 127.0.0.0/8
tag_header = X-Tags
[site sliced.test]
upstream = app
cache = sliced
cache_profile = rfc9111
[cache sliced]
memory = 4m
max_object = 64k
slice = 4k
status_header = on
purge_allow = 127.0.0.0/8
tag_header = X-Tags
[site kept.test]
upstream = app
cache = kept
[cache kept]
memory = 4m
purge_allow = 192.0.2.0/24
"""

# The failures of others need not be waited for that long.
PEER_HOLD_S, PEER_PATIENCE_S = 2, 10


@pytest.fixture(scope="session")
def peer_name():
    name = os.environ.get("GH_CACHE_PEER", "gatehouse")
    if name != "gatehouse":
        Play.hold_s, Play.patience_s = PEER_HOLD_S, PEER_PATIENCE_S
    return name


@pytest.fixture(scope="module")
def book():
    """The origin of a module."""
    b = Book()
    yield b
    b.close()
    bad = [err for err in b.errors if isinstance(err, Malformed)]
    assert not bad, bad


@pytest.fixture(scope="module")
def make_address(peer_name, shared_gatehouse, tmp_path_factory):
    """make_address(book) starts a cache in front of that origin and tells
    where it listens."""
    peers = []

    def make(book):
        if peer_name in ("gatehouse", "uncached"):
            ini = INI + (CACHED if peer_name == "gatehouse" else "")
            gh = shared_gatehouse(ini, origin=book.address)
            return "127.0.0.1", gh.port
        peers.append(Peer(peer_name, tmp_path_factory.mktemp("peer"),
                          book.address))
        return "127.0.0.1", peers[-1].port

    yield make
    for peer in peers:
        peer.close()


@pytest.fixture(scope="module")
def address(make_address, book):
    """Where the judged cache of this module listens."""
    return make_address(book)


@pytest.fixture
def of_gatehouse(peer_name):
    """For what only gatehouse is asked."""
    if peer_name != "gatehouse":
        pytest.skip("of gatehouse only")


@pytest.fixture
def play(address, book, peer_name):
    """play(row): do it and judge."""
    made = []

    def one(row, how="h1"):
        if peer_name != "gatehouse" and (row.site != "rfc" or how != "h1"):
            pytest.skip("of gatehouse only")
        made.append(Play(book, address, how))
        made[-1].run(row)

    yield one
    for p in made:
        p.close()


def pytest_terminal_summary(terminalreporter):
    """Rows of each kind that were passed."""
    kinds = collections.defaultdict(collections.Counter)
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            if "conform/cache" in report.nodeid:
                kind = report.nodeid.split("::")[0].split("/")[-1]
                kinds[kind.removeprefix("test_cache_")][outcome] += 1
    for kind, n in sorted(kinds.items()):
        terminalreporter.write_line(
            f"{kind.removesuffix('.py'):12} {n['passed']:4} of "
            f"{sum(n.values()):4} passed")
