/* acl/acl_list: the [acl] sections by name, and the lines of `allow` and `deny`
 * that name them. */
#include "common/base/check.h"
#include "worker/acl/acl_int.h"

/* Behind a `deny`: for trying it. */
#define LINE_LOG_ONLY SPAN_LIT("log-only")

/* One name of a line. */
struct line_name {
	const struct acl *acl;
	bool is_negated;
};

struct acl_line {
	span text;
	struct place at;
	bool is_allow;
	bool is_log_only; /* where it holds that is logged, and no more */
	struct line_name *names; /* all must hold */
	uint32_t n_names;
	bool has_category; /* one of them asks for it */
	bool has_nets; /* and the client be one of these */
	struct acl_nets nets;
	bool has_others; /* and none of these */
	struct acl_nets others;
};

span
acl_line_text(const struct acl_line *line)
{
	return line->text;
}

span
acl_line_acl(const struct acl_line *line)
{
	return line->n_names > 0 ? line->names[0].acl->name : span_of(NULL, 0);
}

struct place
acl_line_at(const struct acl_line *line)
{
	return line->at;
}

bool
acl_line_is_allow(const struct acl_line *line)
{
	return line->is_allow;
}

bool
acl_line_is_log_only(const struct acl_line *line)
{
	return line->is_log_only;
}

static enum acl_rc
name_judge(const struct line_name *n, const struct acl_look *l)
{
	enum acl_rc rc = ACL_YES;

	for (uint32_t i = 0; i < n->acl->n && rc != ACL_NO; i++)
		rc = acl_and(
		    rc, n->acl->terms[i].judge(n->acl->terms[i].conf, l));
	if (!n->is_negated || (rc != ACL_NO && rc != ACL_YES))
		return rc;
	return rc == ACL_YES ? ACL_NO : ACL_YES;
}

enum acl_rc
acl_line_judge(const struct acl_line *line, const struct acl_look *l)
{
	enum acl_rc rc = ACL_YES;

	if (line->has_nets && acl_judge_ip(&line->nets, l) == ACL_NO)
		return ACL_NO;
	if (line->has_others && acl_judge_ip(&line->others, l) == ACL_YES)
		return ACL_NO;
	for (uint32_t i = 0; i < line->n_names && rc != ACL_NO; i++)
		rc = acl_and(rc, name_judge(&line->names[i], l));
	return rc;
}

span
acl_line_category(const struct acl_line *line, const struct acl_look *l)
{
	span found = {NULL, 0};

	for (uint32_t i = 0; line->has_category && i < line->n_names; i++) {
		const struct acl *acl = line->names[i].acl;

		for (uint32_t k = 0; k < acl->n && found.len == 0; k++)
			if (acl->terms[k].judge == acl_judge_category &&
			    !line->names[i].is_negated)
				found = acl_category(acl->terms[k].conf, l);
	}
	return found;
}

/* --- compiling ------------------------------------------------------------ */

/* What would be taken for something else in a line. */
static void
acls_check_name(const struct conf_section *s, struct diag *d)
{
	struct ip_prefix prefix;

	if (span_eq(s->name, LINE_LOG_ONLY))
		diag_error(d, s->name_at,
		    "'%.*s' cannot be the name of an acl: in a list it says "
		    "what becomes of the line",
		    SPAN_FMT(s->name));
	if (span_eq(s->name, SPAN_LIT("unix:")) ||
	    ip_prefix_parse(s->name, &prefix))
		diag_error(d, s->name_at,
		    "'%.*s' cannot be the name of an acl: in a list it would "
		    "be an address",
		    SPAN_FMT(s->name));
}

struct acls *
acls_new(const struct conf_tree *conf, struct arena *a, struct diag *d)
{
	struct acls *all = arena_zalloc(a, sizeof(*all));

	all->conf = conf;
	all->a = a;
	map_init(&all->by_name, false);
	map_init(&all->zones, false);
	map_init(&all->catdbs, false);
	map_init(&all->lines, false);
	vec_init(&all->nets);
	vec_init(&all->domains);
	vec_init(&all->regexes);
	vec_init(&all->matches);
	for (const struct conf_section *s = conf_first(conf, CONF_ACL);
	     s != NULL; s = s->next) {
		struct acl_build b = {.all = all, .s = s, .d = d};
		struct acl *acl = arena_zalloc(a, sizeof(*acl));

		acl->name = s->name;
		acl->at = s->at;
		acls_check_name(s, d);
		acl_compile(&b, acl);
		(void)map_put(&all->by_name, s->name, acl);
	}
	return all;
}

bool
acls_want_ja4(const struct acls *all)
{
	for (const struct conf_section *s = conf_first(all->conf, CONF_ACL);
	     s != NULL; s = s->next)
		if (s->first[KEY_ACL_JA4] != NULL)
			return true;
	return false;
}

void
acls_free(struct acls *all)
{
	if (all == NULL)
		return;
	for (uint32_t i = 0; i < all->nets.n; i++)
		iptrie_free(all->nets.at[i]);
	for (uint32_t i = 0; i < all->domains.n; i++)
		domains_free(all->domains.at[i]);
	for (uint32_t i = 0; i < all->regexes.n; i++)
		regex_free(all->regexes.at[i]);
	for (uint32_t i = 0; i < all->matches.n; i++)
		match_free(all->matches.at[i]);
	map_foreach (s, &all->catdbs)
		catdb_free(s->value);
	vec_fini(&all->nets);
	vec_fini(&all->domains);
	vec_fini(&all->regexes);
	vec_fini(&all->matches);
	map_fini(&all->by_name);
	map_fini(&all->zones);
	map_fini(&all->catdbs);
	map_fini(&all->lines);
}

