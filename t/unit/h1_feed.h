/* unit/h1_feed: messages fed to the HTTP/1 codecs in pieces, from memory of
 * exactly their size, so that a sanitizer sees each byte read too many. */
#ifndef GH_H1_FEED_H
#define GH_H1_FEED_H

#include <check.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/http/h1.h"
#include "t/unit/unit.h"

/* One fed message. */
struct feed {
	struct arena_pool pool;
	struct arena arena;
	char *copy; /* what the message's text points into */
	struct http_msg m;
	bool is_chunked;
	enum h1_rc rc;
	enum h1_bad bad;
};

static const struct h1_limits feed_limits = {200, 600, 12};

static inline char *
feed_dup(span s)
{
	char *p = malloc(s.len > 0 ? s.len : 1);

	ck_assert_ptr_nonnull(p);
	memcpy(p, s.p, s.len);
	return p;
}

/* Scan the first `split` bytes, each time from a block of their size, then all
 * of them. */
static inline enum h1_rc
feed_scan(struct h1_scan *s, enum h1_kind kind, span in, size_t split)
{
	enum h1_rc rc = H1_MORE;
	size_t ends[2] = {split, in.len};

	for (int i = 0; i < 2 && rc == H1_MORE; i++) {
		span part = span_first(in, ends[i]);
		char *copy = feed_dup(part);

		rc = h1_scan(s, kind, span_of(copy, part.len), &feed_limits);
		free(copy);
	}
	return rc;
}

static inline void
feed_init(struct feed *f)
{
	*f = (struct feed){.rc = H1_MORE};
	arena_pool_init(&f->pool, 4);
	arena_init(&f->arena, &f->pool);
}

static inline void
feed_fini(struct feed *f)
{
	arena_fini(&f->arena);
	arena_pool_fini(&f->pool);
	free(f->copy);
}

/* Scan in two parts, then parse. */
static inline void
feed_message(struct feed *f, enum h1_kind kind, enum http_method to, span in,
    size_t split)
{
	struct h1_scan s = {.at = 0};
	span head;

	feed_init(f);
	f->rc = feed_scan(&s, kind, in, split);
	f->bad = s.bad;
	if (f->rc != H1_OK)
		return;
	head = span_of(in.p + s.skipped, s.at - s.skipped);
	f->copy = feed_dup(head);
	head.p = f->copy;
	if (kind == H1_REQUEST)
		f->rc = h1_parse_request(head, &f->arena, &f->m, &f->bad);
	else
		f->rc = h1_parse_response(
		    head, to, &f->arena, &f->m, &f->is_chunked, &f->bad);
}

/* The reason for which a message is refused, the same however it is cut. No
 * part of it is taken for a whole. */
static inline enum h1_bad
feed_refusal(enum h1_kind kind, enum http_method to, span in)
{
	enum h1_bad bad = H1_BAD_NONE;
	struct feed f;

	for (size_t split = 0; split <= in.len; split++) {
		feed_message(&f, kind, to, in, split);
		ck_assert_msg(
		    f.rc != H1_MORE, "incomplete: %.*s", SPAN_FMT(in));
		if (split > 0)
			ck_assert_int_eq(f.bad, bad);
		bad = f.bad;
		feed_fini(&f);
	}
	for (size_t len = 0; len < in.len; len++) {
		feed_message(&f, kind, to, span_first(in, len), len / 2);
		ck_assert_msg(
		    f.rc != H1_OK, "complete at %zu: %.*s", len, SPAN_FMT(in));
		feed_fini(&f);
	}
	return bad;
}

/* Parse every beginning of a complete head as if it was one: refused, and
 * nothing is read behind it. */
static inline void
feed_truncated_parse(enum h1_kind kind, span in)
{
	for (size_t len = 0; len < in.len; len++) {
		span head = span_of(feed_dup(span_first(in, len)), len);
		struct feed f;

		feed_init(&f);
		f.copy = (char *)head.p;
		if (kind == H1_REQUEST)
			f.rc = h1_parse_request(head, &f.arena, &f.m, &f.bad);
		else
			f.rc = h1_parse_response(head, METHOD_GET, &f.arena,
			    &f.m, &f.is_chunked, &f.bad);
		ck_assert_int_eq(f.rc, H1_BAD);
		ck_assert_int_ne(f.bad, H1_BAD_NONE);
		feed_fini(&f);
	}
}

#endif
