/* forward/forward_names: names of a forward proxy's requests, and who waits for
 * them. What this worker was told serves until its time is over, then what all
 * workers were told (store/names); only then name servers are asked, once for all
 * who wait. Names are asked for as they are: no search list makes another one of
 * them. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/num.h"
#include "common/http/uri.h"
#include "common/store/names.h"
#include "worker/forward/forward_int.h"

/* Names that are remembered. Those above it go, the oldest first, as soon as
 * nobody waits for them. */
#define NAMES_MAX 1024u
/* What has no lifetime is asked for once in so long; what is said not to exist,
 * and what nobody answers. */
#define NAMES_TTL_MIN_MS 1000u
#define NAMES_MISSING_MS 5000u
#define NAMES_FAILED_MS 1000u
#define MS_PER_S 1000u

struct forward_name {
	struct forward_worker *f;
	struct list used; /* in forward_worker.used, the last used first */
	struct list waits;
	struct dns_query *query; /* one runs */
	uint64_t good_until_ms;
	struct dns_answer answer;
	size_t len;
	char text[URI_HOST_CAP + 1]; /* with the dot of the root at its end */
};

struct forward_worker {
	struct worker *w;
	struct map names;
	struct list used;
};

struct forward_worker *
forward_worker_new(struct worker *w)
{
	struct forward_worker *f = calloc(1, sizeof(*f));

	REQUIRE(f != NULL);
	f->w = w;
	map_init(&f->names, false);
	list_init(&f->used);
	return f;
}

static span
name_text(const struct forward_name *n)
{
	return span_of(n->text, n->len);
}

static void
name_free(struct forward_name *n)
{
	if (n->query != NULL)
		dns_cancel(n->query);
	(void)map_del(&n->f->names, name_text(n));
	list_del(&n->used);
	free(n);
}

void
forward_worker_free(struct forward_worker *f)
{
	if (f == NULL)
		return;
	list_foreach_safe (n, &f->used)
		name_free(LIST_ENTRY(n, struct forward_name, used));
	map_fini(&f->names);
	free(f);
}

static uint64_t
names_now_ms(const struct forward_worker *f)
{
	return clock_mono_ms(worker_clock(f->w));
}

/* The oldest that nobody waits for. */
static void
names_trim(struct forward_worker *f)
{
	struct list *at = f->used.prev;

	while (f->names.n > NAMES_MAX && at != &f->used) {
		struct forward_name *n =
		    LIST_ENTRY(at, struct forward_name, used);

		at = at->prev;
		if (n->query == NULL)
			name_free(n);
	}
}

static uint64_t
name_life_ms(const struct dns_answer *a)
{
	switch (a->rc) {
	case DNS_OK:
		return u64_max((uint64_t)a->ttl_s * MS_PER_S, NAMES_TTL_MIN_MS);
	case DNS_NOT_FOUND:
		return NAMES_MISSING_MS;
	case DNS_FAILED:
	case DNS_TIMEOUT:
		return NAMES_FAILED_MS;
	}
	UNREACHED();
}

static void
name_answered(void *self, const struct dns_answer *a)
{
	struct forward_name *n = self;
	const struct boot *b = n->f->w->boot;

	n->query = NULL;
	n->answer = *a;
	n->good_until_ms = names_now_ms(n->f) + name_life_ms(a);
	if (a->rc == DNS_OK)
		names_put(b->names, b->slots,
		    (struct slot_name){b->slot, b->incarnation}, name_text(n),
		    a, n->good_until_ms);
	while (!list_is_empty(&n->waits)) {
		struct forward_wait *w =
		    LIST_ENTRY(n->waits.next, struct forward_wait, node);

		list_del(&w->node);
		w->fn(w->self, &n->answer);
	}
	names_trim(n->f);
}

static struct forward_name *
name_new(struct forward_worker *f, span host)
{
	struct forward_name *n = calloc(1, sizeof(*n));

	REQUIRE(n != NULL && host.len + 1 < sizeof(n->text));
	n->f = f;
	list_init(&n->waits);
	memcpy(n->text, host.p, host.len);
	n->text[host.len] = '.';
	n->len = host.len + 1;
	(void)map_put(&f->names, name_text(n), n);
	list_push_front(&f->used, &n->used);
	return n;
}

/* The name as it stands in the table, with its dot. */
static struct forward_name *
names_get_own(struct forward_worker *f, span host)
{
	char text[URI_HOST_CAP + 1];
	struct forward_name *n;

	REQUIRE(host.len + 1 < sizeof(text));
	memcpy(text, host.p, host.len);
	text[host.len] = '.';
	n = map_get(&f->names, span_of(text, host.len + 1));
	if (n == NULL)
		return name_new(f, host);
	list_del(&n->used);
	list_push_front(&f->used, &n->used);
	return n;
}

enum forward_names_rc
forward_names_find(struct forward_worker *f, span host,
    struct forward_wait *wait, struct dns_answer *out)
{
	struct forward_name *n = names_get_own(f, host);
	uint64_t now_ms = names_now_ms(f);

	if (n->query == NULL && now_ms >= n->good_until_ms &&
	    !names_get(f->w->boot->names, name_text(n), now_ms, &n->answer,
		&n->good_until_ms)) {
		n->query =
		    dns_resolve(f->w->dns, name_text(n), name_answered, n);
		if (n->query == NULL) {
			name_free(n);
			return NAMES_FULL;
		}
	}
	if (n->query != NULL) {
		list_push_back(&n->waits, &wait->node);
		names_trim(f);
		return NAMES_WAIT;
	}
	*out = n->answer;
	names_trim(f);
	return NAMES_FOUND;
}
