/* sec_update: directives that change or take away rules that were read before
 * them, as ModSecurity 2 does: what comes later is not changed, and told when
 * it was named by its id. */
#include "common/base/num.h"
#include "common/base/regex.h"
#include "worker/sec/sec_int.h"

/* Which rules. */
struct pick {
	enum sec_pick by;
	uint64_t first, last;
	const struct regex *regex;
};

static bool
tags_match(const struct sec_draft *r, const struct regex *regex)
{
	const span *tags = r->actions.tags.at;

	for (uint32_t i = 0; i < r->actions.tags.n; i++)
		if (regex_find(regex, tags[i]) == REGEX_YES)
			return true;
	return false;
}

/* Whether what begins with the draft is meant. */
static bool
is_picked(const struct pick *p, const struct sec_draft *r)
{
	if (r->kind == SEC_KIND_MARKER || r->is_chained || r->is_removed)
		return false;
	switch (p->by) {
	case SEC_PICK_ID:
		return r->actions.id >= p->first && r->actions.id <= p->last;
	case SEC_PICK_TAG:
		return tags_match(r, p->regex);
	case SEC_PICK_MSG:
		return (r->actions.said & SEC_SAYS_MSG) != 0 &&
		       regex_find(p->regex, r->actions.msg.raw) == REGEX_YES;
	}
	return false;
}

typedef void change_f(
    struct sec_build *b, struct sec_draft *r, const void *how);

/* Change what is meant, chains whole. */
static void
change_all(struct sec_build *b, const struct pick *p, change_f *change,
    const void *how)
{
	bool is_meant = false;

	for (uint32_t i = 0; i < b->drafts.n; i++) {
		struct sec_draft *r = b->drafts.at[i];

		if (!r->is_chained)
			is_meant = is_picked(p, r);
		if (is_meant)
			change(b, r, how);
	}
}

static void
late_add(struct sec_build *b, const struct pick *p, span word)
{
	struct sec_late *l = sec_list_add(b, &b->late, sizeof(*l), word);

	if (l != NULL)
		*l = (struct sec_late){.first = p->first,
		    .last = p->last,
		    .n_before = b->drafts.n,
		    .at = sec_lex_place(b->x, word)};
}

/* Ids are in a list, the others are one regex. */
static void
change_picked(struct sec_build *b, span word, struct pick *p, change_f *change,
    const void *how)
{
	span rest = word;
	bool is_good;

	if (p->by != SEC_PICK_ID) {
		p->regex = sec_regex(b, word, false);
		if (p->regex != NULL)
			change_all(b, p, change, how);
		return;
	}
	while (sec_range_next(b, &rest, &p->first, &p->last, &is_good)) {
		change_all(b, p, change, how);
		late_add(b, p, word);
	}
}

static void
remove_one(struct sec_build *b, struct sec_draft *r, const void *how)
{
	(void)b;
	(void)how;
	r->is_removed = true;
}

void
sec_remove(struct sec_build *b, const struct sec_words *w, enum sec_pick by)
{
	struct pick p = {.by = by};

	sec_chain_check(b);
	for (uint32_t i = 0; i < w->n; i++) {
		span rest = w->at[i], word;

		/* ids may stand in one quoted word too */
		while (by == SEC_PICK_ID && span_word(&rest, &word))
			change_picked(b, word, &p, remove_one, NULL);
		if (by != SEC_PICK_ID)
			change_picked(b, w->at[i], &p, remove_one, NULL);
	}
}

/* --- targets -------------------------------------------------------------- */

static bool
has_target(const struct sec_list *l, const struct sec_target *t)
{
	const struct sec_target *at = l->at;

	for (uint32_t i = 0; i < l->n; i++)
		if (sec_target_is_same(&at[i], t))
			return true;
	return false;
}

/* Take one away; false when it is not there. */
static bool
drop_target(struct sec_list *l, const struct sec_target *t)
{
	struct sec_target *at = l->at;
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		if (!sec_target_is_same(&at[i], t))
			at[n++] = at[i];
	if (n == l->n)
		return false;
	l->n = n;
	return true;
}

/* Read once, put into each rule that is meant. */
struct retarget {
	struct sec_list added;
	struct sec_list instead; /* of one, or none */
	span part;
};

static void
retarget_one(struct sec_build *b, struct sec_draft *r, const void *how)
{
	const struct retarget *t = how;
	const struct sec_target *added = t->added.at;
	struct sec_target *to;

	if (r->kind != SEC_KIND_RULE ||
	    (t->instead.n > 0 && !drop_target(&r->targets, t->instead.at)))
		return;
	for (uint32_t i = 0; i < t->added.n; i++) {
		if (has_target(&r->targets, &added[i]))
			continue;
		to = sec_list_add(b, &r->targets, sizeof(*to), t->part);
		if (to != NULL)
			*to = added[i];
	}
}

