/* master/admin_rules: the rules of firewalls that matched, for `waf_rules` of the
 * status. */
#include <stdlib.h>

#include "common/store/rulehits.h"
#include "master/admin.h"

/* Rows of an answer: those that refused most, then those that matched most. */
#define RULES_TOLD 100u

static int
compare(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int
rules_compare(const void *one, const void *two)
{
	const struct rulehits_row *a = one;
	const struct rulehits_row *b = two;
	int rc = compare(a->n[RULEHIT_REFUSED], b->n[RULEHIT_REFUSED]);

	if (rc == 0)
		rc = compare(a->n[RULEHIT_MATCHED], b->n[RULEHIT_MATCHED]);
	return rc != 0 ? rc : compare(b->rule, a->rule);
}

json_t *
admin_status_rules(const struct admin *a)
{
	struct rulehits_row rows[RULEHITS_KEPT + 1];
	json_t *all = json_array();
	uint32_t at = 0;
	size_t n = 0;

	while (n <= RULEHITS_KEPT &&
	       rulehits_next(a->boot->rulehits, &at, &rows[n]))
		n++;
	qsort(rows, n, sizeof(rows[0]), rules_compare);
	for (size_t i = 0; i < n && i < RULES_TOLD; i++) {
		json_t *j = json_object();

		(void)json_object_set_new(j, "rule",
		    rows[i].rule != 0 ? json_integer((json_int_t)rows[i].rule)
				      : json_null());
		tell_number(j, "matched", rows[i].n[RULEHIT_MATCHED]);
		tell_number(j, "refused", rows[i].n[RULEHIT_REFUSED]);
		(void)json_array_append_new(all, j);
	}
	return all;
}
