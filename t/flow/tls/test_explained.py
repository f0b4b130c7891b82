"""`gatehouse explain` of what comes through TLS says what the live server does.
"""
import pytest

from lib.gatehouse import run

ASKS = "client_ca = {ca}\nverify = %s\n"
PARTS = {
    "ports": 2,
    "a": "respond = 200 a\nhsts = 1y\n"
         "response_header = X-Seen: {scheme} {tls_version} {tls_sni} {tls_alpn}"
         " {tls_client_verify}\n",
    "b": "respond = 200 b\n" + ASKS % "optional",
    "more": "[listen plain]\naddress = 127.0.0.1:{port1}\n"
            "redirect_https = on\n"
            "[rule a.test old]\nmatch = tls_version = TLSv1.2\n"
            "response_header = X-Old: yes\n",
}


@pytest.fixture
def gh(front):
    return front(**PARTS)


def explain(gh, url, *more):
    done = run("explain", "GET", url, *more, "-c", gh.ini)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = [line.split(None, 1) for line in done.stdout.splitlines()]
    return {word: [t for w, t in lines if w == word] for word, _ in lines}


def heads(lines):
    """Names and values, but for what says how the message is framed."""
    pairs = [line.split(": ", 1) for line in lines]
    return sorted((n.lower(), v) for n, v in pairs if n.lower() not in
                  ("date", "content-length", "connection"))


@pytest.mark.parametrize("host, sni, by_tls", [
    ("a.test", "a.test", True), ("A.test.", "a.test", True),
    ("b.test", "b.test", True), ("nobody.test", "nobody.test", True),
    ("x.a.test", "x.a.test", True), ("127.0.0.1", None, True),
    ("a.test", None, False), ("nobody.test", None, False)])
def test_it_is_what_the_live_server_does(gh, ca, visit, host, sni,
                                         by_tls):
    port = gh.ports[0 if by_tls else 1]
    said = explain(gh, f"http{'s' * by_tls}://{host}:{port}/x")
    ctx = ca.context()
    ctx.check_hostname = False
    with (visit(gh, sni, ctx=ctx) if by_tls else gh.client(port)) as c:
        r = c.get("/x", host=f"{host}:{port}")
    assert said["answer"][0].split()[1] == str(r.status)
    assert heads(said["answer"][1:]) == heads(
        f"{n.decode()}: {v.decode()}" for n, v in r.fields)
    assert ("tls" in said) == by_tls


def test_the_scheme_chooses_the_listen(gh):
    """Where no listen has the port of the URL."""
    assert explain(gh, "https://a.test/")["listen"][0].split()[0] == "x"
    assert explain(gh, "http://a.test/")["listen"][0].split()[0] == "plain"


def test_whose_certificate_is_shown(gh):
    said = explain(gh, "https://b.test/")
    at = gh.ini.read_text().splitlines().index("[site b.test]") + 1
    assert said["tls"] == [f"the certificate of b.test  ({gh.ini}:{at})"]
    # another site's handshake opens it to nobody
    said = explain(gh, "https://a.test/", "-H", "Host: b.test")
    assert said["answer"][0].startswith("HTTP/1.1 421")


def test_a_certificate_of_the_client_is_assumed_where_it_must_be(front):
    gh = front(**{**PARTS, "b": "respond = 200 b {tls_client_verify}\n" +
                  ASKS % "require"})
    said = explain(gh, "https://b.test/")
    assert said["assumed"] == ["the client shows a good certificate"]
    assert said["answer"][0].startswith("HTTP/1.1 200")
    assert "assumed" not in explain(gh, "https://a.test/")
