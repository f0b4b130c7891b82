"""Every name of the vocabulary is known: built, or refused as "not built yet";
never ignored, never taken for a mistake."""
import pathlib
import re

import pytest

from lib.gatehouse import run

HERE = pathlib.Path(__file__).parent
SCOPE = """hosts listen upstream respond redirect
redirect_file redirect_match canonical_host trailing_slash redirect_https root index rewrite strip_prefix
add_prefix cache cache_ttl cache_bypass cache_min_uses cache_cookies
cache_profile waf rate_limit allow deny auth challenge split mirror maintenance
access_log compress compress_min_length compress_types compress_level
compress_cross_site compress_dictionary decompress decompress_max substitute substitute_types
request_header response_header
hide_header hide_origin rewrite_location rewrite_cookie hsts security_headers
cors error_page max_body websocket
buffer_response limit_bandwidth timeout certificate certificate_key client_ca
verify crl proxy_status server_timing"""
SITE_ONLY = """hosts listen certificate certificate_key client_ca verify
crl""".split()
KEYS = {
    "global": """daemon pid_file workers cpu_affinity worker_connections user
        group quota_file shared_memory memory_limit heavy_hitters recent_decisions
        shutdown_timeout
        tunnel_timeout_on_reload worker_watchdog upgrade_timeout reload_window
        path_policy compress_memory dns_servers crawlers mmdb key_isolation include
        error_log log_level""",
    "listen x": """address mode tls protocols h2c proxy_protocol
        trusted_proxies backlog default_site policy redirect_https
        max_connections_per_ip line_max header_max headers_max header_timeout
        body_timeout send_timeout idle_timeout min_rate access_log certificate
        certificate_key client_ca verify""",
    "site x": SCOPE,
    "route s /x": " ".join(w for w in SCOPE.split() if w not in SITE_ONLY),
    "rule s x": "match " + " ".join(
        w for w in SCOPE.split() if w not in [*SITE_ONLY, "proxy_status",
                                              "server_timing"]),
    "defaults": "connect_timeout response_timeout header_timeout "
        "idle_timeout " + " ".join(w for w in SCOPE.split()
                                   if w not in ("hosts", "listen")),
    "upstream x": """server balance keepalive protocol connect_timeout
        response_timeout try_timeout total_timeout retry retry_budget queue
        max_connections sticky eject panic adaptive hedge health_check
        send_proxy tls_verify ca sni client_certificate zone extend""",
    "cache x": """memory file max_object slice key ignore_query sort_query
        stale_while_revalidate stale_if_error coalesce negative_ttl tag_header
        purge_allow status_header""",
    "limit x": "key rate burst delay status mode ban table ipv6_prefix",
    "auth x": """scheme users realm jwks issuer audience algorithms upstream
        header file helper ban
        helper_children helper_concurrency helper_queue helper_timeout""",
    "forward x": """waf auth allow deny connect_ports connect_sni private_networks
        anonymize via user_agent block_page cache quota parent pac log_only
        proxy_status tunnel_idle_timeout tunnel_timeout error_page rate_limit
        max_body timeout limit_bandwidth request_header response_header hide_header keepalive
        idle_timeout connect_timeout response_timeout""",
    "tls": """min_version ciphers session_tickets ticket_rotation ticket_count
        ocsp_stapling early_data certificate_watch""",
    "waf x": """rules setup paranoia anomaly_threshold mode exclude body_limit
        response_types audit_log""",
    "acl x": """ip dst_ip user group domain domain_file url url_file method
        path header port time category category_db zone country asn ja4
        content_type response_size quota match extend""",
    "challenge": "difficulty ttl secret cookie status",
    "users x": "file groups_file",
    "log x": "path syslog facility format sample buffer level",
    "admin": "listen group allow token dashboard metrics",
    "tracing": "propagate export sample follow_parent",
    "cluster": "redis share",
}
BARE = ["stream x"]
# Names on the right hand side.
VALUES = [
    ("listen x", "mode = forward"), ("listen x", "mode = transparent"),
    ("upstream x", "balance = least_conn"), ("upstream x", "balance = hash {host}"),
    ("upstream x", "retry = connect reset invalid timeout 502 503"),
    ("upstream x", "server = a:1 weight=2 backup max_connections=3 "
                   "slow_start=1s resolve=30s zone=z"),
    ("upstream x", "server = https://a:1"),
    ("upstream x", "balance = ip_hash"), ("upstream x", "protocol = h2"),
    ("site x", "buffer_response = on"), ("log x", "format = squid"),
    ("log x", "format = combined"), ("log x", "format = common"),
    ("log x", "format = json"),
    ("upstream x", "send_proxy = v2"),
    ("site x", "certificate = a.pem ocsp=file:a.ocsp b.pem"),
    ("tls", "ocsp_stapling = on"),
    ("upstream x", "eject = 5xx>=5 reset>=3 slow>=500ms window=10s for=30s "
                   "max=50%"),
    ("upstream x", "sticky = cookie gh_srv ttl=1h path=/ samesite=lax secure"),
    ("upstream x", "sticky = header X-User timeout=30m"),
    ("upstream x", "sticky = learn cookie=sid"),
    ("upstream x", "health_check = tcp"), ("upstream x", "health_check = tls"),
    ("upstream x", "health_check = GET /healthz expect=200-399 body~ok "
                   "interval=2s rise=2 fall=3 timeout=1s"),
    ("upstream x", "health_check = grpc"),
    ("upstream x", "health_check = command /path"),
]


