/* master/check_conf: what the master told of upstreams, ready for checks. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/service_name.h"
#include "common/ipc/boot.h"
#include "common/shm/registry.h"
#include "master/checks.h"

/* Protocols that are offered where requests are made. */
#define CHECK_ALPN "\x08http/1.1"
#define CHECK_ALPN_H2 "\x02h2"
/* Words of a line. */
#define WORDS_MAX 64

static span
text_at(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return span_of(json_string_value(v), json_string_length(v));
}

static void
group_read_words(struct check_group *g, const json_t *words)
{
	struct conf_word w[WORDS_MAX];
	uint32_t n = 0;
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word)
	{
		if (n < WORDS_MAX)
			w[n++].text = span_of(
			    json_string_value(word), json_string_length(word));
	}
	/* the reader of the configuration told its problems */
	conf_check_words(w, n, &g->what, NULL);
}

static void
group_read_body(struct check_group *g)
{
	struct diag *d = diag_new();

	if (g->what.body.len > 0)
		g->body = regex_new(g->what.body, false, (struct place){0}, d);
	diag_free(d);
}

/* Servers that are told who connects must be told here, too: nobody. */
static void
group_read_proxy(struct check_group *g, const json_t *check)
{
	int version =
	    (int)json_integer_value(json_object_get(check, "send_proxy"));
	struct sock_addr none;

	memset(&none, 0, sizeof(none));
	if (version == 1 || version == 2)
		g->first_len =
		    proxyproto_write(version, &none, &none, g->first);
}

static const struct tls_trust *
system_trust(struct checks *c)
{
	struct tls_problem why;

	if (c->system == NULL)
		c->system = tls_trust_text(
		    span_of(c->system_text, c->system_len), &why);
	return c->system;
}

/* Whom to trust. false: nobody can be believed. */
static bool
group_trust(struct check_group *g, const json_t *check,
    const struct tls_trust **out, struct tls_trust **own)
{
	struct tls_problem why;

	*own = NULL;
	*out = NULL;
	if (!json_is_true(json_object_get(check, "verify")))
		return true;
	if (json_object_get(check, "ca") == NULL)
		*out = system_trust(g->all);
	else
		*out = *own = tls_trust_text(text_at(check, "ca"), &why);
	return *out != NULL;
}

static void
group_open_tls(struct check_group *g, const json_t *check)
{
	struct tls_policy policy = {
	    .is_1_3_only = json_is_true(json_object_get(check, "is_1_3_only")),
	};
	bool is_http = g->what.kind == CHECK_HTTP || g->what.kind == CHECK_GRPC;
	span alpn = !is_http   ? SPAN_LIT("")
		    : g->is_h2 ? SPAN_LIT(CHECK_ALPN_H2)
			       : SPAN_LIT(CHECK_ALPN);
	const struct tls_trust *trust;
	struct tls_trust *own;

	if (!group_trust(g, check, &trust, &own)) {
		log_msg(LOG_ERROR,
		    "servers not checked upstream=%.*s error=\"no "
		    "authorities\"",
		    SPAN_FMT(g->name));
		return;
	}
	g->tls = tls_client_new(&policy, trust, alpn.p, (uint32_t)alpn.len);
	tls_trust_free(own);
}

/* --- servers -------------------------------------------------------------- */

/* What makes a check another one: its words, whom it asks, and how. */
static uint64_t
server_check(const struct check_server *s, const json_t *check)
{
	/* the same in every steward: the next one goes on */
	static const struct sipkey key = {0x636865636b, 0x73};
	char *text;
	uint64_t h;

	if (s->group->what.kind == CHECK_NONE)
		return 0;
	text = json_dumps(check, JSON_COMPACT | JSON_SORT_KEYS);
	REQUIRE(text != NULL);
	h = siphash(&key, span_str(text));
	free(text);
	return h != 0 ? h : 1;
}

