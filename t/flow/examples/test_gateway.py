"""etc/examples/gateway: an API gateway before three services, as it lies there."""
import hashlib
import json
import subprocess

import pytest

from lib import examples
from lib.gatehouse import free_port
from lib.procs import until
from lib.wire import WAIT_S, Client

HOST = "api.example.com"
SERVICES = {"AUTH": "auth", "ORDERS_1": "orders", "ORDERS_2": "orders",
            "ORDERS_NEXT": "orders-next", "PAYMENTS": "payments"}
LUCKY = "user11"  # among the first tenth


class World:
    """The folder, the gateway, its services, and clients of it."""

    def __init__(self, folder):
        self.folder = examples.copy(folder, "gateway")
        self.keys = {"acme": (self.folder / "acme.key").read_text().strip()}
        self.tokens, self.services, self.gh = {}, {}, None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        for variable, name in SERVICES.items():
            self.services[variable] = examples.service(name, free_port())
        self.http, self.https = free_port(), free_port()
        self.env = {"GATEWAY_HTTP": f"127.0.0.1:{self.http}",
                    "GATEWAY_HTTPS": f"127.0.0.1:{self.https}",
                    "GATEWAY_RUN": str(self.folder / "run"),
                    **{k: s.address for k, s in self.services.items()}}
        for one in self.services.values():
            one.wait()
        self.tls = examples.trust(self.folder / "tls.pem")
        self.gh = examples.Example(self.folder / "gateway.ini", self.env)

    def token(self, *words):
        if words not in self.tokens:
            done = subprocess.run([self.folder / "token", *words], text=True,
                                  stdout=subprocess.PIPE, check=True,
                                  timeout=WAIT_S)
            self.tokens[words] = done.stdout.strip()
        return self.tokens[words]

    def client(self, at):
        return Client(("127.0.0.1", self.https), tls=self.tls, name=HOST,
                      source=f"127.0.0.{at}")

    def ask(self, path, *lines, at=2, method="GET", token=None, host=HOST):
        """The answer, on a connection of its own from 127.0.0.`at`."""
        if token:
            lines += (f"Authorization: Bearer {token}",)
        with self.client(at) as c:
            return c.get(path, host=host, method=method, extra="".join(
                f"{line}\r\n" for line in lines).encode())

    def close(self):
        if self.gh:
            self.gh.close()
        for one in self.services.values():
            one.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("gateway"))
    yield w
    w.close()


def check_problem(answer, status):
    """The one form of all that goes wrong, and nothing of the inside."""
    assert answer.status == status, answer.text
    told = json.loads(answer.text)
    assert (told["status"], told["instance"]) == \
        (status, answer.get("x-request-id"))
    assert answer.get("content-type") == "application/json"
    check_discreet(answer)


def check_discreet(answer):
    head = answer.raw_head + answer.body + repr(answer.fields).encode()
    for word in (b"gatehouse", b"Python", b"BaseHTTP", b"127.0.0.1", b"10.0.2.7",
                 b"Traceback", b"'Via'", b"'via'"):
        assert word not in head, word


def test_the_document_shows_what_happens(world):
    """Every line of `explain` in doc/examples.md is printed."""
    examples.check_shown(world.folder, "An API gateway", {})


def test_the_front_door(world):
    """Plain HTTP leads to TLS; the gateway has a health of its own; what is not
    there is told like everything."""
    with Client(("127.0.0.1", world.http)) as c:
        answer = c.get("/orders/1", host=HOST)
    assert (answer.status, answer.get("location")) == \
        (301, f"https://{HOST}/orders/1")
    assert world.ask("/healthz").text == "ok"
    for path in ("/", "/nowhere", "/auth/verify", "/auth/verify/",
                 "/auth/verify/x", "/auth//verify?x"):
        assert world.ask(path).status == 404, path
    assert world.ask("/orders%2fadmin").status == 403
    check_problem(world.ask("/nowhere"), 404)
    assert world.ask("/", host="other.example").status == 421


