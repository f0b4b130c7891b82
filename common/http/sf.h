/* http/sf: Structured Fields (RFC 9651), strictly: what the RFC's parsing
 * algorithms fail on is refused. Dictionaries are read member by member; the
 * text of a member is borrowed from the field. Pure. */
#ifndef GH_SF_H
#define GH_SF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

enum sf_type {
	SF_INTEGER, /* number: -999999999999999 .. 999999999999999 */
	SF_DECIMAL, /* number: thousandths */
	SF_STRING, /* text: between the quotes, escapes as they came */
	SF_TOKEN, /* text */
	SF_BYTES, /* text: the base64 between the colons */
	SF_BOOLEAN, /* number: 0 or 1 */
	SF_DATE, /* number: seconds since 1970 */
	SF_DISPLAY, /* text: between the quotes, percent-encoded UTF-8 */
	SF_INNER_LIST /* text: between the parentheses; its items are checked */
};

struct sf_member {
	span key;
	enum sf_type type;
	int64_t number;
	span text;
};

enum sf_rc {
	SF_OK, /* *out holds a member */
	SF_END, /* all were read, or there was none */
	SF_BAD /* the whole field is to be ignored */
};

struct sf_dict {
	span rest;
	bool is_begun; /* a member was read */
};

/* `value` is one field line's; blanks around it are allowed. */
void sf_dict_init(struct sf_dict *d, span value);
/* The next member; its parameters are checked and skipped. Several members may
 * have one key: the last counts (RFC 9651 3.2), which is the caller's to do. A
 * member without a value is the Boolean true. After SF_BAD and SF_END there is
 * nothing more to ask. Strings do not reach over lines. */
enum sf_rc sf_dict_next(struct sf_dict *d, struct sf_member *out);

/* A field that is one Item (RFC 9651 3.3): its value, whose parameters are checked
 * and skipped; the key of *out is empty. */
bool sf_item_read(span value, struct sf_member *out);

/* Write `s` as a String (RFC 9651 4.1.6) with its quotes. Returns the bytes
 * written, at most 2 + 2 * s.len; 0 when they are more than `cap` or a byte is
 * not printable ASCII. */
size_t sf_write_string(span s, char *out, size_t cap);
/* Whether `s` is a Token (RFC 9651 3.3.4). */
bool sf_is_token(span s);

#endif
