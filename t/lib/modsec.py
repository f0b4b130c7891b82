"""Apache with ModSecurity 2.9 (Debian's libapache2-mod-security2) in a folder and
at a port of its own, as a proxy; the rule sets that are installed; and what an
engine is told before their rules."""
import os
import pathlib
import re
import subprocess

from .gatehouse import free_port
from .procs import is_listening, until

APACHE = pathlib.Path("/usr/sbin/apache2")
MODULES = pathlib.Path("/usr/lib/apache2/modules")
MODULE = MODULES / "mod_security2.so"
UNICODE = pathlib.Path("/etc/modsecurity/unicode.mapping")
LOADED = ("mpm_event", "authz_core", "unique_id", "security2", "proxy",
          "proxy_http")

ENGINE = """SecRuleEngine {engine}
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecResponseBodyLimit 1048576
SecResponseBodyLimitAction ProcessPartial
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 1048576
SecPcreMatchLimit 500000
SecPcreMatchLimitRecursion 500000
SecArgumentSeparator &
SecCookieFormat 0
SecAuditEngine Off
SecTmpDir {dir}
SecDataDir {dir}
{unicode}
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\\+|/)|text/)xml" \\
    "id:200000,phase:1,t:none,t:lowercase,pass,nolog,\\
    ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/(?:[a-z0-9.-]+[+])?json" \\
    "id:200001,phase:1,t:none,t:lowercase,pass,nolog,\\
    ctl:requestBodyProcessor=JSON"
"""
# Behind the set's own setup: the level, and methods that a site has which is an
# interface of programs, too.
LEVEL = """SecAction "id:900001,phase:1,pass,t:none,nolog,\\
    setvar:tx.blocking_paranoia_level={level},\\
    setvar:tx.detection_paranoia_level={level},\\
    setvar:tx.paranoia_level={level},\\
    setvar:tx.executing_paranoia_level={level},\\
    setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE'"
"""
# Limits that corpora of attacks go beyond.
LIMITS = """SecAction "id:900002,phase:1,pass,t:none,nolog,\\
    setvar:tx.crs_validate_utf8_encoding=1,setvar:tx.arg_name_length=100,\\
    setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,\\
    setvar:tx.max_num_args=255,setvar:tx.max_file_size=64100,\\
    setvar:tx.combined_file_sizes=65535"
"""

APACHE_CONF = """ServerRoot {dir}
PidFile {dir}/pid
DefaultRuntimeDir {dir}
Mutex posixsem default
Listen 127.0.0.1:{port}
{modules}
{user}
ServerName localhost
ErrorLog {dir}/error.log
LogLevel error
StartServers 1
ServerLimit 2
ThreadsPerChild 16
MaxRequestWorkers 32
DocumentRoot {dir}
MergeSlashes Off
AllowEncodedSlashes NoDecode
ProxyPass / http://{origin}/ nocanon
Include {dir}/engine.conf
{includes}
"""

GATEHOUSE = """[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[waf crs]
setup = {engine}
rules = {rules}
mode = {mode}
body_limit = 4m
audit_log = {dir}/waf.log
[site x]
hosts = *
upstream = app
waf = crs
[upstream app]
server = {origin}
"""


class RuleSet:
    """One that is installed: its name, and its files in their order."""

    def __init__(self, name, setup, folder):
        self.name = name
        self.setup = pathlib.Path(setup)
        self.folder = pathlib.Path(folder)

    def is_there(self):
        return self.setup.exists() and self.folder.is_dir()

    def files(self, more=()):
        return [self.setup, *more, *sorted(self.folder.glob("*.conf"))]

    def rules_with(self, operators):
        """Ids of rules, or of chains, that have one of the operators."""
        found, rule = set(), 0
        asks = re.compile("@(?:" + "|".join(operators) + r")\b")
        for path in self.files():
            for piece in re.split(r"\n(?=\s*Sec)", path.read_text()):
                said = re.search(r"[\"',\s]id:'?(\d+)", piece)
                asked = asks.search(piece)
                rule = int(said.group(1)) if said else rule
                if asked and not piece.lstrip().startswith("#"):
                    found.add(rule)
        return found


def rule_sets():
    """Debian's modsecurity-crs, and CRS 4 in the folder that GH_CRS4 names."""
    four = pathlib.Path(os.environ.get("GH_CRS4", "/nonexistent"))
    sets = (RuleSet("3.3", "/etc/modsecurity/crs/crs-setup.conf",
                    "/usr/share/modsecurity-crs/rules"),
            RuleSet("4", four / "crs-setup.conf.example", four / "rules"))
    return [s for s in sets if s.is_there()]


def written(folder, rules, level, is_on=False):
    """Files of one engine in the folder: (engine's, those of the rules). One that
    is on refuses; else it has limits, too."""
    folder = pathlib.Path(folder)
    own, more = folder / "engine.conf", folder / "level.conf"
    own.write_text(ENGINE.format(
        dir=folder, engine="On" if is_on else "DetectionOnly",
        unicode=f"SecUnicodeMapFile {UNICODE} 20127"
        if UNICODE.exists() else ""))
    more.write_text(LEVEL.format(level=level) + ("" if is_on else LIMITS))
    return own, rules.files([more])


class Apache:
    """One that runs; .log is what it says of rules."""

    def __init__(self, folder, origin, rules, level):
        self.dir = pathlib.Path(folder) / "apache"
        self.dir.mkdir()
        self.dir.chmod(0o777)
        self.port = free_port()
        self.log = self.dir / "error.log"
        _, files = written(self.dir, rules, level)
        conf = self.dir / "apache.conf"
        conf.write_text(APACHE_CONF.format(
            dir=self.dir, port=self.port, origin=origin,
            modules="\n".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so"
                              for m in LOADED),
            user="User nobody\nGroup nogroup" if os.geteuid() == 0 else "",
            includes="\n".join(f"Include {path}" for path in files)))
        self.process = subprocess.Popen(
            [APACHE, "-f", conf, "-DFOREGROUND"], stdin=subprocess.DEVNULL)
        try:
            until(lambda: self.process.poll() is not None or
                  is_listening(self.port), what="apache")
            assert self.process.poll() is None, "apache ended"
        except AssertionError:
            self.close()
            raise

    def logged(self):
        """{client: {rule: [what its lines say]}}."""
        found = {}
        for line in self.log.read_text(errors="replace").splitlines():
            client = re.search(r"\[client ([0-9.]+):\d+\]", line)
            rule = re.search(r'\] \[id "(\d+)"\]', line)
            if client and rule and "ModSecurity: Warning" in line:
                found.setdefault(client.group(1), {}).setdefault(
                    int(rule.group(1)), []).append(line)
        return found

    def close(self):
        self.process.terminate()
        self.process.wait()
