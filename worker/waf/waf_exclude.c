/* waf_exclude: `exclude = ID [at PATH] [arg:NAME]`: a rule, or a range of rules,
 * that does not hold below a path, or does not look at one thing there. */
#include "worker/waf/waf_int.h"

/* Words of a line: ID at PATH WHAT. */
#define WORDS_MAX 4
#define ID_MAX UINT32_MAX

/* What may be left out, and the variables in which rules see it. */
static const struct {
	const char *word;
	enum sec_var vars[3];
	uint32_t n;
} kinds[] = {
    {"arg:", {SEC_VAR_ARGS, SEC_VAR_ARGS_GET, SEC_VAR_ARGS_POST}, 3},
    {"header:", {SEC_VAR_REQUEST_HEADERS}, 1},
    {"cookie:", {SEC_VAR_REQUEST_COOKIES}, 1},
};

static bool
read_ids(span word, struct sec_ctl *ctl)
{
	ptrdiff_t dash = span_chr(word, '-');
	span last = dash < 0 ? word : span_from(word, (size_t)dash + 1);

	if (dash >= 0)
		word = span_first(word, (size_t)dash);
	return span_u64(word, ID_MAX, &ctl->first) &&
	       span_u64(last, ID_MAX, &ctl->last) && ctl->first <= ctl->last;
}

static bool
read_what(span word, const struct sec_ctl *ids, struct waf_exclude *e,
    struct arena *a)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		span kind = span_str(kinds[i].word);
		struct sec_ctl *ctls;

		if (!span_starts(word, kind) || word.len == kind.len)
			continue;
		ctls = arena_alloc(a, kinds[i].n * sizeof(*ctls));
		for (uint32_t k = 0; k < kinds[i].n; k++) {
			ctls[k] = *ids;
			ctls[k].kind = SEC_CTL_REMOVE_TARGET_BY_ID;
			ctls[k].target =
			    (struct sec_target){.var = kinds[i].vars[k],
				.select = SEC_SELECT_KEY,
				.key = span_from(word, kind.len),
				.slot = -1};
		}
		e->ctls = ctls;
		e->n_ctls = kinds[i].n;
		return true;
	}
	return false;
}

static bool
read_exclude(const struct conf_value *v, struct waf_exclude *e, struct arena *a)
{
	struct sec_ctl *ids = arena_zalloc(a, sizeof(*ids));
	span rest = v->text, word[WORDS_MAX] = {{0}}, more;
	uint32_t n = 0;

	while (n < WORDS_MAX && span_word(&rest, &word[n]))
		n++;
	ids->kind = SEC_CTL_REMOVE_BY_ID;
	if (n == 0 || span_word(&rest, &more) || !read_ids(word[0], ids))
		return false;
	e->ctls = ids;
	e->n_ctls = 1;
	if (n >= 3 && span_eq(word[1], SPAN_LIT("at"))) {
		e->path = word[2];
		if (e->path.p[0] != '/')
			return false;
		word[1] = word[3];
		n -= 2;
	}
	return n == 1 || (n == 2 && read_what(word[1], ids, e, a));
}

void
waf_read_excludes(struct waf *waf, const struct conf_scope *s, struct arena *a,
    struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	struct waf_exclude *all;
	uint32_t n = 0;

	while (conf_next(s, KEY_WAF_EXCLUDE, &it) != NULL)
		n++;
	all = arena_zalloc(a, n * sizeof(*all));
	it = (struct conf_iter){NULL, 0, false};
	while ((v = conf_next(s, KEY_WAF_EXCLUDE, &it)) != NULL) {
		all[waf->n_excludes].at = v->at;
		if (read_exclude(v, &all[waf->n_excludes], a))
			waf->n_excludes++;
		else
			diag_error(d, v->at,
			    "not an exclusion: \"ID\", \"ID at /PATH\", and "
			    "behind either arg:NAME, header:NAME or "
			    "cookie:NAME");
	}
	waf->excludes = all;
}

static bool
has_rule(const struct sec_set *set, const struct sec_ctl *ids)
{
	for (uint32_t i = 0; i < set->n_rules; i++)
		if (set->rules[i].id >= ids->first &&
		    set->rules[i].id <= ids->last)
			return true;
	return false;
}

void
waf_check_excludes(const struct waf *waf, struct diag *d)
{
	for (uint32_t i = 0; i < waf->n_excludes; i++) {
		const struct waf_exclude *e = &waf->excludes[i];

		if (!has_rule(waf->set, &e->ctls[0]))
			diag_warning(d, e->at,
			    "nothing is excluded: no rule of [waf %.*s] has "
			    "this id",
			    SPAN_FMT(waf->section->name));
	}
}

static bool
is_below(span path, span top)
{
	return span_starts(path, top) &&
	       (path.len == top.len || top.p[top.len - 1] == '/' ||
		   path.p[top.len] == '/');
}

void
waf_use_excludes(const struct waf *waf, span path, struct sec_tx *tx)
{
	for (uint32_t i = 0; i < waf->n_excludes; i++) {
		const struct waf_exclude *e = &waf->excludes[i];

		if (e->path.len > 0 && !is_below(path, e->path))
			continue;
		for (uint32_t k = 0; k < e->n_ctls; k++)
			sec_tx_control(tx, &e->ctls[k]);
	}
}
