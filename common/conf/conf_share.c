/* conf/conf_share: lines of `split` and `mirror`, and what the lines of one
 * section may be together. Whether an upstream is there is seen with all other
 * names; what a variable is, by who compiles it. */
#include "common/conf/conf_share.h"

#include "common/conf/conf_int.h"

#define share_error(d, at, ...) \
	do { \
		if ((d) != NULL) \
			diag_error(d, at, __VA_ARGS__); \
	} while (0)

static bool
share_read_tenths(
    const struct conf_value *v, struct conf_share *out, struct diag *d)
{
	const struct conf_word *w = &v->words[0];
	const char *why = NULL;
	int64_t tenths = 0;

	if (!conf_parse_percent(w->text, &tenths, &why)) {
		share_error(d, w->at, "%s: %.*s: %s", conf_key_name(v->key),
		    SPAN_FMT(conf_brief(w->text)), why);
		return false;
	}
	if (tenths > CONF_SHARE_ALL) {
		share_error(d, w->at, "%s: %.*s: at most 100%%",
		    conf_key_name(v->key), SPAN_FMT(conf_brief(w->text)));
		return false;
	}
	out->tenths = (uint32_t)tenths;
	return true;
}

/* What stands behind the upstream. */
static bool
share_read_rest(const struct conf_value *v, uint32_t i, struct conf_share *out,
    struct diag *d)
{
	const struct conf_word *w = &v->words[i];

	if (v->key == KEY_SCOPE_SPLIT && i + 1 == v->n_words &&
	    span_starts(w->text, SPAN_LIT("by=")) && w->text.len > 3) {
		out->by = span_from(w->text, 3);
		out->by_at = w->at;
		out->by_at.col = (uint16_t)(out->by_at.col + 3);
		return true;
	}
	share_error(d, w->at, "%s: unknown word '%.*s'; expected %s",
	    conf_key_name(v->key), SPAN_FMT(conf_brief(w->text)),
	    v->key == KEY_SCOPE_SPLIT ? "by={variable}, or nothing"
				      : "nothing behind the upstream");
	return false;
}

static bool
share_is_no_name(span word)
{
	return span_ends(word, SPAN_LIT("%")) || span_chr(word, '=') >= 0;
}

bool
conf_share_read(
    const struct conf_value *v, struct conf_share *out, struct diag *d)
{
	bool is_split = v->key == KEY_SCOPE_SPLIT;
	uint32_t i = 0;

	*out = (struct conf_share){.tenths = CONF_SHARE_ALL, .at = v->at};
	if (v->n_words > 1 || is_split) {
		if (!share_read_tenths(v, out, d))
			return false;
		i = 1;
	}
	if (i >= v->n_words || share_is_no_name(v->words[i].text)) {
		share_error(d, v->at, "%s: expected %s", conf_key_name(v->key),
		    is_split ? "a share and an upstream, for example "
			       "`split = 5% canary`"
			     : "an upstream, or a share and an upstream");
		return false;
	}
	out->upstream = v->words[i].text;
	return i + 1 == v->n_words || share_read_rest(v, i + 1, out, d);
}

static void
share_check_split(const struct conf_section *s, struct diag *d)
{
	struct conf_share share;
	bool has_by = false;
	uint32_t sum = 0;

	for (const struct conf_value *v = s->first[KEY_SCOPE_SPLIT]; v != NULL;
	     v = v->next) {
		if (v->is_none) {
			sum = 0;
			has_by = false;
			continue;
		}
		if (!conf_share_read(v, &share, d))
			continue;
		sum += share.tenths;
		if (sum > CONF_SHARE_ALL) {
			diag_error(d, v->at,
			    "split: the shares are more than 100%% together");
			return;
		}
		if (share.by.len > 0 && has_by)
			diag_error(d, share.by_at,
			    "split: by= stands twice; it holds for all shares");
		has_by |= share.by.len > 0;
	}
}

static void
share_check_mirror(const struct conf_section *s, struct diag *d)
{
	const struct conf_value *first = s->first[KEY_SCOPE_MIRROR];
	struct conf_share share;

	if (first == NULL)
		return;
	if (!first->is_none)
		(void)conf_share_read(first, &share, d);
	if (first->next != NULL)
		diag_error(d, first->next->key_at,
		    "mirror stands twice (line %u): there is one copy",
		    first->key_at.line);
}

void
conf_share_check(const struct conf_section *s, struct diag *d)
{
	share_check_split(s, d);
	share_check_mirror(s, d);
}
