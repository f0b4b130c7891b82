/* master/stapler: in the steward, what fetches the OCSP answers of certificates
 * from the responders that they name (RFC 6960 A.1, over plain http: they are
 * signed) and gives the workers those that are good, through
 * common/store/staples. One that is down or says nothing of use leaves the
 * answer before it, until that ends. */
#ifndef GH_STAPLER_H
#define GH_STAPLER_H

#include <jansson.h>

#include "common/ipc/boot.h"
#include "common/net/dns.h"
#include "common/net/loop.h"

struct stapler;

/* Never NULL. All of it is borrowed; dns: what the system's files say, NULL when
 * only addresses can be asked. */
struct stapler *stapler_new(
    struct loop *l, const struct boot *b, const struct dns_conf *dns);
void stapler_free(struct stapler *s);
/* These are the certificates from now on (cert_facts.h): what is known of those
 * that stay is kept. */
void stapler_use(struct stapler *s, const json_t *certs);
/* Ask these name servers (dns_conf_new()) from now on. */
void stapler_use_servers(struct stapler *s, const char *servers);
/* Begin what is due: often, and only while this steward has the lease. */
void stapler_care(struct stapler *s);

/* What is known of one that is fetched. */
struct stapler_state {
	const char *word; /* "good", "waiting" (nothing came yet), "revoked",
	                     "expired" (nothing new came) */
	int64_t until_s; /* of what is stapled; 0: nothing is */
	const char *problem; /* of the last attempt; NULL: none */
};

/* false: it is not one of those. Valid until the next call of the others. */
bool stapler_look(const struct stapler *s, const char *fingerprint,
    struct stapler_state *out);

#endif
