/* store/quota_file: see quota_file.h. */
#include "common/store/quota_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/text.h"

#define FIRST_LINE "gatehouse quotas 1"
#define LAST_WORD "end "
/* Days since 1970 that are believed: to the year 4707. */
#define DAY_MAX 1000000u

static bool
is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '%';
}

/* 0 .. 15 of a capital digit; 16: it is none. */
static unsigned
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

/* In its one form. */
static bool
name_read(span in, struct quota *out)
{
	out->len = 0;
	memset(out->name, 0, sizeof(out->name));
	for (size_t i = 0; i < in.len; i++) {
		unsigned byte = (unsigned char)in.p[i];

		if (in.p[i] == '%') {
			if (in.len - i < 3 || hex_digit(in.p[i + 1]) > 15 ||
			    hex_digit(in.p[i + 2]) > 15)
				return false;
			byte = hex_digit(in.p[i + 1]) << 4 |
			       hex_digit(in.p[i + 2]);
			i += 2;
			if (is_plain((char)byte))
				return false;
		} else if (!is_plain(in.p[i])) {
			return false;
		}
		if (out->len == QUOTA_NAME_MAX)
			return false;
		out->name[out->len++] = (char)byte;
	}
	return out->len > 0;
}

static void
name_write(struct text *t, const struct quota *q)
{
	for (uint32_t i = 0; i < q->len; i++) {
		if (is_plain(q->name[i]))
			text_add_char(t, q->name[i]);
		else
			text_printf(t, "%%%02X", (unsigned char)q->name[i]);
	}
}

static int
name_compare(const struct quota *a, const struct quota *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int rc = memcmp(a->name, b->name, n);

	return rc != 0 ? rc : (a->len > b->len) - (a->len < b->len);
}

/* A number as it is written: no zeros in front. */
static bool
number_read(span s, uint64_t max, uint64_t *out)
{
	return (s.len == 1 || (s.len > 1 && s.p[0] != '0')) &&
	       span_u64(s, max, out);
}

static bool
line_read(span line, struct quota *out)
{
	span day;
	span used;
	uint64_t n;

	if (!span_cut(&line, ' ', &day) || !number_read(day, DAY_MAX, &n))
		return false;
	out->day = (int32_t)n;
	if (!span_cut(&line, ' ', &used) ||
	    !number_read(used, QUOTA_USED_MAX, &out->used))
		return false;
	return name_read(line, out);
}

/* The next line without its end. false: there is none that ends. */
static bool
file_line(span *rest, span *line)
{
	ptrdiff_t end = span_chr(*rest, '\n');

	if (end < 0)
		return false;
	*line = span_first(*rest, (size_t)end);
	*rest = span_from(*rest, (size_t)end + 1);
	return true;
}

/* The last line. */
static const char *
file_end(span line, span rest, uint32_t n)
{
	uint64_t told;

	if (!number_read(
		span_from(line, sizeof(LAST_WORD) - 1), QUOTAS_MAX, &told) ||
	    told != n)
		return "it holds another number of names than it tells";
	return rest.len > 0 ? "something stands behind its end" : NULL;
}

/* One walk over it. */
static const char *
file_walk(span rest, quota_file_f *fn, void *self, uint32_t *line_no)
{
	struct quota last = {.len = 0};
	struct quota q;
	uint32_t n = 0;
	span line;

	*line_no = 1;
	if (!file_line(&rest, &line) || !span_eq(line, SPAN_LIT(FIRST_LINE)))
		return "it is no file of quotas, or one of another version";
	for (;;) {
		++*line_no;
		if (!file_line(&rest, &line))
			return "it ends too early";
		if (span_starts(line, SPAN_LIT(LAST_WORD)))
			return file_end(line, rest, n);
		if (!line_read(line, &q))
			return "expected DAY USED NAME";
		if (n > 0 && name_compare(&last, &q) >= 0)
			return "its names are not in order";
		if (++n > QUOTAS_MAX)
			return "it holds too many names";
		last = q;
		if (fn != NULL)
			fn(self, &q);
	}
}

const char *
quota_file_read(span text, quota_file_f *fn, void *self, uint32_t *line)
{
	const char *why = text.len > QUOTA_FILE_MAX
			      ? "it is too long"
			      : file_walk(text, NULL, NULL, line);

	if (why == NULL)
		(void)file_walk(text, fn, self, line);
	return why;
}

static int
compare(const void *a, const void *b)
{
	return name_compare(a, b);
}

/* Those that a file may hold come first. Returns how many. */
static uint32_t
file_sift(struct quota *all, uint32_t n)
{
	uint32_t kept = 0;

	qsort(all, n, sizeof(*all), compare);
	for (uint32_t i = 0; i < n; i++) {
		if (all[i].day < 0 || all[i].day > (int32_t)DAY_MAX ||
		    all[i].used > QUOTA_USED_MAX || all[i].len == 0 ||
		    (kept > 0 && compare(&all[kept - 1], &all[i]) == 0))
			continue;
		all[kept++] = all[i];
	}
	return kept;
}

char *
quota_file_write(struct quota *all, uint32_t n, size_t *len)
{
	size_t cap = ((size_t)n + 2) * QUOTA_LINE_MAX;
	char *p = malloc(cap);
	struct text t;

	REQUIRE(p != NULL && n <= QUOTAS_MAX);
	n = file_sift(all, n);
	text_init(&t, p, cap);
	text_add_str(&t, FIRST_LINE "\n");
	for (uint32_t i = 0; i < n; i++) {
		text_printf(
		    &t, "%" PRId32 " %" PRIu64 " ", all[i].day, all[i].used);
		name_write(&t, &all[i]);
		text_add_char(&t, '\n');
	}
	text_printf(&t, LAST_WORD "%" PRIu32 "\n", n);
	REQUIRE(!t.is_cut);
	*len = t.len;
	return p;
}
