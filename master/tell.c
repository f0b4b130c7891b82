/* master/tell: what the steward is told. The state is small and changes often;
 * what it needs of the configuration is large and changes with the generation
 * that serves; sockets go with the latter. Each has its mark; what is marked is
 * sent at the end of a batch of events, and again a second later while the
 * steward does not read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/conf/conf_balance.h"
#include "common/conf/conf_health.h"
#include "common/conf/conf_places.h"
#include "master/admin.h"

/* Of a file of authorities. */
#define TELL_FILE_MAX (4u * 1024 * 1024)

/* --- JSON ----------------------------------------------------------------- */

json_t *
tell_text(span s)
{
	json_t *j = json_stringn(s.p != NULL ? s.p : "", s.len);

	/* not UTF-8: a path may be anything */
	return j != NULL ? j : json_string("?");
}

void
tell_number(json_t *j, const char *key, uint64_t n)
{
	(void)json_object_set_new(j, key, json_integer((json_int_t)n));
}

/* `number`: its line. */
static json_t *
tell_server(const struct gen *g, span upstream, const struct conf_value *v,
    uint32_t number)
{
	json_t *j = json_object();
	span weight;
	uint64_t n = 1;

	if (conf_option(v, "weight", &weight))
		(void)span_u64(weight, UINT32_MAX, &n);
	(void)json_object_set_new(j, "address", tell_text(v->words[0].text));
	(void)json_object_set_new(j, "weight", json_integer((json_int_t)n));
	(void)json_object_set_new(
	    j, "backup", json_boolean(conf_option(v, "backup", NULL)));
	/* the reader makes numbers of it */
	(void)json_object_set_new(j, "id",
	    json_integer(claims_server(g->claims, upstream, v->words[0].text)));
	(void)json_object_set_new(j, "number", json_integer(number));
	return j;
}

/* How often the name is asked for at least; 0: as its answers say. */
static int64_t
tell_resolve_ms(const struct conf_value *v)
{
	const char *why;
	int64_t ms = 0;
	span option;

	if (conf_option(v, "resolve", &option))
		(void)conf_parse_duration(option, &ms, &why);
	return ms;
}

/* A name is a server for each of its spots. */
static void
tell_servers(json_t *all, const struct gen *g, span upstream,
    const struct conf_value *v, uint32_t number)
{
	struct spots_name name;
	bool is_name =
	    claims_spots(g->claims, upstream, v->words[0].text, &name);

	for (uint32_t k = 0; k < (is_name ? SPOTS_PER_NAME : 1); k++) {
		json_t *j = tell_server(g, upstream, v, number);

		if (is_name) {
			(void)json_object_set_new(
			    j, "id", json_integer(name.servers[k]));
			(void)json_object_set_new(
			    j, "resolve_ms", json_integer(tell_resolve_ms(v)));
			(void)json_object_set_new(j, "spot", json_integer(k));
			(void)json_object_set_new(
			    j, "spots", json_integer(name.id));
		}
		(void)json_array_append_new(all, j);
	}
}

/* The steward opens no path: it gets the certificates of authorities as they
 * stand in their file. Nothing of it is understood here; bytes that no
 * certificate has are comments. What cannot be read has no authorities. */
static json_t *
tell_file(span path)
{
	char *name = strndup(path.p, path.len);
	char *text = malloc(TELL_FILE_MAX);
	json_t *j;
	ssize_t n = 0;
	int fd;

	REQUIRE(name != NULL && text != NULL);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0) {
		n = read(fd, text, TELL_FILE_MAX);
		(void)close(fd);
	}
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)text[i] >= 0x80 || text[i] == '\0')
			text[i] = '?';
	j = json_stringn(text, n > 0 ? (size_t)n : 0);
	free(text);
	free(name);
	return j;
}

