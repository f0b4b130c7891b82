"""Two workers with a cache in front of one recording origin."""
import pytest

INI = """
[global]
workers = %(workers)s
shared_memory = 128m
%(global)s
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = app
%(kept)s
%(site)s
[upstream app]
server = {origin}
%(upstream)s
[cache pages]
%(limits)s
status_header = on
%(cache)s
%(more)s
"""


@pytest.fixture
def cached(gatehouse, origin):
    """cached(script, cache="key = value", ...) gives (gatehouse, origin)."""
    def make(script=None, raw=False, **sections):
        o = origin(script, raw)
        lines = {"workers": 2, "global": "", "site": "", "upstream": "",
                 "cache": "", "more": "", "kept": "cache = pages",
                 "limits": "memory = 48m\nmax_object = 16m", **sections}
        return gatehouse(INI % lines, origin=o.address), o

    return make
