/* sec_shelf: collections that outlive a request: IP, GLOBAL, SESSION, USER and
 * RESOURCE, of which initcol, setsid and setuid say which one is meant. Rules
 * read a copy of when it was opened, with their own changes; each change is
 * made at once where all processes see it. */
#include <assert.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/store/collections.h"
#include "worker/sec/sec_tx_int.h"

#define S_PER_MINUTE 60u

/* Names that tell of the collection itself; rules set TIMEOUT alone. */
#define TIMEOUT SPAN_LIT("TIMEOUT")
static const char *const own_names[] = {"KEY", "CREATE_TIME", "IS_NEW",
    "LAST_UPDATE_TIME", "UPDATE_COUNTER", "UPDATE_RATE"};

enum shelf {
	SHELF_IP,
	SHELF_GLOBAL,
	SHELF_SESSION,
	SHELF_USER,
	SHELF_RESOURCE
};

static struct sec_shelf *
shelf_of(struct sec_tx *tx, enum sec_var store)
{
	static_assert(SHELF_RESOURCE + 1 == SEC_SHELVES, "one for each store");

	switch ((int)store) {
	case SEC_VAR_IP:
		return &tx->shelves[SHELF_IP];
	case SEC_VAR_GLOBAL:
		return &tx->shelves[SHELF_GLOBAL];
	case SEC_VAR_SESSION:
		return &tx->shelves[SHELF_SESSION];
	case SEC_VAR_USER:
		return &tx->shelves[SHELF_USER];
	case SEC_VAR_RESOURCE:
		return &tx->shelves[SHELF_RESOURCE];
	default:
		return NULL;
	}
}

static uint64_t
now_s(const struct sec_tx *tx)
{
	return (uint64_t)tx->request->now.tv_sec;
}

static struct collections_by
by(const struct sec_tx *tx)
{
	return (struct collections_by){
	    tx->share->slots, tx->share->me, now_s(tx)};
}

/* --- opening -------------------------------------------------------------- */

static void
show(struct sec_tx *tx, enum sec_var store, span name, span value)
{
	sec_store_put(tx, store, name, sec_value_of(tx, value));
}

static void
show_number(struct sec_tx *tx, enum sec_var store, const char *name, uint64_t n)
{
	sec_store_put(tx, store, span_str(name), sec_value_number(tx, n));
}

static void
show_facts(struct sec_tx *tx, enum sec_var store, const struct collection *c)
{
	uint64_t age_s =
	    now_s(tx) > c->created_s ? now_s(tx) - c->created_s : 0;

	show_number(tx, store, "CREATE_TIME", c->created_s);
	show_number(tx, store, "UPDATE_COUNTER", c->n_updates);
	show_number(tx, store, "UPDATE_RATE",
	    age_s == 0 ? 0 : (uint64_t)c->n_updates * S_PER_MINUTE / age_s);
	show_number(tx, store, "TIMEOUT", c->timeout_s);
}

static void
show_vars(struct sec_tx *tx, enum sec_var store, const struct collection *c)
{
	struct collection_var v;
	uint32_t at = 0;

	while (collection_next(c, &at, &v))
		show(tx, store, arena_span(tx->a, v.name),
		    arena_span(tx->a, v.value));
	show_number(tx, store, "LAST_UPDATE_TIME", c->updated_s);
}

/* Whose rules they are, the store, and the key: no two have one text. */
static span
shelf_name(struct sec_tx *tx, enum sec_var store, span key)
{
	const span parts[] = {tx->share->scope, SPAN_LIT(" "),
	    span_str(sec_var_name(store)), SPAN_LIT(" "), key};

	return arena_concat(tx->a, parts, NELEMS(parts));
}

static void
open_one(struct sec_tx *tx, const struct sec_open *o)
{
	struct sec_shelf *shelf = shelf_of(tx, o->store);
	struct collection c = {.created_s = now_s(tx),
	    .timeout_s = tx->set->options.collection_timeout_s};
	struct collections_by who;
	span key;

	if (shelf->is_open)
		return;
	key = sec_expand(tx, &o->key);
	if (key.len == 0)
		return;
	shelf->is_open = true;
	show(tx, o->store, SPAN_LIT("KEY"), key);
	if (tx->share != NULL) {
		who = by(tx);
		shelf->name = shelf_name(tx, o->store, key);
		if (collections_read(tx->share->table, &who, shelf->name, &c)) {
			show_vars(tx, o->store, &c);
			show_facts(tx, o->store, &c);
			return;
		}
	}
	show_number(tx, o->store, "IS_NEW", 1);
	show_facts(tx, o->store, &c);
}

