"""bench/guards: gatehouse with what may stand before an answer, and with nothing
there: what bench/guard and bench/instructions measure."""
import json
import subprocess

from peers import OWN_BODY, PROXY_CONNECTIONS

GATEHOUSE = """[global]
workers = 1
worker_connections = {connections}
[defaults]
access_log = none
[listen bench]
address = 127.0.0.1:{port}
idle_timeout = 10m
[site bench]
hosts = *
{lines}
respond = 200 {own}
{sections}
"""
LIMIT = "rate_limit = many", """[limit many]
rate = 1m/s
burst = 1m
"""
ACL = "deny = some", """[acl some]
ip = 192.0.2.0/24 198.51.100.0/24 2001:db8::/32
"""
BASIC = "auth = known", """[auth known]
scheme = basic
users = people
[users people]
file = {dir}/users
"""
# Nothing that was verified is remembered.
TOKEN = "auth = tokens", """[auth tokens]
scheme = jwt
algorithms = {alg}
{key}
ttl = none
"""
SETS = {"unguarded": [], "limit": [LIMIT], "acl": [ACL], "basic": [BASIC],
        "guarded": [LIMIT, ACL, BASIC]}


def text_of(guards, where, port, **names):
    """The configuration with these guards."""
    lines, sections = ("\n".join(part) for part in zip(*guards)) \
        if guards else ("", "")
    return GATEHOUSE.format(
        port=port, connections=PROXY_CONNECTIONS, own=OWN_BODY, lines=lines,
        sections=sections.format(dir=where, **names))


def files_of(name):
    """A *_files function, as in peers.py, of one of SETS."""
    def files(where, port, _, __):
        hashed = subprocess.run(["openssl", "passwd", "-6", "secret"], text=True,
                                check=True, stdout=subprocess.PIPE).stdout
        (where / "users").write_text(f"anna:{hashed}")
        return text_of(SETS[name], where, port), ["-c"]
    return files


def token_files(alg, key):
    """The same with tokens, verified by one key (lib.jwt)."""
    def files(where, port, _, __):
        if alg == "HS256":
            line = f"secret = {key.secret.decode()}"
        else:
            (where / "keys").write_text('{"keys": [%s]}' % json.dumps(key.jwk()))
            line = f"jwks = {where}/keys"
        return text_of([TOKEN], where, port, alg=alg, key=line), ["-c"]
    return files
