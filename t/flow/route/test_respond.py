"""respond = STATUS [TEXT | file:PATH]: answers of gatehouse itself."""
import pytest

from lib.gatehouse import run

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site s]
hosts = *
respond = 404
[route s /text]
respond = 200 hello; # world
[route s /vars]
respond = 201 {method} {host} {path} {query} {{x}
[route s /ok]
respond = 200
[route s /forbidden]
respond = 403
[route s /forbidden-text]
respond = 403 go away
[route s /nothing]
respond = 204
[route s /reset]
respond = 205
[route s /same]
respond = 304
[route s /gone]
respond = 503 back soon
[route s /page]
respond = 200 file:page.html
[route s /abs]
respond = 404 file:{dir}/data.json
[route s /empty]
respond = 200 file:empty.bin
"""
PAGE = b"<p>\xc3\xa9 {host} \x00\xff</p>\n"


@pytest.fixture(scope="module")
def gh(shared_gatehouse, tmp_path_factory):
    """The files stand beside the configuration, so it starts in two steps."""
    gh = shared_gatehouse("[listen x]\naddress = 127.0.0.1:{port}\n"
                          "[site s]\nhosts = *\nrespond = 200\n")
    (gh.dir / "page.html").write_bytes(PAGE)
    (gh.dir / "data.json").write_bytes(b"{}")
    (gh.dir / "empty.bin").write_bytes(b"")
    gh.reload(INI)
    return gh


@pytest.mark.parametrize("path, status, kind, text", [
    ("/text", 200, "text/plain; charset=utf-8", "hello; # world"),
    ("/forbidden-text", 403, "text/plain; charset=utf-8", "go away"),
    ("/gone", 503, "text/plain; charset=utf-8", "back soon"),
    ("/ok", 200, None, ""),
    ("/abs", 404, "application/json", "{}"),
    ("/empty", 200, "application/octet-stream", ""),
])
def test_a_text_is_answered(gh, path, status, kind, text):
    """CONFIG: the text as it stands, as text/plain; a file by its name."""
    with gh.client() as c:
        r = c.get(path)
        assert (r.status, r.get("content-type"), r.text) == \
            (status, kind, text)
        assert r.all("content-length") == [str(len(text))]
        assert r.get("date") and r.get("via") is None
        assert c.get("/ok").status == 200


def test_a_file_is_answered_byte_for_byte(gh):
    """CONFIG: file: is content, no template."""
    with gh.client() as c:
        r = c.get("/page")
        assert r.body == PAGE
        assert r.get("content-type") == "text/html; charset=utf-8"


def test_a_status_alone_gets_a_page_that_names_it(gh):
    """RFC 9110 15.5: an error answer explains itself."""
    with gh.client() as c:
        r = c.get("/forbidden")
        assert r.status == 403 and "403 Forbidden" in r.text
        assert r.get("content-type").startswith("text/html")


@pytest.mark.parametrize("path, status", [
    ("/nothing", 204), ("/reset", 205), ("/same", 304)])
def test_statuses_without_content_have_none(gh, path, status):
    """RFC 9110 15.3.5, 15.3.6, 15.4.5: 204 and 304 have no content and no
    length, 205 has none either."""
    with gh.client() as c:
        r = c.get(path)
        assert r.status == status and r.body == b""
        assert r.get("content-type") is None
        assert r.all("content-length") == (["0"] if status == 205 else [])
        assert c.get("/ok").status == 200


def test_head_gets_the_same_fields(gh):
    """RFC 9110 9.3.2: HEAD is GET without the content."""
    with gh.client() as c:
        for path in ("/text", "/page", "/forbidden", "/ok"):
            get, head = c.get(path), c.get(path, method="HEAD")
            assert head.status == get.status
            for name in ("content-length", "content-type"):
                assert head.get(name) == get.get(name)


def test_every_method_is_answered(gh):
    """CONFIG: respond answers what comes, content and all."""
    with gh.client() as c:
        for method in ("POST", "PUT", "DELETE", "PROPFIND"):
            r = c.get("/text", method=method)
            assert r.text == "hello; # world"
        c.send(b"POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
               b"abc")
        assert c.response().status == 200
        assert c.get("/ok").status == 200


def test_variables_of_the_request_stand_in_a_text(gh):
    """doc/reference: {name} is the request's, {{ a brace; nothing is escaped
    because the type is text/plain."""
    with gh.client() as c:
        r = c.get("/vars/%41?<script>", host="A.test:80")
        assert (r.status, r.text) == \
            (201, "GET A.test /vars/A <script> {x}")
        assert r.get("content-type").startswith("text/plain")


def test_a_file_is_read_anew_on_reload(gh):
    """CONFIG: HUP reads files again; until then the old content serves."""
    (gh.dir / "page.html").write_bytes(b"new")
    with gh.client() as c:
        assert c.get("/page").body == PAGE
    gh.reload()
    with gh.client() as c:
        assert c.get("/page").body == b"new"
    (gh.dir / "page.html").write_bytes(PAGE)
    gh.reload()


@pytest.mark.parametrize("value", [
    "199 x", "600", "99", "ok", "200x", "204 text", "205 text", "304 text",
    "200 file:/nonexistent/file", "200 {hots}", "200 {host",
])
def test_what_cannot_be_answered_is_refused(value):
    """RFC 9110 15: a final status, a readable file, known variables, no
    content where none may be."""
    r = run("-t", "-c", "/dev/stdin", stdin=f"[site a]\nrespond = {value}\n")
    assert r.returncode == 1
    assert ":2:" in r.stderr
