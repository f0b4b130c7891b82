"""A release in a folder of its own, and what is built from it."""
import os
import pathlib
import shutil
import subprocess

import pytest

from lib.gatehouse import BINARY

# Quick to build, once: what the programs do is judged elsewhere.
FLAGS = ["--quiet", "--disable-dependency-tracking", "CFLAGS=-O0"]
JOBS = len(os.sched_getaffinity(0))
LIMIT_S = 600
# A make above these tests must not lend them its options and jobs.
ENV = {k: v for k, v in os.environ.items()
       if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "GATEHOUSE", "GH_TOP")}
ENV |= {"LC_ALL": "C", "no_proxy": "*"}


def call(*args, cwd, env=None, is_good=True):
    """Run a command: CompletedProcess with its text output."""
    done = subprocess.run([*map(str, args)], cwd=cwd, env={**ENV, **(env or {})},
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=LIMIT_S, check=False)
    assert not is_good or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """The files of a release, by `make distdir`."""
    folder = tmp_path_factory.mktemp("release") / "gatehouse"
    call("make", "-s", "distdir", f"distdir={folder}",
         cwd=pathlib.Path(BINARY).parent)
    return folder


@pytest.fixture(scope="session")
def unpack(release, tmp_path_factory):
    """unpack() gives a fresh copy of the release."""

    def make():
        folder = tmp_path_factory.mktemp("source") / "gatehouse"
        shutil.copytree(release, folder, symlinks=True)
        # what gatehouse becomes after its start must reach its own files
        for path in (folder, folder.parent, folder.parent.parent):
            path.chmod(0o755)
        return folder

    return make


@pytest.fixture(scope="session")
def hide(tmp_path_factory):
    """hide(name) gives a pkg-config that does not know that library."""

    def make(name):
        path = tmp_path_factory.mktemp("tools") / "pkg-config"
        path.write_text("#!/bin/sh\nfor word in \"$@\"; do\n"
                        f"\tcase $word in {name} | \"{name} \"*) exit 1 ;; esac\n"
                        f"done\nexec {shutil.which('pkg-config')} \"$@\"\n")
        path.chmod(0o755)
        return f"PKG_CONFIG={path}"

    return make


@pytest.fixture(scope="session")
def source(unpack):
    return unpack()


@pytest.fixture(scope="session")
def built(source):
    """Built in a folder below the source, for the places of a distribution."""
    out = source / "out"
    out.mkdir()
    call("../configure", "--prefix=/usr", "--sysconfdir=/etc",
         "--localstatedir=/var", *FLAGS, cwd=out)
    call("make", "-s", f"-j{JOBS}", cwd=out)
    return out


def lend(built, folder, word):
    """Give a build what another one compiled, but for the sources that name the
    only word in which their configurations differ."""
    ours, theirs = (set((f / "config.h").read_text().splitlines())
                    for f in (built, folder))
    assert ours != theirs and all(word in line for line in ours ^ theirs)
    naming = {path.relative_to(folder) for path in folder.rglob("*.[ch]")
              if path.name != "config.h" and word in path.read_text()}
    assert naming and all(path.suffix == ".c" for path in naming), naming
    for path in built.rglob("*"):
        where = path.relative_to(built)
        is_same = path.suffix == ".o" and where.with_suffix(".c") not in naming
        if is_same or path.name == ".dirstamp":
            (folder / where).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / where)


@pytest.fixture(scope="session")
def lean(unpack, hide, built):
    """(folder, what configure said) of a build in its source that has neither
    libseccomp nor Check."""
    folder = unpack()
    said = call("./configure", "--without-seccomp", "--disable-lto",
                hide("check"), *FLAGS, cwd=folder)
    lend(built, folder, "HAVE_SECCOMP")
    call("make", "-s", f"-j{JOBS}", cwd=folder)
    return folder, said
