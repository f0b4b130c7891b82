/* master/cmd_server: take a server out of its upstream while all runs and back
 * in, or give it another weight; or what is known of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/conf/conf_balance.h"
#include "master/admin_client.h"

static const char usage[] =
    "usage: gatehouse server UPSTREAM SERVER [-c FILE]\n"
    "       gatehouse server UPSTREAM SERVER drain|down|up|ready|auto\n"
    "                 [-c FILE]\n"
    "       gatehouse server UPSTREAM SERVER weight N [-c FILE]\n"
    "       gatehouse server UPSTREAM SERVER --forget [-c FILE]\n";

enum { WORD_UPSTREAM, WORD_SERVER, WORD_ORDER, WORD_WEIGHT, WORDS };

struct server_words {
	const char *at[WORDS];
	int n;
	bool is_forget;
};

static void
print_change(const json_t *c)
{
	const json_t *why = json_object_get(c, "why");

	(void)printf("%s  %s to %s", admin_text(c, "time"),
	    admin_text(c, "from"), admin_text(c, "to"));
	if (json_is_string(why))
		(void)printf(", %s", json_string_value(why));
	(void)putchar('\n');
}

static void
print_weight(const json_t *s, const char *balance)
{
	const json_t *ordered = json_object_get(s, "weight_order");

	(void)printf(
	    "weight   %lld", json_integer_value(json_object_get(s, "weight")));
	if (json_is_integer(ordered))
		(void)printf(", ordered %lld%s", json_integer_value(ordered),
		    conf_balance_has_weights(span_str(balance)) ? ""
								: " (rests)");
	(void)putchar('\n');
}

static void
print_server(const json_t *s, const char *balance)
{
	const json_t *why = json_object_get(s, "why");
	const json_t *at;
	const json_t *c;
	size_t i;

	(void)printf("server   %s\n", admin_text(s, "address"));
	json_array_foreach(json_object_get(s, "at"), i, at)
	{
		(void)printf("at       %s\n", json_string_value(at));
	}
	(void)printf("health   %s%s%s\norder    %s\n", admin_text(s, "health"),
	    json_is_string(why) ? ", " : "",
	    json_is_string(why) ? json_string_value(why) : "",
	    admin_text(s, "order"));
	print_weight(s, balance);
	json_array_foreach(json_object_get(s, "history"), i, c)
	{
		print_change(c);
	}
}

/* That an order was done is nothing to say. */
static void
server_on_answer(void *self, const json_t *answer, span text)
{
	const char *balance = admin_text(answer, "balance");
	const json_t *s;
	size_t i;

	(void)self;
	(void)text;
	if (!json_is_object(json_object_get(answer, "server")))
		return;
	print_server(json_object_get(answer, "server"), balance);
	json_array_foreach(json_object_get(answer, "others"), i, s)
	{
		(void)putchar('\n');
		print_server(s, balance);
	}
}

static int
server_ask(struct admin_client *c, const struct server_words *w, uint64_t n)
{
	json_t *j = json_object();
	char *text;
	int rc;

	(void)json_object_set_new(
	    j, "upstream", json_string(w->at[WORD_UPSTREAM]));
	(void)json_object_set_new(j, "server", json_string(w->at[WORD_SERVER]));
	if (w->is_forget || w->n > WORD_ORDER)
		(void)json_object_set_new(j, "order",
		    json_string(w->is_forget ? "auto" : w->at[WORD_ORDER]));
	if (w->n > WORD_WEIGHT)
		(void)json_object_set_new(
		    j, "weight", json_integer((json_int_t)n));
	text = json_dumps(j, JSON_COMPACT);
	REQUIRE(text != NULL);
	rc = admin_client_ask(
	    c, METHOD_POST, SPAN_LIT("/v1/server"), span_str(text));
	free(text);
	json_decref(j);
	return rc;
}

/* Whether the words are an order, or a question. *weight is what stands behind the word. */
static bool
words_are_good(const struct server_words *w, uint64_t *weight)
{
	if (w->is_forget)
		return w->n == WORD_ORDER;
	if (w->n <= WORD_ORDER)
		return w->n == WORD_ORDER;
	if (strcmp(w->at[WORD_ORDER], "weight") != 0)
		return w->n == WORD_WEIGHT;
	return w->n == WORDS &&
	       span_u64(span_str(w->at[WORD_WEIGHT]), UINT32_MAX, weight);
}

int
cmd_server(const struct conf_source *of_main, int argc, char **argv)
{
	struct conf_source src = *of_main;
	struct admin_client c = {.on_answer = server_on_answer};
	struct server_words w = {.n = 0};
	bool is_known = true;
	uint64_t weight = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			src.path = argv[++i];
		else if (strcmp(argv[i], "--forget") == 0)
			w.is_forget = true;
		else if (w.n < WORDS && argv[i][0] != '-')
			w.at[w.n++] = argv[i];
		else
			is_known = false;
	}
	if (!is_known || !words_are_good(&w, &weight)) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return admin_client_find(&c, &src) ? server_ask(&c, &w, weight)
					   : EXIT_FAILURE;
}
