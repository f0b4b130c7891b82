/* master/cmd_status: what the running gatehouse says about itself, over the
 * socket that its configuration names. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/serve/fetch.h"
#include "master/cmd.h"
#include "master/report.h"

#define STATUS_MS 10000u
/* 10,000 servers need about a mebibyte. */
#define STATUS_MAX (64u * 1024 * 1024)
/* One turn of the loop. */
#define TURN_MS 1000u

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

struct status {
	const char *path; /* of the configuration */
	char addr_text[SOCK_ADDR_TEXT_CAP];
	struct sock_addr addr;
	bool is_json;
	bool is_done;
	int rc;
};

/* --- for people ----------------------------------------------------------- */

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s != NULL ? s : "-";
}

static long long
number_of(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

/* The two largest units. */
static void
print_age(long long s)
{
	if (s >= DAY_S)
		(void)printf("%lldd%lldh", s / DAY_S, s % DAY_S / HOUR_S);
	else if (s >= HOUR_S)
		(void)printf("%lldh%lldm", s / HOUR_S, s % HOUR_S / MINUTE_S);
	else if (s >= MINUTE_S)
		(void)printf("%lldm%llds", s / MINUTE_S, s % MINUTE_S);
	else
		(void)printf("%llds", s);
}

static void
print_reload(const json_t *r)
{
	if (!json_is_object(r)) {
		(void)printf("last reload  none\n");
		return;
	}
	(void)printf("last reload  %s at %s\n",
	    json_is_true(json_object_get(r, "ok")) ? "ok" : "FAILED",
	    text_of(r, "time"));
	(void)fputs(text_of(r, "problems"), stdout);
}

static void
print_certificate(const json_t *c)
{
	if (json_is_object(c))
		(void)printf("certificate  the first ends %s, in %lld days\n",
		    text_of(c, "first_ends"), number_of(c, "days_left"));
}

static void
print_certificates(const json_t *all)
{
	const json_t *c;
	size_t i;

	if (json_array_size(all) > 0)
		(void)printf("\n%-7s  %-8s  %-27s  %s\n", "STAPLE", "STATE",
		    "NEXT UPDATE", "CERTIFICATE");
	json_array_foreach(all, i, c)
	{
		(void)printf("%-7s  %-8s  %-27s  %s\n", text_of(c, "staple"),
		    text_of(c, "state"), text_of(c, "next_update"),
		    text_of(c, "file"));
		if (json_object_get(c, "problem") != NULL)
			(void)printf("  %s\n", text_of(c, "problem"));
	}
}

static void
print_generations(const json_t *all)
{
	const json_t *g;
	size_t i;

	(void)printf("\n%-10s  %-15s  %7s  %7s  %s\n", "GENERATION", "STATE",
	    "WORKERS", "READY", "AGE");
	json_array_foreach(all, i, g)
	{
		(void)printf("%-10lld  %-15s  %7lld  %7lld  ",
		    number_of(g, "number"), text_of(g, "state"),
		    number_of(g, "workers"), number_of(g, "ready"));
		print_age(number_of(g, "age_s"));
		(void)printf("\n");
	}
}

static void
print_workers(const json_t *all)
{
	const json_t *w;
	size_t i;

	(void)printf("\n%-6s  %8s  %10s  %-9s  %11s  %7s  %s\n", "WORKER",
	    "PID", "GENERATION", "STATE", "CONNECTIONS", "TUNNELS",
	    "HEARTBEAT");
	json_array_foreach(all, i, w)
	{
		char name[32];

		(void)snprintf(name, sizeof(name), "%lld.%lld",
		    number_of(w, "slot"), number_of(w, "incarnation"));
		(void)printf(
		    "%-6s  %8lld  %10lld  %-9s  %11lld  %7lld  %lldms\n", name,
		    number_of(w, "pid"), number_of(w, "generation"),
		    text_of(w, "state"), number_of(w, "connections"),
		    number_of(w, "tunnels"), number_of(w, "heartbeat_age_ms"));
	}
}

/* Nothing of a server that is well and always was. */
static void
print_health(const json_t *server)
{
	const json_t *why = json_object_get(server, "why");
	const json_t *since = json_object_get(server, "since");

	if (json_is_string(since))
		(void)printf("  %s%s%s since %s", text_of(server, "health"),
		    json_is_string(why) ? ", " : "",
		    json_is_string(why) ? json_string_value(why) : "",
		    json_string_value(since));
	(void)putchar('\n');
}

static void
print_upstreams(const json_t *all)
{
	const json_t *u;
	const json_t *s;
	size_t i;
	size_t k;

	if (json_array_size(all) > 0)
		(void)printf("\n%-20s  %6s  %6s  %8s  %8s  %s\n", "UPSTREAM",
		    "WEIGHT", "ACTIVE", "REQUESTS", "FAILURES", "SERVER");
	json_array_foreach(all, i, u)
	{
		json_array_foreach(json_object_get(u, "servers"), k, s)
		{
			(void)printf("%-20s  %6lld  %6lld  %8lld  %8lld  %s%s",
			    text_of(u, "name"), number_of(s, "weight"),
			    number_of(s, "active"), number_of(s, "requests"),
			    number_of(s, "failures"), text_of(s, "address"),
			    json_is_true(json_object_get(s, "backup"))
				? " (backup)"
				: "");
			print_health(s);
		}
	}
}

static void
print_counters(json_t *all)
{
	const char *name;
	json_t *n;

	(void)printf("\n%-28s  %s\n", "COUNTER", "VALUE");
	json_object_foreach(all, name, n)(void)
	    printf("%-28s  %lld\n", name, (long long)json_integer_value(n));
}

static void
status_print(const json_t *j)
{
	(void)printf("gatehouse %s is %s, pid %lld, up ", text_of(j, "version"),
	    text_of(j, "state"), number_of(j, "pid"));
	print_age(number_of(j, "uptime_s"));
	(void)printf("\nconfig       %s\n", text_of(j, "config"));
	print_reload(json_object_get(j, "reload"));
	print_certificate(json_object_get(j, "certificate"));
	print_certificates(json_object_get(j, "certificates"));
	print_generations(json_object_get(j, "generations"));
	print_workers(json_object_get(j, "workers"));
	print_upstreams(json_object_get(j, "upstreams"));
	print_counters(json_object_get(j, "counters"));
}

/* --- the answer ----------------------------------------------------------- */

/* Whatever is wrong, in words; the exit status. */
static int
status_answered(const struct status *st, const struct fetch_result *r)
{
	json_error_t err;
	json_t *j = json_loadb(r->content.p, r->content.len, 0, &err);
	int rc = EXIT_FAILURE;

	if (r->answer->status == 200 && json_is_object(j)) {
		rc = EXIT_SUCCESS;
		if (st->is_json)
			(void)fwrite(r->content.p, 1, r->content.len, stdout);
		else
			status_print(j);
	} else {
		(void)fprintf(stderr, "gatehouse: %s answers %u: %s\n",
		    st->addr_text, r->answer->status, text_of(j, "error"));
	}
	json_decref(j);
	return rc == EXIT_SUCCESS ? report_flush() : rc;
}

static void
status_failed(const struct status *st, const struct fetch_result *r)
{
	bool is_connect = r->rc == FETCH_CONNECT;

	if (is_connect && (r->err == ENOENT || r->err == ECONNREFUSED))
		(void)fprintf(stderr,
		    "gatehouse: no gatehouse runs behind %s (%s)\n",
		    st->addr_text, fetch_why(r));
	else if (is_connect && (r->err == EACCES || r->err == EPERM))
		(void)fprintf(stderr,
		    "gatehouse: no permission to use %s: it is for root, the "
		    "user that started gatehouse, and the group in [admin]\n",
		    st->addr_text);
	else
		(void)fprintf(
		    stderr, "gatehouse: %s: %s\n", st->addr_text, fetch_why(r));
}

static void
status_on_done(void *self, const struct fetch_result *r)
{
	struct status *st = self;

	st->is_done = true;
	if (r->rc == FETCH_OK) {
		st->rc = status_answered(st, r);
		return;
	}
	status_failed(st, r);
	st->rc = EXIT_FAILURE;
}

static int
status_fetch(struct status *st)
{
	struct fetch_spec spec = {
	    .to = st->addr,
	    .method = METHOD_GET,
	    .host = SPAN_LIT("localhost"),
	    .target = SPAN_LIT("/v1/status"),
	    .time_ms = STATUS_MS,
	    .head = {4096, 16384, 64},
	    .body_max = STATUS_MAX,
	};
	struct loop *l = loop_new();

	if (l == NULL) {
		(void)report_errno("cannot make an event loop");
		return EXIT_FAILURE;
	}
	(void)fetch_start(l, &spec, status_on_done, st);
	while (!st->is_done)
		loop_step(l, TURN_MS);
	loop_free(l);
	return st->rc;
}

/* --- the command ---------------------------------------------------------- */

/* The configuration is read for its [admin] only: it may be broken otherwise,
 * and the one that runs be asked about. */
static bool
status_find(struct status *st, const struct conf_source *src)
{
	struct diag *d = diag_new();
	struct conf_tree *t = conf_source_load(src, d);
	const struct conf_section *sec = conf_first(t, CONF_ADMIN);
	struct conf_scope s = conf_scope_of(t, sec);
	struct conf_iter it = {0};
	const struct conf_value *v =
	    sec != NULL ? conf_next(&s, KEY_ADMIN_LISTEN, &it) : NULL;
	bool is_found = v != NULL && v->n_words > 0 &&
			sock_addr_parse(v->words[0].text, &st->addr);

	if (diag_count(d, DIAG_ERROR) > 0)
		report_diag(d);
	if (is_found)
		(void)sock_addr_format(&st->addr, st->addr_text);
	else
		(void)fprintf(stderr,
		    "gatehouse: %s has no [admin] with a socket, for example "
		    "listen = unix:/run/gatehouse/admin.sock\n",
		    src->path);
	diag_free(d);
	conf_free(t);
	return is_found;
}

int
cmd_status(const struct conf_source *of_main, int argc, char **argv)
{
	struct conf_source src = *of_main;
	struct status st = {.rc = EXIT_FAILURE};

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			st.is_json = true;
		} else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			src.path = argv[++i];
		} else {
			(void)fputs(
			    "usage: gatehouse status [--json] [-c FILE]\n",
			    stderr);
			return EXIT_USAGE;
		}
	}
	return status_find(&st, &src) ? status_fetch(&st) : EXIT_FAILURE;
}
