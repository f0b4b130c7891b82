/* master/check_name: where a server that is a name is checked: at the address in
 * its spot (store/spots). The first server of a name asks for it, and puts what
 * it was told for all. */
#include <stdio.h>

#include "common/base/log.h"
#include "common/ipc/boot.h"
#include "common/shm/registry.h"
#include "common/store/names.h"
#include "master/checks.h"

/* When too many names are being resolved. */
#define AGAIN_MS 50u
/* How long an answer of a name server is believed at least. */
#define TTL_MIN_MS 1000u

static uint64_t
now_ms(const struct check_server *s)
{
	return clock_mono_ms(loop_clock(s->group->all->loop));
}

static const struct boot *
boot_of(const struct check_server *s)
{
	return s->group->all->boot;
}

/* --- its spot ------------------------------------------------------------- */

static bool
set_is_empty(const struct spots_set *set)
{
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++)
		if (set->at[k].n > 0)
			return false;
	return true;
}

bool
check_name_is_there(const struct check_server *s)
{
	struct spots_set set;

	if (s->spots == REGISTRY_NONE ||
	    !spots_read(boot_of(s)->spots, s->spots, &set))
		return true;
	return set.at[s->spot].n > 0 || (s->spot == 0 && set_is_empty(&set));
}

bool
check_name_stays(const struct check_server *s)
{
	struct spots_set set;

	return s->spots == REGISTRY_NONE ||
	       (spots_read(boot_of(s)->spots, s->spots, &set) &&
		   spot_is(&set.at[s->spot], &s->asked));
}

const char *
check_name_text(const struct check_server *s, char out[CHECK_TEXT_CAP])
{
	char where[SOCK_ADDR_TEXT_CAP] = "";
	struct dns_answer a;
	struct sock_addr addr;

	if (s->asked.n > 0) {
		spot_answer(&s->asked, &a);
		dns_answer_addr(&a, 0, s->at.port, &addr);
		(void)sock_addr_format(&addr, where);
	}
	(void)snprintf(out, CHECK_TEXT_CAP, "%.*s%s%s", SPAN_FMT(s->at.text),
	    s->asked.n > 0 ? " at=" : "", where);
	return out;
}

/* What is in its spot is asked; where nothing is, there is no server to check,
 * unless the whole name is nowhere. */
static void
check_spot(struct check_server *s)
{
	struct spots_set set;

	if (!spots_read(boot_of(s)->spots, s->spots, &set)) {
		check_rest(s);
		return;
	}
	if (!spot_is(&s->asked, &set.at[s->spot]))
		s->streak = 0;
	s->asked = set.at[s->spot];
	if (s->asked.n > 0) {
		spot_answer(&s->asked, &s->answer);
		check_ask(s);
	} else if (s->spot == 0 && set_is_empty(&set)) {
		check_done(s, HEALTH_WHY_NAME, 0);
	} else {
		check_rest(s);
	}
}

/* Put an answer for all of them; `s` is the first. */
static void
check_put(struct check_server *s, const struct dns_answer *a)
{
	const struct boot *b = boot_of(s);
	const struct spots_by by = {
	    .slots = b->slots,
	    .me = {b->slot, b->incarnation},
	    .upstate = b->upstate,
	};
	struct spots_name name = {.id = s->spots};
	struct spots_set set;

	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++)
		name.servers[k] = s[k].id;
	if (spots_put(b->spots, &by, &name, a, &set) == SPOTS_CHANGED &&
	    set.n_ignored > 0)
		log_msg(LOG_WARN,
		    "addresses ignored upstream=%.*s server=%.*s used=%u "
		    "ignored=%u",
		    SPAN_FMT(s->group->name), SPAN_FMT(s->at.text),
		    SPOTS_PER_NAME, set.n_ignored);
}

/* --- its name ------------------------------------------------------------- */

static void
check_on_name(void *self, const struct dns_answer *a)
{
	struct check_server *s = self;
	const struct boot *b = boot_of(s);
	uint64_t ttl_ms = (uint64_t)a->ttl_s * 1000;

	s->query = NULL;
	loop_timer_clear(s->group->all->loop, &s->timer);
	s->good_until_ms =
	    now_ms(s) + (ttl_ms > TTL_MIN_MS ? ttl_ms : TTL_MIN_MS);
	if (a->rc == DNS_OK && a->n > 0)
		names_put(b->names, b->slots,
		    (struct slot_name){b->slot, b->incarnation}, s->at.host, a,
		    s->good_until_ms);
	/* no answer says nothing about the name (RFC 8767 5) */
	if ((a->rc == DNS_OK && a->n > 0) || a->rc == DNS_NOT_FOUND)
		check_put(s, a);
	check_spot(s);
}

/* Whether the answer that others were given serves here, too. */
static bool
check_is_known(struct check_server *s)
{
	const struct boot *b = boot_of(s);
	struct dns_answer a;
	struct spots_set set;

	/* a dead process's repair may have emptied them */
	if (now_ms(s) < s->good_until_ms &&
	    spots_read(b->spots, s->spots, &set) && set.is_known)
		return true;
	if (!names_get(b->names, s->at.host, now_ms(s), &a, &s->good_until_ms))
		return false;
	check_put(s, &a);
	return true;
}

void
check_name(struct check_server *s)
{
	struct checks *c = s->group->all;

	if (s->spot > 0 || check_is_known(s)) {
		check_spot(s);
		return;
	}
	s->query = dns_resolve(c->dns, s->at.host, check_on_name, s);
	if (s->query == NULL) {
		loop_timer_set(c->loop, &s->timer, AGAIN_MS);
		return;
	}
	s->state = CHECK_NAMES;
	loop_timer_set(c->loop, &s->timer, s->group->what.timeout_ms);
}

void
check_name_late(struct check_server *s)
{
	dns_cancel(s->query);
	s->query = NULL;
	/* that time was not its own */
	s->began_ms = now_ms(s);
	check_spot(s);
}
