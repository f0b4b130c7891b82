/* master/admin_metrics: the same numbers that the status tells, and those that
 * are counted by name (store/tally), as a page for Prometheus: its text format
 * 0.0.4, or OpenMetrics 1.0 for who accepts that. Times are histograms. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/text.h"
#include "common/shm/counters.h"
#include "common/store/rulehits.h"
#include "common/store/tally.h"
#include "master/admin.h"

/* What all names begin with. */
#define PREFIX "gatehouse_"
#define SUFFIX_TOTAL "_total"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

/* The page that is being written. */
struct page {
	FILE *out;
	bool is_open; /* OpenMetrics */
	const struct admin *a;
	json_t *status;
	json_t *servers; /* of all upstreams, as rows */
};

struct metric {
	const char *list;
	const char *label;
	const char *label_key;
	const char *key;
	const char *name;
	enum metric_type type;
	double unit;
	const char *help;
};

static const struct metric metrics[] = {
#define METRIC(list, label, label_key, key, name, type, unit, help) \
	{list, label, label_key, key, name, METRIC_##type, unit, help},
#include "master/metrics.def"
#undef METRIC
};

/* OpenMetrics names a family of counters without the end of its samples. */
static void
page_family(
    struct page *p, const char *name, enum metric_type type, const char *help)
{
	static const char *const words[] = {
	    [METRIC_GAUGE] = "gauge",
	    [METRIC_COUNTER] = "counter",
	    [METRIC_HISTOGRAM] = "histogram",
	};
	span family = span_str(name);

	if (p->is_open && type == METRIC_COUNTER &&
	    span_ends(family, SPAN_LIT(SUFFIX_TOTAL)))
		family.len -= sizeof(SUFFIX_TOTAL) - 1;
	(void)fprintf(
	    p->out, "# HELP " PREFIX "%.*s %s\n", SPAN_FMT(family), help);
	(void)fprintf(p->out, "# TYPE " PREFIX "%.*s %s\n", SPAN_FMT(family),
	    words[type]);
}

/* A label's value, as both formats quote it. */
static void
write_quoted(FILE *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			(void)fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			(void)fprintf(out, "\\%c", *value);
		else
			(void)fputc(*value, out);
	}
}

static void
write_label(FILE *out, const char *label, const char *value)
{
	(void)fprintf(out, "%s=\"", label);
	write_quoted(out, value);
	(void)fputc('"', out);
}

/* --- lists of the status -------------------------------------------------- */

/* The labels of a row, malloc'd. */
static char *
row_labels(const struct metric *m, const json_t *row)
{
	const json_t *v = json_object_get(row, m->label_key);
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (m->label == NULL)
		return strdup(json_string_value(v));
	out = open_memstream(&text, &len);
	REQUIRE(out != NULL);
	if (json_is_integer(v))
		(void)fprintf(out, "%s=\"%" JSON_INTEGER_FORMAT "\"", m->label,
		    json_integer_value(v));
	else
		write_label(out, m->label, json_string_value(v));
	REQUIRE(fclose(out) == 0);
	return text;
}

/* Things of one name are one: what they count is added up. */
static json_t *
list_values(const struct metric *m, const json_t *list)
{
	json_t *all = json_object();
	const json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		const json_t *v = json_object_get(row, m->key);
		char *labels;

		if (!json_is_number(v))
			continue;
		labels = row_labels(m, row);
		REQUIRE(labels != NULL);
		(void)json_object_set_new(all, labels,
		    json_real(json_number_value(v) +
			      json_number_value(json_object_get(all, labels))));
		free(labels);
	}
	return all;
}

static void
page_metric(struct page *p, const struct metric *m)
{
	const json_t *list = strcmp(m->list, "servers") == 0
				 ? p->servers
				 : json_object_get(p->status, m->list);
	json_t *all = list_values(m, list);
	const char *labels;
	json_t *v;

	if (json_object_size(all) > 0)
		page_family(p, m->name, m->type, m->help);
	json_object_foreach(all, labels, v)
	{
		(void)fprintf(p->out, PREFIX "%s{%s} %.15g\n", m->name, labels,
		    json_real_value(v) * m->unit);
	}
	json_decref(all);
}

