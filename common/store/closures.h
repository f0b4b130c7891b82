/* store/closures: what the operator orders of sites: closed, open, or as they
 * are configured. One word a site, found by a hash of its name, so that orders
 * outlive the generations that know the site. Protocol: doc/shm.md 6.13. */
#ifndef GH_CLOSURES_H
#define GH_CLOSURES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/shm/segment.h"

/* Sites that can be under an order at once. */
#define CLOSURES_MAX 4096u

enum closure_order {
	CLOSURE_AUTO, /* as configured */
	CLOSURE_ON, /* closed, whatever is configured */
	CLOSURE_OFF, /* open, likewise */
	CLOSURE_ORDERS
};

struct closures;

/* Map the table; in the master (may_make) it is made. NULL with errno. Its
 * memory is the segment's: nothing is to be freed. */
struct closures *closures_map(struct segment *s, bool may_make);

/* What stands for a site's name; the same in all processes and versions. */
uint64_t closure_id(span site);

/* The order of a site. No system call; a look at one word mostly. */
enum closure_order closures_get(const struct closures *t, uint64_t id);
/* Another order. false: CLOSURES_MAX sites are under orders. Steward only, of
 * which there is one. */
bool closures_set(struct closures *t, uint64_t id, enum closure_order order);

/* Words: on, off, auto; CLOSURE_ORDERS: it is none. */
enum closure_order closure_order_find(span word);
const char *closure_order_name(enum closure_order order);

/* Whether every word is one that closures_set() writes, and no site has two,
 * while nobody works. */
bool closures_check(const struct closures *t);

#endif