/* How servers are checked: the words of the line, and what TLS needs. */
static json_t *
tell_check(const struct gen *g, const struct conf_scope *s)
{
	const struct conf_value *line = conf_check_line(s);
	const struct conf_value *ca = conf_get(s, KEY_UPSTREAM_CA);
	struct conf_scope tls =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_TLS));
	json_t *words = json_array();
	json_t *j = json_object();

	for (uint32_t i = 0; line != NULL && i < line->n_words; i++)
		(void)json_array_append_new(
		    words, tell_text(line->words[i].text));
	(void)json_object_set_new(j, "words", words);
	(void)json_object_set_new(j, "h2",
	    json_boolean(
		span_eq(conf_text(s, KEY_UPSTREAM_PROTOCOL), SPAN_LIT("h2"))));
	(void)json_object_set_new(
	    j, "sni", tell_text(conf_text(s, KEY_UPSTREAM_SNI)));
	(void)json_object_set_new(j, "send_proxy",
	    json_integer(conf_num(s, KEY_UPSTREAM_SEND_PROXY)));
	(void)json_object_set_new(j, "is_1_3_only",
	    json_boolean(span_eq(
		conf_text(&tls, KEY_TLS_MIN_VERSION), SPAN_LIT("1.3"))));
	(void)json_object_set_new(
	    j, "verify", json_boolean(conf_bool(s, KEY_UPSTREAM_TLS_VERIFY)));
	if (line != NULL && ca != NULL)
		(void)json_object_set_new(j, "ca", tell_file(ca->text));
	return j;
}

/* Its limits, and where what is counted against them stands. */
static void
tell_limits(const struct gen *g, span name, const struct conf_scope *s,
    json_t *upstream)
{
	struct conf_places l;
	json_t *j;

	conf_places_read(s, &l, NULL);
	if (!l.is_on)
		return;
	j = json_object();
	(void)json_object_set_new(j, "max_connections", json_integer(l.most));
	(void)json_object_set_new(j, "adaptive", json_boolean(l.is_adaptive));
	(void)json_object_set_new(j, "queue", json_integer(l.room));
	(void)json_object_set_new(j, "requests_id",
	    json_integer(claims_places(g->claims, name, CLAIM_REQUESTS)));
	(void)json_object_set_new(j, "waiting_id",
	    json_integer(claims_places(g->claims, name, CLAIM_WAITING)));
	(void)json_object_set_new(j, "queue_id",
	    json_integer(claims_places(g->claims, name, CLAIM_QUEUE)));
	(void)json_object_set_new(upstream, "limits", j);
}

/* *n_servers: those before it, in all upstreams (command_find()). */
static json_t *
tell_upstream(
    const struct gen *g, const struct conf_section *sec, uint32_t *n_servers)
{
	struct conf_scope s = conf_scope_of(g->conf, sec);
	struct conf_iter it = {0};
	const struct conf_value *v;
	json_t *servers = json_array();
	json_t *j = json_object();

	while ((v = conf_next(&s, KEY_UPSTREAM_SERVER, &it)) != NULL)
		if (v->n_words > 0)
			tell_servers(servers, g, sec->name, v, (*n_servers)++);
	(void)json_object_set_new(j, "name", tell_text(sec->name));
	(void)json_object_set_new(
	    j, "balance", tell_text(conf_balance_name(&s)));
	(void)json_object_set_new(j, "servers", servers);
	tell_limits(g, sec->name, &s, j);
	(void)json_object_set_new(
	    j, "panic", json_integer(conf_num(&s, KEY_UPSTREAM_PANIC)));
	(void)json_object_set_new(j, "check", tell_check(g, &s));
	return j;
}

/* The names of all sites, or of those that are configured to be closed. */
static json_t *
tell_sites(const struct gen *g, bool is_closed)
{
	json_t *all = json_array();

	for (const struct conf_section *sec = conf_first(g->conf, CONF_SITE);
	     sec != NULL; sec = sec->next) {
		struct conf_scope s = conf_scope_of(g->conf, sec);

		if (!is_closed || conf_num(&s, KEY_SCOPE_MAINTENANCE) != 0)
			(void)json_array_append_new(all, tell_text(sec->name));
	}
	return all;
}

