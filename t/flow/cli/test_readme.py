"""README: what it tells a newcomer to do works, what it names is there."""
import re
import shlex

import pytest

from lib.gatehouse import TOP, run

README = (TOP / "README").read_text()
FOLDERS = ("bench", "common", "doc", "etc", "master", "t", "worker", ".ci")
NAME = re.compile(r"(?<![\w./-])((?:%s)(?:/[\w.*-]+)*)(?![\w/])" %
                  "|".join(map(re.escape, FOLDERS)))
SIX_LINES = 6


def part(title):
    """The text under a heading."""
    return re.search(rf"^{re.escape(title)}\n-+\n(.*?)(?=^[^\n]+\n-+\n|\Z)",
                     README, re.M | re.S).group(1)


def example(title, start):
    """The indented block of a part that starts with this."""
    lines = part(title).split("\n")
    first = lines.index("    " + start)
    block = []
    for line in lines[first:]:
        if line and not line.startswith("    "):
            break
        block.append(line[4:])
    return "\n".join(block).strip() + "\n"


FIRST = example("A configuration", "[site example.com]")
RULE = example("A configuration", "[rule example.com downloads]")


@pytest.mark.parametrize("title", [
    "Set-up", "A configuration", "Where do I add X?", "Map of the tree"])
def test_each_path_is_there(title):
    """A file or folder that README names exists; * stands for some."""
    names = {n.rstrip(".") for n in NAME.findall(part(title))}
    missing = [n for n in names if not list(TOP.glob(n))]
    assert names or title == "Set-up"
    assert missing == []


def test_each_folder_is_on_the_map():
    """Every folder of sources has its line, and so has each at the top."""
    lines = part("Map of the tree").split("\n")
    told = {line.split()[0] for line in lines if line.startswith("    ") and
            not line.startswith("     ")}
    there = {str(p.relative_to(TOP)) for folder in ("common", "worker")
             for p in (TOP / folder).iterdir()
             if p.is_dir() and list(p.glob("*.[ch]"))}
    # one line of the map holds several of the top
    tops = set(re.findall(r"(?:^|\s\s)(\S+)\s\s", "\n".join(lines)))
    assert there - told == set()
    assert {"master", "t", "bench", "doc", "etc"} <= told | tops


def test_the_first_configuration_is_good(check):
    """Six lines that -t accepts without a word."""
    assert FIRST.count("\n") == SIX_LINES
    done = check(FIRST)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_configuration_serves(gatehouse, origin):
    """The same lines in front of two servers, on a port of this test."""
    ports = re.findall(r"127\.0\.0\.1:(\d+)", FIRST)
    origins = [origin(), origin()]
    ini = FIRST
    for port, o in zip(ports, origins, strict=True):
        ini = ini.replace(f"127.0.0.1:{port}", o.address)
    gh = gatehouse(ini + "[listen x]\naddress = 127.0.0.1:{port}\n")
    with gh.client() as c:
        answers = [c.get(host="example.com").status for _ in ports]
    assert answers == [200, 200]
    assert [len(o.requests) for o in origins] == [1, 1]


def test_the_rule_is_explained(tmp_path):
    """The rule below it, and the command that tells of it."""
    (tmp_path / "shop.ini").write_text(FIRST + RULE)
    line = re.search(r"`gatehouse (explain [^`]+)`", README).group(1)
    words = [str(tmp_path / w) if w == "shop.ini" else w
             for w in shlex.split(line)]
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Content-Disposition" in done.stdout
    assert "downloads" in done.stdout


def test_no_file_at_all(check):
    """`gatehouse reverse` prints, with --print, an INI that -t accepts."""
    line = re.search(r"^    gatehouse (reverse .*)$", README, re.M).group(1)
    done = run(*line.split(), "--print")
    assert (done.returncode, done.stderr) == (0, "")
    done = check(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


def test_each_word_of_the_command_line_is_in_the_help():
    """README and -h tell of the same options and words."""
    usage = run("-h").stdout
    lines = part("Command line").split("\n")
    words = {w for line in lines if line.startswith("    gatehouse ")
             for w in re.findall(r"gatehouse (-\w|\w+)", line)}
    assert {"-t", "-T", "-V", "-h", "-s", "explain", "status"} <= words
    assert [w for w in words if w not in usage] == []


def test_each_signal_has_its_word():
    """The second column of "Signals" is what -s takes."""
    rows = re.findall(r"^    [A-Z]+[12]? +(\w+) ", part("Signals"), re.M)
    words = run("-h").stdout
    assert {"reload", "reopen", "upgrade", "quit", "stop", "drain"} == set(rows)
    assert [w for w in rows if w not in words] == []
