/* bench/wire: reads heads and bodies for bench/origin and bench/load. Lenient
 * where a proxy must be strict, since both peers are ours or under test;
 * bounded everywhere. RFC 9112. */
#include "bench/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Larger than any body here, small enough that no sum overflows. */
#define BODY_MAX ((uint64_t)1 << 48)

static bool
name_is(const char *line, size_t name_len, const char *name)
{
	return name_len == strlen(name) &&
	       strncasecmp(line, name, name_len) == 0;
}

static bool
value_has(const char *value, size_t len, const char *word)
{
	size_t n = strlen(word), i;

	for (i = 0; i + n <= len; i++)
		if (strncasecmp(value + i, word, n) == 0)
			return true;
	return false;
}

static bool
read_length(const char *value, size_t len, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9' || v > BODY_MAX)
			return false;
		v = v * 10 + (uint64_t)(value[i] - '0');
	}
	*out = v;
	return len > 0;
}

static bool
read_field(const char *line, size_t len, struct wire_head *out)
{
	const char *colon = memchr(line, ':', len);
	const char *value;
	size_t name_len, value_len;

	if (colon == NULL)
		return false;
	name_len = (size_t)(colon - line);
	value = colon + 1;
	value_len = len - name_len - 1;
	while (value_len > 0 && *value == ' ') {
		value++;
		value_len--;
	}
	if (name_is(line, name_len, "content-length")) {
		out->has_length = true;
		return read_length(value, value_len, &out->length);
	}
	if (name_is(line, name_len, "transfer-encoding"))
		out->is_chunked = value_has(value, value_len, "chunked");
	else if (name_is(line, name_len, "connection"))
		out->want_close = value_has(value, value_len, "close");
	return true;
}

enum wire_rc
wire_head(const char *in, size_t len, struct wire_head *out)
{
	const char *end = memmem(in, len, "\r\n\r\n", 4);
	const char *line, *eol;

	if (end == NULL)
		return len >= WIRE_HEAD_MAX ? WIRE_BAD : WIRE_MORE;
	memset(out, 0, sizeof(*out));
	out->len = (size_t)(end - in) + 4;
	line = (const char *)memmem(in, out->len, "\r\n", 2) + 2;
	for (; line < end + 2; line = eol + 2) {
		eol = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
		if (!read_field(line, (size_t)(eol - line), out))
			return WIRE_BAD;
	}
	return WIRE_OK;
}

void
wire_body_init(struct wire_body *b, const struct wire_head *head)
{
	memset(b, 0, sizeof(*b));
	if (head->is_chunked) {
		b->state = WIRE_BODY_SIZE;
		return;
	}
	b->left = head->has_length ? head->length : 0;
	b->state = b->left > 0 ? WIRE_BODY_LENGTH : WIRE_BODY_DONE;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* `mark` counts the digits of the size. */
static void
feed_size(struct wire_body *b, char c)
{
	int digit = hex_digit(c);

	if (digit >= 0 && b->left < BODY_MAX) {
		b->left = b->left * 16 + (uint64_t)digit;
		b->mark++;
	} else if (b->mark > 0 && (c == '\r' || c == ';' || c == ' ')) {
		b->state = WIRE_BODY_SIZE_END;
	} else {
		b->state = WIRE_BODY_BAD;
	}
}

static void
feed_mark(struct wire_body *b, char c)
{
	switch (b->state) {
	case WIRE_BODY_SIZE:
		feed_size(b, c);
		break;
	case WIRE_BODY_SIZE_END:
		if (c != '\n')
			break;
		b->state = b->left > 0 ? WIRE_BODY_DATA : WIRE_BODY_TRAILER;
		b->mark = 0;
		break;
	case WIRE_BODY_DATA_END:
		if (c == '\n')
			b->state = WIRE_BODY_SIZE;
		else if (c != '\r')
			b->state = WIRE_BODY_BAD;
		break;
	case WIRE_BODY_TRAILER: /* `mark` counts the bytes of the line */
		if (c != '\n')
			b->mark += c != '\r';
		else if (b->mark == 0)
			b->state = WIRE_BODY_DONE;
		else
			b->mark = 0;
		break;
	case WIRE_BODY_LENGTH:
	case WIRE_BODY_DATA:
	case WIRE_BODY_DONE:
	case WIRE_BODY_BAD:
		break;
	}
}

static size_t
feed_data(struct wire_body *b, size_t len)
{
	size_t n = len < b->left ? len : (size_t)b->left;

	b->left -= n;
	b->total += n;
	if (b->left == 0)
		b->state = b->state == WIRE_BODY_LENGTH ? WIRE_BODY_DONE
							: WIRE_BODY_DATA_END;
	return n;
}

size_t
wire_body_feed(struct wire_body *b, const char *in, size_t len)
{
	size_t at = 0;

	while (at < len) {
		if (b->state == WIRE_BODY_DONE || b->state == WIRE_BODY_BAD)
			break;
		if (b->state == WIRE_BODY_LENGTH || b->state == WIRE_BODY_DATA)
			at += feed_data(b, len - at);
		else
			feed_mark(b, in[at++]);
	}
	return at;
}

bool
sock_address(const char *text, struct sockaddr_in *out)
{
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN];

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	memset(out, 0, sizeof(*out));
	out->sin_family = AF_INET;
	out->sin_port =
	    htons((uint16_t)arg_number("port", colon + 1, UINT16_MAX));
	return inet_pton(AF_INET, host, &out->sin_addr) == 1;
}

uint64_t
arg_number(const char *what, const char *text, uint64_t max)
{
	uint64_t v = 0;

	if (!read_length(text, strlen(text), &v) || v > max) {
		(void)fprintf(stderr, "%s: '%s' is no number up to %llu\n",
		    what, text, (unsigned long long)max);
		exit(2);
	}
	return v;
}

int
cpu_pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}
