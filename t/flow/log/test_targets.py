"""Which logs an exchange is written to (doc/config: access_log)."""
import pytest

from lib.procs import until

LOG = """
[log %s]
path = {dir}/%s
format = {path} {status}
buffer = none
"""
INI = "[global]\nworkers = 1\n" + "".join(
    LOG % (name, name) for name in ("access", "a", "b", "c", "d")) + """
[listen x]
address = 127.0.0.1:{port}
access_log = a b
[listen y]
address = 127.0.0.1:{port1}
[defaults]
respond = 200 ok
[site plain.test]
[site silent.test]
access_log = none
[route silent.test /loud]
access_log = c
[site off.test]
access_log = off
[site own.test]
respond = none
access_log = c
[route own.test /x]
respond = 200
[route own.test /more]
respond = 200
access_log = c d
[route own.test /quiet]
respond = 200
access_log = none
"""


@pytest.fixture(scope="module")
def gh(shared_gatehouse):
    return shared_gatehouse(INI, ports=2)


@pytest.mark.parametrize("host, path, where", [
    ("plain.test", "/1", "a b"),
    ("silent.test", "/2", ""),
    ("silent.test", "/loud", "c"),
    ("off.test", "/3", ""),
    ("own.test", "/x", "c"),
    ("own.test", "/more", "c d"),
    ("own.test", "/quiet", ""),
    # a site's logs hold for what none of its routes serves
    ("own.test", "/404", "c"),
    # no site: the listen's
    ("nobody.test", "/421", "a b"),
])
def test_the_nearest_scope_names_the_logs(gh, lines, host, path, where):
    """doc/config: route, site, listen; lists add up, each log gets one line;
    none and off: no line."""
    logs = {name: lines(gh.dir / name) for name in ("access", "a", "b", "c",
                                                    "d")}
    mark = f"/mark{path}-{host}"
    with gh.client() as c:
        status = c.get(path, host=host).status
        # served by one worker, in this order: all before it is written
        assert c.get(mark, host="plain.test").status == 200
    line = f"{path} {status}".encode()
    until(lambda: f"{mark} 200".encode() in logs["b"].all())
    found = [name for name, log in logs.items() if line in log.all()]
    assert found == where.split()
    assert all(logs[name].all().count(line) == 1 for name in found)


def test_access_is_the_default(gh, lines):
    """doc/config: without access_log, `[log access]` if there is one."""
    with gh.client(gh.ports[1]) as c:
        c.get("/y", host="plain.test")
    assert lines(gh.dir / "access").wait()[0] == b"/y 200"


def test_no_log_at_all(gatehouse):
    """doc/config: no [log] means no access log."""
    gh = gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n"
                   "[site s]\nhosts = *\nrespond = 200\n")
    with gh.client() as c:
        assert c.get("/").status == 200
    assert not [p.name for p in gh.dir.iterdir() if "log" in p.name]


def test_streams_of_the_process(gatehouse):
    """doc/config: stdout and stderr are the process's own."""
    gh = gatehouse("""
[log access]
path = stdout
format = out {path}
buffer = none
[log e]
path = stderr
format = err {path}
buffer = none
[listen x]
address = 127.0.0.1:{port}
access_log = access e
[site s]
hosts = *
respond = 200
""")
    with gh.client() as c:
        assert c.get("/1").status == 200
    until(lambda: "out /1\n" in gh.stdout() and "err /1\n" in gh.stderr())
