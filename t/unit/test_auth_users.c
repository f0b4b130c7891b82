/* Passwords as other programs hashed them, files of users and groups, and the
 * credentials of Basic. */
#include <check.h>
#include <stdlib.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/auth/auth_int.h"
#include "worker/auth/basic.h"
#include "worker/auth/passwd.h"
#include "worker/auth/users.h"

#define PASS "p\xc3\xa4ssword"
#define LONG_PASS "a long password of more than sixteen bytes"
#define BCRYPT "$2y$05$abcdefghijklmnopqrstuucZGbUxuMlEqps0qcu2pjhO7vaatQZIC"
#define SHA256 "$5$saltsalt$rQBvFGQx3u6doxkk7cvWbhhnhS2qa1.FI.tt6NGFH66"
#define APR1 "$apr1$saltsalt$553eXAj/BD3irf9w9nutz/"
#define C43 "0123456789012345678901234567890123456789012"
#define C53 C43 "0123456789"

/* Made by libxcrypt's crypt(3) and by `openssl passwd -apr1`. */
static const struct {
	enum passwd_kind kind;
	const char *hash;
	const char *password;
} hashes[] = {
    {PASSWD_BCRYPT, BCRYPT, PASS},
    {PASSWD_SHA256, SHA256, PASS},
    {PASSWD_SHA256,
	"$5$rounds=1000$saltsalt$k0ylRWLHVlBxnL.QHEV.f8gDch7ScqF5//h.mx1WAa9",
	PASS},
    {PASSWD_SHA512,
	"$6$rounds=1000$saltsalt$GRg0cJEHso4LJZYmvs6cl1YziCrkl3pvdLeF58R.fERGV/"
	"fOgD8w6F4Ljko0wttVnHPN.v.Sy4JUmYierjxw6/",
	PASS},
    {PASSWD_YESCRYPT,
	"$y$j75$saltsaltsaltsalt$GTjgW/9UgmrXy8uruvVNL3v8/Cj7D8cOKPAWboOC/N5",
	PASS},
    {PASSWD_APR1, APR1, PASS},
    {PASSWD_APR1, "$apr1$ab$vEDh3JbjHFE.H11RF.6In1", LONG_PASS},
    {PASSWD_APR1, "$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.", ""},
};

static struct arena_pool pool;
static struct arena arena;
static struct diag *diag;
static struct users users;
static struct auth_file file;

static void
set_up(void)
{
	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	diag = diag_new();
	users_init(&users);
	file =
	    (struct auth_file){.path = "/x/users", .arena = &arena, .d = diag};
}

