/* up/up_prepare_tls: what we are to the https:// servers of an upstream. */
#include "common/base/service_name.h"
#include "common/tls/tls_client.h"
#include "worker/up/origin.h"
#include "worker/up/up.h"

/* The first server that speaks TLS, or NULL. */
static const struct up_server_conf *
first_tls(const struct upstream *u)
{
	for (uint32_t i = 0; i < u->n_servers; i++)
		if (u->servers[i].is_tls)
			return &u->servers[i];
	return NULL;
}

bool
upstream_has_tls(const struct upstream *u)
{
	return first_tls(u) != NULL;
}

void
up_warn_stray_tls(const struct conf_scope *s, const char *who, struct diag *d)
{
	static const struct {
		enum conf_key key;
		const char *name;
	} keys[] = {
	    {KEY_UPSTREAM_CA, "ca"},
	    {KEY_UPSTREAM_SNI, "sni"},
	    {KEY_UPSTREAM_CLIENT_CERTIFICATE, "client_certificate"},
	};

	for (size_t i = 0; i < NELEMS(keys); i++) {
		const struct conf_value *v = conf_get(s, keys[i].key);

		if (v != NULL)
			diag_warning(d, v->at,
			    "%s does nothing: no %s is written https://",
			    keys[i].name, who);
	}
}

static void
read_names(struct upstream *u, const struct conf_scope *s, struct arena *a)
{
	span sni = conf_text(s, KEY_UPSTREAM_SNI);

	for (uint32_t i = 0; i < u->n_servers; i++) {
		struct up_server_conf *server = &u->servers[i];
		char text[IP_TEXT_CAP];
		struct ip ip;
		uint16_t port;

		if (!server->is_tls)
			continue;
		if (sni.len > 0)
			server->tls_name = sni;
		else if (server->host.len > 0)
			server->tls_name = service_name_domain(server->host);
		else if (sock_addr_ip(&server->addr, &ip, &port))
			server->tls_name =
			    arena_span(a, span_of(text, ip_format(&ip, text)));
	}
}

static struct tls_trust *
read_system(
    struct up_tls_base *base, const struct up_server_conf *at, struct diag *d)
{
	struct tls_problem why;

	if (base->system == NULL && !base->has_no_system) {
		base->system = tls_trust_new(NULL, &why);
		base->has_no_system = base->system == NULL;
		if (base->has_no_system)
			diag_error(d, at->at, "%s", why.text);
	}
	return base->system;
}

/* NULL: certificates are not verified, or d holds why they cannot be. *own: to
 * be freed. */
static const struct tls_trust *
read_trust(const struct upstream *u, const struct conf_scope *s,
    struct up_tls_base *base, struct tls_trust **own, struct diag *d)
{
	const struct conf_value *ca = conf_get(s, KEY_UPSTREAM_CA);
	struct tls_problem why;

	*own = NULL;
	if (!conf_bool(s, KEY_UPSTREAM_TLS_VERIFY)) {
		if (ca != NULL)
			diag_warning(
			    d, ca->at, "ca does nothing with tls_verify = off");
		return NULL;
	}
	if (ca == NULL)
		return read_system(base, first_tls(u), d);
	*own = tls_trust_new(arena_span(base->arena, ca->text).p, &why);
	if (*own == NULL)
		diag_error(d, ca->at, "%s", why.text);
	return *own;
}

void
up_prepare_tls(struct upstream *u, const struct conf_scope *s,
    struct up_tls_base *base, struct diag *d)
{
	const struct conf_value *show =
	    conf_get(s, KEY_UPSTREAM_CLIENT_CERTIFICATE);
	const struct tls_trust *trust;
	struct tls_trust *own;
	struct tls_problem why;

	read_names(u, s, base->arena);
	trust = read_trust(u, s, base, &own, d);
	u->tls = tls_client_new(base->policy, trust, u->wire->alpn,
	    (uint32_t)strlen(u->wire->alpn));
	tls_trust_free(own);
	if (show != NULL && !tls_client_show(u->tls,
				arena_span(base->arena, show->text).p, &why))
		diag_error(d, show->at, "%s", why.text);
}