def problems(ini, tmp_path):
    """The messages of -t, without places."""
    path = tmp_path / "x.ini"
    path.write_text(ini)
    done = run("-t", "-c", path)
    assert done.returncode in (0, 1)
    return re.findall(r"(?m)^(?:\S+: )?error: (.*)$", done.stderr)


def unknown(said):
    return [text for text in said if re.search("unknown|it is one of", text)]


@pytest.mark.parametrize("section", KEYS)
def test_every_key_is_known(section, tmp_path):
    """A loop over the section's keys: no `unknown key`; what is not refused
    by name is a built one, which judges its value."""
    said = problems(f"[{section}]\n" + "".join(
        f"{key} = none\n" for key in KEYS[section].split()), tmp_path)
    assert not unknown(said)
    typo = problems(f"[{section}]\nno_such_key_at_all = 1\n", tmp_path)
    assert unknown(typo) == [t for t in typo if "no_such_key_at_all" in t]
    assert len(unknown(typo)) == 1


@pytest.mark.parametrize("section", [*KEYS, *BARE])
def test_every_section_is_known(section, tmp_path):
    """Refused by its own name when it is not built."""
    said = problems(f"[{section}]\n", tmp_path)
    assert not unknown(said)
    built = section.split()[0] in ("global", "defaults", "listen", "site",
                                   "route", "rule", "upstream", "log",
                                   "admin", "tls", "cache", "limit",
                                   "users", "auth", "acl", "challenge", "forward", "waf",
                                   "tracing")
    assert any("not built yet" in text for text in said) != built


@pytest.mark.parametrize("section, line", VALUES)
def test_words_of_later_versions_are_known(section, line, tmp_path):
    """A value that comes later says so."""
    said = problems(f"[{section}]\n{line}\n", tmp_path)
    value = [t for t in said if line.split()[0] in t or "server" in t or
             "format" in t]
    assert not [t for t in value if "not built yet" not in t and
                ("expected" in t or "did you mean" in t)], said


@pytest.mark.parametrize("line", [
    "retry = connect reset invalid timeout 500 502 503 504",
    "retry_budget = 20%", "retry_budget = none", "try_timeout = 1s",
    "total_timeout = 3s"])
def test_tries_again_are_built(line, tmp_path):
    """All words of retry and its times are taken as they are."""
    assert not problems("[site s]\nupstream = u\n[upstream u]\nserver = a:1\n"
                        + line + "\n", tmp_path)


@pytest.mark.parametrize("name", "abc")
def test_the_examples_ask_for_nothing_unknown(name, tmp_path):
    """A newcomer's file, a full edge, a forward proxy: what is not there yet is
    refused by name and nothing else is (but a user and files that this machine
    lacks)."""
    text = (HERE / f"example_{name}.ini").read_text()
    said = [t for t in problems(text.replace("user               = gatehouse",
                                             "user = nobody"), tmp_path)
            if "not built yet" not in t and
            "/etc/gatehouse/tls/shop.pem cannot be opened" not in t and
            "/etc/gatehouse/errors/maintenance.html: No such" not in t and
            "/etc/gatehouse/blocked.html: No such" not in t and
            ".htpasswd cannot be read" not in t and
            "/etc/gatehouse/lists/social.txt cannot be opened" not in t and
            "/usr/share/gatehouse/crs cannot be opened: No such" not in t and
            "/etc/gatehouse/categories.db cannot be used: No such" not in t]
    assert not said