static char *
server_labels(const char *upstream, const json_t *server)
{
	const json_t *at = json_object_get(server, "at");
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out != NULL);
	write_label(out, "upstream", upstream);
	(void)fputc(',', out);
	write_label(out, "server",
	    json_string_value(json_object_get(server, "address")));
	if (json_array_size(at) > 0) {
		(void)fputc(',', out);
		write_label(
		    out, "at", json_string_value(json_array_get(at, 0)));
	}
	REQUIRE(fclose(out) == 0);
	return text;
}

static bool
server_is_asked(const json_t *server)
{
	const char *health =
	    json_string_value(json_object_get(server, "health"));

	return health != NULL && strcmp(health, "up") == 0;
}

/* One row for each server, whose labels no other one has. */
static void
page_add_server(
    struct page *p, json_t *seen, const char *upstream, const json_t *server)
{
	const json_t *order = json_object_get(server, "weight_order");
	char *labels = server_labels(upstream, server);
	json_t *row;

	REQUIRE(labels != NULL);
	if (json_object_get(seen, labels) == NULL) {
		row = json_copy((json_t *)(uintptr_t)server);
		(void)json_object_set_new(row, "labels", json_string(labels));
		(void)json_object_set_new(
		    row, "up", json_integer(server_is_asked(server)));
		if (json_is_integer(order))
			(void)json_object_set(
			    row, "weight", (json_t *)(uintptr_t)order);
		(void)json_array_append_new(p->servers, row);
		(void)json_object_set_new(seen, labels, json_true());
	}
	free(labels);
}

/* Servers as rows of their own, and what an upstream's limits tell as keys of
 * its row. */
static void
page_open_upstreams(struct page *p)
{
	json_t *seen = json_object();
	json_t *upstream;
	size_t i;

	json_array_foreach(json_object_get(p->status, "upstreams"), i, upstream)
	{
		const char *name =
		    json_string_value(json_object_get(upstream, "name"));
		json_t *limits = json_object_get(upstream, "limits");
		const json_t *server;
		size_t k;

		json_array_foreach(
		    json_object_get(upstream, "servers"), k, server)
		{
			page_add_server(p, seen, name, server);
		}
		if (limits != NULL)
			(void)json_object_update(upstream, limits);
	}
	json_decref(seen);
}

/* --- what is counted by name ---------------------------------------------- */

static void
tally_labels(
    FILE *out, enum tally_kind kind, const json_t *thing, const char *more)
{
	const char *site = json_string_value(json_object_get(thing, "site"));

	if (site != NULL) {
		write_label(out, "site", site);
		(void)fputc(',', out);
	}
	write_label(out, tally_kind_word(kind),
	    json_string_value(json_object_get(thing, "name")));
	(void)fputs(more, out);
}

static void
tally_get(const struct page *p, const json_t *thing, struct tally *out)
{
	tallies_get(p->a->boot->tallies,
	    (uint32_t)json_integer_value(json_object_get(thing, "tally")), out);
}

/* A number of a tally that has parts, each with a label of its own. */
struct parted {
	const char *name; /* behind the word of the kind */
	const char *help;
	const char *label;
	const char *(*word)(unsigned part);
	unsigned n;
	size_t at; /* of the first one in struct tally */
};

static const char *
status_word(unsigned part)
{
	static const char *const words[] = {
	    "none", "1xx", "2xx", "3xx", "4xx", "5xx"};

	return words[part];
}

static const struct parted requests = {
    .name = "requests_total",
    .help = "requests whose exchange has ended, by their answers",
    .label = "status",
    .word = status_word,
    .n = NELEMS(((struct tally *)NULL)->status),
    .at = offsetof(struct tally, status),
};

/* Behind RESULT_NONE. */
static const char *
result_word(unsigned part)
{
	return cache_result_word((enum cache_result)(part + 1));
}

static const struct parted results = {
    .name = "results_total",
    .help = "requests by what became of them in the cache",
    .label = "result",
    .word = result_word,
    .n = RESULT_N - 1,
    .at = offsetof(struct tally, results[RESULT_NONE + 1]),
};

