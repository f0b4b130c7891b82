/* master/admin_server: what the operator wants of one server, noted where all
 * workers see it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/conf/conf_balance.h"
#include "common/http/peer_addr.h"
#include "common/store/history.h"
#include "master/admin.h"

/* With and without http:// it is the same server. */
static bool
is_same_server(const char *a, const char *b)
{
	struct peer_addr of_a;
	struct peer_addr of_b;

	(void)peer_addr_parse(span_str(a), &of_a);
	(void)peer_addr_parse(span_str(b), &of_b);
	return span_eq(of_a.text, of_b.text);
}

static const json_t *
find_upstream(const json_t *conf, const char *name)
{
	const json_t *u;
	size_t i;

	json_array_foreach(json_object_get(conf, "upstreams"), i, u)
	{
		if (strcmp(json_string_value(json_object_get(u, "name")),
			name) == 0)
			return u;
	}
	return NULL;
}

/* The first one from *at on, which is moved behind it: a name is one for each
 * address. NULL: there is no other. */
static const json_t *
next_server(const json_t *upstream, const char *address, size_t *at)
{
	const json_t *all = json_object_get(upstream, "servers");

	while (*at < json_array_size(all)) {
		const json_t *s = json_array_get(all, (*at)++);

		if (is_same_server(
			json_string_value(json_object_get(s, "address")),
			address))
			return s;
	}
	return NULL;
}

/* What one word of an order changes; the rest stays. */
struct server_change {
	bool has_state;
	enum health_order state;
	bool has_weight;
	uint32_t weight; /* 0: as configured */
};

/* NULL, or what is wrong with it. `weight` may be NULL. */
static const char *
change_read(const char *word, const json_t *weight, struct server_change *out)
{
	span w = span_str(word);
	json_int_t n = json_integer_value(weight);

	*out = (struct server_change){.state = HEALTH_ORDER_AUTO};
	out->has_weight = span_eq(w, SPAN_LIT("weight"));
	if (out->has_weight) {
		if (n < 1 || n > HEALTH_WEIGHT_MAX)
			return "a weight is a number from 1 to 1000";
		out->weight = (uint32_t)n;
		return NULL;
	}
	if (weight != NULL)
		return "weight goes with the order weight alone";
	out->has_state = true;
	if (span_eq(w, SPAN_LIT("ready")))
		return NULL;
	out->state = health_order_find(w);
	out->has_weight = out->state == HEALTH_ORDER_AUTO;
	return out->state < HEALTH_ORDERS ? NULL
					  : "an order is one of drain, down, "
					    "up, ready, auto, weight";
}

static void
change_obey(const struct admin *a, const json_t *server,
    const struct server_change *change)
{
	uint32_t id =
	    (uint32_t)json_integer_value(json_object_get(server, "id"));
	struct upstate *u = a->boot->upstate;
	uint64_t now_ms = clock_mono_ms(loop_clock(a->loop));

	if (change->has_state)
		health_order_set(u, id, change->state, now_ms);
	if (change->has_weight)
		health_weight_set(u, id, change->weight);
	history_note(u, id, now_ms);
}

/* Who it was goes into the log. */
static void
change_log(struct serve_call *c, const char *upstream, const json_t *server,
    const char *word, const struct server_change *change)
{
	char weight[sizeof(" weight=1000")] = "";
	char who[ADMIN_WHO_CAP];

	if (change->weight != 0)
		(void)snprintf(weight, sizeof(weight), " weight=%u",
		    change->weight % 10000);
	log_msg(LOG_NOTICE,
	    "server ordered upstream=%s server=%s order=%s%s %s", upstream,
	    json_string_value(json_object_get(server, "address")), word, weight,
	    admin_who(c, who));
}

/* The words of an order, or of the question how a server is. */
struct server_order {
	const char *upstream;
	const char *server;
	const char *word; /* NULL: a question */
	const json_t *weight; /* NULL: none */
};

/* The servers of that address as they are. */
static void
order_answer(const struct admin *a, struct serve_call *c, const json_t *u,
    const struct server_order *o)
{
	json_t *others = json_array();
	json_t *j = json_object();
	const json_t *s;
	size_t at = 0;

	while ((s = next_server(u, o->server, &at)) != NULL) {
		json_t *found = admin_status_server(a, s);

		/* an empty spot */
		if (found == NULL)
			continue;
		if (json_object_get(j, "server") == NULL)
			(void)json_object_set_new(j, "server", found);
		else
			(void)json_array_append_new(others, found);
	}
	(void)json_object_set_new(j, "others", others);
	(void)json_object_set(j, "balance", json_object_get(u, "balance"));
	admin_answer(c, 200, j);
}

static void
order_obey(const struct admin *a, struct serve_call *c,
    const struct server_order *o, const struct server_change *change)
{
	const json_t *u = find_upstream(a->conf, o->upstream);
	size_t at = 0;
	const json_t *s = next_server(u, o->server, &at);
	uint64_t id = (uint64_t)json_integer_value(json_object_get(s, "id"));
	json_t *j;

	if (u == NULL) {
		admin_refuse(c, 404, "there is no upstream of this name");
	} else if (s == NULL) {
		admin_refuse(c, 404, "the upstream has no such server");
	} else if (id >= UPSTATE_SERVERS_MAX) {
		admin_refuse(c, 409,
		    "this server has no place in the shared "
		    "table");
	} else if (change->weight != 0 &&
		   !conf_balance_has_weights(span_str(
		       json_string_value(json_object_get(u, "balance"))))) {
		admin_refuse(c, 409,
		    "balance = hash and ip_hash take weights from the "
		    "configuration alone: another one would send clients of "
		    "all servers elsewhere");
	} else if (o->word == NULL) {
		order_answer(a, c, u, o);
	} else {
		change_log(c, o->upstream, s, o->word, change);
		for (; s != NULL; s = next_server(u, o->server, &at))
			change_obey(a, s, change);
		j = json_object();
		(void)json_object_set_new(j, "ok", json_true());
		admin_answer(c, 200, j);
	}
}

void
admin_on_server(void *self, struct serve_call *c)
{
	const struct admin *a = self;
	span text = serve_content(c);
	struct server_change change = {.weight = 0};
	struct server_order o;
	const char *problem = NULL;
	json_error_t err;
	json_t *j;

	if (!admin_begin(a, c))
		return;
	j = json_loadb(text.p != NULL ? text.p : "", text.len,
	    JSON_REJECT_DUPLICATES, &err);
	o = (struct server_order){
	    .upstream = json_string_value(json_object_get(j, "upstream")),
	    .server = json_string_value(json_object_get(j, "server")),
	    .word = json_string_value(json_object_get(j, "order")),
	    .weight = json_object_get(j, "weight"),
	};
	if (o.word != NULL)
		problem = change_read(o.word, o.weight, &change);
	if (o.upstream == NULL || o.server == NULL ||
	    (o.word == NULL && json_object_size(j) != 2))
		admin_refuse(c, 400,
		    "expected {\"upstream\": NAME, \"server\": ADDRESS}, and "
		    "\"order\": WORD for an order");
	else if (problem != NULL)
		admin_refuse(c, 400, problem);
	else
		order_obey(a, c, &o, &change);
	json_decref(j);
}
