"""Seeded requests of honest people and programs, as bytes: what a firewall
must let through. The same seed gives the same requests, in the same order."""
import base64
import json
import random
import urllib.parse

from . import benign_text as text

HOST = "shop.example.org"
FORM = "application/x-www-form-urlencoded"


class Case:
    """One request. name "form-17": its kind, and its number."""

    def __init__(self, name, request):
        self.name = name
        self.request = request


class Maker:
    """What requests are made of, by one source of chance."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.pick = self.chance.choice
        self.number = self.chance.randint

    def flip(self, share=0.5):
        return self.chance.random() < share

    def hex(self, n):
        return "".join(self.chance.choices("0123456789abcdef", k=n))

    def base64url(self, n):
        data = self.chance.randbytes(n)
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    def words(self, n):
        return " ".join(self.chance.choices(text.WORDS, k=n))

    def slug(self):
        return self.words(self.number(1, 4)).replace(" ", "-")

    def name(self):
        return self.pick(text.NAMES)

    def email(self):
        return (f"{self.pick(text.WORDS)}.{self.pick(('o-neil', 'smith', 'li'))}"
                f"{self.pick(('', '+news', '_1'))}@"
                f"{self.pick(('example.org', 'mail.example.co.uk'))}")

    def phone(self):
        return self.pick((f"+44 (0)20 {self.number(1000, 9999)} 0958",
                          f"+1-212-555-{self.number(1000, 9999)}",
                          f"030/{self.number(100000, 999999)}-0"))

    def date(self):
        return (f"20{self.number(10, 26)}-{self.number(1, 12):02}-"
                f"{self.number(1, 28):02}")

    def time(self):
        return f"{self.date()}T{self.number(0, 23):02}:15:00.000Z"

    def prose(self, n):
        lines = text.PROSE[self.pick(sorted(text.PROSE))]
        said = [self.pick(lines) for _ in range(n)]
        if self.flip(0.15):
            said.append(self.pick(text.QUERYLIKE))
        return self.pick((" ", "\n", "\r\n\r\n")).join(said)

    def anything(self):
        """What a person types into a field of free text."""
        roll = self.chance.random()
        if roll < 0.62:
            return self.prose(self.number(1, 6))
        if roll < 0.72:
            return self.pick(text.QUERYLIKE)
        if roll < 0.85:
            return "\n".join(self.pick(text.MARKDOWN)
                             for _ in range(self.number(1, 3)))
        if roll < 0.90:
            return f"```\n{self.pick(text.CODE)}```\n{self.prose(1)}"
        if roll < 0.97:
            return f"{self.name()}\n{self.pick(text.STREETS)}"
        return f"{self.prose(1)} {self.link()}"

    def link(self):
        return (f"https://{self.pick(('www', 'blog', 'cdn'))}.example.com/"
                f"{self.slug()}/{self.number(1, 9999)}" + self.pick(
                    ("", "?utm_source=newsletter&utm_medium=email",
                     f"?id={self.number(1, 999)}#part-2", "?a=1&b=2")))

    def jwt(self):
        parts = ({"alg": "RS256", "typ": "JWT", "kid": self.hex(8)},
                 {"sub": self.hex(12), "name": self.name(),
                  "exp": 1790000000 + self.number(0, 99999)})
        made = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode()
                .rstrip("=") for p in parts]
        return ".".join([*made, self.base64url(256)])

    def cookie(self):
        """Some of what sites and their helpers keep in browsers."""
        consent = {"necessary": True, "stats": self.flip(), "at": self.date()}
        all_of = (
            f"session={self.hex(32)}",
            f"auth={self.jwt()}",
            f"_ga=GA1.2.{self.number(10**8, 10**9)}.{self.number(10**9, 2*10**9)}",
            "_gid=GA1.2.112233.445566",
            "consent=" + urllib.parse.quote(json.dumps(consent)),
            f"csrftoken={self.base64url(24)}",
            "theme=dark", "lang=en_GB", "seen=1", f"PHPSESSID={self.hex(26)}",
            f"cart={self.number(1, 99)}%7C{self.number(1, 99)}%3A2",
            f"_fbp=fb.1.{self.number(10**12, 10**13)}.{self.number(10**8, 10**9)}",
            f"token={base64.b64encode(self.chance.randbytes(30)).decode()}",
            "last=" + urllib.parse.quote(f"/shop/{self.slug()}"))
        return "; ".join(self.chance.sample(all_of, self.number(1, 6)))


def built(m, start, fields=(), body=None, program=False):
    """A request of a browser, or of a program; the start is "GET /"."""
    base = m.pick(text.PROGRAMS if program else text.BROWSERS)
    own = {name.lower() for name, _ in fields}
    lines = [f"{start} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in base
              if name.lower() not in own]
    if not program and m.flip(0.7):
        lines.append(f"Cookie: {m.cookie()}")
    if not program and m.flip() and "referer" not in own:
        lines.append(f"Referer: https://{HOST}/{m.slug()}")
    lines += [f"{name}: {value}" for name, value in fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def query(pairs):
    return urllib.parse.urlencode(pairs)


# --- what is asked for -------------------------------------------------------

def page(m):
    path = m.pick((
        "/", "/index.html", f"/shop/{m.slug()}/{m.number(1, 9999)}",
        f"/{m.date().replace('-', '/')}/{m.slug()}",
        f"/users/{urllib.parse.quote(m.name())}", f"/~{m.pick(text.WORDS)}/",
        f"/wiki/{urllib.parse.quote(m.pick(text.NAMES).replace(' ', '_'))}",
        f"/files/{m.slug()}.pdf", f"/product/{m.hex(8)}-{m.hex(4)}-{m.hex(12)}"))
    return built(m, f"{m.pick(('GET', 'GET', 'GET', 'HEAD'))} {path}")


def asset(m):
    path = m.pick((f"/static/app.{m.hex(8)}.js", f"/img/{m.slug()}@2x.png",
                   f"/css/site.css?v={m.number(1, 99)}.{m.number(0, 9)}",
                   "/favicon.ico", f"/fonts/{m.slug()}.woff2"))
    fields = [("Accept", "*/*"), ("If-None-Match", f'W/"{m.hex(16)}"'),
              ("Sec-Fetch-Dest", "script"), ("Sec-Fetch-Mode", "no-cors")]
    if m.flip(0.2):
        fields.append(("Range", f"bytes=0-{m.number(100, 99999)}"))
    return built(m, f"GET {path}", fields)


def search(m):
    asked = m.pick((m.words(m.number(1, 4)), m.prose(1)[:80], m.name(),
                    m.pick(text.QUERYLIKE), f'"{m.words(2)}" -{m.words(1)}',
                    f"{m.words(1)} > {m.number(1, 100)} & {m.words(1)}"))
    return built(m, "GET /search?" + query({
        "q": asked, "page": m.number(1, 20), "hl": m.pick(("en", "de", "zh"))}))


def filtered(m):
    pairs = [("cat", m.words(2)), ("sort", m.pick(("price", "-date", "name asc"))),
             ("min", m.number(0, 50)), ("max", m.number(51, 500)),
             ("brand[]", m.name()), ("brand[]", m.words(1)),
             ("filter[color][]", m.words(1)), ("from", m.date()),
             ("size", m.pick(('3" x 5"', "M/L", "40½", "10-12"))),
             ("in_stock", m.pick(("true", "1", "on"))),
             ("near", f"{m.number(-89, 89)}.{m.number(0, 9999)},"
              f"{m.number(-179, 179)}.{m.number(0, 9999)}")]
    return built(m, "GET /list?" + query(
        m.chance.sample(pairs, m.number(2, len(pairs)))))


def linked(m):
    pairs = m.pick((
        {"url": m.link(), "title": m.prose(1)},
        {"redirect": m.link()}, {"next": f"/shop/{m.slug()}?page=2"},
        {"code": m.base64url(30), "state": m.base64url(16),
         "redirect_uri": f"https://{HOST}/callback", "scope": "openid email"},
        {"u": m.link(), "via": "example", "hashtags": "tea,o'clock"},
        {"gclid": m.base64url(50), "utm_campaign": f"{m.words(2)} / may"},
        {"image": m.link() + ".jpg", "w": 300, "fit": "crop,faces"}))
    return built(m, f"GET /{m.pick(('share', 'go', 'login', 'img'))}?" +
                 query(pairs))


# --- what is sent ------------------------------------------------------------

def posted(m, path, pairs):
    return built(m, f"POST {path}",
                 [("Content-Type", FORM), ("Origin", f"https://{HOST}")],
                 query(pairs).encode())


def login(m):
    password = "".join(m.chance.choices(
        "abcdefghijkmnpqrstuvwxyzABCDEFGH23456789!#$%&*+-.:;=?@_~",
        k=m.number(8, 20)))
    return posted(m, "/login", {
        "user": m.email(), "password": password, "remember": "on",
        "csrf": m.base64url(24)})


def address(m):
    return posted(m, "/account/address", {
        "name": m.name(), "street": m.pick(text.STREETS), "mail": m.email(),
        "phone": m.phone(), "zip": m.pick(("SW1A 1AA", "10115", "00-950")),
        "company": m.pick(("", "Smith & Sons Ltd.", "L'Oréal", "Yahoo!")),
        "born": m.date(), "note": m.prose(1)})


def comment(m):
    return posted(m, f"/posts/{m.number(1, 999)}/comments", {
        "author": m.name(), "email": m.email(), "site": m.link(),
        "text": m.anything(), "parent": m.number(0, 99)})


def long_text(m):
    return posted(m, "/wiki/edit", {
        "title": m.prose(1)[:60],
        "text": "\n\n".join(m.anything() for _ in range(m.number(5, 20))),
        "summary": m.prose(1), "minor": 1})


def file_of(m):
    """(name, type, content) of what people upload."""
    csv = "id;name;price\r\n" + "".join(
        f"{i};{m.name()};{i}.50\r\n" for i in range(m.number(2, 30)))
    return m.pick((
        ("photo.jpg", "image/jpeg", b"\xff\xd8\xff\xe0" +
         m.chance.randbytes(m.number(100, 6000))),
        ("scan.pdf", "application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" +
         m.chance.randbytes(m.number(100, 4000)) + b"\n%%EOF\n"),
        ("prices.csv", "text/csv", csv.encode()),
        (f"{m.slug()}.md", "text/markdown", m.anything().encode()),
        ("Mary's holiday (2).png", "image/png", b"\x89PNG\r\n\x1a\n" +
         m.chance.randbytes(m.number(100, 3000))),
        ("", "application/octet-stream", b"")))


def upload(m):
    mark = m.pick((f"----WebKitFormBoundary{m.hex(16)}",
                   f"---------------------------{m.number(10**20, 10**27)}"))
    parts = []
    for name, value in (("title", m.prose(1)), ("text", m.anything()),
                        ("author", m.name())):
        parts.append((f'form-data; name="{name}"', None, value.encode()))
    for i in range(m.number(1, 2)):
        name, kind, data = file_of(m)
        parts.append((f'form-data; name="file{i}"; filename="{name}"', kind,
                      data))
    body = b""
    for said, kind, data in parts:
        body += f"--{mark}\r\nContent-Disposition: {said}\r\n".encode()
        body += f"Content-Type: {kind}\r\n".encode() if kind else b""
        body += b"\r\n" + data + b"\r\n"
    body += f"--{mark}--\r\n".encode()
    return built(m, "POST /upload",
                 [("Content-Type", f"multipart/form-data; boundary={mark}")],
                 body)


# --- programs ----------------------------------------------------------------

def value(m, depth):
    roll = m.chance.random()
    if depth > 0 and roll < 0.2:
        return {m.pick(text.WORDS): value(m, depth - 1)
                for _ in range(m.number(1, 4))}
    if depth > 0 and roll < 0.35:
        return [value(m, depth - 1) for _ in range(m.number(0, 4))]
    return m.pick((m.number(-5, 99999), m.flip(), None, m.number(1, 999) / 8,
                   m.name(), m.prose(1), m.time(), m.link(), m.email(),
                   m.hex(24), m.anything(), ""))


def json_api(m):
    item = {"id": m.number(1, 9999), "name": m.name(), "at": m.time(),
            "tags": m.words(3).split(), "attributes": value(m, 3),
            "lines": [{"sku": m.hex(6).upper(), "n": m.number(1, 9),
                       "note": m.prose(1)} for _ in range(m.number(0, 5))]}
    body = json.dumps(m.pick((item, [item, item], value(m, 3))),
                      ensure_ascii=m.flip()).encode()
    method = m.pick(("POST", "POST", "POST", "PUT", "PATCH"))
    fields = [("Content-Type", m.pick(("application/json",
                                       "application/json; charset=utf-8"))),
              ("Accept", "application/json")]
    if m.flip():
        fields.append(("Authorization", f"Bearer {m.jwt()}"))
    return built(m, f"{method} /api/v2/items/{m.number(1, 999)}", fields, body,
                 program=m.flip())


def graphql(m):
    asked = ("query Items($n: Int!, $name: String) {\n  items(first: $n, name: "
             "$name) {\n    id\n    title\n    price { value currency }\n  }\n}")
    body = json.dumps({"operationName": "Items", "query": asked,
                       "variables": {"n": m.number(1, 50), "name": m.name()}})
    return built(m, "POST /graphql", [("Content-Type", "application/json")],
                 body.encode())


def xml(m):
    body = ('<?xml version="1.0" encoding="utf-8"?>\n<order id="%d"><name>%s'
            "</name><note>%s</note><total currency=\"EUR\">%d.50</total>"
            "</order>" % (m.number(1, 999), escaped(m.name()),
                          escaped(m.prose(1)), m.number(1, 99)))
    return built(m, "POST /orders", [("Content-Type", m.pick((
        "application/xml", "text/xml; charset=utf-8")))], body.encode(),
        program=True)


def escaped(said):
    for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        said = said.replace(char, name)
    return said


def report(m):
    said = {"csp-report": {"document-uri": f"https://{HOST}/{m.slug()}",
                           "blocked-uri": m.link(), "line-number": 7,
                           "violated-directive": "script-src 'self'"}}
    return built(m, "POST /csp", [("Content-Type", "application/csp-report")],
                 json.dumps(said).encode())


def asked_before(m):
    method = m.pick(("OPTIONS", "DELETE", "GET"))
    fields = [("Origin", "https://app.example.org")]
    if method == "OPTIONS":
        fields += [("Access-Control-Request-Method", "PUT"),
                   ("Access-Control-Request-Headers",
                    "authorization,content-type")]
    else:
        fields.append(("Authorization", f"Bearer {m.jwt()}"))
    return built(m, f"{method} /api/v2/items/{m.hex(24)}", fields)


# How many of a hundred.
KINDS = ((page, 14), (asset, 7), (search, 13), (filtered, 7), (linked, 8),
         (login, 4), (address, 6), (comment, 12), (long_text, 3), (upload, 6),
         (json_api, 12), (graphql, 2), (xml, 2), (report, 1),
         (asked_before, 3))


def cases(n, seed=1):
    """n requests, of all kinds."""
    m = Maker(seed)
    makers, weights = zip(*KINDS)
    return [Case(f"{make.__name__}-{i}", make(m))
            for i, make in enumerate(m.chance.choices(makers, weights, k=n))]
