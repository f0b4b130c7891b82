"""waf: the sets of rules of the field load as they are, without a word; a map of
code points is read beside them."""
import pytest

from lib import modsec
from lib.gatehouse import run

INI = """
[listen x]
address = 127.0.0.1:8080
[waf w]
{rules}
[site x]
hosts = *
respond = 200 ok
waf = w
"""


@pytest.mark.skipif(not modsec.rule_sets(), reason="no modsecurity-crs")
@pytest.mark.parametrize("rules", modsec.rule_sets(), ids=lambda s: s.name)
@pytest.mark.parametrize("paranoia", [1, 4])
def test_a_set_loads_without_a_word(tmp_path, rules, paranoia):
    ini = tmp_path / "g.ini"
    ini.write_text(INI.format(rules=f"setup = {rules.setup}\n"
                              f"rules = {rules.folder}\n"
                              f"paranoia = {paranoia}"))
    done = run("-t", "-c", str(ini))
    assert (done.returncode, done.stderr) == (0, "")


MAP = "20127 (US-ASCII)\n00ab:3c ff1c:3c\n"
RULES = r"""
SecUnicodeMapFile unicode.mapping 20127
SecRule ARGS "@streq <script" "id:1,phase:2,deny,log,t:urlDecodeUni"
SecRule ARGS "@streq <b" "id:2,phase:2,deny,log,t:utf8toUnicode,t:urlDecodeUni"
"""


@pytest.mark.parametrize("arg, status", [
    ("%25uff1cscript", 3), ("%25u00abscript", 3), ("%25uff1dscript", 0),
    ("%EF%BC%9Cb", 3), ("%EF%BC%9Db", 0)])
def test_a_map_says_what_a_code_point_is(tmp_path, arg, status):
    (tmp_path / "r.conf").write_text(RULES)
    (tmp_path / "unicode.mapping").write_text(MAP)
    ini = tmp_path / "g.ini"
    ini.write_text(INI.format(rules=f"rules = {tmp_path}/r.conf"))
    raw = tmp_path / "raw"
    raw.write_bytes(f"GET /?a={arg} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    done = run("waf", "test", "-c", str(ini), "--request", str(raw))
    assert done.returncode == status, done.stdout + done.stderr
