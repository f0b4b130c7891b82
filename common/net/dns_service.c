/* net/dns_service: a service is as good as those of its targets that have
 * addresses; what the others lack is asked for again soon. */
#include "common/net/dns_service.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/service_name.h"

/* RFC 1035 3.2.4, RFC 2782. */
#define CLASS_IN 1
#define TYPE_SRV 33
/* How long it lives when a target could not be resolved. */
#define SERVICE_TTL_PARTIAL_S 2u

struct service_target {
	struct dns_service *service;
	struct dns_query *query; /* one runs */
	struct dns_answer answer;
};

struct dns_service {
	struct dns_query *query; /* that it belongs to */
	struct dns_srvs srvs;
	uint32_t n_running;
	bool is_begun; /* targets were asked for */
	struct service_target targets[DNS_TARGETS_MAX]; /* of srvs, in order */
	char name[DNS_NAME_MAX + 1];
};

/* --- the records ---------------------------------------------------------- */

static void
service_on_records(
    void *self, int status, int timeouts, unsigned char *reply, int len)
{
	struct dns_query *q = self;
	struct dns_service *s = q->service;

	(void)timeouts;
	if (!dns_query_came(q))
		return;
	/* the library gives replies without such records, too */
	if (reply == NULL)
		q->answer.rc = dns_rc_of(status);
	else
		q->answer.rc =
		    dns_reply_srv(span_of((const char *)reply, (size_t)len),
			span_str(s->name), &s->srvs);
	loop_defer(q->dns->loop, &q->task);
}

void
dns_service_ask(struct dns_query *q, const char *name)
{
	struct dns_service *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->query = q;
	(void)memccpy(s->name, name, '\0', sizeof(s->name));
	q->service = s;
	ares_query(q->dns->channel, s->name, CLASS_IN, TYPE_SRV,
	    service_on_records, q);
}

/* --- the addresses -------------------------------------------------------- */

static span
target_name(const struct dns_srv *srv)
{
	return span_of(srv->target, srv->target_len);
}

/* Several ports of one host are asked for once. */
static uint32_t
target_first(const struct dns_service *s, uint32_t i)
{
	uint32_t k = 0;

	while (
	    !span_eq(target_name(&s->srvs.at[k]), target_name(&s->srvs.at[i])))
		k++;
	return k;
}

/* So many of each target's addresses that all of them have some. */
static uint32_t
target_share(const struct dns_service *s)
{
	uint32_t n_well = 0;

	for (uint32_t i = 0; i < s->srvs.n; i++)
		n_well += s->targets[target_first(s, i)].answer.n > 0;
	return n_well > 0 ? DNS_ADDRS_MAX / n_well : 0;
}

/* In turn of both families, so that a share has some of each. */
static uint32_t
target_copy(const struct dns_answer *from, struct ip *to, uint32_t room)
{
	uint32_t at[2] = {0, 0}; /* by ip_is_v4() */
	uint32_t n = 0;
	bool is_v4 = false;

	for (uint32_t i = 0; i < 2 * from->n && n < room; i++) {
		uint32_t *k = &at[is_v4];

		while (*k < from->n && ip_is_v4(&from->addrs[*k]) != is_v4)
			++*k;
		if (*k < from->n)
			to[n++] = from->addrs[(*k)++];
		is_v4 = !is_v4;
	}
	return n;
}

static void
service_sum(struct dns_query *q)
{
	const struct dns_service *s = q->service;
	struct dns_answer *a = &q->answer;
	uint32_t share = target_share(s);

	a->ttl_s =
	    s->srvs.ttl_s < DNS_TTL_MAX_S ? s->srvs.ttl_s : DNS_TTL_MAX_S;
	for (uint32_t i = 0; i < s->srvs.n; i++) {
		const struct dns_srv *srv = &s->srvs.at[i];
		const struct dns_answer *of =
		    &s->targets[target_first(s, i)].answer;
		uint32_t ttl_s = of->n > 0 ? of->ttl_s : SERVICE_TTL_PARTIAL_S;
		uint32_t n = target_copy(of, a->addrs + a->n, share);

		if (ttl_s < a->ttl_s)
			a->ttl_s = ttl_s;
		if (n == 0)
			continue;
		a->targets[a->n_targets++] = (struct dns_target){
		    .priority = srv->priority,
		    .weight = srv->weight,
		    .port = srv->port,
		    .n = (uint16_t)n,
		};
		a->n += n;
	}
	if (a->n == 0)
		a->rc = DNS_FAILED;
}

static void
service_on_target(void *self, const struct dns_answer *a)
{
	struct service_target *t = self;
	struct dns_service *s = t->service;

	t->query = NULL;
	t->answer = *a;
	if (--s->n_running == 0)
		loop_defer(s->query->dns->loop, &s->query->task);
}

bool
dns_service_goes_on(struct dns_query *q)
{
	struct dns_service *s = q->service;

	if (q->answer.rc != DNS_OK)
		return false;
	if (s->is_begun) {
		service_sum(q);
		return false;
	}
	s->is_begun = true;
	for (uint32_t i = 0; i < s->srvs.n; i++) {
		struct service_target *t = &s->targets[i];
		span name = target_name(&s->srvs.at[i]);

		/* a service of a service there is not */
		if (target_first(s, i) != i || service_name_is(name))
			continue;
		t->service = s;
		t->query = dns_resolve(q->dns, name, service_on_target, t);
		s->n_running += t->query != NULL;
	}
	if (s->n_running == 0)
		service_sum(q);
	return s->n_running > 0;
}

void
dns_service_free(struct dns_service *s, const struct dns *d)
{
	if (s == NULL)
		return;
	/* at the end all queries go by themselves */
	for (uint32_t i = 0; i < s->srvs.n && !d->is_closing; i++)
		if (s->targets[i].query != NULL)
			dns_cancel(s->targets[i].query);
	free(s);
}

/* --- answers ---------------------------------------------------- */

bool
dns_answer_is_whole(const struct dns_answer *a)
{
	uint32_t n = 0;

	if (a->n > DNS_ADDRS_MAX || a->n_targets > DNS_TARGETS_MAX ||
	    a->host_len > DNS_NAME_MAX)
		return false;
	for (uint32_t i = 0; i < a->n_targets; i++) {
		if (a->targets[i].n == 0)
			return false;
		n += a->targets[i].n;
	}
	return a->n_targets == 0 || n == a->n;
}

void
dns_answer_addr(const struct dns_answer *a, uint32_t i, uint16_t port,
    struct sock_addr *out)
{
	uint32_t end = 0;

	for (uint32_t k = 0; k < a->n_targets && end <= i; k++) {
		port = a->targets[k].port;
		end += a->targets[k].n;
	}
	sock_addr_from_ip(&a->addrs[i], port, out);
}
