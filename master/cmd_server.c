/* master/cmd_server: take a server out of its upstream while all runs, and back
 * in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "master/admin_client.h"

static const char usage[] =
    "usage: gatehouse server UPSTREAM SERVER drain|down|up|auto [-c FILE]\n";

enum { WORD_UPSTREAM, WORD_SERVER, WORD_ORDER, WORDS };

static void
server_on_answer(void *self, const json_t *j, span text)
{
	/* that it was done is all that there is to say */
	(void)self;
	(void)j;
	(void)text;
}

static int
server_ask(struct admin_client *c, const char *const *words)
{
	json_t *j = json_object();
	char *text;
	int rc;

	(void)json_object_set_new(
	    j, "upstream", json_string(words[WORD_UPSTREAM]));
	(void)json_object_set_new(j, "server", json_string(words[WORD_SERVER]));
	(void)json_object_set_new(j, "order", json_string(words[WORD_ORDER]));
	text = json_dumps(j, JSON_COMPACT);
	REQUIRE(text != NULL);
	rc = admin_client_ask(
	    c, METHOD_POST, SPAN_LIT("/v1/server"), span_str(text));
	free(text);
	json_decref(j);
	return rc;
}

int
cmd_server(const struct conf_source *of_main, int argc, char **argv)
{
	struct conf_source src = *of_main;
	struct admin_client c = {.on_answer = server_on_answer};
	const char *words[WORDS];
	int n = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			src.path = argv[++i];
		else if (n < WORDS && argv[i][0] != '-')
			words[n++] = argv[i];
		else
			n = WORDS + 1;
	}
	if (n != WORDS) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return admin_client_find(&c, &src) ? server_ask(&c, words)
					   : EXIT_FAILURE;
}
