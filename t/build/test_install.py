"""From a release to an installed gatehouse and back, built beside the source
(README, "Set-up")."""
import stat

import pytest

from conftest import FLAGS, call
from lib import gatehouse as lib_gatehouse
from lib.gatehouse import run
from lib.procs import status

INI = """
[global]
workers = 1
[listen x]
address = 127.0.0.1:{port}
[site test]
hosts = *
respond = 200 installed
"""
BAD = "[site test]\nupstream = nowhere\n"
CONF = "etc/gatehouse/gatehouse.ini"
FILES = {"usr/sbin/gatehouse", CONF, "usr/share/man/man8/gatehouse.8",
         "usr/share/doc/gatehouse/examples/gatehouse.ini"}
DOCS = {f"usr/share/doc/gatehouse/{name}" for name in
        ("README", "abuse.md", "acl.md", "admin.md", "auth.md",
         "challenge.md", "compression.md", "config.md", "design.md",
         "dashboard-dark.png", "dashboard-light.png", "dashboard-phone.png",
         "examples.md", "files.md", "forward.md", "performance.md", "presets.md",
         "openapi.json", "reference.md", "resilience.md", "shm.md", "logs.md",
         "symptoms.md",
          "waf.md")}
SCRIPTS = {"gateway/prepare", "gateway/token", "cdn/prepare"}
FILES |= {f"usr/share/doc/gatehouse/examples/{name}" for name in SCRIPTS | {
    "metrics/alerts.yml", "metrics/grafana.json", "gateway/gateway.ini",
    "gateway/problem.json", "cdn/app.js",
    "cdn/cdn-edge.conf", "cdn/cdn-listen.conf", "cdn/edge.ini",
    "cdn/internal.ini", "cdn/nginx.conf", "cdn/sorry.html"}}
SECCOMP_FILTER = "2"
SECCOMP_NONE = "0"


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*")
            if not p.is_dir()}


def folders(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*")
            if p.is_dir()}


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    call("make", "-s", "install", f"DESTDIR={root}", cwd=built)
    return root


@pytest.fixture
def binary(installed, monkeypatch):
    """The installed one is what the helpers run."""
    path = installed / "usr/sbin/gatehouse"
    monkeypatch.setattr(lib_gatehouse, "BINARY", str(path))
    return path


def check_serves(gatehouse, seccomp):
    gh = gatehouse(INI)
    with gh.client() as c:
        answer = c.get()
    assert (answer.status, answer.text) == (200, "installed")
    (worker,) = gh.workers()
    assert status(worker)["Seccomp"] == seccomp
    assert gh.stop() == 0


def test_a_build_elsewhere_leaves_the_source_alone(release, source, built):
    """A build folder gets everything that building makes."""
    assert (built / "gatehouse").exists()
    left = {p for p in files(source) if not p.startswith("out/")}
    assert left == files(release)
    for name in left:
        assert (source / name).read_bytes() == (release / name).read_bytes()


def test_each_file_is_in_its_place(installed):
    """`make install DESTDIR=` puts there the binary, the man page, documents,
    the sample, and nothing else."""
    assert files(installed) == FILES | DOCS
    for name in FILES | DOCS:
        mode = stat.S_IMODE((installed / name).stat().st_mode)
        is_run = "sbin" in name or name.partition("examples/")[2] in SCRIPTS
        assert mode == (0o755 if is_run else 0o644), name


def test_the_installed_binary_tells_its_version(source, binary):
    """-V names the version, each library and what the build has; -h the
    configuration that --sysconfdir said."""
    words = run("-V").stdout.split("\n")
    assert f"gatehouse {version(source)}" in words
    assert "option seccomp on" in words
    for library in ("OpenSSL", "PCRE2", "c-ares", "jansson",
                    "nghttp2", "inih"):
        assert any(w.startswith(f"library {library} ") for w in words)
    assert "/" + CONF in run("-h").stdout


def version(source):
    for line in (source / "configure").read_text().splitlines():
        if line.startswith("PACKAGE_VERSION="):
            return line.split("'")[1]
    raise AssertionError("configure has no version")


def test_the_installed_binary_checks(binary, tmp_path):
    """-t is 0 for a good file, 1 for a bad one."""
    good, bad = tmp_path / "good.ini", tmp_path / "bad.ini"
    good.write_text(INI.replace("{port}", "8080"))
    bad.write_text(BAD)
    assert run("-t", "-c", good).returncode == 0
    done = run("-t", "-c", bad)
    assert (done.returncode, "nowhere" in done.stderr) == (1, True)


def test_the_installed_binary_serves(binary, gatehouse):
    """One request, from a worker that filters its system calls."""
    check_serves(gatehouse, SECCOMP_FILTER)


def test_the_installed_sample_awaits_its_owner(binary, installed, tmp_path):
    """The sample says no more than an empty file, until lines of it are made
    valid: then gatehouse serves."""
    empty, mine = tmp_path / "empty.ini", tmp_path / "mine.ini"
    empty.write_text("")
    sample = installed / CONF
    said = [run("-t", "-c", p).stderr.replace(str(p), "") for p in
            (sample, empty)]
    assert said[0] == said[1] and said[0].count("\n") == 2
    mine.write_text(sample.read_text() + INI.replace("{port}", "8080"))
    assert run("-t", "-c", mine).stderr == ""


def test_uninstall_leaves_nothing(built, tmp_path):
    """`make uninstall` takes every file and gatehouse's own folders."""
    root = f"DESTDIR={tmp_path}"
    call("make", "-s", "install", root, cwd=built)
    assert files(tmp_path) == FILES | DOCS
    call("make", "-s", "uninstall", root, cwd=built)
    assert files(tmp_path) == set()
    assert not [f for f in folders(tmp_path) if "gatehouse" in f]
    call("make", "-s", "uninstall", root, cwd=built)


def test_an_edited_configuration_is_its_owners(built, tmp_path):
    """Neither an install nor an uninstall touches what was edited."""
    conf, root = tmp_path / CONF, f"DESTDIR={tmp_path}"
    call("make", "-s", "install", root, cwd=built)
    conf.write_text(INI)
    call("make", "-s", "install", root, cwd=built)
    assert conf.read_text() == INI
    call("make", "-s", "uninstall", root, cwd=built)
    assert files(tmp_path) == {CONF}
    assert conf.read_text() == INI


def test_a_build_without_seccomp_says_so(lean, gatehouse, monkeypatch):
    """--without-seccomp: -V names what is absent, and all else serves."""
    monkeypatch.setattr(lib_gatehouse, "BINARY", str(lean[0] / "gatehouse"))
    assert "option seccomp absent" in run("-V").stdout.splitlines()
    check_serves(gatehouse, SECCOMP_NONE)


def test_missing_check_is_told(lean):
    """Without Check, configure says it, and make check does not pass as if
    there were nothing to test."""
    out, said = lean
    assert "Check >= 0.15 is missing" in said.stderr
    done = call("make", "check", "TESTS=", "check_PROGRAMS=", cwd=out,
                is_good=False)
    assert done.returncode != 0
    assert "the unit tests are missing" in done.stderr


def test_seccomp_that_was_asked_for_is_not_left_out(source, hide, tmp_path):
    """--with-seccomp on a system without it is an error."""
    done = call(source / "configure", "--with-seccomp", hide("libseccomp"),
                *FLAGS, cwd=tmp_path, is_good=False)
    assert done.returncode != 0
    assert "libseccomp is missing" in done.stderr
