/* http/cachestatus: RFC 9211 2 as a Structured Field's member. */
#include "common/http/cachestatus.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/text.h"
#include "common/http/sf.h"

/* RFC 9651 3.3.1 */
#define INTEGER_MAX INT64_C(999999999999999)

static const span reasons[CACHE_FWD_N] = {
    [CACHE_FWD_BYPASS] = {"bypass", 6},
    [CACHE_FWD_METHOD] = {"method", 6},
    [CACHE_FWD_URI_MISS] = {"uri-miss", 8},
    [CACHE_FWD_VARY_MISS] = {"vary-miss", 9},
    [CACHE_FWD_MISS] = {"miss", 4},
    [CACHE_FWD_REQUEST] = {"request", 7},
    [CACHE_FWD_STALE] = {"stale", 5},
    [CACHE_FWD_PARTIAL] = {"partial", 7},
};

static void
add_integer(struct text *t, int64_t v)
{
	if (v < 0)
		text_add_char(t, '-');
	text_add_u64(t, u64_min((uint64_t)(v < 0 ? -(v + 1) : v) + (v < 0),
			    (uint64_t)INTEGER_MAX));
}

/* A token as it is, anything else as a String; false: it can be neither, or
 * has no room. Nothing is added then. */
static bool
add_item(struct text *t, span s, bool may_be_token)
{
	size_t n;

	if (may_be_token && sf_is_token(s)) {
		text_add(t, s);
		return !t->is_cut;
	}
	n = sf_write_string(s, t->p + t->len, t->cap - t->len);
	t->len += n;
	return n > 0;
}

/* A parameter with text; it is left out when it cannot be written. */
static void
add_text_parameter(struct text *t, span name, span value, bool may_be_token)
{
	struct text before = *t;

	if (value.len == 0)
		return;
	text_add(t, name);
	if (t->is_cut || !add_item(t, value, may_be_token))
		*t = before;
}

static void
add_forward(struct text *t, const struct cache_status *s)
{
	text_add(t, SPAN_LIT("; fwd="));
	text_add(t, reasons[s->fwd]);
	if (s->fwd_status != 0) {
		text_add(t, SPAN_LIT("; fwd-status="));
		text_add_u64(t, s->fwd_status);
	}
	if (s->is_stored)
		text_add(t, SPAN_LIT("; stored"));
	if (s->is_collapsed)
		text_add(t, SPAN_LIT("; collapsed"));
}

size_t
cachestatus_write(const struct cache_status *s, char *out, size_t cap)
{
	struct text t;

	REQUIRE(s->fwd < CACHE_FWD_N);
	text_init(&t, out, cap);
	if (s->name.len == 0 || !add_item(&t, s->name, true))
		return 0;
	if (s->is_hit)
		text_add(&t, SPAN_LIT("; hit"));
	else if (s->fwd != CACHE_FWD_NONE)
		add_forward(&t, s);
	if (s->has_ttl) {
		text_add(&t, SPAN_LIT("; ttl="));
		add_integer(&t, s->ttl_s);
	}
	add_text_parameter(&t, SPAN_LIT("; key="), s->key, false);
	add_text_parameter(&t, SPAN_LIT("; detail="), s->detail, true);
	return t.is_cut ? 0 : t.len;
}
