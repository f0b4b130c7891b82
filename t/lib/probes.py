"""What an engine makes of odd requests: rules that log each value of each variable,
and what each transformation makes of it, byte by byte; and seeded requests that
are odd in every part that a rule can see. Two engines are alike when they log the
same of each."""
import collections
import pathlib
import random
import re

from .benign import Case
from .modsec import RuleSet

TRANSFORMATIONS = (
    "none base64Decode base64DecodeExt base64Encode cmdLine compressWhitespace "
    "cssDecode escapeSeqDecode hexDecode hexEncode htmlEntityDecode jsDecode "
    "length lowercase md5 normalizePath normalizePathWin removeComments "
    "removeCommentsChar removeNulls removeWhitespace replaceComments "
    "replaceNulls sha1 sqlHexDecode trim trimLeft trimRight urlDecode "
    "urlDecodeUni urlEncode utf8toUnicode").split()
CHAINS = ("utf8toUnicode,t:urlDecodeUni,t:lowercase",
          "urlDecodeUni,t:htmlEntityDecode,t:jsDecode,t:cssDecode",
          "base64Decode,t:urlDecodeUni,t:removeNulls",
          "urlDecodeUni,t:cmdLine,t:normalizePathWin",
          "escapeSeqDecode,t:hexDecode,t:trim")
VARIABLES = (
    "ARGS ARGS_NAMES ARGS_GET ARGS_POST ARGS_GET_NAMES ARGS_POST_NAMES "
    "ARGS_COMBINED_SIZE FILES FILES_NAMES FILES_SIZES FILES_COMBINED_SIZE "
    "MULTIPART_BOUNDARY_QUOTED MULTIPART_BOUNDARY_WHITESPACE "
    "MULTIPART_CRLF_LF_LINES MULTIPART_DATA_AFTER MULTIPART_DATA_BEFORE "
    "MULTIPART_FILENAME MULTIPART_HEADER_FOLDING "
    "MULTIPART_INVALID_HEADER_FOLDING MULTIPART_INVALID_PART "
    "MULTIPART_INVALID_QUOTING MULTIPART_LF_LINE MULTIPART_MISSING_SEMICOLON "
    "MULTIPART_NAME MULTIPART_PART_HEADERS MULTIPART_STRICT_ERROR "
    "MULTIPART_UNMATCHED_BOUNDARY QUERY_STRING REQBODY_ERROR REQBODY_PROCESSOR "
    "REQUEST_BASENAME REQUEST_BODY REQUEST_BODY_LENGTH REQUEST_COOKIES "
    "REQUEST_COOKIES_NAMES REQUEST_FILENAME REQUEST_HEADERS:X-Odd REQUEST_LINE "
    "REQUEST_URI REQUEST_URI_RAW URLENCODED_ERROR XML:/* XML://@*").split()
# How a text may be looked at, by operators whose answers say most.
OPERATORS = (
    "@validateByteRange 32-126", "@validateUtf8Encoding", "@validateUrlEncoding",
    "@rx ^.{3,}$", "@rx (?i)[a-z]+\\\\s*=", "@pm select alert <script",
    "@within a,b,ab", "@contains --", "@containsWord or", "@beginsWith /",
    "@endsWith =", "@streq a", "@eq 1", "@gt 5", "@lt 3",
    "@verifyCC \\\\d{13,16}")

FRAGMENTS = (
    b"%", b"%2", b"%41", b"%zz", b"%u0041", b"%uFF1C", b"%u2019", b"%00", b"%25",
    b"%c0%af", b"+", b"&lt;", b"&#x41;", b"&#65", b"&#0;", b"&quot", b"&amp;",
    b"&nbsp;", b"\\u0041", b"\\x41", b"\\101", b"\\n", b"\\", b"\\\\", b"\\0",
    b"\\65 ", b"\\00003c", b"\\8", b"/*", b"*/", b"--", b"#", b"<!--", b"-->",
    b"/../", b"/./", b"//", b"..", b"..\\", b" ", b"\t", b"\n", b"\r", b"\x0b",
    b"\xa0", "é".encode(), "中".encode(), "’".encode(), "🙂".encode(), b"\xc3",
    b"\xed\xa0\x80", b"\xf8\x88", b"\xff", b"\x00", b"A", b"select", b"^", b'"',
    b"'", b",", b";", b"=", b"0x41", b"0X4g", b"4111 1111 1111 1111", b"YWJj",
    b"YQ==", b"Y W\nJj", b"414243", b"or", b"<script", b"a", b"1", b"-7")


