/* up/up_order: pure arithmetic over one answer. */
#include "worker/up/up_order.h"

#include "common/base/check.h"

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

uint32_t
up_order(const struct dns_answer *a, uint32_t turn, bool is_v4_first,
    uint8_t out[DNS_ADDRS_MAX])
{
	struct order_target left[DNS_TARGETS_MAX];
	uint32_t n_left = order_read(a, left);
	uint32_t lowest = left[0].priority;
	uint32_t n_lowest = 0;
	uint32_t n = 0;

	REQUIRE(a->n <= DNS_ADDRS_MAX);
	while (n_left > 0) {
		uint32_t i = order_choose(left, n_left, turn);

		order_families(a, &left[i],
		    a->n_targets == 0 ? turn : order_mix(turn), is_v4_first,
		    out + n);
		n += left[i].n;
		if (left[i].priority == lowest)
			n_lowest = n;
		for (n_left--; i < n_left; i++)
			left[i] = left[i + 1];
	}
	return n_lowest;
}
