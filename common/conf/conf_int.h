/* conf/conf_int: what the files of this folder share with each other and with
 * their tests; nobody else includes it. */
#ifndef GH_CONF_INT_H
#define GH_CONF_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/arena.h"
#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/conf/conf.h"

/* What this program builds; rows of higher parts are refused. */
#define CONF_PART 1

/* Bounds of what is read. A column fits into a struct place. */
#define CONF_LINE_MAX 65535
#define CONF_FILE_MAX (16u << 20)
#define CONF_TOTAL_MAX (64u << 20)
#define CONF_FILES_MAX 1024
#define CONF_DEPTH_MAX 16
#define CONF_SECTIONS_MAX 200000
#define CONF_SECRET_MAX 65536
#define CONF_KEY_LEN_MAX 64 /* what inih takes whole is longer */
#define CONF_NAME_LEN_MAX 300 /* an address names its upstream */
/* Text of a value that a message shows. */
#define CONF_BRIEF 60
/* Room for "[type name path]" in a message, its NUL included. */
#define CONF_LABEL_CAP 160

/* --- conf_table.c -------------------------------------------------------- */

enum conf_names { NAMES_NONE, NAMES_MAYBE, NAMES_ONE, NAMES_ROUTE, NAMES_RULE };

struct conf_type_row {
	const char *name;
	enum conf_names names;
	unsigned part;
	const char *doc;
};

struct conf_row {
	const char *name;
	uint32_t sections; /* bit 1 << CONF_x */
	enum conf_kind kind;
	const char *deflt;
	const char *min;
	const char *max;
	unsigned part;
	const char *doc;
};

struct conf_option_row {
	enum conf_key key;
	struct conf_row row;
};

extern const struct conf_type_row conf_types[CONF_TYPES];
extern const struct conf_row conf_rows[CONF_KEYS];
extern const struct conf_option_row conf_options[];
extern const size_t conf_n_options;

/* Index, or -1. */
int conf_type_find(span name);
int conf_key_find(enum conf_type type, span name);
/* A row of conf_options, or NULL. */
const struct conf_option_row *conf_option_find(enum conf_key key, span name);
/* The likely meant word, or NULL. */
const char *conf_type_suggest(span name);
const char *conf_key_suggest(enum conf_type type, span name);
/* Another section type that knows the key, or NULL. */
const char *conf_key_elsewhere(span name);
bool conf_is_scalar(enum conf_kind kind);
bool conf_is_in(enum conf_key key, enum conf_type type);

/* Words of a row's `min`: take the next off *rest, with its part. */
bool conf_word_next(span *rest, span *word, unsigned *part);
/* Index of a word, or -1. */
int conf_word_find(const char *words, span word, unsigned *part);

/* --- conf_units.c, conf_shape.c: one value ------------------------------- */

/* Any kind that is a number. On failure *why is a static text. */
bool conf_parse_number(
    enum conf_kind kind, span s, int64_t *out, const char **why);
/* Whether `s` has the shape ("<host>") as far as `part` goes; *why is a static
 * text. */
bool conf_shape_check(
    const char *shape, unsigned part, span s, const char **why);

/* --- conf_line.c: one line ------------------------------------------------ */

enum conf_line_what { LINE_EMPTY, LINE_HEADER, LINE_PAIR, LINE_BAD };

struct conf_line {
	enum conf_line_what what;
	span head; /* HEADER: between the brackets; PAIR: the key */
	span value; /* PAIR */
	/* BAD, and HEADERs that can be guessed: what is wrong, or NULL */
	const char *why;
	size_t bad_at;
	size_t bad_len;
};

/* What a line without its end is. Borrows from it. */
void conf_line_split(span line, struct conf_line *out);
/* Offset of the first byte that no configuration holds (control bytes, broken
 * UTF-8), or -1; *why is static, *len the number of bytes. */
ptrdiff_t conf_bytes_check(span s, const char **why, size_t *len);

/* --- the tree ------------------------------------------------------------- */

struct conf_tree {
	struct arena_pool pool;
	struct arena arena;
	unsigned part;
	struct conf_section *first[CONF_TYPES];
	struct conf_section *last[CONF_TYPES];
	struct conf_section *in_file;
	struct conf_section *in_file_last;
	struct map names[CONF_TYPES]; /* by conf_section_id() */
	struct conf_value *deflt[CONF_KEYS]; /* NULL: none */
};

