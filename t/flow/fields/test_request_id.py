"""Request ids: one name for a request in every log and for the origin."""
import re

import pytest

from lib.procs import until


def test_every_request_has_its_own(setup):
    """doc/reference: {request_id} names one request; nothing repeats it."""
    before = len(setup.o.requests)
    with setup.client("stranger") as c:
        for _ in range(200):
            c.get("/")
    ids = [r.get("x-request-id") for r in setup.o.requests[before:]]
    assert len(set(ids)) == 200
    assert all(re.fullmatch("[0-9a-f]{32}", i) for i in ids)


def test_log_and_origin_have_the_same(setup):
    """doc/design: the id of the log is the origin's X-Request-Id."""
    r = setup.ask()
    assert r.all("x-request-id") == [setup.logged(r)[0]]


def test_a_stranger_cannot_name_its_request(setup):
    """Issue 2: only trusted proxies hand an id on."""
    r = setup.ask(extra=b"X-Request-Id: mine\r\n")
    assert len(r.all("x-request-id")) == 1
    assert r.get("x-request-id") != "mine"
    assert setup.logged(r)


def test_a_trusted_proxy_hands_its_id_on(setup):
    """Issue 2: a trusted proxy's id names the request here, too."""
    name = "A-z_0.9:x=y+/@"
    r = setup.ask("trusting", extra=f"X-Request-Id: {name}\r\n".encode())
    assert r.all("x-request-id") == [name]
    assert setup.logged(r)


@pytest.mark.parametrize("told", [
    b"", b"a b", b"a\"b", b"\xe9", b"a,b", b"x" * 500, b"<i>", b"a\\b",
])
def test_an_id_that_could_do_harm_is_replaced(setup, told):
    """doc/design: an id is a short word that needs no escaping anywhere."""
    r = setup.ask("trusting", extra=b"X-Request-Id: " + told + b"\r\n")
    assert re.fullmatch("[0-9a-f]{32}", r.get("x-request-id"))


def test_an_error_page_names_the_request(setup):
    """doc/design: what the client sees of a failure can be found in the
    log."""
    with setup.client("stranger") as c:
        page = c.get("/", extra=b"Connection: Host\r\n").text
    name = re.search("[0-9a-f]{32}", page)[0]
    until(lambda: name in setup.log.read_text())


def test_two_workers_do_not_share_ids(gatehouse, origin):
    """doc/reference: ids are unique without asking anybody."""
    o = origin()
    gh = gatehouse("[global]\nworkers = 2\n[listen x]\n"
                   "address = 127.0.0.1:{port}\n[site s]\nhosts = *\n"
                   "upstream = {origin}\n", origin=o.address)
    clients = [gh.client() for _ in range(16)]
    for c in clients:
        for _ in range(4):
            assert c.get("/").status == 200
    for c in clients:
        c.close()
    ids = {r.get("x-request-id") for r in o.requests}
    assert len(ids) == 64
