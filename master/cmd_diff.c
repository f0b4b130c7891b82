/* master/cmd_diff: which requests of a log another configuration would answer
 * otherwise. Both are asked as `gatehouse explain` asks one; nothing is decided
 * here but what makes two answers differ. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/store/decisions.h"
#include "master/cmd.h"
#include "master/decision_text.h"
#include "master/logged.h"
#include "master/report.h"

static const char usage[] =
    "usage: gatehouse diff OLD NEW --log FILE [--json]\n"
    "OLD and NEW are configurations, FILE an access log in JSON, or - for the\n"
    "standard input\n";

/* Bytes of a Location that is compared and shown. */
#define LOCATION_MAX 512u

/* One of the two configurations. */
struct side {
	const char *path;
	struct cmd_boot boot;
	struct explain *explain;
	struct explained now;
	json_t *json; /* the decision; NULL: it could not be run */
	span location; /* of the answer; empty: none */
};

struct diff {
	struct side old;
	struct side new;
	const char *log;
	bool is_json;
	uint64_t n_changed;
};

/* --- what differs --------------------------------------------------------- */

/* Which lines are the outcome; the others only tell how it was come to. */
static bool
line_counts(const json_t *line)
{
	static const char *const ways[] = {
	    "listen", "route", "rule", "access", "server"};
	const char *what = json_string_value(json_object_get(line, "what"));

	for (size_t i = 0; i < NELEMS(ways); i++)
		if (strcmp(what, ways[i]) == 0)
			return false;
	return true;
}

static bool
line_is_same(const json_t *a, const json_t *b)
{
	return json_equal(
		   json_object_get(a, "what"), json_object_get(b, "what")) &&
	       json_equal(
		   json_object_get(a, "text"), json_object_get(b, "text"));
}

static bool
side_has(const struct side *s, const json_t *line)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(s->json, "lines"), i,
	    one) if (line_is_same(one, line)) return true;
	return false;
}

/* Whether all that counts of one is there in the other one, too. */
static bool
side_is_in(const struct side *a, const struct side *b)
{
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(a->json, "lines"), i,
	    line) if (line_counts(line) && !side_has(b, line)) return false;
	return true;
}

static bool
sides_differ(const struct side *a, const struct side *b)
{
	if (a->json == NULL || b->json == NULL)
		return a->json != b->json || !span_eq(a->now.why, b->now.why);
	return !json_equal(json_object_get(a->json, "status"),
		   json_object_get(b->json, "status")) ||
	       !span_eq(a->location, b->location) || !side_is_in(a, b) ||
	       !side_is_in(b, a);
}

/* --- one request ---------------------------------------------------------- */

static span
side_file(const void *self, uint16_t file)
{
	const struct side *s = self;

	return span_str(diag_file_path(s->boot.diag, file));
}

static span
answer_location(span answer)
{
	static const char name[] = "location:";
	span line;

	/* lines end with both */
	while (span_cut(&answer, '\n', &line) && line.len > 1) {
		line.len--;
		if (span_ieq(
			span_first(line, sizeof(name) - 1), span_str(name)))
			return span_first(
			    span_trim(span_from(line, sizeof(name) - 1)),
			    LOCATION_MAX);
	}
	return span_of(NULL, 0);
}

static void
side_ask(struct side *s, const struct command *c)
{
	json_decref(s->json);
	s->json = NULL;
	s->location = span_of(NULL, 0);
	if (!worker_explain_ask(s->explain, c, &s->now))
		return;
	s->json = decision_json(s->now.decision, side_file, s);
	s->location = answer_location(s->now.answer);
}

/* --- telling -------------------------------------------------------------- */

static void
print_text(span s)
{
	char text[4 * LOCATION_MAX];

	(void)fwrite(text, 1, log_escape(s, text, sizeof(text)), stdout);
}

/* What it has and the other one has not. */
static void
side_print(const char *word, const struct side *s, const struct side *other)
{
	const json_t *line;
	size_t i;

	(void)printf("  %s ", word);
	if (s->json == NULL) {
		print_text(s->now.why);
		(void)fputc('\n', stdout);
		return;
	}
	(void)printf("%lld",
	    (long long)json_integer_value(json_object_get(s->json, "status")));
	if (s->location.len > 0)
		(void)fputs(" to ", stdout);
	print_text(s->location);
	(void)fputc('\n', stdout);
	json_array_foreach(json_object_get(s->json, "lines"), i, line)
	{
		if (side_has(other, line))
			continue;
		(void)fputs("      ", stdout);
		decision_print_line(stdout, line);
	}
}