void
sec_update_target(
    struct sec_build *b, const struct sec_words *w, enum sec_pick by)
{
	struct pick p = {.by = by};
	struct retarget how = {.part = w->at[1]};

	sec_chain_check(b);
	if (!sec_targets_read(b, w->at[1], &how.added) ||
	    (w->n > 2 && !sec_targets_read(b, w->at[2], &how.instead)))
		return;
	if (how.instead.n > 1) {
		sec_lex_error(b->x, w->at[2], "one target is replaced at once");
		return;
	}
	change_picked(b, w->at[0], &p, retarget_one, &how);
}

/* --- actions -------------------------------------------------------------- */

/* What only the first rule of a chain may say. */
#define FIRST_ONLY \
	(SEC_SAYS_ID | SEC_SAYS_SEVERITY | SEC_SAYS_DISRUPT | SEC_SAYS_SKIP | \
	    SEC_SAYS_SKIP_AFTER | SEC_SAYS_MSG | SEC_SAYS_LOGDATA | \
	    SEC_SAYS_REV | SEC_SAYS_VER)

/* The rule "id" or "id:offset" in its chain; NULL when it was not read. */
static struct sec_draft *
find_rule(struct sec_build *b, uint64_t id, uint64_t offset)
{
	const struct pick p = {.by = SEC_PICK_ID, .first = id, .last = id};

	for (uint32_t i = 0; i < b->drafts.n; i++) {
		struct sec_draft *r;

		if (!is_picked(&p, b->drafts.at[i]))
			continue;
		if (i + offset >= b->drafts.n)
			return NULL;
		r = b->drafts.at[i + offset];
		return offset == 0 || r->is_chained ? r : NULL;
	}
	return NULL;
}

static bool
update_is_allowed(struct sec_build *b, const struct sec_draft *r,
    const struct sec_actions *own, span part)
{
	if ((own->said & SEC_SAYS_ID) != 0 && own->id != r->actions.id) {
		sec_lex_error(b->x, part, "the id of a rule cannot be changed");
		return false;
	}
	if ((own->said & SEC_SAYS_PHASE) != 0 &&
	    own->phase != r->actions.phase) {
		sec_lex_error(
		    b->x, part, "the phase of a rule cannot be changed");
		return false;
	}
	if ((own->said & SEC_SAYS_CHAIN) != 0 &&
	    (r->actions.said & SEC_SAYS_CHAIN) == 0) {
		sec_lex_error(b->x, part, "a chain cannot be made afterwards");
		return false;
	}
	if (r->is_chained && (own->said & FIRST_ONLY) != 0) {
		sec_lex_error(b->x, part,
		    "some of this is for the first rule of a chain");
		return false;
	}
	return true;
}

void
sec_update_action(struct sec_build *b, const struct sec_words *w)
{
	struct pick p = {.by = SEC_PICK_ID};
	struct sec_actions own;
	struct sec_draft *r;
	uint64_t offset = 0;
	span rest = w->at[0], id;

	sec_chain_check(b);
	(void)span_cut(&rest, ':', &id);
	if (!span_u64(id, UINT32_MAX, &p.first) ||
	    (rest.p != NULL && !span_u64(rest, SEC_CHAINED_MAX, &offset))) {
		sec_lex_error(b->x, w->at[0],
		    "a rule is named ID, or ID:OFFSET in a chain");
		return;
	}
	p.last = p.first;
	if (!sec_actions_read(b, w->at[1], &own))
		return;
	late_add(b, &p, w->at[0]);
	r = find_rule(b, p.first, offset);
	if (r == NULL || !update_is_allowed(b, r, &own, w->at[1]))
		return;
	own.said &= ~SEC_SAYS_PHASE;
	r->actions = sec_actions_join(b, &r->actions, &own);
	(void)sec_rule_fits(b, r);
}

/* --- too late ------------------------------------------------------------- */

static bool
has_id(const struct sec_build *b, const struct sec_late *l, uint32_t from,
    uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		const struct sec_draft *r = b->drafts.at[i];

		if (r->actions.id >= l->first && r->actions.id <= l->last &&
		    r->actions.id > 0)
			return true;
	}
	return false;
}

void
sec_late_check(struct sec_build *b)
{
	const struct sec_late *l = b->late.at;

	for (uint32_t i = 0; i < b->late.n; i++)
		if (!has_id(b, &l[i], 0, l[i].n_before) &&
		    has_id(b, &l[i], l[i].n_before, b->drafts.n))
			diag_warning(b->d, l[i].at,
			    "nothing is changed: the rule is read later, this "
			    "must stand behind it");
}
