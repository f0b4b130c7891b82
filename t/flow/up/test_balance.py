"""Which server is chosen: doc/config.md, `balance`. The servers are sites of
the same gatehouse that say their names; more of them cost nothing."""
import collections
import contextlib
import pathlib
import select
import tempfile

import pytest

from lib.gatehouse import run
from lib.procs import until

KEYS = 3000
# nobody listens there (tcpmux)
CLOSED = 1
# chi-square of 9 degrees of freedom: above it one run in 10,000 of true chance
CHI_9 = 33.7


def servers(names, options=lambda name: ""):
    return "".join(f"server = unix:{{socks}}/{n} {options(n)}\n" for n in names)


def ini(balance, names, options=lambda name: "", more="", workers=1):
    """Every name is served, those of `names` are used."""
    sites = "".join(
        f"[listen {n}]\naddress = unix:{{socks}}/{n}\n"
        f"[site {n}]\nlisten = {n}\nhosts = *\nrespond = 200 {n}\n"
        for n in map(str, range(10)))
    return (f"[global]\nworkers = {workers}\n"
            "[listen x]\naddress = 127.0.0.1:{port}\n"
            "trusted_proxies = 127.0.0.1\n"
            f"{sites}[site test]\nlisten = x\nhosts = *\nupstream = app\n"
            f"[upstream app]\nbalance = {balance}\n"
            f"{servers(names, options)}{more}")


@pytest.fixture
def front(gatehouse):
    """front(ini): one whose sockets workers reach, whoever they are."""
    with contextlib.ExitStack() as stack:
        def make(text):
            folder = pathlib.Path(
                stack.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)
            return gatehouse(text, socks=folder)
        yield make


def answers(gh, fields):
    """Who answered each request; `fields` makes the fields of the i-th."""
    with gh.client() as c:
        return [c.get(extra=fields(i)).text for i in range(KEYS)]


def key_field(i):
    return b"X-Key: key-%d\r\n" % i


def chi_square(counts, shares):
    total = sum(counts.values())
    return sum((counts[n] - total * share) ** 2 / (total * share)
               for n, share in shares.items())


TEN = [str(i) for i in range(10)]
EVEN = {n: 0.1 for n in TEN}


@pytest.mark.heavy
@pytest.mark.parametrize("workers", [1, 4])
def test_a_key_finds_the_same_server_everywhere(front, gatehouse, workers):
    """Maglev: even, and the same in all workers and after a restart."""
    text = ini("hash {header:X-Key}", TEN, workers=workers)
    gh = front(text)
    first = answers(gh, key_field)
    assert chi_square(collections.Counter(first), EVEN) < CHI_9
    for _ in range(workers):
        assert answers(gh, key_field) == first
    gh.reload()
    assert answers(gh, key_field) == first
    assert gh.stop() == 0
    again = gatehouse(text, socks=gh.names["socks"])
    assert answers(again, key_field) == first


def test_a_server_that_goes_moves_few_keys_of_others(front):
    """Issue 6: at most 1/N and 5 % of the keys move."""
    gh = front(ini("hash {header:X-Key}", TEN))
    before = answers(gh, key_field)
    gh.reload(ini("hash {header:X-Key}", TEN[:-1]))
    after = answers(gh, key_field)
    moved = sum(a != b for a, b in zip(before, after))
    assert KEYS * 0.05 < moved <= KEYS * (1 / 10 + 0.05)
    assert "9" not in after


def test_a_server_that_is_down_moves_only_its_own_keys(front):
    """And they are spread over the others."""
    gh = front(ini("hash {header:X-Key}", TEN, more="keepalive = 0\n"))
    before = answers(gh, key_field)
    # the same name in the table, and nobody behind it
    gh.names["socks"].joinpath("3").unlink()
    after = answers(gh, key_field)
    moved = [b for a, b in zip(before, after) if a != b]
    assert {a for a, b in zip(before, after) if a != b} == {"3"}
    assert "3" not in after
    assert len(collections.Counter(moved)) == 9


def test_weights_are_shares_of_the_keys(front):
    weights = {"0": 1, "1": 2, "2": 7}
    gh = front(ini("hash {header:X-Key}", weights,
                       lambda n: f"weight={weights[n]}"))
    counts = collections.Counter(answers(gh, key_field))
    # 2 degrees of freedom, the same chance
    assert chi_square(counts, {n: w / 10 for n, w in weights.items()}) < 18.4


