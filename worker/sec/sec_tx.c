/* sec_tx: a request's facts as they come, and what the rules made of them. */
#include "worker/sec/sec_tx.h"

#include "worker/sec/sec_tx_int.h"

struct sec_tx *
sec_tx_new(const struct sec_plan *p, struct sec_sieve_memo *memo,
    struct arena *a, const struct sec_request *request)
{
	struct sec_tx *tx = arena_zalloc(a, sizeof(*tx));

	tx->begun = a->used;
	tx->plan = p;
	tx->set = p->set;
	tx->a = a;
	tx->request = request;
	tx->slots =
	    arena_zalloc(a, (p->set->n_tx_names + 1) * sizeof(*tx->slots));
	tx->lists = arena_zalloc(a, (p->n_lists + 1) * sizeof(*tx->lists));
	tx->memo = memo;
	tx->groups = arena_alloc(a, (p->n_groups + 1) * sizeof(*tx->groups));
	tx->engine = p->set->options.engine;
	/* who wants no log names none; rules may still leave requests out */
	tx->audit = SEC_ON;
	tx->audit_parts = sec_act_parts(0, p->set->options.audit_parts);
	tx->reads_request = p->set->options.reads_request;
	tx->reads_response = p->set->options.reads_response;
	tx->processor = sec_body_processor(tx);
	tx->messages_end = &tx->messages;
	for (uint32_t i = 0; i < p->n_fixed; i++)
		if (p->fixed_slots[i] >= 0)
			tx->slots[p->fixed_slots[i]] =
			    sec_value_of(tx, p->fixed[i].value);
	sec_facts_request(tx);
	return tx;
}

void
sec_tx_share(struct sec_tx *tx, const struct sec_share *share)
{
	tx->share = share;
}

void
sec_tx_detect(struct sec_tx *tx)
{
	if (tx->engine == SEC_ON)
		tx->engine = SEC_PARTLY;
}

bool
sec_tx_wants_body(const struct sec_tx *tx)
{
	return tx->engine != SEC_OFF && tx->reads_request == SEC_ON;
}

bool
sec_tx_wants_answer_body(const struct sec_tx *tx, span media_type)
{
	const struct sec_options *o = &tx->set->options;

	if (tx->engine == SEC_OFF || tx->reads_response != SEC_ON)
		return false;
	for (uint32_t i = 0; i < o->n_response_types; i++)
		if (span_ieq(o->response_types[i], media_type))
			return true;
	return false;
}

void
sec_tx_answer(struct sec_tx *tx, const struct sec_answer *answer)
{
	for (uint32_t i = 0; i < answer->n_fields; i++) {
		const struct sec_field *f = &answer->fields[i];

		sec_vars_item(tx, SEC_VAR_RESPONSE_HEADERS, f->name, f->value);
		sec_vars_item(
		    tx, SEC_VAR_RESPONSE_HEADERS_NAMES, f->name, f->name);
	}
	tx->one[SEC_VAR_RESPONSE_STATUS] = sec_value_number(tx, answer->status);
	tx->one[SEC_VAR_RESPONSE_PROTOCOL] = sec_value_of(tx, answer->protocol);
	tx->one[SEC_VAR_STATUS_LINE] = sec_value_of(
	    tx, arena_printf(tx->a, "%.*s %u %.*s", SPAN_FMT(answer->protocol),
		    answer->status, SPAN_FMT(answer->reason)));
}

void
sec_tx_answer_body(struct sec_tx *tx, span body)
{
	tx->one[SEC_VAR_RESPONSE_BODY] = sec_value_of(tx, body);
}

static void
drop_coding(struct sec_items *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		if (!span_ieq(l->at[i].key, SPAN_LIT("Content-Encoding")))
			l->at[n++] = l->at[i];
	l->n = n;
}

void
sec_tx_answer_decoded(struct sec_tx *tx)
{
	drop_coding(&tx->many[SEC_VAR_RESPONSE_HEADERS]);
	drop_coding(&tx->many[SEC_VAR_RESPONSE_HEADERS_NAMES]);
}

uint16_t
sec_tx_status(const struct sec_tx *tx)
{
	return tx->status;
}

span
sec_tx_redirect(const struct sec_tx *tx)
{
	return tx->redirect;
}

const struct sec_rule *
sec_tx_refuser(const struct sec_tx *tx)
{
	return tx->refuser;
}

const struct sec_message *
sec_tx_messages(const struct sec_tx *tx)
{
	return tx->messages;
}

span
sec_tx_value(const struct sec_tx *tx, span name)
{
	const struct sec_value *v = sec_store_get(tx, SEC_VAR_TX, name);

	return v == NULL ? (span){0} : v->text;
}

bool
sec_tx_is_over(const struct sec_tx *tx)
{
	return tx->is_over;
}

enum sec_bound
sec_tx_bound(const struct sec_tx *tx, const struct sec_rule **rule)
{
	*rule = tx->bound_rule;
	/* what reads a request stops at one bound only */
	return tx->bound == SEC_BOUND_NONE && tx->is_over ? SEC_BOUND_ARGUMENTS
							  : tx->bound;
}

bool
sec_tx_is_audited(const struct sec_tx *tx)
{
	return tx->audit != SEC_OFF;
}

bool
sec_tx_audits_part(const struct sec_tx *tx, char letter)
{
	return (tx->audit_parts >> (letter - 'A') & 1) != 0;
}
