/* sec_action: lists of actions: what a rule does, and what it is called. */
#include "common/base/num.h"
#include "worker/sec/sec_int.h"
#include "worker/sec/sec_scan.h"

enum sec_action {
#define SEC_ACTION(id, name, value, place) SEC_ACTION_##id,
#include "worker/sec/sec_action.def"
#undef SEC_ACTION
	SEC_N_ACTIONS
};

enum action_value { ACTION_NONE, ACTION_NEED, ACTION_MAYBE };
enum action_place { ACTION_ANY, ACTION_FIRST };

static const char *const action_names[] = {
#define SEC_ACTION(id, name, value, place) name,
#include "worker/sec/sec_action.def"
#undef SEC_ACTION
};

static const struct {
	uint8_t value;
	uint8_t place;
} action_rows[] = {
#define SEC_ACTION(id, name, value, place) {ACTION_##value, ACTION_##place},
#include "worker/sec/sec_action.def"
#undef SEC_ACTION
};

static const char *const severities[] = {"emergency", "alert", "critical",
    "error", "warning", "notice", "info", "debug"};

/* Where the words of phases stand in the order of phases; empty: none has. */
static const char *const phases[SEC_PHASES + 1] = {
    "", "", "request", "", "response", "logging"};

#define STATUS_FIRST 100u
#define STATUS_LAST 599u

/* --- values --------------------------------------------------------------- */

static bool
number_read(
    struct sec_build *b, span value, uint64_t first, uint64_t last, uint64_t *n)
{
	if (span_u64(value, last, n) && *n >= first)
		return true;
	sec_lex_error(b->x, value, "'%.*s' is not a number from %llu to %llu",
	    SPAN_FMT(value), (unsigned long long)first,
	    (unsigned long long)last);
	return false;
}

/* A number up to `last`, or the place of a word among the first ones. */
static bool
word_read(struct sec_build *b, span value, const char *const *words, size_t n,
    uint8_t *out)
{
	ptrdiff_t i = sec_word_find(value, words, n);
	uint64_t number;

	if (i < 0 && !number_read(b, value, 0, n - 1, &number))
		return false;
	*out = (uint8_t)(i < 0 ? number : (uint64_t)i);
	return true;
}

static bool
phase_read(struct sec_build *b, span value, struct sec_actions *out)
{
	uint8_t phase;

	if (!word_read(b, value, phases, SEC_PHASES + 1, &phase))
		return false;
	if (phase == 0) {
		sec_lex_error(b->x, value, "the first phase is 1");
		return false;
	}
	out->said |= SEC_SAYS_PHASE;
	out->phase = phase;
	return true;
}

static bool
id_read(struct sec_build *b, span value, struct sec_actions *out)
{
	return number_read(b, value, 1, UINT32_MAX, &out->id);
}

static bool
status_read(struct sec_build *b, span value, struct sec_actions *out)
{
	uint64_t n;

	if (!number_read(b, value, STATUS_FIRST, STATUS_LAST, &n))
		return false;
	out->status = (uint16_t)n;
	return true;
}

static bool
allow_read(struct sec_build *b, span value, struct sec_actions *out)
{
	out->disrupt = SEC_DISRUPT_ALLOW;
	if (span_ieq(value, SPAN_LIT("phase")))
		out->disrupt = SEC_DISRUPT_ALLOW_PHASE;
	else if (span_ieq(value, SPAN_LIT("request")))
		out->disrupt = SEC_DISRUPT_ALLOW_REQUEST;
	else if (value.len > 0) {
		sec_lex_error(b->x, value,
		    "allow is for 'phase' or 'request', or for all");
		return false;
	}
	return true;
}

static bool
skip_read(struct sec_build *b, span value, struct sec_actions *out)
{
	uint64_t n;

	if (!number_read(b, value, 1, SEC_RULES_MAX, &n))
		return false;
	out->skip = (uint32_t)n;
	return true;
}

static bool
trans_read(struct sec_build *b, span value, struct sec_actions *out)
{
	enum sec_trans t = SEC_TRANS_NONE;
	uint8_t *to;

	if (!span_ieq(value, SPAN_LIT("none")) && !sec_trans_find(value, &t)) {
		sec_unknown(
		    b, "transformation", value, sec_trans_suggest(value));
		return false;
	}
	to = sec_list_add(b, &out->trans, sizeof(*to), value);
	if (to == NULL)
		return false;
	*to = (uint8_t)t;
	return true;
}

