/* files/files_name: from a path to the name of a file. Pure. What a path in
 * normal form still has in escapes is decoded here, once, and judged again
 * after it: nothing that could leave the folder gets past, even if whoever made
 * the path let it. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/files/files_int.h"

static int
name_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* One byte off the front; false: it can be in no name. */
static bool
name_byte(span *rest, char *out)
{
	bool is_escape = rest->p[0] == '%';
	int high;
	int low;

	if (!is_escape) {
		*out = rest->p[0];
		*rest = span_from(*rest, 1);
		return *out != '\0';
	}
	if (rest->len < 3)
		return false;
	high = name_hex(rest->p[1]);
	low = name_hex(rest->p[2]);
	if (high < 0 || low < 0)
		return false;
	*out = (char)(high * 16 + low);
	*rest = span_from(*rest, 3);
	return *out != '\0' && *out != '/';
}

/* Hidden files are there for others than visitors (.git, .htpasswd, .env), but
 * for what RFC 8615 put in such a folder. */
static bool
name_may_be_told(span name)
{
	span rest = name;
	bool is_first = true;
	span part;

	while (span_cut(&rest, '/', &part)) {
		bool is_last = rest.p == NULL;

		if (part.len == 0 && !is_last)
			return false;
		if (part.len > 0 && part.p[0] == '.' &&
		    !(is_first && span_eq(part, SPAN_LIT(".well-known"))))
			return false;
		is_first = false;
	}
	return true;
}

span
files_name(struct arena *a, span path)
{
	span none = span_of(NULL, 0);
	span rest = path;
	size_t n = 0;
	char *out;

	if (path.len == 0 || path.p[0] != '/')
		return none;
	rest = span_from(rest, 1);
	out = arena_alloc(a, size_min(path.len, FILES_NAME_MAX));
	/* counted as the file system counts: an escape is one byte of three */
	while (rest.len > 0)
		if (n + 1 == FILES_NAME_MAX || !name_byte(&rest, &out[n++]))
			return none;
	return name_may_be_told(span_of(out, n)) ? span_of(out, n) : none;
}
