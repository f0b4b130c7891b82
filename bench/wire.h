/* bench/wire: the little HTTP/1 that the bench's two ends read, and their
 * sockets. Bytes in, facts out; only sock_ functions touch a descriptor. */
#ifndef GH_WIRE_H
#define GH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct sockaddr_in;

enum wire_rc { WIRE_OK, WIRE_MORE, WIRE_BAD };

/* Longest head that either end accepts. */
#define WIRE_HEAD_MAX 8192

/* What a head says about its message. */
struct wire_head {
	size_t len; /* bytes of the head, its empty line included */
	uint64_t length; /* Content-Length */
	bool has_length;
	bool is_chunked;
	bool want_close;
};

/* Read the head at the start of `in` (start line and fields, CRLF only).
 * WIRE_MORE: incomplete; WIRE_BAD: no head, or over WIRE_HEAD_MAX. */
enum wire_rc wire_head(const char *in, size_t len, struct wire_head *out);

enum wire_body_state {
	WIRE_BODY_LENGTH,
	WIRE_BODY_SIZE,
	WIRE_BODY_SIZE_END,
	WIRE_BODY_DATA,
	WIRE_BODY_DATA_END,
	WIRE_BODY_TRAILER,
	WIRE_BODY_DONE,
	WIRE_BODY_BAD
};

/* A body on its way in. `left` is what the length or the chunk still owes,
 * `total` what was body so far, `mark` the reader's own. */
struct wire_body {
	enum wire_body_state state;
	uint64_t left;
	uint64_t total;
	unsigned mark;
};

/* Expect the body that `head` announces; without a length there is none. */
void wire_body_init(struct wire_body *b, const struct wire_head *head);

/* Swallow body bytes from `in`. Returns how many were the body's (fewer than
 * `len` only at its end); b->state then tells DONE, BAD or what is awaited. */
size_t wire_body_feed(struct wire_body *b, const char *in, size_t len);

/* "A.B.C.D:PORT" into *out; false when it is none. */
bool sock_address(const char *text, struct sockaddr_in *out);

/* A number of decimal digits, at most `max`; exits with a message about `what`
 * otherwise. */
uint64_t arg_number(const char *what, const char *text, uint64_t max);

/* Run on this CPU only; -1 and errno on failure. */
int cpu_pin(unsigned cpu);

/* Monotonic nanoseconds. */
static inline uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
