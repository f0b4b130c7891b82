/* sec_sqli: detectSQLi. A text is read as what it would be in a statement: on
 * its own, and as the end of a string in either kind of quotes. It is an attack
 * when it goes on with the statement as the grammar allows it, and does what no
 * value does: another select, a statement behind a semicolon, a condition that
 * always holds, the rest as a comment. Prose breaks the grammar after a word or
 * two. */
#include <assert.h>

#include "common/base/check.h"
#include "common/http/chars.h"
#include "worker/sec/sec_op.h"
#include "worker/sec/sec_scan.h"
#include "worker/sec/sec_sqli.h"

/* Tokens that are read of a text: an attack is one long before. */
#define TOKENS_MAX 200
/* Letters of a fingerprint. */
#define TOLD_MAX 16
/* Bytes of a string that is left open for the quote behind it. */
#define OPEN_MAX 32

enum step { STEP_ON, STEP_ATTACK, STEP_END, STEP_ODD };

/* What a text begins with. */
enum from { FROM_STRING, FROM_LITERAL, FROM_NAME, FROM_START };

#define SEEN_LOGIC 1u
#define SEEN_COMPARE 2u
#define SEEN_LITERALS 4u /* compared with one another, in a condition */
#define SEEN_CALL 8u
#define SEEN_SORT 16u
#define SEEN_WHERE 32u
#define SEEN_SELECT 64u
#define SEEN_FROM 128u
#define SEEN_SEMICOLON 256u
#define SEEN_CLOSE 512u /* a bracket that was not opened */
#define SEEN_SIGN 1024u
#define SEEN_COMMENT 2048u

struct reading {
	struct sqli_lexer lex;
	enum from from;
	unsigned seen;
	bool wants_value;
	bool is_first; /* nothing was read */
	bool is_condition; /* behind AND, OR, WHERE */
	unsigned depth;
	unsigned n_cases;
	unsigned n_betweens;
	enum sqli_class last;
	enum sqli_class left; /* of a comparison; STOP: there is none */
	span open; /* the string that was left open last */
	bool is_open;
	span before; /* the string that the text began in */
	span comment;
	bool is_hash; /* it began with # */
	char *told;
	size_t n_told;
};

static bool
has(const struct reading *r, unsigned what)
{
	return (r->seen & what) != 0;
}

/* --- looking ahead -------------------------------------------------------- */

static struct sqli_token
peek(const struct reading *r)
{
	struct sqli_lexer l = r->lex;

	return sqli_next(&l);
}

/* Behind a value, where prose does not get. */
static bool
is_apart(const struct reading *r)
{
	return r->from == FROM_STRING || r->from == FROM_LITERAL ||
	       (r->seen & SEEN_SEMICOLON) != 0;
}

/* --- statements ----------------------------------------------------------- */

static enum step
on_union(const struct reading *r)
{
	return sqli_is_union(r->lex, is_apart(r)) ? STEP_ATTACK : STEP_ODD;
}

static enum step
on_select(struct reading *r)
{
	if (r->last == SQLI_BETWEEN) /* it stood in brackets */
		return STEP_ODD;
	r->seen |= SEEN_SELECT;
	r->wants_value = true;
	return sqli_is_select(r->lex, is_apart(r)) ? STEP_ATTACK : STEP_ON;
}

/* A verb where a statement may begin. */
static enum step
on_verb(const struct reading *r, struct sqli_token verb)
{
	enum sqli_before before = SQLI_BEHIND_VALUE;

	if (r->from == FROM_NAME || (r->is_first && r->from != FROM_STRING))
		before = SQLI_BEHIND_NOTHING;
	else if (has(r, SEEN_SEMICOLON))
		before = SQLI_BEHIND_SEMICOLON;
	return sqli_is_statement(r->lex, verb, before) ? STEP_ATTACK : STEP_ODD;
}

