/* sec_ctl: what a rule changes for the rest of the transaction. One action
 * becomes as many entries as it names ranges and targets. */
#include "common/base/num.h"
#include "worker/sec/sec_int.h"

enum ctl_value {
	CTL_SWITCH,
	CTL_DETECT,
	CTL_RELEVANT,
	CTL_IDS,
	CTL_REGEX,
	CTL_IDS_OF,
	CTL_REGEX_OF,
	CTL_PROCESSOR,
	CTL_PARTS
};

static const char *const ctl_names[] = {
#define SEC_CTL(kind, name, value) name,
#include "worker/sec/sec_ctl.def"
#undef SEC_CTL
};

static const uint8_t ctl_values[] = {
#define SEC_CTL(kind, name, value) CTL_##value,
#include "worker/sec/sec_ctl.def"
#undef SEC_CTL
};

/* In the order of enum sec_processor; the first is no name. */
static const char *const processors[] = {
    "", "URLENCODED", "MULTIPART", "JSON", "XML"};

#define N_PROCESSORS (sizeof(processors) / sizeof(processors[0]))

bool
sec_range_next(struct sec_build *b, span *rest, uint64_t *first, uint64_t *last,
    bool *is_good)
{
	span word, low, high;
	ptrdiff_t dash;

	*is_good = true;
	do {
		if (!span_cut(rest, ',', &word))
			return false;
		word = sec_trim(word);
	} while (word.len == 0);
	dash = span_chr(word, '-');
	low = high = word;
	if (dash >= 0) {
		low = sec_trim(span_first(word, (size_t)dash));
		high = sec_trim(span_from(word, (size_t)dash + 1));
	}
	if (span_u64(low, UINT32_MAX, first) &&
	    span_u64(high, UINT32_MAX, last) && *first <= *last)
		return true;
	sec_lex_error(
	    b->x, word, "'%.*s' is no id and no range of ids", SPAN_FMT(word));
	*is_good = false;
	return false;
}

static bool
ctl_add(struct sec_build *b, struct sec_list *to, const struct sec_ctl *ctl,
    span part)
{
	struct sec_ctl *at = sec_list_add(b, to, sizeof(*at), part);

	if (at != NULL)
		*at = *ctl;
	return at != NULL;
}

/* One entry for each target, or one when there are none to be named. */
static bool
ctl_add_each(struct sec_build *b, struct sec_list *to, struct sec_ctl *ctl,
    const struct sec_list *targets, span part)
{
	const struct sec_target *t = targets->at;

	if (targets->n == 0)
		return ctl_add(b, to, ctl, part);
	for (uint32_t i = 0; i < targets->n; i++) {
		ctl->target = t[i];
		if (!ctl_add(b, to, ctl, part))
			return false;
	}
	return true;
}

/* Which rules: ids or a regex. */
static bool
ctl_pick(struct sec_build *b, struct sec_ctl *ctl, span which,
    const struct sec_list *targets, struct sec_list *to)
{
	enum ctl_value value = (enum ctl_value)ctl_values[ctl->kind];
	span rest = which;
	bool is_good = true;

	if (value == CTL_REGEX || value == CTL_REGEX_OF) {
		ctl->regex = sec_regex(b, which, false);
		return ctl->regex != NULL &&
		       ctl_add_each(b, to, ctl, targets, which);
	}
	while (sec_range_next(b, &rest, &ctl->first, &ctl->last, &is_good))
		if (!ctl_add_each(b, to, ctl, targets, which))
			return false;
	return is_good;
}

static bool
ctl_pick_of(
    struct sec_build *b, struct sec_ctl *ctl, span value, struct sec_list *to)
{
	ptrdiff_t semicolon = span_chr(value, ';');
	struct sec_list targets = {0};
	span rest;

