/* filter/substitute_stage: which answers other text is put into. Decided by their
 * fields alone, so that HEAD is told what GET is. */
#include "worker/exch/exch.h"
#include "worker/exch/grpc.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/filter/codec.h"
#include "worker/filter/compress.h"
#include "worker/filter/substitute.h"

enum verdict
stage_whole(struct exch *x)
{
	if (x->set->substitute.n == 0)
		return VERDICT_NEXT;
	(void)fields_del(&x->req.fields, FIELD_RANGE);
	(void)fields_del(&x->req.fields, FIELD_IF_RANGE);
	return VERDICT_NEXT;
}

/* Whether texts can be looked for in the content: it has no coding, or none any
 * more. */
static bool
substitute_sees_text(struct exch *x)
{
	enum coding is = coding_of(&x->resp.fields);

	if (is == CODING_IDENTITY)
		return true;
	return is != CODING_N && codec_decodes(is) && compress_undo(x, is);
}

enum verdict
stage_substitute(struct exch *x)
{
	const struct plan_substitute *set = &x->set->substitute;

	if (set->n == 0)
		return VERDICT_NEXT;
	if (x->resp.status == 304)
		(void)compress_weaken_unmodified(x);
	if (!compress_has_content(x) || grpc_is_call(x) ||
	    compress_is_forbidden(x) ||
	    !compress_knows_type(x, set->types, set->n_types) ||
	    !substitute_sees_text(x))
		return VERDICT_NEXT;
	sink_note(x, "substitute", set->at[0]->at, "%u lines", set->n);
	if (x->req.method != METHOD_HEAD) {
		bfilter_add(x, &substitute_ops,
		    substitute_open(&x->arena, set->at, set->n));
		counter_add(x->w->counters, COUNTER_SUBSTITUTED, 1);
	}
	compress_describe(x, CODING_IDENTITY);
	x->is_edited = true;
	return VERDICT_NEXT;
}