/* The name its certificate is for; a text of the configuration. */
static span
server_tls_name(const struct check_server *s, const json_t *check)
{
	span sni = text_at(check, "sni");
	span name = s->at.authority;

	if (sni.len > 0)
		return sni;
	if (s->at.host.len > 0)
		return service_name_domain(s->at.host);
	/* an address: without its port and brackets */
	if (name.len > 0 && name.p[0] == '[')
		return span_of(name.p + 1, (size_t)(span_chr(name, ']') - 1));
	return span_chr(name, ':') < 0
		   ? name
		   : span_first(name, (size_t)span_chr(name, ':'));
}

static void
server_open(struct check_server *s, struct check_group *g, const json_t *j,
    const json_t *check)
{
	struct health h;

	s->group = g;
	s->state = CHECK_RESTS;
	s->id = (uint32_t)json_integer_value(json_object_get(j, "id"));
	s->number = (uint32_t)json_integer_value(json_object_get(j, "number"));
	s->is_backup = json_is_true(json_object_get(j, "backup"));
	s->spots =
	    json_is_integer(json_object_get(j, "spots"))
		? (uint32_t)json_integer_value(json_object_get(j, "spots"))
		: REGISTRY_NONE;
	s->spot = (uint32_t)json_integer_value(json_object_get(j, "spot"));
	(void)peer_addr_parse(text_at(j, "address"), &s->at);
	s->check = server_check(s, check);
	if (g->tls != NULL && (g->what.kind == CHECK_TLS || s->at.is_tls))
		s->remote = tls_remote_new(g->tls, server_tls_name(s, check));
	health_look(g->all->boot->upstate, s->id,
	    clock_mono_ms(loop_clock(g->all->loop)), &h);
	s->was_ejected = h.state == HEALTH_EJECTED;
}

static bool
group_needs_tls(const struct check_group *g, const json_t *servers)
{
	const json_t *j;
	size_t i;

	if (g->what.kind != CHECK_HTTP && g->what.kind != CHECK_GRPC)
		return g->what.kind == CHECK_TLS;
	json_array_foreach(servers, i, j)
	{
		if (span_starts(text_at(j, "address"), SPAN_LIT("https://")))
			return true;
	}
	return false;
}

static void
group_open_servers(
    struct check_group *g, const json_t *servers, const json_t *check)
{
	const json_t *j;
	size_t i;

	g->servers = calloc(json_array_size(servers) + 1, sizeof(*g->servers));
	REQUIRE(g->servers != NULL);
	json_array_foreach(servers, i, j)
	{
		uint64_t id =
		    (uint64_t)json_integer_value(json_object_get(j, "id"));

		/* what has no place in the table has no health */
		if (id < UPSTATE_SERVERS_MAX)
			server_open(&g->servers[g->n_servers++], g, j, check);
	}
}

static void
group_open(struct check_group *g, struct checks *c, const json_t *j)
{
	const json_t *check = json_object_get(j, "check");
	const json_t *servers = json_object_get(j, "servers");

	g->all = c;
	g->name = text_at(j, "name");
	g->panic_tenths =
	    (uint32_t)json_integer_value(json_object_get(j, "panic"));
	group_read_words(g, json_object_get(check, "words"));
	g->is_h2 = g->what.kind == CHECK_GRPC ||
		   json_is_true(json_object_get(check, "h2"));
	g->request_len = grpc_health_request(g->what.service, g->request);
	group_read_body(g);
	group_read_proxy(g, check);
	if (group_needs_tls(g, servers))
		group_open_tls(g, check);
	group_open_servers(g, servers, check);
}

void
check_groups_open(struct checks *c)
{
	const json_t *all = json_object_get(c->conf, "upstreams");
	const json_t *j;
	size_t i;

	c->groups = calloc(json_array_size(all) + 1, sizeof(*c->groups));
	REQUIRE(c->groups != NULL);
	json_array_foreach(all, i, j)
	{
		group_open(&c->groups[c->n_groups++], c, j);
	}
}

void
check_groups_close(struct checks *c)
{
	for (size_t i = 0; i < c->n_groups; i++) {
		struct check_group *g = &c->groups[i];

		for (size_t k = 0; k < g->n_servers; k++)
			tls_remote_free(g->servers[k].remote);
		free(g->servers);
		regex_free(g->body);
		tls_client_free(g->tls);
	}
	free(c->groups);
	c->groups = NULL;
	c->n_groups = 0;
}
