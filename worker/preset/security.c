/* preset/security: adds what an answer lacks. What an origin said of itself is
 * never changed. */
#include "worker/preset/security.h"

#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/preset/preset.h"

enum { LEVEL_ON, LEVEL_STRICT, LEVELS };

struct security_row {
	span name;
	span value[LEVELS];
	span unless; /* a directive of Content-Security-Policy; or empty */
};

#define ROW_TEXT(s) \
	{ \
		s, sizeof(s) - 1 \
	}

static const struct security_row rows[] = {
#define SECURITY(name, on, strict, unless, doc) \
	{ROW_TEXT(name), {ROW_TEXT(on), ROW_TEXT(strict)}, ROW_TEXT(unless)},
#include "worker/preset/security.def"
#undef SECURITY
};

struct security_level {
	span word;
	unsigned value; /* of a row */
};

static const struct security_level levels[LEVELS] = {
    {ROW_TEXT("on"), LEVEL_ON},
    {ROW_TEXT("strict"), LEVEL_STRICT},
};

const struct security_level *
security_level(span word)
{
	for (unsigned i = 0; i < LEVELS; i++)
		if (span_eq(word, levels[i].word))
			return &levels[i];
	return NULL;
}

/* Whether a policy of the answer holds the directive. */
static bool
security_has_directive(const struct http_fields *f, span name)
{
	static const span policy = ROW_TEXT("content-security-policy");

	fields_foreach(fld, f)
	{
		span rest = fld->value;
		span part;

		if (!span_ieq(fld->name, policy))
			continue;
		while (span_cut(&rest, ';', &part)) {
			span word;

			part = span_trim(part);
			if (span_word(&part, &word) && span_ieq(word, name))
				return true;
		}
	}
	return false;
}

void
security_apply(const struct security_level *l, struct exch *x)
{
	struct http_fields *f = &x->resp.fields;

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const struct security_row *r = &rows[i];

		if (r->value[l->value].len > 0 &&
		    fields_find_name(f, r->name) == NULL &&
		    (r->unless.len == 0 ||
			!security_has_directive(f, r->unless)))
			fields_add(f, &x->arena, r->name, r->value[l->value]);
	}
}
