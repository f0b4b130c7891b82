/* cache/cache_put: putting answers into objects; between cache_put, cache_mark
 * and cache_answer. */
#ifndef GH_CACHE_PUT_H
#define GH_CACHE_PUT_H

#include "worker/cache/cache_int.h"

/* Whose answer is put where. */
struct put {
	struct exch *x; /* whose resp it is, and whose arena is used */
	const struct cache *cache;
	struct objects_view *view;
	span url;
};

/* When the exchange with the server took place. */
struct cache_facts put_facts(const struct exch *x);
/* Length of the content, as objects want it told. */
uint64_t put_length(const struct http_msg *m);
/* Fields that are kept of the answer, with the date it came at when it has none
 * (RFC 9110 6.6.1), and without its length. */
void put_fields(struct exch *x, unsigned flags, struct http_fields *out);
/* Give an object this head. false: too long, or no room. */
bool put_head(const struct put *p, struct obj_ref ref, const struct kept *k,
    uint64_t length);
/* What is kept in c->ref (head read) becomes *out by this answer: its fields
 * are replaced, its lifetime begins anew. Says whether that is for everybody:
 * STORABLE_YES, and put_head() may follow. */
enum storable put_merge(struct exch *x, const struct cached *c,
    const struct cache_policy *policy, struct kept *out);
/* Why not: because what is kept is for nobody else any more. */
bool put_is_recalled(enum storable why);

/* --- cache_mark ----------------------------------------------------------- */

/* The answer may be one of several: go on under its own key. false: it cannot be
 * kept. */
bool put_variant(struct cache_fill *f, struct exch *y);
/* Remember the tag of the variant that is filled. */
void put_note_tag(struct cache_fill *f, struct exch *y, const struct kept *k);

#endif
