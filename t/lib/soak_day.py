"""The day of a site that the soak plays: its traffic, its editors, its cache's
operators and its accidents, all in simulated time, and how much of the time on
the wall that is. What the machine does of its own (timeouts, whole seconds of
Date, how long a kill is felt) is not scaled."""
import time

DAY_H = 24
HOUR_S = 3600
# --- per simulated hour in which everybody is awake
REQUESTS = 9000
PUBLISHED = 600
PURGES = 120
# --- per simulated hour, by day and by night
ACCIDENTS = ("kill", "reload", "kill")
# and in one of so many hours, beginning with hour 0
UPGRADE_H = 3
# --- simulated seconds; some things are as good as never old
TTLS_S = (0, 120, 120, 240, 360, 600, 7200, 72000)
STALES_S = (0, 0, 0, 240)
# Who is awake in each hour, in percent: least at four, most at noon and when
# work is over.
AWAKE = (25, 18, 14, 11, 10, 13, 22, 40, 60, 75, 85, 95,
         100, 95, 85, 80, 80, 85, 95, 100, 95, 80, 60, 40)
NOON = 12
assert len(AWAKE) == DAY_H


class Day:
    """`hours` from hour `begin` on, each of which takes `hour_s` seconds on
    the wall."""

    def __init__(self, hours=DAY_H, begin=0, hour_s=30.0):
        self.hours, self.begin, self.hour_s = hours, begin, hour_s
        self.started = time.monotonic()

    def start(self):
        self.started = time.monotonic()

    def wall_s(self, simulated_s):
        return simulated_s * self.hour_s / HOUR_S

    def whole_s(self, simulated_s):
        """As HTTP tells it: something stays something."""
        return simulated_s and max(1, round(self.wall_s(simulated_s)))

    @property
    def seconds(self):
        return self.hours * self.hour_s

    @property
    def hour(self):
        """Of the clock, since midnight before it began."""
        return self.begin + int(
            (time.monotonic() - self.started) / self.hour_s)

    def pause(self, rng, per_hour, share=1):
        """Seconds until the next of what happens so often, by chance, if one
        of so many has to do it."""
        awake = AWAKE[self.hour % DAY_H] / 100
        return rng.expovariate(per_hour * awake * share / self.hour_s)

    def accidents(self):
        """(when, what) of all that happens, evenly spread over its hour."""
        for n in range(self.hours):
            what = [*ACCIDENTS]
            if (self.begin + n) % UPGRADE_H == 0:
                what.append("upgrade")
            for i, one in enumerate(what):
                into = n + (i + 1) / (len(what) + 1)
                yield self.started + into * self.hour_s, one


def short():
    """An hour at noon in some seconds: what CI runs."""
    return Day(1, NOON, 12.0)
