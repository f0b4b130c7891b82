/* master/check_name: where a server that is a name is checked: at the address in
 * its spot (store/spots), where master/resolver put it. */
#include <stdio.h>

#include "common/ipc/boot.h"
#include "common/shm/registry.h"
#include "master/checks.h"

/* Until a name that is being resolved is looked at again. */
#define AGAIN_MS 50u

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
	const struct spot *spot = &s->asked;
	char where[SOCK_ADDR_TEXT_CAP] = "";
	struct spots_set set;
	struct dns_answer a;
	struct sock_addr addr;

	/* where nothing is checked, nobody was asked */
	if (spot->n == 0 && s->spots != REGISTRY_NONE &&
	    spots_read(boot_of(s)->spots, s->spots, &set))
		spot = &set.at[s->spot];
	if (spot->n > 0) {
		spot_answer(spot, &a);
		dns_answer_addr(&a, 0, s->at.port, &addr);
		(void)sock_addr_format(&addr, where);
	}
	(void)snprintf(out, CHECK_TEXT_CAP, "%.*s%s%s", SPAN_FMT(s->at.text),
	    spot->n > 0 ? " at=" : "", where);
	return out;
}

/* What is in its spot is asked; where nothing is, there is no server to check,
 * unless the whole name is nowhere. */
void
check_name(struct check_server *s)
{
	struct spots_set set;

	if (!spots_read(boot_of(s)->spots, s->spots, &set)) {
		check_rest(s);
		return;
	}
	if (!set.is_known && !set.is_failing) {
		/* it is being resolved */
		loop_timer_set(s->group->all->loop, &s->timer, AGAIN_MS);
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