static json_t *
side_json(const struct side *s)
{
	if (s->json == NULL)
		return json_null();
	return json_incref(s->json);
}

static void
diff_tell(struct diff *d, const struct logged *l)
{
	const struct command *c = &l->command;
	json_t *j;

	d->n_changed++;
	if (!d->is_json) {
		print_text(span_str(c->method));
		(void)fputc(' ', stdout);
		print_text(span_first(span_str(c->url), LOCATION_MAX));
		(void)printf(" from %s", c->from);
		if (l->id.len > 0)
			(void)fputs(", id ", stdout);
		print_text(span_first(l->id, LOCATION_MAX));
		(void)fputc('\n', stdout);
		side_print("was", &d->old, &d->new);
		side_print("now", &d->new, &d->old);
		return;
	}
	j = json_object();
	(void)json_object_set_new(j, "request_id",
	    json_stringn(l->id.len > 0 ? l->id.p : "", l->id.len));
	(void)json_object_set_new(j, "method", json_string(c->method));
	(void)json_object_set_new(j, "url", json_string(c->url));
	(void)json_object_set_new(j, "client", json_string(c->from));
	(void)json_object_set_new(j, "was", side_json(&d->old));
	(void)json_object_set_new(j, "now", side_json(&d->new));
	(void)json_dumpf(j, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	(void)fputc('\n', stdout);
	json_decref(j);
}

/* --- the run -------------------------------------------------------------- */

static bool
side_open(struct side *s)
{
	struct conf_source src = {.path = s->path};

	if (!cmd_prepare(&s->boot, &src)) {
		report_diag(s->boot.diag);
		return false;
	}
	s->explain = worker_explain_open(&s->boot.boot);
	if (s->explain == NULL)
		perror("gatehouse: diff");
	return s->explain != NULL;
}

static void
side_close(struct side *s)
{
	json_decref(s->json);
	if (s->explain != NULL)
		worker_explain_close(s->explain);
	if (s->boot.diag != NULL)
		cmd_release(&s->boot);
}

static int
diff_log(struct diff *d)
{
	bool is_log = true;
	struct logged l;
	int rc = 0;

	if (logged_open(&l, d->log) == 0) {
		while (logged_next(&l)) {
			side_ask(&d->old, &l.command);
			side_ask(&d->new, &l.command);
			if (sides_differ(&d->old, &d->new))
				diff_tell(d, &l);
		}
		(void)fprintf(stderr,
		    "gatehouse: %llu of %llu requests would be answered "
		    "otherwise\n",
		    (unsigned long long)d->n_changed, (unsigned long long)l.n);
		is_log = logged_tell(&l);
		rc = logged_close(&l);
	} else {
		rc = -1;
	}
	if (rc < 0)
		(void)fprintf(
		    stderr, "gatehouse: %s: %s\n", d->log, strerror(errno));
	return is_log ? rc : -1;
}

static bool
diff_read(struct diff *d, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			d->is_json = true;
		else if (strcmp(argv[i], "--log") == 0 && i + 1 < argc)
			d->log = argv[++i];
		else if (argv[i][0] != '-' && d->old.path == NULL)
			d->old.path = argv[i];
		else if (argv[i][0] != '-' && d->new.path == NULL)
			d->new.path = argv[i];
		else
			return false;
	}
	return d->new.path != NULL && d->log != NULL;
}

int
cmd_diff(int argc, char **argv)
{
	struct diff d = {.n_changed = 0};
	int rc = EXIT_FAILURE;

	if (!diff_read(&d, argc, argv)) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (side_open(&d.old) && side_open(&d.new) && diff_log(&d) == 0)
		rc = d.n_changed > 0 ? EXIT_DIFFERS : EXIT_SUCCESS;
	side_close(&d.new);
	side_close(&d.old);
	return report_flush() == EXIT_SUCCESS ? rc : EXIT_FAILURE;
}