static void
page_parted(struct page *p, enum tally_kind kind, const struct parted *of,
    const json_t *things)
{
	const json_t *thing;
	char name[64], label[64];
	struct tally t;
	size_t i;

	(void)snprintf(
	    name, sizeof(name), "%s_%s", tally_kind_word(kind), of->name);
	page_family(p, name, METRIC_COUNTER, of->help);
	json_array_foreach(things, i, thing)
	{
		const uint64_t *n =
		    (const uint64_t *)(const void *)((const char *)&t + of->at);

		tally_get(p, thing, &t);
		for (unsigned part = 0; part < of->n; part++) {
			(void)snprintf(label, sizeof(label), ",%s=\"%s\"",
			    of->label, of->word(part));
			(void)fprintf(p->out, PREFIX "%s{", name);
			tally_labels(p->out, kind, thing, label);
			(void)fprintf(p->out, "} %" PRIu64 "\n", n[part]);
		}
	}
}

static void
page_bytes(
    struct page *p, enum tally_kind kind, const json_t *things, bool is_out)
{
	const json_t *thing;
	struct tally t;
	char name[64];
	size_t i;

	(void)snprintf(name, sizeof(name), "%s_%s_bytes_total",
	    tally_kind_word(kind), is_out ? "sent" : "received");
	page_family(p, name, METRIC_COUNTER,
	    is_out ? "bytes written to clients" : "bytes read from clients");
	json_array_foreach(things, i, thing)
	{
		tally_get(p, thing, &t);
		(void)fprintf(p->out, PREFIX "%s{", name);
		tally_labels(p->out, kind, thing, "");
		(void)fprintf(p->out, "} %" PRIu64 "\n",
		    is_out ? t.bytes_out : t.bytes_in);
	}
}

/* One histogram: what is below each end, all, and the sum. */
static void
page_times(struct page *p, const char *name, enum tally_kind kind,
    const json_t *thing, const struct tally_times *times)
{
	uint64_t below = 0;
	char le[64];

	for (uint32_t i = 0; i <= TALLY_STEPS; i++) {
		below += times->n[i];
		if (i < TALLY_STEPS)
			(void)snprintf(le, sizeof(le), ",le=\"%.16g\"",
			    ldexp(1.0, TALLY_STEP_FIRST + (int)i));
		else
			(void)snprintf(le, sizeof(le), ",le=\"+Inf\"");
		(void)fprintf(p->out, PREFIX "%s_bucket{", name);
		tally_labels(p->out, kind, thing, le);
		(void)fprintf(p->out, "} %" PRIu64 "\n", below);
	}
	(void)fprintf(p->out, PREFIX "%s_sum{", name);
	tally_labels(p->out, kind, thing, "");
	(void)fprintf(p->out, "} %.15g\n", (double)times->sum_us / 1e6);
	(void)fprintf(p->out, PREFIX "%s_count{", name);
	tally_labels(p->out, kind, thing, "");
	(void)fprintf(p->out, "} %" PRIu64 "\n", below);
}

static void
page_curve(struct page *p, enum tally_kind kind, enum tally_curve c,
    const json_t *things)
{
	const json_t *thing;
	struct tally t;
	char name[64];
	size_t i;

	(void)snprintf(name, sizeof(name), "%s_%s", tally_kind_word(kind),
	    tally_curve_name(c));
	page_family(p, name, METRIC_HISTOGRAM, tally_curve_help(c));
	json_array_foreach(things, i, thing)
	{
		tally_get(p, thing, &t);
		page_times(p, name, kind, thing, &t.times[c]);
	}
}

static void
page_tallies(struct page *p, enum tally_kind kind)
{
	const json_t *things = json_object_get(
	    json_object_get(p->a->conf, "tallies"), tally_kind_word(kind));
	bool has_times =
	    kind != TALLY_LISTEN && kind != TALLY_SITE && kind != TALLY_CACHE;

	if (json_array_size(things) == 0)
		return;
	page_parted(p, kind, &requests, things);
	page_bytes(p, kind, things, false);
	page_bytes(p, kind, things, true);
	if (kind == TALLY_CACHE)
		page_parted(p, kind, &results, things);
	for (int c = 0; has_times && c < TALLY_CURVES; c++)
		page_curve(p, kind, (enum tally_curve)c, things);
}

