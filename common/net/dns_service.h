/* net/dns_service: the second half of a query for a service: the SRV records,
 * then the addresses of their targets, all at once. Called by dns.c. */
#ifndef GH_DNS_SERVICE_H
#define GH_DNS_SERVICE_H

#include <stdbool.h>

#include "common/net/dns_int.h"

/* Ask for the records; q->task runs when they came. `name` ends with NUL. */
void dns_service_ask(struct dns_query *q, const char *name);
/* Behind q->task: ask for the addresses. false: q->answer is complete. */
bool dns_service_goes_on(struct dns_query *q);
/* NULL is nothing. Targets that are asked for are cancelled. */
void dns_service_free(struct dns_service *s, const struct dns *d);

#endif
