/* master/logged: the requests of an access log in JSON, as `gatehouse explain`
 * takes them. Every byte of a log may be a client's, and the log anybody's: what
 * could not be a request is left out and counted, never repaired. */
#ifndef GH_LOGGED_H
#define GH_LOGGED_H

#include <stdio.h>

#include <jansson.h>

#include "common/base/arena.h"
#include "common/ipc/boot.h"

/* Bytes of a line; longer ones are left out. */
#define LOGGED_LINE_MAX 65536u
/* Fields that a line may tell (`headers`), and those that it tells apart. */
#define LOGGED_HEADERS_MAX 64u

struct logged {
	struct command command; /* COMMAND_EXPLAIN; valid until the next one */
	span id; /* of the request in the log; empty: it tells none */
	uint64_t n; /* requests so far */
	uint64_t n_bad; /* lines that are none */
	uint64_t first_bad; /* number of the first of them, from 1 */
	const char *first_why;
	const char *why; /* the last line is none */
	/* private */
	FILE *f;
	uint64_t n_lines;
	char *line;
	json_t *json;
	struct arena_pool pool;
	struct arena arena;
	const char *headers[LOGGED_HEADERS_MAX + 3];
};

/* `path` may be - for the standard input. -1 with errno. */
int logged_open(struct logged *l, const char *path);
/* The next request; false at the end. */
bool logged_next(struct logged *l);
/* Tell of lines that were left out. false: all of them were; what was given is no
 * such log, and nothing is known of any request. */
bool logged_tell(const struct logged *l);
/* -1 with errno when it could not be read to its end. */
int logged_close(struct logged *l);

/* One line of any log without its end, into room for `max`; of one that is longer
 * the rest is passed over, and it is empty. false: there is none. */
bool logged_line(FILE *log, char *room, size_t max, span *out);

/* One line, without its end. false: l->why tells why it is no request. For tests;
 * logged_next() calls it. */
bool logged_read(struct logged *l, span line);
void logged_init(struct logged *l);
void logged_fini(struct logged *l);

#endif
