/* master/cmd_status: what the running gatehouse says about itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/conf/conf_balance.h"
#include "common/store/tally.h"
#include "master/admin_client.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

/* --- for people ----------------------------------------------------------- */

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
	span problems = span_str(admin_text(r, "problems"));
	span line;

	if (!json_is_object(r)) {
		(void)printf("last reload  none\n");
		return;
	}
	(void)printf("last reload  %s at %s\n",
	    json_is_true(json_object_get(r, "ok")) ? "ok" : "FAILED",
	    admin_text(r, "time"));
	while (span_cut(&problems, '\n', &line) && problems.p != NULL) {
		text_print(line, stdout);
		(void)fputc('\n', stdout);
	}
}

static void
print_cache_file(const json_t *c)
{
	if (json_is_object(c))
		(void)printf("cache file   %s at %s\n",
		    json_is_true(json_object_get(c, "ok")) ? "written"
							   : "NOT WRITTEN",
		    admin_text(c, "time"));
}

static void
print_certificate(const json_t *c)
{
	if (json_is_object(c))
		(void)printf("certificate  the first ends %s, in %lld days\n",
		    admin_text(c, "first_ends"), number_of(c, "days_left"));
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
		(void)printf("%-7s  %-8s  %-27s  %s\n", admin_text(c, "staple"),
		    admin_text(c, "state"), admin_text(c, "next_update"),
		    admin_text(c, "file"));
		if (json_object_get(c, "problem") != NULL)
			(void)printf("  %s\n", admin_text(c, "problem"));
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
		    number_of(g, "number"), admin_text(g, "state"),
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
		    admin_text(w, "state"), number_of(w, "connections"),
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
		(void)printf("  %s%s%s since %s", admin_text(server, "health"),
		    json_is_string(why) ? ", " : "",
		    json_is_string(why) ? json_string_value(why) : "",
		    json_string_value(since));
	(void)putchar('\n');
}

/* What is in force stands in the column, what is configured behind it. */
static void
print_server(const json_t *upstream, const json_t *s)
{
	const json_t *ordered = json_object_get(s, "weight_order");
	long long weight = number_of(s, "weight");
	const json_t *at;
	size_t i;
	bool is_ordered =
	    json_is_integer(ordered) &&
	    conf_balance_has_weights(span_str(admin_text(upstream, "balance")));

	(void)printf("%-20s  %6lld  %6lld  %8lld  %8lld  %s%s",
	    admin_text(upstream, "name"),
	    is_ordered ? json_integer_value(ordered) : weight,
	    number_of(s, "active"), number_of(s, "requests"),
	    number_of(s, "failures"), admin_text(s, "address"),
	    json_is_true(json_object_get(s, "backup")) ? " (backup)" : "");
	json_array_foreach(json_object_get(s, "at"), i, at)
	{
		(void)printf(" at %s", json_string_value(at));
	}
	if (is_ordered)
		(void)printf(" (configured weight %lld)", weight);
	print_health(s);
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
			print_server(u, s);
		}
	}
}

static void
print_limits(const json_t *all)
{
	bool is_begun = false;
	const json_t *u;
	size_t i;

	json_array_foreach(all, i, u)
	{
		const json_t *l = json_object_get(u, "limits");

		if (l == NULL)
			continue;
		if (!is_begun)
			(void)printf("\n%-20s  %7s  %6s  %7s  %7s  %8s  %8s\n",
			    "LIMITS", "LIMIT", "ACTIVE", "WAITING", "WAITED",
			    "REFUSED", "TIMEOUTS");
		is_begun = true;
		(void)printf(
		    "%-20s  %7lld  %6lld  %7lld  %7lld  %8lld  %8lld\n",
		    admin_text(u, "name"), number_of(l, "limit"),
		    number_of(l, "active"), number_of(l, "waiting"),
		    number_of(l, "waited"), number_of(l, "refused"),
		    number_of(l, "timeouts"));
	}
}

static void
print_closed(const json_t *all)
{
	const json_t *s;
	size_t i;

	json_array_foreach(all, i, s)
	{
		const char *order = admin_text(s, "order");
		bool is_closed = json_is_true(json_object_get(s, "closed"));

		(void)printf("maintenance  %s: %s, %s\n", admin_text(s, "site"),
		    is_closed ? "closed" : "open",
		    strcmp(order, "auto") == 0 ? "as configured" : "by order");
	}
}

/* Two numbers and " of ". */
#define HITS_CAP 48

/* Of the requests that met a cache, those that no server was asked for in full:
 * "3 of 4". */
static const char *
hits_text(const json_t *results, char out[HITS_CAP])
{
	static const bool is_hit[RESULT_N] = {
	    [RESULT_HIT] = true,
	    [RESULT_STALE] = true,
	    [RESULT_REVALIDATED] = true,
	    [RESULT_COLLAPSED] = true,
	};
	long long n = 0, all = 0;

	for (int r = RESULT_NONE + 1; r < RESULT_N; r++) {
		long long one =
		    number_of(results, cache_result_word((enum cache_result)r));

		n += is_hit[r] ? one : 0;
		all += r == RESULT_PURGED ? 0 : one;
	}
	(void)snprintf(out, HITS_CAP, "%lld of %lld", n, all);
	return out;
}

