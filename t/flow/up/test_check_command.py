"""`health_check = command /path ...`: a program of the operator says whether a
server is well (doc/config.md), and cannot do more than that."""
import os
import pwd
import time

import pytest

from lib import admin
from lib.commands import Commands, wait_all_gone
from lib.gatehouse import run
from lib.procs import until

OFTEN = "interval=100ms timeout=30s"
ONCE = "interval=1h timeout=30s"
SERVER = "127.0.0.1:9"


@pytest.fixture
def commands():
    made = Commands()
    yield made
    made.close()


# the folder outlives who runs programs there
@pytest.fixture
def checked(commands, front):
    def make(servers, line, **kwargs):
        return front(servers, upstream=f"health_check = {line}\n" +
                     admin.SECTION, **kwargs)
    return make


def health(gh):
    upstream, = admin.status(gh)["upstreams"]
    return {s["address"]: (s["health"], s["why"]) for s in upstream["servers"]}


def wait_health(gh, address, *want):
    until(lambda: health(gh)[address] == want,
          what=f"{address} {want}, it is {health(gh)}")


def test_its_exit_status_is_the_result(checked, commands, named):
    """0: well; anything else: not, and that is said, once."""
    good, bad = named(b"good"), named(b"bad")
    line = commands.make("check", 'echo >>$1/ran.$GH_PORT\n'
                         'exit $(cat $1/$GH_PORT)\n')
    for o in (good, bad):
        commands.say(o.address.rsplit(":", 1)[1], "0")
    port = bad.address.rsplit(":", 1)[1]
    gh = checked([good, bad], f"{line} {OFTEN} rise=2 fall=2")
    until(lambda: commands.read(f"ran.{port}").count("\n") > 2)
    wait_health(gh, bad.address, "up", None)
    commands.say(port, "7")
    wait_health(gh, bad.address, "down", "exit status 7")
    wait_health(gh, good.address, "up", None)
    for _ in range(8):
        with gh.client() as c:
            assert c.get().text == "good"
    commands.say(port, "0")
    wait_health(gh, bad.address, "up", None)
    said = gh.stderr()
    assert said.count("server down") == 1 == said.count("server up")
    assert f'server={bad.address} why="exit status 7"' in said


def test_what_hangs_is_ended_with_all_that_it_began(checked, commands):
    line = commands.make("check", "sleep 1000 &\necho $! >>$1/pids\n"
                         "(trap '' TERM HUP; sleep 1000; sleep 1000) &\n"
                         "echo $! >>$1/pids\necho $$ >>$1/pids\nwait\n")
    gh = checked([SERVER], f"{line} interval=1h timeout=500ms")
    pids = commands.pids("pids", 3)
    wait_health(gh, SERVER, "down", "no answer in time")
    # its end was waited for before that was told
    wait_all_gone(pids)
    assert gh.process.pid not in pids


def test_what_it_leaves_behind_is_ended(checked, commands):
    """It may not go to a session of its own either."""
    line = commands.make("check", "sleep 1000 &\necho $! >$1/pid\n"
                         "setsid true; echo $? >$1/left\nexit 0\n")
    gh = checked([SERVER], f"{line} {ONCE} rise=1")
    pids = commands.pids("pid", 1)
    wait_all_gone(pids)
    assert health(gh)[SERVER] == ("up", None)
    assert commands.read("left").strip() not in ("", "0")


def test_one_that_a_signal_ends_or_that_cannot_run_is_bad(checked, commands):
    line = commands.make("check", "kill -9 $$\n")
    gh = checked([SERVER], f"{line} {ONCE}")
    wait_health(gh, SERVER, "down", "exit status 137")
    (commands.at / "none").write_text("#!/no/such/interpreter\n")
    (commands.at / "none").chmod(0o755)
    gh = checked([SERVER], f"command {commands.at}/none {ONCE}")
    wait_health(gh, SERVER, "down", "exit status 126")


def test_nobody_reads_what_it_prints(checked, commands):
    line = commands.make(
        "check", "head -c 30000000 /dev/zero || exit 1\n"
        "head -c 30000000 /dev/zero >&2 || exit 2\n"
        "read x && exit 3\necho >$1/done\n")
    gh = checked([SERVER], f"{line} {ONCE}")
    until(lambda: commands.read("done"), what="its end")
    wait_health(gh, SERVER, "up", None)
    assert len(gh.stderr()) < 100000


WHERE = {
    "127.0.0.1:9": ("127.0.0.1", "9"),
    "[::1]:9": ("::1", "9"),
    "https://name.test:44": ("name.test", "44"),
    "name.test": ("name.test", "80"),
    "unix:/run/x:1": ("unix:/run/x:1", ""),
    "_http._tcp.name.test": ("_http._tcp.name.test", ""),
}


