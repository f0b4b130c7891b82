"""The recording origin behind TLS, with a hand on every record."""
import re
import ssl
import subprocess
import threading
import warnings

from .gatehouse import free_port
from .origin import Origin
from .procs import until

READ = 65536


class TlsSocket:
    """The server's end of TLS over a socket, as far as Conn and Reader need
    one. Each sendall() is one record, or records of `size` bytes."""

    def __init__(self, sock, context):
        self.raw = sock
        self.inc, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = context.wrap_bio(self.inc, self.out, server_side=True)
        self.size = 16384

    def _flush(self):
        data = self.out.read()
        if data:
            self.raw.sendall(data)

    def _step(self, call, *args):
        """Until it is done; what OpenSSL wants to say goes out."""
        while True:
            try:
                done = call(*args)
                self._flush()
                return done
            except ssl.SSLWantReadError:
                self._flush()
                data = self.raw.recv(READ)
                if data:
                    self.inc.write(data)
                else:
                    self.inc.write_eof()
            except ssl.SSLError:
                self._flush()
                raise

    def shake(self):
        self._step(self.ssl.do_handshake)

    def recv(self, n):
        try:
            return self._step(self.ssl.read, n)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def sendall(self, data):
        for at in range(0, len(data), self.size):
            self.ssl.write(data[at:at + self.size])
        self._flush()

    def notify(self):
        """close_notify, and no more."""
        try:
            self.ssl.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()

    def setsockopt(self, *args):
        self.raw.setsockopt(*args)

    def shutdown(self, how):
        self.raw.shutdown(how)

    def fileno(self):
        return self.raw.fileno()

    def close(self):
        """Of TCP alone: notify() tells the end of TLS."""
        self.raw.close()


def server_context(pem, alpn=("http/1.1",), ca=None, version=None, tickets=2):
    """Shows this certificate; with `ca` clients need one by it."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(pem, pem.with_suffix(".key"))
    if alpn:
        ctx.set_alpn_protocols(list(alpn))
    if version is not None:
        ctx.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            # the old ones are what some tests are about
            warnings.simplefilter("ignore", DeprecationWarning)
            ctx.minimum_version = ctx.maximum_version = version
    if ca is not None:
        ctx.load_verify_locations(ca)
        ctx.verify_mode = ssl.CERT_REQUIRED
    ctx.num_tickets = tickets
    return ctx


class TlsOrigin(Origin):
    """Origin(script) behind TLS. shakes: for each handshake that was completed
    (sni, version, is_resumed, alpn, peer certificate); failed: what went wrong
    in others. before(conn) is called ahead of the handshake; a script ends its
    connection in order by conn.sock.notify(), else the end is a cut."""

    def __init__(self, context, script=None, before=None, host="127.0.0.1",
                 **kwargs):
        self.context = context
        self.before = before
        self.shakes = []
        self.failed = []
        context.sni_callback = self._on_sni
        super().__init__(script, host=host, **kwargs)
        self.plain_address = self.address
        self.address = f"https://{self.address}"

    @staticmethod
    def _on_sni(sslobj, name, _):
        sslobj.sni = name

    def begin(self, conn):
        if self.before:
            self.before(conn)
        tls = TlsSocket(conn.sock, self.context)
        try:
            tls.shake()
        except (ssl.SSLError, OSError) as err:
            self._note(self.failed, err)
            raise ConnectionAbortedError(str(err)) from err
        conn.sock = conn.reader.sock = tls
        self._note(self.shakes, {
            "sni": getattr(tls.ssl, "sni", None), "version": tls.ssl.version(),
            "resumed": tls.ssl.session_reused,
            "alpn": tls.ssl.selected_alpn_protocol(),
            "peer": tls.ssl.getpeercert()})

    def _serve(self, conn):
        try:
            super()._serve(conn)
        except ValueError:
            pass

    def wait_shakes(self, n=1):
        return self.wait(lambda o: len(o.shakes) >= n)

    def wait_failed(self, n=1):
        return self.wait(lambda o: len(o.failed) >= n)


class Server:
    """`openssl s_server`, whose standard input is what it sends and, one letter
    a line, what it does: k (new keys), K (and the peer's), r (renegotiate)."""

    def __init__(self, pem, *args):
        self.port = free_port()
        self.address = f"https://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}",
             "-cert", str(pem), "-key", str(pem.with_suffix(".key")), *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.said = b""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self.hears(b"ACCEPT")

    def _read(self):
        while data := self.process.stdout.read1(READ):
            self.said += data

    def hears(self, pattern, n=1):
        """Wait until its output holds the pattern n times."""
        until(lambda: len(re.findall(pattern, self.said)) >= n,
              what=f"{pattern!r} of s_server: {self.said!r}")

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdin.close()
        self.process.stdout.close()
