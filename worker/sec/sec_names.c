/* sec_names: see sec_names.h. Tables are searched from end to end: words are
 * resolved at load only, and a set has some ten thousand of them. */
#include "worker/sec/sec_names.h"

#include "common/base/diag.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Names first, aliases behind them. */
static const char *const var_names[] = {
#define SEC_VAR(id, name, shape) name,
#define SEC_VAR_ALIAS(id, name) name,
#include "worker/sec/sec_var.def"
#undef SEC_VAR
#undef SEC_VAR_ALIAS
};

static const uint8_t var_ids[] = {
#define SEC_VAR(id, name, shape) SEC_VAR_##id,
#define SEC_VAR_ALIAS(id, name) SEC_VAR_##id,
#include "worker/sec/sec_var.def"
#undef SEC_VAR
#undef SEC_VAR_ALIAS
};

static const uint8_t var_shapes[] = {
#define SEC_VAR(id, name, shape) SEC_SHAPE_##shape,
#define SEC_VAR_ALIAS(id, name)
#include "worker/sec/sec_var.def"
#undef SEC_VAR
#undef SEC_VAR_ALIAS
};

static const char *const trans_names[] = {
#define SEC_TRANS(id, name, num, den) name,
#define SEC_TRANS_ALIAS(id, name) name,
#include "worker/sec/sec_trans.def"
#undef SEC_TRANS
#undef SEC_TRANS_ALIAS
};

static const uint8_t trans_ids[] = {
#define SEC_TRANS(id, name, num, den) SEC_TRANS_##id,
#define SEC_TRANS_ALIAS(id, name) SEC_TRANS_##id,
#include "worker/sec/sec_trans.def"
#undef SEC_TRANS
#undef SEC_TRANS_ALIAS
};

static const char *const op_names[] = {
#define SEC_OP(id, name, argument) name,
#define SEC_OP_ALIAS(id, name) name,
#include "worker/sec/sec_op.def"
#undef SEC_OP
#undef SEC_OP_ALIAS
};

static const uint8_t op_ids[] = {
#define SEC_OP(id, name, argument) SEC_OP_##id,
#define SEC_OP_ALIAS(id, name) SEC_OP_##id,
#include "worker/sec/sec_op.def"
#undef SEC_OP
#undef SEC_OP_ALIAS
};

static const uint8_t op_arguments[] = {
#define SEC_OP(id, name, argument) SEC_ARGUMENT_##argument,
#define SEC_OP_ALIAS(id, name)
#include "worker/sec/sec_op.def"
#undef SEC_OP
#undef SEC_OP_ALIAS
};

ptrdiff_t
sec_word_find(span name, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_ieq(name, span_str(words[i])))
			return (ptrdiff_t)i;
	return -1;
}

bool
sec_var_find(span name, enum sec_var *out)
{
	ptrdiff_t i = sec_word_find(name, var_names, N_OF(var_names));

	if (i >= 0)
		*out = (enum sec_var)var_ids[i];
	return i >= 0;
}

bool
sec_trans_find(span name, enum sec_trans *out)
{
	ptrdiff_t i = sec_word_find(name, trans_names, N_OF(trans_names));

	if (i >= 0)
		*out = (enum sec_trans)trans_ids[i];
	return i >= 0;
}

bool
sec_op_find(span name, enum sec_op *out)
{
	ptrdiff_t i = sec_word_find(name, op_names, N_OF(op_names));

	if (i >= 0)
		*out = (enum sec_op)op_ids[i];
	return i >= 0;
}

const char *
sec_var_name(enum sec_var v)
{
	return var_names[v];
}

const char *
sec_trans_name(enum sec_trans t)
{
	return trans_names[t];
}

const char *
sec_op_name(enum sec_op o)
{
	return op_names[o];
}

enum sec_shape
sec_var_shape(enum sec_var v)
{
	return (enum sec_shape)var_shapes[v];
}

enum sec_argument
sec_op_argument(enum sec_op o)
{
	return (enum sec_argument)op_arguments[o];
}

const char *
sec_var_suggest(span name)
{
	return diag_suggest(name, var_names, N_OF(var_names));
}

const char *
sec_trans_suggest(span name)
{
	return diag_suggest(name, trans_names, N_OF(trans_names));
}

const char *
sec_op_suggest(span name)
{
	return diag_suggest(name, op_names, N_OF(op_names));
}

bool
sec_has_macros(span text)
{
	ptrdiff_t at;

	while ((at = span_find(text, SPAN_LIT("%{"))) >= 0) {
		text = span_from(text, (size_t)at + 2);
		if (text.len > 0 && ascii_lower(text.p[0]) >= 'a' &&
		    ascii_lower(text.p[0]) <= 'z')
			return true;
	}
	return false;
}
