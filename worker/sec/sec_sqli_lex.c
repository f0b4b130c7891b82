/* sec_sqli_lex: a text as tokens of SQL, of any of its dialects: what one of
 * them would read as a comment or a string is one here. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"
#include "worker/sec/sec_scan.h"
#include "worker/sec/sec_sqli.h"

/* Bytes of the longest word in the table, and one. */
#define WORD_CAP 28
/* Of MySQL in a comment: 50001 (MySQL Reference Manual, Comments). */
#define VERSION_DIGITS 5

static const struct {
	span text;
	enum sqli_class class;
} words[] = {
#define SQLI_WORD(text, class) {{text, sizeof(text) - 1}, SQLI_##class},
#include "worker/sec/sec_sqli.def"
#undef SQLI_WORD
};

static bool
is_white(char c)
{
	return sec_white(c) || c == '\0' || c == '\xa0';
}

static bool
is_letter(char c)
{
	return (uint8_t)((c | 0x20) - 'a') <= 'z' - 'a' || c == '_' ||
	       (uint8_t)c >= 0x80;
}

static bool
is_word(char c)
{
	return is_letter(c) || char_is_digit(c) || c == '$';
}

static char
ahead(const struct sqli_lexer *l, size_t n)
{
	return l->in.len - l->at > n ? l->in.p[l->at + n] : '\0';
}

static struct sqli_token
take(struct sqli_lexer *l, enum sqli_class class, size_t n)
{
	struct sqli_token t = {
	    .class = class, .text = span_of(l->in.p + l->at, n)};

	l->at += n;
	return t;
}

/* --- strings -------------------------------------------------------------- */

/* As far as the quote that ends it: not one behind a backslash, nor one of
 * two. */
struct sqli_token
sqli_rest_of_string(struct sqli_lexer *l, char quote)
{
	size_t begin = l->at;
	struct sqli_token t = {.class = SQLI_STRING, .is_open = true};

	while ((l->at = sec_chr(l->in, l->at, quote)) < l->in.len) {
		size_t n = 0;

		while (n < l->at - begin && l->in.p[l->at - 1 - n] == '\\')
			n++;
		if (n % 2 == 0 && ahead(l, 1) == quote)
			l->at++;
		else if (n % 2 == 0)
			break;
		l->at++;
	}
	t.text = span_of(l->in.p + begin, l->at - begin);
	if (l->at < l->in.len) {
		t.is_open = false;
		l->at++;
	}
	l->last = SQLI_STRING;
	return t;
}

static struct sqli_token
lex_string(struct sqli_lexer *l, char quote)
{
	l->at++;
	return sqli_rest_of_string(l, quote);
}

/* A name in quotes of its own. */
static struct sqli_token
lex_quoted_name(struct sqli_lexer *l, char end)
{
	size_t stop = sec_chr(l->in, l->at + 1, end);

	return take(l, SQLI_NAME, size_min(stop + 1, l->in.len) - l->at);
}

/* --- words and numbers ---------------------------------------------------- */

static enum sqli_class
word_class(span text)
{
	char room[WORD_CAP];
	span word = span_of(room, text.len);
	size_t low = 0;
	size_t high = NELEMS(words);

	if (text.len >= sizeof(room))
		return SQLI_NAME;
	ascii_lower_copy(room, text);
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = span_cmp(word, words[mid].text);

		if (order == 0)
			return words[mid].class;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return SQLI_NAME;
}

static bool
opens_bracket(const struct sqli_lexer *l, size_t at)
{
	while (at < l->in.len && is_white(l->in.p[at]))
		at++;
	return at < l->in.len && l->in.p[at] == '(';
}

/* What a word is where it stands: functions have a bracket behind them. */
static enum sqli_class
class_here(const struct sqli_lexer *l, enum sqli_class class, size_t end)
{
	switch ((unsigned)class) {
	case SQLI_CALL:
	case SQLI_DELAY:
		return opens_bracket(l, end) ? class : SQLI_NAME;
	case SQLI_OBJECT:
	case SQLI_VERB:
		/* user(), replace() */
		return opens_bracket(l, end) ? SQLI_CALL : class;
	case SQLI_VALUE:
		return opens_bracket(l, end) ? SQLI_CALL : SQLI_VARIABLE;
	default:
		return class;
	}
}