static void
tear_down(void)
{
	users_fini(&users);
	diag_free(diag);
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

START_TEST(hashes_of_other_programs_are_verified)
{
	const char *why;

	for (size_t i = 0; i < NELEMS(hashes); i++) {
		span hash = span_str(hashes[i].hash);

		ck_assert_int_eq(passwd_judge(hash, &why), hashes[i].kind);
		ck_assert(passwd_verify(hash, span_str(hashes[i].password)));
		ck_assert(!passwd_verify(hash, SPAN_LIT("password")));
		ck_assert(!passwd_verify(hash, SPAN_LIT(PASS "x")));
	}
}
END_TEST

START_TEST(other_hashes_are_told_apart)
{
	static const struct {
		const char *hash;
		const char *why;
	} rows[] = {
	    {"", "no password hash"},
	    {"secret", "plain"},
	    {"rOx1X0xJQCzeU", "plain"},
	    {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA-1"},
	    {"$1$ab$abcdefghijabcdefghijab", "MD5-crypt"},
	    {"$argon2id$v=19$m=65536,t=3,p=4$x$y", "not known"},
	    {"$2y$05$short", "malformed"},
	    {"$2x$05$" C53, "malformed"},
	    {"$2y$5$0" C53, "malformed"},
	    {"$2y$17$" C53, "too long"},
	    {"$2y$03$" C53, "malformed"},
	    {"$2y$05$!!!" C43 "0123456", "malformed"},
	    {"$5$saltsalt$short", "malformed"},
	    {"$5$" C43, "malformed"},
	    {"$5$seventeen_bytes..$" C43, "malformed"},
	    {"$5$rounds=x$salt$" C43, "malformed"},
	    {"$5$rounds=1000001$salt$" C43, "too long"},
	    {"$6$salt$" C43, "malformed"},
	    {"$y$j75$salt$x", "malformed"},
	    {"$y$$salt$" C43, "malformed"},
	    {"$y$~~~$salt$" C43, "malformed"},
	    {"$apr1$$0123456789012345678901", "malformed"},
	    {"$apr1$012345678$0123456789012345678901", "malformed"},
	    {"$apr1$salt$012345678901234567890", "malformed"},
	};
	char longest[PASSWD_HASH_MAX + 2];
	const char *why = "";

	for (size_t i = 0; i < NELEMS(rows); i++) {
		ck_assert_int_eq(
		    passwd_judge(span_str(rows[i].hash), &why), PASSWD_NONE);
		ck_assert_msg(strstr(why, rows[i].why) != NULL, "%s: %s",
		    rows[i].hash, why);
	}
	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(
	    passwd_judge(span_of(longest, sizeof(longest)), &why), PASSWD_NONE);
	ck_assert_str_eq(why, "the hash is too long");
}
END_TEST

/* --- files ---------------------------------------------------------------- */

static void
check_told(const char *want)
{
	char *all = diag_render(diag);

	ck_assert_msg(strstr(all, want) != NULL, "%s", all);
	/* no message shows a hash */
	ck_assert_ptr_null(strstr(all, "saltsalt"));
	free(all);
}

static const struct users_entry *
find(const char *name)
{
	return users_find(&users, span_str(name));
}

START_TEST(a_file_of_passwords_is_read)
{
	users_read_passwords(&users, &file,
	    SPAN_LIT("# staff\r\n\r\nanna:" APR1 "\r\n"
		     "b\xc3\xa4r:" SHA256 ":and more\n"
		     "  \nlast one:" APR1));
	ck_assert_uint_eq(diag_count(diag, DIAG_ERROR), 0);
	ck_assert_uint_eq(users.entries.n, 3);
	ck_assert_span_eq(find("anna")->hash, APR1);
	ck_assert_span_eq(find("b\xc3\xa4r")->hash, SHA256);
	ck_assert_span_eq(find("last one")->hash, APR1);
	ck_assert_ptr_null(find("Anna"));
	ck_assert_ptr_null(find("# staff"));
}
END_TEST

START_TEST(what_is_wrong_is_told_by_its_line)
{
	static const struct {
		const char *text;
		const char *told;
	} rows[] = {
	    {"a:" APR1 "\nb:secret\n", "/x/users:2: 'b': this is no hash"},
	    {"nothing\n", ":1: there is no ':'"},
	    {":" APR1 "\n", ":1: the name is missing"},
	    {"\xff:" APR1 "\n", ":1: the name is no UTF-8"},
	    {"a\tb:" APR1 "\n", ":1: the name is no UTF-8, or holds a control"},
	    {"a:" APR1 "\n\na:" SHA256 "\n", ":3: 'a' stands here before"},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		users_fini(&users);
		users_init(&users);
		diag_forget(diag);
		users_read_passwords(&users, &file, span_str(rows[i].text));
		ck_assert_uint_eq(diag_count(diag, DIAG_ERROR), 1);
		check_told(rows[i].told);
	}
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
	char *text = malloc(5000);

	ck_assert_ptr_nonnull(text);
	memset(text, 'a', 5000);
	users_read_passwords(&users, &file, span_of(text, 5000));
	check_told(":1: the line is over 4096 bytes");
	free(text);
}
END_TEST

START_TEST(groups_have_users_and_users_groups)
{
	const struct users_entry *e;

	users_read_passwords(
	    &users, &file, SPAN_LIT("anna:" APR1 "\nben:" APR1 "\n"));
	users_read_groups(&users, &file,
	    SPAN_LIT("# groups\nadmins: anna\nstaff: anna\tben  anna\n"
		     "staff: ben\nempty:\n"));
	ck_assert_uint_eq(diag_count(diag, DIAG_ERROR), 0);
	ck_assert_uint_eq(diag_count(diag, DIAG_WARNING), 0);
	e = find("anna");
	ck_assert_uint_eq(e->groups.n, 2);
	ck_assert_span_eq(e->group_names[0], "admins");
	ck_assert_span_eq(e->group_names[1], "staff");
	ck_assert_uint_eq(find("ben")->groups.n, 1);
}
END_TEST

START_TEST(a_member_that_no_file_knows_is_told_and_has_no_password)
{
	users_read_passwords(&users, &file, SPAN_LIT("anna:" APR1 "\n"));
	users_read_groups(&users, &file, SPAN_LIT("staff: anna bne\n"));
	ck_assert_uint_eq(diag_count(diag, DIAG_WARNING), 1);
	check_told(":1: 'bne' is in no file of users");
	ck_assert_uint_eq(find("bne")->hash.len, 0);
	/* as any name that is not known */
	ck_assert_span_eq(users_hash(&users, SPAN_LIT("bne")), APR1);
}
END_TEST

START_TEST(bad_groups_are_told_by_their_line)
{
	users_read_groups(&users, &file, SPAN_LIT("a: b\nno colon\n: x\n"));
	ck_assert_uint_eq(diag_count(diag, DIAG_ERROR), 2);
	check_told(":2: there is no ':' behind the group");
	check_told(":3: the name is missing");
}
END_TEST

START_TEST(an_unknown_name_has_always_the_same_hash_of_somebody)
{
	span one;

	ck_assert_uint_eq(users_hash(&users, SPAN_LIT("x")).len, 0);
	users_read_passwords(
	    &users, &file, SPAN_LIT("anna:" APR1 "\nben:" SHA256 "\n"));
	one = users_hash(&users, SPAN_LIT("nobody"));
	ck_assert(
	    span_eq(one, SPAN_LIT(APR1)) || span_eq(one, SPAN_LIT(SHA256)));
	for (int i = 0; i < 10; i++)
		ck_assert(span_eq(users_hash(&users, SPAN_LIT("nobody")), one));
	ck_assert_span_eq(users_hash(&users, SPAN_LIT("ben")), SHA256);
}
END_TEST

/* --- credentials ---------------------------------------------------------- */

/* "Basic " and the base64 of a text. */
static span
credentials(const char *scheme, span pair)
{
	char *out = arena_alloc(&arena, BASE64_CHARS(pair.len));
	span parts[] = {
	    span_str(scheme), span_of(out, base64_write(pair, out))};

	return arena_concat(&arena, parts, NELEMS(parts));
}

START_TEST(a_name_and_a_password_are_read)
{
	static const struct {
		const char *scheme;
		const char *pair;
		const char *name;
		const char *password;
	} rows[] = {
	    {"Basic ", "Aladdin:open sesame", "Aladdin", "open sesame"},
	    {"bASIC   ", "a:", "a", ""},
	    {"Basic ", "a:b:c:", "a", "b:c:"},
	    {"Basic ", "test:123\xc2\xa3", "test", "123\xc2\xa3"},
	};
	char room[BASIC_ROOM];
	struct basic b;

	for (size_t i = 0; i < NELEMS(rows); i++) {
		ck_assert(basic_read(
		    credentials(rows[i].scheme, span_str(rows[i].pair)), room,
		    &b));
		ck_assert_span_eq(b.name, rows[i].name);
		ck_assert_span_eq(b.password, rows[i].password);
	}
}
END_TEST

START_TEST(anything_else_is_nobody)
{
	static const char *const bad[] = {"", "Basic", "Basic ",
	    "Basic =", "Bearer YTpi", "Basic YTpi YTpi", "Basic YTpi,",
	    "BasicYTpi", "Basic YTpi\n", "Basic YTpiYg",
	    "Basic YTpi=", "Basic Yg==",
	    /* ":b", "b:\xff", "a\x01:b", "a:\x7f" */
	    "Basic OmI=", "Basic Yjr/", "Basic YQE6Yg==", "Basic YTp/"};
	char room[BASIC_ROOM];
	struct basic b;

	for (size_t i = 0; i < NELEMS(bad); i++)
		ck_assert_msg(
		    !basic_read(span_str(bad[i]), room, &b), "%s", bad[i]);
}
END_TEST

START_TEST(lengths_are_bounded)
{
	char pair[AUTH_NAME_MAX + PASSWD_MAX + 3];
	char room[BASIC_ROOM];
	struct basic b;

	memset(pair, 'a', sizeof(pair));
	pair[AUTH_NAME_MAX] = ':';
	ck_assert(basic_read(credentials("Basic ",
				 span_of(pair, AUTH_NAME_MAX + 1 + PASSWD_MAX)),
	    room, &b));
	ck_assert_uint_eq(b.password.len, PASSWD_MAX);
	ck_assert(
	    !basic_read(credentials("Basic ",
			    span_of(pair, AUTH_NAME_MAX + 2 + PASSWD_MAX)),
		room, &b));
	pair[AUTH_NAME_MAX] = 'a';
	pair[AUTH_NAME_MAX + 1] = ':';
	ck_assert(!basic_read(
	    credentials("Basic ", span_of(pair, AUTH_NAME_MAX + 2)), room, &b));
}
END_TEST

/* --- what is remembered --------------------------------------------------- */

START_TEST(answers_are_remembered_until_they_end)
{
	struct auth_memory *m = auth_memory_new();
	struct auth_key good = {{1, 2}};
	struct auth_key bad = {{1, 3}};
	bool is_good;

	ck_assert(!auth_memory_find(m, &good, 0, &is_good));
	auth_memory_put(m, &good, 100, true);
	auth_memory_put(m, &bad, 50, false);
	ck_assert(auth_memory_find(m, &good, 99, &is_good));
	ck_assert(is_good);
	ck_assert(auth_memory_find(m, &bad, 49, &is_good));
	ck_assert(!is_good);
	ck_assert(!auth_memory_find(m, &bad, 50, &is_good));
	ck_assert(!auth_memory_find(m, &good, 100, &is_good));
	auth_memory_put(m, &good, 200, false);
	ck_assert(auth_memory_find(m, &good, 150, &is_good));
	ck_assert(!is_good);
	auth_memory_free(m);
}
END_TEST

START_TEST(what_ends_first_makes_room)
{
	struct auth_memory *m = auth_memory_new();
	bool is_good;

	/* all of one row */
	for (uint64_t i = 0; i < 5; i++) {
		struct auth_key k = {{7, i}};

		auth_memory_put(m, &k, 100 + i, true);
	}
	for (uint64_t i = 0; i < 5; i++) {
		struct auth_key k = {{7, i}};

		ck_assert_int_eq(auth_memory_find(m, &k, 1, &is_good), i > 0);
	}
	auth_memory_free(m);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {hashes_of_other_programs_are_verified,
	    other_hashes_are_told_apart, a_file_of_passwords_is_read,
	    what_is_wrong_is_told_by_its_line, a_line_without_end_is_refused,
	    groups_have_users_and_users_groups,
	    a_member_that_no_file_knows_is_told_and_has_no_password,
	    bad_groups_are_told_by_their_line,
	    an_unknown_name_has_always_the_same_hash_of_somebody,
	    a_name_and_a_password_are_read, anything_else_is_nobody,
	    lengths_are_bounded, answers_are_remembered_until_they_end,
	    what_ends_first_makes_room};

	return unit_run_in(
	    "auth_users", tests, NELEMS(tests), set_up, tear_down);
}
