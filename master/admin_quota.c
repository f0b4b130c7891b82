/* master/admin_quota: what is used of quotas: those who used most. The names
 * hold clients' words, which are escaped here. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/log.h"
#include "common/store/quotas.h"
#include "master/admin.h"

#define QUOTAS_TOLD 100u
#define DAY_US (INT64_C(86400) * 1000000)
/* "2026-11-27" of what a date begins with. */
#define DAY_LEN 10
/* A byte becomes four, \xHH. */
#define NAME_CAP (4 * QUOTA_NAME_MAX + 1)

/* The newest day first, then whoever used most. */
static int
quota_compare(const void *a, const void *b)
{
	const struct quota *x = a;
	const struct quota *y = b;

	if (x->day != y->day)
		return x->day < y->day ? 1 : -1;
	return (x->used < y->used) - (x->used > y->used);
}

static json_t *
quota_tell(const struct quota *q)
{
	char when[DATE_ISO_LEN];
	char text[NAME_CAP];
	size_t len = log_escape(span_of(q->name, q->len), text, sizeof(text));
	json_t *j = json_object();

	/* "FORWARD KEY": the first blank is ours */
	date_format_iso(q->day * DAY_US, when);
	(void)json_object_set_new(j, "name", json_stringn(text, len));
	(void)json_object_set_new(j, "day", json_stringn(when, DAY_LEN));
	(void)json_object_set_new(j, "used", json_integer((json_int_t)q->used));
	return j;
}

static json_t *
quotas_tell(const struct admin *a)
{
	const struct boot *b = a->boot;
	struct slot_name me = {b->slot, b->incarnation};
	struct quota *all = calloc(QUOTAS_MAX, sizeof(*all));
	json_t *list = json_array();
	uint32_t at = 0;
	uint32_t n = 0;

	REQUIRE(all != NULL);
	while (n < QUOTAS_MAX &&
	       quotas_next(b->quotas, b->slots, me, &at, &all[n]))
		n++;
	qsort(all, n, sizeof(*all), quota_compare);
	for (uint32_t i = 0; i < n && i < QUOTAS_TOLD; i++)
		(void)json_array_append_new(list, quota_tell(&all[i]));
	free(all);
	return list;
}

json_t *
admin_status_quotas(const struct admin *a)
{
	const struct quotas *q = a->boot->quotas;
	json_t *j = json_object();

	(void)json_object_set_new(
	    j, "forgotten", json_integer((json_int_t)quotas_evicted(q)));
	(void)json_object_set_new(
	    j, "not_counted", json_integer((json_int_t)quotas_missed(q)));
	(void)json_object_set_new(j, "used", quotas_tell(a));
	return j;
}
