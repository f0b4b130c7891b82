/* exch/readings: see readings.h. */
#include "worker/exch/readings.h"

#include "common/http/chars.h"
#include "common/http/uri.h"
#include "worker/exch/exch.h"

/* "%25" and two digits. */
#define DOUBLE_LEN 5
#define PERCENT SPAN_LIT("%25")
/* A path that was escaped more often is nobody's. */
#define DECODINGS_MAX 4

static span
without_parameters(struct exch *x, span path)
{
	char *out = arena_alloc(&x->arena, path.len);
	bool is_parameter = false;
	size_t n = 0;

	for (size_t i = 0; i < path.len; i++) {
		char c = path.p[i];

		is_parameter = c != '/' && (is_parameter || c == ';');
		if (!is_parameter)
			out[n++] = c;
	}
	/* a segment of nothing else leaves an empty one */
	(void)uri_normalize_path(span_of(out, n), out, &n);
	return span_of(out, n);
}

/* Where an escaped '%' stands before what looks like the rest of an escape, or
 * -1: a server that decodes twice takes it for one. */
static ptrdiff_t
find_double(span path)
{
	for (size_t i = 0; i + DOUBLE_LEN <= path.len; i++)
		if (span_starts(span_from(path, i), PERCENT) &&
		    char_hex(path.p[i + 3]) >= 0 &&
		    char_hex(path.p[i + 4]) >= 0)
			return (ptrdiff_t)i;
	return -1;
}

/* Decode it once more. false: what comes of it is ambiguous. */
static bool
decode_again(struct exch *x, span *path)
{
	char *out = arena_alloc(&x->arena, path->len);
	span rest = *path;
	size_t n = 0;
	ptrdiff_t at;
	bool ok;

	while ((at = find_double(rest)) >= 0) {
		memcpy(out + n, rest.p, (size_t)at + 1);
		n += (size_t)at + 1;
		rest = span_from(rest, (size_t)at + PERCENT.len);
	}
	memcpy(out + n, rest.p, rest.len);
	n += rest.len;
	ok = uri_normalize_path(span_of(out, n), out, &n) != URI_PATH_AMBIGUOUS;
	*path = span_of(out, n);
	return ok;
}

bool
path_readings_next(struct exch *x, struct path_readings *r, span *out)
{
	if (!r->is_begun) {
		r->is_begun = true;
		r->path = x->path;
	}
	if (!r->is_stripped) {
		r->is_stripped = true;
		if (span_chr(r->path, ';') >= 0) {
			*out = without_parameters(x, r->path);
			return true;
		}
	}
	if (find_double(r->path) < 0)
		return false;
	if (r->n_decoded == DECODINGS_MAX || !decode_again(x, &r->path)) {
		r->is_ambiguous = true;
		return false;
	}
	r->n_decoded++;
	r->is_stripped = false;
	*out = r->path;
	return true;
}