/* Where the numbers stand of what is counted by its name. A route's name is its
 * path, which is empty for what no [route] of its site serves. */
static void
tell_tally(json_t *all, const struct gen *g, enum tally_kind kind,
    const struct conf_section *sec)
{
	span path = kind == TALLY_ROUTE ? sec->path : span_of(NULL, 0);
	/* a [listen] without a name is called so in logs */
	span name = sec->name.len > 0 ? sec->name : SPAN_LIT("listen");
	json_t *j = json_object();

	if (kind == TALLY_ROUTE)
		(void)json_object_set_new(j, "site", tell_text(name));
	(void)json_object_set_new(
	    j, "name", tell_text(kind == TALLY_ROUTE ? path : name));
	(void)json_object_set_new(j, "tally",
	    json_integer(claims_tally(g->claims, kind, sec->name, path)));
	(void)json_array_append_new(all, j);
}

static json_t *
tell_tallies(const struct gen *g)
{
	static const enum conf_type types[TALLY_KINDS][2] = {
	    [TALLY_LISTEN] = {CONF_LISTEN, CONF_LISTEN},
	    [TALLY_SITE] = {CONF_SITE, CONF_SITE},
	    [TALLY_ROUTE] = {CONF_SITE, CONF_ROUTE},
	    [TALLY_UPSTREAM] = {CONF_UPSTREAM, CONF_UPSTREAM},
	    [TALLY_FORWARD] = {CONF_FORWARD, CONF_FORWARD},
	    [TALLY_CACHE] = {CONF_CACHE, CONF_CACHE},
	};
	json_t *j = json_object();

	for (int k = 0; k < TALLY_KINDS; k++) {
		const enum conf_type *from = types[k];
		enum tally_kind kind = (enum tally_kind)k;
		json_t *all = json_array();
		const struct conf_section *s;

		for (s = conf_first(g->conf, from[0]); s != NULL; s = s->next)
			tell_tally(all, g, kind, s);
		for (s = conf_first(g->conf, from[1]);
		     s != NULL && from[1] != from[0]; s = s->next)
			tell_tally(all, g, kind, s);
		(void)json_object_set_new(j, tally_kind_word(kind), all);
	}
	return j;
}

/* Who may ask over TCP. */
static void
tell_admin(json_t *j, const struct gen *g)
{
	struct conf_scope s =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_ADMIN));
	const struct conf_value *token = conf_get(&s, KEY_ADMIN_TOKEN);
	const struct conf_value *v;
	struct conf_iter it = {0};
	json_t *allow = json_array();

	while ((v = conf_next(&s, KEY_ADMIN_ALLOW, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++)
			(void)json_array_append_new(
			    allow, tell_text(v->words[i].text));
	(void)json_object_set_new(j, "allow", allow);
	(void)json_object_set_new(
	    j, "metrics", json_boolean(conf_num(&s, KEY_ADMIN_METRICS) != 0));
	(void)json_object_set_new(
	    j, "dashboard", json_boolean(conf_bool(&s, KEY_ADMIN_DASHBOARD)));
	if (token != NULL)
		(void)json_object_set_new(j, "token", tell_text(token->text));
}

/* The URL that spans go to; empty: there is none. */
static json_t *
tell_trace_export(const struct gen *g)
{
	struct conf_scope s =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_TRACING));
	span to = conf_text(&s, KEY_TRACING_EXPORT);
	ptrdiff_t blank = span_chr(to, ' ');

	return tell_text(
	    blank < 0 ? to : span_trim(span_from(to, (size_t)blank)));
}

/* As -T prints it: secrets are left out. */
static json_t *
tell_effective(const struct gen *g)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *j;

	REQUIRE(out != NULL);
	conf_dump(g->conf, out);
	REQUIRE(fclose(out) == 0);
	j = tell_text(span_of(text, len));
	free(text);
	return j;
}