/* setsid and setuid are named by a variable, too. */
static void
open_named(struct sec_tx *tx, const struct sec_open *o)
{
	enum sec_var id =
	    o->store == SEC_VAR_SESSION ? SEC_VAR_SESSIONID : SEC_VAR_USERID;

	tx->one[id] = sec_value_of(tx, sec_expand(tx, &o->key));
}

void
sec_shelf_open(struct sec_tx *tx, const struct sec_open *o)
{
	open_one(tx, o);
	if (o->is_named)
		open_named(tx, o);
}

/* --- changes -------------------------------------------------------------- */

/* A change, made inside of the table: what is known before, and what came of
 * it. */
struct change {
	enum sec_set_op op;
	span name, value;
	uint32_t timeout_s; /* of a new collection */
	bool is_first; /* of this request */
	char digits[20];
	span result; /* in digits, or the value */
};

static int64_t
sum_of(span old, int64_t more)
{
	int64_t n = sec_number(old) + more;

	/* no counter goes below nothing */
	return n > 0 ? n : 0;
}

static void
change_value(struct change *g, span old)
{
	int64_t n = sec_number(g->value);

	g->result = g->value;
	if (g->op == SEC_SET_ADD || g->op == SEC_SET_SUB)
		g->result = span_of(g->digits,
		    u64_format(
			(uint64_t)sum_of(old, g->op == SEC_SET_ADD ? n : -n),
			g->digits));
}

static void
change_begin(const struct change *g, struct collection *c)
{
	if (c->n_updates == 0)
		c->timeout_s = g->timeout_s;
	if (g->is_first)
		c->n_updates++;
}

static void
change_do(void *self, struct collection *c)
{
	struct change *g = self;
	struct collection_var old = {.until_s = 0};

	change_begin(g, c);
	if (span_ieq(g->name, TIMEOUT)) {
		char digits[20];

		change_value(
		    g, span_of(digits, u64_format(c->timeout_s, digits)));
		c->timeout_s = (uint32_t)sum_of(g->result, 0);
		return;
	}
	(void)collection_get(c, g->name, &old);
	change_value(g, old.value);
	if (g->op == SEC_SET_UNSET)
		collection_drop(c, g->name);
	else
		collection_put(c, g->name, g->result);
}

static bool
is_own_name(span name)
{
	for (size_t i = 0; i < NELEMS(own_names); i++)
		if (span_ieq(name, span_str(own_names[i])))
			return true;
	return false;
}

bool
sec_shelf_keeps(struct sec_tx *tx, enum sec_var store)
{
	return shelf_of(tx, store) != NULL;
}

void
sec_shelf_change(
    struct sec_tx *tx, const struct sec_assign *s, span name, span value)
{
	struct sec_shelf *shelf = shelf_of(tx, s->store);
	const struct sec_value *old = sec_store_get(tx, s->store, name);
	struct change g = {.op = s->op,
	    .name = name,
	    .value = value,
	    .timeout_s = tx->set->options.collection_timeout_s,
	    .is_first = !shelf->is_changed};
	struct collections_by who;

	/* as in ModSecurity 2: what was not opened is not there */
	if (!shelf->is_open || is_own_name(name))
		return;
	change_value(&g, old == NULL ? (span){0} : old->text);
	if (tx->share != NULL) {
		who = by(tx);
		shelf->is_changed |= collections_edit(
		    tx->share->table, &who, shelf->name, change_do, &g);
	}
	sec_store_put(tx, s->store, name,
	    g.op == SEC_SET_UNSET
		? NULL
		: sec_value_of(tx, arena_span(tx->a, g.result)));
}

/* --- expirevar ------------------------------------------------------------ */

struct expiry {
	span name;
	uint64_t until_s;
	bool is_first;
};

static void
expiry_do(void *self, struct collection *c)
{
	const struct expiry *e = self;

	if (e->is_first)
		c->n_updates++;
	collection_expire(c, e->name, e->until_s);
}

void
sec_shelf_expire(struct sec_tx *tx, const struct sec_assign *s)
{
	struct sec_shelf *shelf = shelf_of(tx, s->store);
	struct collections_by who;
	struct expiry e;

	/* names of TX end with the request */
	if (shelf == NULL || !shelf->is_open || tx->share == NULL)
		return;
	e.name = sec_expand(tx, &s->name);
	/* a name that is not there has nothing to end */
	if (sec_store_get(tx, s->store, e.name) == NULL)
		return;
	e.until_s = now_s(tx) + (uint64_t)sum_of(sec_expand(tx, &s->value), 0);
	e.is_first = !shelf->is_changed;
	who = by(tx);
	shelf->is_changed |= collections_edit(
	    tx->share->table, &who, shelf->name, expiry_do, &e);
}
