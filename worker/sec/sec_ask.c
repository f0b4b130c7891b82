/* sec_ask: operators whose answer is not in the request: where an address is, and
 * whether a list that is asked by DNS has it. */
#include "common/base/ip.h"
#include "common/http/chars.h"
#include "worker/sec/sec_tx_int.h"

/* Longest name (RFC 1035 2.3.4), without the dot at its end. */
#define NAME_MAX_LEN 253u
#define HEX "0123456789abcdef"
/* "f." for each half of a byte of IPv6. */
#define REVERSED_CAP 64u

/* GEO holds what was found last, as in ModSecurity. */
static enum sec_rc
locate(struct sec_tx *tx, span address)
{
	struct sec_field found[SEC_GEO_MAX];
	uint32_t n = 0;

	if (tx->request->locate != NULL)
		n = tx->request->locate(tx->request->self, address, found);
	tx->many[SEC_VAR_GEO].n = 0;
	for (uint32_t i = 0; i < n; i++)
		sec_vars_item(tx, SEC_VAR_GEO, found[i].name, found[i].value);
	return n > 0 ? SEC_YES : SEC_NO;
}

/* --- lists ---------------------------------------------------------------- */

/* Its parts from the last to the first (RFC 5782 2.1, 2.4). */
static span
reversed(struct sec_tx *tx, const struct ip *ip)
{
	char *to;
	size_t n = 0;

	if (ip_is_v4(ip))
		return arena_printf(tx->a, "%u.%u.%u.%u", ip->b[15], ip->b[14],
		    ip->b[13], ip->b[12]);
	to = arena_alloc(tx->a, REVERSED_CAP);
	for (size_t i = sizeof(ip->b); i > 0; i--) {
		to[n++] = HEX[ip->b[i - 1] & 15];
		to[n++] = '.';
		to[n++] = HEX[ip->b[i - 1] >> 4];
		to[n++] = '.';
	}
	return span_of(to, n - 1);
}

/* Bytes of a name that is asked for: what else a request says is no name. */
static bool
is_name(span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool is_edge = i == 0 || i + 1 == s.len || s.p[i - 1] == '.';

		if (!char_is(c, CHAR_SCHEME) || c == '+' ||
		    (is_edge && (c == '-' || c == '.')))
			return false;
	}
	return s.len > 0;
}

/* What a rule asks for; empty: nothing that could be asked. */
static span
question(struct sec_tx *tx, const struct sec_rule *r, span text)
{
	span list = (r->flags & SEC_RULE_HAS_MACROS) != 0
			? sec_expand(tx, &r->argument)
			: r->argument.raw;
	span parts[] = {text, SPAN_LIT("."), list};
	struct ip ip;

	if (ip_parse(text, &ip))
		parts[0] = reversed(tx, &ip);
	if (parts[0].len + 1 + list.len > NAME_MAX_LEN || !is_name(parts[0]) ||
	    !is_name(list))
		return (span){0};
	return arena_concat(tx->a, parts, NELEMS(parts));
}

static enum sec_look
look(struct sec_tx *tx, const struct sec_rule *r, span text)
{
	span name = question(tx, r, text);

	return name.len == 0 || tx->request->look == NULL
		   ? SEC_LOOK_NO
		   : tx->request->look(tx->request->self, name);
}

/* All of its names are asked at once. */
static bool
rule_waits(struct sec_tx *tx, const struct sec_rule *r)
{
	const struct sec_items *items = sec_vars_of_rule(tx, r);
	bool waits = false;

	for (uint32_t i = 0; i < items->n; i++) {
		struct sec_value *v =
		    sec_value_chain(tx, items->at[i].value, r->chain);

		if (look(tx, r, v->text) == SEC_LOOK_WAITS)
			waits = true;
	}
	return waits;
}

static bool
value_holds(
    struct sec_tx *tx, const struct sec_rule *r, const struct sec_item *item)
{
	struct sec_value *v = sec_value_chain(tx, item->value, r->chain);
	struct sec_hits hits = {.n = 0};
	bool is_yes =
	    sec_test_run(r->test, r->argument.raw, v->text, &hits) == SEC_YES;

	return is_yes != ((r->flags & SEC_RULE_IS_NEGATED) != 0);
}

/* Whether a rule before the question may hold; false is certain where what it
 * looks at is the same when it is tried. */
static bool
may_hold(struct sec_tx *tx, const struct sec_rule *r)
{
	uint32_t list = tx->plan->list_of[r - tx->set->rules];
	const struct sec_items *items;

	if (r->kind != SEC_KIND_RULE || r->test == NULL ||
	    !tx->plan->lists[list].is_steady ||
	    (r->flags & (SEC_RULE_HAS_MACROS | SEC_RULE_MULTI_MATCH)) != 0)
		return true;
	items = sec_vars_of_rule(tx, r);
	for (uint32_t i = 0; i < items->n; i++) {
		struct sec_item item = items->at[i];

		if (value_holds(tx, r, &item))
			return true;
	}
	return false;
}

/* Whether a rule of the chain behind this one looks for names. */
static bool
chain_asks(const struct sec_rule *first, uint32_t i)
{
	while (++i <= first->n_chained)
		if (first[i].kind == SEC_KIND_RULE && first[i].op == SEC_OP_RBL)
			return true;
	return false;
}

bool
sec_ask_waits(struct sec_tx *tx, const struct sec_rule *first)
{
	bool waits = false;

	for (uint32_t i = 0; i <= first->n_chained; i++) {
		const struct sec_rule *r = first + i;

		if (r->kind != SEC_KIND_RULE || r->op != SEC_OP_RBL) {
			if (chain_asks(first, i) && !may_hold(tx, r))
				break;
		} else if (rule_waits(tx, r)) {
			waits = true;
		}
	}
	return waits;
}

enum sec_rc
sec_ask(struct sec_tx *tx, const struct sec_rule *r, span text)
{
	if (r->op == SEC_OP_GEO_LOOKUP)
		return locate(tx, text);
	/* a name that only this chain told of is not waited for */
	return look(tx, r, text) == SEC_LOOK_YES ? SEC_YES : SEC_NO;
}
