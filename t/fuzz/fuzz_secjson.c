/* fuzz/secjson: a JSON document as arguments. Whatever another reader of JSON
 * takes is taken, each value once, and names cost no more than they may. */
#include <jansson.h>

#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_json.h"

/* Of both; the other reader has a bound of its own (JSON_PARSER_MAX_DEPTH). */
#define DEPTH 2000
/* Names take 8 MiB, and all else a few times the document. */
#define BYTES_MAX ((size_t)10 << 20)

struct seen {
	size_t n;
	size_t bytes;
};

static bool
take(void *self, span name, span value)
{
	struct seen *s = self;

	s->n++;
	/* each byte can be read */
	for (size_t i = 0; i < name.len; i++)
		s->bytes += (uint8_t)name.p[i];
	for (size_t i = 0; i < value.len; i++)
		s->bytes += (uint8_t)value.p[i];
	return true;
}

/* A key without any counts as one. */
static size_t
values_of(const json_t *v)
{
	size_t n = 0, i, more;
	const char *key;
	json_t *child;

	if (json_is_array(v)) {
		json_array_foreach(v, i, child) n += values_of(child);
		return n;
	}
	if (!json_is_object(v))
		return 1;
	json_object_foreach((json_t *)(uintptr_t)v, key, child)
	{
		more = values_of(child);
		n += more > 0 ? more : 1;
	}
	return n;
}

static void
check_other(span in, const char *wrong, const struct seen *s)
{
	json_t *other;

	/* which ends a text for it */
	if (in.len == 0 || memchr(in.p, '\0', in.len) != NULL)
		return;
	other = json_loadb(in.p, in.len,
	    JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	if (other == NULL)
		return;
	REQUIRE(wrong == NULL || strstr(wrong, "too long") != NULL);
	REQUIRE(wrong != NULL || values_of(other) == s->n);
	json_decref(other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct seen s = {.n = 0};
	const struct sec_json_sink sink = {.self = &s, .value = take};
	struct arena_pool pool;
	struct arena a;
	const char *wrong;

	arena_pool_init(&pool, 0);
	arena_init(&a, &pool);
	wrong = sec_json_read(in, DEPTH, &a, &sink);
	REQUIRE(a.used <= BYTES_MAX + 4 * in.len);
	check_other(in, wrong, &s);
	arena_fini(&a);
	arena_pool_fini(&pool);
	fuzz_free(in);
	return 0;
}
