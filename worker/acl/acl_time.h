/* acl/acl_time: windows of a week, as the key `time` writes them:
 * `mon-fri 08:00-12:00 13:00-24:00`. Pure. */
#ifndef GH_ACL_TIME_H
#define GH_ACL_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/base/zone.h"

/* Hours of one line. */
#define ACL_TIME_HOURS_MAX 16

struct acl_hours {
	uint32_t from_s; /* of the day, it belongs to it */
	uint32_t to_s; /* the first that does not */
};

/* One line: days, and hours of each of them. */
struct acl_window {
	uint8_t days; /* bit 0: Sunday */
	struct acl_hours hours[ACL_TIME_HOURS_MAX];
	uint32_t n;
};

/* What is wrong with a line. */
struct acl_time_problem {
	size_t at;
	size_t len;
	const char *why; /* lives forever */
};

/* Read a line. Without days it is all days, without hours the whole day. false:
 * *why tells what is wrong. */
bool acl_window_read(
    span text, struct acl_window *out, struct acl_time_problem *why);
bool acl_window_has(const struct acl_window *w, struct zone_time t);

#endif