static enum step
on_semicolon(struct reading *r)
{
	struct sqli_token t = peek(r);

	r->seen |= SEEN_SEMICOLON;
	r->wants_value = true;
	r->is_condition = false;
	r->left = SQLI_STOP;
	if (t.class != SQLI_VERB)
		return STEP_ON;
	r->lex.at = (size_t)(t.text.p - r->lex.in.p) + t.text.len;
	return on_verb(r, t);
}

static enum step
on_comment(struct reading *r, struct sqli_token t)
{
	r->seen |= SEEN_COMMENT;
	r->comment = t.text;
	r->is_hash =
	    t.text.len > 0 && t.text.p > r->lex.in.p && t.text.p[-1] == '#';
	return STEP_END;
}

/* --- where a value is wanted ---------------------------------------------- */

static void
take_value(struct reading *r, struct sqli_token t)
{
	bool is_plain = sqli_is_literal(t.class) || sqli_is_call(t.class);
	bool was_plain = sqli_is_literal(r->left) || sqli_is_call(r->left);

	if (r->left != SQLI_STOP && is_plain && was_plain && r->is_condition)
		r->seen |= SEEN_LITERALS;
	r->left = SQLI_STOP;
	if (t.class == SQLI_STRING && t.is_open) {
		r->open = t.text;
		r->is_open = true;
	}
	r->wants_value = false;
}

/* A function that takes its time: with a number for it, or where prose has no
 * word at all. */
static enum step
on_delay(struct reading *r)
{
	enum sqli_class argument = sqli_ahead(r->lex, 2);

	r->seen |= SEEN_CALL;
	if (is_apart(r) || (r->seen & (SEEN_LOGIC | SEEN_SELECT)) != 0)
		return STEP_ATTACK;
	if (sqli_is_one_of(argument, "1v") &&
	    sqli_is_one_of(sqli_ahead(r->lex, 3), "),+*o.c"))
		return STEP_ATTACK;
	return argument == SQLI_OPEN || sqli_is_call(argument) ? STEP_ATTACK
							       : STEP_ON;
}

static enum step
on_logic(struct reading *r)
{
	r->seen |= SEEN_LOGIC;
	r->is_condition = true;
	r->left = SQLI_STOP;
	r->wants_value = true;
	return STEP_ON;
}

static enum step
on_value_rare(struct reading *r, struct sqli_token t)
{
	switch ((unsigned)t.class) {
	case SQLI_CLOSE:
		if (r->last != SQLI_OPEN || r->depth == 0)
			return STEP_ODD;
		r->depth--;
		r->wants_value = false;
		return STEP_ON;
	case SQLI_STAR:
		if (!sqli_is_one_of(r->last, "ea,("))
			return STEP_ODD;
		r->wants_value = false;
		return STEP_ON;
	case SQLI_CASE:
		r->n_cases++;
		return STEP_ON;
	case SQLI_WHEN:
		r->is_condition = true;
		return r->n_cases > 0 ? STEP_ON : STEP_ODD;
	case SQLI_COMPARE:
		/* sounds like */
		return r->last == SQLI_COMPARE ? STEP_ON : STEP_ODD;
	case SQLI_VERB:
		return r->is_first ? on_verb(r, t) : STEP_ODD;
	case SQLI_UNION:
		return r->is_first ? on_union(r) : STEP_ODD;
	case SQLI_LOGIC:
		return r->is_first ? on_logic(r) : STEP_ODD;
	case SQLI_SEMICOLON:
		return r->last == SQLI_SEMICOLON ? STEP_ON : STEP_ODD;
	default:
		return STEP_ODD;
	}
}

