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

/* Whether what stands behind the `+` of an application's type is JSON. */
static bool
is_json_suffix(span type)
{
	ptrdiff_t plus = span_chr(type, '+');

	return plus > 0 && begins_with(type, SPAN_LIT("application/")) &&
	       begins_with(span_from(type, (size_t)plus + 1), SPAN_LIT("json"));
}

/* The types of forms, and those that the rules 200000 and 200001 of ModSecurity's
 * recommended configuration have: sets of rules rely on these. */
enum sec_processor
sec_body_processor(const struct sec_tx *tx)
{
	static const struct {
		span type;
		enum sec_processor processor;
	} known[] = {
	    {{"application/x-www-form-urlencoded", 33}, SEC_BODY_URLENCODED},
	    {{"multipart/form-data", 19}, SEC_BODY_MULTIPART},
	    {{"application/json", 16}, SEC_BODY_JSON},
	    {{"application/xml", 15}, SEC_BODY_XML},
	    {{"application/soap+xml", 20}, SEC_BODY_XML},
	    {{"text/xml", 8}, SEC_BODY_XML},
	};
	span type = span_trim(media_type(tx));

	for (size_t i = 0; i < NELEMS(known); i++)
		if (begins_with(type, known[i].type))
			return known[i].processor;
	return is_json_suffix(type) ? SEC_BODY_JSON : SEC_BODY_NONE;
}

bool
sec_tx_is_unread(const struct sec_tx *tx)
{
	return tx->engine != SEC_OFF &&
	       ((tx->is_unread && !tx->plan->judges_unread) ||
		   (tx->is_doubtful && !tx->plan->judges_doubtful));
}

bool
sec_tx_may_refuse(const struct sec_tx *tx)
{
	return tx->engine == SEC_ON;
}

void
sec_body_fault(struct sec_tx *tx, const char *why)
{
	tx->is_unread = true;
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

void
sec_tx_body_is_broken(struct sec_tx *tx)
{
	if (tx->processor != SEC_BODY_NONE)
		sec_body_fault(tx, "Content-Encoding: unknown, or broken");
}
