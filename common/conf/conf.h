/* conf/conf: the configuration as a typed tree. conf_keys.def holds one row per
 * key; reading, checking, dumping and the documents all come from that table.
 * A tree is read whole or not at all; every problem goes to a diag list. */
#ifndef GH_CONF_H
#define GH_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/diag.h"
#include "common/base/span.h"

/* Rows SECTION(ID, "name", names, part, doc): conf_sections.def */
enum conf_type {
#define SECTION(id, name, names, part, doc) CONF_##id,
#include "common/conf/conf_sections.def"
#undef SECTION
	CONF_TYPES
};

/* Rows KEY(id, "name", sections, kind, default, min, max, part, doc). An id is
 * the word of its first section and the key: KEY_GLOBAL_WORKERS; keys shared by
 * defaults, site, route and rule are KEY_SCOPE_x. */
enum conf_key {
#define KEY(id, name, sections, kind, deflt, min, max, part, doc) KEY_##id,
#include "common/conf/conf_keys.def"
#undef KEY
	CONF_KEYS
};

/* What a value is. Numbers are in the base unit: milliseconds, bytes, per
 * mille for percent, requests a day for rates. */
enum conf_kind {
	KIND_BOOL, /* .num 0 or 1 */
	KIND_NUM,
	KIND_DURATION, /* ms */
	KIND_SIZE, /* bytes */
	KIND_RATE, /* events a day */
	KIND_BANDWIDTH, /* bytes per s */
	KIND_PERCENT, /* tenths */
	KIND_TEXT, /* the whole value */
	KIND_SECRET, /* the same, or file:PATH read at load; never dumped */
	KIND_PATH, /* a file's path; made absolute from that of its file */
	KIND_NAME, /* the name of another section */
	KIND_ENUM, /* .num counts the words of the row's `min` text */
	KIND_LIST, /* words; several lines add */
	KIND_LINES, /* each line is an item of its own, in order */
	KIND_RAW, /* likewise, unread: they may hold quotes and blanks */
	KIND_CONDITION, /* lines for exch/match, unread: they may hold quotes */
	KIND_HEADER, /* lines as enum conf_header tells, which is .num;
	                .words[0] is the name, [1] (may be empty) the value */
	KIND_ORDERED /* allow and deny: lines in file order, one shared list */
};

/* What a header line does. */
enum conf_header {
	CONF_HEADER_SET, /* `Name: value`: in place of all lines of that name */
	CONF_HEADER_ADD, /* `+Name: value`: a line beside them */
	CONF_HEADER_APPEND, /* `,Name: value`: a member behind their list */
	CONF_HEADER_REMOVE /* `-Name` */
};

struct conf_word {
	span text; /* quotes taken off */
	struct place at;
};

/* One `key = value` line. */
struct conf_value {
	struct conf_value *next; /* same key, next line */
	enum conf_key key;
	span text; /* after ${} expansion, trimmed */
	struct place at; /* of the value */
	struct place key_at;
	int64_t num; /* see enum conf_kind; 0 for `auto` and `none` */
	struct conf_word *words; /* LIST, LINES, ORDERED and TEXT with known
	                            first words: the blank-separated words;
	                            quotes group */
	uint32_t n_words;
	bool is_none; /* `key = none` */
	bool is_broken; /* could not be read; in no tree that is handed out */
};

/* One `[type name]` section. */
struct conf_section {
	struct conf_section *next; /* same type, file order */
	struct conf_section *next_in_file;
	enum conf_type type;
	span name; /* site, upstream ... name; for a route or rule the site */
	span path; /* route: its PATH; rule: its own name */
	struct place at; /* of the header; line 0: implied */
	struct place name_at;
	struct place path_at;
	uint32_t n_lines; /* keys that stand in it, known or not */
	bool is_broken; /* a line in it could not be read: what seems to be
	                   missing may have been there */
	struct conf_value *first[CONF_KEYS]; /* not for ORDERED keys */
	struct conf_value *ordered; /* allow and deny in file order, by .next;
	                               .key tells which */
};

struct conf_tree;

/* Read and check the file at `path`. NULL when the diag list holds an error.
 * Reads the files it includes and secrets it names; nothing else. What is
 * implied stands in the tree as if it were written: a [listen] without a name
 * on :80 when there is none, and an [upstream ADDRESS] with that one server for
 * each `upstream = ADDRESS`. */
