/* auth/users: see users.h. Hashes are never shown: messages name file and line
 * only. */
#include "worker/auth/users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/auth/passwd.h"

/* A file of a million users has some 80 MB. */
#define USERS_FILE_MAX ((size_t)256 * 1024 * 1024)
#define USERS_LINE_MAX 4096u
/* Groups of one user. */
#define USERS_GROUPS_MAX 256u

/* Says that something is wrong in line n. */
#define users_error(f, n, ...) \
	users_tell(f, DIAG_ERROR, n, arena_printf((f)->arena, __VA_ARGS__))

static void
users_tell(
    const struct users_file *f, enum diag_level level, uint32_t n, span what)
{
	diag_add(f->d, level, f->at, "%s:%u: %.*s", f->path, n, SPAN_FMT(what));
}

void
users_init(struct users *u)
{
	memset(u, 0, sizeof(*u));
	map_init(&u->by_name, false);
	vec_init(&u->entries);
	sipkey_random(&u->key);
}

void
users_fini(struct users *u)
{
	if (u == NULL)
		return;
	map_foreach (slot, &u->by_name) {
		struct users_entry *e = slot->value;

		vec_fini(&e->groups);
	}
	map_fini(&u->by_name);
	vec_fini(&u->entries);
}

/* --- lines ---------------------------------------------------------------- */

/* The next line that says something; *n is its number. false at the end, or
 * when it is too long for any. */
static bool
users_line(const struct users_file *f, span *rest, span *line, uint32_t *n)
{
	while (span_cut(rest, '\n', line)) {
		++*n;
		if (line->len > USERS_LINE_MAX) {
			users_error(
			    f, *n, "the line is over %u bytes", USERS_LINE_MAX);
			return false;
		}
		if (span_ends(*line, SPAN_LIT("\r")))
			line->len--;
		if (span_trim(*line).len > 0 && line->p[0] != '#')
			return true;
	}
	return false;
}