def rules():
    """SecLang; each message is in hexadecimal digits."""
    asked = [f'SecRule ARGS:a "@unconditionalMatch" "id:{1000 + i},phase:2,'
             f"pass,log,t:none,t:{t},t:hexEncode,logdata:'%{{MATCHED_VAR}}'\""
             for i, t in enumerate((*TRANSFORMATIONS, *CHAINS))]
    asked += [f'SecRule ARGS:a "@rx ." "id:{1100 + i},phase:2,pass,log,multiMatch,'
              f"t:none,t:{t},logdata:'x'\""
              for i, t in enumerate((*TRANSFORMATIONS[1:], *CHAINS))]
    asked += [f'SecRule ARGS:a "{op}" "id:{1200 + i},phase:2,pass,log,t:none,'
              f"logdata:'x'\"" for i, op in enumerate(OPERATORS)]
    asked += [f'SecRule {v} "@unconditionalMatch" "id:{2000 + i},phase:2,pass,log,'
              f"t:none,t:hexEncode,logdata:'%{{MATCHED_VAR}}'\""
              for i, v in enumerate(VARIABLES)]
    asked += [f'SecRule {v} "@unconditionalMatch" "id:{2100 + i},phase:2,pass,log,'
              "t:none,logdata:'%{MATCHED_VAR}',chain\"\n"
              'SecRule MATCHED_VARS_NAMES "@unconditionalMatch" '
              '"t:none,t:hexEncode"' for i, v in enumerate(VARIABLES)
              if v.startswith(("ARGS", "REQUEST_C", "FILES", "MULTIPART_P"))
              and not v.endswith("SIZE")]
    return "\n".join(asked) + "\n"


class Odd:
    """Pieces of odd requests."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.pick = self.chance.choice

    def text(self, n=5):
        return b"".join(self.chance.choices(
            FRAGMENTS, k=self.chance.randint(0, n)))

    def escaped(self, text, keep=b""):
        """As it may stand in a form: some bytes must be escaped, others are."""
        out = b""
        for byte in text:
            char = bytes([byte])
            must = byte <= 32 or byte >= 127 or char in b'"<>\\^`{|}#&=+;'
            out += (b"%%%02x" % byte if must and char not in keep
                    and self.chance.random() < 0.95 or
                    self.chance.random() < 0.05 else char)
        return bytes(b for b in out if 32 < b < 127 and b not in b"#")

    def pairs(self):
        each = [b"a=" + self.escaped(self.text(8))]
        for _ in range(self.chance.randint(0, 2)):
            each.append(self.pick((b"", b"a", b"=", b"b=", b"a=1", b"==", b"=x",
                                   self.escaped(self.text(2), b"=+;") + b"=" +
                                   self.escaped(self.text(3), b"=+"))))
        return b"&".join(self.chance.sample(each, len(each)))

    def cookie(self):
        each = [self.pick((b"a=1", b"b", b"=x", b"", b" c = d ", b"e=f=g",
                           b"a=%41%zz", b'q="x;y"', b"$Version=1",
                           b"k=" + self.line(3)))
                for _ in range(self.chance.randint(1, 4))]
        return self.pick((b"; ", b";", b" ;", b",")).join(each)

    def line(self, n):
        """What may stand in a field."""
        return bytes(b for b in self.text(n) if b >= 32 and b != 127).strip()

    def json(self, depth=3):
        if depth == 0 or self.chance.random() < 0.4:
            return self.pick((b"1", b"-2.50", b"1e3", b"true", b"null", b'""',
                              b'"x y"', b'"\\u00e9\\n"', b'"\\u0000"',
                              b'"a\\/b"', b'"' + bytes(
                                  b for b in self.line(2)
                                  if b not in b'"\\') + b'"'))
        # what is empty differs on purpose (doc/waf.md)
        inside = [self.json(depth - 1)
                  for _ in range(self.chance.randint(1, 3))]
        if self.chance.random() < 0.5:
            return b"[" + b", ".join(inside) + b"]"
        return b"{" + b",".join(
            b'"' + self.pick((b"a", b"b c", b"", b"d.e", b"a")) + b'":' + one
            for one in inside) + b"}"

    def broken(self, text, share=0.25):
        """The same, or without a piece, or with one more."""
        if self.chance.random() > share:
            return text
        at = self.chance.randint(0, len(text))
        end = min(len(text), at + self.chance.randint(0, 3))
        return text[:at] + self.pick((b"", b"x", b'"', b"\n", b" ")) + text[end:]

    def multipart(self):
        """(type, content)"""
        mark = self.pick((b"xYz", b"----b1", b"a b", b"''"))
        said = self.pick((mark, mark, mark, b'"' + mark + b'"', b" " + mark,
                          mark + b" ", mark + b"; charset=utf-8"))
        end = self.pick((b"\r\n",) * 8 + (b"\n",))
        body = self.pick((b"",) * 6 + (b"before" + end,))
        for _ in range(self.chance.randint(1, 3)):
            body += b"--" + mark + end + self.part(end)
        body += b"--" + mark + self.pick((b"--",) * 8 + (b"", b"-")) + end
        body += self.pick((b"",) * 6 + (b"after" + end, end))
        return (b"multipart/form-data" + self.pick((b"; ",) * 6 + (b";", b" ")) +
                b"boundary=" + said, body)

    def part(self, end):
        q = self.pick((b'"',) * 6 + (b"'", b""))
        head = b"Content-Disposition: form-data; name=" + q + self.pick(
            (b"a", b"b", b"a b", b"c\\'d", b'e\\"f', b"g%22", b"")) + q
        head += self.pick((b"",) * 4 + (
            b"; filename=" + q + self.pick((b"x.txt", b"", b"a;b", b"../x",
                                            "é".encode())) + q,
            b"; filename*=utf-8''x", b" ; x=y", b";"))
        more = self.pick((b"",) * 4 + (
            b"Content-Type: text/plain" + end, b"X-A: b" + end + b" c" + end,
            b"bad" + end, b"Content-Type:text/x" + end + b"Content-Type: y" +
            end))
        value = self.pick((self.text(4), self.text(2) + end + self.text(2), b"",
                           end, b"--", self.text(1) + b"\n"))
        return head + end + more + end + value + end

    def content(self):
        kind = self.pick("form form json json multipart multipart multipart xml "
                         "other".split())
        if kind == "form":
            return b"application/x-www-form-urlencoded", self.pairs()
        if kind == "json":
            return b"application/json", self.broken(self.json())
        if kind == "multipart":
            made, body = self.multipart()
            return made, self.broken(body, 0.1)
        if kind == "xml":
            return b"text/xml", self.broken(
                b"<a x='1' y=\"&lt;2\">t<b>" + bytes(
                    b for b in self.line(2) if 32 <= b < 127 and b not in b"<&")
                + b"</b><!-- c --><![CDATA[d<e]]></a>")
        return b"application/x-odd", self.text(6)

    def path(self):
        return b"/" + b"".join(self.chance.choices(
            (b"a/", b"b.php", b"d/", b"%41", b"%20", b"~", b";x=1", b"'", b"c",
             b"%e4%b8%ad"), k=self.chance.randint(0, 4)))

    def request(self):
        target = self.path()
        if self.chance.random() < 0.7:
            target += b"?" + self.pairs()
        fields = [b"Host: a.test", b"User-Agent: odd", b"Accept: */*",
                  b"X-Odd: " + self.line(4)]
        if self.chance.random() < 0.5:
            fields.append(b"Cookie: " + self.cookie())
        body = b""
        if self.chance.random() < 0.6:
            kind, body = self.content()
            fields.append(b"Content-Type: " + kind)
            fields.append(b"Content-Length: %d" % len(body))
        method = b"POST" if body else b"GET"
        return b"\r\n".join([method + b" " + target + b" HTTP/1.1", *fields, b"",
                             body])


def cases(n, seed=1):
    odd = Odd(seed)
    return [Case(f"odd-{i}", odd.request()) for i in range(n)]


def rule_set(folder):
    """The rules as files in the folder."""
    setup, inside = pathlib.Path(folder) / "setup.conf", \
        pathlib.Path(folder) / "rules"
    inside.mkdir()
    setup.write_text('SecComponentSignature "probes"\n')
    (inside / "probes.conf").write_text(rules())
    return RuleSet("probes", setup, inside)


def data_of(line):
    """What a line of Apache's log has for logdata."""
    found = re.search(r'\[data "(.*?)"\]', line)
    return found.group(1) if found else ""