@pytest.mark.parametrize("balance", ["ip_hash", "hash {header:X-None}"])
def test_a_client_finds_its_server_again(front, balance):
    """ip_hash; and what a request without the key is known by."""
    gh = front(ini(balance, TEN))

    def fields(i):
        return b"X-Forwarded-For: 10.1.%d.%d\r\n" % divmod(i, 256)
    first = answers(gh, fields)
    assert chi_square(collections.Counter(first), EVEN) < CHI_9
    assert answers(gh, fields) == first


@pytest.mark.parametrize("workers", [1, 4])
def test_two_by_chance_are_spread_by_weight(front, workers):
    """random_two: with nothing else in flight chance decides, by weight."""
    weights = {"0": 1, "1": 1, "2": 4}
    gh = front(ini("random_two", weights,
                       lambda n: f"weight={weights[n]}", workers=workers))
    counts = collections.Counter(answers(gh, lambda i: b""))
    # the better of two pairs: 2 is drawn in all but (1/3 * 1/5 ...) of them
    assert set(counts) == set(weights)
    assert counts["2"] > counts["0"] + counts["1"]
    # some hundred each: five times what chance makes them differ
    assert 0.5 < counts["0"] / counts["1"] < 2


def test_the_less_busy_of_two_is_taken(front, origin):
    """With two servers both are always drawn: the one that holds a request
    gets none of the next."""
    held = []
    busy = origin(lambda conn, request: held.append(conn))
    gh = front(ini("random_two", ["0"], more=f"server = {busy.address}\n"))
    for _ in range(100):
        c = gh.client()
        c.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        until(lambda: held or select.select([c.sock], [], [], 0)[0])
        if held:
            break
        c.close()
    with c, gh.client() as other:
        assert [other.get().text for _ in range(200)] == ["0"] * 200


@pytest.mark.parametrize("balance", ["random_two", "ip_hash", "hash {path}"])
def test_backups_serve_when_no_other_can(front, balance):
    gh = front(ini(balance, ["0", "1", "2", "3"],
                   lambda n: "backup" if n in "23" else "",
                   "keepalive = 0\nconnect_timeout = 100ms\n"))
    with gh.client() as c:
        assert {c.get(f"/{i}").text for i in range(100)} <= {"0", "1"}
        for n in "01":
            gh.names["socks"].joinpath(n).unlink()
        assert {c.get(f"/{i}").text for i in range(100)} <= {"2", "3"}
        for n in "23":
            gh.names["socks"].joinpath(n).unlink()
        assert c.get().status == 502


@pytest.mark.heavy
@pytest.mark.parametrize("balance", ["random_two", "ip_hash", "hash {path}"])
def test_ten_thousand_servers(front, balance):
    """Nothing is bounded by their number but memory."""
    gh = front(ini(balance, ["0"], lambda n: "weight=1000", "".join(
        f"server = 127.0.{i // 250}.{i % 250 + 1}:{CLOSED}\n"
        for i in range(9999)) + "retry = reset\n"))
    with gh.client() as c:
        # a tenth of the weight is with the one that answers
        assert {c.get(f"/{i}").status for i in range(200)} <= {200, 502}


@pytest.mark.parametrize("value,said", [
    ("hash", "hash takes one key"),
    ("hash {path} {host}", "hash takes one key"),
    ("hash fixed", "needs a {variable}"),
    ("hash {pth}", "did you mean {path}?"),
    ("hash {status}", "{status}"),
    ("ip_hash {path}", "ip_hash takes nothing"),
    ("least_conn 3", "'least_conn' takes nothing"),
    ("random", "random_two"),
])
def test_what_is_no_balance_is_refused(tmp_path, value, said):
    path = tmp_path / "x.ini"
    path.write_text("[site t]\nupstream = u\n[upstream u]\nserver = 127.0.0.1:1"
                    f"\nbalance = {value}\n")
    done = run("-t", "-c", path)
    assert done.returncode == 1
    assert said in done.stderr and "x.ini:5:" in done.stderr
