"""waf: content is read by its type with no rule that says so, and what cannot be
read is not let through unless a rule judges that (doc/waf.md)."""
import gzip
import json
import subprocess
import zlib

import pytest

from lib.origin import ok
from lib.procs import until

RULES = r"""
SecRule REQUEST_HEADERS:X-Off "@streq yes" \
    "id:3,phase:1,pass,nolog,ctl:ruleEngine=Off"
SecRule REQUEST_HEADERS:X-Form "@streq yes" \
    "id:4,phase:1,pass,nolog,ctl:requestBodyProcessor=URLENCODED"
SecRule ARGS|XML:/* "@contains attack" "id:1,phase:2,deny,status:406,log"
"""
JUDGED = r"""
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:5,phase:2,pass,nolog"
SecRule REQBODY_ERROR "!@eq 0" "id:2,phase:2,pass,log"
"""
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[waf w]
rules = RULES/some.conf
body_limit = 200k
audit_log = {dir}/audit.log
[waf watch]
rules = RULES/some.conf
mode = detect
audit_log = {dir}/audit.log
[waf judged]
rules = RULES/some.conf RULES/judged.conf
audit_log = {dir}/audit.log
[site test]
hosts = *
upstream = app
waf = w
[route test /watch]
waf = watch
[route test /judged]
waf = judged
[upstream app]
server = {origin}
[log access]
path = {dir}/access.log
format = {request_id} {status} {fault}
buffer = none
"""
DEEP = b"[" * 20000 + b"]" * 20000
XML = b"<?xml version='1.0'?>"
UNREADABLE = [
    ("application/json", b'{"a":1} more'),
    ("application/json", b'{"a":'),
    ("application/json", b"a=1"),
    ("application/json", DEEP),
    ("application/hal+json", b'{"a":\xff}'),
    ("text/xml", XML + b"<a>"),
    ("application/soap+xml; charset=utf-8", XML +
     b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"),
    ("application/xml", b"{}"),
    # what is ASCII to some readers of these is something else to others
    *[("text/xml", f"<?xml version='1.0' encoding='{name}'?><a>\\u0061</a>"
       .encode(how)) for name, how in (
           ("CP949", "ascii"), ("ISO-2022-KR", "ascii"), ("UTF-7", "ascii"),
           ("UCS-2", "utf-16-be"), ("IBM037", "cp037"))],
    ("text/xml", "<?xml version='1.0'?><a/>".encode("cp037")),
    ("multipart/form-data", b"--x\r\n\r\n--x--\r\n"),
    ("multipart/form-data; boundary=x",
     b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"),
]


def part(name, value):
    return (f"Content-Disposition: form-data; name={name}\r\n\r\n{value}"
            "\r\n").encode()


FILE = part("f; filename=a.txt", "")[:-2]
# in each, `attack` is in a file for one reader, and an argument for another one
DOUBTFUL = [
    # who takes off the blank finds the border in the middle
    ("multipart/form-data; boundary= x",
     b"-- x\r\n" + FILE + b"--x\r\n" + part("a", "attack") + b"--x--\r\n"
     b"\r\n-- x--\r\n"),
    ('multipart/form-data; boundary="x "',
     b"--x \r\n" + FILE + b"--x\r\n" + part("a", "attack") + b"--x--\r\n"
     b"\r\n--x --\r\n"),
    ("multipart/form-data; boundary =x",
     b"--x\r\n" + part("a", "peace") + b"--x--\r\n"),
    # who looks for the border anywhere, or takes a CR for an end
    ("multipart/form-data; boundary=x12",
     b"--x12\r\n" + FILE + b"text --x12\r\n" + part("a", "attack") +
     b"--x12--\r\n"),
    ("multipart/form-data; boundary=x12",
     b"--x12\r\n" + FILE + b"\r--x12\r" +
     part("a", "attack").replace(b"\r\n", b"\r") + b"\r\n--x12--\r\n"),
    # who goes on behind the last one
    ("multipart/form-data; boundary=x",
     b"--x\r\n" + part("a", "peace") + b"--x--\r\n--x\r\n" +
     part("a", "attack") + b"--x--\r\n"),
    # who needs no empty line
    ("multipart/form-data; boundary=x",
     b"--x\r\nContent-Disposition: form-data; name=attack\r\n--x--\r\n"),
    # more files than are looked at
    ("multipart/form-data; boundary=x",
     b"--x\r\n" + b"--x\r\n".join(
         part(f"f{i}; filename=a", "b") for i in range(101)) + b"--x--\r\n"),
]
# a file without a name is a value for some, and so are other quotes
DOUBTFUL += [
    ("multipart/form-data; boundary=x",
     b"--x\r\n" + part(name, "attack") + b"--x--\r\n")
    for name in ('a; filename=""', "a; filename=", "a; filename='\";b=\"'")]
# found by what parsers of cgi, Werkzeug and email make of the same bytes
FIELDS = b"Content-Disposition: form-data; name=a"
DOUBTFUL += [("multipart/form-data; boundary=xYz", body) for body in (
    # a border begins within two hyphens more
    b"----xYz\r\n" + FIELDS + b"\r\n\r\nattack\r\n--xYz--\r\n",
    b"---xYz\t\r\n" + FIELDS + b"\r\n\r\nattack\r\n--xYz--\r\n",
    # a CR is the end of a field
    b"--xYz\r\n" + FIELDS + b'; filename="\rb"\r\n\r\nattack\r\n--xYz--\r\n',
    # a name with a blank is another one, or the same
    b"--xYz\r\nContent-Disposition : form-data; name=a\r\n" + FIELDS +
    b'; filename="b"\r\n\r\nattack\r\n--xYz--\r\n',
    # a file's name behind a blank, or on another line, is none
    b"--xYz\r\n" + FIELDS + b"; filename= b\r\n\r\nattack\r\n--xYz--\r\n",
    b"--xYz\r\n" + FIELDS + b"; filename =b\r\n\r\nattack\r\n--xYz--\r\n",
    b"--xYz\r\n" + FIELDS + b";\r\n filename=b\r\n\r\nattack\r\n--xYz--\r\n",
)]
# odd, and read by all in the same way
GOOD = [
    # as HttpClient of Apache tells it
    ("multipart/form-data; boundary=x; charset=UTF-8",
     b"--x\r\n" + part("a", "peace") + b"--x--\r\n"),
    # as .NET sends a file
    ('multipart/form-data; boundary="x"',
     b"--x\r\n" + part("f; filename=a.txt; filename*=utf-8''a.txt", "b") +
     b"--x\r\n" + part("a", "peace") + b"--x--\r\n"),
    ("multipart/form-data; boundary=x",
     b"--x\r\n" + part('f; filename=""', "") + b"--x\r\n" +
     part("a", "peace") + b"--x--\r\n"),
    ('multipart/form-data; boundary="x"',
     b"--x\r\n" + part("a", "peace") + b"--x--\r\n"),
    ("multipart/form-data; boundary=x",
     b"before\r\n--x\r\n" + part("a", "peace") + b"--x--\r\nbehind\r\n"),
    ("multipart/form-data; boundary=x",
     b"--x\r\n" + part("a", "peace\r\n---\r\n--more\r\n") + b"--x--"),
    ("multipart/form-data; boundary=x",
     b"--x\n" + part("a", "peace").replace(b"\r", b"") + b"--x--\n"),
]


@pytest.fixture(scope="module")
def gh(shared_gatehouse, shared_origin, tmp_path_factory):
    rules = tmp_path_factory.mktemp("rules")
    (rules / "some.conf").write_text(RULES)
    (rules / "judged.conf").write_text(JUDGED)
    o = shared_origin(lambda conn, request: conn.send(ok(request.body)))
    gh = shared_gatehouse(INI.replace("RULES", str(rules)), origin=o.address)
    gh.origin = o
    gh.n = 0
    return gh


def post(gh, kind, body, path="/", *fields):
    gh.n += 1
    lines = [f"POST {path} HTTP/1.1", "Host: test", f"X-Request-Id: r-{gh.n}",
             f"Content-Length: {len(body)}", *fields]
    lines += [f"Content-Type: {kind}"] if kind else []
    with gh.client() as c:
        c.send("\r\n".join([*lines, "", ""]).encode() + body)
        return c.response("POST")


def audited(gh):
    """The line of the last one in the audit log, which comes behind its answer."""
    def find():
        lines = map(json.loads, (gh.dir / "audit.log").read_text().splitlines())
        return next((x for x in lines if x["request_id"] == f"r-{gh.n}"), None)
    return until(find)


@pytest.mark.parametrize("kind, body", [
    ("application/json", b'{"a":{"b":["attack"]}}'),
    ("Application/JSON; charset=utf-8", b'"attack"'),
    ("application/vnd.api+json", b'["at\\u0074ack"]'),
    ("text/xml", XML + b"<a>attack</a>"),
    ("application/xml", XML + b"<a b='attack'>attack</a>"),
    ("application/soap+xml", XML + b"<a><![CDATA[attack]]></a>"),
    ("application/x-www-form-urlencoded", b"a=attack"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: "
     b"form-data; name=a\r\n\r\nattack\r\n--x--\r\n")])
def test_it_becomes_arguments(gh, kind, body):
    assert post(gh, kind, body).status == 406
    answer = post(gh, kind, body.replace(b"attack", b"peace")
                  .replace(b"at\\u0074ack", b"peace"))
    assert answer.status == 200


@pytest.mark.parametrize("name, how", [
    ("UTF-8", "utf-8"), ("utf-16", "utf-16"), ("UTF-16", "utf-16-be"),
    ("us-ascii", "ascii"), ("ISO-8859-15", "iso8859-15"),
    ("Windows-1252", "cp1252")])
def test_encodings_that_all_readers_know_are_read(gh, name, how):
    text = f"<?xml version='1.0' encoding='{name}'?><a>attack</a>"
    assert post(gh, "text/xml", text.encode(how)).status == 406
    text = text.replace("attack", "peace")
    assert post(gh, "text/xml", text.encode(how)).status == 200


@pytest.mark.parametrize("kind", [
    "text/plain", "application/x-json", "json", "",
    "application/octet-stream", "text/json+x"])
def test_other_types_are_what_they_are(gh, kind):
    body = b'{"a":"peace"'
    assert post(gh, kind, body).body == body


@pytest.mark.parametrize("kind, body", DOUBTFUL,
                         ids=[str(i) for i in range(len(DOUBTFUL))])
def test_what_others_may_read_otherwise(gh, kind, body):
    n = len(gh.origin.requests)
    assert post(gh, kind, body).status == 400
    assert audited(gh)["bound"] == "unreadable"
    assert len(gh.origin.requests) == n
    assert post(gh, kind, body, "/watch").status == 200
    assert audited(gh)["action"] == "pass"
    assert post(gh, kind, body, "/judged").status == 200


@pytest.mark.parametrize("kind, body", GOOD,
                         ids=[str(i) for i in range(len(GOOD))])
def test_what_all_read_alike_is_let_through(gh, kind, body):
    assert post(gh, kind, body).status == 200
    assert post(gh, kind, body.replace(b"peace", b"attack")).status == 406


def test_uploads_of_programs_are_let_through(gh, tmp_path):
    """As curl and node send them, with names that need quoting."""
    file = tmp_path / "f"
    file.write_bytes(b"--x\r\n\0\r--\n" * 1000)
    url = f"http://127.0.0.1:{gh.port}/"
    n = len(gh.origin.requests)
    for name in ["plain.txt", 'q\\"uote; name=b.txt', "ä'=.txt", ""]:
        done = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-F",
             "a=peace\r\n", "-F", "b=", "-F", f'f=@{file};filename="{name}"'
             if name else f"f=@{file}", url], capture_output=True, text=True,
            check=True)
        assert done.stdout == "200", name
    done = subprocess.run(["node", "-e", """
