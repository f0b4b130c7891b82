"""Programs that fetch what people install and look at, through one proxy: plain
requests (RFC 9112 3.2.2), tunnels (RFC 9110 9.3.6), and by TLS to the proxy."""
import base64
import hashlib
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import tarfile

import pytest

from lib.certs import Authority, openssl, spki
from lib.dns import Dns
from lib.gatehouse import TOP, run as gatehouse_run
from lib.grpc import MODULES
from lib.origin import ok
from lib.procs import until
from lib.tls_origin import TlsOrigin

LIMIT_S = 120
HOSTS = ("curl.test", "git.test", "npm.test", "apt.test", "page.test", "ws.test")
BROWSERS = ("chromium-headless-shell", "chromium")
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
LISTEN = "\n[listen %s]\naddress = 127.0.0.1:{port%s}\nmode = forward\n"
INI = """
[global]
workers = 1
dns_servers = {dns}
[log access]
path = {dir}/access.log
format = {status} {fault} {method} {authority} {protocol} {user}
buffer = none
""" + LISTEN % ("plain", "") + "policy = main" + LISTEN % ("tls", "1") + """
policy = main
tls = on
certificate = {pem}
certificate_key = {key}
""" + LISTEN % ("known", "2") + """
policy = known
[forward main]
private_networks = allow
connect_ports = 1-65535
block_page = {page}
deny = adverts
allow = all
[forward known]
private_networks = allow
connect_ports = 1-65535
auth = login
allow = all
[acl adverts]
category = ads
category_db = {db}
[users staff]
file = {users}
[auth login]
scheme = basic
users = staff
realm = Test
"""
PAGE = """<!doctype html><title>blocked</title>
<p id="why">{fault}</p><p id="rule">{acl_rule}</p><p id="kind">{category}</p>
"""
DEB = """Package: leaf
Version: 1
Architecture: all
Maintainer: A <a@a.test>
Description: a leaf
"""


def run(*args, env=None, cwd=None):
    """What it prints, when it ends well; no setting of this machine counts."""
    done = subprocess.run(
        [str(a) for a in args], capture_output=True, timeout=LIMIT_S, cwd=cwd,
        check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C",
                          **(env or {})})
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    return done.stdout


def program(*names):
    for name in names:
        if path := shutil.which(name):
            return path
    return pytest.skip(f"no {names[0]} here")


class World:
    """The proxy, and the same files behind HTTP and HTTPS, by each of HOSTS."""

    def __init__(self, gh, plain, tls, ca, files):
        self.gh, self.ca, self.files = gh, ca, files
        self.ports = {"http": plain.port, "https": tls.port}
        self.proxy = f"http://127.0.0.1:{gh.port}"
        self.tls_proxy = f"https://localhost:{gh.ports[1]}"
        self.known_proxy = f"127.0.0.1:{gh.ports[2]}"

    def url(self, scheme, host):
        return f"{scheme}://{host}:{self.ports[scheme]}"

    def lines(self, scheme, host, n=1):
        """Fields of n lines of the log about it; a tunnel has its own when it
        is over, which may be while the next test runs."""
        path = self.gh.dir / "access.log"
        name = f"{host}:{self.ports[scheme]}"

        def found():
            lines = map(str.split, path.read_text().splitlines())
            got = [line for line in lines if line[3:4] == [name]]
            return len(got) >= n and got

        return until(found, what=f"{n} lines of {name}")


def prepare(folder):
    """Files that the proxy is configured with."""
    folder.chmod(0o755)
    (folder / "ads.txt").write_text("ads.test\n")
    done = gatehouse_run("categories", "build", folder / "db",
                         folder / "ads.txt")
    assert done.returncode == 0, done.stderr
    (folder / "page.html").write_text(PAGE)
    secret = openssl("passwd", "-6", "pass").strip()
    (folder / "users").write_text(f"anna:{secret}\n")
    return {"db": folder / "db", "page": folder / "page.html",
            "users": folder / "users"}


@pytest.fixture(scope="module")
def world(shared_gatehouse, shared_origin, tmp_path_factory):
    files = {}

    def serve(conn, request):
        path = request.target.split("?")[0]
        conn.send(ok(files[path]) if path in files else MISSING)

    ca = Authority()
    pem, leaf = ca.make("p", "localhost"), ca.make("a", *HOSTS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf, leaf.with_suffix(".key"))
    tls = TlsOrigin(context, serve)
    dns = Dns({host: ["127.0.0.1"] for host in HOSTS})
    gh = shared_gatehouse(INI, ports=3, dns=dns.address, pem=pem,
                          key=pem.with_suffix(".key"),
                          **prepare(tmp_path_factory.mktemp("conf")))
    yield World(gh, shared_origin(serve), tls, ca, files)
    tls.close()
    dns.close()


