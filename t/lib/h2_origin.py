"""A raw HTTP/2 origin (RFC 9113): it keeps what comes and answers in frames, as
a script says, also in such as no library would send."""
import collections
import socket
import ssl
import struct
import threading

import hpack
from hyperframe.frame import Frame

from . import h2
from .wire import WAIT_S

READ = 65536


class Request:
    """What came on one stream."""

    def __init__(self, stream):
        self.stream = stream
        self.fields, self.trailers = [], None
        self.body = b""
        self.is_ended = False
        self.reset = None  # name of the code

    def get(self, name):
        return next((v.decode() for k, v in self.fields
                     if k == name.encode()), None)

    @property
    def method(self):
        return self.get(":method")

    @property
    def path(self):
        return self.get(":path")


class Conn:
    """One connection, served by a thread of its own. requests[stream]; goaway:
    (last stream, code) that the client sent; is_closed."""

    def __init__(self, origin, sock, number):
        self.origin, self.sock, self.number = origin, sock, number
        self.requests = {}
        self.decoder = hpack.Decoder()
        self.lock = threading.RLock()
        self.initial = h2.WINDOW
        self.settings, self.goaway = {}, None
        self.n_acks = 0
        self.windows = collections.defaultdict(lambda: self.initial)
        self.window = h2.WINDOW
        self.queued = {}  # stream: [octets, ends, trailers]
        self.block = None
        self.is_closed = False
        self.alpn = None

    # -- what scripts say

    def send(self, *parts):
        try:
            with self.lock:
                self.sock.sendall(b"".join(parts))
        except OSError:
            pass
        return self

    def head(self, stream, status=200, fields=(), end=False):
        return self.send(*h2.head(stream, h2.block(
            [(":status", str(status)), *fields]), end))

    def body(self, stream, octets, end=True, trailers=None):
        """Content as the client's windows let it through."""
        with self.lock:
            queue = self.queued.setdefault(stream, [b"", False, None])
            queue[0] += octets
            queue[1] |= end
            queue[2] = trailers
            self._flush()
        return self

    def answer(self, stream, octets=b"ok", status=200, fields=(),
               trailers=None):
        with self.lock:
            self.head(stream, status, fields)
            return self.body(stream, octets, True, trailers)

    def _flush(self):
        for stream, queue in list(self.queued.items()):
            octets, ends, trailers = queue
            while octets and self.window > 0 and self.windows[stream] > 0:
                n = min(len(octets), h2.FRAME_MAX, self.window,
                        self.windows[stream])
                self.windows[stream] -= n
                self.window -= n
                part, octets = octets[:n], octets[n:]
                self.send(h2.data(stream, part, end=ends and not octets and
                                  not trailers))
                queue[0] = octets
                if not octets and not trailers:
                    del self.queued[stream]
            if not octets and stream in self.queued:
                if trailers:
                    self.send(*h2.head(stream, h2.block(trailers), True))
                elif ends:
                    self.send(h2.data(stream, b"", end=True))
                del self.queued[stream]

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def reset(self):
        """End it so that the peer sees a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    # -- what comes

    def serve(self):
        preface = self._exact(len(h2.PREFACE))
        if not preface:
            return
        if preface != h2.PREFACE:
            raise h2.Breach(f"no preface: {preface!r}")
        if self.origin.greet is not None:
            self.send(self.origin.greet)
        while header := self._exact(h2.HEADER_LEN):
            came, length = Frame.parse_frame_header(memoryview(header))
            came.parse_body(memoryview(self._exact(length) or b""))
            came.length = length
            self.origin.note(self.origin.frames, (self, came))
            getattr(self, f"_take_{type(came).__name__}",
                    lambda _: None)(came)
            if self.origin.on_frame:
                self.origin.on_frame(self, came)

    def _exact(self, n):
        got = b""
        while len(got) < n:
            part = self.sock.recv(n - len(got))
            if not part:
                return b""
            got += part
        return got

    def _take_HeadersFrame(self, came):
        self.block = [came.stream_id, set(came.flags), came.data]
        self._take_block(came)

    def _take_ContinuationFrame(self, came):
        self.block[2] += came.data
        self._take_block(came)

    def _take_block(self, came):
        if "END_HEADERS" not in came.flags:
            return
        stream, flags, octets = self.block
        fields = self.decoder.decode(octets, raw=True)
        request = self.requests.get(stream)
        if request is None:
            request = self.requests[stream] = Request(stream)
            request.fields = fields
            self.origin.note(self.origin.requests, request)
            if self.origin.on_head:
                self.origin.on_head(self, request)
        else:
            request.trailers = fields
        self._ended(request, "END_STREAM" in flags)

    def _take_DataFrame(self, came):
        request = self.requests[came.stream_id]
        request.body += came.data
        if came.length and self.origin.gives_back:
            self.send(h2.window_update(0, came.length))
            if "END_STREAM" not in came.flags:
                self.send(h2.window_update(came.stream_id, came.length))
        self._ended(request, "END_STREAM" in came.flags)

    def _ended(self, request, is_ended):
        if not is_ended:
            return
        request.is_ended = True
        self.origin.note(self.origin.ended, request)
        self.origin.script(self, request)

    def _take_RstStreamFrame(self, came):
        if came.stream_id in self.requests:
            self.requests[came.stream_id].reset = h2.error_name(
                came.error_code)
        self.queued.pop(came.stream_id, None)

    def _take_SettingsFrame(self, came):
        if "ACK" in came.flags:
            self.n_acks += 1
            return
        self.settings.update(came.settings)
        with self.lock:
            now = self.settings.get(h2.INITIAL_WINDOW_SIZE, self.initial)
            for stream in list(self.windows):
                self.windows[stream] += now - self.initial
            self.initial = now
            # its own come first (RFC 9113 3.4)
            if self.origin.greet is not None:
                self.send(h2.settings(flags=h2.ACK))
            self._flush()

    def _take_PingFrame(self, came):
        if "ACK" not in came.flags:
            self.send(h2.ping(came.opaque_data, h2.ACK))

    def _take_WindowUpdateFrame(self, came):
        with self.lock:
            if came.stream_id:
                self.windows[came.stream_id] += came.window_increment
            else:
                self.window += came.window_increment
            self._flush()

    def _take_GoAwayFrame(self, came):
        self.goaway = (came.last_stream_id, came.error_code)


def ok(conn, request):
    conn.answer(request.stream)


class H2Origin:
    """script(conn, request) is called with each request that is complete,
    on_head(conn, request) when its head is, on_frame(conn, frame) behind every
    frame. `settings` are ours; greet: other bytes instead of them, or None: it
    acknowledges nothing either, and its script says what comes first.
    requests, ended, frames and conns keep what came; errors, what went
    wrong. gives_back: DATA opens the windows again."""

    def __init__(self, script=ok, settings=(), on_head=None, on_frame=None,
                 tls=None, port=0, gives_back=True, **more):
        self.script, self.on_head, self.on_frame = script, on_head, on_frame
        self.greet = more.get("greet", h2.settings(settings))
        self.gives_back = gives_back
        self.tls = tls
        self.requests, self.ended, self.frames = [], [], []
        self.conns, self.errors = [], []
        self.changed = threading.Condition()
        self.sock = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.sock.getsockname()[1]
        self.address = f"{'https://' if tls else ''}127.0.0.1:{self.port}"
        self.threads = []
        self.is_closing = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def note(self, where, what):
        with self.changed:
            where.append(what)
            self.changed.notify_all()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            conn = Conn(self, sock, len(self.conns))
            thread = threading.Thread(target=self._serve, args=(conn,),
                                      daemon=True)
            self.threads.append(thread)
            self.note(self.conns, conn)
            thread.start()

    def _serve(self, conn):
        try:
            conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                conn.sock = self.tls.wrap_socket(conn.sock, server_side=True)
                conn.alpn = conn.sock.selected_alpn_protocol()
            conn.serve()
        except (OSError, ssl.SSLError) as err:
            if not self.is_closing and isinstance(err, ssl.SSLError):
                self.note(self.errors, err)
        except Exception as err:  # pylint: disable=broad-except
            self.note(self.errors, err)
            raise
        finally:
            conn.close()
            with self.changed:
                conn.is_closed = True
                self.changed.notify_all()

    def wait(self, check, timeout=WAIT_S):
        """Wait until check(self) is true."""
        with self.changed:
            assert self.changed.wait_for(lambda: check(self), timeout), \
                (len(self.conns), len(self.requests), self.errors)
        return self

    def wait_requests(self, n=1):
        return self.wait(lambda o: len(o.requests) >= n)

    def close(self):
        self.is_closing = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.thread.join(WAIT_S)
        for conn in self.conns:
            conn.close()
        for thread in self.threads:
            thread.join(WAIT_S)
