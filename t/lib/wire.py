"""Our own strict reading of HTTP/1.1 on the wire, independent of gatehouse's,
and a client that sends exact bytes."""
import socket
import struct

# The longest that a test waits for what must come: no measure of speed, the
# machine may be busy with anything.
WAIT_S = 60
TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789"
                  b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Malformed(Exception):
    """Bytes that are no HTTP/1.1 by the letter."""


class Truncated(Exception):
    """The connection ended in the middle of a message."""


class Closed(Exception):
    """The connection ended in order before a message began."""


class Message:
    """First line, fields in order, content, trailers."""

    def __init__(self):
        self.first = b""
        self.fields = []
        self.body = b""
        self.trailers = []
        self.raw_head = b""
        self.framing = "none"

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def all(self, name):
        name = name.lower().encode()
        return [v.decode("latin-1") for k, v in self.fields
                if k.lower() == name]

    # requests
    @property
    def method(self):
        return self.first.split(b" ")[0].decode("latin-1")

    @property
    def target(self):
        return self.first.split(b" ")[1].decode("latin-1")

    # responses
    @property
    def status(self):
        return int(self.first.split(b" ")[1])

    @property
    def text(self):
        return self.body.decode("latin-1")


class Reader:
    """Messages off a socket, strictly."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""
        self.seen = b""  # every byte that came

    def _more(self):
        data = self.sock.recv(65536)
        self.buf += data
        self.seen += data
        return bool(data)

    def line(self):
        while b"\n" not in self.buf:
            if not self._more():
                if self.buf:
                    raise Truncated(repr(self.buf))
                raise Closed()
        line, self.buf = self.buf.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise Malformed(f"bare LF after {line!r}")
        line = line[:-1]
        if b"\r" in line or b"\0" in line:
            raise Malformed(f"CR or NUL in {line!r}")
        return line

    def exactly(self, n):
        while len(self.buf) < n:
            if not self._more():
                raise Truncated(f"{len(self.buf)} of {n} bytes")
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def to_end(self):
        while self._more():
            pass
        data, self.buf = self.buf, b""
        return data

    def _fields(self):
        fields = []
        while True:
            try:
                line = self.line()
            except Closed as err:
                raise Truncated("in the fields") from err
            if not line:
                return fields
            name, colon, value = line.partition(b":")
            if not colon or not name or not TOKEN.issuperset(name):
                raise Malformed(f"field line {line!r}")
            value = value.strip(b" \t")
            if any(c < 32 and c != 9 or c == 127 for c in value):
                raise Malformed(f"control byte in {line!r}")
            fields.append((name, value))

    def _chunked(self, msg):
        while True:
            try:
                size = self.line()
            except Closed as err:
                raise Truncated("before a chunk") from err
            if not size or not set(size) <= set(b"0123456789abcdefABCDEF"):
                raise Malformed(f"chunk size {size!r}")
            n = int(size, 16)
            if n == 0:
                msg.trailers = self._fields()
                return
            msg.body += self.exactly(n)
            if self.exactly(2) != b"\r\n":
                raise Malformed("no CRLF after a chunk")

    def _framed(self, msg, until_close):
        te, cl = msg.all("transfer-encoding"), msg.all("content-length")
        if te and cl:
            raise Malformed("both lengths")
        if te:
            if te != ["chunked"]:
                raise Malformed(f"transfer coding {te}")
            msg.framing = "chunked"
            self._chunked(msg)
        elif cl:
            if len(cl) != 1 or not cl[0].isascii() or not cl[0].isdigit():
                raise Malformed(f"content-length {cl}")
            msg.framing = "length"
            msg.body = self.exactly(int(cl[0]))
        elif until_close:
            msg.framing = "close"
            msg.body = self.to_end()

    def head(self):
        msg = Message()
        msg.first = self.line()
        msg.fields = self._fields()
        return msg

    def request(self):
        msg = self.head()
        parts = msg.first.split(b" ")
        if len(parts) != 3 or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0") \
                or not parts[0] or not TOKEN.issuperset(parts[0]):
            raise Malformed(f"request line {msg.first!r}")
        if len(msg.all("host")) != 1 and parts[2] == b"HTTP/1.1":
            raise Malformed("not one Host")
        self._framed(msg, False)
        return msg

    def response_head(self):
        msg = self.head()
        parts = msg.first.split(b" ", 2)
        if len(parts) != 3 or parts[0] != b"HTTP/1.1" or \
                len(parts[1]) != 3 or not parts[1].isdigit():
            raise Malformed(f"status line {msg.first!r}")
        return msg

    def response(self, method="GET", infos=None):
        """The final response; interim ones go into the list `infos`."""
        while True:
            msg = self.response_head()
            if msg.status >= 200 or msg.status == 101:
                break
            if infos is not None:
                infos.append(msg)
        bare = method == "HEAD" or msg.status in (101, 204, 304)
        if not bare:
            self._framed(msg, True)
        return msg


class Client:
    """A TCP or unix connection on which the test writes exact bytes; with
    `tls` (an ssl.SSLContext) and the name to ask for, through TLS. `source` is
    the address it comes from."""

    def __init__(self, address, timeout=WAIT_S, rcvbuf=None, tls=None,
                 name=None, session=None, source=None):
        family = socket.AF_UNIX if isinstance(address, str) \
            else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(address)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=name,
                                        session=session)
        self.reader = Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def get(self, path="/", host="test", extra=b"", method="GET"):
        """Send a plain request and read its response."""
        self.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n".encode()
                  + extra + b"\r\n")
        return self.response(method)

    def response(self, method="GET", infos=None):
        return self.reader.response(method, infos)

    def shut(self):
        """End our direction only."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def reset(self):
        """Break the connection."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def is_closed(self):
        """Wait for the peer's end: True in order, False by reset; more bytes
        are an error."""
        try:
            data = self.reader.buf or self.sock.recv(65536)
        except ConnectionResetError:
            return False
        assert data == b"", f"bytes instead of the end: {data!r}"
        return True

    def close(self):
        self.sock.close()
