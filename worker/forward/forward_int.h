/* forward/forward_int: between the files of this folder. */
#ifndef GH_FORWARD_INT_H
#define GH_FORWARD_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/net/dns.h"
#include "worker/exch/exch.h"
#include "worker/forward/forward.h"

enum forward_anonymity { ANONYMITY_NONE, ANONYMITY_CLIENT, ANONYMITY_ELITE };

struct forward_ports {
	uint16_t from;
	uint16_t to;
};

/* A place that one of our own listens is at. */
struct forward_own {
	struct ip ip;
	uint16_t port;
	bool is_proxy; /* a listen of mode forward */
};

struct forward {
	span name;
	struct place at;
	struct forward_ports *connect_ports;
	uint32_t n_connect_ports;
	struct place connect_ports_at;
	bool allows_private;
	struct place private_at;
	enum forward_anonymity anonymity;
	bool has_via;
	span user_agent; /* empty: the client's own */
	const span *kept; /* names of fields; NULL: all go on */
	uint32_t n_kept;
	bool has_proxy_status;
	bool has_pac;
	const struct forward_parent *parents;
	uint32_t n_parents;
	const struct forward_own *own;
	uint32_t n_own;
};

/* One that waits for a name. */
struct forward_wait {
	struct list node;
	void (*fn)(void *self, const struct dns_answer *a);
	void *self;
};

/* A request of a forward proxy. x->destination is its first member. */
struct forward_request {
	struct exch_destination to;
	struct forward_wait wait;
	enum fault_id why; /* there are no addresses; F_NONE: not known */
	uint16_t n_judged; /* addresses that may be connected to, before rules
	                      took some away */
	const char *why_not; /* what an address is that was left out; or NULL */
	bool has_address; /* nobody has to look it up: it is `address` */
	bool is_asked; /* whether that is the host's was looked up */
	struct ip address;
};

static inline struct forward_request *
forward_request(const struct exch *x)
{
	return (struct forward_request *)(void *)x->destination;
}

/* --- forward_guard.c ------------------------------------------------------ */

/* exch_destination.resolve */
enum verdict forward_resolve(struct exch *x);
/* Keep those of the addresses that may be connected to. */
void forward_judge(struct exch *x, const struct ip *ips, uint32_t n);

/* --- forward_intercept.c -------------------------------------------------- */

/* Read where an intercepted request goes from what it was going to: x->req gets
 * host and port. false: it is refused. */
bool intercept_read(struct exch *x);
/* Its address is the one that it was going to; what it calls that is a claim. */
void intercept_fix(const struct exch *x, struct forward_request *r);
/* Whether it is a tunnel that has no name and needs one. */
bool intercept_is_nameless(const struct exch *x);
/* Find out whether the claim is true, where anything comes of it; as a stage. */
enum verdict intercept_prove(struct exch *x);

/* --- forward_parent.c ----------------------------------------------------- */

/* Choose who asks x->destination; false: we do. */
bool forward_has_parent(struct exch *x);
/* Whether the request may go to its parent, as far as is known here: as a
 * stage. */
enum verdict forward_guard_parent(struct exch *x);

/* --- forward_pac.c -------------------------------------------------------- */

/* Whether it is no target for a proxy, but the file that tells of it. */
bool pac_is_asked(const struct exch *x);
/* As a stage. */
enum verdict pac_reply(struct exch *x);

/* --- forward_names.c ------------------------------------------------------ */

enum forward_names_rc { NAMES_FOUND, NAMES_WAIT, NAMES_FULL };

/* The addresses of a host: FOUND: *out holds them, or that there are none; WAIT:
 * wait->fn will be called with them, once; FULL: too many are asked for at this
 * moment. */
enum forward_names_rc forward_names_find(struct forward_worker *f, span host,
    struct forward_wait *wait, struct dns_answer *out);

#endif
