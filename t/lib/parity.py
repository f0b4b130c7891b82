"""The same requests before gatehouse's rules and before ModSecurity 2.9's: which
rules logged, at which of the two."""
import collections
import concurrent.futures
import contextlib
import json
import pathlib
import tempfile

from . import crs, modsec
from .procs import until

SENDERS = 4
# What asks last of all, so that all lines of a log are there.
LAST = (b"GET /?q=<script>alert(1)</script>&a=/etc/passwd HTTP/1.1\r\n"
        b"Host: localhost\r\nConnection: close\r\n\r\n")
DETECTORS = ("detectSQLi", "detectXSS")
# Rules over sums of what others found.
SUMS = ((949000, 949999), (959000, 959999), (980000, 980999))
# What both say of a request that is no HTTP to them.
NOT_HTTP = (0, 400, 405, 408, 411, 413, 414, 417, 421, 431, 501, 505)


class Side:
    """What one of them did: statuses by case, {client: {rule: [messages]}}."""

    def __init__(self, statuses, clients, logged):
        self.statuses = statuses
        self.rules = [logged.get(client, {}) for client in clients]


def send_all(port, cases):
    """(statuses, addresses that they were sent from)."""
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        sent = list(pool.map(
            lambda pair: crs.send(port, pair[0], pair[1].request, 30),
            enumerate(cases)))
    last, _ = crs.send(port, len(cases), LAST)
    return [status for _, status in sent], [who for who, _ in sent], last


def messages_of(path):
    """{client: {rule: [messages]}} of gatehouse's audit log."""
    found = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        rules = found.setdefault(entry["client"], {})
        for rule in entry["rule_ids"]:
            rules.setdefault(rule, [])
        for said in entry["messages"]:
            rules[said["id"]].append(f"{said['var']}: {said['data']}")
    return found


@contextlib.contextmanager
def folder_for_all():
    """One that goes away again, in which other users may read."""
    with tempfile.TemporaryDirectory(prefix="gh-parity-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder


def of_gatehouse(start, origin, rules, level, cases, mode="detect"):
    """start: the fixture `gatehouse`, or what is called as it is."""
    with folder_for_all() as folder:
        engine, files = modsec.written(folder, rules, level, mode == "block")
        gh = start(modsec.GATEHOUSE, origin=origin, mode=mode, engine=engine,
                   rules=" ".join(map(str, files)))
        statuses, clients, last = send_all(gh.port, cases)
        log = gh.dir / "waf.log"
        until(lambda: f'"{last}"' in log.read_text(), what="the last line")
        return Side(statuses, clients, messages_of(log))


def of_apache(origin, rules, level, cases):
    with folder_for_all() as folder:
        apache = modsec.Apache(folder, origin, rules, level)
        try:
            statuses, clients, last = send_all(apache.port, cases)
            until(lambda: f"[client {last}:" in apache.log.read_text(
                errors="replace"), what="the last line")
            return Side(statuses, clients, apache.logged())
        finally:
            apache.close()


def is_sum(rule):
    return any(low <= rule <= high for low, high in SUMS)


class Comparison:
    """Cases by what came of them: equal, of the detectors alone, different,
    and refused as no HTTP by one of the two or by both."""

    def __init__(self, rules, cases, ours, theirs):
        self.detectors = rules.rules_with(DETECTORS)
        self.kinds = collections.defaultdict(list)
        self.rules = collections.Counter()
        for case, our, their, status, other in zip(
                cases, ours.rules, theirs.rules, ours.statuses,
                theirs.statuses):
            self._add(case, our, their, (status, other))

    def _add(self, case, our, their, statuses):
        more, less = set(our) - set(their), set(their) - set(our)
        kind = self._kind(more | less, statuses)
        self.kinds[kind].append((case, more, less, statuses, our, their))
        if kind == "different":
            self.rules.update(f"+{r}" for r in more if not is_sum(r))
            self.rules.update(f"-{r}" for r in less if not is_sum(r))

    def _kind(self, rules, statuses):
        if any(status in NOT_HTTP for status in statuses):
            return "no HTTP"
        if not rules:
            return "equal"
        causes = {r for r in rules if not is_sum(r)}
        return "detectors" if causes and causes <= self.detectors \
            else "different"

    def judged(self):
        """How many count: those that are HTTP to both."""
        return sum(len(v) for k, v in self.kinds.items() if k != "no HTTP")

    def share(self):
        return (len(self.kinds["equal"]) / self.judged()
                if self.judged() else 1.0)

    def told(self):
        lines = [f"  {len(self.kinds[kind]):6} {kind}" for kind in
                 ("equal", "detectors", "different", "no HTTP")]
        lines.append(f"  {100 * self.share():.3f} % equal")
        for kind in ("detectors", "different"):
            for case, more, less, _, our, their in self.kinds[kind]:
                lines.append(f"  {kind}: {case.name} +{sorted(more)} "
                             f"-{sorted(less)}")
                said = [m for r in sorted(more | less) if not is_sum(r)
                        for m in (our.get(r) or their.get(r) or [""])[:1]]
                lines += [f"    {one[:300]}" for one in said]
        return "\n".join(lines)
