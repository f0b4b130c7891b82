/* fuzz/page: any bytes as a page with variables. Refused with a message, or cut
 * into parts that are the page again: text as it stands, variables between
 * braces, and nothing lost but the brace that makes a variable text. */
#include "t/fuzz/fuzz.h"

#include "worker/exch/tmpl.h"

/* What a part is in the page. */
static void
check_part(const struct tmpl_part *p, span page, size_t *at)
{
	const char *begin = p->is_var ? p->var.arg.p : p->text.p;

	if (p->is_var) {
		REQUIRE(page.p[*at] == '{');
		while (page.p[*at] != '}')
			REQUIRE(++*at < page.len);
		++*at;
		if (p->var.arg.len > 0)
			REQUIRE(begin > page.p && begin < page.p + *at);
		return;
	}
	/* a doubled brace lost its first one */
	if (begin != page.p + *at)
		REQUIRE(page.p[*at] == '{' && begin == page.p + *at + 1);
	*at = (size_t)(begin - page.p) + p->text.len;
	REQUIRE(*at <= page.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct var_src src = {in, {.line = 1, .col = 1}, VAR_WHEN_RESPONSE};
	struct diag *d = diag_new();
	struct arena_pool pool;
	struct arena a;
	struct tmpl t;
	size_t at = 0;
	bool ok;

	arena_pool_init(&pool, 4);
	arena_init(&a, &pool);
	ok = tmpl_prepare_page(&t, &a, SPAN_LIT("p"), &src, d);
	REQUIRE(ok == (diag_count(d, DIAG_ERROR) == 0));
	REQUIRE(t.n <= TMPL_PARTS_MAX);
	for (uint32_t i = 0; ok && i < t.n; i++)
		check_part(&t.parts[i], in, &at);
	REQUIRE(!ok || at == in.len);
	arena_fini(&a);
	arena_pool_fini(&pool);
	diag_free(d);
	fuzz_free(in);
	return 0;
}