static enum step
on_value(struct reading *r, struct sqli_token t)
{
	switch ((unsigned)t.class) {
	case SQLI_NUMBER:
	case SQLI_STRING:
	case SQLI_VARIABLE:
	case SQLI_NAME:
	case SQLI_OBJECT:
		/* if exists (...) */
		if (r->is_first && sqli_is_word(t, "if"))
			return STEP_ON;
		take_value(r, t);
		return STEP_ON;
	case SQLI_CALL:
		take_value(r, t);
		r->seen |= SEEN_CALL;
		return STEP_ON;
	case SQLI_DELAY:
		take_value(r, t);
		return on_delay(r);
	case SQLI_OPEN:
		r->depth++;
		return STEP_ON;
	case SQLI_SIGN:
	case SQLI_NOT:
		return STEP_ON;
	case SQLI_EACH:
		return sqli_is_one_of(r->last, "eu(=,") ? STEP_ON : STEP_ODD;
	case SQLI_SELECT:
		return on_select(r);
	case SQLI_COMMENT:
		return on_comment(r, t);
	case SQLI_STOP:
		return STEP_END;
	default:
		return on_value_rare(r, t);
	}
}

/* --- where an operator is wanted ------------------------------------------ */

static enum step
on_clause(struct reading *r, struct sqli_token t)
{
	struct sqli_token next = peek(r);

	if (sqli_is_word(t, "into"))
		return sqli_is_word(next, "outfile") ||
			       sqli_is_word(next, "dumpfile")
			   ? STEP_ATTACK
			   : STEP_ODD;
	if (sqli_is_word(t, "procedure"))
		return sqli_is_word(next, "analyse") ? STEP_ATTACK : STEP_ODD;
	r->wants_value = true;
	return sqli_is_one_of(next.class, "1vfd(") ? STEP_ON : STEP_ODD;
}

static enum step
on_sort(struct reading *r)
{
	if (peek(r).class != SQLI_BY)
		return STEP_ODD;
	(void)sqli_next(&r->lex);
	r->seen |= SEEN_SORT;
	r->wants_value = true;
	/* only of numbers and calls: prose orders by names */
	if (sqli_is_call(peek(r).class) || peek(r).class == SQLI_OPEN)
		r->seen |= SEEN_CALL;
	return STEP_ON;
}

/* A word behind a value. */
static enum step
on_word(struct reading *r, struct sqli_token t)
{
	bool is_select = (r->seen & SEEN_SELECT) != 0;

	switch ((unsigned)t.class) {
	case SQLI_NAME:
	case SQLI_OBJECT:
		/* an alias */
		return is_select && sqli_is_one_of(r->last, "n)") ? STEP_ON
								  : STEP_ODD;
	case SQLI_STRING:
		if (r->last != SQLI_STRING || r->is_first)
			return STEP_ODD;
		take_value(r, t);
		return STEP_ON;
	case SQLI_DELAY:
		/* what is pasted together: " sleep(10.to_i) " */
		return r->from == FROM_STRING && r->is_first &&
			       sqli_is_one_of(sqli_ahead(r->lex, 2), "1n")
			   ? STEP_ATTACK
			   : STEP_ODD;
	case SQLI_FROM:
		if (!is_select && r->depth == 0)
			return STEP_ODD;
		r->seen |= SEEN_FROM;
		r->wants_value = true;
		return STEP_ON;
	case SQLI_WHERE:
		r->seen |= SEEN_WHERE;
		r->is_condition = true;
		r->wants_value = true;
		return STEP_ON;
	case SQLI_AS:
		r->wants_value = true;
		return is_select || r->depth > 0 ? STEP_ON : STEP_ODD;
	case SQLI_AFTER:
		return (r->seen & SEEN_SORT) != 0 ? STEP_ON : STEP_ODD;
	case SQLI_WHEN:
		r->wants_value = true;
		return r->n_cases > 0 ? STEP_ON : STEP_ODD;
	case SQLI_END:
		return r->n_cases > 0 ? STEP_ON : STEP_ODD;
	default:
		return STEP_ODD;
	}
}

static enum step
on_compare(struct reading *r)
{
	r->seen |= SEEN_COMPARE;
	r->left = r->last;
	r->wants_value = true;
	return STEP_ON;
}

