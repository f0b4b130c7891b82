"""A policy as a whole: who may go where, 200 requests against one daemon. Lists
are read in order, the first match decides, and what matches nothing is denied."""
import base64

from lib.procs import until

HASH = ("$5$rounds=1000$saltsalt$k0ylRWLHVlBxnL.QHEV.f8gDch7ScqF5//h.mx1WAa9")
PASSWORD = "pässword"
POLICY = """
private_networks = allow
auth = login
connect_ports = %d 443
deny = ads
deny = inside
deny = writing !boss
allow = open
deny = social !boss
allow = staff
allow = boss
deny = downloads
"""
MORE = """
[acl ads]
domain = .ads.test
[acl social]
domain = .social.test video.test
[acl open]
domain = www.open.test
[acl inside]
dst_ip = 127.0.0.9
[acl writing]
method = PUT DELETE
[acl staff]
ip = 127.0.0.2/31
[acl boss]
user = anna
[acl downloads]
url = ~ \\.exe(\\?|$)
[auth login]
scheme = basic
users = people
[users people]
file = {people}
"""
HOSTS = {"www.open.test": "127.0.0.1", "www.social.test": "127.0.0.1",
         "social.test": "127.0.0.1", "antisocial.test": "127.0.0.1",
         "video.test": "127.0.0.1", "x.video.test": "127.0.0.1",
         "a.ads.test": "127.0.0.1", "ads.test": "127.0.0.1",
         "inner.test": "127.0.0.9", "plain.test": "127.0.0.1"}
STAFF, OTHER = "127.0.0.3", "127.0.0.77"
ANNA, BEN, NOBODY = "anna", "ben", None


def verdict(host, source, user, method):
    """What the policy says, told a second time and in another way."""
    bare = host.rstrip(".").lower()

    def below(*names):
        return any(bare == n or bare.endswith("." + n) for n in names)

    if below("ads.test"):
        return 403
    if HOSTS[bare] == "127.0.0.9":
        return 403
    if method in ("PUT", "DELETE"):
        if user is None:
            return 407
        if user != ANNA:
            return 403
    if bare != "www.open.test":
        if below("social.test") or bare == "video.test":
            if user is None:
                return 407
            if user != ANNA:
                return 403
        if source != STAFF:
            if user is None:
                return 407
            if user != ANNA:
                return 403
    # `auth` asks everybody who was let on
    return 407 if user is None else 200


def cases():
    for host in HOSTS:
        for source in (STAFF, OTHER):
            for user in (NOBODY, ANNA, BEN):
                for method in ("GET", "CONNECT"):
                    yield host, source, user, method
    for host in ("www.open.test", "plain.test", "ads.test", "inner.test"):
        for source in (STAFF, OTHER):
            for user in (NOBODY, ANNA, BEN):
                for method in ("PUT", "DELETE"):
                    yield host, source, user, method
    # no spelling of a name is another one
    for host in ("ADS.TEST", "a.Ads.Test.", "Video.TEST.", "inner.test."):
        for source in (STAFF, OTHER):
            for user in (ANNA, BEN):
                for method in ("GET", "CONNECT"):
                    yield host, source, user, method


def test_every_request_meets_its_verdict(proxy, origin, tmp_path):
    people = tmp_path / "people"
    people.write_text(f"anna:{HASH}\nben:{HASH}\n")
    o = origin()
    p = proxy(POLICY % o.port, allow="", zone={
        host: [ip] for host, ip in HOSTS.items()},
        is_open=False, more=MORE, names={"people": people},
        listen="trusted_proxies = 127.0.0.1")
    n, met = 0, set()
    for host, source, user, method in cases():
        # the connection is from a proxy that tells who its client is
        fields = [f"X-Forwarded-For: {source}"]
        if user:
            pair = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
            fields.append(f"Proxy-Authorization: Basic {pair}")
        if method == "CONNECT":
            c, got = p.connect(f"{host}:{o.port}", *fields)
            c.close()
        else:
            got = p.get(f"http://{host}:{o.port}/x", *fields, method=method)
        want = verdict(host, source, user, method)
        assert got.status == want, (host, source, user, method)
        met.add(want)
        n += 1
    assert n >= 200 and met == {200, 403, 407}


def test_a_policy_may_be_tried_first(proxy, origin):
    """`log_only`: let on, and the log says what would have been."""
    o = origin()
    p = proxy("log_only = on", allow="deny = all", more="""
[log tried]
path = {dir}/tried.log
format = {status} {acl_result} {acl_rule}
buffer = none
""", listen="access_log = access tried")
    assert p.get(f"http://{o.address}/").status == 200
    tried = until((p.gh.dir / "tried.log").read_text, what="its line")
    assert tried == "200 log_only deny = all\n"


def test_without_a_word_nobody_may(proxy, origin):
    """A `[forward]` ends in deny all."""
    o = origin()
    p = proxy(allow="")
    assert p.get(f"http://{o.address}/").status == 403
    q = proxy(allow="deny = 10.0.0.0/8")
    c, got = q.connect(o.address)
    c.close()
    assert got.status == 403 and not o.conns
