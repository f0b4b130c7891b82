/* Unit tests of sec/sec_tx over the rule sets of the field: what is left out
 * because it cannot match (patterns and phrases by the sieve, rules by what
 * configuration fixes) changes nothing of what rules say. Requests are made up
 * of words that rules look for. Debian's package modsecurity-crs is one set;
 * $GH_CRS4 names a folder of the other. What is not there is skipped. */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/sec_text.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_sieve.h"
#include "worker/sec/sec_tx.h"

#define N_REQUESTS 120
#define TEXT_CAP 2048
#define SAID_CAP 65536
#define MEMO_BYTES ((size_t)16 << 20)

static const char *const words[] = {"mary", "O'Brien", "the list of", "1",
    "select", "union", "from users", "' or '1'='1", "--", "/*", "*/", "<script",
    ">", "alert(1)", "onerror=", "javascript:", "../", "..\\", "/etc/passwd",
    "; cat", "| ls", "`id`", "$(", ")", "phpinfo()", "<?php", "${jndi:ldap://",
    "%{", "{{7*7}}", "http://", "192.0.2.1", "file:///", "sleep(5)", "waitfor",
    "\xe4\xb8\x80", "caf\xc3\xa9", "%u0041", "&#x6a;", "\\x41", "\\u0042", "=",
    "&lt;", "\"", "@import", "document.cookie", "java.lang.Runtime", "exec",
    "cmd.exe", "/bin/sh", "base64", "set-cookie:", "\r\n", "__proto__",
    ".git/config", "wp-config.php", "0x31", "char(97)", "bcc:", "Nikto", "#"};

static uint64_t seed = 88172645463325252u;

static unsigned
dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 32) % n;
}

/* --- a request ------------------------------------------------------------ */

struct request {
	char query[TEXT_CAP], agent[TEXT_CAP], body[TEXT_CAP];
};

static void
put_words(char *to, const char *begin, bool is_escaped, const char *between)
{
	unsigned n = 1 + dice(5);
	size_t len = (size_t)snprintf(to, TEXT_CAP, "%s", begin);

	for (unsigned i = 0; i < n; i++) {
		const char *w = words[dice(NELEMS(words))];

		for (; *w != '\0' && len + 4 < TEXT_CAP; w++)
			len += (size_t)snprintf(to + len, TEXT_CAP - len,
			    is_escaped ? "%%%02X" : "%c", (uint8_t)*w);
		len += (size_t)snprintf(to + len, TEXT_CAP - len, "%s",
		    i + 1 < n && dice(3) == 0 ? between : "");
	}
}

static void
request_make(struct request *r)
{
	put_words(r->query, "/shop/?q=", true, dice(2) == 0 ? "&b=" : "+");
	put_words(r->agent, "Mozilla/5.0 ", false, " ");
	put_words(r->body, "text=", true, dice(2) == 0 ? "&t=" : "+");
}

/* --- what is said of it --------------------------------------------------- */

static void
say(const struct sec_tx *tx, char said[SAID_CAP])
{
	size_t len = 0;

	said[0] = '\0';
	for (const struct sec_message *m = sec_tx_messages(tx);
	     m != NULL && len < SAID_CAP; m = m->next)
		len += (size_t)snprintf(said + len, SAID_CAP - len,
		    "%llu %.*s [%.*s] %.*s\n", (unsigned long long)m->rule->id,
		    SPAN_FMT(m->var), SPAN_FMT(m->value), SPAN_FMT(m->data));
}

