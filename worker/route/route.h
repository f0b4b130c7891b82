/* route/route: the stages that understand a request, find who serves it and fit
 * its fields for the next hop; and the two handlers that answer by themselves.
 */
#ifndef GH_ROUTE_H
#define GH_ROUTE_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "worker/exch/handler.h"
#include "worker/exch/plan.h"
#include "worker/exch/verdict.h"

struct exch;

/* Request stages, in this order. */

/* x->path, a request id, and what is answered before any site is asked:
 * CONNECT and TRACE are refused (RFC 9110 9.3.6, 9.3.8: TRACE would reflect
 * what proxies added), `OPTIONS *` and OPTIONS with Max-Forwards: 0 are
 * answered (7.6.2), a request whose Via names us is a loop (508), and what is
 * not safe and came before the end of the handshake is too early (425, RFC 8470
 * 5.2). */
enum verdict stage_normalize(struct exch *x);
/* path_policy: what can be read in two ways is refused (400), or servers get it in
 * the one form that is compared. Behind the rules that see it as it came. */
enum verdict stage_path(struct exch *x);
/* x->client: who it is, as far as its peer is trusted to tell. */
enum verdict stage_client(struct exch *x);
/* x->site and x->route by host and path, and with them x->set. */
enum verdict stage_route(struct exch *x);
/* The site's rules that match the request change x->set. */
enum verdict stage_rules(struct exch *x);
/* What the settings say about this request before anything of it is forwarded:
 * max_body, x->wants_tunnel. */
enum verdict stage_admit(struct exch *x);
/* Another upstream than the route's, for those that are of its share. */
enum verdict stage_split(struct exch *x);
/* Hop-by-hop fields and forged ones go, ours come, then what the configuration
 * says. */
enum verdict stage_request_fields(struct exch *x);

/* x->target: what `rewrite` makes of the path. */
enum verdict stage_rewrite(struct exch *x);
/* The client is sent to what `redirect_match` makes of the path. */
enum verdict stage_redirect_match(struct exch *x);

/* Response stages, in this order. */

/* The site's rules that match the answer change x->set. */
enum verdict stage_answer_rules(struct exch *x);
/* Hop-by-hop and hidden fields go, Via and Date come. */
enum verdict stage_response_fields(struct exch *x);
/* What hsts and response_header say. */
enum verdict stage_response_header(struct exch *x);

/* Handlers; their conf is what the functions below gave. */
extern const struct handler respond_handler;
extern const struct handler redirect_handler;

/* `respond = STATUS [TEXT | file:PATH]`. The file is read now; a relative path
 * counts from the folder of the configuration file. NULL with a message. */
const void *respond_prepare(
    const struct conf_value *v, struct arena *a, struct diag *d);
/* Answer with the same place by https: for good (301), and where a browser
 * would turn the method into GET, so that it does not (308). */
void redirect_to_https(struct exch *x);
/* `redirect = STATUS TEMPLATE`. NULL with a message. */
const void *redirect_prepare(
    const struct conf_value *v, struct arena *a, struct diag *d);

/* Whether a redirect may have it: 301, 302, 303, 307 or 308. */
bool redirect_status_is_fine(uint64_t status);

/* `rewrite = REGEX TARGET`, or `redirect_match = REGEX TARGET [STATUS]`. NULL with a
 * message at the place of what is wrong; memory comes from the arena, and
 * rewrite_fini() gives back the rest. */
const struct rewrite *rewrite_prepare(const struct conf_value *v,
    enum conf_key k, struct arena *a, struct diag *d);
void rewrite_fini(const struct rewrite *r);

/* The site that a host belongs to on this listen, or NULL. */
const struct plan_site *route_site(const struct plan_listen *l, span host);

#endif
