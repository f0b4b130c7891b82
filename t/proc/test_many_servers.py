"""Issue 6: 10,000 servers in one upstream, reloaded in less than a second."""
import time

import pytest

N = 10000
RELOAD_S = 1.0


def servers(first):
    return "".join(f"server = 127.0.{i // 250}.{i % 250 + 1}:{first}\n"
                   for i in range(N))


def ini(balance, first):
    return ("[global]\nworkers = 2\n[listen x]\naddress = 127.0.0.1:{port}\n"
            "[site test]\nhosts = *\nrespond = 200 here\n"
            "[route test /up]\nupstream = app\n"
            f"[upstream app]\nbalance = {balance}\n{servers(first)}")


@pytest.mark.parametrize("balance", ["round_robin", "hash {path}"])
def test_many_servers_are_reloaded_soon(gatehouse, balance):
    """Those that stay, and as many that are new."""
    gh = gatehouse(ini(balance, 1))
    for first in (1, 2):
        begin = time.monotonic()
        gh.reload(ini(balance, first))
        took = time.monotonic() - begin
        with gh.client() as c:
            assert c.get().text == "here"
        assert took < RELOAD_S, f"reload to port {first} took {took:.2f}s"
