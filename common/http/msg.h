/* http/msg: one request or response in a form that no wire version shapes:
 * method, scheme, authority, path and status stand beside the fields; field
 * names that the code knows are small integers. All text is borrowed: it lives
 * as long as the exchange (wire bytes copied into its arena, constants, arena
 * text). */
#ifndef GH_MSG_H
#define GH_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/span.h"

enum field_id {
	FIELD_OTHER = 0, /* not in field.def */
#define FIELD(id, name, flags) FIELD_##id,
#include "common/http/field.def"
#undef FIELD
	FIELD_N
};

enum {
	FIELD_F_HOP = 1,
	FIELD_F_SINGLE = 2,
	FIELD_F_NOMINATE_BAD = 4,
	FIELD_F_NO_TRAILER = 8,
	FIELD_F_NOT_STORED = 16,
	FIELD_F_OF_CONTENT = 32,
	FIELD_F_METADATA = 64
};

enum http_method {
	METHOD_OTHER = 0, /* a token that is none of these */
#define METHOD(id, name, flags) METHOD_##id,
#include "common/http/method.def"
#undef METHOD
	METHOD_N
};

struct http_field {
	span name; /* as it came; compare by id or without case */
	span value; /* trimmed */
	uint16_t id; /* enum field_id */
	bool is_gone; /* removed; skipped by all readers */
};

struct http_fields {
	struct http_field *at;
	uint32_t n; /* including those that are gone */
	uint32_t cap;
	uint64_t present[(FIELD_N + 63) / 64]; /* may say yes for one gone */
};

enum http_version { HTTP_1_0 = 10, HTTP_1_1 = 11, HTTP_2 = 20 };

/* Which form a request's target had (RFC 9112 3.2). */
enum target_form {
	TARGET_ORIGIN, /* /path?query */
	TARGET_ABSOLUTE, /* scheme://authority/path?query */
	TARGET_AUTHORITY, /* host:port, CONNECT only */
	TARGET_ASTERISK /* *, OPTIONS only */
};

/* How long the content is. */
enum http_length {
	LENGTH_NONE, /* no content at all */
	LENGTH_KNOWN, /* `length` bytes */
	LENGTH_OPEN /* until its end is told (chunked, h2, close) */
};

struct http_msg {
	struct http_fields fields;
	struct http_fields trailers;
	enum http_version version; /* of the wire it came from */
	enum http_length body;
	uint64_t length; /* with LENGTH_KNOWN */

	/* requests */
	enum http_method method;
	span method_text;
	span raw_target; /* as on the wire */
	enum target_form form;
	span scheme; /* "http"; empty when the wire told none */
	span authority; /* host[:port], target before Host (RFC 9112 3.2.2) */
	span host; /* authority without port, brackets kept off */
	uint16_t port; /* 0: none told */
	span path; /* raw, begins with '/', or "*" */
	span query; /* raw, without '?' */
	bool has_query;
	span protocol; /* of an extended CONNECT (RFC 8441); empty: none */

	/* responses */
	uint16_t status; /* 100 .. 999 */
	span reason;

	/* what the wire's connection rules said (h1) */
	bool want_close; /* the sender ends the connection after this one */
	bool want_upgrade; /* Connection names upgrade */
	bool want_continue; /* Expect: 100-continue */
};

/* The id of a name, FIELD_OTHER when it is not in the table. */
enum field_id field_lookup(span name);
/* Lower-case name of an id (not FIELD_OTHER). */
span field_name(enum field_id id);
unsigned field_flags(enum field_id id);

enum http_method method_lookup(span text);
span method_name(enum http_method m);
/* RFC 9110 9.2.1 and 9.2.2; unknown methods are neither. */
bool method_is_safe(enum http_method m);
bool method_is_idempotent(enum http_method m);
/* Reason phrase of a status, empty when unknown. */
span status_reason(unsigned status);
/* Whether a cache may give a lifetime to a response that tells none (RFC 9110
 * 15.1). */
bool status_is_heuristic(unsigned status);

/* An empty table that grows in the arena when `cap` was not enough. */
void fields_init(struct http_fields *f, struct arena *a, uint32_t cap);
/* Append; name and value are borrowed. */
void fields_add(struct http_fields *f, struct arena *a, span name, span value);
void fields_add_id(
    struct http_fields *f, struct arena *a, enum field_id id, span value);
/* More room; for fields_add_known() alone. */
void fields_grow(struct http_fields *f, struct arena *a);

/* Append a field whose name was already looked up: id is field_lookup(name). */
static inline void
fields_add_known(struct http_fields *f, struct arena *a, enum field_id id,
    span name, span value)
{
	struct http_field *fld;

	if (f->n == f->cap)
		fields_grow(f, a);
	fld = &f->at[f->n++];
	fld->name = name;
	fld->value = value;
	fld->id = (uint16_t)id;
	fld->is_gone = false;
	f->present[id / 64] |= (uint64_t)1 << (id % 64);
}

/* First field of that id (not FIELD_OTHER) or NULL. */
struct http_field *fields_find(const struct http_fields *f, enum field_id id);
/* The next of the same id after `prev`, or NULL. */
struct http_field *fields_next(
    const struct http_fields *f, const struct http_field *prev);
/* First field of a name, known or not, or NULL. */
struct http_field *fields_find_name(const struct http_fields *f, span name);
/* Take all fields of that id or name out. Returns how many. */
uint32_t fields_del(struct http_fields *f, enum field_id id);
uint32_t fields_del_name(struct http_fields *f, span name);
/* Mark as gone what is told of the bytes of the content (RFC 9530 2, 3, and what
 * was there before it). */
void fields_del_digests(struct http_fields *f);
/* Leave exactly one field of that id with that value. */
void fields_set(
    struct http_fields *f, struct arena *a, enum field_id id, span value);
/* All values of the id as one list joined by ", " (RFC 9110 5.3), those of
 * Cookie by "; " (RFC 9113 8.2.3): the value itself when there is one, arena
 * text when several; p == NULL when none. Not for Set-Cookie. */
span fields_joined(
    const struct http_fields *f, enum field_id id, struct arena *a);
/* Whether a list-valued field holds the token, without case. */
bool fields_has_token(
    const struct http_fields *f, enum field_id id, span token);

/* Path and query of a request as one text, borrowed where they stand so, else
 * in the arena. */
span msg_uri(const struct http_msg *m, struct arena *a);

/* Copy what is not gone, text and all, into the arena. */
void fields_copy(
    struct http_fields *to, const struct http_fields *from, struct arena *a);
/* A whole message likewise. */
void msg_copy(
    struct http_msg *to, const struct http_msg *from, struct arena *a);

/* An empty table may have no memory at all (at == NULL). */
#define fields_foreach(fld, f) \
	for (struct http_field *fld = (f)->at; \
	     fld != NULL && fld < (f)->at + (f)->n; fld++) \
		if (!fld->is_gone)

#endif
