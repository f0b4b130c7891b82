/* cache/cache_wait: exchanges that wait for objects which this process or
 * another one changes. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/cache/cache_int.h"

static struct list *
wait_list(struct cache_worker *cw, uint32_t at)
{
	return &cw->waiting[at % CACHE_WAIT_LISTS];
}

void
cache_wait(
    struct cache_worker *cw, struct cache_waiter *wait, struct obj_ref ref)
{
	objects_wait(cw->views[wait->index], ref);
	if (list_is_linked(&wait->node) && wait->at == ref.at)
		return;
	list_del(&wait->node);
	wait->at = ref.at;
	list_push_back(wait_list(cw, ref.at), &wait->node);
}

void
cache_wait_end(struct cache_waiter *wait)
{
	list_del(&wait->node);
}

void
cache_wake_own(struct cache_worker *cw, uint32_t index, uint32_t at)
{
	list_foreach (n, wait_list(cw, at)) {
		struct cache_waiter *wait =
		    LIST_ENTRY(n, struct cache_waiter, node);

		if (wait->at == at && wait->index == index)
			exch_kick(wait->x);
	}
}

static void
wait_wake_all(struct cache_worker *cw)
{
	for (uint32_t i = 0; i < CACHE_WAIT_LISTS; i++)
		list_foreach (n, &cw->waiting[i])
			exch_kick(LIST_ENTRY(n, struct cache_waiter, node)->x);
}

void
cache_worker_woken(struct cache_worker *cw, uint64_t token)
{
	uint32_t number = objects_token_cache(token);

	if (token == 0) {
		wait_wake_all(cw);
		return;
	}
	if (token < OBJECTS_TOKEN_MIN)
		return;
	for (uint32_t i = 0; i < cw->n; i++)
		if (cw->views[i] != NULL &&
		    objects_number(cw->w->plan->caches[i]->objects) == number)
			cache_wake_own(cw, i, objects_token_at(token));
}

struct cache_worker *
cache_worker_new(struct worker *w)
{
	struct cache_worker *cw = calloc(1, sizeof(*cw));
	const struct plan *plan = w->plan;

	REQUIRE(cw != NULL);
	cw->w = w;
	cw->n = plan->n_caches;
	cw->views = calloc(cw->n + 1, sizeof(struct objects_view *));
	REQUIRE(cw->views != NULL);
	for (uint32_t i = 0; i < cw->n; i++) {
		struct slot_name me = {w->boot->slot, w->boot->incarnation};

		if (plan->caches[i]->objects != NULL)
			cw->views[i] =
			    objects_view_new(plan->caches[i]->objects,
				w->boot->slots, w->boot->wakes, me);
	}
	for (uint32_t i = 0; i < CACHE_WAIT_LISTS; i++)
		list_init(&cw->waiting[i]);
	list_init(&cw->fills);
	return cw;
}

void
cache_worker_free(struct cache_worker *cw)
{
	cache_worker_expire(cw);
	for (uint32_t i = 0; i < cw->n; i++)
		if (cw->views[i] != NULL)
			objects_view_free(cw->views[i]);
	free(cw->views);
	free(cw);
}

void
cache_worker_expire(struct cache_worker *cw)
{
	list_foreach_safe (n, &cw->fills) {
		struct cache_fill *f = LIST_ENTRY(n, struct cache_fill, node);

		if (f->y != NULL)
			exch_kill(f->y, F_SHUTDOWN);
	}
}

uint32_t
cache_worker_fills(const struct cache_worker *cw)
{
	return cw->n_fills;
}
