/* auth/users: see users.h. Hashes are never shown: messages name file and line
 * only. */
#include "worker/auth/users.h"

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/auth/passwd.h"

/* Groups of one user. */
#define USERS_GROUPS_MAX 256u

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

/* The entry of a name, made when there is none. */
static struct users_entry *
users_entry(struct users *u, const struct auth_file *f, span name)
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
    struct users *u, const struct auth_file *f, span line, uint32_t n)
{
	struct users_entry *e;
	const char *why;
	span rest = line;
	span name;
	span hash;

	(void)span_cut(&rest, ':', &name);
	if (!span_cut(&rest, ':', &hash)) {
		auth_file_error(f, n, "there is no ':' behind the name");
		return;
	}
	why = auth_name_fault(name);
	if (why != NULL) {
		auth_file_error(f, n, "%s", why);
		return;
	}
	hash = span_trim(hash);
	if (passwd_judge(hash, &why) == PASSWD_NONE) {
		auth_file_error(f, n, "'%.*s': %s", SPAN_FMT(name), why);
		return;
	}
	e = users_entry(u, f, name);
	if (e->hash.len > 0) {
		auth_file_error(
		    f, n, "'%.*s' stands here before", SPAN_FMT(name));
		return;
	}
	e->hash = hash;
	vec_push(&u->entries, e);
}

void
users_read_passwords(struct users *u, const struct auth_file *f, span text)
{
	uint32_t n = 0;
	span line;

	while (auth_file_line(f, &text, &line, &n))
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
    struct users *u, const struct auth_file *f, const span *group, span name)
{
	struct users_entry *e = users_entry(u, f, name);

	if (!users_is_in(e, *group) && e->groups.n < USERS_GROUPS_MAX)
		vec_push(&e->groups, (void *)(uintptr_t)group);
	u->has_groups |= e->groups.n > 0;
}

/* `group: name name`. */
static void
users_read_group(
    struct users *u, const struct auth_file *f, span line, uint32_t n)
{
	span *group = arena_alloc(f->arena, sizeof(*group));
	const char *why;
	span rest = line;
	span name;

	(void)span_cut(&rest, ':', group);
	*group = span_trim(*group);
	if (rest.p == NULL) {
		auth_file_error(f, n, "there is no ':' behind the group");
		return;
	}
	why = auth_name_fault(*group);
	while (why == NULL && span_word(&rest, &name)) {
		why = auth_name_fault(name);
		if (why != NULL)
			break;
		if (u->entries.n > 0 && map_get(&u->by_name, name) == NULL)
			auth_file_tell(f, DIAG_WARNING, n,
			    arena_printf(f->arena,
				"'%.*s' is in no file of users",
				SPAN_FMT(name)));
		users_read_member(u, f, group, name);
	}
	if (why != NULL)
		auth_file_error(f, n, "%s", why);
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
users_read_groups(struct users *u, const struct auth_file *f, span text)
{
	uint32_t n = 0;
	span line;

	while (auth_file_line(f, &text, &line, &n))
		users_read_group(u, f, line, n);
	users_list_groups(u, f->arena);
}

/* --- files ---------------------------------------------------------------- */

static void
users_prepare_file(struct users *u, const struct auth_file *like,
    const struct conf_value *v,
    void (*read)(struct users *, const struct auth_file *, span))
{
	struct auth_file f = *like;
	span text = span_of(NULL, 0);

	if (v == NULL)
		return;
	f.path = arena_span(f.arena, v->text).p;
	f.at = v->at;
	if (auth_file_load(&f, &text))
		read(u, &f, text);
}

struct users *
users_prepare(const struct conf_tree *t, const struct conf_section *sec,
    struct arena *a, struct diag *d)
{
	struct conf_scope s = conf_scope_of(t, sec);
	struct users *u = arena_alloc(a, sizeof(*u));
	struct auth_file like = {.arena = a, .d = d};

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
