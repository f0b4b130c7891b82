/* master/cmd_explain: the flags of `gatehouse explain`. What they mean is the
 * worker code's to say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/ipc/boot.h"
#include "master/cmd.h"
#include "master/report.h"

static const char usage[] =
    "usage: gatehouse explain METHOD URL [-H 'NAME: VALUE'] ... [--from IP]\n"
    "       [--listen NAME] [--answer STATUS] [-c FILE]\n";

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
	if (explain_read(&c, &src, headers, argc, argv))
		rc = cmd_ask_worker(&c, &src);
	else
		(void)fputs(usage, stderr);
	free(headers);
	return rc;
}
