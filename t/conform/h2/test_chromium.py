"""A browser loads a page with 100 resources by HTTP/2 (RFC 9113, RFC 7301)."""
import re
import shutil
import subprocess

import pytest

from lib.certs import Authority, spki
from lib.origin import ok

LIMIT_S = 120
BROWSERS = ("chromium-headless-shell", "chromium")
N_RESOURCES = 100
INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
tls = on
[log access]
path = {dir}/access.log
format = {status} {protocol} {path}
buffer = none
[site a.test]
certificate = {pem}
certificate_key = {key}
upstream = app
[upstream app]
server = {origin}
"""
# Each fourth is an image, a style, a script, something fetched.
KINDS = (
    ('<img src="/r/%d.svg">', "image/svg+xml",
     b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'),
    ('<link rel="stylesheet" href="/r/%d.css">', "text/css", b"p { top: 0 }"),
    ('<script src="/r/%d.js"></script>', "text/javascript", b"n = 1 + n;"),
    ('<script src="/r/%d.mjs" type="module"></script>', "text/javascript",
     b"window.n += 1;" + b"/* long */" * 3000),
)
PAGE = """<!DOCTYPE html><title>none</title><script>var n = 0;</script>
%s
<script>addEventListener("load", () => {
  const all = performance.getEntriesByType("resource");
  const by = new Set(all.map((e) => e.nextHopProtocol));
  document.title = [n, all.length, [...by].join()].join(" ");
});</script>
"""


def page():
    return (PAGE % "\n".join(KINDS[i % 4][0] % i for i in range(N_RESOURCES))) \
        .encode()


def answer(conn, request):
    found = re.fullmatch(r"/r/(\d+)\.\w+", request.target)
    if found:
        _, kind, body = KINDS[int(found[1]) % 4]
    else:
        kind, body = "text/html", page()
    conn.send(ok(body, f"Content-Type: {kind}\r\n".encode()))


@pytest.fixture
def browser():
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    return pytest.skip("no Chromium here: ./bootstrap deps ci")


def test_page_of_100_resources(gatehouse, origin, browser, tmp_path):
    """All arrive, each by h2, on one connection."""
    ca = Authority()
    pem = ca.make("a", "a.test")
    gh = gatehouse(INI, origin=origin(answer).address, pem=pem,
                   key=pem.with_suffix(".key"))
    out = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", "--disable-background-networking",
         "--no-proxy-server", f"--user-data-dir={tmp_path}/profile",
         f"--host-resolver-rules=MAP a.test 127.0.0.1:{gh.port}",
         f"--ignore-certificate-errors-spki-list={spki(pem)}",
         "--timeout=60000", "--dump-dom", "https://a.test/"],
        capture_output=True, text=True, timeout=LIMIT_S, check=True)
    title = re.search(r"<title>(.*)</title>", out.stdout)[1]
    assert title == f"{N_RESOURCES // 2} {N_RESOURCES} h2", out.stdout[-2000:]
    lines = (gh.dir / "access.log").read_text().splitlines()
    asked = [line for line in lines if " /r/" in line]
    assert len(asked) == N_RESOURCES
    assert all(re.match(r"200 HTTP/2\S* ", line) for line in asked)
