/* sec_sqli_verb: what makes a statement of a verb, of SELECT and of UNION: a
 * few tokens behind it, which prose does not have in this order. */
#include "worker/sec/sec_sqli.h"

bool
sqli_is_union(struct sqli_lexer l, bool is_apart)
{
	struct sqli_token t = sqli_next(&l);

	while (t.class == SQLI_EACH || t.class == SQLI_OPEN)
		t = sqli_next(&l);
	if (t.class != SQLI_SELECT)
		return false;
	t = sqli_next(&l);
	if (t.class == SQLI_EACH)
		t = sqli_next(&l);
	if (t.class == SQLI_NAME && !is_apart)
		return sqli_is_one_of(sqli_next(&l).class, ",r(c");
	return sqli_is_one_of(t.class, "n1svfd(*+q!c.gl");
}

bool
sqli_is_select(struct sqli_lexer l, bool is_apart)
{
	struct sqli_token t = sqli_next(&l);
	enum sqli_class next;

	while (t.class == SQLI_EACH)
		t = sqli_next(&l);
	if (sqli_is_call(t.class) || t.class == SQLI_CASE)
		return true;
	if (t.class == SQLI_VARIABLE && span_starts(t.text, SPAN_LIT("@@")))
		return true;
	next = sqli_next(&l).class;
	if (t.class == SQLI_STAR)
		return next == SQLI_FROM;
	if (sqli_is_literal(t.class))
		return sqli_is_one_of(next, ",r)cwu&=") ||
		       (is_apart && next == SQLI_STOP);
	if (t.class == SQLI_OPEN)
		return next == SQLI_SELECT;
	return is_apart && (t.class == SQLI_NAME || t.class == SQLI_OBJECT) &&
	       sqli_is_one_of(next, ",r(");
}

enum sqli_class
sqli_ahead(struct sqli_lexer l, unsigned n)
{
	enum sqli_class kind = SQLI_STOP;

	while (n-- > 0)
		kind = sqli_next(&l).class;
	return kind;
}

/* Procedures of the system, of MSSQL. */
static bool
is_procedure(struct sqli_token t)
{
	span first = span_first(t.text, 3);

	return span_ieq(first, SPAN_LIT("xp_")) ||
	       span_ieq(first, SPAN_LIT("sp_")) ||
	       span_find(t.text, SPAN_LIT("..")) > 0;
}

/* Verbs that need their object: whether the token behind is one. */
static bool
has_object(
    struct sqli_token verb, struct sqli_token object, enum sqli_before before)
{
	if (sqli_is_word(verb, "insert") || sqli_is_word(verb, "replace") ||
	    sqli_is_word(verb, "merge"))
		return sqli_is_word(object, "into");
	if (sqli_is_word(verb, "delete"))
		return object.class == SQLI_FROM;
	if (sqli_is_word(verb, "drop") || sqli_is_word(verb, "alter") ||
	    sqli_is_word(verb, "create") || sqli_is_word(verb, "truncate") ||
	    sqli_is_word(verb, "rename"))
		return object.class == SQLI_OBJECT ||
		       sqli_is_word(object, "procedure");
	if (sqli_is_word(verb, "exec") || sqli_is_word(verb, "execute"))
		return sqli_is_one_of(object.class, "v(f") ||
		       is_procedure(object);
	/* the others are words of prose, too */
	if (before != SQLI_BEHIND_SEMICOLON)
		return false;
	if (sqli_is_word(verb, "shutdown"))
		return sqli_is_one_of(object.class, ".c;n");
	if (sqli_is_word(verb, "set"))
		return object.class == SQLI_VARIABLE;
	return sqli_is_one_of(object.class, "nsv1gap");
}

/* Whether a text that begins with a verb is a statement beyond doubt. */
static bool
is_whole_statement(struct sqli_lexer l, struct sqli_token verb)
{
	struct sqli_lexer behind = l;
	struct sqli_token object = sqli_next(&behind);
	enum sqli_class second = sqli_ahead(l, 2);
	enum sqli_class third = sqli_ahead(l, 3);

	if (sqli_is_word(verb, "insert") || sqli_is_word(verb, "replace"))
		return sqli_is_word(object, "into") && second == SQLI_NAME &&
		       sqli_is_one_of(third, "(e");
	if (sqli_is_word(verb, "delete"))
		return object.class == SQLI_FROM && second == SQLI_NAME &&
		       third == SQLI_WHERE && sqli_ahead(l, 5) == SQLI_COMPARE;
	if (sqli_is_word(verb, "drop") || sqli_is_word(verb, "truncate"))
		return object.class == SQLI_OBJECT && second == SQLI_NAME &&
		       sqli_is_one_of(third, "c;");
	return (sqli_is_word(verb, "exec") || sqli_is_word(verb, "execute")) &&
	       is_procedure(object);
}

bool
sqli_is_statement(
    struct sqli_lexer l, struct sqli_token verb, enum sqli_before before)
{
	struct sqli_lexer behind = l;
	struct sqli_token object = sqli_next(&behind);

	if (sqli_is_word(verb, "waitfor"))
		return sqli_is_word(object, "delay") ||
		       sqli_is_word(object, "time");
	if (sqli_is_word(verb, "declare"))
		return object.class == SQLI_VARIABLE;
	if (sqli_is_word(verb, "update"))
		return object.class == SQLI_NAME &&
		       sqli_ahead(l, 2) == SQLI_VERB &&
		       sqli_ahead(l, 4) == SQLI_COMPARE;
	if (before != SQLI_BEHIND_NOTHING && has_object(verb, object, before))
		return true;
	return is_whole_statement(l, verb);
}