WAYS = pytest.mark.parametrize("scheme, method",
                               [("http", "GET"), ("https", "CONNECT")])


def test_curl_says_who_it_is(world):
    """Proxy-Authorization, asked for (407) or sent at once."""
    world.files["/x"] = b"known"
    url = world.url("http", "curl.test")
    curl = ("curl", "-sS", "-x", world.known_proxy, f"{url}/x")
    assert run(*curl, "-U", "anna:pass") == b"known"
    assert run(*curl, "-U", "anna:pass", "--proxy-anyauth") == b"known"
    status = run(*curl, "-o", "/dev/null", "-w", "%{http_code}")
    assert status == b"407"
    told = [(line[0], line[-1]) for line in
            world.lines("http", "curl.test", 4)]
    assert told == [("200", "anna"), ("407", "-"), ("200", "anna"),
                    ("407", "-")]


@WAYS
def test_git_clones(world, scheme, method, tmp_path):
    """By the dumb protocol: files, some of them missing."""
    who = {f"GIT_{role}_{what}": "a@a.test" for role in ("AUTHOR", "COMMITTER")
           for what in ("NAME", "EMAIL")}
    env = {**who, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    work, bare = tmp_path / "work", tmp_path / "bare.git"
    work.mkdir()
    (work / "file").write_text("content\n")
    for args in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "x"],
                 ["clone", "-q", "--bare", ".", bare]):
        run("git", "-C", work, *args, env=env)
    run("git", "-C", bare, "update-server-info", env=env)
    world.files.update({f"/{path.relative_to(tmp_path)}": path.read_bytes()
                        for path in bare.rglob("*") if path.is_file()})
    run("git", "-c", f"http.proxy={world.proxy}", "-c",
        f"http.sslCAInfo={world.ca.pem}", "clone", "-q",
        world.url(scheme, "git.test") + "/bare.git", tmp_path / "copy",
        env=env)
    assert (tmp_path / "copy" / "file").read_text() == "content\n"
    for line in world.lines(scheme, "git.test"):
        assert line[1:3] == ["-", method]


def packed():
    """A package of npm, as its registry has it."""
    out, text = io.BytesIO(), b'{"name": "leaf", "version": "1.0.0"}'
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("package/package.json")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return out.getvalue()


@pytest.mark.heavy
@WAYS
def test_npm_installs(world, scheme, method, tmp_path):
    npm, tgz, base = program("npm"), packed(), world.url(scheme, "npm.test")
    digest = base64.b64encode(hashlib.sha512(tgz).digest()).decode()
    dist = {"tarball": f"{base}/leaf.tgz", "integrity": f"sha512-{digest}"}
    world.files["/leaf.tgz"] = tgz
    world.files["/leaf"] = json.dumps({
        "name": "leaf", "dist-tags": {"latest": "1.0.0"}, "versions": {
            "1.0.0": {"name": "leaf", "version": "1.0.0", "dist": dist}},
    }).encode()
    run(npm, "install", "leaf", f"--prefix={tmp_path}", "--ignore-scripts",
        "--no-audit", "--no-fund", "--fetch-retries=0",
        "--no-update-notifier", f"--registry={base}",
        f"--cafile={world.ca.pem}", f"--proxy={world.proxy}",
        f"--https-proxy={world.proxy}", f"--cache={tmp_path}/cache",
        env={"HOME": str(tmp_path)}, cwd=tmp_path)
    found = tmp_path / "node_modules/leaf/package.json"
    assert json.loads(found.read_text())["version"] == "1.0.0"
    for line in world.lines(scheme, "npm.test"):
        assert line[:3] == ["200", "-", method]


