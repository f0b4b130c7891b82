/* shm/crash: counts the points that a process passes, and dies at one. */
#include "common/shm/crash.h"

#ifdef GH_CRASH_POINTS

#include <signal.h>
#include <unistd.h>

/* Exception: file-scope, because the points stand in code that has nothing to
 * carry it, and only in test builds. */
static volatile uint32_t crash_at;
static volatile uint32_t crash_n;
static volatile sig_atomic_t crash_spins;

void
crash_arm(uint32_t n)
{
	crash_at = n;
	crash_n = 0;
}

uint32_t
crash_passed(void)
{
	return crash_n;
}

void
crash_point(void)
{
	crash_n++;
	if (crash_n != crash_at)
		return;
	while (crash_spins)
		continue;
	(void)kill(getpid(), SIGKILL);
}

static void
crash_on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	crash_spins = sig != SIGRTMIN;
	crash_arm((uint32_t)info->si_value.sival_int);
}

void
crash_listen(void)
{
	struct sigaction sa = {.sa_sigaction = crash_on_signal,
	    .sa_flags = SA_SIGINFO | SA_RESTART};

	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGRTMIN, &sa, NULL);
	(void)sigaction(SIGRTMIN + 1, &sa, NULL);
}

#endif