char *
tell_render_conf(const struct gen *g)
{
	const struct admin_set *a = &g->master->admin;
	struct conf_scope tls =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_TLS));
	struct conf_scope global =
	    conf_scope_of(g->conf, conf_first(g->conf, CONF_GLOBAL));
	json_t *upstreams = json_array();
	json_t *j = json_object();
	uint32_t n_servers = 0;
	char *text;

	for (const struct conf_section *s = conf_first(g->conf, CONF_UPSTREAM);
	     s != NULL; s = s->next)
		(void)json_array_append_new(
		    upstreams, tell_upstream(g, s, &n_servers));
	(void)json_object_set_new(j, "generation", json_integer(g->no));
	(void)json_object_set_new(
	    j, "config", tell_text(span_str(g->master->source.path)));
	(void)json_object_set_new(j, "effective", tell_effective(g));
	(void)json_object_set_new(
	    j, "log_level", json_string(log_level_name(g->boot.log_level)));
	(void)json_object_set_new(j, "upstreams", upstreams);
	(void)json_object_set_new(j, "tallies", tell_tallies(g));
	(void)json_object_set_new(j, "sites", tell_sites(g, false));
	(void)json_object_set_new(j, "closed", tell_sites(g, true));
	(void)json_object_set_new(j, "ticket_rotation_ms",
	    json_integer(conf_num(&tls, KEY_TLS_TICKET_ROTATION)));
	(void)json_object_set_new(j, "dns_servers",
	    tell_text(conf_text(&global, KEY_GLOBAL_DNS_SERVERS)));
	(void)json_object_set_new(j, "trace_export", tell_trace_export(g));
	(void)json_object_set_new(j, "uid", json_integer(geteuid()));
	if (a->has_group)
		(void)json_object_set_new(j, "gid", json_integer(a->gid));
	tell_admin(j, g);
	text = json_dumps(j, JSON_COMPACT);
	REQUIRE(text != NULL);
	json_decref(j);
	return text;
}

static const char *
tell_state_name(const struct master *m)
{
	switch (m->state) {
	case MASTER_STARTING:
		return "starting";
	case MASTER_RUNNING:
		return m->is_drained ? "drained" : "running";
	case MASTER_QUITTING:
		return "quitting";
	case MASTER_STOPPING:
		return "stopping";
	}
	UNREACHED();
}

static json_t *
tell_generations(const struct master *m)
{
	json_t *all = json_array();

	list_foreach (n, &m->gens) {
		const struct gen *g = LIST_ENTRY(n, struct gen, node);
		json_t *j = json_object();

		(void)json_object_set_new(j, "number", json_integer(g->no));
		(void)json_object_set_new(
		    j, "state", json_string(gen_state_name(g->state)));
		(void)json_object_set_new(
		    j, "workers", json_integer(g->n_live));
		(void)json_object_set_new(j, "ready", json_integer(g->n_ready));
		/* the reader makes an age of it */
		(void)json_object_set_new(
		    j, "began_ms", json_integer((json_int_t)g->began_ms));
		(void)json_object_set_new(
		    j, "config", tell_text(span_str(m->source.path)));
		(void)json_array_append_new(all, j);
	}
	return all;
}

/* Of the configuration that serves. */
static json_t *
tell_certificate_ends(const struct master *m)
{
	list_foreach (n, &m->gens) {
		const struct gen *g = LIST_ENTRY(n, struct gen, node);

		if (gen_is_serving(g) && g->certificate_ends != 0)
			return json_integer(g->certificate_ends);
	}
	return json_null();
}

static json_t *
tell_cache_file(const struct cache_saved *c)
{
	char when[DATE_ISO_LEN];
	json_t *j;

	if (!c->is_known)
		return json_null();
	date_format_iso(c->wall_us, when);
	j = json_object();
	(void)json_object_set_new(j, "ok", json_boolean(c->is_ok));
	(void)json_object_set_new(
	    j, "time", tell_text(span_of(when, sizeof(when))));
	return j;
}

