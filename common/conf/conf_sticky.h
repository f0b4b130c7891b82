/* conf/conf_sticky: the little language of `sticky`. Read once when a
 * configuration is checked, which tells all problems, and again by those who
 * act on it. */
#ifndef GH_CONF_STICKY_H
#define GH_CONF_STICKY_H

#include "common/conf/conf.h"

enum conf_sticky_kind {
	STICKY_NONE,
	STICKY_COOKIE, /* `cookie NAME`: one of ours names the server */
	STICKY_HEADER, /* `header NAME`: what the client sends in that field */
	STICKY_LEARN_COOKIE, /* `learn cookie=NAME`: one of the servers' */
	STICKY_LEARN_HEADER /* `learn header=NAME`: a field of theirs */
};

enum conf_same_site { SAME_SITE_LAX, SAME_SITE_STRICT, SAME_SITE_NONE };

struct conf_sticky {
	enum conf_sticky_kind kind;
	struct place at;
	span name; /* of the cookie or field */
	/* COOKIE */
	uint64_t ttl_ms; /* whole seconds; 0: as long as the browser runs */
	span path;
	span domain; /* empty: the host alone */
	enum conf_same_site same_site;
	bool is_secure; /* also where the client came without TLS */
	/* all others */
	uint64_t timeout_ms; /* of a session that is not used */
};

/* Whether sessions are remembered here. */
static inline bool
conf_sticky_is_learnt(const struct conf_sticky *s)
{
	return s->kind != STICKY_NONE && s->kind != STICKY_COOKIE;
}

/* The value in scope of an upstream; problems go to d, which may be NULL. What
 * is not good is STICKY_NONE. Spans live in the tree or forever. */
void conf_sticky_read(
    const struct conf_scope *s, struct conf_sticky *out, struct diag *d);

#endif
