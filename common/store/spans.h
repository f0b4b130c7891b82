/* store/spans: pieces of traces on their way from the workers, who write them,
 * to the one steward that sends them on: a ring. Nobody waits: who is too slow
 * to read loses the oldest, which is counted. Protocol and repair: doc/shm.md
 * 6.21. */
#ifndef GH_SPANS_H
#define GH_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/http/traceparent.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"

/* That wait at once. */
#define SPANS_KEPT 2048u
/* Bytes of all texts of one. */
#define SPAN_TEXT 400u
/* Longest of them. */
#define SPAN_PART_MAX 160u

/* LEFT: a CLIENT span of a try that was not waited for any more, because another
 * one was faster. */
enum span_kind { SPAN_SERVER, SPAN_CLIENT, SPAN_LEFT };

/* In this order. */
enum span_part {
	SPAN_METHOD,
	SPAN_SCHEME,
	SPAN_HOST, /* that was asked for */
	SPAN_PATH, /* without its query */
	SPAN_ROUTE, /* as configured */
	SPAN_SITE,
	SPAN_PEER, /* address of the client; of other spans the server */
	SPAN_FAULT, /* its word; empty: none */
	SPAN_REQUEST, /* its id */
	SPAN_AGENT,
	SPAN_PARTS
};

struct span_note {
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t span_id[TRACE_SPAN_LEN];
	uint8_t parent_id[TRACE_SPAN_LEN]; /* all zero: it begins the trace */
	int64_t begin_us; /* since 1970 */
	int64_t end_us;
	uint16_t status; /* 0: there was no answer */
	uint16_t text_len;
	uint8_t kind;
	uint8_t flags; /* of its traceparent */
	uint8_t version; /* of HTTP: 10, 11, 20; 0: not known */
	uint8_t n_resent; /* tries before this one */
	uint8_t part_len[SPAN_PARTS];
	char text[SPAN_TEXT];
};

struct spans;

/* In the segment; may_make in the master only. NULL with errno. */
struct spans *spans_map(struct segment *s, bool may_make);
/* It needs memory of its own, once any generation exports them. false: there is
 * none. Master only. */
bool spans_ready(struct spans *t, struct segment *s);

/* All but the parts are set; those are added in their order. What does not fit
 * is cut. */
void span_note_add(struct span_note *n, span text);
span span_note_part(const struct span_note *n, enum span_part part);

/* Leave it for the reader. false: it could not be, which the reader sees. */
bool spans_note(
    struct spans *t, struct slot_name me, const struct span_note *n);
/* What one reader remembers; zero to begin. */
struct spans_reader {
	uint64_t stuck; /* number that was waited for once */
	uint64_t n_lost; /* not read; the owner counts and clears it */
};

/* The next one, the oldest first; one reader at a time. false: there is none, or
 * it is still being written. */
bool spans_take(struct spans *t, struct spans_reader *r, struct span_note *out);

/* Mend what a dead process left. Steward only; may be repeated. */
void spans_repair(struct spans *t, uint32_t dead);
/* Whether all is whole, while nobody works. */
bool spans_check(const struct spans *t);

#endif
