"""etc/examples/cdn: nginx as a CDN > edge > internal > an app of node, as they lie
there: what each layer knows and keeps, and what nobody outside hears."""
import pathlib
import shutil
import tempfile

import pytest

from lib import examples
from lib.gatehouse import free_port
from lib.procs import until
from lib.wire import Client

HOST = "shop.example.com"
NGINX = "/usr/sbin/nginx"
# each layer comes from an address of its own: the CDN and what is inside are told
# apart by it
CDN, INSIDE = "127.0.0.1", "127.0.0.3"
WORDS = ("gatehouse", "node", "express", "127.0.0.1", "10.0.2.7", "at new ",
         "app.js")


class World:
    """The folder, the four layers, and clients."""

    def __init__(self, folder):
        self.folder = examples.copy(folder, "cdn")
        self.made = []
        try:
            self._start(self.folder / "run")
        except BaseException:
            self.close()
            raise

    def _start(self, run):
        ports = {name: free_port() for name in
                 ("cdn", "edge", "internal", "app")}
        self.ports = ports
        env = {"EDGE_HTTPS": f"127.0.0.1:{ports['edge']}",
               "INTERNAL": f"127.0.0.1:{ports['internal']}",
               "INTERNAL_HTTP": f"127.0.0.1:{ports['internal']}",
               "EDGE_RUN": str(run), "INTERNAL_RUN": str(run),
               "CDN_NETWORKS": CDN, "INSIDE_NETWORKS": INSIDE,
               "EDGE_NETWORKS": "127.0.0.1",
               "APP": f"127.0.0.1:{ports['app']}"}
        (self.folder / "cdn-listen.conf").write_text(
            f"listen 127.0.0.1:{ports['cdn']} ssl;\n")
        (self.folder / "cdn-edge.conf").write_text(
            f"server 127.0.0.1:{ports['edge']};\n")
        self.app = self._keep(examples.Program(
            ["node", "app.js", str(ports["app"])], ports["app"], self.folder))
        self.cdn = self._keep(examples.Program(
            [NGINX, "-p", ".", "-e", "run/early", "-c", "nginx.conf", "-g",
             "daemon off;"], ports["cdn"], self.folder))
        self.internal = self._keep(
            examples.Example(self.folder / "internal.ini", env))
        self.edge = self._keep(examples.Example(self.folder / "edge.ini", env))
        self.app.wait()
        self.cdn.wait()
        self.tls = {name: examples.trust(self.folder / f"{pem}.pem")
                    for name, pem in (("cdn", "tls"), ("edge", "edge"))}

    def _keep(self, thing):
        self.made.append(thing)
        return thing

    def ask(self, path, *lines, at="127.0.0.50", method="GET", to="cdn"):
        with Client(("127.0.0.1", self.ports[to]), tls=self.tls[to], name=HOST,
                    source=at) as c:
            return c.get(path, host=HOST, method=method, extra="".join(
                f"{line}\r\n" for line in lines).encode())

    def logs(self):
        """{layer: text} of the logs of both gatehouses."""
        return {name: (self.folder / f"run/{name}.log").read_text()
                for name in ("edge", "internal")}

    def close(self):
        for thing in reversed(self.made):
            thing.close()


