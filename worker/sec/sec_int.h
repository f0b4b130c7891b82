/* sec_int: what the files that read rules share. A set is read into drafts,
 * which later directives change or take away, and then laid out. */
#ifndef GH_SEC_INT_H
#define GH_SEC_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/map.h"
#include "common/base/span.h"
#include "common/base/vec.h"
#include "worker/sec/sec_lex.h"
#include "worker/sec/sec_names.h"
#include "worker/sec/sec_set.h"

/* Bytes of a rule file, files of a set, and files that include files. */
#define SEC_FILE_MAX (16u << 20)
#define SEC_FILES_MAX 1000u
#define SEC_DEPTH_MAX 8u
/* Rules of a set, of a chain; targets, and actions of one kind, of a rule.
 * A core rule set has some 700, 8, 60 and 15. */
#define SEC_RULES_MAX 100000u
#define SEC_CHAINED_MAX 255u
#define SEC_LIST_MAX 10000u
/* Words of a line. */
#define SEC_WORDS_MAX 256u
/* Names of TX. */
#define SEC_SLOTS_MAX 65536u

enum sec_directive {
#define SEC_DIRECTIVE(id, name, min, max, what) SEC_DIRECTIVE_##id,
#define SEC_IGNORED(name, why)
#include "worker/sec/sec_directive.def"
#undef SEC_DIRECTIVE
#undef SEC_IGNORED
	SEC_N_DIRECTIVES
};

/* A set with all that it owns. */
struct sec_own {
	struct sec_set set;
	struct arena_pool pool;
	struct arena arena;
	struct vec tests;
	struct vec regexes;
	struct sec_deep *deep; /* of the tests */
};

/* A growing array in the set's arena. */
struct sec_list {
	void *at;
	uint32_t n;
	uint32_t cap;
};

/* What a list of actions says: bits of sec_actions.said. */
#define SEC_SAYS_ID 1u
#define SEC_SAYS_PHASE 2u
#define SEC_SAYS_SEVERITY 4u
#define SEC_SAYS_DISRUPT 8u
#define SEC_SAYS_STATUS 16u
#define SEC_SAYS_LOG 32u
#define SEC_SAYS_AUDIT 64u
#define SEC_SAYS_SKIP 128u
#define SEC_SAYS_SKIP_AFTER 256u
#define SEC_SAYS_MSG 512u
#define SEC_SAYS_LOGDATA 1024u
#define SEC_SAYS_REV 2048u
#define SEC_SAYS_VER 4096u
#define SEC_SAYS_CHAIN 8192u

/* In a list of transformations: those before do not count. */
#define SEC_TRANS_NONE SEC_N_TRANS

struct sec_actions {
	uint32_t said;
	uint64_t id;
	uint8_t phase;
	uint8_t severity;
	uint8_t flags; /* SEC_RULE_x */
	enum sec_disrupt disrupt;
	uint16_t status;
	struct sec_text redirect;
	uint32_t skip;
	span skip_after;
	struct place skip_at; /* of skipAfter */
	struct place at; /* of what is only allowed in some places */
	struct sec_text msg, logdata;
	span rev, ver;
	struct sec_list trans; /* uint8_t */
	struct sec_list tags; /* span */
	struct sec_list sets; /* struct sec_assign */
	struct sec_list expires; /* the same */
	struct sec_list opens; /* struct sec_open */
	struct sec_list ctls; /* struct sec_ctl */
};

/* A rule that was read. */
struct sec_draft {
	enum sec_kind kind;
	bool is_chained; /* belongs to the one before */
	bool is_removed;
	uint32_t index; /* in the set, at last */
	span marker;
	struct place at;
	span file;
	struct sec_actions actions;
	enum sec_disrupt blocks_as;
	struct sec_list targets; /* struct sec_target */
	enum sec_op op;
	uint8_t flags; /* SEC_RULE_x of the operator */
	const struct sec_test *test;
	struct sec_text argument;
};

/* A directive that changed rules by id: rules that come later are none of its
 * business, which is worth a warning. */
struct sec_late {
	uint64_t first, last;
	uint32_t n_before; /* drafts that were read before it */
	struct place at;
};

struct sec_build {
	struct sec_own *own;
	struct sec_set *set;
	struct arena *a;
	struct diag *d;
	struct sec_lex *x; /* of the file that is read */
	span file; /* its path, with a NUL behind */
	const char *folder;
	const struct sec_reading *reading; /* files that are open; or NULL */
	uint32_t depth;
	uint32_t n_files;
	struct vec drafts; /* malloc'd: struct sec_draft */
	struct map ids; /* decimal text: the draft */
	struct map slots; /* lower case name: its number and one */
	struct sec_list tx_names; /* span */
	struct sec_list types; /* span */
	struct sec_list late; /* struct sec_late */
	bool clears_types;
	/* SecDefaultAction of each phase, NULL: none. The last of all of them
	 * serves phases that have none. */
	const struct sec_actions *defaults[SEC_PHASES];
	const struct sec_actions *last_default;
	bool is_open; /* a chain wants another rule */
};

