"""Rows of the conformance matrix of the cache. A row is a list of steps; a step
is a request, what the origin answers if it is asked, and who must answer the
client how. lib/cacheplay.py plays and judges them.

In every field, {url} is the row's own path, {+60} and {-60} are dates seen from
the row's beginning as IMF-fixdate, {+60:850} and {+60:asc} the same in the
obsolete formats (RFC 9110 5.6.7)."""
import dataclasses
import re
import typing

import pytest

# Who answered the client:
ORIGIN = "origin"    # the origin, which was asked for it
CACHE = "cache"      # the cache, and the origin was not asked
CHECKED = "checked"  # the cache, after the origin's 304
BEHIND = "behind"    # the cache, while the origin was asked behind its back
FAILED = "failed"    # the cache, since the origin had failed
NOBODY = "nobody"    # the gateway itself: what it had could not be used
HUNG = "nobody in time"
BROKEN = "broken"    # the client saw a connection that ended early

ANY = object()  # content that the row does not judge
UNEXPECTED = ("Cache-Control: no-store", "X-Unexpected: yes")
IN_FLIGHT = 4096  # bytes of an answer that breaks in its middle


@dataclasses.dataclass
class Answer:
    """
    fields    "Name: value", as they stand on the wire; Date and what frames
              the content are added unless they are here
    body      None: a text that no other answer has
    framing   "length", "chunked" or "close"
    infos     interim answers before it: (status, fields)
    hold      not before the client has its own answer
    pauses    half of the content comes, the rest when the row says so
    delay_s   nothing is sent for this long
    breaks    "silent": the connection ends instead; "head": in the middle of
              the fields; "body": of the content; "garbage": no HTTP at all
    ranged    a request with Range gets its part
    judges    a request whose If-None-Match names our ETag gets a 304
    """

    fields: tuple = ()
    code: int = 200
    body: bytes = None
    framing: str = "length"
    infos: tuple = ()
    trailers: tuple = ()
    hold: bool = False
    pauses: bool = False
    delay_s: float = 0
    breaks: str = None
    ranged: bool = False
    judges: bool = False
    version: str = "HTTP/1.1"
    has_date: bool = True


@dataclasses.dataclass
class Step:
    """
    ask      fields of the request
    path     what follows the row's own path
    sends    content of the request
    via      who must answer: one word or several
    answer   the origin's; valid: its 304, if it is asked with a condition
    status   what the client gets, one or several; None: that of the answer
    of       the number of the step whose content must come from the cache;
             None: of the last one that the origin answered
    text     the content that must come, whoever answers; ANY: not judged
    has      "Name: value" or "Name" in the answer; lacks: names that are not
    age      (least, most) of Age, to which the time of the row is added
    asked    "Name: value" or "Name" in the origin's last request; unasked:
             names that are not
    wants    the Range of each of the origin's requests in turn, None where it
             has none; ANY: not judged; without it, the origin is asked once
    check    called with (got, play) for what remains
    after_s  wait for so long before it
    again    ask until it is so: what happens behind the client's back is
             seen late
    target   instead of the row's path: the whole request target
    """

    ask: tuple = ()
    method: str = "GET"
    path: str = ""
    host: str = None
    sends: bytes = None
    via: typing.Union[str, tuple] = ORIGIN
    answer: Answer = None
    valid: Answer = None
    status: int = None
    of: int = None
    text: bytes = None
    has: tuple = ()
    lacks: tuple = ()
    age: tuple = None
    asked: tuple = ()
    unasked: tuple = ()
    wants: tuple = None
    check: typing.Callable = None
    after_s: float = 0
    again: bool = False
    target: str = None

    @property
    def vias(self):
        return (self.via,) if isinstance(self.via, str) else self.via


ANSWERS = {f.name for f in dataclasses.fields(Answer)}


def _split(kwargs):
    of_answer = {k: v for k, v in kwargs.items() if k in ANSWERS}
    return of_answer, {k: v for k, v in kwargs.items() if k not in ANSWERS}


def origin(*fields, **kwargs):
    """The origin must be asked, and answers with these fields."""
    of_answer, rest = _split(kwargs)
    return Step(answer=Answer(fields, **of_answer), **{"via": ORIGIN, **rest})


def cache(*ask, **kwargs):
    """A request with these fields, which the cache must answer itself."""
    of_answer, rest = _split(kwargs)
    of_answer.setdefault("fields", UNEXPECTED)
    return Step(ask=ask, answer=Answer(**of_answer),
                **{"via": CACHE, **rest})


def checked(*fields, ask=(), **kwargs):
    """The cache must ask whether what it has is still right: a 304 with these
    fields."""
    of_answer, rest = _split(kwargs)
    return Step(ask=ask, valid=Answer(fields, code=304, **of_answer),
                answer=Answer(UNEXPECTED), **{"via": CHECKED, **rest})


def behind(*fields, **kwargs):
    """The cache must answer at once and ask the origin meanwhile, which
    answers with these fields."""
    return origin(*fields, **{"via": BEHIND, "hold": True, **kwargs})


def failed(**kwargs):
    """The origin fails, and what is stored must be good enough."""
    return origin(*kwargs.pop("fields", ()), **{"via": FAILED, **kwargs})


def nobody(status, *ask, **kwargs):
    """The gateway's own answer."""
    return cache(*ask, **{"via": NOBODY, "status": status, **kwargs})


@dataclasses.dataclass
class Row:
    """name: the section that says so, then what is seen."""

    name: str
    steps: tuple
    site: str = "rfc"


def row(name, *steps, site="rfc"):
    return Row(name, steps, site)


def kept(name, *fields, site="rfc", **kwargs):
    """What comes with these fields must answer the next request, too."""
    return row(name, origin(*fields, **kwargs), cache(), site=site)


def unkept(name, *fields, site="rfc", **kwargs):
    """What comes with these fields must not: the origin is asked again."""
    return row(name, origin(*fields, **kwargs), origin(*UNEXPECTED), site=site)


def stale(name, *fields, site="rfc", **kwargs):
    """What comes with these fields and an ETag is not used again without
    asking. Whether it was kept for that is not judged."""
    return row(name, origin(*fields, 'ETag: "a"', **kwargs),
               checked('ETag: "a"', via=(CHECKED, ORIGIN)), site=site)


def renewed(name, *fields, site="rfc", **kwargs):
    """The same, and it was kept: the origin is asked whether it still holds."""
    return row(name, origin(*fields, 'ETag: "a"', **kwargs),
               checked('ETag: "a"', asked=('If-None-Match: "a"',)), site=site)


def rows(*table):
    """The table as parameters of a test named test_*(play, row)."""
    flat = []
    for one in table:
        flat += [one] if isinstance(one, Row) else one
    names = [one.name for one in flat]
    assert len(set(names)) == len(names), \
        sorted({n for n in names if names.count(n) > 1})
    return pytest.mark.parametrize(
        "row", [pytest.param(one, id=re.sub(r"[^\x21-\x7e]", "_", one.name))
                for one in flat])
