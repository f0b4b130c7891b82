"""A service of an API as Python's own server makes one: NAME PORT. It tells what it
was asked as JSON; the one that is called auth also knows which tokens were called
back. And it tells more of itself than clients should hear."""
import http.server
import json
import sys
import traceback


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = ""
    revoked = set()

    def answer(self, status, content, **fields):
        data = content.encode()
        self.send_response(status)
        self.send_header("X-Powered-By", "Python")
        self.send_header("Content-Length", str(len(data)))
        for key, value in fields.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def verify(self):
        token = self.headers.get("Authorization", "")
        if token.startswith("Bearer ") and token not in self.revoked:
            self.answer(200, "", X_Auth_User="anna")
        else:
            self.answer(401, "", WWW_Authenticate='Bearer realm="payments"')

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        content = self.rfile.read(length).decode()
        if self.path == "/verify":
            self.verify()
        elif self.path == "/revoke":
            self.revoked.add(f"Bearer {content}")
            self.answer(200, "")
        elif self.path.endswith("/boom"):
            self.boom()
        else:
            self.answer(200, json.dumps({
                "service": self.name, "path": self.path,
                "fields": {k.lower(): v for k, v in self.headers.items()}}))

    do_POST = do_GET

    def boom(self):
        try:
            raise RuntimeError("the database at 10.0.2.7 is gone")
        except RuntimeError:
            self.answer(500, traceback.format_exc())

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Service.name = sys.argv[1]
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])),
                                    Service).serve_forever()
