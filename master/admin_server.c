/* master/admin_server: what the operator wants of one server, noted where all
 * workers see it. */
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/serve/peer_addr.h"
#include "common/store/health.h"
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

static const json_t *
find_server(const json_t *upstream, const char *address)
{
	const json_t *s;
	size_t i;

	json_array_foreach(json_object_get(upstream, "servers"), i, s)
	{
		if (is_same_server(
			json_string_value(json_object_get(s, "address")),
			address))
			return s;
	}
	return NULL;
}

/* Who it was goes into the log. */
static void
server_order(const struct admin *a, struct serve_call *c, const char *upstream,
    const json_t *server, enum health_order what)
{
	uint64_t id =
	    (uint64_t)json_integer_value(json_object_get(server, "id"));
	json_t *j;
	pid_t pid = 0;
	uid_t uid = 0;
	gid_t gid;

	if (id >= UPSTATE_SERVERS_MAX) {
		admin_refuse(c, 409,
		    "this server has no place in the shared "
		    "table");
		return;
	}
	health_order_set(a->boot->upstate, (uint32_t)id, what,
	    clock_mono_ms(loop_clock(a->loop)));
	(void)serve_peer(c, &pid, &uid, &gid);
	log_msg(LOG_NOTICE,
	    "server ordered upstream=%s server=%s order=%s uid=%u", upstream,
	    json_string_value(json_object_get(server, "address")),
	    health_order_name(what), (unsigned)uid);
	j = json_object();
	(void)json_object_set_new(j, "ok", json_true());
	admin_answer(c, 200, j);
}

void
admin_on_server(void *self, struct serve_call *c)
{
	const struct admin *a = self;
	span text = serve_content(c);
	json_error_t err;
	const char *upstream;
	const char *server;
	const char *order;
	enum health_order what;
	const json_t *u;
	const json_t *s;
	json_t *j;

	if (!admin_begin(a, c))
		return;
	j = json_loadb(text.p != NULL ? text.p : "", text.len,
	    JSON_REJECT_DUPLICATES, &err);
	upstream = json_string_value(json_object_get(j, "upstream"));
	server = json_string_value(json_object_get(j, "server"));
	order = json_string_value(json_object_get(j, "order"));
	what =
	    order == NULL ? HEALTH_ORDERS : health_order_find(span_str(order));
	u = upstream == NULL ? NULL : find_upstream(a->conf, upstream);
	s = server == NULL ? NULL : find_server(u, server);
	if (upstream == NULL || server == NULL || order == NULL)
		admin_refuse(c, 400,
		    "expected {\"upstream\": NAME, \"server\": ADDRESS, "
		    "\"order\": WORD}");
	else if (what == HEALTH_ORDERS)
		admin_refuse(
		    c, 400, "an order is one of drain, down, up, auto");
	else if (u == NULL)
		admin_refuse(c, 404, "there is no upstream of this name");
	else if (s == NULL)
		admin_refuse(c, 404, "the upstream has no such server");
	else
		server_order(a, c, upstream, s, what);
	json_decref(j);
}