static struct sqli_token
lex_word(struct sqli_lexer *l)
{
	size_t n = 1;
	size_t first = 0;
	enum sqli_class class;

	while (is_word(ahead(l, n)) || ahead(l, n) == '.') {
		if (ahead(l, n) == '.' && first == 0)
			first = n;
		n++;
	}
	class = word_class(span_of(l->in.p + l->at, first > 0 ? first : n));
	/* select.1 is two words; of a.b and of dbms_pipe.receive_message() the
	 * first part says what it is */
	if (first > 0 && char_is_digit(ahead(l, first + 1)) &&
	    class != SQLI_NAME)
		n = first;
	else if (first > 0 && class != SQLI_CALL)
		class = SQLI_NAME;
	return take(l, class_here(l, class, l->at + n), n);
}

static size_t
digits(const struct sqli_lexer *l, size_t n)
{
	while (char_is_digit(ahead(l, n)))
		n++;
	return n;
}

static size_t
exponent(const struct sqli_lexer *l, size_t n)
{
	size_t sign = ahead(l, n + 1) == '+' || ahead(l, n + 1) == '-';

	if ((ahead(l, n) | 0x20) != 'e' ||
	    !char_is_digit(ahead(l, n + 1 + sign)))
		return n;
	return digits(l, n + 1 + sign);
}

/* A number may be joined with a word that goes on with the statement; other
 * words make a name of it. */
static struct sqli_token
lex_number(struct sqli_lexer *l)
{
	size_t n = digits(l, 0);
	size_t end;
	enum sqli_class class;

	if (ahead(l, 0) == '0' && (ahead(l, 1) | 0x20) == 'x') {
		for (n = 2; char_is(ahead(l, n), CHAR_HEX);)
			n++;
	} else {
		if (ahead(l, n) == '.')
			n = digits(l, n + 1);
		n = exponent(l, n);
	}
	for (end = n; is_word(ahead(l, end));)
		end++;
	class = word_class(span_of(l->in.p + l->at + n, end - n));
	if (end == n || class == SQLI_LOGIC || class == SQLI_UNION)
		return take(l, SQLI_NUMBER, n);
	return take(l, SQLI_NAME, end);
}

static struct sqli_token
lex_variable(struct sqli_lexer *l)
{
	size_t n = 1;

	while (ahead(l, n) == '@')
		n++;
	while (is_word(ahead(l, n)) || ahead(l, n) == '.')
		n++;
	return take(l, SQLI_VARIABLE, n);
}

/* --- comments and signs --------------------------------------------------- */

static struct sqli_token
rest_as_comment(struct sqli_lexer *l, size_t mark)
{
	struct sqli_token t;

	l->at += mark;
	t = take(l, SQLI_COMMENT, l->in.len - l->at);
	t.is_open = true;
	return t;
}

/* Pass over white space and comments that end. false: a comment that goes on
 * to the end begins here. */
static bool
skip(struct sqli_lexer *l)
{
	for (;;) {
		while (l->at < l->in.len && is_white(l->in.p[l->at]))
			l->at++;
		if (ahead(l, 0) == '*' && ahead(l, 1) == '/') {
			/* the end of one that MySQL reads */
			l->at += 2;
			continue;
		}
		if (ahead(l, 0) != '/' || ahead(l, 1) != '*')
			return true;
		if (ahead(l, 2) == '!') {
			for (l->at += 3; char_is_digit(ahead(l, 0));)
				l->at++;
			continue;
		}
		l->at += 2;
		for (;;) {
			l->at = sec_chr(l->in, l->at, '*');
			if (l->at == l->in.len) {
				return false;
			}
			l->at++;
			if (ahead(l, 0) == '/')
				break;
		}
		l->at++;
	}
}

static bool ends_value(enum sqli_class class)
{
	return class == SQLI_STRING || class == SQLI_NUMBER ||
	       class == SQLI_CLOSE || class == SQLI_VARIABLE ||
	       class == SQLI_SEMICOLON;
}

