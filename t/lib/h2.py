"""A raw HTTP/2 client (RFC 9113, RFC 7541): it sends frames and header blocks
that no library would, reads what the peer sends with hyperframe and hpack, and
tells in one word how the peer took it. What a test sends is written here octet
by octet, so that nothing is mended on the way."""
import dataclasses
import itertools
import select
import socket
import ssl
import struct

import hpack
from hyperframe.frame import Frame

TIMEOUT_S = 10
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# RFC 9113 6: types
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, \
    WINDOW_UPDATE, CONTINUATION = range(10)
# RFC 9113 6: flags
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITIZED = 0x20
WHOLE = END_STREAM | END_HEADERS
# RFC 9113 6.5.2, RFC 8441 3, RFC 9218 2.1: settings
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, \
    MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
NO_RFC7540_PRIORITIES = 9
# RFC 9113 7: what the codes are called
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR",
          "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
          "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
          "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
WINDOW = 65535  # RFC 9113 6.9.2: what every window begins with
WINDOW_MAX = 2**31 - 1  # RFC 9113 6.9.1
FRAME_MAX = 2**14  # RFC 9113 4.2: what every peer takes
HEADER_LEN = 9  # RFC 9113 4.1


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else f"0x{code:x}"


# --- frames, octet by octet ---------------------------------------------------

def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """One frame; `length` says something else than what follows."""
    n = len(payload) if length is None else length
    return struct.pack(">I", n)[1:] + \
        struct.pack(">BBI", kind, flags, stream) + payload


def padded(payload, pad, told=None):
    """A payload with `pad` octets behind it (RFC 9113 6.1)."""
    return bytes([pad if told is None else told]) + payload + b"\0" * pad


def data(stream, payload=b"", end=False, pad=None, flags=0):
    flags |= END_STREAM if end else 0
    if pad is not None:
        payload, flags = padded(payload, pad), flags | PADDED
    return frame(DATA, flags, stream, payload)


def priority_part(depends=0, weight=16, exclusive=False):
    """RFC 9113 6.3: a weight is told less one."""
    return struct.pack(">IB", depends | exclusive << 31, weight - 1)


def headers(stream, block, flags=WHOLE, pad=None, priority=None):
    if priority is not None:
        block, flags = priority + block, flags | PRIORITIZED
    if pad is not None:
        block, flags = padded(block, pad), flags | PADDED
    return frame(HEADERS, flags, stream, block)


def continuation(stream, block, flags=END_HEADERS):
    return frame(CONTINUATION, flags, stream, block)


def head(stream, block_, end=True):
    """A header block in as many frames as it needs: a list of them."""
    parts = [block_[i:i + FRAME_MAX]
             for i in range(0, len(block_), FRAME_MAX)] or [b""]
    frames = [headers(stream, parts[0], END_STREAM if end else 0)]
    frames += [continuation(stream, part, 0) for part in parts[1:]]
    kind, flags = frames[-1][3:5]
    frames[-1] = frame(kind, flags | END_HEADERS, stream, parts[-1])
    return frames


def priority(stream, *args, **kwargs):
    return frame(PRIORITY, 0, stream, priority_part(*args, **kwargs))


def rst_stream(stream, code=8):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def settings(pairs=(), flags=0, stream=0):
    """From a dict, or from pairs where one is told twice."""
    pairs = pairs.items() if isinstance(pairs, dict) else pairs
    return frame(SETTINGS, flags, stream,
                 b"".join(struct.pack(">HI", k, v) for k, v in pairs))


def ping(payload=b"ping-ing", flags=0, stream=0):
    return frame(PING, flags, stream, payload)


def goaway(last=0, code=0, debug=b"", stream=0):
    return frame(GOAWAY, 0, stream, struct.pack(">II", last, code) + debug)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


# --- header blocks, octet by octet --------------------------------------------

def integer(value, bits, first=0):
    """RFC 7541 5.1; `first` holds what stands above the prefix."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes(out + [value])


def string(octets, huffman=None):
    """RFC 7541 5.2, as it is; `huffman` are the octets of a coded one."""
    if huffman is not None:
        return integer(len(huffman), 7, 0x80) + huffman
    return integer(len(octets), 7) + octets


def octets(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def literal(name, value, first=0x00):
    """RFC 7541 6.2.2: not indexed, name and value as they are. `first` 0x40:
    into the table; 0x10: never indexed."""
    return bytes([first]) + string(octets(name)) + string(octets(value))


def block(fields):
    """Any octets as field names and values; leaves no trace in the table."""
    return b"".join(literal(name, value) for name, value in fields)


def request(method="GET", path="/", *more, scheme="http", authority="test"):
    """The fields of a request; None leaves a pseudo-field out."""
    pseudo = ((":method", method), (":scheme", scheme),
              (":authority", authority), (":path", path))
    return [(k, v) for k, v in pseudo if v is not None] + list(more)


GET = block(request())
POST = block(request("POST"))


# --- a connection -------------------------------------------------------------

@dataclasses.dataclass
class Stream:
    """What came on one stream."""

    status: int = None
    fields: list = dataclasses.field(default_factory=list)
    infos: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    trailers: list = None
    is_ended: bool = False
    reset: str = None  # name of the code

    def get(self, name):
        return next((v for k, v in self.fields if k == name.encode()), None)

    @property
    def is_settled(self):
        return self.is_ended or self.reset is not None


class Breach(Exception):
    """The peer sent what no peer may send."""


def tls_context(alpn=("h2",)):
    """A client's that trusts everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context


