/* sec_directive: a line of a rule file, by the table of directives. */
#include "worker/sec/sec_int.h"

static const char *const names[] = {
#define SEC_DIRECTIVE(id, name, min, max, what) name,
#define SEC_IGNORED(name, why) name,
#include "worker/sec/sec_directive.def"
#undef SEC_DIRECTIVE
#undef SEC_IGNORED
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

static const struct {
	uint16_t min, max;
} bounds[] = {
#define SEC_DIRECTIVE(id, name, min, max, what) {min, max},
#define SEC_IGNORED(name, why)
#include "worker/sec/sec_directive.def"
#undef SEC_DIRECTIVE
#undef SEC_IGNORED
};

/* false: what is wrong was told. */
static bool
words_read(struct sec_build *b, span rest, struct sec_words *w)
{
	enum sec_lex_rc rc;
	span word;

	w->n = 0;
	while ((rc = sec_lex_word(b->x, &rest, &word)) == SEC_LEX_GOOD) {
		if (w->n == SEC_WORDS_MAX) {
			sec_lex_error(
			    b->x, word, "more than %u words", SEC_WORDS_MAX);
			return false;
		}
		w->at[w->n++] = word;
	}
	return rc == SEC_LEX_END;
}

static bool
words_fit(struct sec_build *b, enum sec_directive d, span name,
    const struct sec_words *w)
{
	if (w->n < bounds[d].min) {
		sec_lex_error(b->x, name,
		    "%s has too few arguments: %u, not %u", names[d], w->n,
		    bounds[d].min);
		return false;
	}
	if (w->n > bounds[d].max) {
		sec_lex_error(b->x, w->at[bounds[d].max],
		    "%s has too many arguments: is a quote missing?", names[d]);
		return false;
	}
	return true;
}

static void
directive_do(
    struct sec_build *b, enum sec_directive d, const struct sec_words *w)
{
	switch ((int)d) {
	case SEC_DIRECTIVE_RULE:
		sec_rule_read(b, w);
		return;
	case SEC_DIRECTIVE_ACTION:
		sec_action_read(b, w);
		return;
	case SEC_DIRECTIVE_MARKER:
		sec_marker_read(b, w);
		return;
	case SEC_DIRECTIVE_DEFAULT_ACTION:
		sec_default_read(b, w);
		return;
	case SEC_DIRECTIVE_REMOVE_BY_ID:
		sec_remove(b, w, SEC_PICK_ID);
		return;
	case SEC_DIRECTIVE_REMOVE_BY_TAG:
		sec_remove(b, w, SEC_PICK_TAG);
		return;
	case SEC_DIRECTIVE_REMOVE_BY_MSG:
		sec_remove(b, w, SEC_PICK_MSG);
		return;
	case SEC_DIRECTIVE_UPDATE_TARGET_BY_ID:
		sec_update_target(b, w, SEC_PICK_ID);
		return;
	case SEC_DIRECTIVE_UPDATE_TARGET_BY_TAG:
		sec_update_target(b, w, SEC_PICK_TAG);
		return;
	case SEC_DIRECTIVE_UPDATE_TARGET_BY_MSG:
		sec_update_target(b, w, SEC_PICK_MSG);
		return;
	case SEC_DIRECTIVE_UPDATE_ACTION_BY_ID:
		sec_update_action(b, w);
		return;
	case SEC_DIRECTIVE_INCLUDE:
		sec_read_pattern(b, w->at[0], true);
		return;
	case SEC_DIRECTIVE_INCLUDE_OPTIONAL:
		sec_read_pattern(b, w->at[0], false);
		return;
	default:
		sec_option_read(b, d, w);
	}
}

void
sec_directive_read(struct sec_build *b, span line)
{
	struct sec_words w;
	ptrdiff_t d;
	size_t len = 0;
	span name;

	while (len < line.len && !sec_white(line.p[len]))
		len++;
	name = span_first(line, len);
	d = sec_word_find(name, names, N_NAMES);
	if (d < 0)
		sec_unknown(
		    b, "directive", name, diag_suggest(name, names, N_NAMES));
	else if (words_read(b, span_from(line, len), &w) &&
		 d < SEC_N_DIRECTIVES &&
		 words_fit(b, (enum sec_directive)d, name, &w))
		directive_do(b, (enum sec_directive)d, &w);
}