def debian_repository(folder):
    """{path: bytes} of one with one package, which it says all about."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(DEB)
    deb = folder / "leaf.deb"
    run("dpkg-deb", "--root-owner-group", "-b", tree, deb)
    data = deb.read_bytes()
    said = (f"{DEB}Filename: ./leaf.deb\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n\n")
    return {"/debian/./leaf.deb": data, "/debian/leaf.deb": data,
            "/debian/./Packages": said.encode(),
            "/debian/Packages": said.encode()}


@WAYS
def test_apt_downloads(world, scheme, method, tmp_path):
    """By folders of its own: nothing of the system's is read or changed."""
    program("dpkg-deb")
    world.files.update(debian_repository(tmp_path))
    for name in ("state/lists/partial", "cache/archives/partial", "etc/parts",
                 "got"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "status").write_text("")
    (tmp_path / "etc/sources.list").write_text(
        f"deb [trusted=yes] {world.url(scheme, 'apt.test')}/debian ./\n")
    conf = tmp_path / "apt.conf"
    conf.write_text("".join(f'{key} "{value}";\n' for key, value in {
        "Dir::State": tmp_path / "state", "Dir::Cache": tmp_path / "cache",
        "Dir::Etc": tmp_path / "etc", "Dir::Log": tmp_path,
        "Dir::State::status": tmp_path / "status",
        "Dir::Etc::parts": tmp_path / "etc/parts",
        "APT::Sandbox::User": "", "Acquire::Languages": "none",
        "Acquire::Retries": 0, "Acquire::https::CAInfo": world.ca.pem,
        "Acquire::http::Proxy": world.proxy,
        "Acquire::https::Proxy": world.proxy}.items()))
    apt = (program("apt-get"), "-q")
    env = {"APT_CONFIG": str(conf), "HOME": str(tmp_path)}
    run(*apt, "update", env=env)
    run(*apt, "download", "leaf", env=env, cwd=tmp_path / "got")
    got, = (tmp_path / "got").iterdir()
    assert got.read_bytes() == world.files["/debian/leaf.deb"]
    for line in world.lines(scheme, "apt.test"):
        assert line[1:3] == ["-", method]


def browse(world, proxy, url, profile):
    """The document that a browser makes of it."""
    keys = ",".join(spki(world.ca.dir / f"{n}.pem") for n in ("a", "p"))
    return run(program(*BROWSERS), "--headless", "--no-sandbox",
               "--disable-gpu", "--disable-dev-shm-usage",
               "--disable-background-networking", f"--proxy-server={proxy}",
               f"--user-data-dir={profile}", "--timeout=60000",
               f"--ignore-certificate-errors-spki-list={keys}",
               "--dump-dom", url, env={"HOME": str(profile)}).decode()


NODE_ENV = {"NODE_PATH": "/usr/share/nodejs"}


@pytest.fixture
def ws_port():
    """The port of a server of the `ws` package."""
    server = subprocess.Popen(
        [program("node"), TOP / "t/lib/ws_server.js", "plain"], text=True,
        env={**os.environ, **NODE_ENV}, stdout=subprocess.PIPE)
    yield int(server.stdout.readline())
    server.kill()
    server.communicate()


def undici(world, proxy, who, *urls):
    if not (MODULES / "undici").is_dir():
        pytest.skip("no packages of npm here: ./bootstrap deps")
    said = run(program("node"), TOP / "t/lib/undici_client.js", proxy, who,
               world.ca.pem, *urls, env={"NODE_PATH": str(MODULES)})
    return [json.loads(line) for line in said.splitlines()]


def test_undici_makes_tunnels(world, ws_port):
    """Its ProxyAgent asks for a tunnel whatever the scheme; a WebSocket goes
    through one, too. In the clear, saying who it is, and by TLS."""
    world.ports["ws"] = ws_port
    world.files["/u"] = b"undici"
    plain, tls = (world.url(s, "page.test") for s in ("http", "https"))
    urls = (f"{plain}/u", f"{tls}/u", f"ws://ws.test:{ws_port}/chat")
    want = [[200, "undici"], [200, "undici"], [4001, "hello"]]
    known = f"http://{world.known_proxy}"
    assert undici(world, known, "anna:pass", *urls) == want
    denied, *others = undici(world, world.tls_proxy, "", "http://ads.test/",
                             *urls)
    assert denied[0] == "failed" and "403" in denied[1]
    assert others == want
    lines = world.lines("ws", "ws.test", 2)
    assert sorted((line[0], line[2], line[-1]) for line in lines) == [
        ("200", "CONNECT", "-"), ("200", "CONNECT", "anna")]


@pytest.mark.heavy
def test_a_browser_sees_pages_and_why_not(world, tmp_path):
    """By HTTP/1 in the clear, and by HTTP/2 to a proxy of TLS; the page in
    place of what is denied tells the reason, the rule and the category."""
    world.files["/page"] = b"<!doctype html><title>seen</title>"
    for proxy, protocol, scheme in ((world.proxy, "HTTP/1.1", "http"),
                                    (world.tls_proxy, "HTTP/2", "https")):
        url = world.url(scheme, "page.test")
        dom = browse(world, proxy, f"{url}/page", tmp_path / scheme)
        assert "<title>seen</title>" in dom, dom
        # the tunnels of other tests have lines, too
        until(lambda: any(
            line[0] == "200" and line[4].startswith(protocol)
            for line in world.lines(scheme, "page.test")), what=protocol)
    dom = browse(world, world.proxy, "http://ads.test/", tmp_path / "blocked")
    said = dict(re.findall(r'<p id="(\w+)">([^<]*)</p>', dom))
    assert said == {"why": "access_denied", "rule": "deny = adverts",
                    "kind": "ads"}, dom
