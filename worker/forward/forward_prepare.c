/* forward/forward_prepare: a [forward] compiled for serving. The shape of every
 * value was checked when the configuration was read. */
#include <ifaddrs.h>

#include "common/base/check.h"
#include "common/base/vec.h"
#include "common/net/sock.h"
#include "worker/forward/forward_int.h"

static void
prepare_ports(struct forward *f, const struct conf_scope *s, struct arena *a)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	uint32_t n = 0;

	while ((v = conf_next(s, KEY_FORWARD_CONNECT_PORTS, &it)) != NULL)
		n += v->n_words;
	f->connect_ports = arena_alloc(a, n * sizeof(*f->connect_ports));
	it = (struct conf_iter){NULL, 0, false};
	while ((v = conf_next(s, KEY_FORWARD_CONNECT_PORTS, &it)) != NULL) {
		f->connect_ports_at = v->at;
		for (uint32_t i = 0; i < v->n_words; i++) {
			struct forward_ports *p =
			    &f->connect_ports[f->n_connect_ports];

			f->n_connect_ports += conf_parse_ports(
			    v->words[i].text, &p->from, &p->to);
		}
	}
}

static void
prepare_kept(struct forward *f, const struct conf_scope *s, struct arena *a)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	uint32_t n = 0;
	span *kept;

	while ((v = conf_next(s, KEY_FORWARD_KEEP_HEADER, &it)) != NULL)
		n += v->n_words;
	if (n == 0)
		return;
	kept = arena_alloc(a, n * sizeof(*kept));
	it = (struct conf_iter){NULL, 0, false};
	while ((v = conf_next(s, KEY_FORWARD_KEEP_HEADER, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++)
			kept[f->n_kept++] = v->words[i].text;
	}
	f->kept = kept;
}

/* --- our own listens ------------------------------------------------------ */

struct own_list {
	struct forward_own *at;
	uint32_t n;
	uint32_t cap;
	struct arena *arena;
};

static void
own_add(struct own_list *o, struct forward_own own)
{
	if (o->n == o->cap) {
		uint32_t cap = 2 * o->cap + 8;
		struct forward_own *at =
		    arena_alloc(o->arena, cap * sizeof(*at));

		if (o->n > 0)
			memcpy(at, o->at, o->n * sizeof(*at));
		o->at = at;
		o->cap = cap;
	}
	o->at[o->n++] = own;
}

/* A listen on all addresses is on each one that the machine has now. */
static void
own_add_all(struct own_list *o, const struct ifaddrs *interfaces,
    struct forward_own own)
{
	for (const struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next) {
		struct sock_addr addr;
		uint16_t port;

		if (i->ifa_addr == NULL)
			continue;
		memset(&addr, 0, sizeof(addr));
		if (i->ifa_addr->sa_family == AF_INET)
			memcpy(&addr.u.in, i->ifa_addr, sizeof(addr.u.in));
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&addr.u.in6, i->ifa_addr, sizeof(addr.u.in6));
		else
			continue;
		if (sock_addr_ip(&addr, &own.ip, &port))
			own_add(o, own);
	}
}

static bool
own_is_any(const struct ip *ip)
{
	static const struct ip any6;
	struct ip any4;

	(void)ip_parse(SPAN_LIT("0.0.0.0"), &any4);
	return ip_eq(ip, &any6) || ip_eq(ip, &any4);
}

static void
own_add_listen(struct own_list *o, const struct conf_scope *s,
    const struct ifaddrs *interfaces)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;

	while ((v = conf_next(s, KEY_LISTEN_ADDRESS, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			struct forward_own own = {
			    .is_proxy = !span_eq(conf_text(s, KEY_LISTEN_MODE),
				SPAN_LIT("http")),
			};
			struct sock_addr addr;

			if (!sock_addr_parse(v->words[i].text, &addr) ||
			    !sock_addr_ip(&addr, &own.ip, &own.port))
				continue;
			if (own_is_any(&own.ip))
				own_add_all(o, interfaces, own);
			else
				own_add(o, own);
		}
	}
}

static void
prepare_own(struct forward *f, const struct conf_tree *t, struct arena *a)
{
	struct own_list own = {.arena = a};
	struct ifaddrs *interfaces = NULL;

	if (getifaddrs(&interfaces) < 0)
		interfaces = NULL;
	for (const struct conf_section *s = conf_first(t, CONF_LISTEN);
	     s != NULL; s = s->next) {
		struct conf_scope scope = conf_scope_of(t, s);

		own_add_listen(&own, &scope, interfaces);
	}
	if (interfaces != NULL)
		freeifaddrs(interfaces);
	f->own = own.at;
	f->n_own = own.n;
}

const struct forward *
forward_prepare(const struct boot *b, const struct conf_section *sec,
    const struct forward_parent *parents, uint32_t n_parents, struct arena *a)
{
	struct conf_scope s = conf_scope_of(b->conf, sec);
	const struct conf_value *v = conf_get(&s, KEY_FORWARD_PRIVATE_NETWORKS);
	struct forward *f = arena_zalloc(a, sizeof(*f));

	f->name = sec->name;
	f->at = sec->at;
	prepare_ports(f, &s, a);
	f->private_at = v != NULL ? v->at : sec->at;
	f->allows_private = span_eq(
	    conf_text(&s, KEY_FORWARD_PRIVATE_NETWORKS), SPAN_LIT("allow"));
	/* the words of the key stand in the order of the enum */
	f->anonymity =
	    (enum forward_anonymity)conf_num(&s, KEY_FORWARD_ANONYMIZE);
	f->has_via =
	    conf_bool(&s, KEY_FORWARD_VIA) && f->anonymity != ANONYMITY_ELITE;
	f->user_agent = conf_text(&s, KEY_FORWARD_USER_AGENT);
	prepare_kept(f, &s, a);
	f->has_proxy_status = conf_bool(&s, KEY_SCOPE_PROXY_STATUS);
	f->has_pac = conf_bool(&s, KEY_FORWARD_PAC);
	f->parents = parents;
	f->n_parents = n_parents;
	prepare_own(f, b->conf, a);
	return f;
}
