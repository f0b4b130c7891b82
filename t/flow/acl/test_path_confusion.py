"""Issue 8: no spelling of a path walks past a `deny` of it. Each of the spellings
below is asked of one gatehouse in front of a real origin, which tells what
arrived: nothing that any server, however it reads its targets, takes for a path
under /admin."""
import json
import re
import urllib.parse

import pytest

from lib import h2
from lib.origin import ok

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
h2c = on
[site test]
hosts = *
upstream = app
deny = secret
[acl secret]
path = /admin
[upstream app]
server = {origin}
keepalive = 4
"""


def hexed(text, upper=False):
    form = "%%%02X" if upper else "%%%02x"
    return "".join(form % ord(c) for c in text)


def twice(text):
    return text.replace("%", "%25")


def thrice(text):
    return twice(twice(text))


def overlong(c, n):
    """The bytes of a character in n bytes, where one would do."""
    code = ord(c)
    tail = []
    for _ in range(n - 1):
        tail.insert(0, 0x80 | code & 0x3f)
        code >>= 6
    lead = {2: 0xc0, 3: 0xe0, 4: 0xf0}[n]
    return "".join(f"%{b:02x}" for b in [lead | code, *tail])


def spellings():
    """All of them, each a target."""
    found = ["/admin", "/admin/", "/admin/x", "/admin?x", "/admin/?/y",
             "/admin?/../..", "/admin/."]
    # escapes: each letter, all, either case of the digits
    for i in range(1, 6):
        for upper in (False, True):
            found.append("/" + "admin"[:i - 1] + hexed("admin"[i - 1], upper) +
                         "admin"[i:])
    found += ["/" + hexed("admin"), "/" + hexed("admin", True), "/a%64m%69n",
              hexed("/admin"), "/%61dmin/x", "/%61%64min//x"]
    # and twice, and thrice
    for form in ("/" + hexed("admin"), "/%61dmin", "/a%64min", "/admi%6e",
                 "/%61dmin/x", "/x%2f..%2fadmin", "/..%2fadmin", "/%2e/admin",
                 "/x/%2e%2e/admin", "/admin%2f", "/%2fadmin", "/x/..%5cadmin"):
        found += [twice(form), thrice(form)]
    found += ["/%2%361dmin", "/%%36%31dmin", "/%25%36%31dmin", "/%2561%2564min"]
    # dots
    for dots in ("..", ".%2e", "%2e.", "%2e%2e", "%2E%2E", "%2e%2E"):
        found += [f"/x/{dots}/admin", f"/x/y/{dots}/{dots}/admin",
                  f"/{dots}/admin", f"/x/{dots}/{dots}/admin",
                  f"/admin/x/{dots}", f"/x/{dots};/admin", f"/x/{dots};a=b/admin"]
    for dot in (".", "%2e", "%2E"):
        found += [f"/{dot}/admin", f"/{dot}/{dot}/admin", f"/admin/{dot}",
                  f"/{dot};x/admin", f"/x/../{dot}/admin"]
    # slashes
    found += ["//admin", "///admin", "/x//../admin", "/x/..//admin", "//admin//",
              "/./" + "/" * 5 + "admin", "//x/../admin", "/admin//x"]
    for slash in ("%2f", "%2F", "%5c", "%5C", "\\"):
        found += [f"{slash}admin", f"/{slash}admin", f"/admin{slash}x",
                  f"/x{slash}..{slash}admin", f"/x/..{slash}admin",
                  f"/x{slash}../admin", f"/.{slash}admin", f"/{slash}{slash}admin"]
    # parameters
    for p in (";", ";a", ";a=b", ";a=/", "%3b", "%3Ba=b"):
        found += [f"/admin{p}", f"/admin{p}/x", f"/;{p}/admin"]
    found += ["/;a=b/admin", "/.;/admin", "/x;a/../admin", "/;/;/admin",
              "/a;b/..;c/admin"]
    # NUL and other bytes that end or vanish
    for nul in ("%00", "%00x", "%00.txt", "%C0%80"):
        found += [f"/admin{nul}", f"/{nul}/../admin", f"/admin/{nul}"]
    # overlong UTF-8 of the letters, the dot, the slash
    for n in (2, 3, 4):
        found += [f"/{overlong('a', n)}dmin", f"/x/{overlong('.', n) * 2}/admin",
                  f"{overlong('/', n)}admin", f"/x/..{overlong('/', n)}admin",
                  f"/admin{overlong('/', n)}x", f"/x/..{overlong(chr(92), n)}admin"]
    found += ["/%u0061dmin", "/x/..%u2215admin", "/x/..%u002fadmin",
              "/%u002fadmin", "/x/%uff0e%uff0e/admin"]
    # malformed escapes
    found += ["/%6", "/admin%", "/admin%2", "/%admin", "/%zzadmin",
              "/x/..%/admin", "/x/%2e%2e%2/../admin"]
    # the target's other form
    for form in ("/admin", "//admin", "/%61dmin", "/x/../admin", "/x/%2e%2e/admin",
                 "/admin;x", "/x/..%2fadmin", "/%2561dmin"):
        found += [f"http://test{form}", f"HTTP://other.test:80{form}"]
    return list(dict.fromkeys(found))


def decode(path):
    """As a server that is told to take everything: bytes of all escapes, also of
    overlong characters, which become what they stand for."""
    path = re.sub(r"%u00([0-9a-fA-F]{2})", r"%\1", path)
    raw = urllib.parse.unquote_to_bytes(path)
    raw = re.sub(rb"[\xc0-\xf0][\x80-\xbf]{1,3}", lambda m: bytes([
        ((m[0][-2] & 0x3f) << 6 | m[0][-1] & 0x3f) & 0x7f]), raw)
    return raw.decode("latin-1")


def without_dots(path):
    out = []
    for part in path.split("/"):
        if part == "..":
            out = out[:-1]
        elif part not in ("", "."):
            out.append(part)
    return "/" + "/".join(out)


def readings(target):
    """What servers may take it for."""
    path = re.sub(r"^[a-zA-Z]+://[^/]*", "", target).split("?")[0]
    todo, seen = [(path, 0)], set()
    while todo:
        path, depth = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        if depth < 4:
            todo.append((decode(path), depth + 1))
        for other in (path.replace("\\", "/"), path.split("\0")[0],
                      re.sub(r";[^/]*", "", path), without_dots(path),
                      path.split("?")[0]):
            todo.append((other, depth))
    return seen


def is_secret(path):
    return path == "/admin" or path.startswith("/admin/")


def test_the_readings_find_what_servers_find():
    """The judge of the matrix is no blind one."""
    for target in ("/admin", "/x/..%2fadmin", "/%2561dmin", "/x/..;/admin",
                   "/%c1%a1dmin", "/admin%00.txt", "//x\\..\\admin"):
        assert any(map(is_secret, readings(target))), target
    for target in ("/", "/adm", "/administrator", "/x/admin", "/admin.txt"):
        assert not any(map(is_secret, readings(target))), target


def ask_by_1(gh, forms):
    """{target: status}."""
    codes = {}
    for form in forms:
        with gh.client() as c:
            codes[form] = c.send(f"GET {form} HTTP/1.1\r\nHost: test\r\n\r\n"
                                 .encode("latin-1")).response().status
    return codes


# what only a frame can carry
BY_2 = ["/ad min", "/admin x", "/x\t/../admin", "/admin\t", "/admin\xa0",
        "/\xe1dmin", "/adm\xc4\xb1n", "/admin#", "/#/../admin", "/admin\x00",
        "/\x00/../admin", "/admin\r\n", "admin", "*/admin", "", "/x\\..\\admin",
        "//test/admin", "/ad\x7fmin", "/admin\x0b"]


def ask_by_2(gh, forms):
    """The same as :path, many on one connection; a stream that is reset was not
    served."""
    codes = {}
    todo = [f for f in forms if not f.lower().startswith("http")] + BY_2
    for i in range(0, len(todo), 50):
        with h2.Conn(("127.0.0.1", gh.port)) as c:
            for form in todo[i:i + 50]:
                got = c.get(form.encode("latin-1"))
                codes[form] = int(got.status or 400)
    return codes


@pytest.mark.parametrize("way", [ask_by_1, ask_by_2])
@pytest.mark.parametrize("how", ["deny = secret", "[route test /admin]\ndeny = all"],
                         ids=["by an acl", "by a route"])
def test_no_spelling_reaches_the_protected_path(gatehouse, origin, how, way):
    o = origin(lambda conn, request: conn.send(ok(b"served")))
    gh = gatehouse(INI.replace("deny = secret", how), origin=o.address)
    forms = spellings()
    assert len(forms) >= 150
    codes = way(gh, forms)
    arrived = [r.target for r in o.requests]
    assert [t for t in arrived if any(map(is_secret, readings(t)))] == []
    # refused, or another path, and never an error of ours
    assert set(codes.values()) <= {200, 400, 403}
    assert sum(code == 403 for code in codes.values()) >= 150
    assert [f for f in codes if codes[f] == 200 and
            f not in arrived and not f.lower().startswith("http")] == []


WAF = r"""
SecRule REQUEST_URI_RAW "@rx ." \
    "id:1,phase:1,pass,log,msg:'seen',logdata:'%{REQUEST_URI_RAW}'"