def test_browsers_are_protected_and_allowed(world):
    """security_headers, hsts and cors, on errors too."""
    answer = world.ask("/nowhere", "Origin: https://shop.example.com")
    assert answer.get("x-content-type-options") == "nosniff"
    assert answer.get("x-frame-options") == "DENY"
    assert answer.get("strict-transport-security") == "max-age=31536000"
    assert answer.get("access-control-allow-origin") == "https://shop.example.com"
    answer = world.ask("/orders/1", "Origin: https://shop.example.com",
                       "Access-Control-Request-Method: DELETE", method="OPTIONS")
    assert answer.status == 204
    assert "DELETE" in answer.get("access-control-allow-methods")
    answer = world.ask("/healthz", "Origin: https://evil.example")
    assert answer.get("access-control-allow-origin") is None


def test_orders_take_tokens(world):
    """Verified in the gateway; the service hears who it is, and no token."""
    check_problem(world.ask("/orders/1"), 401)
    check_problem(world.ask("/orders/1", token=world.token("anna", "other")), 401)
    forged = world.token("anna").rsplit(".", 1)[0] + "." + "A" * 86
    check_problem(world.ask("/orders/1", token=forged), 401)
    answer = world.ask("/orders/1", "X-User: root", "X-Forwarded-For: 6.6.6.6",
                       token=world.token("anna"))
    assert answer.status == 200
    told = examples.told(answer)
    assert (told["service"], told["path"]) == ("orders", "/orders/1")
    fields = told["fields"]
    assert fields["x-user"] == "anna" and "authorization" not in fields
    assert fields["x-forwarded-for"] == "127.0.0.2"
    assert fields["x-forwarded-proto"] == "https"
    assert fields["x-request-id"] == answer.get("x-request-id")
    check_problem(world.ask("/orders/admin/x", token=world.token("anna")), 403)
    staff = world.token("eva", "orders", "staff")
    assert world.ask("/orders/admin/x", token=staff).status == 200


def test_no_spelling_and_no_key_reaches_what_staff_may(world):
    """allow = staff of /orders/admin, by a token of somebody else, and by the
    other way to the same service."""
    anna = world.token("anna")
    for path in ("/orders/admin", "/orders//admin/x", "/orders/x/../admin/x",
                 "/orders/%61dmin/x", "/orders/admin;a/x", "/orders/x;/../admin",
                 "/orders/%2e/admin/x", "/orders/..%2forders/admin",
                 "/orders/%2561dmin/x", "/orders\\admin"):
        assert world.ask(path, token=anna).status in (400, 403), path
    key = f"X-Api-Key: {world.keys['acme']}"
    for path in ("/partner/orders/admin", "/partner/orders/admin/x",
                 "/partner/orders/./admin/x", "/partner/orders/%61dmin/x",
                 "/partner/orders/admin;a/x"):
        assert world.ask(path, key, at=9).status in (400, 403, 404), path


def test_the_next_version_has_users_of_its_own(world):
    """split by={user}: some meet it, each the same every time."""
    def service(user):
        return examples.told(world.ask("/orders/1", token=world.token(user),
                                       at=3))["service"]
    # who it is does not depend on the machine
    assert {service(LUCKY) for _ in range(5)} == {"orders-next"}
    assert {service("anna") for _ in range(5)} == {"orders"}


def test_payments_ask_the_auth_service_each_time(world):
    """A token that was called back ends there at once."""
    token = world.token("ben")
    answer = world.ask("/payments/1", token=token)
    fields = examples.told(answer)["fields"]
    assert fields["x-user"] == "anna"  # as the auth service says
    assert "authorization" not in fields
    with Client(("127.0.0.1", world.services["AUTH"].port)) as c:
        c.send(b"POST /revoke HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b"
               % (len(token), token.encode()))
        assert c.response().status == 200
    answer = world.ask("/payments/1", token=token)
    check_problem(answer, 401)
    assert answer.get("www-authenticate") == 'Bearer realm="payments"'


