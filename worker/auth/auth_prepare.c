/* auth/auth_prepare: an [auth] section compiled for serving. */
#include "worker/auth/auth_int.h"

#include "common/base/check.h"

struct users *
auth_prepare_users(const struct conf_tree *t, const struct conf_section *s,
    struct arena *a, struct diag *d)
{
	return users_prepare(t, s, a, d);
}

void
auth_fini_users(struct users *u)
{
	users_fini(u);
}

/* A quoted string (RFC 9110 5.6.4) of the realm: that of the key, or the name of
 * the section. */
static span
auth_realm(const struct conf_scope *s, struct arena *a, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_AUTH_REALM);
	span realm = v != NULL ? v->text : s->at[0]->name;
	char *p = arena_alloc(a, 2 * realm.len + 2);
	size_t len = 0;

	if (v != NULL && !users_is_text(realm))
		diag_error(d, v->at,
		    "the realm is no UTF-8, or holds a control character");
	p[len++] = '"';
	for (size_t i = 0; i < realm.len; i++) {
		if (realm.p[i] == '"' || realm.p[i] == '\\')
			p[len++] = '\\';
		p[len++] = realm.p[i];
	}
	p[len++] = '"';
	return span_of(p, len);
}

/* Passwords come from somewhere. */
static const struct users *
auth_need_users(
    const struct conf_scope *s, const struct map *users, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_AUTH_USERS);
	const struct users *u = v != NULL ? map_get(users, v->text) : NULL;

	if (v == NULL && !s->at[0]->is_broken)
		diag_error(d, s->at[0]->at,
		    "scheme = basic needs users = NAME, a [users] section");
	/* one that is not there has been told */
	if (u != NULL && u->entries.n == 0)
		diag_warning(d, v->at,
		    "nobody can be let on: users '%.*s' knows no password",
		    SPAN_FMT(u->name));
	return u;
}

struct plan_auth *
auth_prepare(const struct conf_tree *t, const struct conf_section *sec,
    const struct map *users, struct arena *a, struct diag *d)
{
	struct conf_scope s = conf_scope_of(t, sec);
	struct auth_conf *c = arena_zalloc(a, sizeof(*c));
	struct plan_auth *p = arena_zalloc(a, sizeof(*p));
	uint64_t index = 0;

	for (const struct conf_section *o = conf_first(t, CONF_AUTH); o != sec;
	     o = o->next)
		index++;
	c->index = index;
	c->ttl_ms = (uint64_t)conf_num(&s, KEY_AUTH_TTL);
	c->passes = conf_bool(&s, KEY_AUTH_PASS);
	c->users = auth_need_users(&s, users, d);
	c->challenge = arena_printf(a, "Basic realm=%.*s, charset=\"UTF-8\"",
	    SPAN_FMT(auth_realm(&s, a, d)));
	p->name = sec->name;
	p->at = sec->at;
	p->ask = basic_ask;
	p->conf = c;
	return p;
}
