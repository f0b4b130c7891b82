/* preset: what is said to clients instead of an origin or in its name: pages for
 * errors, fields that protect browsers' users, and outer names for inner ones. */
#ifndef GH_PRESET_H
#define GH_PRESET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/map.h"
#include "common/conf/conf.h"
#include "worker/exch/plan.h"
#include "worker/exch/verdict.h"

struct cors;
struct exch;
struct handler;
struct maintenance;
struct moves;
struct outer_names;
struct page_line;
struct security_level;

/* Request stages. */

/* What is closed is answered 503, but for those who are let in. */
enum verdict stage_maintenance(struct exch *x);
/* A preflight of CORS is answered. */
enum verdict stage_cors(struct exch *x);
/* A place that redirect_file lists is elsewhere. */
enum verdict stage_moves(struct exch *x);
/* What has another host, scheme or last slash than it should is sent there. */
enum verdict stage_canon(struct exch *x);

/* Answer with a redirect; status 0: for good, without a change of method. The
 * place is percent-encoded where that is needed. */
void canon_redirect(struct exch *x, unsigned status, span to);

/* Response stages. */

/* A page of the configuration stands in for our own page of an error, and with
 * `intercept` for what an origin says of one. Calls of gRPC are left alone. */
enum verdict stage_error_page(struct exch *x);
/* Addresses of the origin become ours, what tells of its software goes, and the
 * fields of `security_headers` that it did not give come. */
enum verdict stage_presets(struct exch *x);

/* Nobody waits any more for a page that a server was asked for. */
void page_close(struct exch *x);

/* What lines of error_page name. */
struct page_names {
	struct map *files; /* read so far, by their path */
	const struct map *upstreams; /* what their handler takes, by name */
	const struct handler *upstream; /* that handler */
};

/* A line of error_page. Its file is read, or found among those that were. NULL:
 * it cannot be used, and that was told here or when the file was met first. */
const struct page_line *page_prepare(const struct conf_value *v,
    const struct page_names *names, struct arena *a, struct diag *d);

/* The same for a line that is the path of a page for this status, our own alone.
 */
const struct page_line *page_prepare_one(const struct conf_value *v,
    unsigned status, struct map *files, struct arena *a, struct diag *d);

/* What a word of security_headers stands for; NULL: off. */
const struct security_level *security_level(span word);

/* A line of maintenance; never NULL, problems go to d. */
const struct maintenance *maintenance_prepare(
    const struct conf_value *v, struct arena *a, struct diag *d);

/* What `cors` says in a scope; NULL: nothing, or with a message. */
const struct cors *cors_prepare(
    const struct conf_scope *s, struct arena *a, struct diag *d);
/* The fields of an answer. */
void cors_apply(struct exch *x);

/* A line of redirect_file, its file read; never NULL, problems go to d. The
 * arena and moves_fini() hold it. */
struct moves *moves_prepare(
    const struct conf_value *v, struct arena *a, struct diag *d);
void moves_fini(struct moves *m);

/* The addresses of an [upstream]'s servers, as its answers may name them. The
 * arena and outer_names_fini() hold it. */
struct outer_names *outer_names_prepare(
    const struct conf_section *upstream, struct arena *a);
void outer_names_fini(struct outer_names *n);

/* Whether a line of rewrite_cookie is good; else with a message. */
bool cookie_edit_check(const struct conf_value *v, struct diag *d);
/* What the words of rewrite_cookie ask for in a scope. */
struct plan_cookies cookie_edit_prepare(
    const struct conf_scope *s, struct arena *a);

#endif
