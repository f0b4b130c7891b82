"""The origin of the soak: answers what the world says, breaks now and then, and
keeps nothing of what it was asked."""
import random
import socket
import threading
import time

from .soak_world import normal
from .wire import WAIT_S, Closed, Malformed, Reader, Truncated

READ = 1 << 18
FAULT_SHARE = 0.004
DRIP_S = 0.05
DRIPS = 6
CHUNK = 30000


class LeanReader(Reader):
    """One that forgets what it has read, and reads long content fast."""

    def recv(self, n):
        return self.sock.recv(n)

    def _more(self):
        data = self.recv(READ)
        self.buf += data
        return bool(data)

    def exactly(self, n):
        parts, got = [self.buf[:n]], min(n, len(self.buf))
        self.buf = self.buf[n:]
        while got < n:
            data = self.recv(min(READ, n - got))
            if not data:
                raise Truncated(f"{got} of {n} bytes")
            parts.append(data)
            got += len(data)
        return b"".join(parts)


class Broken(Exception):
    """The origin's own wish to end the connection."""


def range_of(value, size):
    """(first, last) of a single satisfiable range, or None."""
    first, _, last = value.removeprefix("bytes=").partition("-")
    if not value.startswith("bytes=") or "," in value:
        return None
    if not first:
        return max(0, size - int(last)), size - 1
    end = min(int(last), size - 1) if last else size - 1
    return (int(first), end) if int(first) <= end else None


class SoakOrigin:
    """Listens on 127.0.0.1, a thread for each connection."""

    def __init__(self, world):
        self.world = world
        self.by_path = {t.path: t for t in world.things}
        self.conns = set()
        self.lock = threading.Lock()
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(256)
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.serial = 0
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            conn.settimeout(WAIT_S)
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.conns.add(conn)
                self.serial += 1
            threading.Thread(target=self._serve, args=(conn, self.serial),
                             daemon=True).start()

    def _serve(self, conn, serial):
        rng = random.Random(f"{self.world.seed} origin {serial}")
        reader = LeanReader(conn)
        try:
            while True:
                self._answer(conn, reader.request(), rng)
        except (Closed, Broken, OSError):
            pass
        except (Malformed, Truncated) as err:
            # a worker that is killed leaves half a request at most
            if not isinstance(err, Truncated) or not self.world.kills:
                self.world.wrong(None, f"request to the origin: {err!r}")
        except Exception as err:  # pylint: disable=broad-except
            self.world.wrong(None, f"the origin itself: {err!r}")
            raise
        finally:
            with self.lock:
                self.conns.discard(conn)
            conn.close()

    def _answer(self, conn, request, rng):
        thing = self.by_path.get(request.target)
        if thing is None:
            raise Malformed(f"target {request.target}")
        self.world.count("origin requests")
        if request.method == "POST":
            since = self.world.publish(thing)
            text = repr(since).encode()
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                         (len(text), text))
            return
        how = rng.choice(("end", "error", "cut", "drip")) \
            if rng.random() < FAULT_SHARE else None
        if how == "end":
            self.world.fault(thing, how)
            raise Broken()
        if how == "error":
            self.world.fault(thing, how)
            conn.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
            return
        self._give(conn, request, thing, how)

    def _give(self, conn, request, thing, how):
        variant = normal(request.get(thing.vary)) if thing.vary else "none"
        version = self.world.give(thing, variant)
        status, body, more = thing.status, None, []
        if thing.etag_form != "none" and thing.etag(variant, version) in \
                (request.get("if-none-match") or ""):
            status = 304
        else:
            body = self.world.content(thing, variant, version)
            status, body, more = self._range(request, thing, variant, version,
                                             body)
        self.world.note(thing, f"gave {status} {variant} {version} "
                               f"{how or ''} {request.get('range') or ''}")
        head = self._head(request, thing, variant, version, status, more)
        if request.method == "HEAD" and body is not None:
            conn.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        elif body is None:
            conn.sendall(head + b"\r\n")
        else:
            self._send(conn, thing, head, body, how)

    def _range(self, request, thing, variant, version, body):
        """(status, content, fields) of the whole or a part of it."""
        wish = request.get("range")
        condition = request.get("if-range")
        if wish is None or not thing.takes_ranges or thing.status != 200 or \
                request.method != "GET":
            return thing.status, body, []
        if condition and (thing.etag_form != "strong" or
                          condition != thing.etag(variant, version)):
            return thing.status, body, []
        found = range_of(wish, len(body))
        if found is None:
            return thing.status, body, []
        first, last = found
        return 206, body[first:last + 1], [
            ("Content-Range", f"bytes {first}-{last}/{len(body)}")]

    def _head(self, request, thing, variant, version, status, more):
        fields = [("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT",
                                         time.gmtime())),
                  ("X-Thing", f"{thing.index} {variant} {version}"),
                  ("Cache-Tag", thing.tag),
                  *thing.caching_fields(), *more]
        if thing.etag_form != "none":
            fields.append(("ETag", thing.etag(variant, version)))
        if thing.vary:
            fields.append(("Vary", thing.vary))
        if thing.is_own:
            fields.append(("X-Nonce", request.get("x-nonce", "")))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"HTTP/1.1 {status} It\r\n{lines}".encode()

    def _send(self, conn, thing, head, body, how):
        """Whole, slowly, or broken in the middle."""
        if thing.framing == "chunked":
            data = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
                b"%x\r\n%s\r\n" % (len(part), part) for part in (
                    body[i:i + CHUNK] for i in range(0, len(body), CHUNK))
            ) + b"0\r\n\r\n"
        else:
            data = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        if how is None:
            conn.sendall(data)
            return
        end = len(data) - 1 if how == "cut" else len(data)
        step = end // DRIPS + 1
        for at in range(0, end, step):
            conn.sendall(data[at:min(at + step, end)])
            self.world.over.wait(DRIP_S)
        if how == "cut":
            self.world.fault(thing, how)
            raise Broken()

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        with self.lock:
            conns = list(self.conns)
        for conn in conns:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(WAIT_S)
