/* waf: the rules of a `[waf]` over the exchanges of a scope. What the rules mean
 * is worker/sec's; here an exchange becomes facts, and what the rules say
 * becomes a verdict. */
#ifndef GH_WAF_H
#define GH_WAF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"
#include "common/conf/conf.h"
#include "worker/exch/verdict.h"

struct claims;
struct exch;
struct sec_field;
struct sec_message;
struct sec_set;
struct waf;
struct waf_worker;
struct worker;

/* --- plan ----------------------------------------------------------------- */

/* What [waf] sections stand in. */
struct waf_names {
	const struct conf_tree *tree;
	const struct claims
	    *claims; /* tables of `ban`; NULL: none are shared */
};
/* Read the rules of a section into memory that children share; `index` is its
 * place in plan.wafs. Problems go to d; never NULL. */
struct waf *waf_prepare(const struct waf_names *names,
    const struct conf_section *s, uint32_t index, struct arena *a,
    struct diag *d);
/* Give back what it holds outside of the arena. */
void waf_fini(struct waf *waf);
span waf_name(const struct waf *waf);
/* The log of its matches, of plan.logs; -1: none. */
int32_t waf_log(const struct waf *waf);
void waf_set_log(struct waf *waf, int32_t log);

/* --- worker --------------------------------------------------------------- */

struct waf_worker *waf_worker_new(struct worker *w);
/* NULL is allowed. */
void waf_worker_free(struct waf_worker *ww);

/* Rules of phase 1, then with the request's content those of phase 2. */
enum verdict stage_waf_head(struct exch *x);
enum verdict stage_waf_body(struct exch *x);
/* Rules of phases 3 and 4, over a server's answer. */
enum verdict stage_waf_answer(struct exch *x);

/* --- what came of it ------------------------------------------------------ */

struct waf_report {
	const struct waf *waf;
	const char *action; /* "pass", "deny", "drop", "redirect" */
	const struct sec_message *messages;
	span score; /* digits; empty: the rules count none */
	const char *bound; /* that was met: "time", "pattern"; NULL: none */
	uint64_t bound_rule; /* its id, or 0 */
	/* As the client and the server sent them; NULL: the log shall not have
	 * them. */
	const struct sec_field *request_fields, *answer_fields;
	uint32_t n_request_fields, n_answer_fields;
	bool is_refused;
	bool is_whole; /* phases 1 and 2 have judged, or one refused */
	const struct sec_set *set;
};

/* Run the rules of phase 5. Whether there is something to tell; to who only
 * explains there always is, and messages may be NULL. */
bool waf_close(struct exch *x, struct waf_report *out);

#endif
