"""Random conversations, byte-exact: whatever the sizes, framings, splits and
pipelines, each side gets what the other one sent."""
import os
import random
import socket
import threading
import time

import pytest

from lib.wire import Client

SEED = int(os.environ.get("GH_SEED", "0")) or int(time.time())
CLIENTS = 4
END_S = 3.0
SIZES = [0, 1, 2, 100, 1460, 4095, 4096, 16383, 16384, 16385, 65535, 65536,
         65537, 200000]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]


def some_bytes(rng):
    size = rng.choice(SIZES)
    return rng.randbytes(rng.randint(0, size) if rng.random() < .5 else size)


def chunked(rng, body, trailers=b"", extension=b""):
    """The body in chunks of random sizes."""
    out, at = [], 0
    while at < len(body):
        n = rng.choice([1, 7, 100, 4096, 16384, 70000])
        # a few tiny chunks are enough
        n = max(n, len(body) // 50)
        part = body[at:at + n]
        size = b"%x" % len(part)
        if rng.random() < .5:
            size = size.upper()
        out.append(b"0" * rng.randint(0, 3) + size + extension + b"\r\n" +
                   part + b"\r\n")
        at += len(part)
    return b"".join(out) + b"0" * rng.randint(1, 3) + b"\r\n" + trailers + \
        b"\r\n"


def send_split(rng, sock, data):
    """In pieces that end anywhere."""
    if rng.random() < .3:
        sock.sendall(data)
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    cuts = sorted(rng.randrange(len(data) + 1)
                  for _ in range(rng.randint(1, 8)))
    for begin, end in zip([0] + cuts, cuts + [len(data)]):
        sock.sendall(data[begin:end])


class Plan:
    """What one request and its answer are to be."""

    def __init__(self, rng, name):
        self.name = name
        self.method = rng.choice(METHODS)
        has_content = self.method in ("POST", "PUT", "PATCH")
        self.body = some_bytes(rng) if has_content else b""
        self.request_framing = rng.choice(["length", "chunked"]) \
            if has_content else "none"
        self.status = rng.choice([200, 200, 200, 201, 204, 304, 404, 500])
        self.answer_framing = rng.choice(["length", "chunked", "close"])
        self.is_bare = self.method == "HEAD" or self.status in (204, 304)
        self.answer = b"" if self.is_bare else some_bytes(rng)
        self.has_trailer = rng.random() < .3
        self.infos = rng.randint(0, 2) * (rng.random() < .3)
        self.seed = rng.random()
        self.got = None

    def request(self, rng):
        fields = b"X-Plan: %s\r\n" % self.name.encode()
        body = self.body
        if self.request_framing == "length":
            fields += b"Content-Length: %d\r\n" % len(body)
        elif self.request_framing == "chunked":
            fields += b"Transfer-Encoding: chunked\r\n"
            body = chunked(rng, body,
                           b"X-End: %s\r\n" % self.name.encode()
                           if self.has_trailer else b"")
        return b"%s /%s HTTP/1.1\r\nHost: test\r\n%s\r\n" % (
            self.method.encode(), self.name.encode(), fields) + body

    def response(self, rng):
        out = b"HTTP/1.1 103 Early Hints\r\nX-Plan: %s\r\n\r\n" % \
            self.name.encode() * self.infos
        fields = b"X-Plan: %s\r\n" % self.name.encode()
        body = self.answer
        if self.is_bare or self.answer_framing == "length":
            if self.status not in (204, 304):
                fields += b"Content-Length: %d\r\n" % len(body)
        elif self.answer_framing == "chunked":
            fields += b"Transfer-Encoding: chunked\r\n"
            body = chunked(rng, body,
                           b"X-End: %s\r\n" % self.name.encode()
                           if self.has_trailer else b"",
                           rng.choice([b"", b";a", b';a="b"']))
        else:
            fields += b"Connection: close\r\n"
        return out + b"HTTP/1.1 %d X\r\n%s\r\n" % (self.status, fields) + body

    def check_request(self, request):
        assert request.method == self.method
        assert request.body == self.body
        assert request.get("x-plan") == self.name

    def check_response(self, response, infos):
        assert (response.status, response.get("x-plan")) == (
            self.status, self.name)
        assert response.body == self.answer
        assert len(infos) == self.infos
        if self.answer_framing == "chunked" and not self.is_bare:
            assert dict(response.trailers) == (
                {b"X-End": self.name.encode()} if self.has_trailer else {})


class Talk(threading.Thread):
    """One client connection after the other, a few requests in flight on
    each."""

    def __init__(self, number, port, plans):
        super().__init__(daemon=True)
        self.rng = random.Random(f"{SEED} {number}")
        self.number = number
        self.port = port
        self.plans = plans
        self.n = 0
        self.failure = None

    def run(self):
        end = time.monotonic() + END_S
        try:
            while time.monotonic() < end:
                self.converse()
        except Exception as err:  # pylint: disable=broad-except
            self.failure = err

    def next_plan(self):
        self.n += 1
        plan = Plan(self.rng, f"{self.number}-{self.n}")
        self.plans[plan.name] = plan
        return plan

    def converse(self):
        with Client(("127.0.0.1", self.port)) as c:
            for _ in range(self.rng.randint(1, 5)):
                burst = [self.next_plan()
                         for _ in range(self.rng.randint(1, 4))]
                data = b"".join(p.request(self.rng) for p in burst)
                sender = threading.Thread(target=send_split, args=(
                    self.rng, c.sock, data), daemon=True)
                sender.start()
                for plan in burst:
                    infos = []
                    plan.check_response(c.response(plan.method, infos), infos)
                sender.join()


@pytest.mark.parametrize("upstream", ["keepalive = 2", "keepalive = 0"])
def test_random_conversations(front, origin, upstream):
    """RFC 9112 6, 7, 9.3.2: framing changes on the way, content never; GH_SEED
    repeats a run."""
    def script(conn, request):
        plan = plans[request.target[1:]]
        plan.check_request(request)
        rng = random.Random(plan.seed)
        send_split(rng, conn.sock, plan.response(rng))
        # the origin says that its end is the content's
        return plan.is_bare or plan.answer_framing != "close"

    def guarded(conn, request):
        try:
            return script(conn, request)
        except AssertionError as err:
            wrong.append((request.target, err))
            return False

    plans, wrong = {}, []
    o = origin(guarded)
    gh = front([o], workers=2, upstream=upstream)
    talks = [Talk(i, gh.port, plans) for i in range(CLIENTS)]
    for talk in talks:
        talk.start()
    for talk in talks:
        talk.join(60)
        assert not talk.is_alive(), f"seed {SEED} hangs"
    assert not wrong, f"seed {SEED}"
    assert not o.errors, f"seed {SEED}"
    for talk in talks:
        assert talk.failure is None, f"seed {SEED} {talk.failure!r}"
    assert sum(talk.n for talk in talks) >= CLIENTS