static bool
tag_read(struct sec_build *b, span value, struct sec_actions *out)
{
	span *to = sec_list_add(b, &out->tags, sizeof(*to), value);

	if (to == NULL)
		return false;
	*to = arena_span(b->a, value);
	return true;
}

/* --- variables that rules set --------------------------------------------- */

/* "store.name" and what stands behind the equals sign. */
static bool
assign_read(struct sec_build *b, span word, span value, struct sec_assign *out)
{
	ptrdiff_t dot = span_chr(word, '.');

	if (dot < 0) {
		sec_lex_error(b->x, word, "a variable is named STORE.NAME");
		return false;
	}
	if (!sec_store_read(b, span_first(word, (size_t)dot), &out->store) ||
	    !sec_text_read(b, span_from(word, (size_t)dot + 1), &out->name) ||
	    !sec_text_read(b, value, &out->value))
		return false;
	if (out->name.raw.len == 0) {
		sec_lex_error(b->x, word, "the variable has no name");
		return false;
	}
	out->slot = -1;
	if (out->store == SEC_VAR_TX && !sec_text_varies(&out->name))
		out->slot = sec_slot(b, out->name.raw);
	return true;
}

static bool
setvar_read(struct sec_build *b, span word, struct sec_list *to, bool is_expiry)
{
	struct sec_assign *out = sec_list_add(b, to, sizeof(*out), word);
	ptrdiff_t equals = span_chr(word, '=');
	span value = SPAN_LIT("1");

	if (out == NULL)
		return false;
	if (equals >= 0) {
		value = span_from(word, (size_t)equals + 1);
		/* what stands behind it belongs to the value */
		while (value.len > 0 && sec_white(value.p[0]))
			value = span_from(value, 1);
		word = span_first(word, (size_t)equals);
	}
	if (!is_expiry && word.len > 0 && word.p[0] == '!') {
		out->op = SEC_SET_UNSET;
		word = span_from(word, 1);
	} else if (!is_expiry && value.len > 0 &&
		   (value.p[0] == '+' || value.p[0] == '-')) {
		out->op = value.p[0] == '+' ? SEC_SET_ADD : SEC_SET_SUB;
		value = span_from(value, 1);
	}
	return assign_read(b, word, value, out);
}

static bool
open_add(struct sec_build *b, struct sec_open what, span key,
    struct sec_actions *out)
{
	struct sec_open *to = sec_list_add(b, &out->opens, sizeof(*to), key);

	if (to == NULL)
		return false;
	*to = what;
	return sec_text_read(b, key, &to->key);
}

static bool
initcol_read(struct sec_build *b, span word, struct sec_actions *out)
{
	ptrdiff_t equals = span_chr(word, '=');
	enum sec_var store;

	if (equals <= 0) {
		sec_lex_error(b->x, word, "initcol is for STORE=KEY");
		return false;
	}
	if (!sec_store_read(b, span_first(word, (size_t)equals), &store))
		return false;
	if (store == SEC_VAR_TX) {
		sec_lex_error(b->x, word, "tx needs no initcol");
		return false;
	}
	return open_add(b, (struct sec_open){.store = store},
	    span_from(word, (size_t)equals + 1), out);
}

/* --- actions -------------------------------------------------------------- */

static bool
disrupt(struct sec_actions *out, enum sec_disrupt how)
{
	out->said |= SEC_SAYS_DISRUPT;
	out->disrupt = how;
	return true;
}

static bool
flag(struct sec_actions *out, uint32_t says, uint8_t bit, bool is_on)
{
	out->said |= says;
	out->flags = (uint8_t)(is_on ? out->flags | bit : out->flags & ~bit);
	return true;
}

static bool
text_keep(struct sec_build *b, span value, span *to)
{
	*to = arena_span(b->a, value);
	return true;
}

