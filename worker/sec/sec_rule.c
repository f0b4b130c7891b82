/* sec_rule: SecRule, SecAction, SecMarker and SecDefaultAction: each becomes a
 * draft, with what the default action of its phase says before it. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/sec/sec_int.h"
#include "worker/sec/sec_op.h"

#define PHASE_DEFAULT 2u
#define PHASE_LOGGING 5u
/* Digits of an id. */
#define ID_ROOM 20

/* What holds where no SecDefaultAction was said. */
static const struct sec_actions built_in = {
    .said = SEC_SAYS_LOG | SEC_SAYS_AUDIT | SEC_SAYS_DISRUPT,
    .severity = SEC_SEVERITY_NONE,
    .flags = SEC_RULE_LOGS | SEC_RULE_AUDITS,
    .disrupt = SEC_DISRUPT_PASS,
};

static struct sec_draft *
draft_new(struct sec_build *b, enum sec_kind kind, span part)
{
	struct sec_draft *r;

	if (b->drafts.n == SEC_RULES_MAX) {
		sec_lex_error(b->x, part, "more than %u rules", SEC_RULES_MAX);
		return NULL;
	}
	r = arena_zalloc(b->a, sizeof(*r));
	r->kind = kind;
	r->is_chained = b->is_open;
	r->op = SEC_OP_UNCONDITIONAL_MATCH;
	r->at = sec_lex_place(b->x, part);
	r->file = b->file;
	vec_push(&b->drafts, r);
	return r;
}

void
sec_chain_check(struct sec_build *b)
{
	const struct sec_draft *last;

	if (!b->is_open)
		return;
	b->is_open = false;
	last = b->drafts.at[b->drafts.n - 1];
	diag_error(b->d, last->at,
	    "the chain has no end: 'chain' says that another rule follows");
}

/* --- where a rule stands -------------------------------------------------- */

/* What begins the chain that the last draft belongs to. */
static struct sec_draft *
chain_first(struct sec_build *b, struct sec_draft *r)
{
	uint32_t i = b->drafts.n - 1;
	uint32_t n = 0;

	while (i > 0 && ((struct sec_draft *)b->drafts.at[i])->is_chained) {
		i--;
		n++;
	}
	if (n > SEC_CHAINED_MAX) {
		diag_error(b->d, r->at, "more than %u rules in a chain",
		    SEC_CHAINED_MAX);
		return NULL;
	}
	return b->drafts.at[i];
}

static bool
id_take(struct sec_build *b, struct sec_draft *r, const struct sec_actions *a)
{
	char text[ID_ROOM];
	struct sec_draft *other;
	char where[256];
	span key;

	if ((a->said & SEC_SAYS_ID) == 0) {
		diag_error(b->d, r->at, "the rule has no id");
		return false;
	}
	key = span_of(text, u64_format(a->id, text));
	other = map_get(&b->ids, key);
	if (other != NULL) {
		diag_where(b->d, other->at, where, sizeof(where));
		diag_error(b->d, r->at, "id %.*s is that of %s too",
		    SPAN_FMT(key), where);
		return false;
	}
	(void)map_put(&b->ids, arena_span(b->a, key), r);
	return true;
}

static const struct sec_actions *
default_of(const struct sec_build *b, uint8_t phase)
{
	if (b->defaults[phase - 1] != NULL)
		return b->defaults[phase - 1];
	return b->last_default != NULL ? b->last_default : &built_in;
}

/* Nothing can be refused when all is over. */
bool
sec_rule_fits(struct sec_build *b, struct sec_draft *r)
{
	if (r->actions.phase < PHASE_LOGGING)
		return true;
	r->blocks_as = SEC_DISRUPT_PASS;
	switch (r->actions.disrupt) {
	case SEC_DISRUPT_DENY:
	case SEC_DISRUPT_DROP:
	case SEC_DISRUPT_REDIRECT:
		diag_error(b->d, r->at,
		    "a rule of phase 5 comes too late to refuse: say 'pass'");
		return false;
	case SEC_DISRUPT_NONE:
	case SEC_DISRUPT_PASS:
	case SEC_DISRUPT_BLOCK:
	case SEC_DISRUPT_ALLOW:
	case SEC_DISRUPT_ALLOW_PHASE:
	case SEC_DISRUPT_ALLOW_REQUEST:
		return true;
	}
	return false;
}

/* A rule that begins something, or stands alone. */
static bool
settle_first(
    struct sec_build *b, struct sec_draft *r, const struct sec_actions *own)
{
	const struct sec_actions *before;
	uint8_t phase = PHASE_DEFAULT;

	if ((own->said & SEC_SAYS_PHASE) != 0)
		phase = own->phase;
	before = default_of(b, phase);
	r->actions = sec_actions_join(b, before, own);
	r->actions.phase = phase;
	r->blocks_as = before->disrupt;
	if (phase == PHASE_LOGGING && (own->said & SEC_SAYS_DISRUPT) == 0)
		r->actions.disrupt = SEC_DISRUPT_PASS;
	return sec_rule_fits(b, r) && id_take(b, r, own);
}

static bool
settle_chained(
    struct sec_build *b, struct sec_draft *r, const struct sec_actions *own)
{
	const struct sec_draft *first = chain_first(b, r);
	uint8_t phase;

