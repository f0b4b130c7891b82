/* filter/compress: answers in the coding that the client likes (`compress`), and
 * without one that it does not know (`decompress`). */
#ifndef GH_COMPRESS_H
#define GH_COMPRESS_H

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/conf/conf.h"
#include "worker/exch/plan.h"
#include "worker/exch/verdict.h"

struct codec_pool;
struct exch;
struct worker;

/* What a scope says of it, where contexts may take so many bytes. Problems go to d;
 * memory comes from the arena. */
void compress_prepare(const struct conf_scope *s, uint64_t memory,
    struct arena *a, struct plan_compress *out, struct diag *d);

/* Response stage, the last one that changes fields: choose the coding of the
 * answer, make its fields tell it, and put the filters in place. */
enum verdict stage_compress(struct exch *x);

/* Response stage of answers for a cache: what their server says nothing of is offered
 * as a dictionary, as `compress_dictionary` says. */
enum verdict stage_offer(struct exch *y);

/* --- for others that change content --------------------------------------- */

/* The media types that a key of a scope lists, their number in *n. */
const span *compress_prepare_types(const struct conf_scope *s, enum conf_key k,
    struct arena *a, uint32_t *n, struct diag *d);
/* Whether the answer has content of its own that somebody could change: not a
 * part of one, which others would put together. */
bool compress_has_content(const struct exch *x);
/* The answer has this coding, of a built one: take it away. false: it keeps it,
 * there is no memory for that now. */
bool compress_undo(struct exch *x, enum coding c);
/* Where contexts of codings come from; made when it is first asked for. */
struct codec_pool *compress_pool(struct worker *w);

/* --- compress_fields, for the stage --------------------------------------- */

/* Whether the media type of the answer is one of those that are listed. */
bool compress_knows_type(const struct exch *x, const span *types, uint32_t n);
/* Whether request or answer forbid to change the content (RFC 9111 5.2.1.6,
 * 5.2.2.6). */
bool compress_is_forbidden(const struct exch *x);
/* Whether a page of another site asked for it. */
bool compress_is_cross_site(const struct exch *x);
/* Whether the scope codes with dictionaries. */
bool compress_has_dictionaries(const struct exch *x);
/* Whether a page that may not read the answer can have asked for it (RFC 9842
 * 9.3.3). */
bool compress_is_opaque(const struct exch *x);
/* The answer depends on Accept-Encoding, and on the client's dictionary where the
 * scope knows them. */
void compress_add_vary(struct exch *x);
/* The content is another one than its origin described: in coding `c`, of no
 * known length. */
void compress_describe(struct exch *x, enum coding c);
/* A 304 for a client that has the answer under a weak tag of ours is told it so,
 * and nothing of the bytes as they were; is_edited then. Whether it was. */
bool compress_weaken_unmodified(struct exch *x);
/* A 304 for a client that has the answer as compress_describe() told it is told
 * the same (RFC 9110 15.4.5). */
void compress_describe_unmodified(struct exch *x);

#endif
