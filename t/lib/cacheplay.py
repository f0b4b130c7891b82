"""Plays the rows of lib/cachecase.py: an origin that answers by their script
and records what it was asked, a client by HTTP/1.1 or HTTP/2, and the judge."""
import dataclasses
import itertools
import re
import threading
import time

from .cachecase import (ANY, BEHIND, BROKEN, CACHE, CHECKED, FAILED, HUNG,
                        IN_FLIGHT, NOBODY, ORIGIN)
from .h2 import Conn
from .origin import Origin
from .wire import WAIT_S, Client, Closed, Truncated

# How long the origin holds an answer back for a client that should not have to
# wait for it: who waits for longer has not answered at once.
HOLD_S = 10
POLL_S = 0.01
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FULL_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
             "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
          "Nov", "Dec")
FILLED = re.compile(r"\{(url|[+-]\d+(?::850|:asc)?)\}")
RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")
NO_CONTENT = (204, 304)


def http_date(seconds, form=None):
    """RFC 9110 5.6.7; months and days are English in every locale."""
    t = time.gmtime(seconds)
    clock = f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"
    month = MONTHS[t.tm_mon - 1]
    if form == "850":
        return f"{FULL_DAYS[t.tm_wday]}, {t.tm_mday:02}-{month}-" \
            f"{t.tm_year % 100:02} {clock} GMT"
    if form == "asc":
        return f"{DAYS[t.tm_wday]} {month} {t.tm_mday:2} {clock} {t.tm_year}"
    return f"{DAYS[t.tm_wday]}, {t.tm_mday:02} {month} {t.tm_year} {clock} GMT"


@dataclasses.dataclass
class Got:
    """What the client got, by whatever protocol."""

    status: int
    fields: list  # (name in lower case, value)
    body: bytes
    infos: list  # (status, fields)
    trailers: list
    error: str = None

    def all(self, name):
        return [v for k, v in self.fields if k == name.lower()]

    def get(self, name):
        return next(iter(self.all(name)), None)


def _lower(fields):
    return [(k.decode("latin-1").lower(), v.decode("latin-1"))
            for k, v in fields]


def ask_h1(address, method, target, host, fields, body, timeout=WAIT_S):
    """One request on a connection of its own."""
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
    if body is not None:
        head.append(f"Content-Length: {len(body)}")
    infos = []
    with Client(address, timeout) as c:
        c.send("\r\n".join(head + ["", ""]).encode("latin-1") + (body or b""))
        try:
            msg = c.response(method, infos)
        except (Closed, Truncated, OSError) as err:
            return Got(0, [], b"", [], [], error=repr(err))
        assert not c.reader.buf, f"behind the answer: {c.reader.buf!r}"
    return Got(msg.status, _lower(msg.fields), msg.body,
               [(i.status, _lower(i.fields)) for i in infos],
               _lower(msg.trailers))


def ask_h2(address, method, target, host, fields, body, timeout=WAIT_S):
    """The same by HTTP/2 and prior knowledge."""
    pairs = [f.split(":", 1) for f in fields]
    with Conn(address, timeout=timeout) as c:
        s = c.answer(c.ask(method, target, *(
            (k.lower(), v.strip()) for k, v in pairs), authority=host,
            body=body))
    return Got(s.status or 0, _lower(s.fields), s.body,
               [(status, _lower(f)) for status, f in s.infos],
               _lower(s.trailers or []), error=s.reset)


ASK = {"h1": ask_h1, "h2": ask_h2}


# --- the origin ---------------------------------------------------------------

class Book(Origin):
    """An origin that many plays share: the first segment of the path tells
    whose answer it is."""

    def __init__(self):
        self.plays = {}
        super().__init__(self._answer)

    def _answer(self, conn, request):
        name = request.target.split("/")[1].split("?")[0]
        play = self.plays.get(name)
        if play is None:  # somebody looks whether the origin lives
            conn.send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
            return None
        return play.answer(conn, request)


def cut(answer, request):
    """The part that Range asks for: (start, end) or None for the whole."""
    found = RANGE.match(request.get("range") or "")
    tag = next((f.split(":", 1)[1].strip() for f in answer.fields
                if f.lower().startswith("etag:")), None)
    condition = request.get("if-range")
    if not answer.ranged or not found or condition not in (None, tag):
        return None
    size = len(answer.body)
    low, high = found.groups()
    if not low:
        return max(0, size - int(high)), size
    return int(low), min(size, int(high) + 1 if high else size)


def named(answer, request):
    """Whether If-None-Match names the answer's ETag."""
    tags = ",".join(request.all("if-none-match"))
    return answer.judges and any(
        f.lower().startswith("etag:") and f.split(":", 1)[1].strip() in tags
        for f in answer.fields)