static struct sqli_token
lex_compare(struct sqli_lexer *l)
{
	size_t n = 1;

	while (ahead(l, n) == '=' || ahead(l, n) == '>' || ahead(l, n) == '<')
		n++;
	return take(l, n > 3 ? SQLI_ODD : SQLI_COMPARE, n);
}

static struct sqli_token
lex_minus(struct sqli_lexer *l)
{
	bool is_word_next = is_word(ahead(l, 2));

	if (ahead(l, 1) != '-')
		return take(l, SQLI_SIGN, 1);
	/* two dashes between words are of prose */
	if (!l->is_quoted && is_word_next && !ends_value(l->last))
		return take(l, SQLI_ODD, 2);
	return rest_as_comment(l, 2);
}

static struct sqli_token
lex_double(struct sqli_lexer *l, char c, enum sqli_class twice)
{
	if (ahead(l, 1) == c)
		return take(l, twice, 2);
	return take(l, SQLI_BINARY, 1);
}

static struct sqli_token
lex_sign(struct sqli_lexer *l, char c)
{
	switch (c) {
	case '(':
	case ')':
	case ',':
	case ';':
	case '*':
		return take(l, (enum sqli_class)c, 1);
	case '+':
	case '~':
		return take(l, SQLI_SIGN, 1);
	case '!':
		return ahead(l, 1) == '=' ? lex_compare(l)
					  : take(l, SQLI_SIGN, 1);
	case '-':
		return lex_minus(l);
	case '=':
	case '<':
	case '>':
		return lex_compare(l);
	case '|':
		return lex_double(l, c, SQLI_LOGIC);
	case '&':
		return lex_double(l, c, SQLI_LOGIC);
	case '/':
	case '%':
	case '^':
		return take(l, SQLI_BINARY, 1);
	case ':':
		/* a cast of PostgreSQL, := of MySQL */
		if (ahead(l, 1) == ':' || ahead(l, 1) == '=')
			return take(l, SQLI_BINARY, 2);
		return take(l, SQLI_ODD, 1);
	case '#':
		if (l->is_quoted || ends_value(l->last))
			return rest_as_comment(l, 1);
		return take(l, SQLI_ODD, 1);
	case '\\':
		/* \N is a NULL of MySQL */
		if (ahead(l, 1) == 'N' && !is_word(ahead(l, 2)))
			return take(l, SQLI_VARIABLE, 2);
		return take(l, SQLI_ODD, 1);
	default:
		return take(l, SQLI_ODD, 1);
	}
}

/* N'...', x'41', b'1', E'\\n', U&'...' without its sign, q'...' */
static bool
is_string_prefix(char c)
{
	c = ascii_lower(c);
	return c == 'n' || c == 'x' || c == 'b' || c == 'e' || c == 'q';
}

static struct sqli_token
lex(struct sqli_lexer *l)
{
	char c;

	if (!skip(l))
		return rest_as_comment(l, 0);
	if (l->at == l->in.len)
		return (struct sqli_token){.class = SQLI_STOP};
	c = l->in.p[l->at];
	if (c == '\'' || c == '"')
		return lex_string(l, c);
	if (c == '`')
		return lex_quoted_name(l, '`');
	if (c == '[')
		return lex_quoted_name(l, ']');
	if (c == '@')
		return lex_variable(l);
	if (char_is_digit(c) || (c == '.' && char_is_digit(ahead(l, 1))))
		return lex_number(l);
	if (ahead(l, 1) == '\'' && is_string_prefix(c)) {
		l->at++;
		return lex_string(l, '\'');
	}
	if (is_letter(c))
		return lex_word(l);
	return lex_sign(l, c);
}

struct sqli_token
sqli_next(struct sqli_lexer *l)
{
	struct sqli_token t = lex(l);

	l->last = t.class;
	return t;
}

bool
sqli_has_versioned_comment(span text)
{
	size_t i = 0;

	while ((i = sec_chr(text, i, '!')) < text.len) {
		size_t n = 0;

		if (i >= 2 && text.p[i - 1] == '*' && text.p[i - 2] == '/')
			while (n < VERSION_DIGITS && i + 1 + n < text.len &&
			       char_is_digit(text.p[i + 1 + n]))
				n++;
		if (n == VERSION_DIGITS)
			return true;
		i++;
	}
	return false;
}
