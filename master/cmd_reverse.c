/* master/cmd_reverse: a reverse proxy from flags alone. The flags become the
 * text of a configuration, which is all that the rest of the program sees. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "master/cmd.h"
#include "master/report.h"

static const char usage[] =
    "usage: gatehouse reverse --from ADDRESS --to ADDRESS [--to ADDRESS ...] "
    "[--print]\n";

struct reverse {
	const char *from;
	char **to;
	int n_to;
	bool is_print;
};

static bool
reverse_read(struct reverse *r, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		bool has_more = i + 1 < argc;

		if (strcmp(argv[i], "--print") == 0)
			r->is_print = true;
		else if (strcmp(argv[i], "--from") == 0 && has_more &&
			 r->from == NULL)
			r->from = argv[++i];
		else if (strcmp(argv[i], "--to") == 0 && has_more)
			r->to[r->n_to++] = argv[++i];
		else
			return false;
	}
	return r->from != NULL && r->n_to > 0;
}

static char *
reverse_text(const struct reverse *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out != NULL);
	(void)fprintf(out,
	    "[listen reverse]\naddress = %s\n\n"
	    "[site reverse]\nhosts = *\nupstream = reverse\n\n"
	    "[upstream reverse]\n",
	    r->from);
	for (int i = 0; i < r->n_to; i++)
		(void)fprintf(out, "server = %s\n", r->to[i]);
	REQUIRE(fclose(out) == 0);
	return text;
}

int
cmd_reverse(int argc, char **argv)
{
	struct reverse r = {.to = calloc((size_t)argc + 1, sizeof(char *))};
	struct conf_source src = {.path = "flags"};
	char *text;
	int rc;

	REQUIRE(r.to != NULL);
	if (!reverse_read(&r, argc, argv)) {
		(void)fputs(usage, stderr);
		free(r.to);
		return EXIT_USAGE;
	}
	text = reverse_text(&r);
	src.text = span_str(text);
	if (!r.is_print) {
		rc = master_run(&src);
	} else if (conf_is_valid(&src)) {
		(void)fputs(text, stdout);
		rc = report_flush();
	} else {
		rc = EXIT_FAILURE;
	}
	free(text);
	free(r.to);
	return rc;
}
