/* master/cmd_maintenance: close a site while all runs, open it, or leave it as it
 * is configured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/store/closures.h"
#include "master/admin_client.h"

static const char usage[] =
    "usage: gatehouse maintenance on|off|auto SITE [-c FILE]\n";

/* That an order was done is nothing to say. */
static void
maintenance_on_answer(void *self, const json_t *answer, span text)
{
	(void)self;
	(void)answer;
	(void)text;
}

static int
maintenance_ask(struct admin_client *c, const char *word, const char *site)
{
	json_t *j = json_object();
	char *text;
	int rc;

	(void)json_object_set_new(j, "site", json_string(site));
	(void)json_object_set_new(j, "order", json_string(word));
	text = json_dumps(j, JSON_COMPACT);
	REQUIRE(text != NULL);
	rc = admin_client_ask(
	    c, METHOD_POST, SPAN_LIT("/v1/maintenance"), span_str(text));
	free(text);
	json_decref(j);
	return rc;
}

int
cmd_maintenance(const struct conf_source *of_main, int argc, char **argv)
{
	struct conf_source src = *of_main;
	struct admin_client c = {.on_answer = maintenance_on_answer};
	const char *words[2] = {NULL, NULL};
	size_t n = 0;
	bool is_known = true;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			src.path = argv[++i];
		else if (n < NELEMS(words) && argv[i][0] != '-')
			words[n++] = argv[i];
		else
			is_known = false;
	}
	if (!is_known || n != NELEMS(words) ||
	    closure_order_find(span_str(words[0])) == CLOSURE_ORDERS) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return admin_client_find(&c, &src)
		   ? maintenance_ask(&c, words[0], words[1])
		   : EXIT_FAILURE;
}