SecRule REQUEST_FILENAME "@rx /admin(?![a-z.])" "id:2,phase:1,deny,status:406,log,\
    msg:'secret',t:none,t:urlDecodeUni,t:urlDecodeUni,t:urlDecodeUni,\
    t:removeNulls,t:normalisePathWin"
SecRule REQUEST_URI_RAW "@rx (?i)/admin(?![a-z.])" "id:3,phase:1,deny,status:406,\
    log,msg:'raw'"
"""
WAF_INI = INI.replace("deny = secret", """waf = w
[waf w]
rules = {rules}
audit_log = {dir}/audit.log
[log access]
path = {dir}/access.log
format = {status} {fault}
buffer = none""")


@pytest.mark.parametrize("way", [ask_by_1, ask_by_2])
def test_no_spelling_walks_past_a_rule_of_a_waf(gatehouse, origin, tmp_path, way):
    """Rules see each path as it came, and before path_policy refuses it: what is
    400 was told of. What they do not refuse, servers cannot read as /admin."""
    rules = tmp_path / "rules.conf"
    rules.write_text(WAF)
    o = origin(lambda conn, request: conn.send(ok(b"served")))
    gh = gatehouse(WAF_INI, origin=o.address, rules=rules)
    codes = way(gh, spellings())
    arrived = [r.target for r in o.requests]
    assert [t for t in arrived if any(map(is_secret, readings(t)))] == []
    assert set(codes.values()) <= {200, 400, 406}
    assert sum(code == 406 for code in codes.values()) >= 150
    # 400 by the policy, and by who could not read the message at all
    refused = (gh.dir / "access.log").read_text().count("400 path_ambiguous")
    told = [json.loads(line) for line in
            (gh.dir / "audit.log").read_text().splitlines()]
    judged = {t["uri"]: t for t in told}
    by_policy = [f for f in codes if codes[f] == 400 and f in judged]
    assert len(by_policy) == refused > 10
    assert all(judged[f]["messages"][0]["data"] == f for f in by_policy)
    assert set(arrived) <= set(judged)


POLICY = [
    # target, strict, what normalize sends
    ("/a%2fb", 400, "/a%2Fb"), ("/..;/x", 400, "/..;/x"),
    ("/a\\b", 400, "/a\\b"), ("/%zz", 400, "/%zz"), ("/x%00", 400, "/x%00"),
    ("/../x", 400, "/x"), ("/%c0%ae/x", 400, "/%C0%AE/x"),
    ("/a//b/./c/../%64?x=%2f", 200, "/a/b/d?x=%2f"), ("/a;b", 200, "/a;b"),
]


@pytest.mark.parametrize("policy", ["strict", "normalize"])
def test_path_policy(gatehouse, origin, policy):
    """strict: one reading, or 400, and no byte is touched; normalize: servers
    see what rules saw."""
    o = origin(lambda conn, request: conn.send(ok(b"served")))
    gh = gatehouse(INI.replace("deny = secret", "").replace(
        "workers = 1", f"workers = 1\npath_policy = {policy}"),
        origin=o.address)
    for target, status, normal in POLICY:
        with gh.client() as c:
            said = c.send(f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"
                          .encode()).response().status
        assert said == (status if policy == "strict" else 200), target
        if said == 200:
            assert o.requests[-1].target == \
                (target if policy == "strict" else normal)


@pytest.mark.parametrize("target", [
    "/", "/adm", "/administrator", "/x/admin", "/admin.txt", "/x;a/admin",
    "/100%25", "/caf%C3%A9", "/x?next=/admin", "/a%20b/c;v=1"])
def test_other_paths_are_served(shared, target):
    gh, o = shared
    with gh.client() as c:
        assert c.get(target).status == 200
    assert o.requests[-1].target == target


@pytest.fixture(scope="module")
def shared(shared_gatehouse, shared_origin):
    o = shared_origin(lambda conn, request: conn.send(ok(b"served")))
    return shared_gatehouse(INI, origin=o.address), o
