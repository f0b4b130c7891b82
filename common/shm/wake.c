/* shm/wake: cells that change by one atomic step each, so that a sender can die
 * anywhere without leaving a half-sent token. */
#include "common/shm/wake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/shm/crash.h"

void
wake_close(struct wake_fds *f)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		if (f->at[i] >= 0)
			(void)close(f->at[i]);
		f->at[i] = -1;
	}
}

int
wake_open(struct wake_fds *f)
{
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		f->at[i] = -1;
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		f->at[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (f->at[i] < 0) {
			int err = errno;

			wake_close(f);
			errno = err;
			return -1;
		}
	}
	return 0;
}

/* Whether the token waits in the cells after the call. */
static bool
cells_put(struct wake_cells *c, uint64_t token)
{
	for (uint32_t i = 0; i < WAKE_CELLS; i++) {
		/* the same token finds its own cell again */
		_Atomic uint64_t *cell = &c->token[(token + i) % WAKE_CELLS];
		uint64_t found = 0;

		if (atomic_compare_exchange_strong(cell, &found, token) ||
		    found == token)
			return true;
	}
	return false;
}

void
wake_send(struct slots *t, const struct wake_fds *f, struct slot_name to,
    uint64_t token)
{
	const uint64_t one = 1;

	REQUIRE(token != 0);
	if (!slot_is_alive(t, to))
		return;
	CRASH_POINT();
	if (!cells_put(&t->at[to.slot].wake, token))
		atomic_store(&t->at[to.slot].wake.is_overflown, 1);
	CRASH_POINT();
	/* full (EAGAIN) is as readable as can be */
	if (write(f->at[to.slot], &one, sizeof(one)) < 0)
		REQUIRE(errno == EAGAIN);
}

void
wake_take(struct slots *t, const struct wake_fds *f, uint32_t slot, wake_f *fn,
    void *self)
{
	struct wake_cells *c = &t->at[slot].wake;
	uint64_t n;

	/* first, so that what comes meanwhile makes it readable again */
	if (read(f->at[slot], &n, sizeof(n)) < 0)
		REQUIRE(errno == EAGAIN);
	for (uint32_t i = 0; i < WAKE_CELLS; i++) {
		uint64_t token = 0;

		if (atomic_load_explicit(&c->token[i], memory_order_relaxed) !=
		    0)
			token = atomic_exchange(&c->token[i], 0);
		if (token != 0)
			fn(self, token);
	}
	if (atomic_exchange(&c->is_overflown, 0) != 0)
		fn(self, 0);
}
