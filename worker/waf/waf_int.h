/* waf_int: what the files of worker/waf share. */
#ifndef GH_WAF_INT_H
#define GH_WAF_INT_H

#include "worker/exch/offence.h"
#include "worker/sec/sec_tx.h"
#include "worker/waf/waf.h"

/* A line of `exclude`: what rules do not look at, below a path. */
struct waf_exclude {
	span path; /* empty: everywhere */
	const struct sec_ctl *ctls;
	uint32_t n_ctls;
	struct place at;
};

struct waf {
	const struct conf_section *section;
	uint32_t index;
	struct sec_set *set; /* NULL: its rules are wrong, which was told */
	struct sec_plan *plan;
	bool only_detects;
	uint64_t body_limit;
	const struct waf_exclude *excludes;
	uint32_t n_excludes;
	const struct conf_value *types; /* NULL: as the rules have it */
	int32_t log;
	struct offence attack; /* when who is refused is banned */
};

/* waf_exclude.c */
void waf_read_excludes(struct waf *waf, const struct conf_scope *s,
    struct arena *a, struct diag *d);
/* Warn of those whose ids no rule has. */
void waf_check_excludes(const struct waf *waf, struct diag *d);
void waf_use_excludes(const struct waf *waf, span path, struct sec_tx *tx);

/* waf_told.c: what rules ask; `self` is the exchange. Where an address is, as the
 * databases of `mmdb` have it. */
uint32_t waf_locate(
    void *self, span address, struct sec_field out[SEC_GEO_MAX]);
struct sec_rates waf_rates(void *self);
span waf_server_addr(void *self);
/* Count the rules that matched, each by its number, and the one that refused;
 * or NULL. */
void waf_count_rules(const struct exch *x, const struct sec_message *matched,
    const struct sec_rule *refuser);

#endif
