/* exch/key: see key.h. */
#include "worker/exch/key.h"

#include "common/conf/conf.h"
#include "worker/exch/exch.h"

/* Bytes of a credential that tell one from another, and let nobody in. */
#define CREDENTIAL_SHOWN 4

static span
key_address(struct exch *x, const struct var *v, unsigned ipv6_prefix)
{
	struct ip ip;
	char *text = arena_alloc(&x->arena, IP_TEXT_CAP);

	if (!var_get_ip(x, v->id, &ip))
		return span_of(NULL, 0);
	if (!ip_is_v4(&ip))
		ip_mask(&ip, ipv6_prefix);
	return span_of(text, ip_format(&ip, text));
}

static span
key_piece(struct exch *x, const struct tmpl_part *part, unsigned ipv6_prefix)
{
	if (!part->is_var)
		return part->text;
	if (var_kind(part->var.id) == VAR_KIND_ADDRESS)
		return key_address(x, &part->var, ipv6_prefix);
	return var_get(x, &part->var, arena_alloc(&x->arena, VAR_SCRATCH));
}

bool
key_is_of_user(const struct tmpl *key)
{
	for (uint32_t i = 0; i < key->n; i++)
		if (key->parts[i].is_var &&
		    var_is_of_user(key->parts[i].var.id))
			return true;
	return false;
}

span
key_render(struct exch *x, const struct tmpl *key, unsigned ipv6_prefix)
{
	span *parts = arena_alloc(&x->arena, 2 * key->n * sizeof(*parts));

	for (uint32_t i = 0; i < key->n; i++) {
		parts[2 * i] = key_piece(x, &key->parts[i], ipv6_prefix);
		parts[2 * i + 1] = SPAN_LIT("\n");
	}
	return arena_concat(&x->arena, parts, (size_t)2 * key->n);
}

static bool
key_is_credential(const struct tmpl_part *p)
{
	if (!p->is_var || p->var.id != VAR_HEADER)
		return p->is_var && p->var.id == VAR_COOKIE;
	return conf_is_credential(p->var.arg);
}

span
key_tell(struct exch *x, const struct tmpl *key, span rendered)
{
	struct arena *a = &x->arena;
	span *parts = arena_alloc(a, 3 * key->n * sizeof(*parts));

	for (uint32_t i = 0; i < key->n; i++) {
		span *p = &parts[3 * i];

		/* two that nothing stands between */
		p[0] = i > 0 && key->parts[i].is_var && key->parts[i - 1].is_var
			   ? SPAN_LIT(" ")
			   : span_of(NULL, 0);
		p[2] = span_of(NULL, 0);
		(void)span_cut(&rendered, '\n', &p[1]);
		if (!key_is_credential(&key->parts[i]) ||
		    p[1].len <= CREDENTIAL_SHOWN)
			continue;
		p[1] = span_first(p[1], CREDENTIAL_SHOWN);
		p[2] = SPAN_LIT("...");
	}
	return arena_concat(a, parts, (size_t)3 * key->n);
}
