/* sec_option: directives that hold for the whole set. What nobody says is as
 * in ModSecurity 2, but that the engine is on and reads request bodies: who
 * names rules in a configuration wants them to work. */
#include <errno.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/sec/sec_int.h"
#include "worker/sec/sec_trans.h"

#define REQUEST_MAX (128u << 20)
#define REQUEST_NO_FILES_MAX (1u << 20)
#define RESPONSE_MAX (512u << 10)
#define RESPONSE_MOST (1u << 30)
#define JSON_DEPTH 10000u
#define ARGUMENTS_MAX 1000u
#define FILES_MAX 100u
#define COLLECTION_TIMEOUT_S 3600u
/* No header fields: who wants them in the log says so. */
#define AUDIT_PARTS SPAN_LIT("AHZ")

static const char *const default_types[] = {"text/plain", "text/html"};

#define N_DEFAULT_TYPES (sizeof(default_types) / sizeof(default_types[0]))

void
sec_options_init(struct sec_options *o)
{
	*o = (struct sec_options){.engine = SEC_ON,
	    .reads_request = SEC_ON,
	    .request_max = REQUEST_MAX,
	    .request_no_files_max = REQUEST_NO_FILES_MAX,
	    .response_max = RESPONSE_MAX,
	    .request_json_depth = JSON_DEPTH,
	    .arguments_max = ARGUMENTS_MAX,
	    .files_max = FILES_MAX,
	    .collection_timeout_s = COLLECTION_TIMEOUT_S,
	    .argument_separator = '&',
	    .audit = SEC_PARTLY,
	    .audit_parts = AUDIT_PARTS};
}

/* --- values --------------------------------------------------------------- */

static void
read_u32(struct sec_build *b, span word, uint64_t first, uint32_t *out)
{
	uint64_t n;

	if (span_u64(word, UINT32_MAX, &n) && n >= first)
		*out = (uint32_t)n;
	else
		sec_lex_error(b->x, word,
		    "'%.*s' is not a number from %llu to %u", SPAN_FMT(word),
		    (unsigned long long)first, UINT32_MAX);
}

static void
read_u64(struct sec_build *b, span word, uint64_t *out)
{
	uint32_t n = 0;

	read_u32(b, word, 1, &n);
	if (n > 0)
		*out = n;
}

/* An answer is held while its rules wait for it: no more of one than `body_limit`
 * may let be held of a request. */
static void
read_response_max(struct sec_build *b, span word, uint64_t *out)
{
	uint64_t n;

	if (span_u64(word, RESPONSE_MOST, &n) && n > 0)
		*out = n;
	else
		sec_lex_error(b->x, word, "'%.*s' is not a number from 1 to %u",
		    SPAN_FMT(word), RESPONSE_MOST);
}

static void
read_limit_action(struct sec_build *b, span word, enum sec_limit_action *out)
{
	if (span_ieq(word, SPAN_LIT("Reject")))
		*out = SEC_LIMIT_REJECT;
	else if (span_ieq(word, SPAN_LIT("ProcessPartial")))
		*out = SEC_LIMIT_PARTIAL;
	else
		sec_lex_error(b->x, word,
		    "'%.*s' is neither Reject nor ProcessPartial",
		    SPAN_FMT(word));
}

static void
read_separator(struct sec_build *b, span word, char *out)
{
	if (word.len == 1)
		*out = word.p[0];
	else
		sec_lex_error(b->x, word, "the separator is one byte");
}

static void
read_cookie_format(struct sec_build *b, span word, uint8_t *out)
{
	uint64_t n;

	if (span_u64(word, 1, &n))
		*out = (uint8_t)n;
	else
		sec_lex_error(b->x, word, "a cookie format is 0 or 1");
}

static void
read_parts(struct sec_build *b, span word, span *out)
{
	for (size_t i = 0; i < word.len; i++)
		if (word.p[i] < 'A' || word.p[i] > 'Z') {
			sec_lex_error(b->x, span_of(word.p + i, 1),
			    "parts of the audit log are capitals");
			return;
		}
	*out = arena_span(b->a, word);
}

static void
read_signature(struct sec_build *b, span word, span *out)
{
	const span parts[] = {*out, SPAN_LIT(" "), word};

	*out = out->len == 0 ? arena_span(b->a, word)
			     : arena_concat(b->a, parts, 3);
}

static void
read_types(struct sec_build *b, const struct sec_words *w)
{
	for (uint32_t i = 0; i < w->n; i++) {
		span *to = sec_list_add(b, &b->types, sizeof(*to), w->at[i]);

		if (to != NULL)
			*to = arena_span(b->a, w->at[i]);
	}
}