static enum step
on_bracket(struct reading *r, struct sqli_token t)
{
	if (t.class == SQLI_OPEN) {
		r->depth++;
		r->wants_value = true;
		if (sqli_is_one_of(r->last, "nfdi"))
			return STEP_ON;
		return r->from == FROM_STRING && r->is_first &&
			       peek(r).class == SQLI_SELECT
			   ? STEP_ON
			   : STEP_ODD;
	}
	if (r->depth > 0)
		r->depth--;
	else
		r->seen |= SEEN_CLOSE;
	return STEP_ON;
}

static enum step
on_operator_rare(struct reading *r, struct sqli_token t)
{
	switch ((unsigned)t.class) {
	case SQLI_UNION:
		return on_union(r);
	case SQLI_SEMICOLON:
		return on_semicolon(r);
	case SQLI_SORT:
		return on_sort(r);
	case SQLI_CLAUSE:
		return on_clause(r, t);
	case SQLI_VERB:
		return on_verb(r, t);
	case SQLI_COMMENT:
		return on_comment(r, t);
	case SQLI_STOP:
		return STEP_END;
	default:
		return on_word(r, t);
	}
}

static enum step
on_operator(struct reading *r, struct sqli_token t)
{
	switch ((unsigned)t.class) {
	case SQLI_SIGN:
		if (t.text.p[0] == '!' || t.text.p[0] == '~')
			return STEP_ODD;
		r->seen |= SEEN_SIGN;
		r->wants_value = true;
		return STEP_ON;
	case SQLI_BINARY:
	case SQLI_STAR:
		r->seen |= SEEN_SIGN;
		r->wants_value = true;
		return STEP_ON;
	case SQLI_COMPARE:
	case SQLI_IN:
		return on_compare(r);
	case SQLI_BETWEEN:
		r->n_betweens++;
		return on_compare(r);
	case SQLI_NOT:
		return STEP_ON;
	case SQLI_LOGIC:
		if (r->n_betweens == 0)
			return on_logic(r);
		r->n_betweens--;
		r->wants_value = true;
		return STEP_ON;
	case SQLI_OPEN:
	case SQLI_CLOSE:
		return on_bracket(r, t);
	case SQLI_COMMA:
		r->wants_value = true;
		return STEP_ON;
	default:
		return on_operator_rare(r, t);
	}
}

/* --- what was read -------------------------------------------------------- */

/* A word or nothing, as it is in front of a quote to come; or what begins with a
 * digit, which is a number to who compares it. */
static bool
is_word_open(const struct reading *r)
{
	span open = r->open;

	if (!r->is_open || r->last != SQLI_STRING || open.len > OPEN_MAX)
		return false;
	for (size_t i = 0; i < open.len; i++)
		if (char_is_digit(open.p[0]) ? (uint8_t)open.p[i] <= ' '
					     : !char_is(open.p[i], CHAR_TOKEN))
			return false;
	return true;
}

/* At most two words, none of which is quoted: what is left of a statement, or
 * of what hides it. */
static bool
is_bare_comment(const struct reading *r)
{
	span rest = r->comment;
	span word;
	unsigned n = 0;

	if (span_chr(rest, '\'') >= 0 || span_chr(rest, '"') >= 0)
		return false;
	while (span_word(&rest, &word))
		n++;
	return n <= (r->is_hash ? 0 : 2);
}

static bool
ends_string(const struct reading *r)
{
	if (has(r, SEEN_LOGIC) &&
	    (has(r, SEEN_COMPARE | SEEN_CALL) || r->last == SQLI_NUMBER ||
		is_word_open(r)))
		return true;
	if (has(r, SEEN_COMMENT))
		return is_bare_comment(r) ||
		       (has(r, SEEN_LOGIC) && !r->is_hash);
	return has(r, SEEN_SIGN | SEEN_COMPARE) && is_word_open(r) &&
	       span_chr(r->before, ' ') < 0;
}

