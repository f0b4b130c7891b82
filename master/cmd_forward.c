/* master/cmd_forward: a forward proxy from flags alone. The flags become the text
 * of a configuration, which is all that the rest of the program sees. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/ip.h"
#include "master/cmd.h"
#include "master/report.h"

static const char usage[] =
    "usage: gatehouse forward --listen ADDRESS [--allow NETWORK ...] "
    "[--print]\n";

struct forward_flags {
	const char *listen;
	char **allow;
	int n_allow;
	bool is_print;
};

static bool
forward_read(struct forward_flags *f, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		bool has_more = i + 1 < argc;

		if (strcmp(argv[i], "--print") == 0)
			f->is_print = true;
		else if (strcmp(argv[i], "--listen") == 0 && has_more &&
			 f->listen == NULL)
			f->listen = argv[++i];
		else if (strcmp(argv[i], "--allow") == 0 && has_more)
			f->allow[f->n_allow++] = argv[++i];
		else
			return false;
	}
	return f->listen != NULL;
}

/* Who may is told by networks: a word of anything else would be a name. */
static bool
forward_check(const struct forward_flags *f)
{
	struct ip_prefix prefix;

	for (int i = 0; i < f->n_allow; i++) {
		if (ip_prefix_parse(span_str(f->allow[i]), &prefix) ||
		    strcmp(f->allow[i], "all") == 0)
			continue;
		(void)fprintf(stderr,
		    "gatehouse: --allow %s is no address, no network such as "
		    "10.0.0.0/8, and not all\n",
		    f->allow[i]);
		return false;
	}
	return true;
}

/* Without --allow it serves its own machine: a proxy for everybody is nothing
 * that anybody gets by leaving something out. */
static char *
forward_text(const struct forward_flags *f)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	REQUIRE(out != NULL);
	(void)fprintf(out,
	    "[listen forward]\naddress = %s\nmode = forward\n"
	    "policy = forward\n\n[forward forward]\n",
	    f->listen);
	if (f->n_allow == 0)
		(void)fputs("allow = 127.0.0.0/8 ::1\n", out);
	for (int i = 0; i < f->n_allow; i++)
		(void)fprintf(out, "allow = %s\n", f->allow[i]);
	REQUIRE(fclose(out) == 0);
	return text;
}

static int
forward_run(const struct forward_flags *f)
{
	struct conf_source src = {.path = "flags"};
	char *text = forward_text(f);
	int rc;

	src.text = span_str(text);
	if (!f->is_print) {
		rc = master_run(&src);
	} else if (conf_is_valid(&src)) {
		(void)fputs(text, stdout);
		rc = report_flush();
	} else {
		rc = EXIT_FAILURE;
	}
	free(text);
	return rc;
}

int
cmd_forward(int argc, char **argv)
{
	struct forward_flags f = {
	    .allow = calloc((size_t)argc + 1, sizeof(char *)),
	};
	int rc = EXIT_USAGE;

	REQUIRE(f.allow != NULL);
	if (!forward_read(&f, argc, argv))
		(void)fputs(usage, stderr);
	else if (forward_check(&f))
		rc = forward_run(&f);
	free(f.allow);
	return rc;
}
