/* route/respond: answers with a status and a text of the configuration. */
#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/exch/textfile.h"
#include "worker/exch/tmpl.h"
#include "worker/route/route.h"

/* Largest file that is answered from memory. */
#define RESPOND_FILE_MAX (16u * 1024 * 1024)

struct respond {
	unsigned status;
	bool has_content; /* else: the page of the status */
	bool is_file;
	span type;
	span file; /* its content */
	struct tmpl text;
};

static bool
respond_file(struct respond *r, span path, const struct conf_value *v,
    struct arena *a, struct diag *d)
{
	r->is_file = true;
	r->type = textfile_type(path);
	return textfile_read(path, v->at, RESPOND_FILE_MAX, a, d, &r->file);
}

/* Statuses without content (RFC 9110 6.4.1), and those an answer cannot end
 * with. */
static bool
respond_check(
    uint64_t status, span rest, const struct conf_value *v, struct diag *d)
{
	if (status < 200 || status > 599) {
		diag_error(d, v->at,
		    "respond = STATUS [TEXT], where STATUS is 200 .. 599");
		return false;
	}
	if ((status == 204 || status == 205 || status == 304) && rest.len > 0) {
		diag_error(
		    d, v->at, "respond: a %u has no content", (unsigned)status);
		return false;
	}
	return true;
}

const void *
respond_prepare(const struct conf_value *v, struct arena *a, struct diag *d)
{
	struct respond *r = arena_zalloc(a, sizeof(*r));
	struct place at = v->at;
	struct var_src src;
	uint64_t status = 0;
	span rest = v->text;
	span word;

	if (!span_word(&rest, &word) || !span_u64(word, 999, &status))
		status = 0;
	rest = span_trim(rest);
	if (!respond_check(status, rest, v, d))
		return NULL;
	r->status = (unsigned)status;
	r->has_content = rest.len > 0;
	if (span_starts(rest, SPAN_LIT("file:")))
		return respond_file(
			   r, span_from(rest, sizeof("file:") - 1), v, a, d)
			   ? r
			   : NULL;
	at.col = (uint16_t)(at.col + (rest.len > 0 ? rest.p - v->text.p : 0));
	r->type = SPAN_LIT("text/plain; charset=utf-8");
	src = (struct var_src){rest, at, VAR_WHEN_REQUEST};
	return tmpl_prepare(&r->text, a, &src, d) ? r : NULL;
}

static enum verdict
respond_open(struct exch *x)
{
	const struct respond *r = x->set->handler_conf;

	if (r->status == 204 || r->status == 304) {
		exch_reply(x, r->status, span_of(NULL, 0), span_of(NULL, 0));
		x->resp.body = LENGTH_NONE;
	} else if (r->is_file)
		exch_reply(x, r->status, r->type, r->file);
	else if (r->has_content)
		exch_reply(x, r->status, r->type,
		    tmpl_render(&r->text, x, TMPL_PLAIN));
	else if (r->status < 300)
		exch_reply(x, r->status, span_of(NULL, 0), span_of(NULL, 0));
	else
		exch_reply_status(x, r->status);
	return VERDICT_REPLY;
}

const struct handler respond_handler = {
    .name = "respond",
    .is_light = true,
    .open = respond_open,
};
