/* master/cmd_explain: the flags of `gatehouse explain`. What they mean is the
 * worker code's to say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/ipc/boot.h"
#include "master/admin.h"
#include "master/cmd.h"
#include "master/decision_text.h"
#include "master/logged.h"
#include "master/report.h"

/* Bytes of the id of a request in a log that are told. */
#define ID_MAX 128u

static const char usage[] =
    "usage: gatehouse explain METHOD URL [-H 'NAME: VALUE'] ... [--from IP]\n"
    "       [--listen NAME] [--answer STATUS] [-c FILE]\n"
    "       gatehouse explain --log FILE [--json] [-c FILE]\n"
    "FILE of --log is an access log in JSON, or - for the standard input\n";

static bool
explain_status(const char *text, unsigned *out)
{
	uint64_t status;

	if (!span_u64(span_str(text), 599, &status) || status < 200)
		return false;
	*out = (unsigned)status;
	return true;
}

/* One flag with its value. */
static bool
explain_flag(struct command *c, struct conf_source *src, const char **headers,
    const char *flag, const char *value)
{
	if (strcmp(flag, "-H") == 0)
		headers[c->n_headers++] = value;
	else if (strcmp(flag, "--from") == 0)
		c->from = value;
	else if (strcmp(flag, "--listen") == 0)
		c->listen = value;
	else if (strcmp(flag, "-c") == 0)
		src->path = value;
	else
		return strcmp(flag, "--answer") == 0 &&
		       explain_status(value, &c->answer_status);
	return true;
}

static bool
explain_read(struct command *c, struct conf_source *src, const char **headers,
    int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (argv[i][0] != '-' && c->method == NULL)
			c->method = argv[i];
		else if (argv[i][0] != '-' && c->url == NULL)
			c->url = argv[i];
		else if (i + 1 == argc ||
			 !explain_flag(c, src, headers, argv[i], argv[i + 1]))
			return false;
		else
			i++;
	}
	c->headers = headers;
	return c->url != NULL;
}

int
cmd_ask_worker(struct command *c, const struct conf_source *src)
{
	struct cmd_boot cb;
	int rc = EXIT_FAILURE;

	if (cmd_prepare(&cb, src)) {
		c->sources = cb.diag;
		rc = worker_command(&cb.boot, c);
		if (report_flush() != EXIT_SUCCESS)
			rc = EXIT_FAILURE;
	} else {
		report_diag(cb.diag);
	}
	cmd_release(&cb);
	return rc;
}

/* --- the requests of a log ------------------------------------------------ */

struct explain_log {
	const char *log;
	bool is_json;
	struct conf_source src;
	struct cmd_boot boot;
};

static span
log_file(const void *self, uint16_t file)
{
	const struct explain_log *el = self;

	return span_str(diag_file_path(el->boot.diag, file));
}

/* The lines of its head. What is not UTF-8 is of a client's own making. */
static json_t *
log_answer(span head)
{
	json_t *lines = json_array();
	span line;

	while (span_cut(&head, '\n', &line) && line.len > 1)
		(void)json_array_append_new(
		    lines, tell_text(span_first(line, line.len - 1)));
	return lines;
}

/* As the log has it, but in plain ASCII. */
static json_t *
log_id(span id)
{
	char text[4 * ID_MAX];

	return json_stringn(
	    text, log_escape(span_first(id, ID_MAX), text, sizeof(text)));
}

/* What it would be, under the id that the log has, but how long it took. */
static void
log_tell(const struct explain_log *el, const struct explained *e,
    const struct logged *l)
{
	json_t *j;

	if (e->why.len > 0) {
		(void)fprintf(stderr,
		    "gatehouse: request %llu: ", (unsigned long long)l->n);
		text_print(e->why, stderr);
		(void)fputc('\n', stderr);
		return;
	}
	j = decision_json(e->decision, log_file, el);
	(void)json_object_del(j, "took_us");
	if (l->id.len > 0)
		(void)json_object_set_new(j, "request_id", log_id(l->id));
	(void)json_object_set_new(j, "answer", log_answer(e->answer));
	if (el->is_json) {
		(void)json_dumpf(j, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		(void)fputc('\n', stdout);
	} else {
		if (l->n > 1)
			(void)fputc('\n', stdout);
		decision_print(stdout, j);
	}
	json_decref(j);
}

/* The exit status. */
static int
log_run(struct explain_log *el)
{
	struct explain *e = worker_explain_open(&el->boot.boot);
	struct explained result;
	struct logged l;
	bool is_log = true;
	int rc = -1;

	if (e != NULL && logged_open(&l, el->log) == 0) {
		while (logged_next(&l)) {
			(void)worker_explain_ask(e, &l.command, &result);
			log_tell(el, &result, &l);
		}
		is_log = logged_tell(&l);
		rc = logged_close(&l);
	}
	if (rc < 0)
		(void)fprintf(
		    stderr, "gatehouse: %s: %s\n", el->log, strerror(errno));
	if (e != NULL)
		worker_explain_close(e);
	return rc == 0 && is_log ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool
log_read(struct explain_log *el, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			el->is_json = true;
		else if (strcmp(argv[i], "--log") == 0 && i + 1 < argc)
			el->log = argv[++i];
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			el->src.path = argv[++i];
		else
			return false;
	}
	return el->log != NULL;
}

static int
explain_log(const struct conf_source *source, int argc, char **argv)
{
	struct explain_log el = {.src = *source};
	int rc = EXIT_FAILURE;

	if (!log_read(&el, argc, argv)) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!cmd_prepare(&el.boot, &el.src))
		report_diag(el.boot.diag);
	else
		rc = log_run(&el);
	cmd_release(&el.boot);
	return report_flush() == EXIT_SUCCESS ? rc : EXIT_FAILURE;
}

/* Whether many are asked for, which no request is. */
static bool
explain_is_of_log(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--log") == 0)
			return true;
	return false;
}

int
cmd_explain(const struct conf_source *source, int argc, char **argv)
{
	const char **headers = calloc((size_t)argc + 1, sizeof(*headers));
	struct conf_source src = *source;
	struct command c = {
	    .word = COMMAND_EXPLAIN,
	    .out = stdout,
	    .from = "127.0.0.1",
	    .answer_status = 200,
	};
	int rc = EXIT_USAGE;

	REQUIRE(headers != NULL);
	if (explain_is_of_log(argc, argv)) {
		free(headers);
		return explain_log(source, argc, argv);
	}
	if (explain_read(&c, &src, headers, argc, argv))
		rc = cmd_ask_worker(&c, &src);
	else
		(void)fputs(usage, stderr);
	free(headers);
	return rc;
}
