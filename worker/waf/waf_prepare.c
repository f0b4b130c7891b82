/* waf_prepare: a [waf] section as a set of rules with what the section fixes. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/check.h"
#include "common/base/filelist.h"
#include "common/store/tenants.h"
#include "worker/waf/waf_int.h"

/* Files of one [waf]. */
#define FILES_MAX 1000u

struct waf_files {
	struct sec_load load;
	const char **paths;
	struct arena *a;
	struct diag *d;
};

static void
add_file(struct waf_files *f, const char *path, struct place at)
{
	if (f->load.n_paths == FILES_MAX) {
		diag_error(f->d, at, "more than %u files of rules", FILES_MAX);
		return;
	}
	f->paths[f->load.n_paths++] = arena_span(f->a, span_str(path)).p;
}

static void
add_pattern(struct waf_files *f, const char *pattern, struct place at)
{
	glob_t found;

	switch (filelist_find(pattern, FILES_MAX, &found)) {
	case FILELIST_GOOD:
		for (size_t i = 0; i < found.gl_pathc; i++)
			add_file(f, found.gl_pathv[i], at);
		globfree(&found);
		return;
	case FILELIST_NONE:
		diag_error(f->d, at, "no file matches \"%s\"", pattern);
		return;
	case FILELIST_MANY:
		diag_error(f->d, at, "more than %u files of rules", FILES_MAX);
		return;
	case FILELIST_UNREADABLE:
		diag_error(f->d, at, "cannot list \"%s\": %s", pattern,
		    strerror(errno));
		return;
	}
	UNREACHED();
}

/* A file, a pattern, or a folder: what ends with .conf in it. */
static void
add_rules(struct waf_files *f, span word, struct place at)
{
	const char *path = arena_span(f->a, word).p;
	struct stat st;
	span folder;

	if (filelist_is_pattern(word)) {
		add_pattern(f, path, at);
	} else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		folder = filelist_escape(f->a, word);
		add_pattern(f,
		    arena_printf(f->a, "%.*s/*.conf", SPAN_FMT(folder)).p, at);
	} else {
		add_file(f, path, at);
	}
}

static void
find_files(struct waf_files *f, const struct conf_scope *s)
{
	const struct conf_value *setup = conf_get(s, KEY_WAF_SETUP);
	const struct conf_value *rules = conf_get(s, KEY_WAF_RULES);

	f->paths = arena_zalloc(f->a, FILES_MAX * sizeof(*f->paths));
	f->load.paths = f->paths;
	if (setup != NULL)
		add_file(f, arena_span(f->a, setup->text).p, setup->at);
	for (uint32_t i = 0; rules != NULL && i < rules->n_words; i++)
		add_rules(f, rules->words[i].text, rules->words[i].at);
}

/* --- what the section fixes ----------------------------------------------- */

/* Names of both core rule sets for what the section calls by one. */
static const struct {
	enum conf_key key;
	const char *names[4];
} fixes[] = {
    {KEY_WAF_PARANOIA, {"blocking_paranoia_level", "detection_paranoia_level",
			   "paranoia_level", "executing_paranoia_level"}},
    {KEY_WAF_ANOMALY_THRESHOLD, {"inbound_anomaly_score_threshold"}},
};

#define FIXED_MAX (NELEMS(fixes) * NELEMS(fixes[0].names))

static const struct sec_fixed *
find_fixed(const struct conf_scope *s, struct arena *a, uint32_t *n)
{
	struct sec_fixed *fixed = arena_zalloc(a, FIXED_MAX * sizeof(*fixed));

	*n = 0;
	for (size_t i = 0; i < NELEMS(fixes); i++) {
		span value;

		/* unsaid: as the rules have it */
		if (conf_get(s, fixes[i].key) == NULL)
			continue;
		value = arena_printf(
		    a, "%lld", (long long)conf_num(s, fixes[i].key));
		for (size_t k = 0;
		     k < NELEMS(fixes[i].names) && fixes[i].names[k] != NULL;
		     k++)
			fixed[(*n)++] = (struct sec_fixed){
			    span_str(fixes[i].names[k]), value};
	}
	return fixed;
}

struct waf *
waf_prepare(const struct waf_names *names, const struct conf_section *s,
    uint32_t index, struct arena *a, struct diag *d)
{
	struct conf_scope scope = conf_scope_of(names->tree, s);
	struct waf_files f = {.a = a, .d = d};
	struct waf *waf = arena_zalloc(a, sizeof(*waf));
	const struct sec_fixed *fixed;
	uint32_t n_fixed;

	waf->section = s;
	waf->index = index;
	waf->log = -1;
	waf->types = conf_get(&scope, KEY_WAF_RESPONSE_TYPES);
	waf->only_detects =
	    span_eq(conf_text(&scope, KEY_WAF_MODE), SPAN_LIT("detect"));
	waf->attack.why = BAN_WHY_WAF;
	offence_prepare(&waf->attack, conf_get(&scope, KEY_WAF_BAN), 1,
	    claims_guard(names->claims, CONF_WAF, s->name), d);
	waf->body_limit = (uint64_t)conf_num(&scope, KEY_WAF_BODY_LIMIT);
	if (conf_get(&scope, KEY_WAF_RULES) == NULL) {
		diag_error(
		    d, s->at, "[waf %.*s] has no rules", SPAN_FMT(s->name));
		return waf;
	}
	find_files(&f, &scope);
	waf_read_excludes(waf, &scope, a, d);
	if (f.load.n_paths == 0)
		return waf;
	waf->set = sec_set_new(&f.load, d);
	if (waf->set == NULL)
		return waf;
	waf_check_excludes(waf, d);
	fixed = find_fixed(&scope, a, &n_fixed);
	waf->plan = sec_plan_new(waf->set, fixed, n_fixed);
	return waf;
}

void
waf_fini(struct waf *waf)
{
	sec_plan_free(waf->plan);
	sec_set_free(waf->set);
}

span
waf_name(const struct waf *waf)
{
	return waf->section->name;
}

int32_t
waf_log(const struct waf *waf)
{
	return waf->log;
}

void
waf_set_log(struct waf *waf, int32_t log)
{
	waf->log = log;
}
