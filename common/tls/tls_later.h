/* tls_later: a private key operation that is done elsewhere. Code that
 * stands where a key signs (a key method or a provider) begins the operation,
 * waits, and finds itself resumed with the answer; the handshake's stream waits
 * meanwhile, the loop does not. Only for servers that say has_signer. */
#ifndef GH_TLS_LATER_H
#define GH_TLS_LATER_H

#include <stdbool.h>

struct tls_later {
	int (*resume)(void *arg);
	void *arg;
};

/* In a key operation: note in *l who waits, before the work is given away.
 * false: this handshake cannot wait. */
bool tls_later_begin(struct tls_later *l);
/* Return when resumed. The stack that it is called on sleeps until then. */
void tls_later_wait(void);
/* From the loop: the answer is there. Once for each begin, even when the stream
 * has been closed meanwhile. */
void tls_later_resume(const struct tls_later *l);

#endif
