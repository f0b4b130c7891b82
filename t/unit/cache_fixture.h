/* unit/cache_fixture: messages written as text, for the tests of what decides
 * about caching. Texts are copied into memory of exactly their size. */
#ifndef GH_CACHE_FIXTURE_H
#define GH_CACHE_FIXTURE_H

#include <check.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/http/msg.h"
#include "t/unit/unit.h"

/* Noon of a Sunday, "Sun, 06 Nov 1994 12:00:00 GMT". */
#define FIX_NOW_S INT64_C(784123200)

static struct arena_pool fix_pool;
static struct arena fix_arena;

static inline void
fix_set_up(void)
{
	arena_pool_init(&fix_pool, 4);
	arena_init(&fix_arena, &fix_pool);
}

static inline void
fix_tear_down(void)
{
	arena_fini(&fix_arena);
	arena_pool_fini(&fix_pool);
}

/* Lines "Name: value", each ended by a newline or the text's end. */
static inline void
fix_fields(struct http_fields *f, const char *text)
{
	span rest = span_str(text);
	span line;

	fields_init(f, &fix_arena, 2);
	while (rest.len > 0 && span_cut(&rest, '\n', &line)) {
		ptrdiff_t colon = span_chr(line, ':');

		if (line.len == 0)
			continue;
		ck_assert_msg(colon > 0, "no field: %.*s", SPAN_FMT(line));
		fields_add(f, &fix_arena, span_first(line, (size_t)colon),
		    span_trim(span_from(line, (size_t)colon + 1)));
	}
}

/* "GET /path?query" and field lines; host "h.test", scheme "http". */
static inline void
fix_request(struct http_msg *m, const char *method, const char *path,
    const char *fields)
{
	span rest = span_str(path);

	*m = (struct http_msg){.version = HTTP_1_1};
	fix_fields(&m->fields, fields);
	m->method_text = span_str(method);
	m->method = method_lookup(m->method_text);
	m->scheme = SPAN_LIT("http");
	m->authority = SPAN_LIT("h.test");
	m->host = SPAN_LIT("h.test");
	m->raw_target = rest;
	m->has_query = span_chr(rest, '?') >= 0;
	ck_assert(span_cut(&rest, '?', &m->path));
	m->query = rest;
}

static inline void
fix_response(struct http_msg *m, unsigned status, const char *fields)
{
	*m = (struct http_msg){.version = HTTP_1_1, .status = (uint16_t)status};
	fix_fields(&m->fields, fields);
}

#endif
