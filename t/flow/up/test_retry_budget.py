"""retry_budget: tries again are a share of an upstream's requests, with a floor
of ten in a second, as all workers count together."""
import collections
import concurrent.futures
import time

import pytest

from lib import admin
from lib.gatehouse import free_port
from lib.origin import OK
from lib.procs import kill_and_wait, until

BAD = b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"
# ten in a second, of the ten seconds that are looked back at
FLOOR = 100
CLIENTS = 8
EXTRA = "access_log = detail" + admin.SECTION + """
[log detail]
path = {dir}/detail.log
buffer = none
format = {status} {fault} {fault_detail}
"""


def ask(gh, method="GET"):
    with gh.client() as c:
        return c.get(method=method).status


def ask_many(gh, n):
    """n requests, some at once, over all workers; the statuses."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return collections.Counter(pool.map(lambda _: ask(gh), range(n)))


def ask_until_spent(gh):
    """Until a client sees the bad server's answer; the statuses."""
    got = collections.Counter()

    def is_spent():
        got.update(ask_many(gh, CLIENTS))
        return got[503]

    until(is_spent)
    return got


def counters(gh):
    found = admin.status(gh)["counters"]
    return found["retries_total"], found["retries_spent_total"]


@pytest.fixture
def overloaded(front, origin):
    """overloaded("key = value"): (gatehouse, first server, one that is asked
    only behind it); several workers."""
    def make(upstream, first=lambda conn, r: conn.send(BAD)):
        bad, good = origin(first), origin()
        gh = front([bad, f"{good.address} backup"], workers=3,
                   upstream=upstream, site=EXTRA)
        return gh, bad, good

    return make


def test_the_share_of_all_workers(overloaded):
    """The floor and a fifth; then the status stands, and logs and counters
    tell why."""
    gh, bad, good = overloaded("retry = 503")
    got = ask_until_spent(gh)
    n = got[200] + got[503]
    # with what comes back while it is looked
    assert FLOOR + n // 5 - CLIENTS <= got[200]
    assert len(bad.requests) == n
    assert len(good.requests) == got[200]
    until(lambda: counters(gh) == (got[200], got[503]))
    details = until(lambda: (lines := (gh.dir / "detail.log").read_text()
                             .splitlines()) and len(lines) == n and lines)
    assert collections.Counter(details) == {
        "200 - -": got[200], "503 - retry budget spent": got[503]}
    told = [line for line in gh.stderr().splitlines()
            if "retry budget spent upstream=app" in line]
    # once in ten seconds of each worker
    assert 1 <= len(told) <= min(got[503], 3)


def test_a_fault_says_so_too(overloaded):
    """Its own word, and in its detail that nobody else was asked for it."""
    gh, _, _ = overloaded("retry = reset", lambda conn, r: conn.reset())
    got = collections.Counter()

    def is_spent():
        got.update(ask_many(gh, CLIENTS))
        return got[502]

    until(is_spent)
    assert got[200] >= FLOOR
    until(lambda: "502 origin_reset retry budget spent" in
          (gh.dir / "detail.log").read_text())


def test_all_of_them_may_be_repeated(overloaded):
    """100%: each request once."""
    gh, _, _ = overloaded("retry = 503\nretry_budget = 100%")
    assert ask_many(gh, 3 * FLOOR) == {200: 3 * FLOOR}
    until(lambda: counters(gh) == (3 * FLOOR, 0))


def test_what_was_not_sent_is_free(front, origin):
    """A server that is down costs nothing, though the floor is all there
    is."""
    gh = front([f"127.0.0.1:{free_port()}", f"{origin().address} backup"],
               workers=3, site=EXTRA,
               upstream="retry = connect\nretry_budget = 0%")
    assert ask_many(gh, 3 * FLOOR) == {200: 3 * FLOOR}
    until(lambda: counters(gh) == (3 * FLOOR, 0))


def test_with_nobody_left_nothing_is_spent(front, origin):
    """One server: there is nothing to pay for."""
    gh = front([origin(lambda conn, r: conn.send(BAD))], workers=3, site=EXTRA,
               upstream="retry = 503\nretry_budget = 0%")
    assert ask_many(gh, 2 * FLOOR) == {503: 2 * FLOOR}
    assert counters(gh) == (0, 0)


def test_upstreams_have_budgets_of_their_own(front, origin):
    """One that is spent takes nothing from another."""
    bad, good = origin(lambda conn, r: conn.send(BAD)), origin()
    lines = f"server = {bad.address}\nserver = {good.address} backup\n" \
        "retry = 503\nretry_budget = 0%\n"
    gh = front([bad, f"{good.address} backup"], workers=3, site=f"""
[route test /other]
upstream = other
[upstream other]
{lines}""", upstream="retry = 503\nretry_budget = 0%")
    assert ask_until_spent(gh)[200] >= FLOOR
    with gh.client() as c:
        assert c.get("/other").status == 200


def test_it_outlives_a_worker(overloaded):
    """Its words are shared: a worker that is killed takes nothing along, and
    its successor has no floor of its own."""
    gh, _, _ = overloaded("retry = 503\nretry_budget = 0%")
    began = time.monotonic()
    assert ask_until_spent(gh)[200] >= FLOOR
    victim = gh.workers()[0]
    kill_and_wait(victim)
    until(lambda: len(gh.workers()) == 3 and victim not in gh.workers())
    got = ask_until_spent(gh)
    # what time gives back, rounded up
    assert got[200] <= FLOOR / 10 * (time.monotonic() - began) + 1


def test_what_is_served_well_costs_nothing(overloaded):
    """Requests without a retry only add to the share."""
    gh, _, good = overloaded("retry = 503", lambda conn, r: conn.send(OK))
    assert ask_many(gh, 2 * FLOOR) == {200: 2 * FLOOR}
    assert counters(gh) == (0, 0)
    assert not good.requests