class Conn:
    """A client's connection, by prior knowledge or over TLS. Everything that
    comes is kept: streams[id], pings (payloads of acknowledgements), settings
    (the peer's), n_acks (of our settings), goaway (code, last stream, debug),
    frames (all of them), end ("end", "reset", or None while it is open).

    start     send the preface and SETTINGS, then wait for the peer's
    settings  ours
    is_tame   acknowledge SETTINGS and PING and give back what DATA takes of
              the windows
    """

    def __init__(self, address, tls=None, host="test", start=True, settings=(),
                 is_tame=True, timeout=TIMEOUT_S, rcvbuf=None, source=None):
        self.sock = socket.socket(socket.AF_INET)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=host)
        self.scheme = "https" if tls else "http"
        self.is_tame = is_tame
        self.buf = b""
        self.decoder = hpack.Decoder()
        self.streams = {}
        self.pings, self.frames = [], []
        self.settings = None
        self.n_acks = 0
        self.goaway = self.end = None
        self.open_block = None  # (stream, flags, octets) of a block under way
        self.numbers = itertools.count(1, 2)
        if start:
            self.send(PREFACE, self.own_settings(settings))
            self.pump(lambda: self.settings is not None and self.n_acks)

    @staticmethod
    def own_settings(pairs):
        return settings(pairs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def next_stream(self):
        """The number of a stream of our own."""
        return next(self.numbers)

    def send(self, *parts):
        """Bytes, as far as the peer takes them."""
        try:
            self.sock.sendall(b"".join(parts))
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass
        return self

    def ask(self, method="GET", path="/", *more, body=None, stream=None,
            **kwargs):
        """A request of its own stream, the number of which is returned."""
        stream = stream or self.next_stream()
        kwargs.setdefault("scheme", self.scheme)
        fields = block(request(method, path, *more, **kwargs))
        if body is None:
            self.send(headers(stream, fields))
        else:
            self.send(headers(stream, fields, END_HEADERS),
                      data(stream, body, end=True))
        return stream

    def get(self, path="/", *more, **kwargs):
        """Ask and wait for the answer: a Stream."""
        return self.answer(self.ask("GET", path, *more, **kwargs))

    def answer(self, stream):
        """Wait until the stream has ended one way or the other."""
        self.pump(lambda: self.stream(stream).is_settled)
        return self.stream(stream)

    def stream(self, number):
        return self.streams.setdefault(number, Stream())

    # -- reading

    def _more(self):
        try:
            got = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            self.end = "reset"
            return
        except ssl.SSLError as err:
            raise Breach(f"TLS: {err}") from err
        self.buf += got
        if not got:
            self.end = "end"

    def read(self):
        """The next frame (of hyperframe), or None at the end."""
        while not self.end:
            if len(self.buf) >= HEADER_LEN:
                parsed, length = Frame.parse_frame_header(
                    memoryview(self.buf[:HEADER_LEN]))
                if length > FRAME_MAX:
                    raise Breach(f"a frame of {length} octets")
                if len(self.buf) >= HEADER_LEN + length:
                    return self._frame(parsed, length)
            self._more()
        if self.buf and self.end == "end":
            raise Breach(f"ends in the middle of a frame: {self.buf!r}")
        return None

    def _frame(self, parsed, length):
        whole = self.buf[HEADER_LEN:HEADER_LEN + length]
        self.buf = self.buf[HEADER_LEN + length:]
        parsed.parse_body(memoryview(whole))
        parsed.length = length
        self.frames.append(parsed)
        return parsed

    def pump(self, is_enough):
        """Read and keep until it is enough or the connection has ended; true
        when it was enough. Over the time, TimeoutError."""
        while not is_enough():
            came = self.read()
            if came is None:
                return is_enough()
            self._take(came)
        return True

    def to_end(self):
        """Read all that comes until the connection has ended."""
        self.pump(lambda: False)
        return self.end

    def drain(self):
        """Read and keep what has come, without waiting; true while the
        connection is open."""
        while not self.end and select.select([self.sock], [], [], 0)[0]:
            self._more()
            while len(self.buf) >= HEADER_LEN and len(self.buf) >= \
                    HEADER_LEN + int.from_bytes(self.buf[:3], "big"):
                self._take(self.read())
        return not self.end

    def _take(self, came):
        name = type(came).__name__
        if self.open_block and name != "ContinuationFrame":
            raise Breach(f"{name} in a header block")
        getattr(self, f"_take_{name}", lambda _: None)(came)

    def _take_HeadersFrame(self, came):
        self.open_block = (came.stream_id, set(came.flags), came.data)
        self._take_block(came)

    def _take_ContinuationFrame(self, came):
        if not self.open_block or self.open_block[0] != came.stream_id:
            raise Breach("CONTINUATION of nothing")
        stream, flags, octets_ = self.open_block
        self.open_block = (stream, flags, octets_ + came.data)
        self._take_block(came)

    def _take_block(self, came):
        if "END_HEADERS" not in came.flags:
            return
        number, flags, octets_ = self.open_block
        self.open_block = None
        fields = [(k, v) for k, v in self.decoder.decode(octets_, raw=True)]
        stream = self.stream(number)
        if stream.is_settled and stream.is_ended:
            raise Breach("HEADERS behind the end of an answer")
        self._keep_fields(stream, fields)
        stream.is_ended |= "END_STREAM" in flags

    @staticmethod
    def _keep_fields(stream, fields):
        if stream.status is not None:
            stream.trailers = fields
            return
        name, value = fields[0]
        if name != b":status":
            raise Breach(f"an answer without status: {fields}")
        if any(k.startswith(b":") or k != k.lower() for k, _ in fields[1:]):
            raise Breach(f"names of an answer: {fields}")
        if int(value) < 200:
            stream.infos.append((int(value), fields[1:]))
            return
        stream.status, stream.fields = int(value), fields[1:]

    def _take_DataFrame(self, came):
        stream = self.stream(came.stream_id)
        if stream.status is None or stream.is_ended:
            raise Breach("DATA outside of an answer")
        stream.body += came.data
        stream.is_ended |= "END_STREAM" in came.flags
        if self.is_tame and came.length:
            self.send(window_update(0, came.length))
            if not stream.is_settled:
                self.send(window_update(came.stream_id, came.length))

    def _take_RstStreamFrame(self, came):
        self.stream(came.stream_id).reset = error_name(came.error_code)

    def _take_SettingsFrame(self, came):
        if "ACK" in came.flags:
            self.n_acks += 1
            return
        self.settings = {**(self.settings or {}), **came.settings}
        if self.is_tame:
            self.send(settings(flags=ACK))

    def _take_PingFrame(self, came):
        if "ACK" in came.flags:
            self.pings.append(came.opaque_data)
        elif self.is_tame:
            self.send(ping(came.opaque_data, ACK))

    def _take_GoAwayFrame(self, came):
        self.goaway = (error_name(came.error_code), came.last_stream_id,
                       came.additional_data)

    # -- judging

    def sync(self):
        """Wait until the peer has read all that was sent: it answers a PING."""
        n = len(self.pings)
        self.send(ping())
        assert self.pump(lambda: len(self.pings) > n), self.told()
        return self

    def told(self):
        """All that came, for messages."""
        return f"end {self.end}, goaway {self.goaway}, {self.streams}, " \
            f"{[repr(f) for f in self.frames[-8:]]}"

    def verdict(self, stream=None):
        """How the peer took it: "conn CODE" (GOAWAY, then the end), "closed"
        (an end without a word), "stream CODE", a status ("200"), "ignored"."""
        if self.goaway and self.goaway[0] != "NO_ERROR":
            return f"conn {self.goaway[0]}"
        if self.end:
            return "closed"
        s = self.stream(stream) if stream else Stream()
        if s.status is not None and s.reset in (None, "NO_ERROR"):
            return str(s.status)
        if s.reset is not None:
            return f"stream {s.reset}"
        return "ignored"

    def expect_connection_error(self, *codes):
        """RFC 9113 5.4.1: GOAWAY with one of the codes, then the end."""
        self.to_end()
        assert self.goaway and self.goaway[0] in codes, self.told()
        return self.goaway

    def expect_stream_error(self, stream, *codes):
        """RFC 9113 5.4.2: RST_STREAM with one of the codes; the others go
        on."""
        got = self.answer(stream)
        assert got.reset in codes and not self.end, self.told()
        self.expect_served()
        return got

    def expect_response(self, stream, status=200):
        """A whole answer."""
        got = self.answer(stream)
        assert got.status == status and got.is_ended and not self.end, \
            self.told()
        return got

    def expect_served(self):
        """The connection works: a request is answered."""
        return self.expect_response(self.ask())
