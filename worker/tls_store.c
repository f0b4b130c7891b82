/* tls_store: common/tls and common/store know nothing of each other; a worker
 * puts them together. */
#include "worker/tls_store.h"

#include <assert.h>
#include <string.h>

#include "common/store/staples.h"
#include "common/store/strikes.h"
#include "common/store/ticket_keys.h"
#include "common/tls/tls_ocsp.h"

static_assert(sizeof(struct tls_ticket_key) == sizeof(struct ticket_key),
    "the same key, told twice");
static_assert(TLS_OCSP_MAX == STAPLE_CAP && TLS_PRINT_LEN == STAPLE_PRINT_LEN,
    "the same answer, told twice");

static uint64_t
now_ms(const struct worker *w)
{
	return clock_mono_ms(loop_clock(w->loop));
}

static bool
store_ticket_current(void *self, struct tls_ticket_key *out)
{
	const struct worker *w = self;
	struct ticket_key key;
	bool is_there =
	    ticket_keys_current(w->boot->ticket_keys, now_ms(w), &key);

	if (is_there)
		memcpy(out, &key, sizeof(*out));
	explicit_bzero(&key, sizeof(key));
	return is_there;
}

static enum tls_ticket
store_ticket_find(
    void *self, const unsigned char *name, struct tls_ticket_key *out)
{
	const struct worker *w = self;
	struct ticket_key key;
	enum tls_ticket found = TLS_TICKET_UNKNOWN;

	switch (ticket_keys_find(w->boot->ticket_keys, name, now_ms(w), &key)) {
	case TICKET_UNKNOWN:
		break;
	case TICKET_CURRENT:
		found = TLS_TICKET_CURRENT;
		break;
	case TICKET_RENEW:
		found = TLS_TICKET_RENEW;
		break;
	}
	if (found != TLS_TICKET_UNKNOWN)
		memcpy(out, &key, sizeof(*out));
	explicit_bzero(&key, sizeof(key));
	return found;
}

/* By a clock of this moment: OpenSSL judges the age of tickets by one, too. */
static bool
store_early_is_fresh(void *self, span text)
{
	const struct worker *w = self;
	const struct boot *b = w->boot;
	struct slot_name me = {b->slot, b->incarnation};
	struct clock now;

	clock_update(&now);
	return strikes_take(
	    b->strikes, b->slots, me, text, (uint64_t)now.wall_us / 1000);
}

static size_t
store_staple(void *self, const unsigned char *print, int64_t now_s, char *out)
{
	const struct worker *w = self;
	struct staple found;

	return staples_find(w->boot->staples, print, now_s, out, &found)
		   ? found.der.len
		   : 0;
}

void
tls_store_open(struct worker *w)
{
	w->tls_shared = (struct tls_shared){
	    .self = w,
	    .ticket_current = store_ticket_current,
	    .ticket_find = store_ticket_find,
	    .early_is_fresh = store_early_is_fresh,
	    .staple = store_staple,
	};
}
