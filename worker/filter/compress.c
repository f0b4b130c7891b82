/* filter/compress: the stage. Which answers may be coded is decided by their
 * fields alone, so that HEAD is told what GET is; how it is done is the codecs'
 * business. */
#include "worker/filter/compress.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "worker/exch/exch.h"
#include "worker/exch/grpc.h"
#include "worker/exch/handler.h"
#include "worker/exch/sink.h"
#include "worker/exch/stage.h"
#include "worker/filter/codec.h"

struct codec_pool *
compress_pool(struct worker *w)
{
	if (w->codecs == NULL)
		w->codecs =
		    codec_pool_new(w->plan->compress_memory, w->counters);
	return w->codecs;
}

bool
compress_has_content(const struct exch *x)
{
	unsigned status = x->resp.status;

	if (status < 200 || status == 204 || status == 206 || status == 304 ||
	    fields_find(&x->resp.fields, FIELD_CONTENT_RANGE) != NULL)
		return false;
	return x->req.method == METHOD_HEAD || x->resp.body != LENGTH_NONE;
}

/* Length of the content, of HEAD what GET would have; UINT64_MAX: unknown. */
static uint64_t
compress_length(const struct exch *x)
{
	const struct http_field *f =
	    fields_find(&x->resp.fields, FIELD_CONTENT_LENGTH);
	uint64_t n;

	if (x->resp.body == LENGTH_KNOWN)
		return x->resp.length;
	if (x->req.method == METHOD_HEAD && f != NULL &&
	    span_u64(f->value, UINT64_MAX - 1, &n))
		return n;
	return UINT64_MAX;
}

static struct codec_dict *
compress_load(
    const struct dictionary *d, struct codec_pool *p, enum coding c, int level)
{
	uint64_t begin_us = clock_mono_us();
	struct codec_dict *loaded = NULL;
	char *text = malloc(d->len);

	if (text != NULL && dictionary_read(d, text))
		loaded = codec_dict_load(
		    p, c, level, d->hash, span_of(text, d->len));
	free(text);
	codec_dict_spent(p, clock_mono_us() - begin_us);
	return loaded;
}

/* The dictionary of the exchange, ready to code with. */
static struct codec_dict *
compress_dictionary(
    struct exch *x, struct codec_pool *p, enum coding c, int level)
{
	const struct dictionary *d = x->dictionary;
	struct codec_dict *ready = codec_dict_find(p, c, level, d->hash);

	if (ready != NULL)
		return ready;
	if (!codec_dict_may_load(p, worker_clock(x->w)->mono_us)) {
		counter_add(x->w->counters, COUNTER_DICTIONARIES_SPARED, 1);
		return NULL;
	}
	return compress_load(d, p, c, level);
}

static void *
compress_open(struct exch *x, const struct plan_compress *set, enum coding c)
{
	struct codec_pool *p = compress_pool(x->w);
	struct codec_dict *d;

	if (!coding_has_dictionary(c))
		return codec_open(p, c, set->level[c]);
	d = compress_dictionary(x, p, c, set->level[c]);
	return d == NULL ? NULL : codec_open_with(p, d);
}

/* Put the filter in place. false: there is no room for it now. */
static bool
compress_begin(struct exch *x, const struct plan_compress *set, enum coding c)
{
	void *self = compress_open(x, set, c);

	if (self == NULL) {
		/* without its dictionary it comes in another coding */
		if (!coding_has_dictionary(c))
			counter_add(x->w->counters, COUNTER_COMPRESS_FULL, 1);
		return false;
	}
	bfilter_add(x, &codec_ops, self);
	counter_add(x->w->counters, COUNTER_COMPRESSED, 1);
	if (c == CODING_DCZ)
		counter_add(x->w->counters, COUNTER_COMPRESSED_DCZ, 1);
	if (c == CODING_DCB)
		counter_add(x->w->counters, COUNTER_COMPRESSED_DCB, 1);
	return true;
}

/* The coding that the client gets of those that the configuration names. */
static enum coding
compress_choose(const struct exch *x, const struct plan_compress *set,
    const struct coding_wishes *wishes)
{
	if (set->is_same_site && compress_is_cross_site(x))
		return CODING_IDENTITY;
	return coding_choose(wishes, set->order, set->n);
}

/* Give the answer in that coding: one that is there already, or one that is made
 * while it is sent. false: neither can be. */
static bool
compress_give(
    struct exch *x, const struct plan_compress *set, enum coding c, bool is_raw)
{
	uint64_t length;

	if (is_raw && x->handler != NULL && x->handler->code != NULL &&
	    x->handler->code(x, c, &length)) {
		compress_describe(x, c);
		x->resp.body = LENGTH_KNOWN;
		x->resp.length = length;
		return true;
	}
	if (x->req.method != METHOD_HEAD && !compress_begin(x, set, c))
		return false;
	compress_describe(x, c);
	return true;
}

