/* http/h1_chunk: the chunked transfer coding (RFC 9112 7.1). A decoder that
 * takes bytes however they are cut and gives content away without copying, and
 * the line that a writer puts before a chunk. */
#include "common/http/h1.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"

#define SIZE_DIGITS_MAX 16

enum chunk_state {
	CHUNK_SIZE, /* digits of the size; also the start */
	CHUNK_BLANK, /* blanks before an extension */
	CHUNK_EXT,
	CHUNK_SIZE_LF, /* CR of the size line was read */
	CHUNK_CONTENT,
	CHUNK_CR, /* behind the content */
	CHUNK_LF,
	CHUNK_END,
	CHUNK_BROKEN
};

static enum chunk_state
take_digit(struct h1_chunk *c, int digit)
{
	if (c->line_len++ == SIZE_DIGITS_MAX || c->left > INT64_MAX >> 4)
		return CHUNK_BROKEN;
	c->left = c->left << 4 | (uint64_t)digit;
	return CHUNK_SIZE;
}

/* The byte behind the size. */
static enum chunk_state
end_size(struct h1_chunk *c, char byte)
{
	if (c->line_len == 0)
		return CHUNK_BROKEN;
	c->line_len = 0;
	if (byte == '\r')
		return CHUNK_SIZE_LF;
	if (!c->may_have_ext)
		return CHUNK_BROKEN;
	if (char_is_blank(byte))
		return CHUNK_BLANK;
	return byte == ';' ? CHUNK_EXT : CHUNK_BROKEN;
}

static enum chunk_state
take_ext(struct h1_chunk *c, enum chunk_state state, char byte)
{
	if (c->line_len++ == H1_CHUNK_EXT_MAX)
		return CHUNK_BROKEN;
	if (state == CHUNK_EXT && byte == '\r')
		return CHUNK_SIZE_LF;
	if (!char_is(byte, CHAR_VALUE))
		return CHUNK_BROKEN;
	if (state == CHUNK_EXT || byte == ';')
		return CHUNK_EXT;
	return char_is_blank(byte) ? CHUNK_BLANK : CHUNK_BROKEN;
}

/* One byte that is not content. */
static enum chunk_state
take_byte(struct h1_chunk *c, char byte)
{
	enum chunk_state state = (enum chunk_state)c->state;
	int digit;

	switch (state) {
	case CHUNK_SIZE:
		digit = char_hex(byte);
		return digit >= 0 ? take_digit(c, digit) : end_size(c, byte);
	case CHUNK_BLANK:
	case CHUNK_EXT:
		return take_ext(c, state, byte);
	case CHUNK_SIZE_LF:
		if (byte != '\n')
			return CHUNK_BROKEN;
		return c->left > 0 ? CHUNK_CONTENT : CHUNK_END;
	case CHUNK_CR:
		return byte == '\r' ? CHUNK_LF : CHUNK_BROKEN;
	case CHUNK_LF:
		c->line_len = 0;
		return byte == '\n' ? CHUNK_SIZE : CHUNK_BROKEN;
	case CHUNK_CONTENT:
	case CHUNK_END:
	case CHUNK_BROKEN:
		break;
	}
	UNREACHED();
}

static void
take_content(struct h1_chunk *c, span in, size_t *used, span *data)
{
	size_t len = (size_t)u64_min(c->left, in.len - *used);

	*data = span_of(in.p + *used, len);
	*used += len;
	c->left -= len;
	if (c->left == 0)
		c->state = CHUNK_CR;
}

enum h1_chunk_rc
h1_chunk_step(struct h1_chunk *c, span in, size_t *used, span *data)
{
	*used = 0;
	for (;;) {
		if (c->state == CHUNK_BROKEN)
			return H1_CHUNK_BAD;
		if (c->state == CHUNK_END)
			return H1_CHUNK_LAST;
		if (*used == in.len)
			return H1_CHUNK_MORE;
		if (c->state == CHUNK_CONTENT) {
			take_content(c, in, used, data);
			return H1_CHUNK_DATA;
		}
		c->state = (uint16_t)take_byte(c, in.p[(*used)++]);
	}
}

size_t
h1_chunk_line(uint64_t n, char out[H1_CHUNK_LINE_CAP])
{
	size_t len;

	REQUIRE(n > 0);
	len = u64_format_hex(n, out);
	out[len++] = '\r';
	out[len++] = '\n';
	return len;
}
