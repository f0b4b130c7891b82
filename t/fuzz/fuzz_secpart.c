/* fuzz/secpart: Content-Disposition of a part of a form. What is good says the
 * same when it is written anew, with each byte that may be escaped escaped. */
#include "common/base/text.h"
#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_disposition.h"

static void
put_quoted(struct text *t, const char *name, span value)
{
	text_add(t, span_str(name));
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			text_add_char(t, '\\');
		text_add_char(t, value.p[i]);
	}
	text_add_char(t, '"');
}

static void
check_again(struct arena *a, const struct sec_disposition *d)
{
	size_t cap = 64 + 2 * (d->name.len + d->filename.len);
	struct sec_disposition again;
	struct text t;

	text_init(&t, arena_alloc(a, cap), cap);
	text_add(&t, SPAN_LIT("form-data"));
	if (d->has_filename)
		put_quoted(&t, ";filename=\"", d->filename);
	if (d->has_name)
		put_quoted(&t, "; name=\"", d->name);
	REQUIRE(sec_disposition_read(text_span(&t), a, &again));
	REQUIRE(again.has_name == d->has_name &&
		again.has_filename == d->has_filename);
	REQUIRE(span_eq(again.name, d->name) &&
		span_eq(again.filename, d->filename));
	REQUIRE(!again.is_badly_quoted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct sec_disposition d;
	struct arena_pool pool;
	struct arena a;

	arena_pool_init(&pool, 0);
	arena_init(&a, &pool);
	if (sec_disposition_read(in, &a, &d))
		check_again(&a, &d);
	REQUIRE(d.name.len + d.filename.len <= in.len);
	arena_fini(&a);
	arena_pool_fini(&pool);
	fuzz_free(in);
	return 0;
}
