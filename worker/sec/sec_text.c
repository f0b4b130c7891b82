/* sec_text: texts with macros, and the names of TX that rules know by number.
 * Only what is constant is known by number: the rest is looked up by name. */
#include "common/base/check.h"
#include "worker/sec/sec_int.h"

#define MACRO SPAN_LIT("%{")

int32_t
sec_slot(struct sec_build *b, span name)
{
	span *at;
	uintptr_t known = (uintptr_t)map_get(&b->slots, name);
	char *lower;

	if (known != 0)
		return (int32_t)(known - 1);
	if (b->tx_names.n == SEC_SLOTS_MAX)
		return -1;
	lower = arena_alloc(b->a, name.len + 1);
	ascii_lower_copy(lower, name);
	lower[name.len] = '\0';
	at = sec_list_add(b, &b->tx_names, sizeof(*at), name);
	if (at == NULL)
		return -1;
	*at = span_of(lower, name.len);
	(void)map_put(&b->slots, *at, (void *)(uintptr_t)b->tx_names.n);
	return (int32_t)(b->tx_names.n - 1);
}

bool
sec_text_varies(const struct sec_text *t)
{
	return t->n_parts > 1 || (t->n_parts == 1 && !t->parts[0].is_literal);
}

bool
sec_store_read(struct sec_build *b, span word, enum sec_var *out)
{
	if (sec_var_find(word, out) && sec_var_shape(*out) == SEC_SHAPE_STORE)
		return true;
	sec_lex_error(b->x, word,
	    "'%.*s' holds no variables of rules: tx, ip, global, session, user "
	    "and resource do",
	    SPAN_FMT(word));
	return false;
}

/* What stands between the braces. */
static bool
macro_read(struct sec_build *b, span inner, struct sec_part *part)
{
	ptrdiff_t dot = span_chr(inner, '.');
	span name = dot < 0 ? inner : span_first(inner, (size_t)dot);

	part->slot = -1;
	if (!sec_var_find(name, &part->var)) {
		sec_unknown(b, "variable", name, sec_var_suggest(name));
		return false;
	}
	if (dot < 0)
		return true;
	part->text = span_from(inner, (size_t)dot + 1);
	if (sec_var_shape(part->var) == SEC_SHAPE_ONE) {
		sec_lex_error(b->x, part->text,
		    "%s is one text: it has no parts", sec_var_name(part->var));
		return false;
	}
	if (part->var == SEC_VAR_TX && part->text.len > 0)
		part->slot = sec_slot(b, part->text);
	part->text = arena_span(b->a, part->text);
	return true;
}

static bool
part_add(
    struct sec_build *b, struct sec_list *parts, struct sec_part part, span at)
{
	struct sec_part *p = sec_list_add(b, parts, sizeof(*p), at);

	if (p == NULL)
		return false;
	*p = part;
	return true;
}

static bool
literal_add(struct sec_build *b, struct sec_list *parts, span text)
{
	struct sec_part part = {.is_literal = true, .slot = -1};

	if (text.len == 0)
		return true;
	part.text = arena_span(b->a, text);
	return part_add(b, parts, part, text);
}

bool
sec_text_read(struct sec_build *b, span s, struct sec_text *out)
{
	struct sec_list parts = {0};
	span rest = s;
	ptrdiff_t at, end;

	while ((at = span_find(rest, MACRO)) >= 0) {
		span from = span_from(rest, (size_t)at);
		struct sec_part part = {0};

		if (!literal_add(b, &parts, span_first(rest, (size_t)at)))
			return false;
		end = span_chr(from, '}');
		if (end < 0) {
			sec_lex_error(
			    b->x, span_first(from, 2), "the macro has no end");
			return false;
		}
		if (!macro_read(b, span_of(from.p + 2, (size_t)end - MACRO.len),
			&part) ||
		    !part_add(b, &parts, part, from))
			return false;
		rest = span_from(from, (size_t)end + 1);
	}
	if (!literal_add(b, &parts, rest))
		return false;
	out->raw = arena_span(b->a, s);
	out->parts = parts.at;
	out->n_parts = parts.n;
	return true;
}
