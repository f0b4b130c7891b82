"""`gatehouse explain` of a forward proxy: the same stages as for a live request, and
nobody is asked for the name."""
from lib.gatehouse import run

INI = """
[listen web]
address = 127.0.0.1:8080
[listen proxy]
address = 127.0.0.1:3128
mode = forward
policy = office
[site x]
hosts = x.test
respond = 200 hello
[forward office]
deny = social
deny = inner
allow = all
connect_sni = match
anonymize = anonymous
user_agent = nobody
parent = http://10.9.9.9:3128 for=.corp.example auth=%(secret)s
parent = http://10.9.9.8:3128 for=.corp.example
[acl social]
domain = .social.test
[acl inner]
dst_ip = 93.184.0.0/16
"""


def explain(tmp_path, *args, code=0):
    """Lines as (word, text), and the places in them as (line)."""
    secret = tmp_path / "secret"
    secret.write_text("me:hidden\n")
    ini = tmp_path / "a.ini"
    ini.write_text(INI % {"secret": secret})
    done = run("explain", *args, "-c", ini)
    assert (done.returncode, done.stderr) == (code, "")
    assert "hidden" not in done.stdout and "bWU6" not in done.stdout
    return [tuple(line.replace(f"{ini}:", "").split(None, 1))
            for line in done.stdout.splitlines()]


def said(lines, word):
    return [text for name, text in lines if name == word]


def at(line):
    """The end of a line that the configuration decided."""
    return f"  ({1 + INI.split(chr(10)).index(line)})"


def test_a_plain_request(tmp_path):
    lines = explain(tmp_path, "GET", "http://A.test:81/x?y", "--listen",
                    "proxy", "-H", "User-Agent: mine", "-H", "From: me",
                    "-H", "Proxy-Authorization: Basic eDp5")
    assert said(lines, "listen") == ["proxy" + at("[listen proxy]")]
    assert said(lines, "target") == ["a.test, port 81"]
    assert said(lines, "address") == ["is asked for: a.test"]
    assert said(lines, "server") == ["a.test:81" + at("[forward office]")]
    sends = said(lines, "sends")
    assert sends[0] == "GET /x?y HTTP/1.1"
    assert "Host: a.test:81" in sends and "User-Agent: nobody" in sends
    assert "via: 1.1 proxy" in map(str.lower, sends)
    assert not [s for s in sends if s.startswith(("From", "Proxy-"))]
    assert said(lines, "answer")[0].startswith("HTTP/1.1 200")


def test_a_tunnel_is_what_a_proxy_is_asked_for(tmp_path):
    """No listen has to be named."""
    lines = explain(tmp_path, "CONNECT", "a.test:443")
    assert said(lines, "listen") == ["proxy" + at("[listen proxy]")]
    assert said(lines, "tunnel") == [
        "to a.test:443, if it begins with TLS for that host"]
    assert not said(lines, "sends") and not said(lines, "fault")
    assert said(lines, "answer")[0].startswith("HTTP/1.1 200")


def test_what_is_refused_tells_by_which_line(tmp_path):
    lines = explain(tmp_path, "GET", "http://www.social.test/", "--listen",
                    "proxy")
    assert "social decides" in said(lines, "access")[0]
    assert said(lines, "access")[0].endswith(at("deny = social"))
    assert said(lines, "answer")[0].startswith("HTTP/1.1 403")
    assert not said(lines, "server")
    lines = explain(tmp_path, "CONNECT", "a.test:25")
    assert said(lines, "connect_ports")[0].startswith("port 25 is none of them")
    assert said(lines, "answer")[0].startswith("HTTP/1.1 403")
    lines = explain(tmp_path, "CONNECT", "93.184.0.7:443")
    assert "inner decides" in said(lines, "access")[-1]
    assert said(lines, "answer")[0].startswith("HTTP/1.1 403")
    lines = explain(tmp_path, "GET", "http://127.0.0.1/", "--listen", "proxy")
    assert said(lines, "address") == []
    assert said(lines, "private_networks")[0].startswith("it is ")
    assert said(lines, "answer")[0].startswith("HTTP/1.1 403")
    for url, fault in (("/x", "400"), ("https://a.test/", "400"),
                       ("http://0x7f.1/", "400")):
        lines = explain(tmp_path, "GET", url, "--listen", "proxy")
        assert said(lines, "answer")[0].startswith(f"HTTP/1.1 {fault}"), url


def test_what_a_parent_would_be_asked(tmp_path):
    """In their order; who we are is not shown."""
    first = [text for text in INI.split("\n") if "auth=" in text][0]
    for args in (("GET", "http://www.corp.example/x"),
                 ("CONNECT", "www.corp.example:443")):
        lines = explain(tmp_path, *args, "--listen", "proxy")
        assert said(lines, "parent") == ["asks in our place" + at(first)]
        assert [text.split()[0] for text in said(lines, "server")] == \
            ["10.9.9.9:3128", "10.9.9.8:3128"]
        target = args[1]
        assert said(lines, "sends")[0] == f"{args[0]} {target} HTTP/1.1"
        assert said(lines, "answer")[0].startswith("HTTP/1.1 200")


def test_a_site_beside_it_is_still_asked(tmp_path):
    lines = explain(tmp_path, "GET", "http://x.test:8080/")
    assert said(lines, "listen") == ["web" + at("[listen web]")]
    assert said(lines, "site")
    assert said(lines, "answer")[0].startswith("HTTP/1.1 200")
