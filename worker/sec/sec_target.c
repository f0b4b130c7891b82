/* sec_target: what a rule looks at: variables with keys and regexes, what is
 * counted and what is taken away. */
#include "common/base/num.h"
#include "common/base/regex.h"
#include "worker/sec/sec_int.h"

/* How ModSecurity 2 names one of REQUEST_HEADERS too. */
#define HTTP SPAN_LIT("HTTP_")
/* A dot of a key's regex is any byte, as in ModSecurity. */
#define ANY SPAN_LIT("(?s)")

const struct regex *
sec_regex(struct sec_build *b, span pattern, bool is_key)
{
	struct place at = sec_lex_place(b->x, pattern);
	const span parts[] = {ANY, pattern};
	struct regex *re;

	if (is_key) {
		pattern = arena_concat(b->a, parts, 2);
		at.col = at.col > ANY.len ? (uint16_t)(at.col - ANY.len) : 1;
	}
	re = regex_new(pattern, is_key, at, b->d);
	if (re != NULL)
		vec_push(&b->own->regexes, re);
	return re;
}

static bool
is_regex(span value)
{
	return value.len > 2 && value.p[0] == '/' &&
	       value.p[value.len - 1] == '/';
}

static bool
selector_read(struct sec_build *b, span value, struct sec_target *out)
{
	enum sec_shape shape = sec_var_shape(out->var);

	if (shape == SEC_SHAPE_ONE) {
		sec_lex_error(b->x, value, "%s is one text: it has no parts",
		    sec_var_name(out->var));
		return false;
	}
	if (shape != SEC_SHAPE_DOC && is_regex(value)) {
		out->select = SEC_SELECT_REGEX;
		out->regex =
		    sec_regex(b, span_of(value.p + 1, value.len - 2), true);
		out->key = arena_span(b->a, value);
		return out->regex != NULL;
	}
	out->select = SEC_SELECT_KEY;
	out->key = arena_span(b->a, value);
	if (out->var == SEC_VAR_TX)
		out->slot = sec_slot(b, value);
	return true;
}

bool
sec_target_read(
    struct sec_build *b, const struct sec_item *item, struct sec_target *out)
{
	span name = item->name;
	span value = item->value;

	*out = (struct sec_target){.slot = -1};
	out->is_excluded = name.len > 0 && name.p[0] == '!';
	out->is_count = name.len > 0 && name.p[0] == '&';
	if (out->is_excluded || out->is_count)
		name = span_from(name, 1);
	if (!sec_var_find(name, &out->var)) {
		if (!span_starts(name, HTTP) || name.len == HTTP.len ||
		    item->has_value) {
			sec_unknown(b, "variable", name, sec_var_suggest(name));
			return false;
		}
		out->var = SEC_VAR_REQUEST_HEADERS;
		value = span_from(name, HTTP.len);
	}
	if (out->is_count && sec_var_shape(out->var) == SEC_SHAPE_ONE) {
		sec_lex_error(b->x, item->name,
		    "%s is one text: it cannot be counted",
		    sec_var_name(out->var));
		return false;
	}
	return value.len == 0 || selector_read(b, value, out);
}

bool
sec_targets_read(struct sec_build *b, span word, struct sec_list *out)
{
	struct sec_target target, *t;
	struct sec_item item;
	enum sec_lex_rc rc;

	while ((rc = sec_lex_item(b->x, &word, &item)) == SEC_LEX_GOOD) {
		if (!sec_target_read(b, &item, &target))
			return false;
		t = sec_list_add(b, out, sizeof(*t), item.name);
		if (t == NULL)
			return false;
		*t = target;
	}
	return rc == SEC_LEX_END;
}

bool
sec_target_is_same(const struct sec_target *a, const struct sec_target *b)
{
	return a->var == b->var && a->select == b->select &&
	       a->is_count == b->is_count && a->is_excluded == b->is_excluded &&
	       span_ieq(a->key, b->key);
}