static void
line_add_net(struct acls *all, struct acl_nets *to, bool *has, span word)
{
	struct ip_prefix prefix;

	if (!*has) {
		to->nets = iptrie_new();
		vec_push(&all->nets, to->nets);
		*has = true;
	}
	if (ip_prefix_parse(word, &prefix))
		iptrie_add(to->nets, &prefix);
	else
		to->has_unix = true;
}

static bool
acl_asks(const struct acl *acl, acl_judge_f *judge)
{
	for (uint32_t i = 0; i < acl->n; i++)
		if (acl->terms[i].judge == judge)
			return true;
	return false;
}

static void
line_add_word(struct acls *all, struct acl_line *line,
    const struct conf_word *w, struct diag *d)
{
	bool is_negated = span_starts(w->text, SPAN_LIT("!"));
	span word = span_from(w->text, is_negated ? 1 : 0);
	struct acl *acl = map_get(&all->by_name, word);
	struct ip_prefix prefix;

	if (span_eq(word, LINE_LOG_ONLY)) {
		line->is_log_only = true;
		if (line->is_allow || is_negated)
			diag_error(
			    d, w->at, "log-only is for trying a deny line");
	} else if (span_eq(word, SPAN_LIT("all"))) {
		if (is_negated)
			diag_error(d, w->at, "'!all' holds for nothing at all");
	} else if (ip_prefix_parse(word, &prefix) ||
		   span_eq(word, SPAN_LIT("unix:"))) {
		if (is_negated)
			line_add_net(
			    all, &line->others, &line->has_others, word);
		else
			line_add_net(all, &line->nets, &line->has_nets, word);
	} else if (acl != NULL) { /* one that is not there has been told */
		line->names[line->n_names++] =
		    (struct line_name){acl, is_negated};
		line->has_category |= acl_asks(acl, acl_judge_category);
	}
}

static bool
key_is_deny(enum conf_key k)
{
	return k == KEY_SCOPE_DENY || k == KEY_FORWARD_DENY;
}

static const struct acl_line *
line_compile(struct acls *all, const struct conf_value *v, struct diag *d)
{
	struct acl_line *line = arena_zalloc(all->a, sizeof(*line));

	line->at = v->at;
	line->is_allow = !key_is_deny(v->key);
	line->text = arena_printf(
	    all->a, "%s = %.*s", conf_key_name(v->key), SPAN_FMT(v->text));
	line->names = arena_alloc(all->a, v->n_words * sizeof(line->names[0]));
	for (uint32_t i = 0; i < v->n_words; i++)
		line_add_word(all, line, &v->words[i], d);
	if (line->has_nets)
		iptrie_done(line->nets.nets);
	if (line->has_others)
		iptrie_done(line->others.nets);
	return line;
}

/* Compiled once, however many scopes inherit it. */
static const struct acl_line *
line_of(struct acls *all, const struct conf_value *v, struct diag *d)
{
	span key = span_of((const char *)&v, sizeof(v));
	const struct acl_line *line = map_get(&all->lines, key);

	if (line == NULL) {
		line = line_compile(all, v, d);
		(void)map_put(&all->lines, arena_span(all->a, key),
		    (void *)(uintptr_t)line);
	}
	return line;
}

static void
list_end(struct acls *all, struct vec *found, struct plan_access *out)
{
	const struct acl_line **at =
	    arena_alloc(all->a, found->n * sizeof(struct acl_line *));

	for (uint32_t i = 0; i < found->n; i++) {
		at[i] = found->at[i];
		out->has_allow |= at[i]->is_allow;
	}
	out->at = at;
	out->n = found->n;
	if (found->n > 0 || out->is_closed)
		out->judge = acl_run;
	vec_fini(found);
}

/* The lines of one section: behind its last `none`, which also ends what is
 * inherited. */
static bool
list_add_section(struct acls *all, const struct conf_section *s,
    struct vec *found, struct diag *d)
{
	const struct conf_value *first = s->ordered;
	bool is_last = false;

	for (const struct conf_value *v = first; v != NULL; v = v->next) {
		if (v->is_none) {
			is_last = true;
			first = v->next;
		}
	}
	for (const struct conf_value *v = first; v != NULL; v = v->next)
		vec_push(found, (void *)(uintptr_t)line_of(all, v, d));
	return is_last;
}

void
acls_list(struct acls *all, const struct conf_scope *s, bool is_closed,
    struct plan_access *out, struct diag *d)
{
	struct vec found;

	memset(out, 0, sizeof(*out));
	out->is_closed = is_closed;
	vec_init(&found);
	for (uint32_t i = 0; i < s->n; i++)
		if (list_add_section(all, s->at[i], &found, d))
			break;
	list_end(all, &found, out);
}

void
acls_list_allowed(struct acls *all, const struct conf_section *s,
    enum conf_key k, struct plan_access *out, struct diag *d)
{
	struct vec found;

	memset(out, 0, sizeof(*out));
	vec_init(&found);
	for (const struct conf_value *v = s->first[k]; v != NULL; v = v->next)
		if (!v->is_none)
			vec_push(&found, (void *)(uintptr_t)line_of(all, v, d));
	list_end(all, &found, out);
}