@pytest.fixture(scope="module")
def world():
    if not (shutil.which("node") and pathlib.Path(NGINX).exists()):
        pytest.skip("nginx or node is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        w = World(folder)
        try:
            yield w
        finally:
            w.close()


def check_discreet(answer):
    """No layer's address, software or error text."""
    text = repr(answer.fields).lower() + answer.text.lower()
    assert not [word for word in WORDS if word in text], text
    for field in ("via", "x-powered-by", "cdn-cache-control", "cache-tag",
                  "x-accel-expires", "cache-status"):
        assert answer.get(field) is None, field
    assert answer.get("server") == "shop"


def test_the_document_shows_what_happens(world):
    examples.check_shown(world.folder, "A CDN before two gatehouses", {})


def test_every_layer_knows_the_client(world):
    """Address, scheme, host and request id come from the first layer that is ours,
    and nothing that the client says of itself."""
    answer = world.ask("/me", "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6",
                       "Forwarded: for=6.6.6.6;proto=http", "X-Request-Id: mine",
                       "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example")
    assert answer.status == 200
    told = examples.told(answer)
    assert "6.6.6.6" not in answer.text and "evil" not in answer.text
    assert told["x-forwarded-for"] == "127.0.0.50, 127.0.0.1, 127.0.0.1"
    assert told["x-real-ip"] == "127.0.0.50"
    assert told["x-forwarded-proto"] == "https"
    assert (told["host"], told["x-forwarded-host"]) == (HOST, HOST)
    assert told["x-request-id"] == answer.get("x-request-id") != "mine"
    found = until(lambda: all(told["x-request-id"] in text
                              for text in world.logs().values())
                  and world.logs())
    for text in found.values():
        line = next(one for one in text.splitlines()
                    if told["x-request-id"] in one)
        assert '"127.0.0.50"' in line
    answer.body = b""  # what the app was asked
    check_discreet(answer)
    assert answer.get("set-cookie") == \
        "basket=1; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert answer.get("cache-control") == "private, no-store"
    assert answer.get("strict-transport-security") == "max-age=31536000"


def test_what_the_app_lets_caches_keep_is_kept_and_purged(world):
    """CDN-Cache-Control decides at the edge, Cache-Control in browsers; Age tells
    how old it is; a purge from inside holds behind the CDN's one second."""
    first = world.ask("/")
    check_discreet(first)
    assert first.text.startswith("front page ")
    assert first.get("cache-control") == "max-age=0, must-revalidate"
    second = world.ask("/", "Cookie: a=b", at="127.0.0.51")
    assert second.text == first.text
    assert second.get("x-request-id") != first.get("x-request-id")
    until(lambda: int(world.ask("/").get("age", 0)) >= 1)
    assert world.ask("/").text == first.text
    # from outside nobody purges, neither here nor there
    assert world.ask("/", method="PURGE").status == 403
    assert world.ask("/", method="PURGE", to="edge").status == 403
    assert world.ask("/", "Cache-Tag: front", method="PURGE", to="edge",
                     at=INSIDE).status == 200
    until(lambda: world.ask("/").text != first.text)
    again = world.ask("/").text
    assert world.edge.run("purge", f"https://{HOST}/").returncode == 0
    until(lambda: world.ask("/").text != again)


def test_nobody_goes_around_the_cdn(world):
    """The edge and the internal gatehouse answer who they are meant for."""
    assert world.ask("/", to="edge").status == 403
    with Client(("127.0.0.1", world.ports["internal"]),
                source="127.0.0.50") as c:
        assert c.get("/", host=HOST).status == 403


def test_errors_tell_nothing(world):
    """Stack traces, inner addresses in Location: not past the layer that knows
    them."""
    boom = world.ask("/boom")
    assert boom.status == 500 and "try again" in boom.text
    check_discreet(boom)
    old = world.ask("/old")
    assert (old.status, old.get("location")) == (302, f"https://{HOST}/")
    check_discreet(old)
    check_discreet(world.ask("/nowhere"))


def test_limits_are_of_clients(world):
    """Each layer counts the client that the CDN saw, not who is before it."""
    codes = [world.ask("/login", method="POST", at="127.0.0.60").status
             for _ in range(5)]
    assert codes == [200] * 3 + [429] * 2
    assert world.ask("/login/", method="POST", at="127.0.0.60").status == 429
    assert world.ask("/login", method="POST", at="127.0.0.61").status == 200
    seen = []
    until(lambda: seen.append(world.ask("/nowhere", at="127.0.0.62")) or
          seen[-1].status == 429)
    assert "ratelimit" in repr(seen[-1].fields).lower()
    check_discreet(seen[-1])
    assert world.ask("/nowhere", at="127.0.0.63").status == 404


def test_without_the_app_what_is_kept_is_served(world):
    """stale_if_error at the edge; what is not kept is a page of ours."""
    shown = world.ask("/").text
    world.app.close()
    try:
        answer = world.ask("/me")
        assert answer.status in (502, 503) and "try again" in answer.text
        check_discreet(answer)
        assert world.edge.run("purge", "--soft", f"https://{HOST}/") \
            .returncode == 0
        assert world.ask("/", to="edge", at=INSIDE).text == shown
    finally:
        world.app.start()
        world.app.wait()
    until(lambda: world.ask("/me").status == 200)
