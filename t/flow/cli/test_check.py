"""-t and -T."""
import re

import pytest

from lib.gatehouse import run

SITE = "[site s]\nrespond = 200 x\n"


def test_a_valid_file_is_said_to_be_so(check):
    """-t: status 0, one line, nothing on standard error."""
    done = check(SITE)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r".*/x\.ini: configuration is valid\n", done.stdout)


def test_files_that_could_not_be_written_are_warned_of(check, tmp_path):
    """-t: pid_file and logs; nothing is made by looking."""
    done = check(f"[global]\npid_file = {tmp_path}/no/pid\n"
                 f"[log access]\npath = {tmp_path}/access.log\n"
                 f"[log error]\npath = {tmp_path}/none/error.log\n" + SITE)
    assert done.returncode == 0
    for line, name in ((2, "no/pid"), (6, "none/error.log")):
        assert re.search(rf"x.ini:{line}:\d+: warning: {tmp_path}/{name} could "
                         "not be written here: No such file", done.stderr)
    assert done.stderr.count("warning") == 2
    assert not (tmp_path / "access.log").exists()


@pytest.mark.parametrize("ini, line", [
    ("[admin]\nlisten = unix:{no}/a.sock\n", 2),
    ("[listen x]\naddress = 127.0.0.1:1 unix:{no}/b.sock\n", 2),
    ("[global]\nquota_file = {no}/quotas\n", 2),
    ("[waf w]\nrules = {dir}/rules\naudit_log = {no}/audit\n", 3)])
def test_what_a_start_would_make_is_looked_for(check, tmp_path, ini, line):
    """-t: whoever starts it would be refused, or could not write."""
    (tmp_path / "rules").write_text("SecRuleEngine On\n")
    for folder, n in (("none", 1), ("there", 0)):
        (tmp_path / "there").mkdir(exist_ok=True)
        done = check(ini.replace("{no}", f"{tmp_path}/{folder}")
                     .replace("{dir}", str(tmp_path)) + SITE)
        assert done.returncode == 0, done.stderr
        assert len(re.findall(rf"x.ini:{line}:\d+: warning: .* could not be "
                              "written here: No such file", done.stderr)) == n


@pytest.mark.parametrize("ini, told", [
    ("", [(2, "name a file as error_log")]),
    ("error_log = /dev/stderr\n", [(2, "name a file as error_log")]),
    ("[log error]\nlevel = info\n", [(2, "name a file as error_log")]),
    ("error_log = {dir}/e\n[log access]\npath = stdout\n",
     [(5, "nobody reads this")]),
    ("[log error]\npath = stderr\n", [(4, "nobody reads this")]),
    ("[log error]\npath = {dir}/e\n[log access]\npath = {dir}/a\n", [])])
def test_streams_that_nobody_sees_are_warned_of(check, tmp_path, ini, told):
    """daemon = on: nothing goes out by the streams of the process."""
    text = ini.replace("{dir}", str(tmp_path)) + SITE
    done = check("[global]\ndaemon = on\n" + text)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"x.ini:(\d+):\d+: warning: .*?(name a file as error_log|"
                       "nobody reads this)", done.stderr)
    assert [(int(line), words) for line, words in found] == told
    assert "warning" not in check("[global]\ndaemon = off\n" + text).stderr


def test_all_problems_in_one_run_with_places_and_carets(check):
    """-t: status 1; readers', names' and compilers' problems, in the file's
    order, each with file:line:column, its line, a caret, a suggestion."""
    done = check("[global]\nworkres = 2\nworker_watchdog = 10\n"
                 "[upstream app]\nbalence = x\nserver = a:1\n"
                 "[site s]\nupstream = ap\n[route s ~ ^/(]\nrespond = 200 x\n")
    assert done.returncode == 1
    assert done.stdout == ""
    text = re.sub(r"(?m)^\S*/x\.ini", "x.ini", done.stderr)
    assert text == (
        "x.ini:2:1: error: unknown key 'workres' in [global]; did you mean "
        "'workers'?\n    2 | workres = 2\n      | ^~~~~~~\n"
        "x.ini:3:19: error: worker_watchdog = 10: a duration needs a unit, "
        "for example 10s (10 what? write 10s)\n"
        "    3 | worker_watchdog = 10\n      |                   ^~\n"
        "x.ini:5:1: error: unknown key 'balence' in [upstream app]; did you "
        "mean 'balance'?\n    5 | balence = x\n      | ^~~~~~~\n"
        "x.ini:8:12: error: [site s]: upstream 'ap' is not defined; did you "
        "mean 'app' (line 4)?\n    8 | upstream = ap\n"
        "      |            ^~\n"
        + text[text.index("x.ini:9:"):])
    assert "x.ini:9:15: error: the regex is malformed" in text
    assert text.endswith("\n5 errors\n")


