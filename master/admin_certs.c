/* master/admin_certs: what the status tells of certificates: for which names they
 * are, when they end, and what is stapled to them. */
#include <string.h>

#include "common/base/date.h"
#include "common/base/num.h"
#include "master/admin.h"
#include "master/stapler.h"

#define DAY_S 86400

/* The first certificate that ends: when, and in how many days. */
json_t *
admin_status_first_end(const struct admin *a)
{
	const json_t *ends = json_object_get(a->state, "certificate_ends");
	json_int_t at_s = json_integer_value(ends);
	char when[DATE_ISO_LEN];
	json_t *c;

	if (!json_is_integer(ends))
		return json_null();
	date_format_iso(at_s * 1000000, when);
	c = json_object();
	(void)json_object_set_new(
	    c, "first_ends", json_stringn(when, sizeof(when)));
	(void)json_object_set_new(c, "days_left",
	    json_integer((at_s - clock_wall_s(loop_clock(a->loop))) / DAY_S));
	return c;
}

/* Seconds since 1970 as people write them; 0: null. */
static void
set_time(json_t *j, const char *key, int64_t at_s)
{
	char when[DATE_ISO_LEN];

	if (at_s == 0) {
		(void)json_object_set_new(j, key, json_null());
		return;
	}
	date_format_iso(at_s * 1000000, when);
	(void)json_object_set_new(j, key, json_stringn(when, sizeof(when)));
}

/* What is stapled to one: state and end. */
static void
set_staple(json_t *j, const char *word, int64_t until_s)
{
	(void)json_object_set_new(j, "state", json_string(word));
	set_time(j, "next_update", until_s);
}

/* One from a file was judged when it was read; time goes on since. */
static const char *
staple_word(const json_t *c, int64_t now_s)
{
	if (now_s >= json_integer_value(json_object_get(c, "until_s")))
		return "expired";
	return json_string_value(json_object_get(c, "word"));
}

static json_t *
status_certificate(const struct admin *a, const json_t *c)
{
	const char *from = json_string_value(json_object_get(c, "staple"));
	const char *print =
	    json_string_value(json_object_get(c, "fingerprint"));
	static const char *const told[] = {
	    "file", "names", "fingerprint", "staple"};
	json_t *j = json_object();
	struct stapler_state state;

	for (size_t i = 0; i < NELEMS(told); i++)
		(void)json_object_set(j, told[i], json_object_get(c, told[i]));
	set_time(j, "ends", json_integer_value(json_object_get(c, "ends_s")));
	if (strcmp(from, "file") == 0) {
		set_staple(j, staple_word(c, clock_wall_s(loop_clock(a->loop))),
		    json_integer_value(json_object_get(c, "until_s")));
	} else if (strcmp(from, "fetch") == 0 &&
		   stapler_look(a->stapler, print, &state)) {
		set_staple(j, state.word, state.until_s);
		if (state.problem != NULL)
			(void)json_object_set_new(
			    j, "problem", json_string(state.problem));
	} else {
		set_staple(j, "none", 0);
	}
	return j;
}

json_t *
admin_status_certificates(const struct admin *a)
{
	json_t *all = json_array();
	const json_t *c;
	size_t i;

	json_array_foreach(a->certs, i, c)
	{
		(void)json_array_append_new(all, status_certificate(a, c));
	}
	return all;
}