static char *
tell_render_state(const struct master *m)
{
	const struct reload *r = &m->reload;
	json_t *j = json_object();
	char *text;

	(void)json_object_set_new(j, "state", json_string(tell_state_name(m)));
	(void)json_object_set_new(j, "pid", json_integer(getpid()));
	(void)json_object_set_new(
	    j, "began_ms", json_integer((json_int_t)m->began_ms));
	(void)json_object_set_new(j, "generations", tell_generations(m));
	(void)json_object_set_new(j, "reload", tell_reload(r));
	(void)json_object_set_new(j, "reloads", tell_reloads(r));
	(void)json_object_set_new(j, "ended", json_integer(r->n_ended));
	(void)json_object_set_new(
	    j, "certificate_ends", tell_certificate_ends(m));
	(void)json_object_set_new(
	    j, "cache_file", tell_cache_file(&m->cache_saved));
	(void)json_object_set_new(j, "asks", json_integer(r->n_asks));
	(void)json_object_set_new(j, "asked", json_integer(r->asked));
	text = json_dumps(j, JSON_COMPACT);
	REQUIRE(text != NULL);
	json_decref(j);
	return text;
}

/* --- sending -------------------------------------------------------------- */

/* One message with the text in a file of memory; false with errno. */
static bool
tell_send_text(int ctl, enum ctl_type type, uint64_t arg, const char *text)
{
	size_t len = strlen(text);
	int fd = memfd_create("gatehouse", MFD_CLOEXEC);
	bool is_sent;
	int err;

	if (fd < 0)
		return false;
	is_sent = pwrite(fd, text, len, 0) == (ssize_t)len &&
		  ctl_send_word(ctl, type, arg, fd) == 0;
	err = errno;
	(void)close(fd);
	errno = err;
	return is_sent;
}

/* All that is marked, until the socket is full. The state comes last and puts
 * the rest into effect: it is never told of a configuration that is not there
 * yet, nor the other way round. */
static bool
tell_send(struct master *m, int ctl)
{
	const struct gen *g = master_serving(m);
	struct tell *t = &m->tell;
	char *text;

	if (t->has_conf && m->admin.facts != NULL) {
		if (!tell_send_text(ctl, CTL_CONF, m->admin.n, m->admin.facts))
			return false;
		t->has_conf = false;
		t->next_admin = 0;
	}
	for (; t->next_admin < m->admin.n; t->next_admin++)
		if (ctl_send_word(ctl, CTL_ADMIN, t->next_admin,
			m->admin.at[t->next_admin]->fd) < 0)
			return false;
	if (t->has_certs && g != NULL && g->certs_fd >= 0) {
		if (ctl_send_word(ctl, CTL_CERTIFICATES, 0, g->certs_fd) < 0)
			return false;
		t->has_certs = false;
	}
	if (!t->has_state)
		return true;
	text = tell_render_state(m);
	t->has_state = !tell_send_text(ctl, CTL_STATE, 0, text);
	free(text);
	return !t->has_state;
}

void
tell_again(struct master *m)
{
	struct child *c = m->steward;

	if (c == NULL || c->ctl < 0)
		return;
	if (!tell_send(m, c->ctl) && errno != EAGAIN && !ctl_is_gone(errno))
		log_msg(LOG_ERROR, "steward not told pid=%d error=\"%s\"",
		    (int)c->pid, strerror(errno));
}

static void
tell_on_task(void *self)
{
	tell_again(self);
}

void
tell_init(struct master *m)
{
	task_init(&m->tell.task, tell_on_task, m);
}

void
tell_state(struct master *m)
{
	m->tell.has_state = true;
	loop_defer_batch(m->loop, &m->tell.task);
}

void
tell_conf(struct master *m)
{
	m->tell.has_conf = true;
	m->tell.has_certs = true;
	m->tell.has_state = true;
	/* sockets only behind the facts they belong to */
	m->tell.next_admin = UINT32_MAX;
	loop_defer_batch(m->loop, &m->tell.task);
}

void
tell_certs(struct master *m)
{
	m->tell.has_certs = true;
	tell_state(m);
}

void
tell_all(struct master *m)
{
	m->reload.n_asks = 0;
	m->reload.asked = 0;
	tell_conf(m);
	tell_state(m);
}
