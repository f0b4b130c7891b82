"""The soak of the cache, an hour of it (t/run-soak --day runs the day), and that
its judge sees what no cache may do."""
import random
import time

import pytest

from lib.soak import Soak
from lib.soak_clients import Ask
from lib.soak_day import ACCIDENTS, HOUR_S, Day
from lib.soak_world import SLACK_S, World, Wrong
from lib.wire import Message


@pytest.mark.long
def test_every_byte_is_the_origins(gatehouse):
    """Kills, reloads, upgrades, purges, clients that leave: see lib/soak.py."""
    counts = Soak(gatehouse, random.randrange(1 << 32)).run()
    for what, n in {"kills": 2, "reloads": 1, "upgrades": 1, "answers 200": 1,
                    "answers 206": 1, "answers 304": 1, "sliced answers": 1,
                    "HTTP/2 answers": 1}.items():
        assert counts[what] >= n, (what, counts)


def test_a_day_is_scaled_as_a_whole():
    """Twice as fast is twice as often and half as long; what lives at all
    lives for a second."""
    slow, fast = Day(hour_s=60), Day(hour_s=30)
    rng = [random.Random(1) for _ in range(2)]
    assert slow.pause(rng[0], 100) == 2 * fast.pause(rng[1], 100)
    assert fast.pause(rng[0], 100, 1 / 2) == slow.pause(rng[1], 100)
    assert (slow.seconds, fast.seconds) == (24 * 60, 24 * 30)
    assert slow.whole_s(HOUR_S) == 60 and fast.whole_s(HOUR_S) == 30
    assert fast.whole_s(1) == 1 and fast.whole_s(0) == 0
    times = [at - fast.started for at, _ in fast.accidents()]
    assert times == sorted(times) and 0 < times[0] and times[-1] < 24 * 30
    what = [one for _, one in fast.accidents()]
    assert what.count("upgrade") == 8
    assert all(what.count(one) == 24 * ACCIDENTS.count(one)
               for one in set(ACCIDENTS))


class Scene:
    """A thing of which versions 1 to 3 were given, the last one just now, and
    what a cache would answer."""

    def __init__(self, kind="get", **wanted):
        self.world = World(1)
        self.thing = next(
            t for t in self.world.things if t.status == 200 and t.size > 1000
            and all(getattr(t, k) == v for k, v in
                    {"is_own": False, "etag_form": "strong", "stale": 0,
                     "vary": None, **wanted}.items()))
        self.ask = Ask(self.world, random.Random(1), kind, self.thing)
        self.give(1, age_s=self.thing.ttl + SLACK_S + 1)
        self.give(2)
        self.give(3)

    def give(self, version, age_s=0, variant=None):
        given = self.thing.given[variant or self.ask.variant]
        given[version] = time.monotonic() - age_s

    def content(self, version, variant=None, thing=None):
        return self.world.content(thing or self.thing,
                                  variant or self.ask.variant, version)

    def is_right(self, version, body=None, status=200, **fields):
        """What the judge says of this answer."""
        msg = Message()
        msg.first = f"HTTP/1.1 {status} It".encode()
        variant = self.ask.variant
        for name, value in {
                "X-Thing": f"{self.thing.index} {variant} {version}",
                "ETag": self.thing.etag(variant, version),
                "X-Nonce": self.ask.nonce,
                **{n.replace("_", "-"): v for n, v in fields.items()}}.items():
            msg.fields.append((name.encode(), value.encode()))
        msg.body = self.content(version) if body is None else body
        try:
            self.ask.judge(msg)
        except Wrong:
            return False
        return True


def test_the_judge_lets_right_answers_pass():
    s = Scene()
    assert s.is_right(3) and s.is_right(2)
    assert Scene("head").is_right(3, b"")
    s = Scene("range")
    first, last = s.ask.ranges[0]
    whole = s.content(3)
    assert s.is_right(3)
    if first < len(whole):
        last = min(last, len(whole) - 1)
        assert s.is_right(3, whole[first:last + 1], 206,
                          Content_Range=f"bytes {first}-{last}/{len(whole)}")


def test_the_judge_knows_wrong_content():
    """A byte, an end, another thing, another variant."""
    s = Scene(vary="Accept-Language")
    whole = s.content(3)
    other = next(t for t in s.world.things if t is not s.thing)
    assert not s.is_right(3, whole[:500] + b"?" + whole[501:])
    assert not s.is_right(3, whole[:-1])
    assert not s.is_right(3, whole + b"?")
    assert not s.is_right(3, s.content(2))
    assert not s.is_right(3, s.content(3, thing=other))
    assert not s.is_right(3, s.content(3, variant="xx"))
    assert not s.is_right(3, X_Thing=f"{s.thing.index} xx 3")
    assert not s.is_right(3, X_Thing=f"{other.index} {s.ask.variant} 3")
    assert not s.is_right(3, Content_Length=str(len(whole) - 1))


def test_the_judge_knows_what_is_too_old():
    s = Scene()
    assert not s.is_right(1)
    assert not s.is_right(4), "never given"
    s = Scene()
    s.world.purged([s.thing], time.monotonic(), False, "hard")
    s.ask.asked = time.monotonic()
    assert not s.is_right(3)
    s.give(3)
    assert s.is_right(3)


def test_the_judge_knows_what_may_stand_in_for_an_origin():
    """One that says nothing, and nothing that was purged for good."""
    s = Scene(how="max-age")
    s.world.fault(s.thing, "cut")
    assert not s.is_right(1)
    s.world.fault(s.thing, "end")
    assert s.is_right(1)
    s.world.purged([s.thing], time.monotonic(), True, "soft")
    s.ask.asked = time.monotonic()
    assert s.is_right(1)
    s.world.purged([s.thing], time.monotonic(), False, "hard")
    s.ask.asked = time.monotonic()
    assert not s.is_right(1)
    s = Scene(how="s-maxage")
    s.world.fault(s.thing, "end")
    assert not s.is_right(1)


def test_the_judge_knows_private_answers():
    s = Scene(is_own=True)
    s.give(3)
    assert s.is_right(3)
    assert not s.is_right(3, X_Nonce="another's")
    s.give(2, age_s=1)
    assert not s.is_right(2), "given before it was asked for"


def test_the_judge_knows_wrong_kinds_of_answers():
    """Parts and 304 that nobody asked for, or of another version; errors
    without a cause."""
    s = Scene()
    whole = s.content(3)
    span = f"bytes 0-9/{len(whole)}"
    assert not s.is_right(3, whole[:10], 206, Content_Range=span)
    assert not s.is_right(3, b"", 304)
    assert not s.is_right(3, b"", 502)
    s.world.fault(s.thing, "end")
    assert s.is_right(3, b"", 502)
    s = Scene("if_none_match")
    s.ask.etag = s.thing.etag(s.ask.variant, 2)
    assert s.is_right(2, b"", 304) and not s.is_right(3, b"", 304)
    s = Scene("suffix")
    s.ask.ranges = [(-10, None)]
    whole = s.content(3)
    end = f"bytes {len(whole) - 10}-{len(whole) - 1}/{len(whole)}"
    assert s.is_right(3, whole[-10:], 206, Content_Range=end)
    assert not s.is_right(3, whole[-11:-1], 206, Content_Range=end)
    assert not s.is_right(3, whole[:10], 206, Content_Range=span)
    assert not s.is_right(3, b"", 416,
                          Content_Range=f"bytes */{len(whole)}")
