/* sec_set: see sec_set.h. All that rules say lives in one arena; operators and
 * regexes have memory of their own. */
#include "worker/sec/sec_set.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/regex.h"
#include "worker/sec/sec_int.h"
#include "worker/sec/sec_op.h"
#include "worker/sec/sec_trans.h"

static void
build_begin(struct sec_build *b, struct diag *d)
{
	struct sec_own *own = calloc(1, sizeof(*own));

	REQUIRE(own != NULL);
	own->deep = sec_deep_new();
	arena_pool_init(&own->pool, 0);
	arena_init(&own->arena, &own->pool);
	*b = (struct sec_build){
	    .own = own, .set = &own->set, .a = &own->arena, .d = d};
	map_init(&b->ids, false);
	map_init(&b->slots, true);
	sec_options_init(&b->set->options);
}

/* The set, or NULL when something is wrong with it. */
static struct sec_set *
build_end(struct sec_build *b, uint32_t n_errors)
{
	bool is_good;

	sec_chain_check(b);
	if (diag_count(b->d, DIAG_ERROR) == n_errors) {
		sec_options_end(b);
		sec_layout(b);
		sec_late_check(b);
	}
	is_good = diag_count(b->d, DIAG_ERROR) == n_errors;
	vec_fini(&b->drafts);
	map_fini(&b->ids);
	map_fini(&b->slots);
	if (is_good)
		return b->set;
	sec_set_free(b->set);
	return NULL;
}

struct sec_set *
sec_set_new(const struct sec_load *l, struct diag *d)
{
	uint32_t n_errors = diag_count(d, DIAG_ERROR);
	struct sec_build b;

	build_begin(&b, d);
	for (uint32_t i = 0; i < l->n_paths; i++)
		sec_read_file(&b, l->paths[i], (struct place){0});
	return build_end(&b, n_errors);
}

struct sec_set *
sec_set_new_text(
    const char *name, span text, const char *folder, struct diag *d)
{
	uint32_t n_errors = diag_count(d, DIAG_ERROR);
	struct sec_build b;

	build_begin(&b, d);
	b.folder = folder;
	sec_read_text(&b, name, text);
	return build_end(&b, n_errors);
}

void
sec_set_free(struct sec_set *set)
{
	struct sec_own *own = (struct sec_own *)set;

	if (own == NULL)
		return;
	for (uint32_t i = 0; i < own->tests.n; i++)
		sec_test_free(own->tests.at[i]);
	sec_deep_free(own->deep);
	for (uint32_t i = 0; i < own->regexes.n; i++)
		regex_free(own->regexes.at[i]);
	sec_unicode_free(set->options.unicode);
	vec_fini(&own->tests);
	vec_fini(&own->regexes);
	arena_fini(&own->arena);
	arena_pool_fini(&own->pool);
	free(own);
}
