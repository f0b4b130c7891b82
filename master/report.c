/* master/report: the texts of problems. */
#include "master/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/span.h"

/* Each line of the text as a line of the log. */
static void
report_log(enum log_level level, span text)
{
	span line;

	while (span_cut(&text, '\n', &line))
		if (line.len > 0)
			log_msg(level, "config: %.*s", SPAN_FMT(line));
}

static const char *
plural(uint32_t n)
{
	return n == 1 ? "" : "s";
}

char *
report_text(const struct diag *d)
{
	uint32_t errors = diag_count(d, DIAG_ERROR);
	char *text = diag_render(d);
	char *all = NULL;
	size_t len = 0;
	FILE *out;

	if (errors == 0)
		return text;
	out = open_memstream(&all, &len);
	REQUIRE(out != NULL);
	(void)fprintf(out, "%s%u error%s\n", text, errors, plural(errors));
	REQUIRE(fclose(out) == 0);
	free(text);
	return all;
}

void
report_diag(const struct diag *d)
{
	char *text = report_text(d);

	(void)fputs(text, stderr);
	free(text);
}

void
report_reload(const struct diag *d, uint32_t serving)
{
	uint32_t errors = diag_count(d, DIAG_ERROR);
	char *text = diag_render(d);

	report_log(LOG_ERROR, span_str(text));
	if (serving > 0)
		log_msg(LOG_ERROR,
		    "config: %u error%s; the running configuration "
		    "(generation %u) was left as it is",
		    errors, plural(errors), serving);
	else
		log_msg(LOG_ERROR,
		    "config: %u error%s; nothing is served, as before", errors,
		    plural(errors));
	free(text);
}

void
report_warnings(const struct diag *d)
{
	char *text = diag_render(d);

	if (diag_count(d, DIAG_WARNING) > 0)
		report_log(LOG_WARN, span_str(text));
	free(text);
}

int
report_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	(void)report_errno("cannot write the output");
	return EXIT_FAILURE;
}

bool
report_errno(const char *what)
{
	(void)fprintf(stderr, "gatehouse: %s: %s\n", what, strerror(errno));
	return false;
}
