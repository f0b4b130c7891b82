/* exch/hop: removes what must not be forwarded. Both directions use it, fronts
 * and origins of any wire version. */
#include "worker/exch/hop.h"

#include "common/base/num.h"

/* Longest name that is looked at for underscores in place of hyphens. */
#define HOP_NAME_MAX 40

/* Take out what one Connection value names. *n counts the names of all. */
static bool
hop_remove_nominated(struct http_fields *f, span value, unsigned *n)
{
	span rest = value;
	span name;

	while (span_member(&rest, &name)) {
		enum field_id id = field_lookup(name);

		if (id == FIELD_OTHER) {
			/* "close" is the one that most of them say */
			if (span_ieq(name, SPAN_LIT("close")))
				continue;
			if (++*n > HOP_NOMINATIONS_MAX)
				return false;
			(void)fields_del_name(f, name);
			continue;
		}
		if ((field_flags(id) & (FIELD_F_HOP | FIELD_F_NOMINATE_BAD)) ==
		    0)
			(void)fields_del(f, id);
	}
	return true;
}

bool
hop_remove(struct http_fields *f, bool keeps_upgrade)
{
	unsigned n = 0;
	bool ok = true;

	for (struct http_field *fld = fields_find(f, FIELD_CONNECTION);
	     fld != NULL && ok; fld = fields_next(f, fld))
		ok = hop_remove_nominated(f, fld->value, &n);
	fields_foreach(fld, f)
	{
		if (fld->id == FIELD_OTHER ||
		    (field_flags(fld->id) & FIELD_F_HOP) == 0)
			continue;
		if (fld->id != FIELD_UPGRADE || !keeps_upgrade)
			fld->is_gone = true;
	}
	return ok;
}

/* Whether a name is that of a field which may be no trailer to a CGI-like
 * origin, to which "_" and "-" look the same (RFC 3875 4.1.18). */
static bool
hop_is_disguised(span name)
{
	char own[HOP_NAME_MAX];

	if (name.len > sizeof(own) || span_chr(name, '_') < 0)
		return false;
	for (size_t i = 0; i < name.len; i++)
		own[i] = name.p[i] == '_' ? '-' : name.p[i];
	return (field_flags(field_lookup(span_of(own, name.len))) &
		   (FIELD_F_NO_TRAILER | FIELD_F_HOP)) != 0;
}

void
hop_remove_trailers(struct http_msg *m)
{
	const struct http_fields *f = &m->fields;
	unsigned n = 0;

	if (m->trailers.n == 0)
		return;
	fields_foreach(fld, &m->trailers) if (fld->id == FIELD_OTHER &&
					      hop_is_disguised(fld->name))
	    fld->is_gone = true;
	/* those that are gone, too: the head's work is done earlier */
	for (uint32_t i = 0; i < f->n; i++)
		if (f->at[i].id == FIELD_CONNECTION &&
		    !hop_remove_nominated(&m->trailers, f->at[i].value, &n))
			return;
}

bool
hop_has_passed(const struct http_fields *f, span via_name)
{
	const struct http_field *via = fields_find(f, FIELD_VIA);

	for (; via != NULL; via = fields_next(f, via))
		if (span_find(via->value, via_name) >= 0)
			return true;
	return false;
}

static struct http_field *
hop_limit(const struct http_msg *m, uint64_t *left)
{
	struct http_field *f = fields_find(&m->fields, FIELD_MAX_FORWARDS);

	return f != NULL && span_u64(f->value, UINT64_MAX, left) ? f : NULL;
}

bool
hop_is_spent(const struct http_msg *m)
{
	uint64_t left = 0;

	return m->method == METHOD_OPTIONS && hop_limit(m, &left) != NULL &&
	       left == 0;
}

void
hop_count(struct http_msg *m, struct arena *a)
{
	struct http_field *f;
	uint64_t left = 0;
	char *p;

	if (m->method != METHOD_OPTIONS)
		return;
	f = hop_limit(m, &left);
	if (f == NULL || left == 0)
		return;
	p = arena_alloc(a, sizeof("18446744073709551615"));
	f->value = span_of(p, u64_format(left - 1, p));
}
