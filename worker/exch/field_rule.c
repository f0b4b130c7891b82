/* exch/field_rule: compiles header lines and applies them. */
#include "worker/exch/field_rule.h"

#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/exch/sink.h"

/* Why a field is not the configuration's to change, or NULL. */
static const char *
rule_why_not(enum field_id id, bool is_request)
{
	switch ((unsigned)id) {
	case FIELD_OTHER:
		return NULL;
	case FIELD_CONTENT_LENGTH:
		return "says where the message ends";
	case FIELD_HOST:
		return "says which site is asked";
	case FIELD_EXPECT:
		return is_request ? "is settled before the server is asked"
				  : NULL;
	case FIELD_MAX_FORWARDS:
		return is_request ? "is counted here" : NULL;
	case FIELD_VIA:
		return is_request ? "tells when a request goes in circles"
				  : NULL;
	default:
		return field_flags(id) & FIELD_F_HOP
			   ? "belongs to one connection"
			   : NULL;
	}
}

static bool
rule_set_name(
    struct field_rule *r, const struct conf_word *name, struct diag *d)
{
	bool is_request = r->key == KEY_SCOPE_REQUEST_HEADER;
	const char *why;

	r->at = name->at;
	r->name = name->text;
	r->id = field_lookup(name->text);
	why = rule_why_not(r->id, is_request);
	if (why == NULL)
		return true;
	diag_error(d, name->at, "%s: '%.*s' %s and cannot be changed",
	    conf_key_name(r->key), SPAN_FMT(name->text), why);
	return false;
}

/* Whether a second line or member of the field means what was meant. */
static bool
rule_check_more(const struct field_rule *r, struct diag *d)
{
	const char *why = NULL;

	if (r->id == FIELD_OTHER)
		return true;
	if (r->what == CONF_HEADER_APPEND && r->id == FIELD_SET_COOKIE)
		why = "is no list; `+` adds a line (RFC 9110 5.3)";
	else if (r->what != CONF_HEADER_SET &&
		 (field_flags(r->id) & FIELD_F_SINGLE))
		why = "may be there once only; without a mark it is set";
	if (why == NULL)
		return true;
	diag_error(d, r->at, "%s: '%.*s' %s", conf_key_name(r->key),
	    SPAN_FMT(r->name), why);
	return false;
}

bool
field_rule_prepare(struct field_rule *r, struct arena *a,
    const struct conf_value *v, struct diag *d)
{
	struct var_src src = {
	    .text = v->words[1].text,
	    .at = v->words[1].at,
	    .when = v->key == KEY_SCOPE_REQUEST_HEADER ? VAR_WHEN_REQUEST
						       : VAR_WHEN_RESPONSE,
	};

	memset(r, 0, sizeof(*r));
	r->what = (enum conf_header)v->num;
	r->key = v->key;
	if (!rule_set_name(r, &v->words[0], d))
		return false;
	if (r->what == CONF_HEADER_REMOVE)
		return true;
	return rule_check_more(r, d) && tmpl_prepare(&r->value, a, &src, d);
}

bool
field_rule_prepare_hidden(struct field_rule *r, const struct conf_value *v,
    uint32_t word, struct diag *d)
{
	memset(r, 0, sizeof(*r));
	r->what = CONF_HEADER_REMOVE;
	r->key = v->key;
	return rule_set_name(r, &v->words[word], d);
}

/* --- applying ------------------------------------------------------------- */

static void
rule_remove(const struct field_rule *r, struct http_fields *f)
{
	if (r->id != FIELD_OTHER)
		(void)fields_del(f, r->id);
	else
		(void)fields_del_name(f, r->name);
}

/* The last line of that name, or NULL. */
static struct http_field *
rule_last(const struct field_rule *r, struct http_fields *f)
{
	struct http_field *last = NULL;

	fields_foreach(fld, f)
	{
		if (fld->id == r->id &&
		    (r->id != FIELD_OTHER || span_ieq(fld->name, r->name)))
			last = fld;
	}
	return last;
}

/* A member behind the last line is a member behind the list that all lines are
 * together (RFC 9110 5.3). */
static void
rule_append(const struct field_rule *r, struct exch *x, struct http_fields *f,
    span value)
{
	struct http_field *last = rule_last(r, f);
	span parts[3] = {SPAN_LIT(""), SPAN_LIT(", "), value};

	if (last == NULL) {
		fields_add_known(f, &x->arena, r->id, r->name, value);
		return;
	}
	if (r->id == FIELD_COOKIE)
		parts[1] = SPAN_LIT("; "); /* RFC 6265 4.2.1 */
	parts[0] = last->value;
	last->value = last->value.len == 0
			  ? value
			  : arena_concat(&x->arena, parts, NELEMS(parts));
}

static void
rule_apply(const struct field_rule *r, struct exch *x, struct http_fields *f)
{
	static const char *const marks[] = {
	    [CONF_HEADER_SET] = "",
	    [CONF_HEADER_ADD] = "+",
	    [CONF_HEADER_APPEND] = ",",
	    [CONF_HEADER_REMOVE] = "-",
	};
	bool is_value = r->what != CONF_HEADER_REMOVE;
	span value = is_value ? span_trim(tmpl_render(&r->value, x, TMPL_FIELD))
			      : span_of(NULL, 0);

	sink_note(x, conf_key_name(r->key), r->at, "%s%.*s%s%.*s",
	    marks[r->what], SPAN_FMT(r->name), is_value ? ": " : "",
	    SPAN_FMT(value));
	if (r->what == CONF_HEADER_SET || r->what == CONF_HEADER_REMOVE)
		rule_remove(r, f);
	if (value.len == 0)
		return;
	if (r->what == CONF_HEADER_APPEND)
		rule_append(r, x, f, value);
	else
		fields_add_known(f, &x->arena, r->id, r->name, value);
}

void
field_rules_apply(
    const struct field_rules *rs, struct exch *x, struct http_fields *f)
{
	for (uint32_t i = 0; i < rs->n; i++)
		rule_apply(rs->at[i], x, f);
}

void
field_rules_copy(struct field_rules *rs, struct arena *a)
{
	const struct field_rule **at = arena_alloc(a, rs->n * sizeof(*at));

	for (uint32_t i = 0; i < rs->n; i++)
		at[i] = rs->at[i];
	rs->at = at;
}