struct conf_tree *conf_load(const char *path, struct diag *d);
/* The same from memory (flags-only runs, tests, fuzzing). `name` is shown in
 * messages. Includes are relative to the current directory. */
struct conf_tree *conf_load_text(const char *name, span text, struct diag *d);
/* The same, but never NULL: a tree without what was wrong, when d holds errors.
 * Only for looking for more of them; sections that lost a line say so. */
struct conf_tree *conf_read(const char *path, struct diag *d);
struct conf_tree *conf_read_text(const char *name, span text, struct diag *d);
void conf_free(struct conf_tree *t);

/* First section of a type in file order, or NULL. */
const struct conf_section *conf_first(
    const struct conf_tree *t, enum conf_type type);
/* The named one, or NULL. */
const struct conf_section *conf_section(
    const struct conf_tree *t, enum conf_type type, span name);

/* Whether the text of any value, or its key, holds this: what is not spoken of
 * need not be found out. */
bool conf_mentions(const struct conf_tree *t, span text);

/* A lookup path: nearest first, for instance {route, site, defaults}. */
#define CONF_SCOPE_MAX 5
struct conf_scope {
	const struct conf_tree *tree;
	const struct conf_section *at[CONF_SCOPE_MAX];
	uint32_t n;
};
/* The scope of a section: itself and what it inherits from (a route: its site,
 * defaults; an upstream or listen: defaults; a forward: nothing). NULL: defaults
 * only. */
struct conf_scope conf_scope_of(
    const struct conf_tree *t, const struct conf_section *s);

/* The value nearest in scope, or NULL when no section sets it. `key = none`
 * gives NULL too. For keys that add: the first line of the nearest scope. */
const struct conf_value *conf_get(const struct conf_scope *s, enum conf_key k);
/* Number of the nearest value or the row's default. For BOOL, NUM, DURATION,
 * SIZE, RATE, BANDWIDTH, PERCENT and ENUM. `none` gives 0. */
int64_t conf_num(const struct conf_scope *s, enum conf_key k);
bool conf_bool(const struct conf_scope *s, enum conf_key k);
/* Text of the nearest value or the row's default; empty for `none` and when
 * there is no default. An ENUM's is its word. */
span conf_text(const struct conf_scope *s, enum conf_key k);

/* Walk all lines of a key that adds (LIST, LINES, HEADER): outermost scope
 * first, so that what is nearer comes later; a `none` clears what came before
 * it. When no scope sets the key, the row's default is given, as one
 * line. Begin with *it zeroed. */
struct conf_iter {
	struct conf_value *at;
	uint32_t level;
	bool is_started;
};
const struct conf_value *conf_next(
    const struct conf_scope *s, enum conf_key k, struct conf_iter *it);

/* The option `name` behind the first word of a line (`weight=3`, `backup`), as
 * conf_options.def lists them: false when it is not there. *value (may be NULL)
 * is what stands behind `=`, empty for a bare word. Checked already. */
bool conf_option(const struct conf_value *v, const char *name, span *value);

/* Facts of the table. */
const char *conf_key_name(enum conf_key k);
const char *conf_type_name(enum conf_type t);

/* The effective configuration as INI (-T): every section, every key with its
 * value or default, secrets as "***". */
void conf_dump(const struct conf_tree *t, FILE *out);
/* Whether a field of a request of that name is what somebody is let in by, of which
 * nothing is shown whole: Authorization, Cookie, X-Api-Key. */
bool conf_is_credential(span name);
/* doc/config.md and etc/gatehouse.ini from the table. */
void conf_write_doc(FILE *out);
void conf_write_sample(FILE *out);

/* Parse single values, for other languages inside of values. On failure the
 * text says what is wrong ("10 what? write 10s"), valid forever. */
bool conf_parse_duration(span s, int64_t *ms, const char **why);
bool conf_parse_size(span s, int64_t *bytes, const char **why);
bool conf_parse_percent(span s, int64_t *tenths, const char **why);
/* "p50" .. "p99": what so many of 100 do not exceed. false: it is none. */
bool conf_parse_tail(span s, uint32_t *percent);
bool conf_parse_bool(span s, bool *out);
/* "443", "8000-8999": both ends belong to it, 1 .. 65535. */
bool conf_parse_ports(span s, uint16_t *from, uint16_t *to);

#endif
