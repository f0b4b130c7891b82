/* exch/match: terms of conditions. match_read.c compiles them. */
#include "worker/exch/match_int.h"

#include "common/base/check.h"
#include "worker/exch/crawler.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"

enum var_when
match_when(const struct match *m)
{
	return var_when(m->var.id);
}

enum var_id
match_subject(const struct match *m)
{
	return m->var.id;
}

static bool
match_same(const struct match *m, span a, span b)
{
	return m->folds_case ? span_ieq(a, b) : span_eq(a, b);
}

static bool
match_holds(const struct match *m, span value, span part)
{
	if (!m->folds_case)
		return span_find(value, part) >= 0;
	for (size_t i = 0; i + part.len <= value.len; i++)
		if (span_ieq(span_of(value.p + i, part.len), part))
			return true;
	return false;
}

/* One value against one word. */
static bool
match_word(const struct match *m, span value, span word)
{
	switch ((unsigned)m->op) {
	case MATCH_OP_EQ:
		return match_same(m, value, word);
	case MATCH_OP_BEGINS:
		return match_same(m, span_first(value, word.len), word);
	case MATCH_OP_ENDS:
		return value.len >= word.len &&
		       match_same(
			   m, span_from(value, value.len - word.len), word);
	case MATCH_OP_HOLDS:
		return match_holds(m, value, word);
	default:
		UNREACHED();
	}
}

static enum match_rc
match_text(const struct match *m, span value)
{
	/* the dot that ends a host says nothing (RFC 3986 3.2.2) */
	if (m->var.id == VAR_HOST && span_ends(value, SPAN_LIT(".")))
		value.len--;
	if (m->op == MATCH_OP_IS_SET)
		return value.len > 0 ? MATCH_YES : MATCH_NO;
	if (m->op == MATCH_OP_REGEX) {
		switch (regex_find(m->re, value)) {
		case REGEX_NO:
			return MATCH_NO;
		case REGEX_YES:
			return MATCH_YES;
		case REGEX_LIMIT:
			return MATCH_LIMIT;
		}
		UNREACHED();
	}
	for (uint32_t i = 0; i < m->n_words; i++)
		if (match_word(m, value, m->words[i]))
			return MATCH_YES;
	return MATCH_NO;
}

static enum match_rc
match_texts(const struct match *m, struct exch *x)
{
	struct var_walk w = {.is_begun = false};
	enum match_rc rc = MATCH_NO;
	span value;

	while (rc == MATCH_NO && var_next(x, &m->var, &w, &value))
		rc = match_text(m, value);
	return rc;
}

static enum match_rc
match_number(const struct match *m, const struct exch *x)
{
	uint64_t n;

	if (!var_get_number(x, m->var.id, &n))
		return MATCH_NO;
	if (m->op == MATCH_OP_IS_SET)
		return MATCH_YES;
	for (uint32_t i = 0; i < m->n_ranges; i++)
		if (n >= m->ranges[i].low && n <= m->ranges[i].high)
			return MATCH_YES;
	return MATCH_NO;
}

static enum match_rc
match_address(const struct match *m, const struct exch *x)
{
	struct ip ip;
	bool has_ip = var_get_ip(x, m->var.id, &ip);

	if (m->op == MATCH_OP_IS_SET)
		return has_ip ? MATCH_YES : MATCH_NO;
	if (!has_ip)
		return m->has_unix ? MATCH_YES : MATCH_NO;
	return iptrie_find(m->nets, &ip) ? MATCH_YES : MATCH_NO;
}

/* Whether somebody may yet say who it is. Once there is an answer nobody will.
 */
static bool
match_waits_for_user(const struct exch *x)
{
	return x->user == NULL && x->set->auth != NULL &&
	       x->state == EXCH_REQUEST && !x->is_settled;
}

static bool
match_waits_for_crawler(const struct exch *x)
{
	return x->state == EXCH_REQUEST && !x->is_settled && crawler_is_open(x);
}

enum match_rc
match_eval(const struct match *m, struct exch *x)
{
	enum match_rc rc;

	if (var_is_of_user(m->var.id) && match_waits_for_user(x))
		return MATCH_WAIT_USER;
	if (m->var.id == VAR_CRAWLER && match_waits_for_crawler(x))
		return MATCH_WAIT_CRAWLER;
	if (var_is_number(m->var.id))
		rc = match_number(m, x);
	else if (var_kind(m->var.id) == VAR_KIND_ADDRESS)
		rc = match_address(m, x);
	else
		rc = match_texts(m, x);
	if (!m->is_negated || (rc != MATCH_YES && rc != MATCH_NO))
		return rc;
	return rc == MATCH_YES ? MATCH_NO : MATCH_YES;
}
