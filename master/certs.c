/* master/certs: the files that TLS is made of, and the time at which the first
 * certificate ends. The files are looked at and never read here: what is in
 * them is the nursery's business. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/base/vec.h"
#include "master/master.h"

#define DAY_S 86400
#define DAY_MS (1000u * DAY_S)
/* How long before the end of a certificate it is spoken of, every day. */
#define CERTS_WARN_DAYS 14

/* --- stamps --------------------------------------------------------------- */

/* What tells one content of a file from another without reading it. All zero:
 * it is not there. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct cert_files {
	uint32_t n;
	const char **paths;
	struct stamp *loaded; /* as they were when the generation began */
	struct stamp *seen; /* at the last look */
};

static const enum conf_key single_keys[] = {
    KEY_SITE_CLIENT_CA,
    KEY_SITE_CRL,
    KEY_UPSTREAM_CA,
    KEY_AUTH_CA,
    KEY_UPSTREAM_CLIENT_CERTIFICATE,
};

static const enum conf_key list_keys[] = {
    KEY_SITE_CERTIFICATE,
    KEY_SITE_CERTIFICATE_KEY,
};

/* The path in a word, which may be an option: `password=file:PATH`. */
static void
certs_add_word(struct vec *paths, span word)
{
	ptrdiff_t at = span_find(word, SPAN_LIT("=file:"));
	char *path;

	if (at >= 0)
		word = span_from(word, (size_t)at + sizeof("=file:") - 1);
	path = strndup(word.p, word.len);
	REQUIRE(path != NULL);
	vec_push(paths, path);
}

static void
certs_add_section(struct vec *paths, const struct conf_section *s)
{
	for (size_t i = 0; i < NELEMS(single_keys); i++)
		for (const struct conf_value *v = s->first[single_keys[i]];
		     v != NULL; v = v->next)
			if (!v->is_none)
				certs_add_word(paths, v->text);
	for (size_t i = 0; i < NELEMS(list_keys); i++)
		for (const struct conf_value *v = s->first[list_keys[i]];
		     v != NULL; v = v->next)
			for (uint32_t k = 0; !v->is_none && k < v->n_words; k++)
				certs_add_word(paths, v->words[k].text);
}

static void
certs_look(const struct cert_files *f, struct stamp *out)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct stat st;

		memset(&out[i], 0, sizeof(out[i]));
		if (stat(f->paths[i], &st) < 0)
			continue;
		out[i].dev = st.st_dev;
		out[i].ino = st.st_ino;
		out[i].size = st.st_size;
		out[i].changed = st.st_mtim;
	}
}

struct cert_files *
certs_new(const struct conf_tree *t)
{
	static const enum conf_type types[] = {
	    CONF_DEFAULTS, CONF_LISTEN, CONF_SITE, CONF_UPSTREAM, CONF_AUTH};
	struct cert_files *f = calloc(1, sizeof(*f));
	struct vec paths;

	REQUIRE(f != NULL);
	vec_init(&paths);
	for (size_t i = 0; i < NELEMS(types); i++)
		for (const struct conf_section *s = conf_first(t, types[i]);
		     s != NULL; s = s->next)
			certs_add_section(&paths, s);
	f->n = paths.n;
	f->paths = calloc(paths.n + 1u, sizeof(*f->paths));
	f->loaded = calloc(paths.n + 1u, sizeof(*f->loaded));
	f->seen = calloc(paths.n + 1u, sizeof(*f->seen));
	REQUIRE(f->paths != NULL && f->loaded != NULL && f->seen != NULL);
	for (uint32_t i = 0; i < paths.n; i++)
		f->paths[i] = paths.at[i];
	vec_fini(&paths);
	certs_look(f, f->loaded);
	memcpy(f->seen, f->loaded, f->n * sizeof(*f->seen));
	return f;
}

