/* sec_unicode: the map of code points to bytes of SecUnicodeMapFile. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/linefile.h"
#include "common/http/chars.h"
#include "worker/sec/sec_trans.h"

#define CODE_DIGITS 4
#define BYTE_DIGITS 2

/* Hexadecimal digits, exactly `n` of them. */
static bool
read_hex(span s, size_t n, unsigned *out)
{
	*out = 0;
	if (s.len != n || !chars_all(s, CHAR_HEX))
		return false;
	for (size_t i = 0; i < n; i++)
		*out = *out << 4 | (unsigned)char_hex(s.p[i]);
	return true;
}

/* A line of pairs "00a0:20". */
static void
read_pairs(struct sec_unicode *map, struct linefile *f, span line)
{
	span word;

	while (span_word(&line, &word)) {
		span rest = word;
		unsigned code;
		unsigned byte;
		span first;

		if (span_cut(&rest, ':', &first) &&
		    read_hex(first, CODE_DIGITS, &code) &&
		    read_hex(rest, BYTE_DIGITS, &byte)) {
			map->to[code] = (uint8_t)byte;
			continue;
		}
		linefile_error(f, word,
		    "\"%.*s\" is no pair of a code point and a byte like "
		    "00a0:20",
		    SPAN_FMT(word));
	}
}

/* A line with a name in brackets begins a map; its number stands in front, if
 * it has one. */
static bool
is_head(span line)
{
	return span_chr(line, '(') >= 0;
}

static bool
is_of_page(span line, uint32_t code_page)
{
	uint64_t number;
	span word;

	return span_word(&line, &word) && span_u64(word, UINT32_MAX, &number) &&
	       number == code_page;
}

static bool
read_map(struct sec_unicode *map, uint32_t code_page, struct linefile *f)
{
	bool is_mine = false;
	bool is_found = false;
	span line;

	while (linefile_next(f, &line)) {
		if (is_head(line)) {
			is_mine = is_of_page(line, code_page);
			is_found = is_found || is_mine;
		} else if (is_mine) {
			read_pairs(map, f, line);
		}
	}
	return is_found;
}

struct sec_unicode *
sec_unicode_new(
    const char *path, uint32_t code_page, struct place at, struct diag *d)
{
	struct sec_unicode *map;
	struct linefile f;
	bool is_good;

	if (!linefile_open(&f, path, LINEFILE_COMMENT, at, d))
		return NULL;
	map = calloc(1, sizeof(*map));
	REQUIRE(map != NULL);
	is_good = read_map(map, code_page, &f);
	if (!is_good)
		diag_error(d, at, "%s has no map of code page %u", path,
		    (unsigned)code_page);
	is_good = is_good && f.n_errors == 0;
	linefile_close(&f);
	if (is_good)
		return map;
	sec_unicode_free(map);
	return NULL;
}

void
sec_unicode_free(struct sec_unicode *map)
{
	free(map);
}
