"""The rest of the command line."""
import os
import re
import subprocess

import pytest

from lib.gatehouse import BINARY, TOP, run
from lib.wire import WAIT_S

MAN = (TOP / "doc/gatehouse.8").read_text()
README = (TOP / "README").read_text()


def test_version_names_libraries_and_options():
    """-V: what it is built of; parts a build may do without, each on or
    absent."""
    done = run("-V")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"gatehouse \d+\.\d+\.\d+\n", done.stdout)
    for library in ("OpenSSL", "PCRE2", "c-ares", "inih"):
        assert re.search(rf"(?m)^library {library} \S", done.stdout)
    for option in ("seccomp", "zlib", "brotli", "brotli-dictionaries",
                   "zstd", "maxminddb", "stage-costs"):
        assert re.search(rf"(?m)^option {option} (on|absent)$", done.stdout)


def plain(man):
    """A man page's words without its markup."""
    text = re.sub(r"\\f[BIRP]|\\c", "", man).replace("\\-", "-")
    return re.sub(r"(?m)^\.(B|BI|BR|RB|IR|TP|I)\s?", "", text).replace('"', "")


def test_help_is_what_the_manual_and_the_readme_say():
    """-h: status 0; each flag and word of it stands in both documents."""
    done = run("-h")
    assert (done.returncode, done.stderr) == (0, "")
    flags = set(re.findall(r"(?<![\w-])--?[a-zA-Z]+", done.stdout))
    assert {"-c", "-t", "-T", "-s", "-V", "-h", "--from", "--to",
            "--print"} <= flags
    man = plain(MAN)
    for flag in flags:
        assert re.search(rf"(?<![\w-]){flag}(?![\w])", man), flag
        assert re.search(rf"(?<![\w-]){flag}(?![\w])", README), flag
    for word in ("reload", "reopen", "upgrade", "quit", "stop", "drain",
                 "reverse", "status", "server", "maintenance", "categories", "waf",
                 "why", "diff", "explain"):
        assert word in done.stdout
        assert word in man
    for signal in ("HUP", "USR1", "QUIT", "TERM", "WINCH", "TTIN", "TTOU"):
        assert signal in man
        assert signal in README


@pytest.mark.parametrize("long, short", [("--help", "-h"),
                                         ("--version", "-V")])
def test_long_names_of_flags_are_known(long, short):
    assert run(long).stdout == run(short).stdout
    assert run(long).returncode == 0


@pytest.mark.parametrize("args", [["why", "--help"], ["waf", "test", "-h"],
                                  ["server", "--help"], ["nonsense", "-h"]])
def test_help_is_given_behind_words(args):
    done = run(*args)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("-h").stdout


@pytest.mark.parametrize("args", [
    ["-x"], ["--nonsense"], ["-c"], ["-s"], ["nonsense"], ["-t", "nonsense"],
    ["-t", "reverse", "--from", ":1", "--to", "a:1"]])
def test_what_is_not_understood_is_status_2_and_the_usage(args):
    """Unknown flags and words, missing arguments, flags before a word."""
    done = run(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage: gatehouse" in done.stderr


@pytest.mark.parametrize("word", ["import"])
def test_words_of_later_versions_are_known(word):
    """Refused by name, not taken for a mistake."""
    done = run(word)
    assert done.returncode == 2
    assert f"'{word}' is not built yet" in done.stderr


@pytest.mark.parametrize("flags", [[], ["-t"], ["-T"]])
def test_no_configuration_is_named(tmp_path, flags):
    """The path that was looked at."""
    done = run(*flags, "-c", tmp_path / "gone.ini")
    assert done.returncode == 1
    assert f"cannot read '{tmp_path}/gone.ini': No such file" in done.stderr


def test_reverse_prints_what_it_stands_for(tmp_path):
    """reverse --print: a configuration that -t accepts, nothing started."""
    done = run("reverse", "--from", "127.0.0.1:8080", "--to", "127.0.0.1:1",
               "--to", "unix:/x", "--print")
    assert (done.returncode, done.stderr) == (0, "")
    assert "server = 127.0.0.1:1\nserver = unix:/x\n" in done.stdout
    ini = tmp_path / "x.ini"
    ini.write_text(done.stdout)
    assert run("-t", "-c", ini).returncode == 0


@pytest.mark.parametrize("flags, words", [
    (["--from", "nonsense", "--to", "127.0.0.1:1"], "address = nonsense"),
    (["--from", ":1", "--to", "a:1/path"], "strip_prefix"),
    (["--from", ":1", "--to", "a:1\nnope = 1"], "unknown key 'nope'"),
])
@pytest.mark.parametrize("ending", [[], ["--print"]])
def test_reverse_judges_its_addresses(flags, words, ending):
    """As in a file; --print shows no configuration that would be refused."""
    done = run("reverse", *flags, *ending)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr


@pytest.mark.parametrize("flags", [
    [], ["--from", ":1"], ["--to", "a:1"], ["--from"], ["--from", ":1",
     "--from", ":2", "--to", "a:1"], ["--from", ":1", "--to", "a:1", "x"]])
def test_reverse_needs_one_from_and_a_to(flags):
    """Status 2 and its own usage."""
    done = run("reverse", *flags)
    assert done.returncode == 2
    assert "usage: gatehouse reverse" in done.stderr


def test_forward_prints_what_it_stands_for(tmp_path):
    """forward --print: without --allow it serves its own machine alone."""
    for flags, allow in (([], "allow = 127.0.0.0/8 ::1\n"),
                         (["--allow", "10.0.0.0/8", "--allow", "::1"],
                          "allow = 10.0.0.0/8\nallow = ::1\n"),
                         (["--allow", "all"], "allow = all\n")):
        done = run("forward", "--listen", "127.0.0.1:3128", *flags, "--print")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith(allow)
        ini = tmp_path / "x.ini"
        ini.write_text(done.stdout)
        assert run("-t", "-c", ini).returncode == 0


@pytest.mark.parametrize("flags, rc, words", [
    ([], 2, "usage: gatehouse forward"),
    (["--listen"], 2, "usage: gatehouse forward"),
    (["--listen", ":1", "--listen", ":2"], 2, "usage: gatehouse forward"),
    (["--listen", ":1", "x"], 2, "usage: gatehouse forward"),
    (["--listen", ":1", "--allow", "me"], 2, "no network"),
    (["--listen", ":1", "--allow", "10.0.0.1/8"], 2, "no network"),
    (["--listen", "nonsense", "--print"], 1, "address = nonsense"),
    (["--listen", ":1\nnope = 1", "--print"], 1, "unknown key 'nope'")])
def test_forward_judges_its_flags(flags, rc, words):
    done = run("forward", *flags)
    assert (done.returncode, done.stdout) == (rc, "")
    assert words in done.stderr


def test_output_that_cannot_be_written_is_an_error(tmp_path):
    """-T to a full disk must not look complete."""
    ini = tmp_path / "x.ini"
    ini.write_text("[site s]\nrespond = 200 x\n")
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    for args in (["-T", "-c", str(ini)], ["-t", "-c", str(ini)], ["-V"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([BINARY, *args], stdout=full, check=False,
                                  timeout=WAIT_S)
        assert done.returncode == 1, args