const [url] = process.argv.slice(1);
(async () => {
  for (const name of ["a.txt", 'q"u\\\\;\\r\\n.txt', "\\u00e4'.txt", undefined]) {
    const form = new FormData();
    form.append("a\\nb", "peace\\n");
    form.append("f", new Blob(["\\r\\n--x"]), name);
    console.log((await fetch(url, {method: "POST", body: form})).status);
  }
})();
""", url], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["200"] * 4, done.stderr
    assert len(gh.origin.requests) == n + 8


@pytest.mark.parametrize("kind, body", UNREADABLE,
                         ids=[str(i) for i in range(len(UNREADABLE))])
def test_what_cannot_be_read(gh, kind, body):
    """400 and a line; with `mode = detect` a line; a rule that looks at the error
    decides; nothing of the kind where the engine is off."""
    n = len(gh.origin.requests)
    assert post(gh, kind, body).status == 400
    line = audited(gh)
    assert (line["action"], line["bound"]) == ("deny", "unreadable")
    assert line["rule_ids"] == []
    assert len(gh.origin.requests) == n
    assert post(gh, kind, body, "/watch").status == 200
    line = audited(gh)
    assert (line["action"], line["bound"]) == ("pass", "unreadable")
    assert post(gh, kind, body, "/judged").status == 200
    line = audited(gh)
    assert line["rule_ids"] == [2] and "bound" not in line
    assert post(gh, kind, body, "/", "X-Off: yes").status == 200
    assert len(gh.origin.requests) == n + 3


CODERS = {
    "gzip": gzip.compress, "x-gzip": gzip.compress,
    "zstd": lambda text: subprocess.run(["zstd", "-c"], input=text, check=True,
                                        capture_output=True).stdout}
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("coding", CODERS)
def test_a_coding_is_taken_away_for_rules(gh, coding):
    """And not for the server; how long it may be counts without it."""
    field = f"Content-Encoding: {coding}"
    attack, peace, zeros = map(CODERS[coding], [
        b'{"a":"attack"}', b'{"a":"peace"}', b'{"a":"' + bytes(300000) + b'"}'])
    assert post(gh, "application/json", attack, "/", field).status == 406
    assert post(gh, "application/json", peace, "/", field).body == peace
    assert post(gh, "application/json", zeros, "/", field).status == 413
    assert audited(gh)["bound"] == "request_body"


@pytest.mark.parametrize("coding, body", [
    ("gzip", gzip.compress(b"a=peace&b=" + bytes(1000))[:-9]),
    ("gzip", b"a=peace"), ("deflate", zlib.compress(b"a=attack")),
    ("gzip, gzip", gzip.compress(gzip.compress(b"a=attack"))),
    ("dcz", b"a=peace"), ("dcb", b"a=peace"), ("nonsense", b"a=peace")],
    ids=["cut", "none", "deflate", "twice", "dcz", "dcb", "unknown"])
def test_a_coding_that_cannot_be_taken_away(gh, coding, body):
    field = f"Content-Encoding: {coding}"
    assert post(gh, FORM, body, "/", field).status == 400
    until(lambda: " 400 waf\n" in (gh.dir / "access.log").read_text())
    assert audited(gh)["bound"] == "unreadable"
    assert post(gh, FORM, body, "/watch", field).status == 200
    assert post(gh, FORM, body, "/judged", field).status == 200
    assert audited(gh)["rule_ids"] == [2]
    # what rules do not read need not be readable
    assert post(gh, "text/plain", body, "/", field).status == 200
    assert post(gh, FORM, b"", "/", field).status == 200


def test_a_rule_says_how_it_is_read(gh):
    assert post(gh, "application/json", b"a=peace", "/",
                "X-Form: yes").status == 200
    assert post(gh, "application/json", b"a=attack", "/",
                "X-Form: yes").status == 406
    assert post(gh, "application/json", b"").status == 200
