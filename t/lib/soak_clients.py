"""The clients of the soak: what they ask, and the judgement of what they get.
Nothing is taken on trust: content, its length, its version, its variant."""
import random
import re
import socket
import time

from .soak_day import REQUESTS
from .soak_origin import LeanReader
from .soak_world import CODINGS, HOST, LANGUAGES, Wrong, normal
from .wire import WAIT_S, Closed, Malformed, Truncated

# How often each is asked for, in shares.
ASKS = {"get": 60, "if_none_match": 10, "range": 8, "suffix": 3, "many": 3,
        "if_range": 4, "head": 4, "no_cache": 2, "slow": 2, "leave": 3,
        "post": 2}
SMALL_RCVBUF = 4096
SLOW_READ, SLOW_S, SLOW_READS = 4096, 0.01, 60
PER_CONNECTION = 40
IN_FLIGHT_S = 2
# A client that is later than this has lost what it did not ask.
LATE_S = 1
# Bytes by which a place in content is known.
LOOKED_FOR = 32
# Worth telling; what is wrong is only what never comes.
STALL_S = 5
LOST = (Closed, Truncated, OSError)
ETAG = re.compile(r'^(?:W/)?"(\d+)\.(.*)\.(\d+)"$')


class Ask:
    """One request, and what it can be held to."""

    def __init__(self, world, rng, kind, thing=None):
        self.world, self.kind = world, kind
        self.thing = thing or world.choose(rng)
        self.method = {"head": "HEAD", "post": "POST"}.get(kind, "GET")
        self.fields = [("Host", HOST)]
        self.nonce = str(next(world.nonces))
        if self.thing.is_own:
            self.fields.append(("X-Nonce", self.nonce))
        value = None
        if self.thing.vary:
            value = rng.choice(LANGUAGES if "Language" in self.thing.vary
                               else CODINGS)
        if value is not None:
            self.fields.append((self.thing.vary, value))
        self.variant = normal(value) if self.thing.vary else "none"
        self.ranges = []
        self.etag = None
        self.asked = time.monotonic()
        getattr(self, "_" + kind, lambda rng: None)(rng)

    def _any_etag(self, rng):
        """Of this version or one that may be old."""
        version = max(1, self.thing.version - rng.choice((0, 0, 0, 1)))
        return self.thing.etag(self.variant, version)

    def _if_none_match(self, rng):
        if self.thing.etag_form != "none":
            self.etag = self._any_etag(rng)
            self.fields.append(("If-None-Match", self.etag))

    def _one(self, rng):
        """(text, first, last) of a range that may begin behind the end."""
        first = rng.randrange(int(self.thing.size * 1.1))
        last = first + rng.choice((0, 1, 99, 5000, self.thing.size))
        return f"{first}-{last}", first, last

    def _range(self, rng):
        text, first, last = self._one(rng)
        self.ranges = [(first, last)]
        self.fields.append(("Range", f"bytes={text}"))

    def _suffix(self, rng):
        n = rng.choice((1, 100, self.thing.size))
        self.ranges = [(-n, None)]
        self.fields.append(("Range", f"bytes=-{n}"))

    def _many(self, rng):
        parts = [self._one(rng) for _ in range(rng.choice((2, 3)))]
        self.ranges = [(first, last) for _, first, last in parts]
        self.fields.append(
            ("Range", "bytes=" + ",".join(text for text, *_ in parts)))

    def _if_range(self, rng):
        self._range(rng)
        if self.thing.etag_form == "strong":
            self.etag = self._any_etag(rng)
            self.fields.append(("If-Range", self.etag))

    def _no_cache(self, rng):
        self.fields.append(("Cache-Control", "no-cache"))

    def _post(self, rng):
        self.fields.append(("Content-Length", "0"))

    def head(self):
        lines = "".join(f"{n}: {v}\r\n" for n, v in self.fields)
        return f"{self.method} {self.thing.path} HTTP/1.1\r\n" \
            f"{lines}\r\n".encode()

    # judgement
    def judge(self, msg):
        """Wrong when no cache may have given it."""
        if msg.status >= 500:
            if not self.world.is_explained(self.thing, self.asked):
                raise Wrong(f"{msg.first!r} for no reason")
            self.world.count("excused errors")
            return
        if self.method == "POST":
            self._judge_post(msg)
            return
        self._judge_identity(msg)
        judges = {200: self._judge_whole, 206: self._judge_parts,
                  304: self._judge_304, 416: self._judge_416}
        status = msg.status if msg.status != self.thing.status else 200
        if status not in judges:
            raise Wrong(f"{msg.first!r}")
        judges[status](msg)
        self.world.count(f"answers {status}")

    def _judge_post(self, msg):
        if msg.status != 200:
            raise Wrong(f"{msg.first!r} to POST")
        # RFC 9111 4.4 speaks of what is stored, not of what is on its way
        since = float(msg.text) - IN_FLIGHT_S
        self.world.purged([self.thing], since, True, "POST")

    def _judge_identity(self, msg):
        """What it says to be, and whether it may still be that."""
        said = msg.get("x-thing")
        if said is None and msg.status in (304, 416):
            # of these a cache need not tell more than the entity-tag
            found = ETAG.match(msg.get("etag") or "")
            said = " ".join(found.groups()) if found else None
            if said is None and msg.status == 416:
                self.version = None
                return
        if said is None or len(said.split()) != 3:
            raise Wrong(f"does not say what it is: {msg.fields}")
        index, variant, version = said.split()
        if int(index) != self.thing.index or variant != self.variant:
            raise Wrong(f"{said} instead of {self.thing.index} {self.variant}")
        self.version = int(version)
        self.world.judge_version(self.thing, variant, self.version, self.asked)
        etag = msg.get("etag")
        if etag and etag != self.thing.etag(variant, self.version):
            raise Wrong(f"{said} with the entity-tag {etag}")
        if self.thing.is_own and msg.get("x-nonce") != self.nonce:
            raise Wrong("somebody else's private answer")

    def _content(self):
        return self.world.content(self.thing, self.variant, self.version)

    def _judge_whole(self, msg):
        content = self._content()
        length = msg.get("content-length")
        if length is not None and int(length) != len(content):
            raise Wrong(f"Content-Length {length}, not {len(content)}")
        if self.method == "HEAD":
            return
        if msg.body != content:
            at = differs_at(msg.body, content)
            near = content.find(msg.body[at:at + LOOKED_FOR])
            raise Wrong(f"version {self.version}: content of {len(msg.body)} "
                        f"bytes ({msg.framing}) differs from the "
                        f"{len(content)} at byte {at}; what is there "
                        f"belongs to byte {near} (-1: to another)")

    def _judge_parts(self, msg):
        if not self.ranges:
            raise Wrong("206 to a request without Range")
        if self.kind == "if_range" and self.etag and \
                self.etag != self.thing.etag(self.variant, self.version):
            raise Wrong(f"206 of version {self.version} though If-Range says "
                        f"{self.etag}")
        content = self._content()
        kind = msg.get("content-type") or ""
        found = re.match(r'multipart/byteranges; *boundary="?([^";]+)', kind)
        parts = [(msg.get("content-range"), msg.body)] if not found \
            else multipart(msg.body, found[1].encode())
        for said, body in parts:
            self._judge_part(said, body, content)

    def _judge_part(self, said, body, content):
        found = re.match(r"^bytes (\d+)-(\d+)/(\d+)$", said or "")
        if not found:
            raise Wrong(f"Content-Range {said}")
        first, last, size = map(int, found.groups())
        if size != len(content):
            raise Wrong(f"Content-Range {said}, but it has {len(content)}")
        if body != content[first:last + 1] or first > last:
            raise Wrong(f"version {self.version}: content of {said} differs at "
                        f"byte {differs_at(body, content[first:last + 1])}")
        wished = [(max(0, size + a), size - 1) if b is None else
                  (a, min(b, size - 1)) for a, b in self.ranges]
        # parts that overlap may have been joined (RFC 9110 15.3.7.2)
        if not any(first <= a and b <= last for a, b in wished if a <= b):
            raise Wrong(f"{said} was not asked for: {self.ranges}")

    def _judge_304(self, msg):
        if self.etag is None or self.kind != "if_none_match":
            raise Wrong("304 to a request without If-None-Match")
        if self.thing.etag(self.variant, self.version) != self.etag:
            raise Wrong(f"304 of version {self.version} to {self.etag}")

    def _judge_416(self, msg):
        found = re.match(r"^bytes \*/(\d+)$", msg.get("content-range") or "")
        if not self.ranges or not found:
            raise Wrong(f"416 with {msg.get('content-range')}")
        if any(a < int(found[1]) for a, _ in self.ranges):
            raise Wrong(f"416, though {self.ranges} begins in {found[1]}")


