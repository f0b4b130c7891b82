/* up/up_order: pure arithmetic over one answer. */
#include "worker/up/up_order.h"

#include <assert.h>
#include <string.h>

#include "common/base/check.h"

static_assert(DNS_ADDRS_MAX <= 32, "a word has a bit for each address");

/* A target that is not placed yet. */
struct order_target {
	uint32_t priority;
	uint32_t weight;
	uint32_t first; /* of its addresses */
	uint32_t n;
};

static uint32_t
gcd(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* A point below `sum` that visits all of them before one twice, far from the
 * last one (the golden section). */
static uint32_t
order_point(uint32_t turn, uint32_t sum)
{
	uint32_t step = (uint32_t)((uint64_t)sum * 618 / 1000);

	if (step == 0)
		step = 1;
	while (gcd(step, sum) != 1)
		step++;
	return (uint32_t)((uint64_t)turn * step % sum);
}

/* Addresses of one target: both families in turn, each from its own one on. */
static void
order_families(const struct dns_answer *a, const struct order_target *t,
    uint32_t turn, bool is_v4_first, uint8_t *out)
{
	uint8_t list[2][DNS_ADDRS_MAX]; /* by ip_is_v4() */
	uint32_t n[2] = {0, 0};
	uint32_t given[2] = {0, 0};
	bool is_v4 = is_v4_first;

	for (uint32_t i = t->first; i < t->first + t->n; i++) {
		bool family = ip_is_v4(&a->addrs[i]);

		list[family][n[family]++] = (uint8_t)i;
	}
	for (uint32_t i = 0; i < t->n; i++) {
		if (given[is_v4] == n[is_v4])
			is_v4 = !is_v4;
		out[i] = list[is_v4][(turn + given[is_v4]++) % n[is_v4]];
		is_v4 = !is_v4;
	}
}

/* Of the targets left with the lowest priority, the one at this point of their
 * weights. */
static uint32_t
order_choose(const struct order_target *left, uint32_t n, uint32_t turn)
{
	uint32_t sum = 0;
	uint32_t end = 0; /* of those with that priority; they are sorted */
	uint32_t point;

	while (end < n && left[end].priority == left[0].priority)
		sum += left[end++].weight;
	if (sum == 0)
		return turn % end;
	point = order_point(turn, sum);
	for (uint32_t i = 0; i < end; i++) {
		if (point < left[i].weight)
			return i;
		point -= left[i].weight;
	}
	UNREACHED();
}

static uint32_t
order_read(const struct dns_answer *a, struct order_target *out)
{
	uint32_t first = 0;

	if (a->n_targets == 0) {
		out[0] = (struct order_target){.n = a->n};
		return 1;
	}
	for (uint32_t i = 0; i < a->n_targets; i++) {
		const struct dns_target *t = &a->targets[i];

		out[i] =
		    (struct order_target){t->priority, t->weight, first, t->n};
		first += t->n;
	}
	return a->n_targets;
}

/* Within a target: not in step with the choice of it (Knuth, TAOCP 6.4). */
static uint32_t
order_mix(uint32_t turn)
{
	return turn * UINT32_C(2654435761) >> 16;
}

static bool
order_is_avoided(uint32_t avoid, uint32_t i)
{
	return (avoid >> i) & 1;
}

/* Those that are not avoided, then the others; which of both kept their order.
 * Returns how many there are of the first. */
static uint32_t
order_part(uint8_t *out, uint32_t n, uint32_t avoid)
{
	uint8_t last[DNS_ADDRS_MAX];
	uint32_t n_first = 0;
	uint32_t n_last = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (order_is_avoided(avoid, out[i]))
			last[n_last++] = out[i];
		else
			out[n_first++] = out[i];
	}
	memcpy(out + n_first, last, n_last);
	return n_first;
}

uint32_t
up_order(const struct dns_answer *a, uint32_t turn, bool is_v4_first,
    uint32_t avoid, uint8_t out[DNS_ADDRS_MAX])
{
	struct order_target left[DNS_TARGETS_MAX];
	uint32_t priorities[DNS_ADDRS_MAX];
	uint32_t n_left = order_read(a, left);
	uint32_t n = 0;
	uint32_t n_usual;
	uint32_t n_first = 0;

	REQUIRE(a->n <= DNS_ADDRS_MAX);
	while (n_left > 0) {
		uint32_t i = order_choose(left, n_left, turn);

		order_families(a, &left[i],
		    a->n_targets == 0 ? turn : order_mix(turn), is_v4_first,
		    out + n);
		for (uint32_t k = n; k < n + left[i].n; k++)
			priorities[out[k]] = left[i].priority;
		n += left[i].n;
		for (n_left--; i < n_left; i++)
			left[i] = left[i + 1];
	}
	n_usual = order_part(out, n, avoid);
	/* where nothing else is left, nothing is avoided */
	if (n_usual == 0)
		n_usual = n;
	while (
	    n_first < n_usual && priorities[out[n_first]] == priorities[out[0]])
		n_first++;
	return n_first;
}