static void
print_caches(const json_t *all)
{
	char hits[HITS_CAP];
	const json_t *c;
	size_t i;

	if (json_array_size(all) > 0)
		(void)printf(
		    "\n%-20s  %18s  %12s  %12s  %8s  %7s  %8s  %6s  %8s  %s\n",
		    "CACHE", "HITS", "MEMORY", "USED", "OBJECTS", "FILLING",
		    "EVICTED", "BROKEN", "REPAIRED", "PURGES");
	json_array_foreach(all, i, c)
	{
		(void)printf(
		    "%-20s  %18s  %12lld  %12lld  %8lld  %7lld  %8lld  "
		    "%6lld  %8lld  %lld\n",
		    admin_text(c, "name"),
		    hits_text(json_object_get(c, "results"), hits),
		    number_of(c, "memory"), number_of(c, "used"),
		    number_of(c, "objects"), number_of(c, "filling"),
		    number_of(c, "evicted"), number_of(c, "broken"),
		    number_of(c, "repaired"), number_of(c, "purges"));
	}
}

static void
print_rate_limits(const json_t *all)
{
	const json_t *l;
	size_t i;

	if (json_array_size(all) > 0)
		(void)printf("\n%-20s  %10s  %10s  %10s  %10s  %11s\n", "LIMIT",
		    "PASSED", "HELD", "REFUSED", "FORGOTTEN", "NOT COUNTED");
	json_array_foreach(all, i, l)
	{
		(void)printf("%-20s  %10lld  %10lld  %10lld  %10lld  %11lld\n",
		    admin_text(l, "name"), number_of(l, "passed"),
		    number_of(l, "held"), number_of(l, "refused"),
		    number_of(l, "forgotten"), number_of(l, "not_counted"));
	}
}

static void
print_bans(const json_t *b)
{
	if (number_of(b, "added") > 0)
		(void)printf("\nbans         %lld now, %lld in all (gatehouse "
			     "ban list)\n",
		    number_of(b, "count"), number_of(b, "added"));
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
	(void)printf("gatehouse %s is %s, pid %lld, up ",
	    admin_text(j, "version"), admin_text(j, "state"),
	    number_of(j, "pid"));
	print_age(number_of(j, "uptime_s"));
	(void)printf("\nconfig       %s\n", admin_text(j, "config"));
	print_reload(json_object_get(j, "reload"));
	print_cache_file(json_object_get(j, "cache_file"));
	print_certificate(json_object_get(j, "certificate"));
	print_certificates(json_object_get(j, "certificates"));
	print_closed(json_object_get(j, "maintenance"));
	print_generations(json_object_get(j, "generations"));
	print_workers(json_object_get(j, "workers"));
	print_upstreams(json_object_get(j, "upstreams"));
	print_limits(json_object_get(j, "upstreams"));
	print_caches(json_object_get(j, "caches"));
	print_rate_limits(json_object_get(j, "limits"));
	print_bans(json_object_get(j, "bans"));
	print_counters(json_object_get(j, "counters"));
}

/* --- who comes most often ------------------------------------------------- */

static void
print_top_kind(const json_t *all, const char *heading, const char *unit)
{
	const json_t *h;
	size_t i;

	(void)printf("\n%12s  %12s  %s\n", unit, "AT LEAST", heading);
	json_array_foreach(all, i, h)
	{
		(void)printf("%12lld  %12lld  %s\n", number_of(h, "count"),
		    number_of(h, "count") - number_of(h, "error"),
		    admin_text(h, "name"));
	}
}

static void
print_top(const json_t *j)
{
	(void)printf("sampled; counts are halved every %lld s\n",
	    number_of(j, "half_life_s"));
#define HITTER_KIND(id, name, heading, unit) \
	print_top_kind(json_object_get(j, name), heading, unit);
#include "common/store/hitter_kind.def"
#undef HITTER_KIND
}

/* --- the command ---------------------------------------------------------- */

enum status_form { STATUS_TABLES, STATUS_JSON, STATUS_TOP };

static void
status_on_answer(void *self, const json_t *j, span text)
{
	const enum status_form *form = self;

	switch (*form) {
	case STATUS_JSON:
		(void)fwrite(text.p, 1, text.len, stdout);
		return;
	case STATUS_TOP:
		print_top(json_object_get(j, "top"));
		return;
	case STATUS_TABLES:
		status_print(j);
		return;
	}
	UNREACHED();
}

int
cmd_status(const struct conf_source *of_main, int argc, char **argv)
{
	struct conf_source src = *of_main;
	enum status_form form = STATUS_TABLES;
	struct admin_client c = {.on_answer = status_on_answer, .self = &form};

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			form = STATUS_JSON;
		} else if (strcmp(argv[i], "--top") == 0) {
			form = STATUS_TOP;
		} else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			src.path = argv[++i];
		} else {
			(void)fputs("usage: gatehouse status [--json | --top] "
				    "[-c FILE]\n",
			    stderr);
			return EXIT_USAGE;
		}
	}
	if (!admin_client_find(&c, &src))
		return EXIT_FAILURE;
	return admin_client_ask(
	    &c, METHOD_GET, SPAN_LIT("/v1/status"), span_of(NULL, 0));
}