void
certs_free(struct cert_files *f)
{
	if (f == NULL)
		return;
	for (uint32_t i = 0; i < f->n; i++)
		free((void *)(uintptr_t)f->paths[i]);
	free(f->paths);
	free(f->loaded);
	free(f->seen);
	free(f);
}

/* --- watching ------------------------------------------------------------- */

/* Whether something is other than what is served and has been so at the last
 * look, too: who writes a key and its certificate is done with both. */
static bool
certs_have_changed(struct cert_files *f)
{
	size_t len = f->n * sizeof(*f->seen);
	struct stamp *now = malloc(len + 1);
	bool is_stable;

	REQUIRE(now != NULL);
	memset(now, 0, len + 1);
	certs_look(f, now);
	is_stable = memcmp(now, f->seen, len) == 0;
	memcpy(f->seen, now, len);
	free(now);
	return is_stable && memcmp(f->seen, f->loaded, len) != 0;
}

static const char *
certs_changed_path(const struct cert_files *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (memcmp(&f->seen[i], &f->loaded[i], sizeof(f->seen[i])) != 0)
			return f->paths[i];
	UNREACHED();
}

static uint64_t
certs_interval_ms(const struct gen *g)
{
	struct conf_scope s =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_TLS));

	return (uint64_t)conf_num(&s, KEY_TLS_CERTIFICATE_WATCH);
}

static void
certs_on_watch(void *self)
{
	struct master *m = self;
	struct gen *g = master_serving(m);

	if (g == NULL || m->state != MASTER_RUNNING)
		return;
	loop_timer_set(m->loop, &m->cert_watch, certs_interval_ms(g));
	/* a reload that is under way reads them all */
	if (master_is_starting(m) || !certs_have_changed(g->certs))
		return;
	log_msg(LOG_NOTICE, "certificate file changed path=\"%s\"",
	    certs_changed_path(g->certs));
	/* tried once: files that are refused are looked at again when they
	 * change again */
	memcpy(g->certs->loaded, g->certs->seen,
	    g->certs->n * sizeof(*g->certs->seen));
	signal_reload(m);
}

/* --- the end of certificates ---------------------------------------------- */

static void
certs_warn(struct master *m, const struct gen *g)
{
	int64_t left_s =
	    g->certificate_ends - clock_wall_s(loop_clock(m->loop));
	char when[DATE_ISO_LEN];

	if (g->certificate_ends == 0 || left_s > CERTS_WARN_DAYS * DAY_S)
		return;
	date_format_iso(g->certificate_ends * 1000000, when);
	log_msg(left_s < 0 ? LOG_ERROR : LOG_WARN,
	    "certificate %s first=%.*s days=%lld",
	    left_s < 0 ? "has expired" : "expires soon", DATE_ISO_LEN, when,
	    (long long)(left_s / DAY_S));
}

static void
certs_on_day(void *self)
{
	struct master *m = self;
	const struct gen *g = master_serving(m);

	if (m->state != MASTER_RUNNING)
		return;
	loop_timer_set(m->loop, &m->cert_day, DAY_MS);
	if (g != NULL)
		certs_warn(m, g);
}

void
certs_init(struct master *m)
{
	timer_init(&m->cert_watch, certs_on_watch, m);
	timer_init(&m->cert_day, certs_on_day, m);
}

void
certs_follow(struct gen *g)
{
	struct master *m = g->master;
	uint64_t interval_ms = certs_interval_ms(g);

	if (interval_ms > 0 && g->certs->n > 0)
		loop_timer_set(m->loop, &m->cert_watch, interval_ms);
	else
		loop_timer_clear(m->loop, &m->cert_watch);
	loop_timer_set(m->loop, &m->cert_day, DAY_MS);
	certs_warn(m, g);
}

void
certs_stop(struct master *m)
{
	loop_timer_clear(m->loop, &m->cert_watch);
	loop_timer_clear(m->loop, &m->cert_day);
}
