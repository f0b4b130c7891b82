/* conf/conf_health: the little languages of `eject` and `health_check`, whose
 * words are more than `name=value`. Read once when a configuration is checked,
 * which tells all problems, and again by those who act on them. */
#ifndef GH_CONF_HEALTH_H
#define GH_CONF_HEALTH_H

#include "common/conf/conf.h"

/* What is counted of a server, one after the other without a good answer in
 * between. */
enum conf_eject_run {
	EJECT_5XX, /* answers 5xx, and tries that end in our own 502 or 504 */
	EJECT_RESET, /* no connection, or it broke */
	EJECT_SLOW, /* answers whose head took longer than slow_ms */
	EJECT_RUNS
};

/* `eject = 5xx>=5 reset>=3 slow>=500ms window=10s for=30s max=50%` */
struct conf_eject {
	bool is_on;
	uint32_t most[EJECT_RUNS]; /* so many in a row; 0: not counted */
	uint64_t slow_ms;
	uint64_t window_ms; /* in which they must come */
	uint64_t for_ms; /* the first time; longer each time */
	uint32_t max_tenths; /* share of the servers that may be out */
};

/* `health_check = GET /healthz expect=200-399 body~ok interval=2s rise=2 fall=3
 * timeout=1s`, or `tcp`, `tls`, `grpc service=NAME`, `command /PATH ARG...`. */
enum conf_check_kind {
	CHECK_NONE,
	CHECK_TCP,
	CHECK_TLS,
	CHECK_HTTP,
	CHECK_GRPC,
	CHECK_COMMAND
};

#define CHECK_RANGES_MAX 8
/* Words of a command, with its path. */
#define CHECK_ARGS_MAX 32

struct conf_check {
	enum conf_check_kind kind;
	bool is_head; /* HTTP: HEAD, else GET */
	span target; /* "/healthz" */
	struct {
		uint16_t low;
		uint16_t high;
	} expect[CHECK_RANGES_MAX];
	uint32_t n_expect;
	span service; /* of gRPC; empty: the server as a whole */
	uint32_t n_args; /* COMMAND: words[1] .. words[n_args] are what is run
			  */
	span body; /* a regular expression; empty: any content is good */
	uint64_t interval_ms;
	uint64_t timeout_ms; /* for all of one check */
	uint32_t rise; /* good ones in a row that make a server healthy */
	uint32_t fall; /* bad ones in a row that make it unhealthy */
};

/* The words of one line. Problems go to d (or NULL); spans are parts of the
 * words. What is not good is CHECK_NONE. */
void conf_check_words(const struct conf_word *words, uint32_t n,
    struct conf_check *out, struct diag *d);
/* The line in scope of an upstream, or NULL. */
const struct conf_value *conf_check_line(const struct conf_scope *s);
/* Judge the line of an upstream by its words, and beside its other keys. */
void conf_check_judge(const struct conf_scope *s, struct diag *d);

/* The value in scope of an upstream; problems go to d, which may be NULL. */
void conf_eject_read(
    const struct conf_scope *s, struct conf_eject *out, struct diag *d);

#endif
