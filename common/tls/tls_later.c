/* tls_later: OpenSSL runs a handshake as a job with a stack of its own;
 * this puts the job to sleep and wakes it. */
#include "common/tls/tls_later.h"

#include <openssl/async.h>

bool
tls_later_begin(struct tls_later *l)
{
	ASYNC_JOB *job = ASYNC_get_current_job();

	return job != NULL &&
	       ASYNC_WAIT_CTX_get_callback(
		   ASYNC_get_wait_ctx(job), &l->resume, &l->arg) == 1;
}

void
tls_later_wait(void)
{
	(void)ASYNC_pause_job();
}

void
tls_later_resume(const struct tls_later *l)
{
	(void)l->resume(l->arg);
}
