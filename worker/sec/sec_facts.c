/* sec_facts: what a request and its answer say, as variables. Collections are
 * filled when the facts come; variables of one value are made when a rule asks
 * for them. */
#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/chars.h"
#include "worker/sec/sec_tx_int.h"

/* --- arguments ------------------------------------------------------------ */

static span
argument_text(struct sec_tx *tx, span raw)
{
	return sec_value_step(tx, sec_value_of(tx, raw), SEC_TRANS_URL_DECODE)
	    ->text;
}

static bool
has_bad_escape(span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '%' &&
		    (i + 2 >= s.len || char_hex(s.p[i + 1]) < 0 ||
			char_hex(s.p[i + 2]) < 0))
			return true;
	return false;
}

/* "a=1&b": what has no value is empty, and so is a name between two
 * separators. */
void
sec_facts_arguments(struct sec_tx *tx, enum sec_var from, span text)
{
	char separator = tx->set->options.argument_separator;
	span rest = text, one;
	uint32_t n = 0;

	if (has_bad_escape(text))
		tx->one[SEC_VAR_URLENCODED_ERROR] = sec_value_number(tx, 1);
	if (text.len > 0 && text.p[text.len - 1] == separator)
		rest = span_first(text, text.len - 1);
	while (text.len > 0 && span_cut(&rest, separator, &one)) {
		span name = one, value = {0};
		ptrdiff_t eq = span_chr(one, '=');

		if (++n > tx->set->options.arguments_max) {
			tx->is_over = true;
			return;
		}
		if (eq >= 0) {
			name = span_first(one, (size_t)eq);
			value = span_from(one, (size_t)eq + 1);
		}
		sec_vars_argument(tx, from, argument_text(tx, name),
		    argument_text(tx, value));
	}
}

/* --- cookies -------------------------------------------------------------- */

/* A comma and a blank part them where there is no semicolon. */
static char
cookie_separator(span field)
{
	ptrdiff_t comma = span_chr(field, ',');

	return comma >= 0 && span_chr(field, ';') < 0 &&
		       (size_t)comma + 1 < field.len &&
		       field.p[comma + 1] == ' '
		   ? ','
		   : ';';
}

static void
cookies_add(struct sec_tx *tx, span field)
{
	char separator = cookie_separator(field);
	span rest = field, one;

	while (span_cut(&rest, separator, &one)) {
		span name, value = {0};
		ptrdiff_t eq;

		while (one.len > 0 && (one.p[0] == ' ' || one.p[0] == '\t'))
			one = span_from(one, 1);
		eq = span_chr(one, '=');
		name = eq >= 0 ? span_first(one, (size_t)eq) : one;
		if (eq >= 0)
			value = span_from(one, (size_t)eq + 1);
		if (name.len == 0)
			continue;
		sec_vars_item(tx, SEC_VAR_REQUEST_COOKIES, name, value);
		sec_vars_item(tx, SEC_VAR_REQUEST_COOKIES_NAMES, name, name);
	}
}

/* --- the request ---------------------------------------------------------- */

static span
target_query(span target)
{
	ptrdiff_t at = span_chr(target, '?');

	return at < 0 ? (span){0} : span_from(target, (size_t)at + 1);
}

/* Without scheme and authority, as an absolute target has them. */
static span
target_relative(span target)
{
	ptrdiff_t at;
	span rest;

	if (target.len == 0 || target.p[0] == '/')
		return target;
	at = span_find(target, SPAN_LIT("://"));
	if (at < 0)
		return target;
	rest = span_from(target, (size_t)at + 3);
	at = span_chr(rest, '/');
	return at < 0 ? SPAN_LIT("/") : span_from(rest, (size_t)at);
}

static span
target_path(span target)
{
	span s = target_relative(target);
	ptrdiff_t at = span_chr(s, '?');

	return at < 0 ? s : span_first(s, (size_t)at);
}