bool
users_is_text(span s)
{
	for (size_t i = 0; i < s.len;) {
		size_t n = span_utf8_len(s, i);

		if (n == 0 || (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
		i += n;
	}
	return true;
}

/* A name is text that logs and fields can hold. */
static const char *
users_name_fault(span name)
{
	if (name.len == 0)
		return "the name is missing";
	if (name.len > USERS_NAME_MAX)
		return "the name is over 255 bytes";
	return users_is_text(name) ? NULL
				   : "the name is no UTF-8, or holds a control "
				     "character";
}

/* The entry of a name, made when there is none. */
static struct users_entry *
users_entry(struct users *u, const struct users_file *f, span name)
{
	struct users_entry *e = map_get(&u->by_name, name);

	if (e != NULL)
		return e;
	e = arena_zalloc(f->arena, sizeof(*e));
	e->name = name;
	vec_init(&e->groups);
	(void)map_put(&u->by_name, name, e);
	return e;
}

/* --- passwords ------------------------------------------------------------ */

/* `name:hash`, and what is behind another colon says nothing. */
static void
users_read_password(
    struct users *u, const struct users_file *f, span line, uint32_t n)
{
	struct users_entry *e;
	const char *why;
	span rest = line;
	span name;
	span hash;

	(void)span_cut(&rest, ':', &name);
	if (!span_cut(&rest, ':', &hash)) {
		users_error(f, n, "there is no ':' behind the name");
		return;
	}
	why = users_name_fault(name);
	if (why != NULL) {
		users_error(f, n, "%s", why);
		return;
	}
	hash = span_trim(hash);
	if (passwd_judge(hash, &why) == PASSWD_NONE) {
		users_error(f, n, "'%.*s': %s", SPAN_FMT(name), why);
		return;
	}
	e = users_entry(u, f, name);
	if (e->hash.len > 0) {
		users_error(f, n, "'%.*s' stands here before", SPAN_FMT(name));
		return;
	}
	e->hash = hash;
	vec_push(&u->entries, e);
}

void
users_read_passwords(struct users *u, const struct users_file *f, span text)
{
	uint32_t n = 0;
	span line;

	while (users_line(f, &text, &line, &n))
		users_read_password(u, f, line, n);
}

/* --- groups --------------------------------------------------------------- */

static bool
users_is_in(const struct users_entry *e, span group)
{
	for (uint32_t i = 0; i < e->groups.n; i++)
		if (span_eq(*(const span *)e->groups.at[i], group))
			return true;
	return false;
}

/* One name behind `group:`. */
static void
users_read_member(
    struct users *u, const struct users_file *f, const span *group, span name)
{
	struct users_entry *e = users_entry(u, f, name);

	if (!users_is_in(e, *group) && e->groups.n < USERS_GROUPS_MAX)
		vec_push(&e->groups, (void *)(uintptr_t)group);
}

/* `group: name name`. */
static void
users_read_group(
    struct users *u, const struct users_file *f, span line, uint32_t n)
{
	span *group = arena_alloc(f->arena, sizeof(*group));
	const char *why;
	span rest = line;
	span name;

	(void)span_cut(&rest, ':', group);
	*group = span_trim(*group);
	if (rest.p == NULL) {
		users_error(f, n, "there is no ':' behind the group");
		return;
	}
	why = users_name_fault(*group);
	while (why == NULL && span_word(&rest, &name)) {
		why = users_name_fault(name);
		if (why != NULL)
			break;
		if (u->entries.n > 0 && map_get(&u->by_name, name) == NULL)
			users_tell(f, DIAG_WARNING, n,
			    arena_printf(f->arena,
				"'%.*s' is in no file of users",
				SPAN_FMT(name)));
		users_read_member(u, f, group, name);
	}
	if (why != NULL)
		users_error(f, n, "%s", why);
}

static void
users_list_groups(struct users *u, struct arena *a)
{
	map_foreach (slot, &u->by_name) {
		struct users_entry *e = slot->value;
		span *names = arena_alloc(a, e->groups.n * sizeof(*names));

		for (uint32_t i = 0; i < e->groups.n; i++)
			names[i] = *(const span *)e->groups.at[i];
		e->group_names = names;
	}
}

void
users_read_groups(struct users *u, const struct users_file *f, span text)
{
	uint32_t n = 0;
	span line;

	while (users_line(f, &text, &line, &n))
		users_read_group(u, f, line, n);
	users_list_groups(u, f->arena);
}

/* --- files ---------------------------------------------------------------- */

/* All of a file, in the arena. false: it was noted why not. */
static bool
users_load(const struct users_file *f, span *out)
{
	FILE *in = fopen(f->path, "re");
	size_t cap = 65536;
	size_t len = 0;
	char *room = malloc(cap);

	REQUIRE(room != NULL);
	while (in != NULL && len < USERS_FILE_MAX) {
		size_t n = fread(room + len, 1, cap - len, in);

		len += n;
		if (n == 0)
			break;
		if (len < cap)
			continue;
		cap *= 2;
		room = realloc(room, cap);
		REQUIRE(room != NULL);
	}
	if (in == NULL || ferror(in) != 0)
		diag_error(f->d, f->at, "%s cannot be read: %s", f->path,
		    strerror(errno));
	else if (len >= USERS_FILE_MAX)
		diag_error(f->d, f->at, "%s is over 256 MiB", f->path);
	else
		*out = arena_span(f->arena, span_of(room, len));
	if (in != NULL)
		(void)fclose(in);
	free(room);
	return out->p != NULL;
}

static void
users_prepare_file(struct users *u, const struct users_file *like,
    const struct conf_value *v,
    void (*read)(struct users *, const struct users_file *, span))
{
	struct users_file f = *like;
	span text = span_of(NULL, 0);

	if (v == NULL)
		return;
	f.path = arena_span(f.arena, v->text).p;
	f.at = v->at;
	if (users_load(&f, &text))
		read(u, &f, text);
}

struct users *
users_prepare(const struct conf_tree *t, const struct conf_section *sec,
    struct arena *a, struct diag *d)
{
	struct conf_scope s = conf_scope_of(t, sec);
	struct users *u = arena_alloc(a, sizeof(*u));
	struct users_file like = {.arena = a, .d = d};

	users_init(u);
	u->name = sec->name;
	u->at = sec->at;
	users_prepare_file(
	    u, &like, conf_get(&s, KEY_USERS_FILE), users_read_passwords);
	users_prepare_file(
	    u, &like, conf_get(&s, KEY_USERS_GROUPS_FILE), users_read_groups);
	return u;
}

/* --- asking --------------------------------------------------------------- */

const struct users_entry *
users_find(const struct users *u, span name)
{
	return map_get(&u->by_name, name);
}

span
users_hash(const struct users *u, span name)
{
	const struct users_entry *e = map_get(&u->by_name, name);

	if (e == NULL || e->hash.len == 0) {
		if (u->entries.n == 0)
			return span_of(NULL, 0);
		e = u->entries.at[siphash(&u->key, name) % u->entries.n];
	}
	return e->hash;
}
