/* acl/acl_int: an [acl] as compiled, between the files of worker/acl. */
#ifndef GH_ACL_INT_H
#define GH_ACL_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/catdb.h"
#include "common/base/domains.h"
#include "common/base/iptrie.h"
#include "common/base/linefile.h"
#include "common/base/map.h"
#include "common/base/regex.h"
#include "common/base/vec.h"
#include "worker/acl/acl.h"
#include "worker/acl/acl_time.h"
#include "worker/exch/exch.h"
#include "worker/exch/exch_geo.h"
#include "worker/exch/match.h"

/* What a term, an [acl] or a line says; of several that must all hold ACL_NO
 * wins, else the last of this order: what is still to be found out is found out
 * first, an identity before anything is looked up for its sake. */
enum acl_rc {
	ACL_NO,
	ACL_YES,
	ACL_DOUBT, /* it cannot be told: the request is refused */
	ACL_LATE, /* not before the head of the answer is there */
	ACL_NEED_ADDR,
	ACL_NEED_CRAWLER,
	ACL_NEED_USER
};

/* What is looked at. */
struct acl_look {
	struct exch *x;
	const struct exch_access *st;
	const struct ip *address; /* the one of the destination's; or NULL */
};

typedef enum acl_rc acl_judge_f(const void *conf, const struct acl_look *l);

struct acl_term {
	acl_judge_f *judge;
	const void *conf;
};

struct acl {
	span name;
	struct place at;
	struct acl_term *terms; /* all must hold */
	uint32_t n;
};

/* All of a configuration. */
struct acls {
	const struct conf_tree *conf;
	struct arena *a;
	struct map by_name; /* of struct acl */
	struct map zones; /* of struct zone, by name */
	struct map catdbs; /* of struct catdb, by path */
	struct map
	    lines; /* of struct acl_line, by the address of their value */
	/* what is not in the arena */
	struct vec nets;
	struct vec domains;
	struct vec regexes;
	struct vec matches;
};

/* What is compiled. */
struct acl_build {
	struct acls *all;
	const struct conf_section *s;
	struct diag *d;
};

/* --- what the terms hold, by key ------------------------------------------ */

struct acl_nets {
	struct iptrie *nets;
	bool has_unix; /* clients on unix sockets */
};

struct acl_words {
	const span *at;
	uint32_t n;
	bool has_any; /* `*` is among them */
};

/* A word of `path`. */
struct acl_path {
	span text; /* in its one normal form */
	bool is_exact;
};

struct acl_texts {
	struct acl_path *paths;
	uint32_t n_paths;
	struct regex **regexes;
	uint32_t n_regexes;
};

/* Both ends belong to it. */
struct acl_range {
	uint64_t low;
	uint64_t high;
};

struct acl_ranges {
	struct acl_range *at;
	uint32_t n;
};

struct acl_categories {
	const struct catdb *db;
	struct catset set; /* any of them */
};

struct acl_times {
	const struct zone *zone;
	struct acl_window *at;
	uint32_t n;
};

/* Of the quota. */
struct acl_quota {
	uint64_t bytes;
	uint64_t tenths; /* of a per cent; 0: bytes tell it */
};

struct acl_matches {
	struct match **at;
	uint32_t n;
};

/* acl_judge.c: see their keys in doc/acl.md. */
acl_judge_f acl_judge_ip; /* struct acl_nets */
acl_judge_f acl_judge_dst_ip; /* struct acl_nets */
acl_judge_f acl_judge_user; /* struct acl_words */
acl_judge_f acl_judge_group; /* struct acl_words */
acl_judge_f acl_judge_domain; /* struct domains */
acl_judge_f acl_judge_country; /* struct acl_words */
acl_judge_f acl_judge_asn; /* struct acl_ranges */
acl_judge_f acl_judge_category; /* struct acl_categories */
acl_judge_f acl_judge_url; /* struct acl_texts */
acl_judge_f acl_judge_method; /* struct acl_words */
acl_judge_f acl_judge_path; /* struct acl_texts */
acl_judge_f acl_judge_header; /* struct acl_matches, any of them */
acl_judge_f acl_judge_port; /* struct acl_ranges */
acl_judge_f acl_judge_ja4; /* struct acl_words */
acl_judge_f acl_judge_time; /* struct acl_times */
acl_judge_f acl_judge_match; /* struct acl_matches, all of them */
acl_judge_f acl_judge_quota; /* struct acl_quota */
acl_judge_f acl_judge_content_type; /* struct acl_words */
acl_judge_f acl_judge_response_size; /* struct acl_ranges */

/* The category by which the term holds; empty: it does not. */
span acl_category(const struct acl_categories *c, const struct acl_look *l);

/* acl_keys.c: compile all keys of a section. */
void acl_compile(struct acl_build *b, struct acl *acl);

/* acl_file.c: the lines of a list file. Problems are told at its lines. */
void acl_file_nets(struct linefile *f, struct iptrie *out);
void acl_file_domains(struct linefile *f, struct domains *out);
void acl_file_regexes(struct linefile *f, struct vec *out);

/* acl_list.c: one line of a list. */
span acl_line_text(const struct acl_line *line); /* as written */
span acl_line_acl(const struct acl_line *line); /* its first [acl]; or empty */
struct place acl_line_at(const struct acl_line *line);
bool acl_line_is_allow(const struct acl_line *line);
bool acl_line_is_log_only(const struct acl_line *line);
enum acl_rc acl_line_judge(
    const struct acl_line *line, const struct acl_look *l);
/* The category of the host by which it holds; or empty. */
span acl_line_category(const struct acl_line *line, const struct acl_look *l);

/* acl_run.c: as plan_access.judge. */
enum verdict acl_run(
    struct exch *x, const struct plan_access *l, struct exch_access *st);

static inline enum acl_rc
acl_and(enum acl_rc a, enum acl_rc b)
{
	if (a == ACL_NO || b == ACL_NO)
		return ACL_NO;
	return a > b ? a : b;
}

#endif
