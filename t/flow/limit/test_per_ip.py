"""max_connections_per_ip: so many connections of an address, in all workers
together, and one more when one of them ends."""
import pytest

from lib import admin
from lib.procs import until
from lib.wire import Client

INI = """
[global]
workers = 2
error_log = {dir}/error.log
[listen x]
address = 127.0.0.1:{port} unix:{dir}/x.sock
max_connections_per_ip = 3
trusted_proxies = 127.0.0.9
[listen told]
address = 127.0.0.1:{port1}
proxy_protocol = on
max_connections_per_ip = 2
[site test]
hosts = *
respond = 200 served
""" + admin.SECTION
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture
def gh(gatehouse):
    return gatehouse(INI, ports=2)


def answer(c, data=GET):
    try:
        return c.send(data).response().status
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    except Exception as err:  # its end, in order
        return type(err).__name__


@pytest.fixture
def come():
    """come(gh, n, source): that many connections; the answers, and the
    connections, which stay."""
    all_of_them = []

    def make(address, n, source=None, data=GET):
        new = [Client(address, source=source) for _ in range(n)]
        all_of_them.extend(new)
        return [answer(c, data) for c in new], new

    yield make
    for c in all_of_them:
        c.close()


def test_an_address_has_so_many(gh, come):
    """Whoever took them; another address has its own."""
    here = ("127.0.0.1", gh.port)
    got, conns = come(here, 6, "127.0.0.2")
    assert got == [200] * 3 + ["reset"] * 3
    assert come(here, 1, "127.0.0.3")[0] == [200]
    conns[0].close()
    until(lambda: come(here, 1, "127.0.0.2")[0] == [200],
          what="the place that is free")
    assert come(here, 1, "127.0.0.2")[0] == ["reset"]
    counters = admin.status(gh)["counters"]
    assert counters["connections_over_total"] >= 4
    assert counters["connections_not_counted_total"] == 0
    # once in a while, however many come
    log = (gh.dir / "error.log").read_text()
    assert 1 <= log.count("connections reset why=max_connections_per_ip "
                          "listen=x peer=127.0.0.2") <= 2


def test_trusted_proxies_and_unix_sockets_are_not_counted(gh, come):
    assert come(("127.0.0.1", gh.port), 6, "127.0.0.9")[0] == [200] * 6
    assert come(str(gh.dir / "x.sock"), 6)[0] == [200] * 6


def test_a_proxy_header_tells_who_is_counted(gh, come):
    """proxy-protocol.txt: each address that it tells, not the sender's."""
    def told(ip, n):
        head = f"PROXY TCP4 {ip} 192.0.2.9 1000 80\r\n".encode()
        return come(("127.0.0.1", gh.ports[1]), n, data=head + GET)[0]
    assert told("192.0.2.1", 3) == [200, 200, "Closed"]
    assert told("192.0.2.2", 2) == [200, 200]


def test_none_is_no_limit(gatehouse, come):
    gh = gatehouse(INI.replace("_per_ip = 3", "_per_ip = none"), ports=2)
    assert come(("127.0.0.1", gh.port), 8, "127.0.0.2")[0] == [200] * 8



def test_the_table_needs_its_memory(gatehouse):
    """A little more than 4 MiB of shared_memory, once any listen counts."""
    small = INI.replace("workers = 2", "workers = 1\nshared_memory = 4m")
    gh = gatehouse(small.replace("max_connections_per_ip", "# "), ports=2)
    gh.write(small)
    gh.reload()
    assert "the table of addresses does not fit: raise shared_memory" in \
        (gh.dir / "error.log").read_text()
