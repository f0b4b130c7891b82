/* conf/conf_per: lines of `limit_bandwidth` and `quota`. What a variable is, is
 * judged by who compiles it. */
#include "common/conf/conf_per.h"

#include "common/base/check.h"
#include "common/conf/conf_int.h"

/* As of other bandwidths. */
#define BANDWIDTH_MAX (INT64_C(1024) << 30)
#define QUOTA_MAX (INT64_C(1) << 50)
#define HOURS 24u
#define MINUTES 60u

#define per_error(d, at, ...) \
	do { \
		if ((d) != NULL) \
			diag_error(d, at, __VA_ARGS__); \
	} while (0)

/* Where a word of the value stands. */
static struct place
per_place(const struct conf_value *v, span word)
{
	struct place at = v->at;

	at.col = (uint16_t)(at.col + (word.p - v->text.p));
	return at;
}

/* Bytes a second, or a day. */
static bool
per_parse_amount(enum conf_key key, span word, int64_t *out, const char **why)
{
	if (key == KEY_SCOPE_LIMIT_BANDWIDTH)
		return conf_parse_number(KIND_BANDWIDTH, word, out, why);
	*why = "a quota is a size a day, for example 2g/d";
	if (!span_ends(word, SPAN_LIT("/d")))
		return false;
	if (!conf_parse_size(span_first(word, word.len - 2), out, why))
		return false;
	*why = "at least one byte";
	return *out > 0;
}

static bool
per_read_amount(
    const struct conf_value *v, span word, struct conf_per *out, struct diag *d)
{
	bool is_bandwidth = v->key == KEY_SCOPE_LIMIT_BANDWIDTH;
	const char *why = NULL;
	int64_t n = 0;

	if (!per_parse_amount(v->key, word, &n, &why)) {
		per_error(d, v->at, "%s: %.*s: %s", conf_key_name(v->key),
		    SPAN_FMT(conf_brief(word)), why);
		return false;
	}
	if (n > (is_bandwidth ? BANDWIDTH_MAX : QUOTA_MAX)) {
		per_error(d, v->at, "%s: at most %s", conf_key_name(v->key),
		    is_bandwidth ? "1024g/s" : "1048576g/d");
		return false;
	}
	out->amount = (uint64_t)n;
	return true;
}

/* `per` and the word behind it. */
static bool
per_read_whom(const struct conf_value *v, span *rest, struct conf_per *out,
    struct diag *d)
{
	span word;

	if (!span_word(rest, &word)) {
		per_error(d, v->at,
		    "%s: behind `per` stands a word, for example {client_ip}",
		    conf_key_name(v->key));
		return false;
	}
	out->per = word;
	out->per_at = per_place(v, word);
	return true;
}

/* "04:00" */
static bool
per_read_clock(span s, unsigned *out)
{
	uint64_t hour;
	uint64_t minute;

	if (s.len != 5 || s.p[2] != ':' ||
	    !span_u64(span_first(s, 2), HOURS - 1, &hour) ||
	    !span_u64(span_from(s, 3), MINUTES - 1, &minute))
		return false;
	*out = (unsigned)(hour * MINUTES + minute) * MINUTES;
	return true;
}

/* What stands behind all that. */
static bool
per_read_option(
    const struct conf_value *v, span word, struct conf_per *out, struct diag *d)
{
	bool is_quota = v->key == KEY_FORWARD_QUOTA;
	span zone = SPAN_LIT("zone=");
	span from = SPAN_LIT("from=");

	if (is_quota && span_starts(word, zone) && word.len > zone.len) {
		out->zone = span_from(word, zone.len);
		out->zone_at = per_place(v, out->zone);
		return true;
	}
	if (is_quota && span_starts(word, from)) {
		if (per_read_clock(span_from(word, from.len), &out->from_s))
			return true;
		per_error(d, per_place(v, word),
		    "%s: expected from=HH:MM, for example from=04:00",
		    conf_key_name(v->key));
		return false;
	}
	per_error(d, per_place(v, word), "%s: unknown word '%.*s'; expected %s",
	    conf_key_name(v->key), SPAN_FMT(conf_brief(word)),
	    is_quota ? "`per {variable}`, zone=NAME or from=HH:MM"
		     : "`per {variable}`, or nothing");
	return false;
}

bool
conf_per_read(const struct conf_value *v, struct conf_per *out, struct diag *d)
{
	span rest = v->text;
	span word = rest;

	*out = (struct conf_per){0};
	(void)span_word(&rest, &word);
	if (!per_read_amount(v, word, out, d))
		return false;
	while (span_word(&rest, &word)) {
		bool is_per =
		    span_eq(word, SPAN_LIT("per")) && out->per.len == 0;

		if (!(is_per ? per_read_whom(v, &rest, out, d)
			     : per_read_option(v, word, out, d)))
			return false;
	}
	if (v->key != KEY_FORWARD_QUOTA || out->per.len > 0)
		return true;
	per_error(d, v->at,
	    "%s: it lacks whose it is, for example `per {user}`",
	    conf_key_name(v->key));
	return false;
}

void
conf_per_check(const struct conf_section *s, struct diag *d)
{
	static const enum conf_key keys[] = {
	    KEY_SCOPE_LIMIT_BANDWIDTH, KEY_FORWARD_QUOTA};

	for (size_t i = 0; i < NELEMS(keys); i++) {
		const struct conf_value *v = s->first[keys[i]];
		struct conf_per per;

		if (v != NULL && !v->is_none)
			(void)conf_per_read(v, &per, d);
	}
}

static const enum conf_type per_types[] = {
    CONF_DEFAULTS, CONF_SITE, CONF_ROUTE, CONF_RULE, CONF_FORWARD};

bool
conf_per_is_shared(const struct conf_tree *t)
{
	for (size_t i = 0; i < NELEMS(per_types); i++) {
		for (const struct conf_section *s = conf_first(t, per_types[i]);
		     s != NULL; s = s->next) {
			const struct conf_value *v =
			    s->first[KEY_SCOPE_LIMIT_BANDWIDTH];
			struct conf_per per;

			if (v != NULL && !v->is_none &&
			    conf_per_read(v, &per, NULL) && per.per.len > 0)
				return true;
		}
	}
	return false;
}