def differs_at(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y),
                min(len(a), len(b)))


def multipart(body, boundary):
    """[(Content-Range, content)] of multipart/byteranges."""
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if first or not parts or not parts[-1].startswith(b"--"):
        raise Wrong("multipart without begin or end")
    found = []
    for part in parts[:-1]:
        head, gap, content = part.removeprefix(b"\r\n").partition(
            b"\r\n\r\n")
        said = re.search(rb"(?im)^content-range: *(.*?)\r?$", head)
        if not gap or not said:
            raise Wrong(f"part {head!r}")
        found.append((said[1].decode(), content))
    return found


class SlowReader(LeanReader):
    """One that takes its time for a while."""

    n_reads = 0

    def recv(self, n):
        self.n_reads += 1
        if self.n_reads > SLOW_READS:
            return super().recv(n)
        time.sleep(SLOW_S)
        return super().recv(min(n, SLOW_READ))


class SoakClient:
    """Asks one thing after the other, over connections that it keeps for a
    while, as often as the hour of the day wants of one of so many."""

    def __init__(self, world, port, number, clients):
        self.world, self.port = world, port
        self.share = 1 / clients
        self.due = time.monotonic()
        self.rng = random.Random(f"{world.seed} client {number}")
        self.sock = self.reader = None
        self.left = 0
        self.asking = None  # whose answer is read

    def run(self):
        try:
            while not self.world.over.wait(self.due - time.monotonic()):
                self._ask()
        except Exception as err:  # pylint: disable=broad-except
            self.world.wrong(None, f"client: {err!r}")
            raise
        finally:
            self._close()

    def _close(self):
        if self.sock is not None:
            self.sock.close()
        self.sock = None

    def _connect(self, kind):
        self._close()
        self.sock = socket.socket()
        if kind in ("slow", "leave"):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                 SMALL_RCVBUF)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(("127.0.0.1", self.port))
        self.reader = SlowReader(self.sock) if kind == "slow" \
            else LeanReader(self.sock)
        self.left = self.rng.randrange(1, PER_CONNECTION)

    def _ask(self):
        kind, = self.rng.choices(list(ASKS), list(ASKS.values()))
        # what took too long is not made up for
        self.due = max(self.due, time.monotonic() - LATE_S)
        ask = self.asking = self._new(kind)
        try:
            self._try(ask)
        except (Wrong, Malformed, ValueError) as err:
            self._close()
            ask = self.asking
            self.world.wrong(ask.thing, f"{err}\n  request: {ask.head()!r}")

    def _new(self, kind):
        """What is asked next, and when there is more to ask."""
        self.due += self.world.day.pause(self.rng, REQUESTS, self.share)
        self.world.count("asked")
        return Ask(self.world, self.rng, kind)

    def _try(self, ask):
        """Wrong when it is lost for no reason; a connection that was kept may
        end before an answer begins."""
        is_lonely = ask.kind in ("slow", "leave")
        is_new = self.left <= 0 or is_lonely
        try:
            if is_new:
                self._connect(ask.kind)
            self._exchange(ask)
            self.left = 0 if is_lonely else self.left - 1
        except LOST as err:
            self._close()
            self.left = 0
            ask = self.asking
            if isinstance(err, TimeoutError):
                raise Wrong(f"hangs since {ask.asked:.3f}") from err
            if not is_new and not isinstance(err, Truncated):
                self.world.count("kept connections lost")
            elif self.world.is_explained(ask.thing, ask.asked):
                self.world.count("excused losses")
            elif isinstance(err, Truncated) and \
                    self.world.may_be_two(ask.thing, ask.asked):
                self.world.count("ended by another version")
            else:
                raise Wrong(f"{err!r} for no reason") from err

    def _exchange(self, ask):
        self.sock.sendall(ask.head())
        if ask.kind == "leave":
            self.reader.response_head()
            self._close()
            self.world.count("left")
            return
        self._settle(ask, self.reader.response(ask.method))

    def _settle(self, ask, msg):
        """The answer is here: is it right?"""
        took_s = time.monotonic() - ask.asked
        if took_s > STALL_S:
            self.world.note(self.world, f"{took_s:.1f} s for {ask.thing.path} "
                                        f"asked {ask.asked:.3f}")
            self.world.count("stalls")
        if msg.framing == "close" and msg.body:
            raise Wrong("content that ends with the connection")
        self.world.note(ask.thing, f"got {msg.first!r} {msg.get('x-thing')} "
                                   f"asked {ask.asked:.3f} {ask.kind} "
                                   f"{msg.get('cache-status')}")
        ask.judge(msg)
        self.world.count("bytes judged", len(msg.body))
        if "sliced" in (msg.get("cache-status") or ""):
            self.world.count("sliced answers")
        if msg.get("connection") == "close":
            self.left = 1
