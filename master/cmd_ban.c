/* master/cmd_ban: who is banned; ban an address, or no more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "master/admin_client.h"

static const char usage[] = "usage: gatehouse ban list [-c FILE]\n"
			    "       gatehouse ban add IP TIME [-c FILE]\n"
			    "       gatehouse ban remove IP [-c FILE]\n";

enum { WORD_ORDER, WORD_IP, WORD_TIME, WORDS };

struct ban_words {
	const char *at[WORDS];
	int n;
};

/* That an order was done is nothing to say. */
static void
ban_on_answer(void *self, const json_t *answer, span text)
{
	const json_t *list = json_object_get(answer, "list");
	const json_t *b;
	size_t i;

	(void)self;
	(void)text;
	json_array_foreach(list, i, b)
	{
		(void)printf("%-43s  %-8s  until %s\n",
		    admin_text(b, "address"), admin_text(b, "why"),
		    admin_text(b, "until"));
	}
	if (json_integer_value(json_object_get(answer, "count")) >
	    (json_int_t)json_array_size(list))
		(void)printf(
		    "and %lld more\n", (long long)json_integer_value(
					   json_object_get(answer, "count")) -
					   (long long)json_array_size(list));
}

static int
ban_list(struct admin_client *c)
{
	return admin_client_ask(
	    c, METHOD_GET, SPAN_LIT("/v1/bans"), span_of(NULL, 0));
}

/* `for_ms` 0: no more. */
static int
ban_order(struct admin_client *c, const char *ip, int64_t for_ms)
{
	json_t *j = json_object();
	char *text;
	int rc;

	(void)json_object_set_new(j, "address", json_string(ip));
	if (for_ms == 0)
		(void)json_object_set_new(j, "lift", json_true());
	else
		(void)json_object_set_new(j, "for_ms", json_integer(for_ms));
	text = json_dumps(j, JSON_COMPACT);
	REQUIRE(text != NULL);
	rc = admin_client_ask(
	    c, METHOD_POST, SPAN_LIT("/v1/ban"), span_str(text));
	free(text);
	json_decref(j);
	return rc;
}

/* Whether the words are an order or a question; *for_ms is what they tell. */
static bool
words_are_good(const struct ban_words *w, int64_t *for_ms)
{
	const char *why = NULL;

	*for_ms = 0;
	if (w->n == 0)
		return false;
	if (strcmp(w->at[WORD_ORDER], "list") == 0)
		return w->n == WORD_IP;
	if (strcmp(w->at[WORD_ORDER], "remove") == 0)
		return w->n == WORD_TIME;
	if (strcmp(w->at[WORD_ORDER], "add") != 0 || w->n != WORDS)
		return false;
	if (!conf_parse_duration(span_str(w->at[WORD_TIME]), for_ms, &why))
		(void)fprintf(
		    stderr, "gatehouse: '%s': %s\n", w->at[WORD_TIME], why);
	else if (*for_ms == 0)
		(void)fputs(
		    "gatehouse: a ban lasts longer than that\n", stderr);
	else
		return true;
	return false;
}

int
cmd_ban(const struct conf_source *of_main, int argc, char **argv)
{
	struct conf_source src = *of_main;
	struct admin_client c = {.on_answer = ban_on_answer};
	struct ban_words w = {.n = 0};
	bool is_known = true;
	int64_t for_ms;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			src.path = argv[++i];
		else if (w.n < WORDS && argv[i][0] != '-')
			w.at[w.n++] = argv[i];
		else
			is_known = false;
	}
	if (!is_known || !words_are_good(&w, &for_ms)) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (!admin_client_find(&c, &src))
		return EXIT_FAILURE;
	return w.n == WORD_IP ? ban_list(&c)
			      : ban_order(&c, w.at[WORD_IP], for_ms);
}