def test_it_knows_its_server_and_nothing_else(checked, commands):
    """Its words as they are written, four variables, no descriptor of ours."""
    line = commands.make(
        "check", 'cat /proc/$$/environ >"$1/$(echo $GH_SERVER | tr / .)"\n'
        'for x; do echo "$x"; done >$1/args\n'
        "ls -l /proc/$$/fd >$1/fds; pwd >$1/where; cat /proc/$$/status >$1/status"
        "\ncat /proc/$$/limits >$1/limits\necho >>$1/done\n")
    gh = checked(WHERE, f'{line} "two words" $x;y expect=5 {ONCE}',
                 env={"SECRET": "1"}, **{"global": "dns_servers = 127.0.0.1"})
    until(lambda: commands.read("done").count("\n") == len(WHERE))
    for server, (host, port) in WHERE.items():
        env = commands.read(server.replace("/", ".")).split("\0")
        assert set(filter(None, env)) == {
            "GH_UPSTREAM=app", f"GH_SERVER={server}", f"GH_HOST={host}",
            f"GH_PORT={port}"}
    assert commands.read("args").splitlines() == [
        str(commands.at), "two words", "$x;y", "expect=5"]
    fds = {text.split("-> ")[1]
           for text in commands.read("fds").splitlines() if "->" in text}
    # the shell's own are its script and where it writes
    assert {fd for fd in fds if not fd.startswith(str(commands.at))} == {
        "/dev/null"}
    assert commands.read("where") == "/\n"
    facts = dict(text.split(":", 1)
                 for text in commands.read("status").splitlines())
    assert facts["NoNewPrivs"].strip() == "1"
    assert int(facts["CapEff"], 16) == 0 == int(facts["CapPrm"], 16)
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        assert facts["Uid"].split() == [str(user.pw_uid)] * 4
        assert facts["Gid"].split() == [str(user.pw_gid)] * 4
        assert facts["Groups"].split() == []
    limits = commands.read("limits")
    for name, value in (("cpu time", 31), ("core file size", 0),
                        ("open files", 256), ("address space", 1 << 30),
                        ("file size", 1 << 24)):
        text, = (t for t in limits.splitlines() if t.startswith("Max " + name))
        assert str(value) in text.split()
    assert gh.stderr().count("server down") == 0


def test_so_many_at_once_and_no_more(checked, commands):
    """The others wait for their turn; none is lost."""
    n, most = 40, 16
    servers = [f"127.0.0.1:{port}" for port in range(1, n + 1)]
    line = commands.make(
        "check", "echo b >>$1/log\n"
        "while [ ! -e $1/go ]; do sleep 0.05; done\n"
        "echo e >>$1/log\necho $GH_PORT >>$1/done\n")
    gh = checked(servers, f"{line} interval=1s timeout=1m")
    until(lambda: commands.read("log").count("b") >= most)
    begun = time.monotonic()
    # each is due within a second
    until(lambda: admin.status(gh) and time.monotonic() > begun + 1)
    assert commands.read("log").count("b") == most
    commands.say("go", "")
    until(lambda: len(set(commands.read("done").split())) == n,
          what="the turn of each")
    at_once, worst = 0, 0
    for what in commands.read("log").split():
        at_once += 1 if what == "b" else -1
        worst = max(worst, at_once)
    assert worst == most


# `{at}`: a folder with `good`, `plain` (not executable) and `open` (o+w)
WRONG = {
    "command": "15:16: error: health_check: command needs a path",
    "command interval=1s": "15:16: error: health_check: command needs a path",
    "command check.sh": "15:24: error: health_check: command needs a path",
    "command {at}/none": "15:24: error: health_check: {at}/none: No such file",
    "command {at}": "15:24: error: health_check: {at}: it is no file",
    "command {at}/plain": "15:24: error: health_check: {at}/plain: it cannot be exec",
    "command {at}/open": "15:24: error: health_check: {at}/open: everybody may write",
    "command {at}/good interval=1s x": "health_check: unknown word 'x'",
    "command {at}/good rise=0": "health_check: rise=0: at least 1",
    "command {at}/good" + " x" * 32: "a command has at most 32 words",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_run_is_refused(tmp_path, commands, words):
    commands.make("good", "")
    commands.make("plain", "", 0o644)
    commands.make("open", "", 0o757)
    done = check(tmp_path, words.replace("{at}", str(commands.at)))
    assert done.returncode == 1
    assert WRONG[words].replace("{at}", str(commands.at)) in done.stderr


def test_an_argument_that_is_nearly_a_word_of_ours_is_told(tmp_path, commands):
    done = check(tmp_path, commands.make("good", "") + " intervall=2s")
    assert done.returncode == 0
    assert "'intervall=2s' is an argument of the command; 'interval=' is not" \
        in done.stderr


def check(folder, words):
    path = folder / "gatehouse.ini"
    path.write_text(INI % words)
    return run("-t", "-c", path)


INI = """\
[listen x]
address = 127.0.0.1:1





[site x]
hosts = *
upstream = app


[upstream app]
server = 127.0.0.1:9
health_check = %s
"""
