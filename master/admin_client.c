/* master/admin_client: one question to the administration's socket. */
#include "master/admin_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "master/report.h"

#define ASK_MS 10000u
/* 10,000 servers need about two mebibytes of status. */
#define ANSWER_MAX (64u * 1024 * 1024)
/* One turn of the loop. */
#define TURN_MS 1000u

const char *
admin_text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "-";
}

/* Whatever is wrong, in words; the exit status. */
static int
client_answered(struct admin_client *c, const struct fetch_result *r)
{
	json_error_t err;
	json_t *j = json_loadb(r->content.p, r->content.len, 0, &err);
	bool is_ok = r->answer->status == 200 && json_is_object(j);

	if (is_ok)
		c->on_answer(c->self, j, r->content);
	else
		(void)fprintf(stderr, "gatehouse: %s answers %u: %s\n",
		    c->addr_text, r->answer->status, admin_text(j, "error"));
	json_decref(j);
	return is_ok ? report_flush() : EXIT_FAILURE;
}

static void
client_failed(const struct admin_client *c, const struct fetch_result *r)
{
	bool is_connect = r->rc == FETCH_CONNECT;

	if (is_connect && (r->err == ENOENT || r->err == ECONNREFUSED))
		(void)fprintf(stderr,
		    "gatehouse: no gatehouse runs behind %s (%s)\n",
		    c->addr_text, fetch_why(r));
	else if (is_connect && (r->err == EACCES || r->err == EPERM))
		(void)fprintf(stderr,
		    "gatehouse: no permission to use %s: it is for root, the "
		    "user that started gatehouse, and the group in [admin]\n",
		    c->addr_text);
	else
		(void)fprintf(
		    stderr, "gatehouse: %s: %s\n", c->addr_text, fetch_why(r));
}

static void
client_on_done(void *self, const struct fetch_result *r)
{
	struct admin_client *c = self;

	c->is_done = true;
	c->rc = EXIT_FAILURE;
	if (r->rc == FETCH_OK)
		c->rc = client_answered(c, r);
	else
		client_failed(c, r);
}

int
admin_client_ask(
    struct admin_client *c, enum http_method method, span target, span content)
{
	struct fetch_spec spec = {
	    .to = c->addr,
	    .method = method,
	    .host = SPAN_LIT("localhost"),
	    .target = target,
	    .content = content,
	    .time_ms = ASK_MS,
	    .head = {4096, 16384, 64},
	    .body_max = ANSWER_MAX,
	};
	struct loop *l = loop_new();

	if (l == NULL) {
		(void)report_errno("cannot make an event loop");
		return EXIT_FAILURE;
	}
	(void)fetch_start(l, &spec, client_on_done, c);
	while (!c->is_done)
		loop_step(l, TURN_MS);
	loop_free(l);
	return c->rc;
}

/* The first unix socket: over it nobody needs a token. */
static bool
admin_client_pick(const struct conf_tree *t, struct sock_addr *addr)
{
	const struct conf_section *sec = conf_first(t, CONF_ADMIN);
	struct conf_scope s = conf_scope_of(t, sec);
	struct conf_iter it = {0};
	const struct conf_value *v;

	while (
	    sec != NULL && (v = conf_next(&s, KEY_ADMIN_LISTEN, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++)
			if (sock_addr_parse(v->words[i].text, addr) &&
			    addr->u.sa.sa_family == AF_UNIX)
				return true;
	return false;
}

/* The configuration is read for its [admin] only: it may be broken otherwise,
 * and the one that runs be asked about. */
bool
admin_client_find(struct admin_client *c, const struct conf_source *src)
{
	struct diag *d = diag_new();
	struct conf_tree *t = conf_source_load(src, d);
	bool is_found = admin_client_pick(t, &c->addr);

	if (diag_count(d, DIAG_ERROR) > 0)
		report_diag(d);
	if (is_found)
		(void)sock_addr_format(&c->addr, c->addr_text);
	else
		(void)fprintf(stderr,
		    "gatehouse: %s has no [admin] with a unix socket, for "
		    "example "
		    "listen = unix:/run/gatehouse/admin.sock\n",
		    src->path);
	diag_free(d);
	conf_free(t);
	return is_found;
}