/* Percent-encoding, and nothing else, undone; what is no escape stays. */
static span
percent_decoded(struct sec_tx *tx, span s)
{
	char *to = arena_alloc(tx->a, s.len);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '%' && i + 2 < s.len &&
		    char_hex(s.p[i + 1]) >= 0 && char_hex(s.p[i + 2]) >= 0) {
			to[n++] = (char)(char_hex(s.p[i + 1]) * 16 +
					 char_hex(s.p[i + 2]));
			i += 2;
		} else {
			to[n++] = s.p[i];
		}
	}
	return span_of(to, n);
}

/* Decoded, as Apache has it in REQUEST_FILENAME and REQUEST_URI; dot segments and
 * repeated slashes stay, since the origin may see them. */
static span
target_plain_path(struct sec_tx *tx)
{
	span s = target_path(tx->request->target);

	return span_chr(s, '%') >= 0 ? percent_decoded(tx, s) : s;
}

/* The query stays as it came. */
static span
plain_uri(struct sec_tx *tx)
{
	span query = target_query(tx->request->target);
	const span parts[] = {target_plain_path(tx), SPAN_LIT("?"), query};

	return query.p == NULL ? parts[0]
			       : arena_concat(tx->a, parts, NELEMS(parts));
}

static span
path_basename(span path)
{
	for (size_t i = path.len; i > 0; i--)
		if (path.p[i - 1] == '/' || path.p[i - 1] == '\\')
			return span_from(path, i);
	return path;
}

void
sec_facts_request(struct sec_tx *tx)
{
	const struct sec_request *r = tx->request;

	for (uint32_t i = 0; i < r->n_fields; i++) {
		const struct sec_field *f = &r->fields[i];

		sec_vars_item(tx, SEC_VAR_REQUEST_HEADERS, f->name, f->value);
		sec_vars_item(
		    tx, SEC_VAR_REQUEST_HEADERS_NAMES, f->name, f->name);
		if (span_ieq(f->name, SPAN_LIT("Cookie")))
			cookies_add(tx, f->value);
	}
	sec_facts_arguments(tx, SEC_VAR_ARGS_GET, target_query(r->target));
}

/* --- variables of one value ----------------------------------------------- */

static span
request_line(struct sec_tx *tx)
{
	const struct sec_request *r = tx->request;
	const span parts[] = {
	    r->method, SPAN_LIT(" "), r->target, SPAN_LIT(" "), r->protocol};

	return arena_concat(tx->a, parts, NELEMS(parts));
}

static uint64_t
items_size(const struct sec_items *l, bool with_names)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		n += l->at[i].value->text.len +
		     (with_names ? l->at[i].key.len : 0);
	return n;
}

static span
answer_field(const struct sec_tx *tx, span name)
{
	const struct sec_items *l = &tx->many[SEC_VAR_RESPONSE_HEADERS];

	for (uint32_t i = 0; i < l->n; i++)
		if (span_ieq(l->at[i].key, name))
			return l->at[i].value->text;
	return (span){0};
}

static struct sec_value *
two_digits(struct sec_tx *tx, int n)
{
	return sec_value_of(tx, arena_printf(tx->a, "%02d", n));
}

static struct sec_value *
one_of_time(struct sec_tx *tx, enum sec_var var)
{
	time_t now = tx->request->now.tv_sec;
	struct tm tm;

	if (localtime_r(&now, &tm) == NULL)
		return NULL;
	switch ((int)var) {
	case SEC_VAR_TIME:
		return sec_value_of(tx, arena_printf(tx->a, "%02d:%02d:%02d",
					    tm.tm_hour, tm.tm_min, tm.tm_sec));
	case SEC_VAR_TIME_DAY:
		return two_digits(tx, tm.tm_mday);
	case SEC_VAR_TIME_EPOCH:
		return sec_value_number(tx, (uint64_t)now);
	case SEC_VAR_TIME_HOUR:
		return two_digits(tx, tm.tm_hour);
	case SEC_VAR_TIME_MIN:
		return two_digits(tx, tm.tm_min);
	case SEC_VAR_TIME_MON:
		return two_digits(tx, tm.tm_mon + 1);
	case SEC_VAR_TIME_SEC:
		return two_digits(tx, tm.tm_sec);
	case SEC_VAR_TIME_WDAY:
		return sec_value_number(tx, (uint64_t)tm.tm_wday);
	case SEC_VAR_TIME_YEAR:
		return sec_value_number(tx, (uint64_t)tm.tm_year + 1900);
	default:
		return NULL;
	}
}

