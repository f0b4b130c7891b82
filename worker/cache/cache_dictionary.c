/* cache/cache_dictionary: answers that are dictionaries for later ones (RFC
 * 9842). Clients name them by a hash of their bytes, and go on doing so when
 * something newer stands under the URL: a dictionary is therefore an object of
 * its own, a copy under a key of origin and hash, with the pattern of requests
 * that it is for. It has the name and the labels of the answer: purges find it. */
#include <stdlib.h>

#include <openssl/evp.h>

#include "common/base/check.h"
#include "worker/cache/cache_put.h"

/* --- keeping -------------------------------------------------------------- */

/* What becomes a dictionary when it is whole. */
struct cache_offer {
	EVP_MD_CTX *md;
	span pattern; /* in the arena of the fill's exchange */
};

static bool
offer_is_wanted(const struct plan_compress *set)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (coding_has_dictionary(set->order[i]))
			return true;
	return false;
}

/* What a client gets of it has the bytes that are stored. */
static bool
offer_is_possible(const struct exch *y, uint64_t length)
{
	return y->resp.status == 200 && offer_is_wanted(&y->set->compress) &&
	       coding_of(&y->resp.fields) == CODING_IDENTITY &&
	       (length == OBJECTS_OPEN || (length >= DICTIONARY_LEN_MIN &&
					      length <= DICTIONARY_LEN_MAX));
}

void
dictionary_offer(struct cache_fill *f, struct exch *y, uint64_t length)
{
	struct dictionary_place at = {
	    .origin = cache_origin(y),
	    .path = y->req.path,
	};
	struct cache_offer *o;
	span pattern;

	if (f->is_spliced || !offer_is_possible(y, length) ||
	    !dictionary_pattern(&y->resp.fields, &at, &y->arena, &pattern))
		return;
	o = arena_alloc(&y->arena, sizeof(*o));
	*o = (struct cache_offer){EVP_MD_CTX_new(), pattern};
	REQUIRE(
	    o->md != NULL && EVP_DigestInit_ex(o->md, EVP_sha256(), NULL) == 1);
	f->offer = o;
}

void
dictionary_drop(struct cache_fill *f)
{
	if (f->offer != NULL)
		EVP_MD_CTX_free(f->offer->md);
	f->offer = NULL;
}

void
dictionary_add(struct cache_fill *f, const void *p, size_t len)
{
	if (f->offer == NULL)
		return;
	if (f->stored + len > DICTIONARY_LEN_MAX) {
		dictionary_drop(f);
		return;
	}
	REQUIRE(EVP_DigestUpdate(f->offer->md, p, len) == 1);
}

/* Its head: the tags of the answer, and what it is for. */
static bool
offer_put_head(struct cache_fill *f, struct obj_ref ref)
{
	struct arena *a = &f->y->arena;
	struct put p = put_of(f);
	struct kept k = {.kind = KEPT_DICTIONARY, .status = 200};

	fields_init(&k.fields, a, 2);
	fields_foreach(fld, &f->y->resp.fields)
	{
		if (span_ieq(fld->name, f->cache->tag_header))
			fields_add_known(&k.fields, a, (enum field_id)fld->id,
			    fld->name, fld->value);
	}
	fields_add_id(&k.fields, a, FIELD_USE_AS_DICTIONARY, f->offer->pattern);
	return put_head(&p, ref, &k, f->stored);
}

/* The same bytes are there already: for what they are, the newest answer says. */
static bool
offer_renew(struct cache_fill *f, const struct obj_key *key)
{
	struct obj_facts facts;
	struct obj_ref ref;
	bool is_updating;

	if (objects_find(f->view, key, &ref, &is_updating) == OBJ_NONE)
		return false;
	objects_facts(f->view, ref, &facts);
	if (facts.state == OBJ_READY && offer_put_head(f, ref))
		objects_renew(f->view, ref, objects_moment_of(f->view, f->ref));
	objects_touch(f->view, ref);
	objects_unpin(f->view, ref);
	return true;
}

static void
offer_copy(struct cache_fill *f, const struct obj_key *key)
{
	struct range all = {0, f->stored - 1};
	struct obj_ref to;
	bool ok;

	switch (objects_begin_as(f->view, key, f->ref, &to)) {
	case OBJ_BEGUN:
		break;
	case OBJ_OTHER:
		objects_unpin(f->view, to);
		return;
	case OBJ_NO_ROOM:
		return;
	}
	ok = offer_put_head(f, to) && fill_copy(f->view, to, f->ref, 0, all);
	if (!ok)
		objects_abandon(f->view, to);
	else if (objects_finish(f->view, to))
		counter_add(f->cw->w->counters, COUNTER_CACHE_DICTIONARIES, 1);
	objects_unpin(f->view, to);
}

void
dictionary_keep(struct cache_fill *f)
{
	unsigned char hash[DICTIONARY_HASH_LEN];
	struct obj_key key;

	if (f->offer == NULL || f->stored < DICTIONARY_LEN_MIN)
		return;
	REQUIRE(EVP_DigestFinal_ex(f->offer->md, hash, NULL) == 1);
	key = cache_dictionary_key(f->y, f->view, hash);
	if (!offer_renew(f, &key))
		offer_copy(f, &key);
}

/* --- finding -------------------------------------------------------------- */

/* Whether what is pinned is all of a dictionary that is for this request. */
static bool
dictionary_is_for(struct exch *x, struct objects_view *v, struct obj_ref ref,
    struct obj_facts *facts)
{
	struct cached c = {.view = v, .ref = ref};
	const struct http_field *pattern;

	objects_facts(v, ref, facts);
	if (facts->state != OBJ_READY || facts->length != facts->filled ||
	    facts->length < DICTIONARY_LEN_MIN ||
	    facts->length > DICTIONARY_LEN_MAX || !cache_read_head(x, &c) ||
	    c.kept->kind != KEPT_DICTIONARY)
		return false;
	pattern = fields_find(&c.kept->fields, FIELD_USE_AS_DICTIONARY);
	return pattern != NULL && pattern->value.len > 0 &&
	       dictionary_fits(pattern->value, x->req.path, x->req.query);
}

bool
cache_dictionary(struct exch *x)
{
	struct objects_view *v = x->cached != NULL ? x->cached->view : NULL;
	struct dictionary *d;
	struct dictionary one = {.view = v};
	struct obj_facts facts;
	struct obj_key key;
	bool is_updating;

	if (v == NULL || !dictionary_named(exch_said(x), one.hash))
		return false;
	key = cache_dictionary_key(x, v, one.hash);
	if (objects_find(v, &key, &one.ref, &is_updating) == OBJ_NONE)
		return false;
	if (!dictionary_is_for(x, v, one.ref, &facts)) {
		objects_unpin(v, one.ref);
		return false;
	}
	objects_touch(v, one.ref);
	one.len = (uint32_t)facts.length;
	d = arena_alloc(&x->arena, sizeof(*d));
	*d = one;
	x->dictionary = d;
	return true;
}