static void
judge(const struct sec_plan *plan, struct sec_sieve_memo *memo,
    const struct request *from, char said[SAID_CAP])
{
	const struct sec_field fields[] = {
	    {SPAN_LIT("Host"), SPAN_LIT("shop.example")},
	    {SPAN_LIT("User-Agent"), span_str(from->agent)},
	    {SPAN_LIT("Accept"), SPAN_LIT("*/*")},
	    {SPAN_LIT("Content-Type"),
		SPAN_LIT("application/x-www-form-urlencoded")}};
	const struct sec_request r = {.method = SPAN_LIT("POST"),
	    .target = span_str(from->query),
	    .protocol = SPAN_LIT("HTTP/1.1"),
	    .fields = fields,
	    .n_fields = NELEMS(fields),
	    .remote_addr = SPAN_LIT("192.0.2.7"),
	    .id = SPAN_LIT("id-1")};
	struct arena_pool pool;
	struct arena arena;
	struct sec_tx *tx;

	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	tx = sec_tx_new(plan, memo, &arena, &r);
	sec_tx_detect(tx);
	(void)sec_tx_phase(tx, 1);
	sec_tx_body(tx, span_str(from->body));
	(void)sec_tx_phase(tx, 2);
	(void)sec_tx_phase(tx, 5);
	ck_assert(!sec_tx_is_over(tx));
	say(tx, said);
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

/* One way of running the rules. */
struct way {
	struct sec_plan *plan;
	struct sec_sieve_memo *memo;
};

static struct way
way_new(const struct sec_set *set, const struct sec_fixed *fixed,
    uint32_t n_fixed, size_t memo_bytes)
{
	struct way w = {.plan = sec_plan_new(set, fixed, n_fixed)};

	w.memo = sec_plan_memo(w.plan, memo_bytes);
	return w;
}

static void
way_free(struct way *w)
{
	sec_sieve_memo_free(w->memo);
	sec_plan_free(w->plan);
}

static unsigned
compare(const struct way *a, const struct way *b)
{
	static char by_a[SAID_CAP], by_b[SAID_CAP];
	struct request r;
	unsigned n_said = 0;

	for (int i = 0; i < N_REQUESTS; i++) {
		request_make(&r);
		judge(a->plan, a->memo, &r, by_a);
		judge(b->plan, b->memo, &r, by_b);
		ck_assert_msg(strcmp(by_a, by_b) == 0, "%s\n%s\n%s\n%s---\n%s",
		    r.query, r.agent, r.body, by_a, by_b);
		n_said += by_a[0] != '\0';
	}
	return n_said;
}

/* --- rule sets ------------------------------------------------------------ */

static struct sec_set *
load(const char *setup, const char *rules)
{
	struct diag *d = diag_new();
	struct sec_load how;
	struct sec_set *set;
	glob_t found;

	if (glob(setup, 0, NULL, &found) != 0) {
		diag_free(d);
		return NULL;
	}
	ck_assert_int_eq(glob(rules, GLOB_APPEND, NULL, &found), 0);
	how = (struct sec_load){.paths = (const char *const *)found.gl_pathv,
	    .n_paths = (uint32_t)found.gl_pathc};
	set = sec_set_new(&how, d);
	ck_assert_ptr_nonnull(set);
	globfree(&found);
	diag_free(d);
	return set;
}

static struct sec_set *
load_debian(void)
{
	return load("/etc/modsecurity/crs/crs-setup.conf",
	    "/usr/share/modsecurity-crs/rules/*.conf");
}

static struct sec_set *
load_four(void)
{
	const char *folder = getenv("GH_CRS4");
	char setup[256], rules[256];

	if (folder == NULL)
		return NULL;
	(void)snprintf(
	    setup, sizeof(setup), "%s/crs-setup.conf.example", folder);
	(void)snprintf(rules, sizeof(rules), "%s/rules/*.conf", folder);
	return load(setup, rules);
}

static struct sec_set *(*const loads[])(void) = {load_debian, load_four};

static const char *const levels[] = {"blocking_paranoia_level",
    "detection_paranoia_level", "paranoia_level", "executing_paranoia_level"};

static void
fix_level(struct sec_fixed fixed[NELEMS(levels)], const char *level)
{
	for (size_t i = 0; i < NELEMS(levels); i++)
		fixed[i] =
		    (struct sec_fixed){span_str(levels[i]), span_str(level)};
}

/* Without memory the sieve lets all through. */
START_TEST(the_sieve_changes_nothing)
{
	struct sec_set *set = loads[_i]();
	struct sec_fixed fixed[NELEMS(levels)];
	struct way with, without;

	if (set == NULL)
		return;
	fix_level(fixed, "4");
	with = way_new(set, fixed, NELEMS(fixed), MEMO_BYTES);
	without = way_new(set, fixed, NELEMS(fixed), 0);
	ck_assert_uint_gt(compare(&with, &without), N_REQUESTS / 2);
	ck_assert_uint_eq(sec_sieve_memo_fills(with.memo), 0);
	ck_assert_uint_gt(sec_sieve_memo_fills(without.memo), N_REQUESTS);
	way_free(&with);
	way_free(&without);
	sec_set_free(set);
}
END_TEST

/* What the files say themselves, where nobody says another level. */
START_TEST(a_level_that_is_fixed_is_the_level)
{
	struct sec_set *set = loads[_i]();
	struct sec_fixed fixed[NELEMS(levels)];
	struct way with, without;

	if (set == NULL)
		return;
	fix_level(fixed, "1");
	with = way_new(set, fixed, NELEMS(fixed), MEMO_BYTES);
	without = way_new(set, NULL, 0, MEMO_BYTES);
	ck_assert_uint_gt(compare(&with, &without), N_REQUESTS / 2);
	way_free(&with);
	way_free(&without);
	sec_set_free(set);
}
END_TEST

int
main(void)
{
	SRunner *runner;
	Suite *suite = suite_create("sec_alike");
	TCase *tc = tcase_create("sec_alike");
	int n_failed;

	tcase_set_timeout(tc, UNIT_TIMEOUT_S);
	tcase_add_loop_test(tc, the_sieve_changes_nothing, 0, NELEMS(loads));
	tcase_add_loop_test(
	    tc, a_level_that_is_fixed_is_the_level, 0, NELEMS(loads));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? 0 : 1;
}
