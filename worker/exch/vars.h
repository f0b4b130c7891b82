/* exch/vars: the run-time variables of an exchange, one table (vars.def) for
 * log formats, redirects, answers and whatever else is a template. */
#ifndef GH_VARS_H
#define GH_VARS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/diag.h"
#include "common/base/ip.h"
#include "common/base/span.h"
#include "common/http/msg.h"

struct exch;

enum var_id {
#define VAR(id, name, kind, arg, when, doc) VAR_##id,
#include "worker/exch/vars.def"
#undef VAR
	VAR_N
};

enum var_kind {
	VAR_KIND_TEXT,
	VAR_KIND_NAME,
	VAR_KIND_ADDRESS,
	VAR_KIND_NUMBER,
	VAR_KIND_SIZE,
	VAR_KIND_SECONDS,
	VAR_KIND_MILLIS
};

/* Points in the life of an exchange, in their order. */
enum var_when { VAR_WHEN_REQUEST, VAR_WHEN_RESPONSE, VAR_WHEN_END };

/* A piece of the configuration that names variables. */
struct var_src {
	span text;
	struct place at; /* where it begins */
	enum var_when when; /* it is read: what is known later is an error */
};

/* A variable as a template names it. */
struct var {
	enum var_id id;
	enum field_id field; /* of a field name that the code knows */
	span arg; /* what stands behind the colon */
};

/* Room that var_get() may need for a number or an address. */
#define VAR_SCRATCH 64

/* Read what stands between the braces ("header:X-A"); the text is borrowed by
 * *out. What is wrong goes to d at the source's place. */
bool var_parse(const struct var_src *src, struct var *out, struct diag *d);
/* The variable of that name. */
bool var_find(span name, enum var_id *out);
/* The name that a word may be a slip of, or NULL. */
const char *var_near(span word);
/* The place of `len` bytes of a source, `off` bytes into it. */
struct place var_src_place(const struct var_src *src, size_t off, size_t len);

/* The value now; empty when there is none. Points into the exchange, into
 * constants or into `scratch` (VAR_SCRATCH bytes). */
span var_get(struct exch *x, const struct var *v, char *scratch);

/* A walk over the values of a variable; zero to begin. */
struct var_walk {
	const struct http_field *at;
	bool is_begun;
	char scratch[VAR_SCRATCH];
};

/* The next value: a field has one for each of its lines, everything else has
 * one. What is not there has one that is empty. false: there is no more. */
bool var_next(
    struct exch *x, const struct var *v, struct var_walk *w, span *out);

/* The value of one whose kind is a number: bytes, milliseconds, or plain. false
 * when there is none. */
bool var_get_number(const struct exch *x, enum var_id id, uint64_t *out);
/* Its text, of at most VAR_SCRATCH bytes. Returns their number. */
size_t var_format_number(enum var_id id, uint64_t n, char *out);
/* The address of one of kind ADDRESS. false: a unix socket has none. */
bool var_get_ip(const struct exch *x, enum var_id id, struct ip *out);

const char *var_name(enum var_id id);
enum var_kind var_kind(enum var_id id);
/* It has no value before somebody has said who the request is from. */
bool var_is_of_user(enum var_id id);
bool var_is_number(enum var_id id);
enum var_when var_when(enum var_id id);
const char *var_doc(enum var_id id);
/* Whether the name takes something behind a colon. */
bool var_takes_arg(enum var_id id);

#endif
