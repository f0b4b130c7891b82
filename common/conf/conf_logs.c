/* conf/conf_logs: see conf_logs.h. */
#include "common/conf/conf_logs.h"

#include "common/base/check.h"

static bool
log_is_error(const struct conf_section *s)
{
	return span_eq(s->name, SPAN_LIT("error"));
}

bool
conf_log_takes(const struct conf_section *s, enum conf_key k)
{
	if (k == KEY_LOG_LEVEL)
		return log_is_error(s);
	if (k == KEY_LOG_FACILITY)
		return s->first[KEY_LOG_SYSLOG] != NULL;
	return !log_is_error(s) ||
	       (k != KEY_LOG_FORMAT && k != KEY_LOG_SAMPLE &&
		   k != KEY_LOG_BUFFER);
}

/* --- what cannot be ------------------------------------------------------- */

/* The short form in [global] and [log error] exclude each other. */
static void
check_short(const struct conf_tree *t, enum conf_key global, enum conf_key log,
    struct diag *d)
{
	const struct conf_section *g = t->first[CONF_GLOBAL];
	const struct conf_section *e =
	    conf_section(t, CONF_LOG, SPAN_LIT("error"));
	char where[CONF_LABEL_CAP];

	if (g == NULL || e == NULL || g->first[global] == NULL ||
	    e->first[log] == NULL)
		return;
	conf_where(d, e->first[log]->key_at, g->first[global]->key_at, where);
	diag_error(d, g->first[global]->key_at,
	    "'%s' is set by [log error] too (%s)", conf_rows[global].name,
	    where);
}

/* A file or a server; the error log is a file. */
static void
check_target(const struct conf_section *s, struct diag *d)
{
	const struct conf_value *server = s->first[KEY_LOG_SYSLOG];
	const struct conf_value *path = s->first[KEY_LOG_PATH];
	char label[CONF_LABEL_CAP];

	conf_label(s, label);
	if (server != NULL && log_is_error(s))
		diag_error(d, server->key_at,
		    "[log error] is written to a file, by `path`");
	else if (server != NULL && path != NULL)
		diag_error(d, server->key_at,
		    "'path' (line %u) and 'syslog' cannot both be",
		    path->key_at.line);
	else if (server == NULL && path == NULL && !log_is_error(s) &&
		 !s->is_broken)
		diag_error(d, s->at, "%s has no path", label);
}

/* What would be read and mean nothing. */
static void
check_words(const struct conf_section *s, struct diag *d)
{
	static const struct {
		enum conf_key key;
		const char *why;
	} words[] = {
	    {KEY_LOG_LEVEL, "only [log error] has a level"},
	    {KEY_LOG_FACILITY, "only lines for 'syslog' have a facility"},
	    {KEY_LOG_FORMAT, "the lines of [log error] have one format"},
	    {KEY_LOG_SAMPLE, "[log error] keeps all its lines"},
	    {KEY_LOG_BUFFER, "lines of [log error] are written at once"},
	};

	for (size_t i = 0; i < NELEMS(words); i++) {
		const struct conf_value *v = s->first[words[i].key];

		if (v != NULL && !conf_log_takes(s, words[i].key))
			diag_error(d, v->key_at, "%s", words[i].why);
	}
}

/* --- what nobody would see ------------------------------------------------ */

static bool
path_is_stream(const struct conf_value *v)
{
	static const char *const streams[] = {
	    "stdout", "stderr", "/dev/stdout", "/dev/stderr"};

	for (size_t i = 0; i < NELEMS(streams); i++)
		if (span_eq(v->text, span_str(streams[i])))
			return true;
	return false;
}

/* In the background there is nobody behind the streams of the process. */
static void
check_background(const struct conf_tree *t, struct diag *d)
{
	const struct conf_section *g = t->first[CONF_GLOBAL];
	const struct conf_section *e =
	    conf_section(t, CONF_LOG, SPAN_LIT("error"));
	struct conf_scope global = conf_scope_of(t, g);
	const struct conf_value *own =
	    g != NULL ? g->first[KEY_GLOBAL_ERROR_LOG] : NULL;

	if (g == NULL || !conf_bool(&global, KEY_GLOBAL_DAEMON))
		return;
	/* without one it is stderr */
	if ((e == NULL || e->first[KEY_LOG_PATH] == NULL) &&
	    (own == NULL || path_is_stream(own)))
		diag_warning(d, g->first[KEY_GLOBAL_DAEMON]->at,
		    "nobody sees errors of what runs in the background: name a "
		    "file as error_log");
	for (const struct conf_section *s = t->first[CONF_LOG]; s != NULL;
	     s = s->next)
		if (s->first[KEY_LOG_PATH] != NULL &&
		    path_is_stream(s->first[KEY_LOG_PATH]))
			diag_warning(d, s->first[KEY_LOG_PATH]->at,
			    "with daemon = on nobody reads this");
}

void
conf_logs_check(const struct conf_tree *t, struct diag *d)
{
	for (const struct conf_section *s = t->first[CONF_LOG]; s != NULL;
	     s = s->next) {
		check_target(s, d);
		check_words(s, d);
	}
	check_short(t, KEY_GLOBAL_ERROR_LOG, KEY_LOG_PATH, d);
	check_short(t, KEY_GLOBAL_LOG_LEVEL, KEY_LOG_LEVEL, d);
	check_background(t, d);
}