/* The words of a line behind the directive. */
struct sec_words {
	span at[SEC_WORDS_MAX];
	uint32_t n;
};

/* sec_build.c */
/* Room for one more, zeroed; NULL when the list is full, which is told at
 * `part`. */
void *sec_list_add(
    struct sec_build *b, struct sec_list *l, size_t size, span part);
/* A copy with more behind it. */
struct sec_list sec_list_join(
    struct sec_build *b, struct sec_list l, struct sec_list more, size_t size);

/* Tell an unknown word; `like` is what may have been meant, or NULL. */
void sec_unknown(
    struct sec_build *b, const char *kind, span word, const char *like);

/* sec_text.c: false: what is wrong was told. */
bool sec_text_read(struct sec_build *b, span s, struct sec_text *out);
/* Whether it is more than a constant. */
bool sec_text_varies(const struct sec_text *t);
/* The slot of a name of TX. */
int32_t sec_slot(struct sec_build *b, span name);
/* "store.name" of setvar: the store. */
bool sec_store_read(struct sec_build *b, span word, enum sec_var *out);

/* sec_target.c */
bool sec_target_read(
    struct sec_build *b, const struct sec_item *item, struct sec_target *out);
/* All of a word, behind those that are there. */
bool sec_targets_read(struct sec_build *b, span word, struct sec_list *out);
bool sec_target_is_same(const struct sec_target *a, const struct sec_target *b);
/* Compile for the set's life; NULL: told. */
const struct regex *sec_regex(struct sec_build *b, span pattern, bool is_key);

/* sec_action.c */
bool sec_actions_read(struct sec_build *b, span word, struct sec_actions *out);
/* What the second says goes before what the first says. */
struct sec_actions sec_actions_join(struct sec_build *b,
    const struct sec_actions *first, const struct sec_actions *second);
/* On, Off, or what stands for SEC_PARTLY; false: told. */
bool sec_switch_read(
    struct sec_build *b, span word, const char *partly, enum sec_switch *out);

/* sec_ctl.c: "name=value". */
bool sec_ctl_read(struct sec_build *b, span word, struct sec_list *out);
/* Take the next range off a list of ids, "1,5-8": false at its end, and when it
 * was told. */
bool sec_range_next(struct sec_build *b, span *rest, uint64_t *first,
    uint64_t *last, bool *is_good);

/* sec_rule.c: SecRule, SecAction, SecMarker, SecDefaultAction. */
void sec_rule_read(struct sec_build *b, const struct sec_words *w);
void sec_action_read(struct sec_build *b, const struct sec_words *w);
void sec_marker_read(struct sec_build *b, const struct sec_words *w);
void sec_default_read(struct sec_build *b, const struct sec_words *w);
/* Whether what the rule does can be done in its phase; false: told. */
bool sec_rule_fits(struct sec_build *b, struct sec_draft *r);
/* A chain that wants another rule has none. */
void sec_chain_check(struct sec_build *b);

/* sec_update.c: SecRuleRemove..., SecRuleUpdate... */
enum sec_pick { SEC_PICK_ID, SEC_PICK_TAG, SEC_PICK_MSG };
void sec_remove(
    struct sec_build *b, const struct sec_words *w, enum sec_pick pick);
void sec_update_target(
    struct sec_build *b, const struct sec_words *w, enum sec_pick pick);
void sec_update_action(struct sec_build *b, const struct sec_words *w);
/* Warn of rules that came too late to be changed. */
void sec_late_check(struct sec_build *b);

/* sec_option.c */
void sec_options_init(struct sec_options *o);
/* When all was read. */
void sec_options_end(struct sec_build *b);
/* A directive of the whole set. */
void sec_option_read(struct sec_build *b, enum sec_directive directive,
    const struct sec_words *w);

/* sec_directive.c: a line of a file. */
const char *sec_directive_name(enum sec_directive d);
void sec_directive_read(struct sec_build *b, span line);

/* sec_read.c: the rules of a file, of what a pattern names, of a text. */
void sec_read_file(struct sec_build *b, const char *path, struct place from);
void sec_read_pattern(struct sec_build *b, span pattern, bool is_needed);
void sec_read_text(struct sec_build *b, const char *path, span text);
/* A path beside the file that is read, with a NUL behind. */
span sec_beside(struct sec_build *b, span path);

/* sec_layout.c: drafts become the set. */
void sec_layout(struct sec_build *b);

#endif