/* --- rules of firewalls --------------------------------------------------- */

static void
page_rules(
    struct page *p, enum rulehit what, const char *name, const char *help)
{
	struct rulehits_row row;
	uint32_t at = 0;

	page_family(p, name, METRIC_COUNTER, help);
	while (rulehits_next(p->a->boot->rulehits, &at, &row)) {
		if (row.n[what] == 0)
			continue;
		if (row.rule != 0)
			(void)fprintf(p->out,
			    PREFIX "%s{rule=\"%" PRIu64 "\"} %" PRIu64 "\n",
			    name, row.rule, row.n[what]);
		else
			(void)fprintf(p->out,
			    PREFIX "%s{rule=\"other\"} %" PRIu64 "\n", name,
			    row.n[what]);
	}
}

/* --- the page ------------------------------------------------------------- */

static void
page_single(struct page *p, const char *name, enum metric_type type,
    const char *help, double value)
{
	page_family(p, name, type, help);
	(void)fprintf(p->out, PREFIX "%s %.15g\n", name, value);
}

static void
page_process(struct page *p)
{
	const json_t *ends = json_object_get(p->a->state, "certificate_ends");
	const json_t *reload = json_object_get(p->status, "reload");

	page_family(p, "info", METRIC_GAUGE, "always 1; tells the version");
	(void)fprintf(
	    p->out, PREFIX "info{version=\"" PACKAGE_VERSION "\"} 1\n");
	page_single(p, "uptime_seconds", METRIC_GAUGE, "since the master began",
	    json_number_value(json_object_get(p->status, "uptime_s")));
	page_single(p, "generations", METRIC_GAUGE,
	    "configurations that have workers",
	    (double)json_array_size(json_object_get(p->status, "generations")));
	page_single(p, "banned_addresses", METRIC_GAUGE,
	    "addresses that are banned",
	    json_number_value(
		json_object_get(json_object_get(p->status, "bans"), "count")));
	if (json_is_object(reload))
		page_single(p, "reload_ok", METRIC_GAUGE,
		    "whether the last reload was taken over (1) or not (0)",
		    json_is_true(json_object_get(reload, "ok")));
	if (json_is_integer(ends))
		page_single(p, "certificate_ends_timestamp_seconds",
		    METRIC_GAUGE,
		    "when the first certificate ends, in seconds since 1970",
		    json_number_value(ends));
}

static void
page_counters(struct page *p)
{
	for (uint32_t i = 0; i < COUNTER_N; i++)
		page_single(p, counter_name(i), METRIC_COUNTER, counter_help(i),
		    (double)counters_sum(p->a->boot->counters, i));
}

static void
page_write(struct page *p)
{
	page_process(p);
	page_counters(p);
	for (size_t i = 0; i < NELEMS(metrics); i++)
		page_metric(p, &metrics[i]);
	for (int k = 0; k < TALLY_KINDS; k++)
		page_tallies(p, (enum tally_kind)k);
	page_rules(p, RULEHIT_MATCHED, "waf_rule_matched_total",
	    "times the rule of a firewall matched");
	page_rules(p, RULEHIT_REFUSED, "waf_rule_refused_total",
	    "requests and answers that the rule refused");
	if (p->is_open)
		(void)fputs("# EOF\n", p->out);
}

struct serve_text *
admin_metrics_page(const struct admin *a, bool is_open)
{
	char *text = NULL;
	size_t len = 0;
	struct page p = {
	    .out = open_memstream(&text, &len),
	    .is_open = is_open,
	    .a = a,
	    .status = admin_status(a, span_of(NULL, 0)),
	    .servers = json_array(),
	};

	REQUIRE(p.out != NULL);
	page_open_upstreams(&p);
	page_write(&p);
	REQUIRE(fclose(p.out) == 0);
	json_decref(p.status);
	json_decref(p.servers);
	return serve_text_new(text, len);
}
