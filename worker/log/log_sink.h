/* log/log_sink: where finished lines wait to be written. Whole lines only; what
 * cannot be written is counted, and the worker never waits for it. */
#ifndef GH_LOG_SINK_H
#define GH_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest line in a file; longer ones have their values cut. */
#define LOG_LINE_MAX 32768

struct log_sink {
	int fd; /* -1: none; lines are counted as lost */
	bool
	    is_stream; /* a pipe, socket or terminal: may not take everything */
	char *buf;
	size_t cap;
	size_t len;
	size_t flush_at; /* written when this much is collected */
	size_t torn; /* bytes at the start that end a line already begun */
	bool is_full; /* not all was taken, and more may be in a moment */
	uint64_t n_lost;
	int err; /* of the last write; 0: it went well */
};

/* Collect up to `buffer` bytes; 0: write each line at once. */
void log_sink_init(struct log_sink *s, int fd, size_t buffer);
/* Does not write and does not close, but counts what is left as lost. */
void log_sink_fini(struct log_sink *s);

/* Room for one line: *cap bytes, at least LOG_LINE_MIN. NULL when there is none
 * and none can be made: the line is counted as lost. */
char *log_sink_room(struct log_sink *s, size_t *cap);
/* A line of len bytes was put there. */
void log_sink_added(struct log_sink *s, size_t len);
/* Write what is there, as far as it is taken without waiting. */
void log_sink_flush(struct log_sink *s);
/* Go on with another descriptor; the caller closes the old one. */
void log_sink_set_fd(struct log_sink *s, int fd);

#endif