/* One flat switch. */
static bool
action_do(struct sec_build *b, enum sec_action action, span v,
    struct sec_actions *out)
{
	switch (action) {
	case SEC_ACTION_ACCURACY:
	case SEC_ACTION_MATURITY:
		/* nothing reads them */
		return true;
	case SEC_ACTION_ALLOW:
		out->said |= SEC_SAYS_DISRUPT;
		return allow_read(b, v, out);
	case SEC_ACTION_AUDITLOG:
		return flag(out, SEC_SAYS_AUDIT, SEC_RULE_AUDITS, true);
	case SEC_ACTION_BLOCK:
		return disrupt(out, SEC_DISRUPT_BLOCK);
	case SEC_ACTION_CAPTURE:
		return flag(out, 0, SEC_RULE_CAPTURES, true);
	case SEC_ACTION_CHAIN:
		out->said |= SEC_SAYS_CHAIN;
		return true;
	case SEC_ACTION_CTL:
		return sec_ctl_read(b, v, &out->ctls);
	case SEC_ACTION_DENY:
		return disrupt(out, SEC_DISRUPT_DENY);
	case SEC_ACTION_DROP:
		return disrupt(out, SEC_DISRUPT_DROP);
	case SEC_ACTION_EXPIREVAR:
		return setvar_read(b, v, &out->expires, true);
	case SEC_ACTION_ID:
		out->said |= SEC_SAYS_ID;
		return id_read(b, v, out);
	case SEC_ACTION_INITCOL:
		return initcol_read(b, v, out);
	case SEC_ACTION_LOG:
		return flag(out, SEC_SAYS_LOG, SEC_RULE_LOGS, true);
	case SEC_ACTION_LOGDATA:
		out->said |= SEC_SAYS_LOGDATA;
		return sec_text_read(b, v, &out->logdata);
	case SEC_ACTION_MSG:
		out->said |= SEC_SAYS_MSG;
		return sec_text_read(b, v, &out->msg);
	case SEC_ACTION_MULTI_MATCH:
		return flag(out, 0, SEC_RULE_MULTI_MATCH, true);
	case SEC_ACTION_NOAUDITLOG:
		return flag(out, SEC_SAYS_AUDIT, SEC_RULE_AUDITS, false);
	case SEC_ACTION_NOLOG:
		/* and nothing for the audit log, unless said behind it */
		return flag(out, SEC_SAYS_LOG | SEC_SAYS_AUDIT,
		    SEC_RULE_LOGS | SEC_RULE_AUDITS, false);
	case SEC_ACTION_PASS:
		return disrupt(out, SEC_DISRUPT_PASS);
	case SEC_ACTION_PHASE:
		return phase_read(b, v, out);
	case SEC_ACTION_REDIRECT:
		(void)disrupt(out, SEC_DISRUPT_REDIRECT);
		return sec_text_read(b, v, &out->redirect);
	case SEC_ACTION_REV:
		out->said |= SEC_SAYS_REV;
		return text_keep(b, v, &out->rev);
	case SEC_ACTION_SETSID:
		return open_add(b,
		    (struct sec_open){
			.store = SEC_VAR_SESSION, .is_named = true},
		    v, out);
	case SEC_ACTION_SETUID:
		return open_add(b,
		    (struct sec_open){.store = SEC_VAR_USER, .is_named = true},
		    v, out);
	case SEC_ACTION_SETVAR:
		return setvar_read(b, v, &out->sets, false);
	case SEC_ACTION_SEVERITY:
		out->said |= SEC_SAYS_SEVERITY;
		return word_read(
		    b, v, severities, SEC_SEVERITY_NONE, &out->severity);
	case SEC_ACTION_SKIP:
		out->said |= SEC_SAYS_SKIP;
		return skip_read(b, v, out);
	case SEC_ACTION_SKIP_AFTER:
		out->said |= SEC_SAYS_SKIP_AFTER;
		out->skip_at = sec_lex_place(b->x, v);
		return text_keep(b, v, &out->skip_after);
	case SEC_ACTION_STATUS:
		out->said |= SEC_SAYS_STATUS;
		return status_read(b, v, out);
	case SEC_ACTION_T:
		return trans_read(b, v, out);
	case SEC_ACTION_TAG:
		return tag_read(b, v, out);
	case SEC_ACTION_VER:
		out->said |= SEC_SAYS_VER;
		return text_keep(b, v, &out->ver);
	case SEC_N_ACTIONS:
		break;
	}
	return false;
}

