/* net/dns_int: what dns.c and dns_service.c know of each other. */
#ifndef GH_DNS_INT_H
#define GH_DNS_INT_H

#include <ares.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/net/dns.h"
#include "common/net/dns_conf.h"
#include "common/net/dns_reply.h"

/* Sockets the library may have open at once. */
#define DNS_SOCKS_MAX 32

struct dns_service;

struct dns_sock {
	struct watch watch;
	struct dns *dns;
};

struct dns_query {
	struct list node;
	struct dns *dns;
	dns_f *fn; /* NULL: cancelled */
	void *self;
	struct task task; /* hands the answer over */
	bool is_pending; /* the library still owes its callback */
	struct dns_service *service; /* NULL: the name is none */
	struct ip ip; /* whose name is asked for */
	struct dns_answer answer;
};

struct dns {
	const struct dns_conf *conf;
	struct loop *loop;
	ares_channel channel;
	struct timer timer;
	struct dns_sock socks[DNS_SOCKS_MAX];
	struct list queries;
	uint32_t n_queries;
	bool is_closing;
};

/* What a status of the library means. */
enum dns_rc dns_rc_of(int status);
/* Wake when the library wants to; behind each call of it. */
void dns_arm(struct dns *d);
/* The library's part of a query is over: it goes when the channel is closing
 * (then false). */
bool dns_query_came(struct dns_query *q);

#endif
