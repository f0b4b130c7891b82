/* master/cert_facts: the certificates that a generation shows, as the nursery
 * tells them to the steward: JSON in a file of memory, which the master passes
 * on and does not read. Nothing in it is secret. */
#ifndef GH_CERT_FACTS_H
#define GH_CERT_FACTS_H

#include "common/ipc/boot.h"

/* A list of objects: `file`, `fingerprint`, `staple` (none, file, fetch); with
 * file: `word`, `since_s`, `until_s`; with fetch: `pem`. The descriptor of a
 * file that nobody can change any more, or -1 with errno. */
int cert_facts_new(const struct prepared *p);

#endif