static struct sec_value *
one_of_rules(struct sec_tx *tx, enum sec_var var)
{
	switch ((int)var) {
	case SEC_VAR_MATCHED_VAR:
		return tx->matched_value;
	case SEC_VAR_MATCHED_VAR_NAME:
		return tx->matched_item.value == NULL
			   ? NULL
			   : sec_value_of(tx, sec_matched_name(tx));
	case SEC_VAR_DURATION: {
		struct timespec t;
		int64_t us;

		if (clock_gettime(CLOCK_REALTIME, &t) != 0)
			return NULL;
		us = (t.tv_sec - tx->request->now.tv_sec) * 1000000 +
		     (t.tv_nsec - tx->request->now.tv_nsec) / 1000;
		return sec_value_number(tx, us > 0 ? (uint64_t)us : 0);
	}
	default:
		return NULL;
	}
}

static span
processor_name(enum sec_processor p)
{
	switch (p) {
	case SEC_BODY_NONE:
		return (span){0};
	case SEC_BODY_URLENCODED:
		return SPAN_LIT("URLENCODED");
	case SEC_BODY_MULTIPART:
		return SPAN_LIT("MULTIPART");
	case SEC_BODY_JSON:
		return SPAN_LIT("JSON");
	case SEC_BODY_XML:
		return SPAN_LIT("XML");
	}
	UNREACHED();
}

static span
span_of_request(struct sec_tx *tx, enum sec_var var)
{
	const struct sec_request *r = tx->request;

	switch ((int)var) {
	case SEC_VAR_QUERY_STRING:
		return target_query(r->target);
	case SEC_VAR_REMOTE_ADDR:
		return r->remote_addr;
	case SEC_VAR_REMOTE_HOST:
		return r->remote_host.len > 0 ? r->remote_host : r->remote_addr;
	case SEC_VAR_REMOTE_USER:
		return r->user;
	case SEC_VAR_REQUEST_BASENAME:
		return path_basename(target_plain_path(tx));
	case SEC_VAR_REQUEST_BODY:
		return tx->body;
	case SEC_VAR_REQUEST_FILENAME:
		return target_plain_path(tx);
	case SEC_VAR_REQBODY_PROCESSOR:
		return processor_name(tx->processor);
	case SEC_VAR_REQUEST_LINE:
		return request_line(tx);
	case SEC_VAR_REQUEST_METHOD:
		return r->method;
	case SEC_VAR_REQUEST_PROTOCOL:
		return r->protocol;
	case SEC_VAR_REQUEST_URI:
		return plain_uri(tx);
	case SEC_VAR_REQUEST_URI_RAW:
		return r->target;
	case SEC_VAR_SERVER_ADDR:
		return r->server_addr != NULL ? r->server_addr(r->self)
					      : (span){0};
	case SEC_VAR_SERVER_NAME:
		return r->server_name;
	case SEC_VAR_UNIQUE_ID:
		return r->id;
	case SEC_VAR_RESPONSE_CONTENT_TYPE:
		return answer_field(tx, SPAN_LIT("Content-Type"));
	case SEC_VAR_RESPONSE_CONTENT_LENGTH:
		return answer_field(tx, SPAN_LIT("Content-Length"));
	default:
		return (span){0};
	}
}

static struct sec_rates
rates_of(const struct sec_tx *tx)
{
	return tx->request->rates == NULL
		   ? (struct sec_rates){0}
		   : tx->request->rates(tx->request->self);
}

