/* auth/passwd: hashed passwords as crypt(5) writes them. Verifying takes
 * milliseconds of a CPU and 32 KiB of memory: it is for a thread that nobody
 * waits for. */
#ifndef GH_PASSWD_H
#define GH_PASSWD_H

#include <stdbool.h>

#include "common/base/span.h"

/* Longest password that is verified (crypt(3)). */
#define PASSWD_MAX 511u
/* Longest hash (crypt(5)). */
#define PASSWD_HASH_MAX 383u

enum passwd_kind {
	PASSWD_NONE, /* none that is known, or not one at all */
	PASSWD_BCRYPT, /* $2y$ $2b$ $2a$ */
	PASSWD_SHA256, /* $5$ */
	PASSWD_SHA512, /* $6$ */
	PASSWD_YESCRYPT, /* $y$ */
	PASSWD_APR1 /* $apr1$, of Apache's htpasswd */
};

/* What a hash is. PASSWD_NONE: *why says what is wrong with it and what to do,
 * valid forever. A cost that would keep a thread busy for minutes is wrong. */
enum passwd_kind passwd_judge(span hash, const char **why);

/* Whether the password (without a NUL byte in it) is that of the hash, which
 * was judged before. In the same time for any password of the same length. */
bool passwd_verify(span hash, span password);

#endif
