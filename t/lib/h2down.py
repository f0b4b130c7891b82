"""Rows of HTTP/2 requests and what may come of them on an origin's HTTP/1.1
connection, and the judge that sends them and looks at both ends. What the
origin saw was read by lib.wire, never by gatehouse."""
import dataclasses

from .h2 import Conn, block, data, head, headers, request
from .h2case import MALFORMED
from .wire import Malformed

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = app
max_body = 1m
[upstream app]
server = {origin}
"""
# What only a hop says of itself; lib.wire reads the framing.
HOP = {"keep-alive", "upgrade", "te", "proxy-connection", "http2-settings",
       "trailer"}
SERVED = ("200",)


@dataclasses.dataclass
class Row:
    """
    name      the section that says so, then what is sent
    fields    all of them, pseudo-fields as well
    parts     the content, a DATA frame each; None: the head is all
    trailers  behind the content
    want      how gatehouse may take it
    sees      "METHOD target content" of the one request at the origin, when it
              is served; None: gatehouse answers by itself
    has       {name: values} that must stand in it
    lacks     names that must not
    ends      names of its trailers
    early     what the origin may have seen whole before the rest of a refused
              one was known
    """

    name: str
    fields: list
    parts: tuple = None
    trailers: list = None
    want: tuple = MALFORMED
    sees: str = "GET /"
    has: dict = dataclasses.field(default_factory=dict)
    lacks: tuple = ()
    ends: tuple = ()
    early: str = None


def bad(name, *fields, want=MALFORMED, **kwargs):
    """Refused; the origin hears of no request."""
    return Row(name, list(fields), want=want, **kwargs)


def fine(name, *fields, **kwargs):
    kwargs.setdefault("want", SERVED)
    return Row(name, list(fields), **kwargs)


def get(*more, **kwargs):
    return request("GET", kwargs.pop("path", "/"), *more, **kwargs)


def post(*more, **kwargs):
    return request("POST", "/", *more, **kwargs)


def saw(r):
    """A request that reached the origin, as rows spell it."""
    return " ".join(filter(None, (r.method, r.target,
                                  r.body.decode("latin-1"))))


class Judge:
    """One gatehouse in front of one recording origin, for many rows."""

    def __init__(self, address, origin):
        self.address = address
        self.origin = origin
        self.n = 0

    def _send(self, c, row):
        last = row.parts is None and row.trailers is None
        frames = head(1, block(row.fields), last)
        parts = row.parts or ()
        frames += [data(1, p, end=row.trailers is None and
                        i == len(parts) - 1) for i, p in enumerate(parts)]
        if row.trailers is not None:
            frames.append(headers(1, block(row.trailers)))
        c.next_stream()
        c.send(*frames)

    def _check_seen(self, row, seen):
        assert [saw(r) for r in seen] == ([row.sees] if row.sees else [])
        if not seen:
            return
        r, = seen
        names = [k.decode().lower() for k, _ in r.fields]
        assert not HOP & (set(names) - set(row.has)), names
        assert not set(row.lacks) & set(names), names
        assert not any(n.startswith(":") for n in names), names
        assert names.count("host") == 1
        for name, values in row.has.items():
            assert r.all(name) == values
        assert tuple(k.decode() for k, _ in r.trailers) == row.ends

    def _probe(self, c):
        """Whoever comes next on the same connections is not mistaken."""
        self.n += 1
        probe = f"/probe{self.n}"
        n = len(self.origin.requests)
        assert c.get(probe).status == 200, c.told()
        assert [saw(r) for r in self.origin.requests[n:]] == [f"GET {probe}"]

    def __call__(self, row):
        o = self.origin
        n_requests, n_errors = len(o.requests), len(o.errors)
        with Conn(self.address) as c:
            self._send(c, row)
            c.answer(1)
            got = c.verdict(1)
            assert got in row.want, c.told()
            seen = o.requests[n_requests:]
            if got == "200":
                self._check_seen(row, seen)
            else:
                assert [saw(r) for r in seen] in ([], [row.early]), row
            self._probe(c)
        # an upload that was refused in the middle is cut, and nothing worse
        assert not [e for e in o.errors[n_errors:] if isinstance(e, Malformed)]