void
sec_options_end(struct sec_build *b)
{
	struct sec_options *o = &b->set->options;
	span *to;

	if (b->types.n == 0 && !b->clears_types) {
		to = arena_alloc(b->a, N_DEFAULT_TYPES * sizeof(*to));
		for (size_t i = 0; i < N_DEFAULT_TYPES; i++)
			to[i] = span_str(default_types[i]);
		b->types = (struct sec_list){.at = to, .n = N_DEFAULT_TYPES};
	}
	o->response_types = b->types.at;
	o->n_response_types = b->types.n;
}

/* Without the file the few code points that every map has in common are
 * decoded: that is no reason not to start. */
static void
read_unicode(struct sec_build *b, const struct sec_words *w)
{
	struct sec_options *o = &b->set->options;
	struct place at = sec_lex_place(b->x, w->at[0]);
	span path = sec_beside(b, w->at[0]);
	uint32_t code_page = 0;

	read_u32(b, w->at[1], 1, &code_page);
	if (code_page == 0)
		return;
	if (access(path.p, R_OK) != 0 && errno == ENOENT) {
		diag_warning(b->d, at,
		    "%s is not there: code points beyond a byte stay unmapped",
		    path.p);
		return;
	}
	sec_unicode_free(o->unicode);
	o->unicode = sec_unicode_new(path.p, code_page, at, b->d);
}

/* --- directives ----------------------------------------------------------- */

/* One flat switch. */
void
sec_option_read(struct sec_build *b, enum sec_directive directive,
    const struct sec_words *w)
{
	struct sec_options *o = &b->set->options;
	span word = w->n > 0 ? w->at[0] : SPAN_LIT("");

	switch ((int)directive) {
	case SEC_DIRECTIVE_RULE_ENGINE:
		(void)sec_switch_read(b, word, "DetectionOnly", &o->engine);
		return;
	case SEC_DIRECTIVE_REQUEST_BODY_ACCESS:
		(void)sec_switch_read(b, word, NULL, &o->reads_request);
		return;
	case SEC_DIRECTIVE_RESPONSE_BODY_ACCESS:
		(void)sec_switch_read(b, word, NULL, &o->reads_response);
		return;
	case SEC_DIRECTIVE_REQUEST_BODY_LIMIT:
		read_u64(b, word, &o->request_max);
		return;
	case SEC_DIRECTIVE_REQUEST_BODY_NO_FILES_LIMIT:
		read_u64(b, word, &o->request_no_files_max);
		return;
	case SEC_DIRECTIVE_REQUEST_BODY_LIMIT_ACTION:
		read_limit_action(b, word, &o->request_over);
		return;
	case SEC_DIRECTIVE_RESPONSE_BODY_LIMIT:
		read_response_max(b, word, &o->response_max);
		return;
	case SEC_DIRECTIVE_RESPONSE_BODY_LIMIT_ACTION:
		read_limit_action(b, word, &o->response_over);
		return;
	case SEC_DIRECTIVE_RESPONSE_BODY_MIME_TYPE:
		read_types(b, w);
		return;
	case SEC_DIRECTIVE_RESPONSE_BODY_MIME_TYPES_CLEAR:
		b->types.n = 0;
		b->clears_types = true;
		return;
	case SEC_DIRECTIVE_REQUEST_BODY_JSON_DEPTH_LIMIT:
		read_u32(b, word, 1, &o->request_json_depth);
		return;
	case SEC_DIRECTIVE_ARGUMENTS_LIMIT:
		read_u32(b, word, 1, &o->arguments_max);
		return;
	case SEC_DIRECTIVE_UPLOAD_FILE_LIMIT:
		read_u32(b, word, 0, &o->files_max);
		return;
	case SEC_DIRECTIVE_ARGUMENT_SEPARATOR:
		read_separator(b, word, &o->argument_separator);
		return;
	case SEC_DIRECTIVE_COOKIE_FORMAT:
		read_cookie_format(b, word, &o->cookie_format);
		return;
	case SEC_DIRECTIVE_COLLECTION_TIMEOUT:
		read_u32(b, word, 1, &o->collection_timeout_s);
		return;
	case SEC_DIRECTIVE_PCRE_MATCH_LIMIT:
		read_u32(b, word, 1, &o->match_limit);
		return;
	case SEC_DIRECTIVE_UNICODE_MAP_FILE:
		read_unicode(b, w);
		return;
	case SEC_DIRECTIVE_COMPONENT_SIGNATURE:
		read_signature(b, word, &o->signature);
		return;
	case SEC_DIRECTIVE_AUDIT_ENGINE:
		(void)sec_switch_read(b, word, "RelevantOnly", &o->audit);
		return;
	case SEC_DIRECTIVE_AUDIT_LOG_PARTS:
		read_parts(b, word, &o->audit_parts);
		return;
	default:
		UNREACHED();
	}
}