# The rule that logs REQBODY_ERROR, and what it says of content that is no such.
UNREADABLE = 2000 + VARIABLES.index("REQBODY_ERROR")
IS_UNREADABLE = b"1".hex()


class Comparison:
    """Cases that are HTTP to both and whose messages are alike, and those whose
    are not, by rule. Apart from them, those whose content one of the two does not
    read, which is refused: what variables hold of it is told to nobody."""

    def __init__(self, cases, ours, theirs):
        self.different = collections.defaultdict(list)
        self.n_judged = self.n_alike = self.n_unreadable = 0
        for i, case in enumerate(cases):
            if ours.statuses[i] == theirs.statuses[i] == 200:
                self._add(case, ours.rules[i], theirs.rules[i])

    def _add(self, case, our, their):
        is_alike = True
        if IS_UNREADABLE in (*map(data_of, their.get(UNREADABLE, ())),
                             *(m.rsplit(": ", 1)[1]
                               for m in our.get(UNREADABLE, ()))):
            self.n_unreadable += 1
            return
        for rule in set(our) | set(their):
            mine = sorted(m.rsplit(": ", 1)[1] for m in our.get(rule, ()))
            other = sorted(map(data_of, their.get(rule, ())))
            if mine != other:
                is_alike = False
                self.different[rule].append((case, mine, other))
        self.n_judged += 1
        self.n_alike += is_alike

    def told(self):
        texts = {int(re.search(r"id:(\d+)", text).group(1)): text
                 for text in rules().split("\n") if "id:" in text}
        lines = [f"{self.n_alike} of {self.n_judged} odd requests are alike, "
                 f"{self.n_unreadable} have content that one does not read"]
        for rule, differ in sorted(self.different.items()):
            lines.append(f"  {len(differ)} not by {texts[rule]}")
            for case, mine, other in differ[:3]:
                lines.append(f"    {case.request!r}\n      {mine}\n      {other}")
        return "\n".join(lines)
