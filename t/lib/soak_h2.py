"""Clients of the soak that speak HTTP/2: some requests at once on a connection,
each of which is judged like any other."""
import time

from . import h2
from .soak_clients import (PER_CONNECTION, SLOW_READ, SLOW_READS, SLOW_S,
                           SMALL_RCVBUF, SoakClient, Wrong)
from .soak_world import HOST
from .wire import Closed, Message, Truncated

AT_ONCE = (0, 0, 1, 3)
TOGETHER = ("get", "range", "if_none_match", "suffix")


class LeanConn(h2.Conn):
    """One that keeps no frames, and may take its time for a while."""

    slow_reads = 0

    def _more(self):
        if self.slow_reads > 0:
            self.slow_reads -= 1
            time.sleep(SLOW_S)
            self.buf += self.sock.recv(SLOW_READ)
            return
        super()._more()
        # who was killed ends where it was
        if self.end and self.buf:
            raise Truncated(f"{len(self.buf)} octets of a frame")

    def _take(self, came):
        super()._take(came)
        self.frames.clear()


class SoakH2Client(SoakClient):
    """The same with streams in the place of connections."""

    def _connect(self, kind):
        self._close()
        is_slow = kind in ("slow", "leave")
        self.sock = LeanConn(("127.0.0.1", self.port),
                             rcvbuf=SMALL_RCVBUF if is_slow else None)
        if self.sock.settings is None:
            raise Closed()
        self.sock.slow_reads = SLOW_READS if kind == "slow" else 0
        self.left = self.rng.randrange(1, PER_CONNECTION)

    def _send(self, ask):
        fields = [(n.lower(), v) for n, v in ask.fields if n != "Host"]
        return self.sock.ask(ask.method, ask.thing.path, *fields,
                             authority=HOST)

    def _exchange(self, ask):
        asks = [ask]
        if ask.kind not in ("slow", "leave", "post"):
            for _ in range(self.rng.choice(AT_ONCE)):
                asks.append(self._new(self.rng.choice(TOGETHER)))
        sent = [(one, self._send(one)) for one in asks]
        if ask.kind == "leave":
            number = sent[0][1]
            self.sock.pump(lambda: self.sock.stream(number).status)
            self._close()
            self.world.count("left")
            return
        for one, number in sent:
            self.asking = one
            self._settle(one, self._answer(number))

    def _answer(self, number):
        """The stream's answer as a message; it is forgotten here."""
        try:
            got = self.sock.answer(number)
        except h2.Breach as err:
            raise Wrong(f"HTTP/2: {err}") from err
        del self.sock.streams[number]
        if self.sock.goaway:
            self.left = 0
        if not got.is_ended or got.reset:
            if got.status is None:
                raise Closed()
            raise Truncated(f"{len(got.body)} bytes, then {got.reset}")
        msg = Message()
        msg.first = b"HTTP/2 %d" % got.status
        msg.fields, msg.body, msg.framing = got.fields, got.body, "h2"
        self.world.count("HTTP/2 answers")
        return msg