	if (semicolon <= 0 || (size_t)semicolon + 1 == value.len) {
		sec_lex_error(b->x, value, "%s is for WHICH;TARGET",
		    ctl_names[ctl->kind]);
		return false;
	}
	rest = span_from(value, (size_t)semicolon + 1);
	return sec_targets_read(b, rest, &targets) &&
	       ctl_pick(
		   b, ctl, span_first(value, (size_t)semicolon), &targets, to);
}

bool
sec_switch_read(
    struct sec_build *b, span word, const char *partly, enum sec_switch *out)
{
	if (span_ieq(word, SPAN_LIT("On")))
		*out = SEC_ON;
	else if (span_ieq(word, SPAN_LIT("Off")))
		*out = SEC_OFF;
	else if (partly != NULL && span_ieq(word, span_str(partly)))
		*out = SEC_PARTLY;
	else {
		sec_lex_error(b->x, word, "'%.*s' is neither On nor Off%s%s",
		    SPAN_FMT(word), partly != NULL ? " nor " : "",
		    partly != NULL ? partly : "");
		return false;
	}
	return true;
}

static bool
ctl_parts(struct sec_build *b, struct sec_ctl *ctl, span value)
{
	size_t i = value.p[0] == '+' || value.p[0] == '-' ? 1 : 0;

	for (; i < value.len; i++)
		if (value.p[i] < 'A' || value.p[i] > 'Z') {
			sec_lex_error(b->x, span_of(value.p + i, 1),
			    "parts of the audit log are capitals");
			return false;
		}
	ctl->text = arena_span(b->a, value);
	return true;
}

static bool
ctl_processor(struct sec_build *b, struct sec_ctl *ctl, span value)
{
	ptrdiff_t i = sec_word_find(value, processors, N_PROCESSORS);

	if (i <= 0) {
		sec_unknown(b, "body processor", value,
		    diag_suggest(value, processors, N_PROCESSORS));
		return false;
	}
	ctl->processor = (enum sec_processor)i;
	return true;
}

/* What stands behind the equals sign, which is something. */
static bool
ctl_value(
    struct sec_build *b, struct sec_ctl *ctl, span value, struct sec_list *to)
{
	const struct sec_list none = {0};
	bool is_good = false;

	switch ((enum ctl_value)ctl_values[ctl->kind]) {
	case CTL_SWITCH:
		is_good = sec_switch_read(b, value, NULL, &ctl->to);
		break;
	case CTL_DETECT:
		is_good = sec_switch_read(b, value, "DetectionOnly", &ctl->to);
		break;
	case CTL_RELEVANT:
		is_good = sec_switch_read(b, value, "RelevantOnly", &ctl->to);
		break;
	case CTL_PROCESSOR:
		is_good = ctl_processor(b, ctl, value);
		break;
	case CTL_PARTS:
		is_good = ctl_parts(b, ctl, value);
		break;
	case CTL_IDS:
	case CTL_REGEX:
		return ctl_pick(b, ctl, value, &none, to);
	case CTL_IDS_OF:
	case CTL_REGEX_OF:
		return ctl_pick_of(b, ctl, value, to);
	}
	return is_good && ctl_add(b, to, ctl, value);
}

bool
sec_ctl_read(struct sec_build *b, span word, struct sec_list *out)
{
	ptrdiff_t equals = span_chr(word, '=');
	span name = equals < 0 ? word : span_first(word, (size_t)equals);
	ptrdiff_t kind = sec_word_find(name, ctl_names, SEC_N_CTLS);
	struct sec_ctl ctl = {.target.slot = -1};

	if (kind < 0) {
		sec_unknown(
		    b, "ctl", name, diag_suggest(name, ctl_names, SEC_N_CTLS));
		return false;
	}
	if (equals < 0 || (size_t)equals + 1 == word.len) {
		sec_lex_error(b->x, word, "%s needs =VALUE", ctl_names[kind]);
		return false;
	}
	ctl.kind = (enum sec_ctl_kind)kind;
	return ctl_value(b, &ctl, span_from(word, (size_t)equals + 1), out);
}
