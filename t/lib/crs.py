"""The regression corpus of the OWASP Core Rule Set (ftw-tests-schema, YAML):
its stages as bytes of requests, and what the audit log has to say of them."""
import base64
import ipaddress
import json
import pathlib
import re
import socket
import urllib.parse

import yaml

FORM = "application/x-www-form-urlencoded"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Stage:
    """One request of a test.

    name  "920100-4", with the stage's number behind a dot if it has several
    """

    def __init__(self, name, stage):
        self.name = name
        self.input = stage["input"]
        self.output = stage.get("output") or {}

    def wanted(self):
        """(rules that have to log, rules that must not)"""
        log = self.output.get("log") or {}
        return ({int(i) for i in log.get("expect_ids") or ()},
                {int(i) for i in log.get("no_expect_ids") or ()})

    def request(self):
        raw = self.input.get("encoded_request")
        return base64.b64decode(raw) if raw else built(self.input)


def stages(folder):
    """Those of all tests below the folder, in order."""
    found = []
    for path in sorted(pathlib.Path(folder).rglob("*.y*ml")):
        doc = yaml.load(path.read_text(), LOADER)
        for test in doc["tests"]:
            name = f"{doc['rule_id']}-{test['test_id']}"
            for i, stage in enumerate(test["stages"]):
                several = f".{i + 1}" if len(test["stages"]) > 1 else ""
                found.append(Stage(name + several, stage))
    return found


def repeated(text):
    """`{{ "x" | repeat 3 }}` and `{{ repeat 3 "x" }}` of Go's templates."""
    def one(match):
        rule = match.group(1)
        piece = re.search(r'"([^"]*)"', rule).group(1)
        return piece * int(re.search(r"repeat\s+(\d+)", rule).group(1))
    return re.sub(r"\{\{(.*?)\}\}", one, text)


def content(given):
    if given.get("encoded_data"):
        return base64.b64decode(given["encoded_data"])
    if given.get("data") is None:
        return b""
    return repeated(str(given["data"])).encode("utf-8", "surrogateescape")


def is_multipart(value):
    return "multipart/form-data;" in value.lower()


def escaped(data):
    """What has no escape yet is escaped, as Go's client does with a form."""
    if b"%" in data or b"+" in data:
        return data
    return b"&".join(
        b"=".join(urllib.parse.quote_plus(part, safe="").encode()
                  for part in pair.split(b"=", 1))
        for pair in data.split(b"&"))


def built(given):
    """The request with the fields that the schema adds by itself."""
    data = content(given)
    fields = {str(k): "" if v is None else str(v)
              for k, v in sorted((given.get("headers") or {}).items())}
    names = {name.lower(): name for name in fields}
    adds = given.get("autocomplete_headers", True)
    method = str(given.get("method") or "GET")
    if data and adds:
        if "content-type" not in names:
            fields["Content-Type"] = FORM
            names["content-type"] = "Content-Type"
        if fields[names["content-type"]].lower() == FORM:
            data = escaped(data)
    if "content-type" in names and is_multipart(fields[names["content-type"]]):
        data = data.replace(b"\n", b"\r\n")
    if adds and "connection" not in names:
        fields["Connection"] = "close"
    if adds and "content-length" not in names and (
            data or method in ("POST", "PUT", "PATCH", "DELETE")):
        fields["Content-Length"] = str(len(data))
    head = [f"{method} {given.get('uri') or '/'} "
            f"{given.get('version') or 'HTTP/1.1'}"]
    head += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape") + \
        data


def send(port, number, request, wait_s=10):
    """From an address of its own (127.64.0.0/10), which the log names; returns
    (that address, the status of the answer or 0)."""
    source = str(ipaddress.ip_address("127.64.0.1") + number)
    with socket.create_connection(("127.0.0.1", port), wait_s,
                                  (source, 0)) as s:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while piece := s.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
    status = re.match(rb"HTTP/1\.1 (\d{3})", got)
    return source, int(status.group(1)) if status else 0


def answered(conn, request):
    """What the corpus' own server says: /reflect answers as the JSON in the
    request has it, everything else is 200."""
    said = {}
    if request.target.split("?")[0].endswith("/reflect") and request.body:
        said = json.loads(request.body)
    body = said.get("body", "").encode()
    if said.get("encodedBody"):
        body = base64.b64decode(said["encodedBody"])
    fields = {"content-type": "text/plain"}
    fields.update((k.lower(), v)
                  for k, v in (said.get("headers") or {}).items())
    head = f"HTTP/1.1 {said.get('status', 200)} OK\r\n" + "".join(
        f"{k}: {v}\r\n" for k, v in fields.items())
    conn.send(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def logged(path):
    """{client: rules that logged} of an audit log."""
    rules = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        rules.setdefault(entry["client"], set()).update(entry["rule_ids"])
    return rules