def test_passwords_are_not_guessed_here(world):
    """The route of sign-in has a limit that counts addresses, the rest goes on."""
    codes = [world.ask("/auth/sign-in", at=4, method="POST").status
             for _ in range(7)]
    assert codes == [200] * 5 + [429] * 2
    answer = world.ask("/auth/sign-in", at=4)
    check_problem(answer, 429)
    assert int(answer.get("retry-after")) > 0
    assert examples.told(world.ask("/auth/me", at=4))["path"] == "/me"
    # no other spelling has guesses of its own
    for path in ("/auth/sign-in/", "/auth//sign-in", "/auth/sign%2din?x"):
        assert world.ask(path, at=4, method="POST").status == 429, path
    assert world.ask("/auth/sign-in", at=5).status == 200


def test_users_are_held_to_a_rate_and_the_gateways_health_is_not(world):
    """peruser, from wherever; /healthz has no limit and no line of the log."""
    bearer = f"Authorization: Bearer {world.token('cleo')}\r\n".encode()
    seen = []
    with world.client(20) as a, world.client(21) as b:
        until(lambda: seen.append((a, b)[len(seen) % 2].get(
            "/orders/1", host=HOST, extra=bearer)) or seen[-1].status == 429)
    assert seen[-1].get("ratelimit-policy") == '"peruser";q=20;w=2'
    with world.client(30) as c:
        for _ in range(120):
            assert c.get("/healthz", host=HOST).status == 200
        assert c.get("/nowhere", host=HOST).status == 404
    log = world.folder / "run" / "access.log"
    until(lambda: '"127.0.0.30"' in log.read_text())
    assert "/healthz" not in log.read_text()


def test_who_guesses_keys_is_not_heard(world):
    """ban = 10m after=30 in=1m, of tokens and keys."""
    with world.client(40) as c:
        codes = []
        until(lambda: codes.append(c.get(
            "/partner/orders/1", host=HOST, extra=b"X-Api-Key: %d\r\n"
            % len(codes)).status) or len(codes) == 30)
        assert set(codes) == {401}
    banned = world.gh.run("ban", "list").stdout
    assert "127.0.0.40" in banned and "127.0.0.6" not in banned


def test_a_key_has_one_budget_wherever_it_is_used(world):
    """rate_limit by the partner, from two addresses; another partner has its
    own."""
    with open(world.folder / "partners.keys", "a", encoding="utf-8") as f:
        f.write(f"globex:{hashlib.sha256(b'globex').hexdigest()}\n")
    world.gh.reload()
    key = f"X-Api-Key: {world.keys['acme']}"
    told = examples.told(world.ask("/partner/orders/1", key, at=6))
    assert told["path"] == "/orders/1"
    assert told["fields"]["x-user"] == "partner:acme"
    assert "x-api-key" not in told["fields"]
    seen = []
    until(lambda: seen.append(world.ask("/partner/orders/1", key,
                                        at=6 + len(seen) % 2)) or
          seen[-1].status == 429)
    check_problem(seen[-1], 429)
    assert seen[-1].get("ratelimit-policy") == '"perkey";q=10;w=1'
    assert world.ask("/partner/orders/1", "X-Api-Key: globex",
                     at=6).status == 200
    check_problem(world.ask("/partner/orders/1", "X-Api-Key: guess", at=6), 401)


def test_the_inside_is_not_told(world):
    """What a service says of itself when it breaks stays with it."""
    check_problem(world.ask("/auth/boom"), 500)
    answer = world.ask("/auth/me")
    answer.body = b""  # what the service was asked
    check_discreet(answer)


def test_one_service_down_is_clear_and_the_others_serve(world):
    """502 or 503 at once, in the same form; `status` tells; it comes back by
    itself."""
    def pay():
        return world.ask("/payments/1", token=world.token("anna"), at=8)

    payments = world.services["PAYMENTS"]
    assert pay().status == 200
    payments.close()
    try:
        answer = pay()
        check_problem(answer, answer.status)
        assert answer.status in (502, 503)
        assert world.ask("/orders/1", token=world.token("anna"),
                         at=8).status == 200
        until(lambda: "down" in world.gh.run("status").stdout)
        check_problem(pay(), 503)
    finally:
        payments.start()
        payments.wait()
    until(lambda: pay().status == 200)