	if (first == NULL)
		return false;
	/* a broken one has none */
	phase = first->actions.phase;
	if (phase == 0)
		phase = PHASE_DEFAULT;
	r->actions = sec_actions_join(b, default_of(b, phase), own);
	r->actions.phase = phase;
	r->actions.disrupt = SEC_DISRUPT_NONE;
	return true;
}

static void
settle(struct sec_build *b, struct sec_draft *r, const struct sec_actions *own)
{
	if (r->is_chained)
		(void)settle_chained(b, r, own);
	else
		(void)settle_first(b, r, own);
	b->is_open = (own->said & SEC_SAYS_CHAIN) != 0;
}

/* --- operators ------------------------------------------------------------ */

static bool
argument_read(struct sec_build *b, struct sec_draft *r, span argument)
{
	const struct sec_test_env env = {.folder = b->folder,
	    .match_limit = b->set->options.match_limit,
	    .deep = b->own->deep};
	struct sec_test *test;
	bool may_vary = sec_op_argument(r->op) == SEC_ARGUMENT_TEXT ||
			sec_op_argument(r->op) == SEC_ARGUMENT_ASK ||
			r->op == SEC_OP_RX;

	if (sec_op_argument(r->op) == SEC_ARGUMENT_NONE && argument.len > 0) {
		sec_lex_error(
		    b->x, argument, "%s takes no argument", sec_op_name(r->op));
		return false;
	}
	r->argument.raw = arena_span(b->a, argument);
	if (may_vary && sec_has_macros(argument) &&
	    !sec_text_read(b, argument, &r->argument))
		return false;
	if (sec_text_varies(&r->argument))
		r->flags |= SEC_RULE_HAS_MACROS;
	if (sec_op_argument(r->op) == SEC_ARGUMENT_ASK)
		return true;
	test = sec_test_new(
	    r->op, r->argument.raw, &env, sec_lex_place(b->x, argument), b->d);
	if (test != NULL)
		vec_push(&b->own->tests, test);
	r->test = test;
	return test != NULL;
}

static bool
operator_read(struct sec_build *b, struct sec_draft *r, span word)
{
	size_t len = 1;
	span name;

	if (word.len > 0 && word.p[0] == '!') {
		r->flags |= SEC_RULE_IS_NEGATED;
		word = span_from(word, 1);
		while (word.len > 0 && sec_white(word.p[0]))
			word = span_from(word, 1);
	}
	r->op = SEC_OP_RX;
	if (word.len == 0 || word.p[0] != '@')
		return argument_read(b, r, word);
	while (len < word.len && !sec_white(word.p[len]))
		len++;
	name = span_of(word.p + 1, len - 1);
	while (len < word.len && sec_white(word.p[len]))
		len++;
	if (!sec_op_find(name, &r->op)) {
		sec_unknown(b, "operator", name, sec_op_suggest(name));
		return false;
	}
	return argument_read(b, r, span_from(word, len));
}

/* --- directives ----------------------------------------------------------- */

void
sec_rule_read(struct sec_build *b, const struct sec_words *w)
{
	struct sec_draft *r = draft_new(b, SEC_KIND_RULE, w->at[0]);
	struct sec_actions own = {.severity = SEC_SEVERITY_NONE};

	if (r == NULL)
		return;
	(void)sec_targets_read(b, w->at[0], &r->targets);
	(void)operator_read(b, r, w->at[1]);
	if (w->n > 2)
		(void)sec_actions_read(b, w->at[2], &own);
	settle(b, r, &own);
}

void
sec_action_read(struct sec_build *b, const struct sec_words *w)
{
	struct sec_draft *r = draft_new(b, SEC_KIND_ACTION, w->at[0]);
	struct sec_actions own;

	if (r == NULL)
		return;
	(void)sec_actions_read(b, w->at[0], &own);
	settle(b, r, &own);
}

void
sec_marker_read(struct sec_build *b, const struct sec_words *w)
{
	struct sec_draft *r;

	sec_chain_check(b);
	r = draft_new(b, SEC_KIND_MARKER, w->at[0]);
	if (r != NULL)
		r->marker = arena_span(b->a, w->at[0]);
}

void
sec_default_read(struct sec_build *b, const struct sec_words *w)
{
	const uint32_t needed = SEC_SAYS_PHASE | SEC_SAYS_DISRUPT;
	const uint32_t barred = SEC_SAYS_ID | SEC_SAYS_MSG | SEC_SAYS_LOGDATA |
				SEC_SAYS_REV | SEC_SAYS_VER |
				SEC_SAYS_SEVERITY | SEC_SAYS_CHAIN |
				SEC_SAYS_SKIP | SEC_SAYS_SKIP_AFTER;
	struct sec_actions *a = arena_zalloc(b->a, sizeof(*a));
	struct sec_actions own;

	sec_chain_check(b);
	if (!sec_actions_read(b, w->at[0], &own))
		return;
	if ((own.said & needed) != needed) {
		sec_lex_error(b->x, w->at[0],
		    "a default action says a phase and a disruptive action");
		return;
	}
	if ((own.said & barred) != 0 || own.disrupt == SEC_DISRUPT_BLOCK) {
		sec_lex_error(b->x, w->at[0],
		    "a default action does not block, chain or skip, and has "
		    "no id, message, version or severity");
		return;
	}
	*a = sec_actions_join(b, &built_in, &own);
	b->defaults[own.phase - 1] = a;
	b->last_default = a;
}
