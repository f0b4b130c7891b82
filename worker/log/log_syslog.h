/* log/log_syslog: the way of lines to a syslog server (RFC 5424): by UDP (RFC
 * 5426), by TCP with counted octets (RFC 6587 3.4.1), by datagrams of a unix
 * socket. Each worker has a socket of its own, and never waits for it: what is
 * not taken is kept as far as there is room, and else counted. */
#ifndef GH_LOG_SYSLOG_H
#define GH_LOG_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/net/sock.h"

/* Bytes of all that stands before a line: its length, and the head with a host
 * name of 255 bytes and a name of 32 (RFC 5424 6). */
#define SYSLOG_HEAD_CAP 512

/* Where lines go, and as what. */
struct syslog_to {
	bool is_stream; /* TCP; else a message is a datagram */
	struct sock_addr addr;
	uint8_t facility; /* RFC 5424 table 1 */
	span msgid; /* name of the log */
};

/* What `syslog` says: "udp://ADDRESS:PORT", "tcp://ADDRESS:PORT",
 * "unix:/PATH". false: the reader of the configuration has let it pass, and it
 * is none. */
bool syslog_to_read(struct syslog_to *to, span text, span facility);

struct log_syslog {
	const struct syslog_to *to;
	int fd; /* -1: none at the moment */
	uint64_t next_try_ms; /* when another one may be made */
	char tail[SYSLOG_HEAD_CAP]; /* of the head, behind the time */
	size_t tail_len;
	char *buf; /* messages with their counts in front */
	size_t cap, len;
	size_t flush_at;
	size_t sent; /* of the first message, by TCP */
	bool is_full; /* the kernel takes no more, but will in a moment */
	uint64_t n_lost;
	int err; /* of the last try; 0: it went well */
};

/* Collect up to `buffer` bytes; 0: send each line at once. `to` is borrowed. */
void log_syslog_init(
    struct log_syslog *s, const struct syslog_to *to, size_t buffer);
/* Does not send, but counts what is left as lost. */
void log_syslog_fini(struct log_syslog *s);

/* Room for one line: *cap bytes, LOG_LINE_MIN. NULL when there is none and none
 * can be made: the line is counted as lost. */
char *log_syslog_room(struct log_syslog *s, size_t *cap, uint64_t now_ms);
/* A line of len bytes, its end included, was put there at that time. */
void log_syslog_added(
    struct log_syslog *s, size_t len, int64_t wall_us, uint64_t now_ms);
/* Send what is there, as far as it is taken without waiting. */
void log_syslog_flush(struct log_syslog *s, uint64_t now_ms);

#endif
