/* conf/conf_head: `[type name]` becomes a section. Judges names and paths by
 * their form; whether they exist or stand twice is known at the end only. */
#include "common/conf/conf_int.h"

#include "common/base/check.h"

struct head {
	struct conf_reader *r;
	struct conf_section *s;
	struct conf_expanded rest; /* behind the type */
	struct place rest_at;
};

static const char *const reserved[] = {"none", "all", "on", "off"};

static bool
is_reserved(span name)
{
	for (size_t i = 0; i < NELEMS(reserved); i++) {
		if (span_eq(name, span_str(reserved[i])))
			return true;
	}
	return false;
}

static struct place
rest_place(const struct head *h, span part)
{
	return conf_expanded_place(
	    &h->rest, h->rest_at, (size_t)(part.p - h->rest.text.p), part.len);
}

/* false: an error was noted. */
static bool
check_name(struct head *h, const char *what, span name)
{
	struct place at = rest_place(h, name);

	if (name.len > CONF_NAME_LEN_MAX)
		diag_error(h->r->d, at, "the name of [%s] is too long", what);
	else if (is_reserved(name))
		diag_error(h->r->d, at,
		    "'%.*s' is reserved: nothing can be named so",
		    SPAN_FMT(name));
	else if (span_chr(name, '"') >= 0 || span_chr(name, '!') == 0)
		diag_error(h->r->d, at,
		    "the name of [%s] holds no '\"' and begins with no '!'",
		    what);
	else
		return true;
	return false;
}

/* `[type name]` */
static bool
parse_one(struct head *h, const char *type)
{
	span rest = h->rest.text;
	span more;

	if (!span_word(&rest, &h->s->name))
		return true;
	h->s->name_at = rest_place(h, h->s->name);
	if (span_word(&rest, &more)) {
		diag_error(h->r->d, rest_place(h, more),
		    "the name of [%s] is one word; what is '%.*s'?", type,
		    SPAN_FMT(conf_brief(more)));
		return false;
	}
	return check_name(h, type, h->s->name);
}

/* What is wrong with a route's path, or NULL. */
static const char *
path_fault(span path)
{
	span rest;

	if (span_starts(path, SPAN_LIT("~"))) {
		rest = span_trim(span_from(path, 1));
		return rest.len == 0 ? "a regular expression is missing" : NULL;
	}
	rest = path.len > 0 && path.p[0] == '=' ? span_from(path, 1) : path;
	if (rest.len == 0 || rest.p[0] != '/')
		return "a route's path is /prefix, =/exact or ~ expression";
	for (size_t i = 0; i < rest.len; i++) {
		if (rest.p[i] == ' ' || rest.p[i] == '\t')
			return "a route's path holds no blanks";
		if (rest.p[i] == '?' || rest.p[i] == '#')
			return "a route's path holds no '?' and no '#'";
	}
	return NULL;
}

/* `[route SITE PATH]`, `[rule SITE NAME]` */
static bool
parse_two(struct head *h, bool is_route)
{
	span rest = h->rest.text;
	const char *why = NULL;

	if (span_word(&rest, &h->s->name)) {
		h->s->path = span_trim(rest);
		h->s->name_at = rest_place(h, h->s->name);
	}
	if (h->s->path.len == 0) {
		diag_error(h->r->d, h->s->at, "write [%s]",
		    is_route ? "route SITE PATH" : "rule SITE NAME");
		return false;
	}
	h->s->path_at = rest_place(h, h->s->path);
	if (!check_name(h, "site", h->s->name))
		return false;
	if (is_route)
		why = path_fault(h->s->path);
	else if (span_word(&rest, &h->s->path) && span_word(&rest, &rest))
		why = "the name of a rule is one word";
	if (why != NULL)
		diag_error(h->r->d, h->s->path_at, "%s", why);
	return why == NULL;
}

static bool
parse_names(struct head *h)
{
	const struct conf_type_row *row = &conf_types[h->s->type];

	switch (row->names) {
	case NAMES_NONE:
		if (h->rest.text.len == 0)
			return true;
		diag_error(h->r->d, rest_place(h, h->rest.text),
		    "[%s] has no name", row->name);
		return false;
	case NAMES_MAYBE:
		return parse_one(h, row->name);
	case NAMES_ONE:
		if (h->rest.text.len > 0)
			return parse_one(h, row->name);
		diag_error(h->r->d, h->s->at, "[%s] needs a name: [%s NAME]",
		    row->name, row->name);
		return false;
	case NAMES_ROUTE:
		return parse_two(h, true);
	case NAMES_RULE:
		return parse_two(h, false);
	}
	UNREACHED();
}

/* The type, or of an unknown one the likely; -1. */
static int
find_type(struct conf_reader *r, span word, struct place at)
{
	int type = conf_type_find(word);
	const char *near;

	if (type >= 0)
		return type;
	if (word.len == 0) {
		diag_error(r->d, at, "the section has no type");
		return -1;
	}
	near = conf_type_suggest(word);
	diag_error(r->d, at, "unknown section type '%.*s'%s%s%s",
	    SPAN_FMT(conf_brief(word)), near ? "; did you mean '" : "",
	    near ? near : "", near ? "'?" : "");
	return near ? conf_type_find(span_str(near)) : -1;
}

struct conf_section *
conf_head_parse(struct conf_reader *r, span head, struct place at)
{
	struct head h = {.r = r};
	span rest = head;
	span word = {head.p, 0};
	span tail;
	int type;

	(void)span_word(&rest, &word);
	h.rest_at = at;
	h.rest_at.col = (uint16_t)(at.col + 1 + (word.p - head.p));
	h.rest_at.len = (uint16_t)word.len;
	type = find_type(r, word, word.len > 0 ? h.rest_at : at);
	if (type < 0)
		return NULL;
	tail = span_trim(rest);
	if (tail.len > 0)
		h.rest_at.col = (uint16_t)(at.col + 1 + (tail.p - head.p));
	h.s = arena_zalloc(&r->tree->arena, sizeof(*h.s));
	h.s->type = (enum conf_type)type;
	h.s->at = at;
	h.s->name_at = at;
	h.s->path_at = at;
	if (!conf_expand(r, tail, h.rest_at, &h.rest) || !parse_names(&h)) {
		h.s->name = span_of(NULL, 0);
		h.s->path = span_of(NULL, 0);
		return h.s;
	}
	if (conf_types[type].part > r->tree->part) {
		char label[CONF_LABEL_CAP];

		conf_label(h.s, label);
		diag_error(r->d, at,
		    "%s is not built yet (it comes with a later version)",
		    label);
	}
	return h.s;
}