static bool
item_do(
    struct sec_build *b, const struct sec_item *item, struct sec_actions *out)
{
	ptrdiff_t i = sec_word_find(item->name, action_names, SEC_N_ACTIONS);

	if (i < 0) {
		sec_unknown(b, "action", item->name,
		    diag_suggest(item->name, action_names, SEC_N_ACTIONS));
		return false;
	}
	if (action_rows[i].value == ACTION_NEED && !item->has_value) {
		sec_lex_error(
		    b->x, item->name, "%s needs a value", action_names[i]);
		return false;
	}
	if (action_rows[i].value == ACTION_NONE && item->has_value) {
		sec_lex_error(
		    b->x, item->value, "%s has no value", action_names[i]);
		return false;
	}
	if (action_rows[i].place == ACTION_FIRST && b->is_open) {
		sec_lex_error(b->x, item->name,
		    "%s is for the first rule of a chain", action_names[i]);
		return false;
	}
	return action_do(b, (enum sec_action)i, item->value, out);
}

bool
sec_actions_read(struct sec_build *b, span word, struct sec_actions *out)
{
	struct sec_item item;
	enum sec_lex_rc rc;
	bool is_good = true;

	*out = (struct sec_actions){.severity = SEC_SEVERITY_NONE};
	while ((rc = sec_lex_item(b->x, &word, &item)) == SEC_LEX_GOOD)
		is_good = item_do(b, &item, out) && is_good;
	return is_good && rc == SEC_LEX_END;
}

/* --- two lists in one ----------------------------------------------------- */

static void
join_flow(struct sec_actions *to, const struct sec_actions *from)
{
	if ((from->said & SEC_SAYS_DISRUPT) != 0) {
		to->disrupt = from->disrupt;
		to->redirect = from->redirect;
	}
	if ((from->said & SEC_SAYS_STATUS) != 0)
		to->status = from->status;
	if ((from->said & SEC_SAYS_SKIP) != 0)
		to->skip = from->skip;
	if ((from->said & SEC_SAYS_SKIP_AFTER) != 0) {
		to->skip_after = from->skip_after;
		to->skip_at = from->skip_at;
	}
}

static void
join_words(struct sec_actions *to, const struct sec_actions *from)
{
	if ((from->said & SEC_SAYS_ID) != 0)
		to->id = from->id;
	if ((from->said & SEC_SAYS_PHASE) != 0)
		to->phase = from->phase;
	if ((from->said & SEC_SAYS_SEVERITY) != 0)
		to->severity = from->severity;
	if ((from->said & SEC_SAYS_MSG) != 0)
		to->msg = from->msg;
	if ((from->said & SEC_SAYS_LOGDATA) != 0)
		to->logdata = from->logdata;
	if ((from->said & SEC_SAYS_REV) != 0)
		to->rev = from->rev;
	if ((from->said & SEC_SAYS_VER) != 0)
		to->ver = from->ver;
}

static uint8_t
join_flags(const struct sec_actions *first, const struct sec_actions *second)
{
	uint8_t told = 0;

	if ((second->said & SEC_SAYS_LOG) != 0)
		told |= SEC_RULE_LOGS;
	if ((second->said & SEC_SAYS_AUDIT) != 0)
		told |= SEC_RULE_AUDITS;
	return (uint8_t)((first->flags & ~told) | second->flags);
}

struct sec_actions
sec_actions_join(struct sec_build *b, const struct sec_actions *first,
    const struct sec_actions *second)
{
	struct sec_actions to = *first;

	join_flow(&to, second);
	join_words(&to, second);
	to.flags = join_flags(first, second);
	to.trans = sec_list_join(b, to.trans, second->trans, sizeof(uint8_t));
	to.tags = sec_list_join(b, to.tags, second->tags, sizeof(span));
	to.sets =
	    sec_list_join(b, to.sets, second->sets, sizeof(struct sec_assign));
	to.expires = sec_list_join(
	    b, to.expires, second->expires, sizeof(struct sec_assign));
	to.opens =
	    sec_list_join(b, to.opens, second->opens, sizeof(struct sec_open));
	to.ctls =
	    sec_list_join(b, to.ctls, second->ctls, sizeof(struct sec_ctl));
	to.said |= second->said;
	return to;
}
