/* master/cmd_purge: take answers out of the running gatehouse's caches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "master/admin_client.h"

static const char usage[] =
    "usage: gatehouse purge [--soft] [--cache NAME] [-c FILE] URL | 'URL*'\n"
    "       gatehouse purge [--soft] [--cache NAME] [-c FILE] --tag TAG ...\n"
    "       gatehouse purge [--soft] [--cache NAME] [-c FILE] --all\n";

/* The command line: flags in any order; what follows `--tag` up to the next
 * flag are tags. */
struct words {
	json_t *body; /* what is asked for */
	json_t *tags; /* NULL: the next word is the URL */
	const char *path; /* of the configuration; NULL: the usual one */
};

/* A text that JSON can hold; else the command line is not understood. */
static bool
words_set(struct words *w, const char *key, const char *value)
{
	json_t *j = json_string(value);

	/* once only */
	if (j == NULL || json_object_get(w->body, key) != NULL) {
		json_decref(j);
		return false;
	}
	(void)json_object_set_new(w->body, key, j);
	return true;
}

static bool
words_add(struct words *w, const char *word)
{
	if (w->tags == NULL)
		return words_set(w, "url", word);
	return json_array_append_new(w->tags, json_string(word)) == 0;
}

/* One flag; *value is NULL when it was used. */
static bool
words_flag(struct words *w, const char *flag, const char **value)
{
	const char *text = *value;

	if (strcmp(flag, "--tag") == 0) {
		if (json_object_get(w->body, "tags") == NULL)
			(void)json_object_set_new(
			    w->body, "tags", json_array());
		w->tags = json_object_get(w->body, "tags");
		return true;
	}
	w->tags = NULL;
	if (strcmp(flag, "--all") == 0 || strcmp(flag, "--soft") == 0)
		return json_object_set_new(w->body, flag + 2, json_true()) == 0;
	*value = NULL;
	if (strcmp(flag, "--cache") == 0 && text != NULL)
		return words_set(w, "cache", text);
	w->path = text;
	return strcmp(flag, "-c") == 0 && text != NULL;
}

static bool
words_read(struct words *w, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		const char *before = value;

		if (argv[i][0] != '-') {
			if (!words_add(w, argv[i]))
				return false;
			continue;
		}
		if (!words_flag(w, argv[i], &value))
			return false;
		i += value != before;
	}
	return (json_object_get(w->body, "url") != NULL) +
		   (json_array_size(json_object_get(w->body, "tags")) > 0) +
		   (json_object_get(w->body, "all") != NULL) ==
	       1;
}

static void
purge_on_answer(void *self, const json_t *j, span text)
{
	const json_t *caches = json_object_get(j, "caches");
	const json_t *name;
	size_t i;

	(void)self;
	(void)text;
	(void)printf("purged from");
	json_array_foreach(caches, i, name)
	{
		(void)printf(" %s", json_string_value(name));
	}
	(void)printf("\n");
}

static int
purge_ask(const struct words *w, const struct conf_source *src)
{
	struct admin_client c = {.on_answer = purge_on_answer};
	char *body;
	int rc;

	if (!admin_client_find(&c, src))
		return EXIT_FAILURE;
	body = json_dumps(w->body, JSON_COMPACT);
	REQUIRE(body != NULL);
	rc = admin_client_ask(
	    &c, METHOD_POST, SPAN_LIT("/v1/purge"), span_str(body));
	free(body);
	return rc;
}

int
cmd_purge(const struct conf_source *of_main, int argc, char **argv)
{
	struct words w = {.body = json_object()};
	struct conf_source src = *of_main;
	int rc = EXIT_USAGE;

	if (words_read(&w, argc, argv)) {
		if (w.path != NULL)
			src.path = w.path;
		rc = purge_ask(&w, &src);
	} else {
		(void)fputs(usage, stderr);
	}
	json_decref(w.body);
	return rc;
}
