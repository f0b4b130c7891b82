/* store/spots_hosts: the hosts of one answer; pure arithmetic. */
#include <string.h>

#include "common/base/num.h"
#include "common/store/spots.h"

/* Hosts as they are found, each with the target that it is of. */
struct hosts {
	struct spot *at;
	uint32_t n;
	uint8_t target[DNS_ADDRS_MAX];
};

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static bool
spot_has(const struct spot *s, const struct ip *ip)
{
	for (uint32_t i = 0; i < s->n && i < 2; i++)
		if (ip_eq(&s->ip[i], ip))
			return true;
	return false;
}

bool
spot_is(const struct spot *a, const struct spot *b)
{
	if (a->port != b->port)
		return false;
	for (uint32_t i = 0; i < a->n && i < 2; i++)
		if (spot_has(b, &a->ip[i]))
			return true;
	return false;
}

void
spot_answer(const struct spot *s, struct dns_answer *out)
{
	memset(out, 0, sizeof(*out));
	out->rc = DNS_OK;
	out->n = s->n;
	memcpy(out->addrs, s->ip, s->n * sizeof(s->ip[0]));
	if (s->n == 0 || s->port == 0)
		return;
	out->n_targets = 1;
	out->targets[0].port = s->port;
	out->targets[0].n = s->n;
}

static void
hosts_add(struct hosts *h, const struct spot *s, uint32_t target)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (spot_is(&h->at[i], s))
			return;
	h->target[h->n] = (uint8_t)target;
	h->at[h->n++] = *s;
}

/* n addresses of one name, from `first` on. */
static void
hosts_add_run(struct hosts *h, const struct dns_answer *a, uint32_t first,
    uint32_t n, uint32_t target)
{
	struct spot s;

	memset(&s, 0, sizeof(s));
	s.share = 1;
	if (a->n_targets > 0)
		s.port = a->targets[target].port;
	if (n == 2 &&
	    ip_is_v4(&a->addrs[first]) != ip_is_v4(&a->addrs[first + 1])) {
		s.ip[0] = a->addrs[first];
		s.ip[1] = a->addrs[first + 1];
		s.n = 2;
		hosts_add(h, &s, target);
		return;
	}
	s.n = 1;
	for (uint32_t i = first; i < first + n; i++) {
		s.ip[0] = a->addrs[i];
		hosts_add(h, &s, target);
	}
}

/* --- priorities and weights (RFC 2782) ------------------------------------ */

/* Targets of weight 0 stand behind the others of their priority. */
static uint32_t
target_rank(const struct dns_answer *a, const struct dns_target *t)
{
	bool is_last = false;

	for (uint32_t i = 0; i < a->n_targets && t->weight == 0; i++)
		is_last |= a->targets[i].priority == t->priority &&
			   a->targets[i].weight > 0;
	return t->priority * 2u + is_last;
}

static uint32_t
hosts_of(const struct hosts *h, uint32_t target)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n; i++)
		n += h->target[i] == target;
	return n;
}

/* The hosts of a target share its weight evenly: in whole numbers, as small as
 * they can be, so that the other servers of the upstream keep their part. */
static void
hosts_share(struct hosts *h, const struct dns_answer *a)
{
	uint64_t shares[DNS_ADDRS_MAX];
	uint64_t all = 1; /* what all counts of hosts divide */
	uint64_t common = 0;
	uint64_t most = 0;

	for (uint32_t i = 0; i < h->n; i++) {
		uint32_t n = hosts_of(h, h->target[i]);

		all = all / gcd(all, n) * n;
	}
	for (uint32_t i = 0; i < h->n; i++) {
		const struct dns_target *t = &a->targets[h->target[i]];

		h->at[i].rank = target_rank(a, t);
		shares[i] = t->weight * (all / hosts_of(h, h->target[i]));
		common = gcd(shares[i], common);
		most = shares[i] > most ? shares[i] : most;
	}
	for (uint32_t i = 0; i < h->n && most > 0; i++) {
		uint64_t share = shares[i] / common;

		if (most / common > SPOT_SHARE_MAX)
			share /= most / common / SPOT_SHARE_MAX + 1;
		h->at[i].share = (uint16_t)(share > 0 ? share : 1);
	}
}

uint32_t
spots_hosts(const struct dns_answer *a, struct spot out[DNS_ADDRS_MAX])
{
	struct hosts h = {.at = out};
	uint32_t first = 0;

	if (!dns_answer_is_whole(a))
		return 0;
	if (a->n_targets == 0)
		hosts_add_run(&h, a, 0, a->n, 0);
	for (uint32_t i = 0; i < a->n_targets; i++) {
		hosts_add_run(&h, a, first, a->targets[i].n, i);
		first += a->targets[i].n;
	}
	if (a->n_targets > 0)
		hosts_share(&h, a);
	return h.n;
}
