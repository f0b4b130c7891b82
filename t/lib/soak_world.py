"""What the soak of the cache knows: things, their versions, who was given what
and when, what was purged. Every byte is computed from thing, variant and
version, so that each answer can be judged."""
import bisect
import collections
import hashlib
import itertools
import random
import threading
import time

from .soak_day import STALES_S, TTLS_S, short

SIZE_MIN, SIZE_MAX = 100, 2 << 20
SLICE = 1 << 16
HOST = "soak.test"
FOLDERS, TAGS = 8, 16
# Date and Age count whole seconds, and each may be cut off.
SLACK_S = 2
# So long after a cause the last of those it concerned may still be told.
GRACE_S = 10
# So long ago an origin may have ended what is waited for.
ENDED_S = 1
VERSIONS_KEPT = 50
JOURNAL = 60
LANGUAGES = (None, "de", "en", "fr, de", "DE , fr")
CODINGS = (None, "gzip", "br", "gzip, br", "BR,gzip")


class Wrong(Exception):
    """An answer that no cache may give."""


def number(*what):
    """A number that depends on these and nothing else."""
    digest = hashlib.blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def normal(value):
    """Members in any order, case and spacing are the same variant."""
    if value is None:
        return "none"
    return "+".join(sorted(m.strip().lower() for m in value.split(",")))


