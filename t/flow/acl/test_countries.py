"""`country` and `asn` of an [acl] by the databases of `mmdb` (doc/acl.md)."""
import pytest

from lib.gatehouse import run
from lib.mmdb import database
from lib.procs import until

COUNTRIES = {
    "192.0.2.0/24": {"country": {"iso_code": "DE"}},
    "198.51.100.0/25": {"country": {"iso_code": "FR"}},
    "203.0.113.0/24": {"country": {"iso_code": 7}},
    "2001:db8::/33": {"country": {"iso_code": "AT"}},
    "2001:db8:8000::/33": {"continent": {"code": "EU"}},
}
NETWORKS = {
    "192.0.2.0/25": {"autonomous_system_number": 64500},
    "192.0.2.128/25": {"autonomous_system_number": 4200000000},
    "198.51.100.0/24": {"country": {"iso_code": "CH"},
                        "autonomous_system_number": 64501},
}
INI = """
[global]
workers = 1
mmdb = {dbs}/country.mmdb {dbs}/asn.mmdb
[log access]
path = {dir}/access.log
format = {status} {country} {asn} {client_ip}
buffer = none
[listen x]
address = 127.0.0.1:{port}
trusted_proxies = 127.0.0.1
[site test]
hosts = *
respond = 200
deny = west
deny = spam
[rule test near]
match = country = DE
response_header = X-Near: {country} {asn}
[acl west]
country = FR CH
[acl spam]
asn = 4200000000 64511
"""


@pytest.fixture(scope="module")
def dbs(tmp_path_factory):
    if "option maxminddb absent" in run("-V").stdout:
        pytest.skip("a build without libmaxminddb")
    folder = tmp_path_factory.mktemp("mmdb")
    (folder / "country.mmdb").write_bytes(database(COUNTRIES))
    (folder / "asn.mmdb").write_bytes(database(NETWORKS, "Test-ASN"))
    return folder


@pytest.fixture(scope="module")
def gh(shared_gatehouse, dbs):
    return shared_gatehouse(INI, dbs=dbs)


def ask(gh, client):
    log = gh.dir / "access.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    with gh.client() as c:
        r = c.get("/", extra=f"X-Forwarded-For: {client}\r\n".encode())
    line = until(lambda: log.read_text().splitlines()[before:],
                 what="a line")[0]
    return r, line.rsplit(" ", 1)[0]


@pytest.mark.parametrize("client, said", [
    ("192.0.2.1", "200 DE 64500"),
    ("192.0.2.129", "403 DE 4200000000"),
    ("198.51.100.1", "403 FR 64501"),
    # the first that tells it
    ("198.51.100.129", "403 CH 64501"),
    ("2001:db8::1", "200 AT -"),
    ("2001:db8:8000::1", "200 - -"),
    ("203.0.113.1", "200 - -"),
    ("10.0.0.1", "200 - -"),
])
def test_a_client_is_judged_by_where_it_is(gh, client, said):
    assert ask(gh, client)[1] == said


def test_rules_and_fields_have_it(gh):
    assert ask(gh, "192.0.2.1")[0].get("x-near") == "DE 64500"
    assert ask(gh, "2001:db8::1")[0].get("x-near") is None


def test_a_reload_reads_them_again_and_refuses_a_doubtful_one(gh, dbs):
    path = dbs / "country.mmdb"
    good = path.read_bytes()
    for bad in (b"", good[:-40], b"192.0.2.0/24 DE\n"):
        path.write_bytes(bad)
        seen = gh.stderr().count("country.mmdb cannot be used: ")
        gh.reload()
        until(lambda seen=seen: gh.stderr().count(
            "country.mmdb cannot be used: ") > seen, what="why")
        assert ask(gh, "192.0.2.1")[1] == "200 DE 64500"
    path.write_bytes(database(
        {"192.0.2.0/24": {"country": {"iso_code": "FR"}}}))
    gh.reload()
    assert ask(gh, "192.0.2.1")[1] == "403 FR 64500"
    path.write_bytes(good)
    gh.reload()
    assert ask(gh, "192.0.2.1")[1] == "200 DE 64500"


def test_what_is_wrong_is_told(tmp_path, dbs):
    ini = tmp_path / "x.ini"
    for top, lines, said in (
            ("", "country = DE", "country needs a database: mmdb in [global]"),
            ("", "asn = 1", "asn needs a database"),
            (f"mmdb = {dbs}/asn.mmdb", "country = DE de",
             "'de' is no country; they are two capitals"),
            (f"mmdb = {dbs}/asn.mmdb", "asn = AS1",
             "'AS1' is no number of a network"),
            (f"mmdb = {dbs}/asn.mmdb", "asn = 0", "is no number of"),
            (f"mmdb = {tmp_path}", "asn = 1", "cannot be used: it is no file"),
            (f"mmdb = {tmp_path}/no", "asn = 1", "cannot be used: No such")):
        ini.write_text(f"[global]\n{top}\n[site s]\nrespond = 200\n[acl a]\n"
                       f"{lines}\n")
        done = run("-t", "-c", ini)
        assert done.returncode == 1
        assert said in done.stderr, done.stderr