struct conf_tree *conf_tree_new(unsigned part);
/* Take out the values that could not be read, once everything was checked. */
void conf_tree_prune(struct conf_tree *t);
/* "name", or "site path" of routes and rules; lives in the tree. */
span conf_section_id(struct conf_tree *t, const struct conf_section *s);
/* Put a section at the end of the lists. Its name must not be known yet. */
void conf_tree_add(struct conf_tree *t, struct conf_section *s);
/* "[type name path]", shortened. */
void conf_label(const struct conf_section *s, char out[CONF_LABEL_CAP]);
/* "line 12", or "file:12" when that is another file than here's. */
void conf_where(const struct diag *d, struct place there, struct place here,
    char out[CONF_LABEL_CAP]);
/* As much of a text as a message shows. */
span conf_brief(span s);

/* --- reading -------------------------------------------------------------- */

/* A text with its ${} replaced. `map`: for each byte where it came from, NULL
 * when nothing was replaced. */
struct conf_expanded {
	span text;
	const uint16_t *map;
};

/* A `key = value` line on its way through inih. */
struct conf_pair {
	span key;
	struct conf_expanded value;
	struct place at;
	struct place key_at;
	span dir; /* of the file, for relative paths; empty: as it is */
};

/* A file that is being read, or waits for it. */
struct conf_source {
	struct conf_source *below; /* on the stack */
	struct conf_source *parent; /* that includes it */
	span path;
	span dir;
	char *text; /* malloc'd */
	size_t len;
	size_t at;
	struct place from; /* of the include */
	dev_t dev;
	ino_t ino;
	uint32_t line;
	uint32_t depth;
	uint16_t file;
	bool is_open;
	bool is_headless_told; /* "a key before any section" was said */
	int32_t section; /* current, index of conf_reader.sections; -1 none */
};

struct conf_reader {
	struct conf_tree *tree;
	struct diag *d;
	struct conf_source *top;
	struct vec sections; /* struct conf_section, or NULL */
	struct vec pairs;
	char *scratch; /* CONF_LINE_MAX bytes */
	uint16_t *scratch_map; /* as many */
	struct conf_value **chain; /* the lines that grew last, */
	struct conf_value *chain_last; /* and the last of them */
	size_t n_bytes;
	uint32_t n_files;
	uint32_t n_delivered;
	bool is_header_due; /* back in a file: its section goes on */
};

/* conf_expand.c. false: an error was noted. */
bool conf_expand(struct conf_reader *r, span raw, struct place at,
    struct conf_expanded *out);
/* The place of out->text[off .. off + len) when the text began at `at`. */
struct place conf_expanded_place(
    const struct conf_expanded *e, struct place at, size_t off, size_t len);

/* conf_source.c */
void conf_source_push_text(struct conf_reader *r, const char *name, span text);
/* Queue a file to be read next. */
void conf_source_push(
    struct conf_reader *r, span path, struct place from, bool is_include);
/* Queue what an include line names. */
void conf_source_include(
    struct conf_reader *r, const struct conf_value *v, span dir);
/* Read the top's text. false: an error was noted. */
bool conf_source_open(struct conf_reader *r);
void conf_source_pop(struct conf_reader *r);
/* A secret's file into the tree. false: an error was noted. */
bool conf_secret_read(
    struct conf_reader *r, span path, struct place at, span *out);
/* `path` as seen from `dir`, in the tree. */
span conf_path_join(struct conf_tree *t, span dir, span path);

/* conf_head.c: a section from its header. Without a name that it needs when
 * the header is wrong (its keys can still be looked at); NULL when not even
 * its type is known. */
struct conf_section *conf_head_parse(
    struct conf_reader *r, span head, struct place at);

/* conf_value.c: type the value of `v` (key, text and places are set). */
void conf_value_parse(
    struct conf_reader *r, const struct conf_pair *pair, struct conf_value *v);
/* The value that a row's default is; NULL: none. */
struct conf_value *conf_value_default(struct conf_tree *t, enum conf_key k);

/* conf_join.c: the sections become the tree's: doubles, extend, the implied. */
void conf_join(struct conf_reader *r);
/* conf_names.c, conf_check.c: what only the whole can tell. */
void conf_check_names(struct conf_tree *t, struct diag *d);
void conf_check(struct conf_tree *t, struct diag *d);

/* conf_load_text() and conf_load() as if parts up to `part` were built. */
struct conf_tree *conf_load_part(const char *path, const char *name, span text,
    unsigned part, struct diag *d);

#endif