def chunked(body, trailers):
    half = len(body) // 2
    parts = [p for p in (body[:half], body[half:]) if p]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) + b"0\r\n" + \
        "".join(t + "\r\n" for t in trailers).encode("latin-1") + b"\r\n"


class Play:
    """One row under way. `requests` are those of the step that is played.

    hold_s      how long an answer is held back that the client must not need
    patience_s  how long the client waits
    """

    numbers = itertools.count(1)
    hold_s = HOLD_S
    patience_s = WAIT_S

    def __init__(self, book, address, how="h1"):
        self.book, self.address, self.how = book, address, how
        self.name = f"r{next(self.numbers)}"
        self.url = f"/{self.name}"
        self.start = int(time.time())
        self.began = time.monotonic()
        self.requests, self.sent = [], []
        self.changed = threading.Condition()
        self.gate = threading.Event()
        self.step = None
        self.bodies = []  # of each step's answer
        self.statuses = []
        self.kept_step = None
        self.is_early = False  # the client was answered before the origin did
        self.site = None
        book.plays[self.name] = self

    def close(self):
        self.gate.set()
        del self.book.plays[self.name]

    def fill(self, text):
        def one(found):
            word = found[1]
            if word == "url":
                return self.url
            offset, _, form = word.partition(":")
            return http_date(self.start + int(offset), form or None)
        return FILLED.sub(one, text)

    # -- as the origin

    def answer(self, conn, request):
        with self.changed:
            step, number = self.step, len(self.bodies) - 1
            self.requests.append(request)
            self.changed.notify_all()
        answer = self._choose(step, request)
        if answer.hold:
            self.gate.wait(self.hold_s)
        if answer.delay_s:
            time.sleep(answer.delay_s)
        self._note(answer)
        body = self.bodies[number] if answer is step.answer else \
            answer.body or b""
        if answer.breaks in ("silent", "garbage"):
            if answer.breaks == "garbage":
                conn.send(b"\x15\x03\x01 no HTTP\r\n\r\n")
            return False
        return self._send(conn, request, answer, body)

    def _choose(self, step, request):
        is_asking = request.get("if-none-match") or \
            request.get("if-modified-since")
        if step.valid and is_asking:
            return step.valid
        if named(step.answer, request):
            return dataclasses.replace(step.answer, code=304, judges=False,
                                       hold=False)
        return step.answer

    def _note(self, answer):
        with self.changed:
            self.sent.append(answer)
            self.changed.notify_all()

    def _send(self, conn, request, answer, body):
        part = cut(answer, request) if answer.code == 200 else None
        code, more = answer.code, []
        if part and part[0] >= len(body):
            code, more, body = 416, [f"Content-Range: bytes */{len(body)}"], b""
        elif part:
            code = 206
            more = [f"Content-Range: bytes {part[0]}-{part[1] - 1}/"
                    f"{len(body)}"]
            body = body[part[0]:part[1]]
        head = self._head(answer, code, more, body)
        if answer.breaks == "head":
            conn.send(head[:len(head) // 2])
            return False
        if request.method == "HEAD" or code in NO_CONTENT:
            body = b""
        elif answer.framing == "chunked":
            body = chunked(body, answer.trailers)
        if answer.breaks == "body":
            conn.send(head + body[:len(body) // 2])
            return False
        half = len(body) // 2 if answer.pauses else 0
        if half:
            conn.send(head + body[:half])
            head, body = b"", body[half:]
            self.gate.wait(self.hold_s)
        conn.send(head + body)
        return answer.framing != "close"

    def _head(self, answer, code, more, body):
        lines = []
        for status, fields in answer.infos:
            lines += [f"HTTP/1.1 {status} Interim", *fields, ""]
        lines += [f"{answer.version} {code} Said", *answer.fields, *more]
        names = {f.split(":")[0].lower() for f in answer.fields}
        if answer.has_date and "date" not in names:
            lines.append(f"Date: {http_date(time.time())}")
        if answer.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif answer.framing == "length" and code not in NO_CONTENT and \
                "content-length" not in names:
            lines.append(f"Content-Length: {len(body)}")
        return self.fill("\r\n".join(lines + ["", ""])).encode("latin-1")

    # -- as the client

    def _own_body(self, answer):
        if answer.body is not None:
            return answer.body
        if answer.code in NO_CONTENT:
            return b""
        text = b"%b of %b" % (str(len(self.bodies)).encode(),
                              self.name.encode())
        return text.ljust(IN_FLIGHT, b".") if answer.breaks == "body" else text

    def ask(self, step):
        host = step.host or f"{self.site}.test"
        target = self.fill(step.target) if step.target \
            else self.url + step.path
        return ASK[self.how](self.address, step.method, target, host,
                             [self.fill(f) for f in step.ask], step.sends,
                             self.patience_s)

    def begin(self, step):
        """The origin answers by this step from now on."""
        self.gate.clear()
        with self.changed:
            self.step = step
            self.requests, self.sent = [], []
            self.bodies.append(self._own_body(step.answer))
            self.statuses.append(step.answer.code)

    def run(self, row):
        self.site = row.site
        for number, step in enumerate(row.steps):
            if step.after_s:
                time.sleep(step.after_s)
            self.begin(step)
            got = self._exchange(step)
            via = self.took(step, got)
            try:
                self.judge(step, got, via)
            except AssertionError as err:
                raise AssertionError(
                    f"step {number} of {row.name}: {err}\n"
                    f"{self.told(step, got, via)}") from None
            if via == ORIGIN and step.method not in ("HEAD", "OPTIONS"):
                self.kept_step = number

    def _exchange(self, step):
        """Ask, again if that was allowed, and let what was held back go."""
        end = time.monotonic() + self.hold_s
        while True:
            got = self.ask(step)
            self.is_early = bool(step.answer.hold and not self.sent)
            if not step.again or self._is_so(step, got) or \
                    time.monotonic() > end:
                break
            time.sleep(POLL_S)
            if not step.answer.hold:  # what was asked behind stays asked
                with self.changed:
                    self.requests, self.sent = [], []
        if self.is_early:
            self.gate.set()
            with self.changed:
                self.changed.wait_for(lambda: self.sent, self.hold_s)
        return got

    def _is_so(self, step, got):
        via = self.took(step, got)
        return via in step.vias and got.body == self.expected(step, via) and \
            (not step.status or got.status == step.status)

    # -- the judge

    def expected(self, step, via):
        """The content that must come."""
        if step.text is not None:
            return step.text
        if via in (ORIGIN, NOBODY):
            return self.bodies[-1]
        return self.bodies[self._kept(step)]

    def _kept(self, step):
        if step.of is not None:
            return step.of
        return self.kept_step or 0

    def took(self, step, got):
        """Who answered: one of the words of lib/cachecase.py."""
        with self.changed:
            requests, sent = list(self.requests), list(self.sent)
        if got.error:
            return HUNG if "timed out" in got.error else BROKEN
        if not requests:
            is_own = NOBODY in step.vias and got.status == step.status
            return NOBODY if is_own else CACHE
        if BEHIND in step.vias and self.is_early and requests:
            return BEHIND
        if any(a.code == 304 and a is not step.answer for a in sent):
            return CHECKED
        is_old = len(self.bodies) > 1 and got.body and \
            got.body == self.bodies[self._kept(step)] != self.bodies[-1]
        return FAILED if is_old else ORIGIN

    def judge(self, step, got, via):
        assert via in step.vias, f"answered by {via}"
        if via == CACHE:
            assert not self.requests, "and the origin was asked"
        elif step.wants is not None:
            ranges = tuple(r.get("range") for r in self.requests)
            assert step.wants in (ANY, ranges), f"ranges {ranges}"
        elif via in (ORIGIN, CHECKED) and not step.answer.breaks:
            assert len(self.requests) == 1, "the origin was asked again"
        if via == BROKEN:
            return
        status = step.status or (
            self.statuses[-1] if via == ORIGIN
            else self.statuses[self._kept(step)])
        assert got.status in (status if isinstance(status, tuple)
                              else (status,)), \
            f"status {got.status}, not {status}"
        if step.method != "HEAD" and got.status not in NO_CONTENT and \
                via != NOBODY and step.text is not ANY:
            assert got.body == self.expected(step, via), "content"
        self._judge_fields(step, got, via)
        if step.check:
            step.check(got, self)

    def _judge_fields(self, step, got, via):
        for want in step.has:
            self._judge_one(want, got.all, got.fields)
        for name in step.lacks:
            assert not got.all(name), f"{name} in the answer"
        if step.age:
            assert len(got.all("age")) == 1, "not one Age"
            spent = time.monotonic() - self.began + 2
            least, most = step.age
            assert least <= int(got.get("age")) <= most + spent, "Age"
        if via == CACHE:
            assert all(v.isdigit() for v in got.all("age")), "Age"
        if step.asked or step.unasked:
            last = self.requests[-1]
            for want in step.asked:
                self._judge_one(want, last.all, last.fields)
            for name in step.unasked:
                assert not last.all(name), f"the origin was asked with {name}"

    def _judge_one(self, want, values, fields):
        name, colon, value = self.fill(want).partition(":")
        got = values(name)
        if colon:
            assert value.strip() in got, f"no {want!r} in {fields}"
        else:
            assert got, f"no {want!r} in {fields}"

    def told(self, step, got, via):
        asked = [(r.first, r.fields) for r in self.requests]
        return f"asked for {step.method} {self.url}{step.path} " \
            f"{list(step.ask)}\nanswered by {via}: {got.status} " \
            f"{got.fields} {got.body[:80]!r} {got.error or ''}\n" \
            f"the origin was asked: {asked}"
