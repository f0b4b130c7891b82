/* sec_names: the words of the rule language as numbers, from their tables. */
#ifndef GH_SEC_NAMES_H
#define GH_SEC_NAMES_H

#include <stdbool.h>

#include "common/base/span.h"

enum sec_var {
#define SEC_VAR(id, name, shape) SEC_VAR_##id,
#define SEC_VAR_ALIAS(id, name)
#include "worker/sec/sec_var.def"
#undef SEC_VAR
#undef SEC_VAR_ALIAS
	SEC_N_VARS
};

enum sec_trans {
#define SEC_TRANS(id, name, num, den) SEC_TRANS_##id,
#define SEC_TRANS_ALIAS(id, name)
#include "worker/sec/sec_trans.def"
#undef SEC_TRANS
#undef SEC_TRANS_ALIAS
	SEC_N_TRANS
};

enum sec_op {
#define SEC_OP(id, name, argument) SEC_OP_##id,
#define SEC_OP_ALIAS(id, name)
#include "worker/sec/sec_op.def"
#undef SEC_OP
#undef SEC_OP_ALIAS
	SEC_N_OPS
};

enum sec_shape {
	SEC_SHAPE_ONE,
	SEC_SHAPE_MANY,
	SEC_SHAPE_STORE,
	SEC_SHAPE_DOC
};

enum sec_argument {
	SEC_ARGUMENT_NONE,
	SEC_ARGUMENT_TEXT,
	SEC_ARGUMENT_READY,
	SEC_ARGUMENT_FILE,
	SEC_ARGUMENT_ASK
};

/* The index of the word that is `name` but for case, or -1. */
ptrdiff_t sec_word_find(span name, const char *const *words, size_t n);

/* By name, without case; false when there is none. */
bool sec_var_find(span name, enum sec_var *out);
bool sec_trans_find(span name, enum sec_trans *out);
bool sec_op_find(span name, enum sec_op *out);

const char *sec_var_name(enum sec_var v);
const char *sec_trans_name(enum sec_trans t);
const char *sec_op_name(enum sec_op o);

enum sec_shape sec_var_shape(enum sec_var v);
enum sec_argument sec_op_argument(enum sec_op o);

/* Whether a text holds a macro: "%{" and a letter. "%{2}" is a regex. */
bool sec_has_macros(span text);

/* The likely slip of an unknown word (diag_suggest), or NULL. */
const char *sec_var_suggest(span name);
const char *sec_trans_suggest(span name);
const char *sec_op_suggest(span name);

#endif