class Thing:
    """One URL: how it may be kept, and what it is made of."""

    def __init__(self, seed, index, day):
        r = random.Random(f"{seed} thing {index}")
        self.index, self.seed = index, seed
        self.path = f"/f{index % FOLDERS}/{index}"
        self.tag = f"t{index % TAGS}"
        self.ttl = day.whole_s(r.choice(TTLS_S))
        self.stale = day.whole_s(r.choice(STALES_S))
        self.how = r.choice(("max-age", "max-age", "s-maxage", "expires",
                             "cdn"))
        self.is_own = r.random() < 0.08
        self.own_word = r.choice(("private", "no-store"))
        self.etag_form = r.choice(("strong", "strong", "weak", "none"))
        self.vary = r.choice((None, None, None, "Accept-Language",
                              "Accept-Encoding"))
        self.framing = r.choice(("length", "length", "chunked"))
        self.takes_ranges = r.random() < 0.5
        self.status = r.choice((200,) * 12 + (404, 203))
        self.size = int(SIZE_MIN * (SIZE_MAX / SIZE_MIN) ** r.random())
        self.journal = collections.deque(maxlen=JOURNAL)
        self.version = 1
        self.published = collections.deque(maxlen=JOURNAL)
        # {variant: {version: when the origin last said that it is current}}
        self.given = collections.defaultdict(dict)
        # (when it was over, since when what is older must be gone, whether
        # only what may not be used stale)
        self.purges = collections.deque(maxlen=JOURNAL)
        self.faults = collections.deque(maxlen=JOURNAL)
        # connections that ended in the place of an answer
        self.ends = collections.deque(maxlen=JOURNAL)

    def size_of(self, variant, version):
        least = max(SIZE_MIN, self.size // 2)
        return least + number(self.index, variant, version) % (
            self.size - least + 1)

    def etag(self, variant, version):
        text = f'"{self.index}.{variant}.{version}"'
        return "W/" + text if self.etag_form == "weak" else text

    def caching_fields(self):
        """Lines that say how long it may be kept."""
        if self.is_own:
            return [("Cache-Control", f"{self.own_word}, max-age=60")]
        stale = f", stale-while-revalidate={self.stale}" if self.stale else ""
        if self.how == "expires":
            end = time.gmtime(time.time() + self.ttl)
            return [("Expires",
                     time.strftime("%a, %d %b %Y %H:%M:%S GMT", end))] + (
                         [("Cache-Control", stale[2:])] if stale else [])
        value = f"{self.how}={self.ttl}{stale}"
        if self.how == "s-maxage":
            value += ", max-age=0"
        if self.how == "cdn":
            return [("Cache-Control", "max-age=0"),
                    ("CDN-Cache-Control", f"max-age={self.ttl}" + stale)]
        return [("Cache-Control", value)]


class World:
    """All things, and what happened to them. Every method may be called by any
    thread; times are time.monotonic()."""

    def __init__(self, seed, day=None, n_things=300):
        self.seed, self.day = seed, day or short()
        self.things = [Thing(seed, i, self.day) for i in range(n_things)]
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.wrongs = []
        self.kills = []
        self.journal = collections.deque(maxlen=JOURNAL)
        self.counts = collections.Counter()
        self.nonces = itertools.count(1)
        self.pool = random.Random(f"{seed} pool").randbytes(
            SIZE_MAX + (1 << 20))
        weights = itertools.accumulate(1 / (i + 1) ** 0.9
                                       for i in range(n_things))
        self.weights = list(weights)
        self.ranks = list(range(n_things))
        random.Random(f"{seed} ranks").shuffle(self.ranks)

    def choose(self, rng):
        """A thing, as Zipf has it."""
        at = rng.random() * self.weights[-1]
        return self.things[self.ranks[bisect.bisect(self.weights, at)]]

    def count(self, what, n=1):
        with self.lock:
            self.counts[what] += n

    def note(self, thing, text):
        """To the journal of a thing, or of the world."""
        thing.journal.append(f"{time.monotonic():.3f} {text}")

    def content(self, thing, variant, version):
        head = f"{thing.path} {variant} {version}\n".encode()
        size = thing.size_of(variant, version)
        at = number(self.seed, thing.index, variant, version) % (
            len(self.pool) - size)
        return (head + self.pool[at:at + size])[:size]

    # what happens at the origin
    def give(self, thing, variant):
        """The current version, said now."""
        with self.lock:
            given = thing.given[variant]
            given[thing.version] = time.monotonic()
            for old in sorted(given)[:-VERSIONS_KEPT]:
                del given[old]
            return thing.version

    def publish(self, thing):
        """A new version; returns since when."""
        with self.lock:
            thing.version += 1
            thing.published.append(time.monotonic())
            self.note(thing, f"published {thing.version}")
            return time.monotonic()

    def fault(self, thing, what):
        with self.lock:
            self.note(thing, f"fault {what}")
            thing.faults.append(time.monotonic())
            if what == "end":
                thing.ends.append(time.monotonic())
            self.counts["faults"] += 1

    # what happens to the cache
    def purged(self, things, since, is_soft, what):
        """Over now: what the origin gave before `since` must be gone, or, if
        it was soft, not be used but stale."""
        now = time.monotonic()
        with self.lock:
            for thing in things:
                thing.purges.append((now, since, is_soft))
                self.note(thing, f"{what} since {since:.3f} is over")
            self.counts[what] += 1

    def killed(self, pid):
        with self.lock:
            self.note(self, f"kill {pid}")
            self.kills.append(time.monotonic())
            self.counts["kills"] += 1

    def is_explained(self, thing, begun):
        """Whether something happened that lets an answer fail which was asked
        for at `begun`."""
        with self.lock:
            return any(t >= begun - GRACE_S
                       for t in (*self.kills[-1:], *thing.faults))

    def may_be_two(self, thing, asked):
        """Whether slices of it are kept that the origin cannot add to any
        more: an answer out of them ends where one is missing."""
        if thing.etag_form != "strong" or not thing.takes_ranges or \
                thing.size <= SLICE:
            return False
        with self.lock:
            since = asked - thing.ttl - thing.stale - SLACK_S
            return any(t >= since for t in thing.published)

    # what comes out
    def oldest(self, thing, asked):
        """The earliest moment that a version served to a request of then may
        have been current at."""
        if thing.is_own:
            return asked
        at = asked - thing.ttl - thing.stale - SLACK_S
        for over, since, is_soft in thing.purges:
            if over < asked and not (is_soft and thing.stale):
                at = max(at, since)
        return at

    @staticmethod
    def may_stand_in(thing, given, asked):
        """Whether what was given then may answer in the place of an origin that
        says nothing (RFC 9111 4.2.4): it is not forbidden, nor purged."""
        return not thing.is_own and thing.how != "s-maxage" and \
            any(t >= asked - ENDED_S for t in thing.ends) and \
            all(is_soft or over >= asked or given >= since
                for over, since, is_soft in thing.purges)

    def judge_version(self, thing, variant, version, asked):
        with self.lock:
            given = thing.given[variant].get(version)
            oldest = self.oldest(thing, asked)
            if given is not None and given < oldest and \
                    self.may_stand_in(thing, given, asked):
                self.counts["stale for want of an origin"] += 1
                return
        if given is None:
            raise Wrong(f"version {version} of {variant} was never given")
        if given < oldest:
            raise Wrong(
                f"version {version} of {variant}, last given at {given:.3f}, "
                f"to a request of {asked:.3f}: must be of {oldest:.3f} or "
                f"later; now {thing.version}")

    def wrong(self, thing, text):
        """The first ends the run."""
        lines = [f"{thing.path if thing else 'soak'}: {text}"]
        if thing:
            lines += [f"{key}={value}" for key, value in vars(thing).items()
                      if isinstance(value, (str, int, float))]
            lines += sorted([*thing.journal, *self.journal])
        with self.lock:
            self.wrongs.append("\n  ".join(lines))
        self.over.set()
