/* fuzz/users: any text as a file of users, one of groups and a field of
 * credentials. What is accepted as a hash can be verified with; no name holds
 * what a line of a log could not. */
#include "t/fuzz/fuzz.h"
#include "worker/auth/basic.h"
#include "worker/auth/passwd.h"
#include "worker/auth/users.h"

static void
fuzz_files(span in)
{
	struct arena_pool pool;
	struct arena arena;
	struct users users;
	struct auth_file f = {
	    .path = "users", .arena = &arena, .d = diag_new()};

	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	users_init(&users);
	users_read_passwords(&users, &f, in);
	users_read_groups(&users, &f, in);
	map_foreach (slot, &users.by_name) {
		const struct users_entry *e = slot->value;
		const char *why;

		REQUIRE(e->name.len > 0 && auth_is_text(e->name));
		REQUIRE(e->hash.len == 0 ||
			passwd_judge(e->hash, &why) != PASSWD_NONE);
		REQUIRE(users_find(&users, e->name) == e);
	}
	users_fini(&users);
	diag_free(f.d);
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

static void
fuzz_credentials(span in)
{
	char *room = malloc(BASIC_ROOM);
	struct basic b;

	REQUIRE(room != NULL);
	if (basic_read(in, room, &b)) {
		REQUIRE(b.name.len > 0 && b.name.len <= AUTH_NAME_MAX);
		REQUIRE(b.password.len <= PASSWD_MAX);
		REQUIRE(span_chr(b.name, ':') < 0);
		REQUIRE(b.password.p + b.password.len <= room + BASIC_ROOM);
		REQUIRE(auth_is_text(b.name) && auth_is_text(b.password));
	}
	free(room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));

	fuzz_files(in);
	fuzz_credentials(in);
	fuzz_free(in);
	return 0;
}
