"""A collector of spans: OTLP/HTTP in JSON, as its schema has it
(opentelemetry-proto, "JSON Protobuf Encoding")."""
import http.server
import json
import re
import threading

from .wire import WAIT_S

# Members of a span that are written here, and what they must be.
SPAN = {
    "traceId": r"[0-9a-f]{32}",
    "spanId": r"[0-9a-f]{16}",
    "parentSpanId": r"[0-9a-f]{16}",
    "name": r".+",
    "startTimeUnixNano": r"[1-9]\d{18}",
    "endTimeUnixNano": r"[1-9]\d{18}",
}
VALUES = {"stringValue": str, "intValue": str}


def attributes(found):
    """A list of key and value as a dict; numbers of 64 bits are texts."""
    out = {}
    for one in found:
        assert set(one) == {"key", "value"} and len(one["value"]) == 1, one
        (kind, value), = one["value"].items()
        assert isinstance(value, VALUES[kind]), one
        assert one["key"] not in out, one
        out[one["key"]] = int(value) if kind == "intValue" else value
    return out


class Span:
    """One of them, checked."""

    def __init__(self, span):
        assert set(span) <= {*SPAN, "flags", "kind", "attributes", "status"}
        for name, form in SPAN.items():
            if name in span or name != "parentSpanId":
                assert re.fullmatch(form, span[name]), (name, span)
        self.trace, self.id = span["traceId"], span["spanId"]
        self.parent = span.get("parentSpanId")
        self.name, self.flags = span["name"], span["flags"]
        self.kind = {2: "server", 3: "client"}[span["kind"]]
        self.begin = int(span["startTimeUnixNano"])
        self.end = int(span["endTimeUnixNano"])
        assert self.begin <= self.end
        self.has_failed = span.get("status") == {"code": 2}
        assert self.has_failed or "status" not in span
        self.attributes = attributes(span["attributes"])

    def __repr__(self):
        return f"{self.kind} {self.name} {self.id} {self.attributes}"


class Collector:
    """Takes spans at `url`. `answer` may be changed: its status and content;
    while `gate` is cleared, nobody is answered."""

    def __init__(self):
        self.lock = threading.Condition()
        self.spans = []
        self.resources = []
        self.problems = []
        self.n_requests = 0
        self.answer = (200, b"{}")
        self.gate = threading.Event()
        self.gate.set()
        self.server = None
        self.port = 0
        self.open()

    def open(self):
        """Listen, again at the same port."""
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                collector.take(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,),
                         daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def take(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.gate.wait(WAIT_S)
        with self.lock:
            self.n_requests += 1
            status, content = self.answer
            try:
                if request.path != "/v1/traces" or request.headers[
                        "Content-Type"] != "application/json":
                    raise AssertionError(request.path)
                spans = list(self.read(json.loads(body)))
            except (AssertionError, KeyError, ValueError) as err:
                self.problems.append(repr(err))
                spans = []
            if status == 200:
                self.spans += spans
            self.lock.notify_all()
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def read(self, message):
        assert set(message) == {"resourceSpans"}
        for resource in message["resourceSpans"]:
            assert set(resource) == {"resource", "scopeSpans"}
            self.resources.append(
                attributes(resource["resource"]["attributes"]))
            for scope in resource["scopeSpans"]:
                assert set(scope) == {"scope", "spans"}
                assert scope["scope"]["name"] == "gatehouse"
                yield from map(Span, scope["spans"])

    def wait(self, wanted):
        """Until wanted(spans) is true: what it gives."""
        found = None

        def is_there():
            nonlocal found
            found = wanted(self.spans)
            return found or self.problems
        with self.lock:
            assert self.lock.wait_for(is_there, WAIT_S), self.spans
        assert not self.problems, self.problems
        return found

    def trace(self, trace, n):
        """The n spans of a trace, the oldest first."""
        def wanted(spans):
            found = [s for s in spans if s.trace == trace]
            return len(found) >= n and sorted(found, key=lambda s: (
                s.kind != "server", s.begin))
        found = self.wait(wanted)
        assert len(found) == n, found
        return found

    def shut(self):
        """Nobody listens any more."""
        self.server.shutdown()
        self.server.server_close()

    def close(self):
        self.gate.set()
        self.shut()
