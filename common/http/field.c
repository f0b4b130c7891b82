/* http/field: names of fields as small integers. A name is found by its length
 * and then by its first and last eight bytes; rows of one length stand together
 * in field.def, and there are few of them. */
#include "common/http/msg.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"

/* Longest name of field.def and its NUL. */
#define NAME_CAP 40

enum {
	HOP = FIELD_F_HOP,
	SINGLE = FIELD_F_SINGLE,
	NOMINATE_BAD = FIELD_F_NOMINATE_BAD,
	NO_TRAILER = FIELD_F_NO_TRAILER,
	NOT_STORED = FIELD_F_NOT_STORED,
	OF_CONTENT = FIELD_F_OF_CONTENT,
	METADATA = FIELD_F_METADATA
};

struct field_row {
	char name[NAME_CAP];
	uint8_t len;
	uint8_t flags;
};

static const struct field_row rows[FIELD_N] = {
#define FIELD(id, name, flags) [FIELD_##id] = {name, sizeof(name) - 1, flags},
#include "common/http/field.def"
#undef FIELD
};

/* The last row of each length, 0 when there is none. A later initializer of an
 * element replaces the earlier (C11 6.7.9), which is what makes it the last. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const uint16_t last_of_len[NAME_CAP] = {
#define FIELD(id, name, flags) [sizeof(name) - 1] = FIELD_##id,
#include "common/http/field.def"
#undef FIELD
};
#pragma GCC diagnostic pop

#define WORD sizeof(uint64_t)
#define HALF sizeof(uint32_t)

/* All bytes of a name of 1 .. 8 bytes in one word; names of one length give
 * equal words only when they are equal. */
static inline uint64_t
word_of_short(const char *p, size_t len)
{
	if (len >= HALF)
		return u32_load(p) | (uint64_t)u32_load(p + len - HALF) << 32;
	return (uint8_t)p[0] | (unsigned)(uint8_t)p[len / 2] << 8 |
	       (unsigned)(uint8_t)p[len - 1] << 16;
}

static enum field_id
lookup_short(span name, unsigned id)
{
	uint64_t word = ascii_lower_word(word_of_short(name.p, name.len));

	for (; rows[id].len == name.len; id--)
		if (word_of_short(rows[id].name, name.len) == word)
			return (enum field_id)id;
	return FIELD_OTHER;
}

/* The bytes between the first and the last eight. */
static bool
is_middle_equal(span name, const char *row_name)
{
	for (size_t i = WORD; i + WORD < name.len; i += WORD)
		if (ascii_lower_word(u64_load(name.p + i)) !=
		    u64_load(row_name + i))
			return false;
	return true;
}

static enum field_id
lookup_long(span name, unsigned id)
{
	size_t tail_at = name.len - WORD;
	uint64_t head = ascii_lower_word(u64_load(name.p));
	uint64_t tail = ascii_lower_word(u64_load(name.p + tail_at));

	for (; rows[id].len == name.len; id--)
		if (u64_load(rows[id].name) == head &&
		    u64_load(rows[id].name + tail_at) == tail &&
		    is_middle_equal(name, rows[id].name))
			return (enum field_id)id;
	return FIELD_OTHER;
}

enum field_id
field_lookup(span name)
{
	unsigned id;

	if (name.len == 0 || name.len >= NAME_CAP)
		return FIELD_OTHER;
	/* row 0 has length 0 and ends the walk downwards */
	id = last_of_len[name.len];
	if (id == 0)
		return FIELD_OTHER;
	return name.len > WORD ? lookup_long(name, id) : lookup_short(name, id);
}

span
field_name(enum field_id id)
{
	REQUIRE(id > FIELD_OTHER && id < FIELD_N);
	return span_of(rows[id].name, rows[id].len);
}

unsigned
field_flags(enum field_id id)
{
	REQUIRE(id < FIELD_N);
	return rows[id].flags;
}
