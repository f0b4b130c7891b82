"""Whatever stands in an answer's way (a cache, `decompress`, `substitute`,
`compress`, `limit_bandwidth`), and however a client asks (HTTP/1.1 or HTTP/2,
any coding, a range, again), decoded it is the bytes of none of them; a part is
that part of them."""
import gzip
import json
import random
import re
import subprocess

import pytest

from lib.codings import DECODE
from lib.h2 import Conn
from lib.origin import ok
from lib.wire import WAIT_S

SEED = 10
PLACES = 12
ASKS = 12
TEXT = b"".join(b"%d green bottles, standing\n" % i for i in range(700))
# Longer than it was found, and shorter.
CHANGES = {b"bottles": b"jugs", b"green": b"dark green"}
INI = """
[global]
workers = 1
shared_memory = 64m
[listen x]
address = 127.0.0.1:{port}
h2c = on
[cache c]
memory = 16m
[upstream app]
server = {origin}
[site test]
hosts = *
upstream = app
compress_min_length = 1b
substitute_types = text/plain
"""


class Place:
    """A route with some of them, and what its origin has."""

    def __init__(self, rng, i):
        self.path = f"/{i}"
        self.size = rng.choice([1, 100, 5000, len(TEXT)])
        self.coded = rng.choice([None, None, "gzip"])
        self.is_chunked = rng.random() < 0.5
        self.changes = rng.random() < 0.4
        self.lines = [line for line in (
            "cache = c", "decompress = on", "limit_bandwidth = 900m/s",
            "compress = " + " ".join(rng.sample(["gzip", "br", "zstd"], 3)))
            if rng.random() < 0.6]
        if self.changes:
            self.lines += [f"substitute = |{a.decode()}|{b.decode()}|"
                           for a, b in CHANGES.items()]
        self.asked = 0
        self.given = TEXT[:self.size]
        if self.coded:
            self.given = gzip.compress(self.given, mtime=0)

    @property
    def section(self):
        return "\n".join([f"[route test {self.path}]", *self.lines, ""])

    @property
    def whole(self):
        text = TEXT[:self.size]
        for a, b in CHANGES.items() if self.changes else ():
            text = text.replace(a, b)
        return text

    def answer(self, conn, request):
        self.asked += 1
        body = self.given
        fields = (b"Content-Type: text/plain\r\nCache-Control: max-age=600\r\n"
                  b"ETag: \"e\"\r\n")
        if self.coded:
            fields += b"Content-Encoding: gzip\r\n"
        if not self.is_chunked:
            return conn.send(ok(body, fields))
        step = max(1, len(body) // 50)
        parts = [body[i:i + step] for i in range(0, len(body), step)]
        return conn.send(
            b"HTTP/1.1 200 OK\r\n" + fields +
            b"Transfer-Encoding: chunked\r\n\r\n" +
            b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) +
            b"0\r\n\r\n")


@pytest.fixture(scope="module")
def world(shared_gatehouse, shared_origin):
    rng = random.Random(SEED)
    places = [Place(rng, i) for i in range(PLACES)]
    by_path = {p.path: p for p in places}
    o = shared_origin(lambda conn, r: by_path[r.target].answer(conn, r))
    gh = shared_gatehouse(INI + "".join(p.section for p in places),
                          origin=o.address)
    return gh, places, rng


def ask(gh, place, fields, is_h2):
    if is_h2:
        with Conn(("127.0.0.1", gh.port)) as c:
            return c.get(place.path, *fields)
    with gh.client() as c:
        return c.get(place.path, extra="".join(
            f"{n}: {v}\r\n" for n, v in fields).encode())


def field(r, name):
    """Of either wire."""
    value = r.get(name)
    return value.decode() if isinstance(value, bytes) else value


def judge(place, r, fields):
    coding = field(r, "content-encoding")
    if r.status == 200:
        assert DECODE[coding](r.body) == place.whole, (place.section, fields)
        return
    assert r.status == 206 and dict(fields).get("range")
    first, last, of = map(int, re.fullmatch(
        r"bytes (\d+)-(\d+)/(\d+)", field(r, "content-range")).groups())
    # of the text, or of what its origin made of it and nobody took away
    whole = place.whole if coding is None else place.given
    assert coding in (None, place.coded) and of == len(whole)
    assert r.body == whole[first:last + 1], (place.section, fields)


def test_any_chain_gives_the_bytes_of_none(world):
    gh, places, rng = world
    for place in places:
        for _ in range(ASKS):
            fields = []
            if rng.random() < 0.8:
                fields.append(("accept-encoding", rng.choice(
                    ["gzip", "br", "zstd", "br;q=0.5, zstd", "identity", "*"])))
            if rng.random() < 0.4:
                first = rng.randrange(len(place.given))
                fields.append(("range", rng.choice(
                    [f"bytes={first}-", f"bytes={first}-{first + 99}",
                     f"bytes=-{first + 1}"])))
            if rng.random() < 0.2:
                fields.append(("if-range", rng.choice(['"e"', 'W/"e"'])))
            judge(place, ask(gh, place, fields, rng.random() < 0.5), fields)
    # the caches did hit, or this judged less than it seems to
    assert all(p.asked < ASKS for p in places
               if "cache = c" in p.lines and not p.changes)


NODE = """
import http from "node:http";
import http2 from "node:http2";
import zlib from "node:zlib";
import {execFileSync} from "node:child_process";
const [port, ...paths] = process.argv.slice(1);
const open = {gzip: zlib.gunzipSync, br: zlib.brotliDecompressSync,
    zstd: (b) => execFileSync("zstd", ["-dcq"], {input: b})};
const whole = (s, done) => {
    const parts = [];
    s.on("data", (b) => parts.push(b));
    s.on("end", () => done(Buffer.concat(parts)));
};
const h1 = (path, coding) => new Promise((done, fail) => http.get(
    {port, path, host: "127.0.0.1", headers: {"accept-encoding": coding}},
    (r) => whole(r, (b) => done([r.headers["content-encoding"], b])))
    .on("error", fail));
const session = http2.connect("http://127.0.0.1:" + port);
const h2 = (path, coding) => new Promise((done, fail) => {
    const s = session.request({":path": path, "accept-encoding": coding});
    let told;
    s.on("response", (f) => told = f["content-encoding"]);
    s.on("error", fail);
    whole(s, (b) => done([told, b]));
});
const out = [];
for (const path of paths)
    for (const ask of [h1, h2])
        for (const coding of Object.keys(open)) {
            const [told, b] = await ask(path, coding);
            out.push([told, open[coding](b).toString()]);
        }
session.close();
console.log(JSON.stringify(out));
"""


def in_pieces(conn, request):
    text, piece = TEXT[:3000], int(request.target[1:])
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
              b"Transfer-Encoding: chunked\r\n\r\n" +
              b"".join(b"%x\r\n%b\r\n" % (len(p := text[i:i + piece]), p)
                       for i in range(0, len(text), piece)) + b"0\r\n\r\n")


def test_node_decodes_what_it_asked_for(pair):
    """Each coding over HTTP/1.1 and HTTP/2, of content that its server gives in
    chunks of one byte and of more; zstd by its own program."""
    gh, _ = pair(in_pieces, listen="h2c = on", site="compress = br zstd gzip")
    got = subprocess.run(
        ["node", "--input-type=module", "-e", NODE, str(gh.port), "/1", "/999"],
        capture_output=True, timeout=WAIT_S, check=True).stdout
    assert json.loads(got) == 4 * [
        [c, TEXT[:3000].decode()] for c in ("gzip", "br", "zstd")]
