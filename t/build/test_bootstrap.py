"""./bootstrap: what it installs, and what it says where it cannot."""
import pathlib
import shutil

import pytest

from conftest import call
from lib.gatehouse import TOP

BOOTSTRAP = TOP / "bootstrap"
# What the script itself calls.
TOOLS = ["sh", "dirname", "cat", "grep", "id"]
KNOWN = {"autoconf", "automake", "gcc", "make", "libssl-dev", "libpcre2-dev",
         "libinih-dev", "libc-ares-dev", "check", "python3-pytest", "curl",
         "nodejs", "haproxy"}


@pytest.fixture
def system(tmp_path):
    """A PATH with little in it; add(name, script) adds a program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name))

    class System:
        env = {"PATH": str(folder), "LOG": str(tmp_path / "log")}
        log = tmp_path / "log"

        @staticmethod
        def add(name, script):
            (folder / name).write_text("#!/bin/sh\n" + script)
            (folder / name).chmod(0o755)

    return System


def bootstrap(system, *words, is_good=True):
    return call(BOOTSTRAP, *words, cwd=TOP, env=system.env, is_good=is_good)


def packages(system, *words):
    return set(bootstrap(system, "deps", *words).stdout.split())


def test_elsewhere_the_list_is_printed(system):
    """Without apt-get and dpkg-query: what is needed, and success."""
    done = bootstrap(system, "deps")
    assert "no Debian-like system" in done.stdout
    assert KNOWN <= set(done.stdout.split())
    assert done.stderr == ""
    assert packages(system) < packages(system, "ci")
    assert packages(system) < packages(system, "bench")


def test_what_is_missing_is_installed_and_no_more(system):
    """By one apt-get install, as root or by sudo."""
    system.add("apt-get", 'echo "apt-get $*" >>"$LOG"\n')
    system.add("sudo", '"$@"\n')
    system.add("dpkg-query", 'case $4 in curl | check) exit 1 ;; esac\n'
               'echo "install ok installed"\n')
    bootstrap(system, "deps")
    update, install = system.log.read_text().splitlines()
    assert update.startswith("apt-get update")
    assert install.startswith("apt-get install ")
    assert set(install.split()) & KNOWN == {"curl", "check"}


def test_nothing_is_installed_when_all_is_there(system):
    """No apt-get, so no root either."""
    system.add("apt-get", 'echo "apt-get $*" >>"$LOG"\n')
    system.add("dpkg-query", 'echo "install ok installed"\n')
    bootstrap(system, "deps")
    assert not system.log.exists()


def test_packages_of_npm(system, tmp_path):
    """Installed beneath t/npm from the lock file, once."""
    top = tmp_path / "top"
    (top / "t/npm/node_modules").mkdir(parents=True)
    shutil.copy(BOOTSTRAP, top)
    shutil.copy(TOP / "t/npm/package-lock.json", top / "t/npm")
    system.add("npm", 'echo "npm $*" >>"$LOG"\n')
    for tool in "cmp", "cp":
        (pathlib.Path(system.env["PATH"]) / tool).symlink_to(
            shutil.which(tool))
    for _ in range(2):
        call(top / "bootstrap", "deps", cwd=top, env=system.env)
    ran, = system.log.read_text().splitlines()
    assert ran.startswith("npm ci --prefix t/npm --ignore-scripts ")


def test_neither_root_nor_sudo(system):
    """Then the names of what is missing, and an error."""
    system.add("apt-get", 'echo "apt-get $*" >>"$LOG"\n')
    (pathlib.Path(system.env["PATH"]) / "id").unlink()
    system.add("id", "echo 1000\n")
    system.add("dpkg-query", 'test "$4" != wrk && echo "install ok installed"\n')
    done = bootstrap(system, "deps", is_good=False)
    assert done.returncode == 1
    assert done.stderr.split()[-1] == "wrk"
    assert not system.log.exists()


@pytest.mark.parametrize("words", [["nonsense"], ["deps", "nonsense"]])
def test_unknown_words_are_refused(system, words):
    """Status 2 and the usage."""
    done = bootstrap(system, *words, is_good=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ./bootstrap")