static struct sec_value *
one_number(struct sec_tx *tx, enum sec_var var)
{
	switch ((int)var) {
	case SEC_VAR_ARGS_COMBINED_SIZE:
		return sec_value_number(
		    tx, items_size(&tx->many[SEC_VAR_ARGS], true));
	case SEC_VAR_FILES_COMBINED_SIZE: {
		const struct sec_items *l = &tx->many[SEC_VAR_FILES_SIZES];
		uint64_t n = 0;

		for (uint32_t i = 0; i < l->n; i++)
			n += (uint64_t)sec_number(l->at[i].value->text);
		return sec_value_number(tx, n);
	}
	case SEC_VAR_CLIENT_NOT_FOUND_RATE:
		return sec_value_number(tx, rates_of(tx).not_found);
	case SEC_VAR_CLIENT_PATH_RATE:
		return sec_value_number(tx, rates_of(tx).paths);
	case SEC_VAR_REMOTE_PORT:
		return sec_value_number(tx, tx->request->remote_port);
	case SEC_VAR_SERVER_PORT:
		return sec_value_number(tx, tx->request->server_port);
	case SEC_VAR_REQUEST_BODY_LENGTH:
		return sec_value_number(tx, tx->body.len);
	case SEC_VAR_REQBODY_ERROR:
	case SEC_VAR_URLENCODED_ERROR:
	case SEC_VAR_MULTIPART_BOUNDARY_QUOTED:
	case SEC_VAR_MULTIPART_BOUNDARY_WHITESPACE:
	case SEC_VAR_MULTIPART_CRLF_LF_LINES:
	case SEC_VAR_MULTIPART_DATA_AFTER:
	case SEC_VAR_MULTIPART_DATA_BEFORE:
	case SEC_VAR_MULTIPART_FILE_LIMIT_EXCEEDED:
	case SEC_VAR_MULTIPART_HEADER_FOLDING:
	case SEC_VAR_MULTIPART_INVALID_HEADER_FOLDING:
	case SEC_VAR_MULTIPART_INVALID_PART:
	case SEC_VAR_MULTIPART_INVALID_QUOTING:
	case SEC_VAR_MULTIPART_LF_LINE:
	case SEC_VAR_MULTIPART_MISSING_SEMICOLON:
	case SEC_VAR_MULTIPART_STRICT_ERROR:
	case SEC_VAR_MULTIPART_UNMATCHED_BOUNDARY:
		return sec_value_number(tx, 0);
	default:
		return NULL;
	}
}

/* What is not there, and not merely empty. */
static bool
is_absent(const struct sec_tx *tx, enum sec_var var)
{
	switch ((int)var) {
	case SEC_VAR_AUTH_TYPE:
	case SEC_VAR_MULTIPART_FILENAME:
	case SEC_VAR_MULTIPART_NAME:
	case SEC_VAR_PATH_INFO:
	case SEC_VAR_SESSIONID:
	case SEC_VAR_USERID:
		return true;
	case SEC_VAR_REMOTE_USER:
		return tx->request->user.len == 0;
	case SEC_VAR_QUERY_STRING:
		return span_chr(tx->request->target, '?') < 0;
	case SEC_VAR_REQUEST_BODY:
		return tx->body.len == 0 ||
		       (tx->processor != SEC_BODY_URLENCODED &&
			   !tx->forces_body_variable);
	default:
		return false;
	}
}

static struct sec_value *
one_make(struct sec_tx *tx, enum sec_var var)
{
	struct sec_value *v = one_number(tx, var);

	if (is_absent(tx, var))
		return NULL;
	if (v == NULL)
		v = one_of_time(tx, var);
	return v != NULL ? v : sec_value_of(tx, span_of_request(tx, var));
}

struct sec_value *
sec_vars_one(struct sec_tx *tx, enum sec_var var)
{
	switch ((int)var) {
	case SEC_VAR_MATCHED_VAR:
	case SEC_VAR_MATCHED_VAR_NAME:
	case SEC_VAR_DURATION:
		return one_of_rules(tx, var);
	case SEC_VAR_REQBODY_PROCESSOR:
	case SEC_VAR_REQUEST_BODY:
		/* rules change them */
		return one_make(tx, var);
	default:
		if (tx->one[var] == NULL)
			tx->one[var] = one_make(tx, var);
		return tx->one[var];
	}
}
