/* base/zone: the C library knows the database; here its answers are asked for
 * until each change is found to the second, and kept. */
#include "common/base/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/check.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_MAGIC "TZif" /* RFC 8536 3.1 */
#define ZONE_NAME_MAX 64
#define ZONE_PATH_CAP 128
#define DAY_S 86400
#define WEEK_DAYS 7
/* 1970 began on a Thursday. */
#define EPOCH_WEEKDAY 4
/* No zone changes back and forth within a week. */
#define STEP_S (7 * DAY_S)
#define YEAR_S (365 * (int64_t)DAY_S)

static int32_t
zone_ahead(int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	return localtime_r(&t, &tm) == NULL ? 0 : (int32_t)tm.tm_gmtoff;
}

/* The first second of (from, to] at which the clock is not as at `from`. */
static int64_t
zone_find_change(int64_t from, int64_t to)
{
	int32_t ahead = zone_ahead(from);

	while (to - from > 1) {
		int64_t mid = from + (to - from) / 2;

		if (zone_ahead(mid) == ahead)
			from = mid;
		else
			to = mid;
	}
	return to;
}

static void
zone_read(struct zone *z, int64_t from_s)
{
	int64_t end_s = from_s + ZONE_YEARS * YEAR_S;
	int64_t s = from_s;

	z->at[0] = (struct zone_change){from_s, zone_ahead(from_s)};
	z->n = 1;
	while (s < end_s && z->n < ZONE_CHANGES_MAX) {
		int64_t next = s + STEP_S;
		int32_t ahead = z->at[z->n - 1].ahead_s;

		if (zone_ahead(next) != ahead) {
			next = zone_find_change(s, next);
			z->at[z->n++] =
			    (struct zone_change){next, zone_ahead(next)};
		}
		s = next;
	}
}

/* Letters, digits and what stands between them; no way out of the folder. */
static bool
zone_is_name(span name)
{
	if (name.len > ZONE_NAME_MAX || name.p[0] == '/' ||
	    span_find(name, SPAN_LIT("..")) >= 0)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    strchr("/_+-", c) == NULL)
			return false;
	}
	return true;
}

/* What the library does not find it takes for UTC. */
static bool
zone_is_there(span name)
{
	char path[ZONE_PATH_CAP];
	char magic[sizeof(ZONE_MAGIC) - 1];
	bool ok;
	int fd;

	(void)snprintf(
	    path, sizeof(path), "%s/%.*s", ZONE_FOLDER, SPAN_FMT(name));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
	     memcmp(magic, ZONE_MAGIC, sizeof(magic)) == 0;
	(void)close(fd);
	return ok;
}

bool
zone_load(struct zone *z, span name, int64_t from_s)
{
	const char *tz = getenv("TZ");
	char *old = tz == NULL ? NULL : strdup(tz);
	char text[ZONE_NAME_MAX + 2];

	REQUIRE(tz == NULL || old != NULL);
	if (name.len > 0 && (!zone_is_name(name) || !zone_is_there(name))) {
		free(old);
		return false;
	}
	if (name.len > 0) {
		(void)snprintf(text, sizeof(text), ":%.*s", SPAN_FMT(name));
		REQUIRE(setenv("TZ", text, 1) == 0);
	}
	tzset();
	zone_read(z, from_s);
	if (old != NULL)
		REQUIRE(setenv("TZ", old, 1) == 0);
	else
		REQUIRE(unsetenv("TZ") == 0);
	tzset();
	free(old);
	return true;
}

/* What the clock shows, in seconds since its own 1970. */
static int64_t
zone_local(const struct zone *z, int64_t s)
{
	uint32_t i = z->n - 1;

	while (i > 0 && z->at[i].from_s > s)
		i--;
	return s + z->at[i].ahead_s;
}

static int64_t
local_day(int64_t local)
{
	return local / DAY_S - (local % DAY_S < 0);
}

int32_t
zone_day(const struct zone *z, int64_t s, unsigned from_s)
{
	return (int32_t)local_day(zone_local(z, s) - from_s);
}

struct zone_time
zone_at(const struct zone *z, int64_t s)
{
	int64_t local = zone_local(z, s);
	int64_t day = local_day(local);

	return (struct zone_time){
	    .weekday =
		(unsigned)(((day + EPOCH_WEEKDAY) % WEEK_DAYS + WEEK_DAYS) %
			   WEEK_DAYS),
	    .second = (unsigned)(local - day * DAY_S),
	};
}
