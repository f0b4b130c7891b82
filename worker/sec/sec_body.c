/* sec_body: a request's body, by the processor that its type or a rule chose,
 * as arguments, files and flags. */
#include "common/base/check.h"
#include "worker/sec/sec_json.h"
#include "worker/sec/sec_multipart.h"
#include "worker/sec/sec_tx_int.h"

static span
media_type(const struct sec_tx *tx)
{
	for (uint32_t i = 0; i < tx->request->n_fields; i++)
		if (span_ieq(
			tx->request->fields[i].name, SPAN_LIT("Content-Type")))
			return tx->request->fields[i].value;
	return (span){0};
}

static bool
begins_with(span s, span prefix)
{
	return s.len >= prefix.len &&
	       span_ieq(span_first(s, prefix.len), prefix);
}

enum sec_processor
sec_body_processor(const struct sec_tx *tx)
{
	span type = media_type(tx);

	if (begins_with(type, SPAN_LIT("application/x-www-form-urlencoded")))
		return SEC_BODY_URLENCODED;
	if (begins_with(type, SPAN_LIT("multipart/form-data")))
		return SEC_BODY_MULTIPART;
	return SEC_BODY_NONE;
}

void
sec_body_fault(struct sec_tx *tx, const char *why)
{
	tx->one[SEC_VAR_REQBODY_ERROR] = sec_value_number(tx, 1);
	tx->one[SEC_VAR_REQBODY_ERROR_MSG] = sec_value_of(tx, span_str(why));
}

static bool
json_value(void *self, span name, span value)
{
	struct sec_tx *tx = self;

	/* many names may be long by a few keys */
	if (tx->many[SEC_VAR_ARGS].n >= tx->set->options.arguments_max ||
	    !sec_bound_room(tx, 0))
		return false;
	/* which are no ARGS_POST, as with 2.9 */
	sec_vars_item(tx, SEC_VAR_ARGS, name, value);
	sec_vars_item(tx, SEC_VAR_ARGS_NAMES, name, name);
	return true;
}

static void
read_json(struct sec_tx *tx)
{
	const struct sec_json_sink sink = {.self = tx, .value = json_value};
	const char *wrong = sec_json_read(
	    tx->body, tx->set->options.request_json_depth, tx->a, &sink);

	if (wrong != NULL)
		sec_body_fault(
		    tx, arena_printf(tx->a, "JSON parsing error: %s", wrong).p);
}

void
sec_tx_body(struct sec_tx *tx, span body)
{
	tx->body = body;
	if (body.len == 0 || !sec_bound_room(tx, 0))
		return;
	switch (tx->processor) {
	case SEC_BODY_NONE:
		return;
	case SEC_BODY_URLENCODED:
		sec_facts_arguments(tx, SEC_VAR_ARGS_POST, body);
		return;
	case SEC_BODY_MULTIPART:
		sec_multipart_read(tx, media_type(tx));
		return;
	case SEC_BODY_JSON:
		read_json(tx);
		return;
	case SEC_BODY_XML:
		sec_xml_read(tx);
		return;
	}
	UNREACHED();
}