@pytest.mark.parametrize("ini", [
    SITE, "[site a.example]\nupstream = 127.0.0.1:1\n",
    "[global]\nworkers = auto\nshutdown_timeout = none\n"
    "[log access]\npath = /x\nformat = {path} ; # \"q\"\nbuffer = none\n"
    "[listen a]\naddress = :80 [::1]:81 unix:/s\n"
    "trusted_proxies = 10.0.0.0/8 ::1\nproxy_protocol = on\n"
    "[defaults]\nmax_body = 1536k\ntimeout = 1h30m\n"
    "[site s]\nhosts = \"a.b\" *.c .d\nupstream = u\n"
    "[route s /x]\nstrip_prefix = /x\n"
    "[route s =/a]\nredirect = 301 https://{host}{path}\n"
    "[route s ~ ^/[a-z;#]+$]\nrespond = 200 a ; b  #c\n"
    "[upstream u]\nserver = h:1 weight=2 backup\nserver = unix:/o\n"
    "retry = none\n[upstream u]\nextend = on\nserver = i:2\n",
], ids=["small", "implied", "everything"])
def test_the_effective_configuration_reads_as_itself(check, ini, tmp_path):
    """-T: its output is a configuration whose -T is the same text."""
    first = check(ini, "-T")
    assert (first.returncode, first.stderr) == (0, "")
    again = tmp_path / "again.ini"
    again.write_text(first.stdout)
    second = run("-T", "-c", again)
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout == first.stdout


def test_the_dump_of_a_bad_file_is_no_dump(check):
    """-T: status 1, the problems, no output to mistake for a good one."""
    done = check("[site s]\n", "-T")
    assert (done.returncode, done.stdout) == (1, "")
    assert "1 error" in done.stderr


def test_variables_come_from_the_environment(check):
    """${VAR}, ${VAR:-default}, $${ and an unset one (CONFIG, grammar)."""
    ini = "[site s]\nrespond = 200 ${GH_A}-${GH_B:-dflt}-${GH_C:-}-$${X}\n"
    done = check(ini, "-T", env={"GH_A": "aa"})
    assert "respond = 200 aa-dflt--" in done.stdout
    done = check(ini, env={"GH_A": "aa", "GH_B": "bb", "GH_C": "cc"})
    assert done.returncode == 0
    done = check("[site s]\nrespond = 200 ${GH_NOT_SET}\n")
    assert done.returncode == 1
    assert ":2:15: error:" in done.stderr
    assert "GH_NOT_SET" in done.stderr


def test_includes(check, tmp_path):
    """Patterns in order, a pattern without match, a missing file, a cycle, a
    file that begins with no section; messages cite the real file."""
    done = check("[global]\ninclude = a*.ini none*.ini\n",
                 **{"a1.ini": SITE, "a2.ini": "[route s /b]\nnope = 1\n"})
    assert done.returncode == 1
    assert f"{tmp_path}/a2.ini:2:1: error: unknown key 'nope'" in done.stderr
    done = check("[global]\ninclude = gone.ini\n" + SITE)
    assert f"cannot read '{tmp_path}/gone.ini': No such file" in done.stderr
    done = check("[global]\ninclude = b.ini\n" + SITE,
                 **{"b.ini": "[global]\ninclude = c.ini\n",
                    "c.ini": "[global]\ninclude = x.ini\n"})
    assert f"{tmp_path}/c.ini:2:11: error: include: a cycle" in done.stderr
    done = check("[global]\ninclude = d.ini\n" + SITE,
                 **{"d.ini": "respond = 200 x\n"})
    assert "an included file begins with one" in done.stderr
