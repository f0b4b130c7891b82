/* conf/conf_per: lines of `limit_bandwidth`. What a variable is, is judged by
 * who compiles it. */
#include "common/conf/conf_per.h"

#include "common/base/check.h"
#include "common/conf/conf_int.h"

/* As of other bandwidths. */
#define BANDWIDTH_MAX (INT64_C(1024) << 30)

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

static bool
per_read_amount(
    const struct conf_value *v, span word, struct conf_per *out, struct diag *d)
{
	const char *why = NULL;
	int64_t n = 0;

	if (!conf_parse_number(KIND_BANDWIDTH, word, &n, &why)) {
		per_error(d, v->at, "%s: %.*s: %s", conf_key_name(v->key),
		    SPAN_FMT(conf_brief(word)), why);
		return false;
	}
	if (n > BANDWIDTH_MAX) {
		per_error(
		    d, v->at, "%s: at most 1024g/s", conf_key_name(v->key));
		return false;
	}
	out->amount = (uint64_t)n;
	return true;
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
	if (!span_word(&rest, &word))
		return true;
	if (!span_eq(word, SPAN_LIT("per"))) {
		per_error(d, per_place(v, word),
		    "%s: unknown word '%.*s'; expected `per {variable}`, or "
		    "nothing",
		    conf_key_name(v->key), SPAN_FMT(conf_brief(word)));
		return false;
	}
	rest = span_trim(rest);
	if (rest.len == 0 || span_chr(rest, ' ') >= 0) {
		per_error(d, per_place(v, word),
		    "%s: behind `per` stands one word, for example "
		    "{client_ip}",
		    conf_key_name(v->key));
		return false;
	}
	out->per = rest;
	out->per_at = per_place(v, rest);
	return true;
}

void
conf_per_check(const struct conf_section *s, struct diag *d)
{
	const struct conf_value *v = s->first[KEY_SCOPE_LIMIT_BANDWIDTH];
	struct conf_per per;

	if (v != NULL && !v->is_none)
		(void)conf_per_read(v, &per, d);
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
