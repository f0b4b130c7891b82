/* master/cmd_why: what the running gatehouse decided about a request, or about
 * the last ones, and by which lines. */
#include <stdio.h>
#include <string.h>

#include "common/base/num.h"
#include "master/admin_client.h"
#include "master/decision_text.h"

static const char usage[] =
    "usage: gatehouse why ID [--json] [-c FILE]\n"
    "       gatehouse why --last N [--refused] [--json] [-c FILE]\n";

/* Longest id that is asked for; those of requests are shorter. */
#define ID_MAX 200
#define TARGET_CAP 256
/* Requests at once, as the administration has it. */
#define LAST_MAX 1000

struct why {
	const char *id;
	uint64_t last;
	bool only_refused;
	bool is_json;
};

static void
why_on_answer(void *self, const json_t *answer, span text)
{
	const struct why *w = self;
	const json_t *d;
	size_t i;

	if (w->is_json) {
		(void)fwrite(text.p, 1, text.len, stdout);
		return;
	}
	json_array_foreach(json_object_get(answer, "decisions"), i, d)
	{
		if (i > 0)
			(void)fputc('\n', stdout);
		decision_print(stdout, d);
	}
}

/* What stands in names of requests (worker/exch/reqid); nothing of it needs an
 * escape in a query. */
static bool
id_is_fine(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len <= ID_MAX && id[0] != '-' &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789-_.:=+/@") == len;
}

static bool
why_flag(
    struct why *w, struct conf_source *src, const char *flag, const char *value)
{
	if (strcmp(flag, "-c") == 0)
		src->path = value;
	else
		return strcmp(flag, "--last") == 0 &&
		       span_u64(span_str(value), LAST_MAX, &w->last) &&
		       w->last > 0;
	return true;
}

static bool
why_read(struct why *w, struct conf_source *src, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			w->is_json = true;
		else if (strcmp(argv[i], "--refused") == 0)
			w->only_refused = true;
		else if (argv[i][0] != '-' && w->id == NULL)
			w->id = argv[i];
		else if (i + 1 == argc ||
			 !why_flag(w, src, argv[i], argv[i + 1]))
			return false;
		else
			i++;
	}
	if (w->id != NULL)
		return w->last == 0 && !w->only_refused && id_is_fine(w->id);
	return w->last > 0;
}

int
cmd_why(const struct conf_source *of_main, int argc, char **argv)
{
	struct conf_source src = *of_main;
	struct why w = {.id = NULL};
	struct admin_client c = {.on_answer = why_on_answer, .self = &w};
	char target[TARGET_CAP];

	if (!why_read(&w, &src, argc, argv)) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!admin_client_find(&c, &src))
		return EXIT_FAILURE;
	if (w.id != NULL)
		(void)snprintf(target, sizeof(target), "/v1/why?id=%s", w.id);
	else
		(void)snprintf(target, sizeof(target), "/v1/why?last=%u%s",
		    (unsigned)w.last, w.only_refused ? "&refused" : "");
	return admin_client_ask(
	    &c, METHOD_GET, span_str(target), span_of(NULL, 0));
}