static bool
ends_literal(const struct reading *r)
{
	if (has(r, SEEN_LOGIC))
		return has(r, SEEN_COMPARE | SEEN_COMMENT | SEEN_CALL) ||
		       r->last == SQLI_VARIABLE;
	if (has(r, SEEN_SORT))
		return sqli_is_literal(r->last) ||
		       has(r, SEEN_CALL | SEEN_COMMENT);
	if (has(r, SEEN_COMMENT))
		return has(r, SEEN_CLOSE) || span_trim(r->comment).len <= 1;
	return false;
}

/* The text was read to its end. */
static bool
is_attack_whole(const struct reading *r)
{
	if (has(r, SEEN_SELECT) && has(r, SEEN_FROM))
		return has(r, SEEN_SEMICOLON | SEEN_COMMENT) ||
		       (has(r, SEEN_WHERE) && has(r, SEEN_COMPARE));
	switch (r->from) {
	case FROM_STRING:
		return ends_string(r);
	case FROM_LITERAL:
		return ends_literal(r);
	case FROM_NAME:
		return has(r, SEEN_SORT) && has(r, SEEN_CALL);
	case FROM_START:
		return has(r, SEEN_LOGIC) && has(r, SEEN_COMPARE) &&
		       (has(r, SEEN_COMMENT) || r->is_open);
	}
	UNREACHED();
}

static void
tell(struct reading *r, enum sqli_class class)
{
	if (r->n_told < TOLD_MAX && class != SQLI_STOP)
		r->told[r->n_told++] = (char)class;
	r->told[r->n_told] = '\0';
}

static enum from begins_with(enum sqli_class class)
{
	if (sqli_is_literal(class))
		return FROM_LITERAL;
	return sqli_is_one_of(class, "ng") ? FROM_NAME : FROM_START;
}

static bool
read_on(struct reading *r)
{
	for (unsigned n = 0; n < TOKENS_MAX; n++) {
		struct sqli_token t = sqli_next(&r->lex);
		enum step step;

		if (r->is_first && r->from != FROM_STRING)
			r->from = begins_with(t.class);
		step = r->wants_value ? on_value(r, t) : on_operator(r, t);
		tell(r, t.class);
		if (step == STEP_ATTACK)
			return true;
		if (step == STEP_END && is_attack_whole(r))
			return true;
		/* a condition that always holds needs no end */
		if (step != STEP_ON)
			return has(r, SEEN_LITERALS);
		r->last = t.class;
		r->is_first = false;
	}
	return has(r, SEEN_LITERALS);
}

/* On its own, or (`quote`) from inside of a string. */
static bool
is_attack(span text, char quote, char *told)
{
	struct reading r = {.lex = {.in = text, .last = SQLI_STOP},
	    .from = FROM_START,
	    .wants_value = quote == '\0',
	    .is_first = true,
	    .last = SQLI_STOP,
	    .left = SQLI_STOP,
	    .told = told};

	if (quote != '\0') {
		struct sqli_token t = sqli_rest_of_string(&r.lex, quote);

		if (t.is_open)
			return false;
		r.lex.is_quoted = true;
		r.from = FROM_STRING;
		r.last = SQLI_STRING;
		r.before = t.text;
		tell(&r, SQLI_STRING);
	}
	return read_on(&r);
}

bool
sec_sqli_find(span text, char told[SEC_HITS_TOLD])
{
	static_assert(TOLD_MAX < SEC_HITS_TOLD, "room for a fingerprint");
	if (sqli_has_versioned_comment(text)) {
		memcpy(told, "c", sizeof("c"));
		return true;
	}
	if (is_attack(text, '\0', told))
		return true;
	if (sec_chr(text, 0, '\'') < text.len && is_attack(text, '\'', told))
		return true;
	if (sec_chr(text, 0, '"') < text.len && is_attack(text, '"', told))
		return true;
	told[0] = '\0';
	return false;
}
