/* master/admin: the interface that the steward serves: who may use it, and what
 * is asked of the master for its users. Paths and forms are in doc/admin.md. */
#include "master/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"

/* What the master tells at most: configurations of any size that it reads. */
#define FACTS_MAX (256 * 1024 * 1024)
/* Of a query: what is wanted of the status. */
#define ONLY "only="

static const struct serve_limits limits = {
    .conns_max = 64,
    .head = {4096, 16384, 64},
    .body_max = 65536,
    .idle_ms = 60000,
    .head_ms = 10000,
    .body_ms = 10000,
    .call_ms = 120000,
    .send_ms = 30000,
    .linger_ms = 2000,
};

/* Somebody waits for what the master makes of it. */
struct ask {
	struct list node; /* in admin.asks */
	struct serve_call *call;
	enum ctl_ask what;
	uint32_t no; /* of all asks of this process, from 1 */
	bool is_heard;
	uint32_t reload; /* which one answers */
};

void
admin_answer(struct serve_call *c, unsigned status, json_t *j)
{
	/* servers' texts are among it, and somebody's terminal behind it */
	char *text = json_dumps(j, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	size_t len;

	REQUIRE(text != NULL);
	json_decref(j);
	/* the NUL makes room for the end of the last line */
	len = strlen(text);
	text[len++] = '\n';
	serve_field(c, SPAN_LIT("Cache-Control"), SPAN_LIT("no-store"));
	serve_answer(
	    c, status, SPAN_LIT("application/json"), span_of(text, len));
	free(text);
}

void
admin_refuse(struct serve_call *c, unsigned status, const char *why)
{
	json_t *j = json_object();

	(void)json_object_set_new(j, "error", json_string(why));
	admin_answer(c, status, j);
}

static void
handle_status(void *self, struct serve_call *c)
{
	struct admin *a = self;
	span query = serve_request(c)->query;
	bool is_all = query.len == 0;
	json_t *j;

	if (!admin_begin(a, c))
		return;
	j = is_all || span_starts(query, SPAN_LIT(ONLY))
		? admin_status(a, is_all ? span_of(NULL, 0)
					 : span_from(query, sizeof(ONLY) - 1))
		: NULL;
	if (j != NULL)
		admin_answer(c, 200, j);
	else
		admin_refuse(c, 400,
		    "expected ?only=KEY,KEY of the keys of the status, or "
		    "nothing");
}

/* A part of the status that has a path of its own: its key is what stands there
 * behind "/v1/". */
static void
handle_part(void *self, struct serve_call *c)
{
	struct admin *a = self;
	span path = serve_request(c)->path;

	if (admin_begin(a, c))
		admin_answer(c, 200,
		    admin_status(a, span_from(path, sizeof("/v1/") - 1)));
}

/* The effective configuration. */
static void
handle_config(void *self, struct serve_call *c)
{
	static const char *const told[] = {"generation", "config", "effective"};
	struct admin *a = self;
	json_t *j;

	if (!admin_begin(a, c))
		return;
	j = json_object();
	for (size_t i = 0; i < NELEMS(told); i++)
		(void)json_object_set(
		    j, told[i], json_object_get(a->conf, told[i]));
	admin_answer(c, 200, j);
}

/* --- asking the master ---------------------------------------------------- */

static void
ask_free(struct ask *k)
{
	list_del(&k->node);
	free(k);
}

/* The client left: the master does what was asked all the same. */
static void
ask_on_cancel(void *self, struct serve_call *c)
{
	(void)c;
	ask_free(self);
}

static void
ask_answer(struct ask *k, unsigned status, json_t *j)
{
	struct serve_call *c = k->call;

	ask_free(k);
	admin_answer(c, status, j);
}

static void
admin_ask(struct admin *a, struct serve_call *c, enum ctl_ask what)
{
	static const char *const words[] = {
	    [ASK_RELOAD] = "reload",
	    [ASK_REOPEN] = "reopen",
	    [ASK_QUIT] = "quit",
	    [ASK_STOP] = "stop",
	    [ASK_DRAIN] = "drain",
	};
	char who[ADMIN_WHO_CAP];
	struct ask *k;

	if (!admin_begin(a, c))
		return;
	log_msg(
	    LOG_NOTICE, "ordered what=%s %s", words[what], admin_who(c, who));
	if (ctl_send_word(a->boot->ctl_fd, CTL_ASK, what, -1) < 0) {
		admin_refuse(c, 503, "the master is not listening now");
		return;
	}
	k = calloc(1, sizeof(*k));
	REQUIRE(k != NULL);
	k->call = c;
	k->what = what;
	k->no = ++a->n_asked;
	list_push_back(&a->asks, &k->node);
	serve_later(c, ask_on_cancel, k);
}

static void
handle_reload(void *self, struct serve_call *c)
{
	admin_ask(self, c, ASK_RELOAD);
}

static void
handle_reopen(void *self, struct serve_call *c)
{
	admin_ask(self, c, ASK_REOPEN);
}

static void
handle_quit(void *self, struct serve_call *c)
{
	admin_ask(self, c, ASK_QUIT);
}

static void
handle_stop(void *self, struct serve_call *c)
{
	admin_ask(self, c, ASK_STOP);
}

static void
handle_drain(void *self, struct serve_call *c)
{
	admin_ask(self, c, ASK_DRAIN);
}

static json_t *
ask_done(void)
{
	json_t *j = json_object();

	(void)json_object_set_new(j, "ok", json_true());
	return j;
}

/* The state tells whether this one is answered by now. */
static void
ask_look(struct ask *k, const json_t *state)
{
	uint32_t heard =
	    (uint32_t)json_integer_value(json_object_get(state, "asks"));
	uint32_t ended =
	    (uint32_t)json_integer_value(json_object_get(state, "ended"));
	json_t *reload = json_object_get(state, "reload");

	if (heard < k->no)
		return;
	if (k->what != ASK_RELOAD) {
		ask_answer(k, 202, ask_done());
		return;
	}
	if (!k->is_heard)
		k->reload = (uint32_t)json_integer_value(
		    json_object_get(state, "asked"));
	k->is_heard = true;
	if (k->reload == 0) {
		struct serve_call *c = k->call;

		ask_free(k);
		admin_refuse(c, 409, "it is about to end");
	} else if (ended >= k->reload) {
		bool is_ok = json_is_true(json_object_get(reload, "ok"));

		ask_answer(k, is_ok ? 200 : 422, json_incref(reload));
	}
}

static const struct serve_route routes[] = {
#define ADMIN_ROUTE(method, path, fn) {path, METHOD_##method, fn},
#include "master/admin_route.def"
#undef ADMIN_ROUTE
};

/* --- what the master tells ------------------------------------------------ */

/* The JSON of a whole file; NULL after logging why not. */
static json_t *
admin_read(int fd)
{
	struct stat st;
	json_error_t err;
	json_t *j = NULL;
	char *text;

	if (fstat(fd, &st) < 0 || st.st_size > FACTS_MAX)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	REQUIRE(text != NULL);
	if (pread(fd, text, (size_t)st.st_size, 0) == st.st_size)
		j = json_loadb(text, (size_t)st.st_size, 0, &err);
	free(text);
	if (j == NULL)
		log_msg(LOG_ERROR, "what the master told is not readable");
	return j;
}

static void
admin_replace(json_t **old, int fd)
{
	json_t *j = admin_read(fd);

	if (j == NULL)
		return;
	json_decref(*old);
	*old = j;
}

static void
admin_drop_fds(struct admin *a)
{
	while (a->n_fds > 0)
		(void)close(a->fds[--a->n_fds]);
}

/* The state that goes with them is here, too: the new facts and sockets are
 * used, the old sockets let go. Who is connected stays. */
static void
admin_use_conf(struct admin *a)
{
	json_decref(a->conf);
	a->conf = a->next_conf;
	a->next_conf = NULL;
	serve_unlisten(a->serve);
	for (uint32_t i = 0; i < a->n_fds; i++)
		if (serve_listen(a->serve, a->fds[i]) < 0)
			log_msg(LOG_ERROR,
			    "admin socket not watched error=\"%s\"",
			    strerror(errno));
	series_use(a->series, a->n_fds > 0);
	a->n_fds = 0;
}

static void
admin_hear_conf(struct admin *a, uint64_t n_fds, int fd)
{
	admin_replace(&a->next_conf, fd);
	admin_drop_fds(a);
	a->n_fds_wanted = (uint32_t)n_fds;
	a->fds = reallocarray(a->fds, a->n_fds_wanted + 1, sizeof(a->fds[0]));
	REQUIRE(a->fds != NULL);
}

static void
admin_hear_socket(struct admin *a, int fd)
{
	if (a->n_fds == a->n_fds_wanted) {
		(void)close(fd);
		return;
	}
	a->fds[a->n_fds++] = fd;
}

static void
admin_hear_state(struct admin *a, int fd)
{
	admin_replace(&a->state, fd);
	if (a->next_conf != NULL && a->n_fds == a->n_fds_wanted)
		admin_use_conf(a);
	list_foreach_safe (n, &a->asks) {
		ask_look(LIST_ENTRY(n, struct ask, node), a->state);
	}
}

void
admin_hear(struct admin *a, const struct ctl_msg *m, int fd)
{
	if (m->type == CTL_ADMIN) {
		admin_hear_socket(a, fd);
		return;
	}
	if (m->type == CTL_CONF)
		admin_hear_conf(a, m->arg, fd);
	else if (m->type == CTL_CERTIFICATES)
		admin_replace(&a->certs, fd);
	else
		admin_hear_state(a, fd);
	(void)close(fd);
}

/* --- life ----------------------------------------------------------------- */

void
admin_init(struct admin *a, struct loop *l, const struct boot *b,
    const struct stapler *st)
{
	*a = (struct admin){.loop = l, .boot = b, .stapler = st};
	list_init(&a->asks);
	list_init(&a->purges);
	list_init(&a->finds);
	a->series = series_new(a);
	a->scrape = scrape_new(a);
	a->serve = serve_new(l, &limits, routes, NELEMS(routes), a);
	serve_know_strangers(a->serve, admin_is_stranger);
}

void
admin_end(struct admin *a)
{
	serve_unlisten(a->serve);
	list_foreach_safe (n, &a->asks) {
		struct ask *k = LIST_ENTRY(n, struct ask, node);
		struct serve_call *c = k->call;

		/* this end is what was asked for */
		if (k->what == ASK_STOP || k->what == ASK_QUIT) {
			ask_answer(k, 202, ask_done());
			continue;
		}
		ask_free(k);
		admin_refuse(c, 503, "gatehouse ends");
	}
	admin_purge_end(a);
	admin_cache_end(a);
	series_free(a->series);
	scrape_free(a->scrape);
	serve_free(a->serve);
	admin_drop_fds(a);
	free(a->fds);
	json_decref(a->state);
	json_decref(a->conf);
	json_decref(a->next_conf);
	json_decref(a->certs);
}
