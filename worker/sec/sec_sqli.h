/* sec_sqli: what the two halves of detectSQLi share: tokens of SQL. */
#ifndef GH_SEC_SQLI_H
#define GH_SEC_SQLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* Classes of tokens, with the letter that a fingerprint has for them. */
enum sqli_class {
	SQLI_STOP = '.', /* the end */
	SQLI_ODD = '?', /* what no statement has */
	SQLI_NAME = 'n',
	SQLI_NUMBER = '1',
	SQLI_STRING = 's',
	SQLI_VARIABLE = 'v', /* @a, and words that are values */
	SQLI_CALL = 'f', /* a function that is known, with its bracket behind */
	SQLI_DELAY = 'd', /* the same, that takes its time */
	SQLI_OPEN = '(',
	SQLI_CLOSE = ')',
	SQLI_COMMA = ',',
	SQLI_SEMICOLON = ';',
	SQLI_STAR = '*',
	SQLI_SIGN = '+', /* + - ~ !: before a value or between two */
	SQLI_BINARY = 'o', /* operators between two values */
	SQLI_COMPARE = '=',
	SQLI_IN = 'i',
	SQLI_BETWEEN = 'm',
	SQLI_LOGIC = '&',
	SQLI_NOT = '!',
	SQLI_COMMENT = 'c', /* one that goes on to the end */
	SQLI_EACH = 'a', /* all, distinct: behind select and union */
	SQLI_AS = 't',
	SQLI_SELECT = 'e',
	SQLI_UNION = 'u',
	SQLI_FROM = 'r',
	SQLI_WHERE = 'w',
	SQLI_CLAUSE = 'k',
	SQLI_SORT = 'b', /* order by, group by */
	SQLI_BY = 'y',
	SQLI_AFTER = 'z', /* asc, desc */
	SQLI_CASE = 'q',
	SQLI_WHEN = 'j',
	SQLI_END = 'x',
	SQLI_VERB = 'p', /* begins a statement */
	SQLI_OBJECT = 'g', /* table, database: what a verb is about */
	SQLI_VALUE = 'l' /* of the table: a value without a bracket */
};

struct sqli_token {
	enum sqli_class class;
	span text; /* of strings: what is inside */
	bool is_open; /* a string or a comment that has no end */
};

struct sqli_lexer {
	span in;
	size_t at;
	enum sqli_class last; /* class of the token before */
	bool is_quoted; /* the text began inside of a string */
};

/* The next token. */
struct sqli_token sqli_next(struct sqli_lexer *l);
/* The text as far as the quote that ends the string it began in, as a token;
 * `quote` is there. */
struct sqli_token sqli_rest_of_string(struct sqli_lexer *l, char quote);

/* Whether there is a comment that MySQL of some version reads, and that is one to
 * others: no text for people has it. */
bool sqli_has_versioned_comment(span text);

/* What stands before a verb. */
enum sqli_before {
	SQLI_BEHIND_NOTHING,
	SQLI_BEHIND_VALUE,
	SQLI_BEHIND_SEMICOLON
};

/* sec_sqli_verb.c: what follows, without moving on. `is_apart`: behind a value,
 * where prose does not get. */

/* The class of the nth token from here, the next one being 1. */
enum sqli_class sqli_ahead(struct sqli_lexer l, unsigned n);
/* Behind UNION: whether a select follows that selects something. */
bool sqli_is_union(struct sqli_lexer l, bool is_apart);
/* Behind SELECT: whether what it selects is no prose. */
bool sqli_is_select(struct sqli_lexer l, bool is_apart);
/* Behind a verb: whether it is a statement. */
bool sqli_is_statement(
    struct sqli_lexer l, struct sqli_token verb, enum sqli_before before);

static inline bool
sqli_is_literal(enum sqli_class kind)
{
	return kind == SQLI_NUMBER || kind == SQLI_STRING ||
	       kind == SQLI_VARIABLE;
}

static inline bool
sqli_is_call(enum sqli_class kind)
{
	return kind == SQLI_CALL || kind == SQLI_DELAY;
}

/* Whether a class is one of those whose letters stand in `set`. */
static inline bool
sqli_is_one_of(enum sqli_class kind, const char *set)
{
	return strchr(set, (int)kind) != NULL;
}

static inline bool
sqli_is_word(struct sqli_token t, const char *word)
{
	return span_ieq(t.text, span_str(word));
}

#endif