/* Whether the client names a dictionary that may be used and is here. */
static bool
compress_may_use_dictionary(struct exch *x)
{
	return x->dictionary != NULL ||
	       (compress_has_dictionaries(x) && !compress_is_opaque(x) &&
		   x->w->find_dictionary(x));
}

/* The answer has no coding; or, if it is not raw, none any more. */
static void
compress_plain(struct exch *x, const struct plan_compress *set,
    struct coding_wishes *wishes, bool is_raw)
{
	enum coding c;

	if (set->n == 0 || compress_length(x) < set->min_length ||
	    !compress_knows_type(x, set->types, set->n_types))
		return;
	compress_add_vary(x);
	c = compress_choose(x, set, wishes);
	while (coding_has_dictionary(c)) {
		if (compress_may_use_dictionary(x) &&
		    compress_give(x, set, c, is_raw))
			return;
		/* as if it had none */
		wishes->q[c] = 0;
		c = compress_choose(x, set, wishes);
	}
	sink_note(x, "compress", set->at, "%.*s", SPAN_FMT(coding_name(c)));
	if (c != CODING_IDENTITY)
		(void)compress_give(x, set, c, is_raw);
}

bool
compress_undo(struct exch *x, enum coding c)
{
	uint64_t max = x->set->compress.decode_max;
	void *self;

	if (x->req.method != METHOD_HEAD) {
		self = codec_open_decode(compress_pool(x->w), c, max);
		if (self == NULL) {
			counter_add(x->w->counters, COUNTER_COMPRESS_FULL, 1);
			return false;
		}
		bfilter_add(x, &codec_ops, self);
		counter_add(x->w->counters, COUNTER_DECOMPRESSED, 1);
	}
	sink_note(
	    x, "decompress", SINK_NOWHERE, "%.*s", SPAN_FMT(coding_name(c)));
	compress_describe(x, CODING_IDENTITY);
	return true;
}

/* Whether all of what this is a part of could come in another coding: a part says
 * so, too (RFC 9110 15.3.7). Several parts do not tell of which type they are. */
static bool
compress_is_chosen_part(const struct exch *x, const struct plan_compress *set)
{
	static const span parts = {
	    "multipart/byteranges", sizeof("multipart/byteranges") - 1};
	enum coding is = coding_of(&x->resp.fields);

	if (x->resp.status != 206)
		return false;
	if (is != CODING_IDENTITY)
		return set->decodes && is != CODING_N && codec_decodes(is);
	return set->n > 0 &&
	       (compress_knows_type(x, set->types, set->n_types) ||
		   compress_knows_type(x, &parts, 1));
}

enum verdict
stage_offer(struct exch *y)
{
	const struct plan_compress *set = &y->set->compress;
	struct http_fields *f = &y->resp.fields;

	if (set->offer.len > 0 && y->resp.status == 200 &&
	    compress_has_dictionaries(y) && coding_of(f) == CODING_IDENTITY &&
	    fields_find(f, FIELD_USE_AS_DICTIONARY) == NULL &&
	    compress_knows_type(y, set->types, set->n_types))
		fields_add_id(
		    f, &y->arena, FIELD_USE_AS_DICTIONARY, set->offer);
	return VERDICT_NEXT;
}

/* Whoever spawned it says what becomes of it. */
static enum verdict
compress_internal(struct exch *x)
{
	if (x->coding == CODING_IDENTITY || x->is_settled ||
	    compress_begin(x, &x->set->compress, x->coding))
		return VERDICT_NEXT;
	exch_fault(x, F_INTERNAL, 0);
	return VERDICT_FAULT;
}

enum verdict
stage_compress(struct exch *x)
{
	const struct plan_compress *set = &x->set->compress;
	struct coding_wishes wishes;
	enum coding is;

	if (x->kind == STAGE_INTERNAL)
		return compress_internal(x);
	if (set->n == 0 && !set->decodes)
		return VERDICT_NEXT;
	if (x->resp.status == 304)
		compress_describe_unmodified(x);
	if (compress_is_chosen_part(x, set) && !compress_is_forbidden(x))
		compress_add_vary(x);
	if (!compress_has_content(x) || grpc_is_call(x) ||
	    compress_is_forbidden(x))
		return VERDICT_NEXT;
	coding_wishes_read(exch_said(x), &wishes);
	is = coding_of(&x->resp.fields);
	if (is != CODING_IDENTITY) {
		if (!set->decodes || is == CODING_N || !codec_decodes(is))
			return VERDICT_NEXT;
		compress_add_vary(x);
		if (wishes.q[is] > 0 || !compress_undo(x, is))
			return VERDICT_NEXT;
	}
	compress_plain(x, set, &wishes, is == CODING_IDENTITY && !x->is_edited);
	return VERDICT_NEXT;
}
