"""What was asked for before something was purged or changed is as old, also when
it comes later."""
import threading

import pytest

from lib.origin import ok
from lib.procs import until
from lib.wire import WAIT_S

ALLOWED = "purge_allow = 127.0.0.0/8"


class Renewed:
    """An origin's script: the first answer is stale at once and may be used;
    the second one is held back; each is another."""

    def __init__(self):
        self.n = 0
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, conn, request):
        if request.method == "POST":
            conn.send(ok())
            return
        self.n += 1
        text, age = b"%d" % self.n, 600 if self.n > 1 else 0
        if self.n == 2:
            self.began.set()
            assert self.go.wait(WAIT_S)
        conn.send(ok(text, b"Cache-Control: max-age=%d, "
                     b"stale-while-revalidate=600\r\n" % age))


def ask(gh, method="GET", extra=b""):
    with gh.client() as c:
        return c.get(method=method, extra=extra)


@pytest.mark.parametrize("method, extra", [
    ("PURGE", b""), ("PURGE", b"Purge: soft\r\n"),
    ("POST", b"Content-Length: 0\r\n")], ids=["purge", "soft", "post"])
def test_a_refresh_under_way_does_not_outlive_it(cached, method, extra):
    origin = Renewed()
    gh, o = cached(origin, cache=ALLOWED)
    assert ask(gh).text == "1"
    assert ask(gh).text == "1"
    assert origin.began.wait(WAIT_S)
    assert ask(gh, method, extra).status == 200
    origin.go.set()
    # "1" may be used while "3" is asked for, "2" never
    until(lambda: ask(gh).text != "1", what="a newer answer")
    for _ in range(5):
        assert ask(gh).text == "3"
    assert origin.n == 3
