"""A tiny authoritative name server on loopback: a test sets what it says, byte
by byte if need be (RFC 1035)."""
import ipaddress
import socket
import struct
import threading

from .wire import WAIT_S

A, CNAME, PTR, AAAA, SRV = 1, 5, 12, 28, 33
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
CLASS_IN = 1
IS_ANSWER = 0x8180
IS_CUT = 0x02


def question(query):
    """(name, type, end of the question section) of a query."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind, = struct.unpack_from(">H", query, at + 1)
    return ".".join(labels).lower(), kind, at + 5


def wire_name(name):
    """A name as it stands in messages, not compressed."""
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".") if label) + b"\0"


def srv(port, target, priority=0, weight=0):
    """A record for a zone (RFC 2782)."""
    return SRV, struct.pack(">HHH", priority, weight, port) + \
        wire_name(target)


def ptr(name):
    """The record of an address: its name (RFC 1035 3.3.12)."""
    return PTR, wire_name(name)


def arpa(address):
    """The name under which that record of an address stands."""
    return ipaddress.ip_address(address).reverse_pointer


def answer(query, records=(), rcode=NOERROR, ttl=60):
    """The answer's bytes; a record is an address, or (type, data)."""
    _, kind, end = question(query)
    found = []
    for record in records:
        if isinstance(record, str):
            family = AAAA if ":" in record else A
            record = (family, socket.inet_pton(
                socket.AF_INET6 if family == AAAA else socket.AF_INET,
                record))
        if record[0] == kind:
            found.append(record)
    out = query[:2] + struct.pack(">HHHHH", IS_ANSWER | rcode, 1, len(found),
                                  0, 0) + query[12:end]
    for family, data in found:
        out += struct.pack(">HHHIH", 0xc00c, family, CLASS_IN, ttl,
                           len(data)) + data
    return out


def bind_udp():
    """A socket on a port that the kernel chose."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def bind_both(tries=50):
    """The same for UDP and TCP, on one port that is free for both."""
    for _ in range(tries):
        udp = bind_udp()
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()
    raise OSError("no port is free for both")


class Dns:
    """Answers what `zone` holds: {name: [address, ...]}; what it does not hold
    is NXDOMAIN. script(query) may answer other bytes, or None for silence.

    With is_cut, answers over UDP are cut and the whole comes over TCP.

    asked   (name, type) of each query over UDP, in order
    ttl     of all records
    peer    whom the query of a running script is from
    """

    def __init__(self, zone=None, script=None, ttl=60, is_cut=False):
        self.zone = zone or {}
        self.script = script
        self.ttl = ttl
        self.asked = []
        self.peer = None
        self.changed = threading.Condition()
        self.sock, self.tcp = bind_both() if is_cut else (bind_udp(), None)
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.threads = [
            threading.Thread(target=target, daemon=True)
            for target in [self._serve] + [self._serve_tcp] * is_cut]
        for thread in self.threads:
            thread.start()

    def plain(self, query):
        """What the zone says."""
        name = question(query)[0]
        if name not in self.zone:
            return answer(query, rcode=NXDOMAIN)
        return answer(query, self.zone[name], ttl=self.ttl)

    def _serve(self):
        while True:
            query, peer = self.sock.recvfrom(4096)
            if not query:
                return
            with self.changed:
                self.asked.append(question(query)[:2])
                self.changed.notify_all()
            self.peer = peer
            out = (self.script or self.plain)(query)
            if self.tcp:
                out = out[:2] + bytes([out[2] | IS_CUT]) + out[3:6] + \
                    bytes(6) + query[12:question(query)[2]]
            if out is not None:
                self.sock.sendto(out, peer)

    def _serve_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            with conn, conn.makefile("rb") as stream:
                while size := stream.read(2):
                    out = (self.script or self.plain)(
                        stream.read(int.from_bytes(size, "big")))
                    conn.sendall(struct.pack(">H", len(out)) + out)

    def wait_asked(self, n, timeout=WAIT_S):
        """Wait for the n-th query."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= n,
                                         timeout), self.asked
        return self

    def close(self):
        # an empty message ends the thread
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.sock.getsockname())
        if self.tcp:
            self.tcp.shutdown(socket.SHUT_RDWR)
            self.tcp.close()
        for thread in self.threads:
            thread.join(WAIT_S)
        self.sock.close()
