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

#endif
