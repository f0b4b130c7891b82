/* conf/conf_table: the rows of the .def files as arrays, and finding in them.
 * Source of truth: conf_sections.def, conf_keys.def, conf_options.def. */
#include "common/conf/conf_int.h"

#include <assert.h>

#include "common/base/check.h"

const struct conf_type_row conf_types[CONF_TYPES] = {
#define SECTION(id, name, names, part, doc) \
	[CONF_##id] = {name, NAMES_##names, part, doc},
#include "common/conf/conf_sections.def"
#undef SECTION
};

#define IN(type) (1u << CONF_##type)
#define SCOPE (IN(DEFAULTS) | IN(SITE) | IN(ROUTE) | IN(RULE))

const struct conf_row conf_rows[CONF_KEYS] = {
#define KEY(id, name, sections, kind, deflt, min, max, part, doc) \
	[KEY_##id] = {name, sections, KIND_##kind, deflt, min, max, part, doc},
#include "common/conf/conf_keys.def"
#undef KEY
};

const struct conf_option_row conf_options[] = {
#define OPTION(key, name, kind, deflt, min, max, part, doc) \
	{KEY_##key, {name, 0, KIND_##kind, deflt, min, max, part, doc}},
#include "common/conf/conf_options.def"
#undef OPTION
};

const size_t conf_n_options = NELEMS(conf_options);

static_assert(CONF_TYPES <= 32, "a row's sections are bits of 32");

int
conf_type_find(span name)
{
	for (int i = 0; i < CONF_TYPES; i++) {
		if (span_eq(name, span_str(conf_types[i].name)))
			return i;
	}
	return -1;
}

bool
conf_is_in(enum conf_key key, enum conf_type type)
{
	return (conf_rows[key].sections & (1u << type)) != 0;
}

int
conf_key_find(enum conf_type type, span name)
{
	for (int i = 0; i < CONF_KEYS; i++) {
		if (conf_is_in((enum conf_key)i, type) &&
		    span_eq(name, span_str(conf_rows[i].name)))
			return i;
	}
	return -1;
}

const struct conf_option_row *
conf_option_find(enum conf_key key, span name)
{
	for (size_t i = 0; i < NELEMS(conf_options); i++) {
		if (conf_options[i].key == key &&
		    span_eq(name, span_str(conf_options[i].row.name)))
			return &conf_options[i];
	}
	return NULL;
}

const char *
conf_type_suggest(span name)
{
	const char *names[CONF_TYPES];

	for (int i = 0; i < CONF_TYPES; i++)
		names[i] = conf_types[i].name;
	return diag_suggest(name, names, CONF_TYPES);
}

const char *
conf_key_suggest(enum conf_type type, span name)
{
	const char *names[CONF_KEYS];
	size_t n = 0;

	for (int i = 0; i < CONF_KEYS; i++) {
		if (conf_is_in((enum conf_key)i, type))
			names[n++] = conf_rows[i].name;
	}
	return diag_suggest(name, names, n);
}

const char *
conf_key_elsewhere(span name)
{
	for (int i = 0; i < CONF_TYPES; i++) {
		if (i != CONF_DEFAULTS &&
		    conf_key_find((enum conf_type)i, name) >= 0)
			return conf_types[i].name;
	}
	return NULL;
}

bool
conf_is_scalar(enum conf_kind kind)
{
	switch (kind) {
	case KIND_LIST:
	case KIND_LINES:
	case KIND_RAW:
	case KIND_CONDITION:
	case KIND_HEADER:
	case KIND_ORDERED:
		return false;
	case KIND_BOOL:
	case KIND_NUM:
	case KIND_DURATION:
	case KIND_SIZE:
	case KIND_RATE:
	case KIND_BANDWIDTH:
	case KIND_PERCENT:
	case KIND_TEXT:
	case KIND_SECRET:
	case KIND_PATH:
	case KIND_NAME:
	case KIND_ENUM:
		return true;
	}
	UNREACHED();
}

bool
conf_word_next(span *rest, span *word, unsigned *part)
{
	ptrdiff_t at;
	uint64_t n = 1;

	if (!span_word(rest, word))
		return false;
	at = span_chr(*word, '@');
	if (at >= 0) {
		REQUIRE(span_u64(span_from(*word, (size_t)at + 1), 99, &n));
		*word = span_first(*word, (size_t)at);
	}
	*part = (unsigned)n;
	return true;
}

int
conf_word_find(const char *words, span word, unsigned *part)
{
	span rest = span_str(words);
	span have;

	for (int i = 0; conf_word_next(&rest, &have, part); i++) {
		if (span_eq(have, word))
			return i;
	}
	return -1;
}

const char *
conf_key_name(enum conf_key k)
{
	REQUIRE((unsigned)k < CONF_KEYS);
	return conf_rows[k].name;
}

const char *
conf_type_name(enum conf_type t)
{
	REQUIRE((unsigned)t < CONF_TYPES);
	return conf_types[t].name;
}
