/* exch/field_rule: what request_header, response_header and hide_header do to
 * the fields of a message. Nothing that frames a message, belongs to one
 * connection or says who is asked can be touched, and no value can end a
 * line. */
#ifndef GH_FIELD_RULE_H
#define GH_FIELD_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "common/http/msg.h"
#include "worker/exch/tmpl.h"

struct exch;

struct field_rule {
	enum conf_header what;
	enum conf_key key; /* of the line it is from */
	enum field_id id; /* FIELD_OTHER: by name */
	span name;
	struct tmpl value;
	struct place at;
};

/* Several, in the order in which they are applied. */
struct field_rules {
	const struct field_rule *const *at;
	uint32_t n;
};

/* From a line of request_header or response_header. false with a message. */
bool field_rule_prepare(struct field_rule *r, struct arena *a,
    const struct conf_value *v, struct diag *d);
/* The removal of what a word of hide_header names. */
bool field_rule_prepare_hidden(struct field_rule *r, const struct conf_value *v,
    uint32_t word, struct diag *d);

/* Keep them in another arena; the rules themselves stay where they are. */
void field_rules_copy(struct field_rules *rs, struct arena *a);
/* Change the fields of one of the exchange's messages. */
void field_rules_apply(
    const struct field_rules *rs, struct exch *x, struct http_fields *f);

#endif
