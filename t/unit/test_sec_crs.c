/* Unit tests of sec/sec_set over the rule sets of the field: they load without
 * a message, hold what a script counts in them, and do so quickly and without
 * a growing heap. Debian's package modsecurity-crs is one; $GH_CRS4 names a
 * folder of the other. What is not there is skipped. */
#include <glob.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "t/unit/sec_text.h"
#include "t/unit/unit.h"

#define DEBIAN "/usr/share/modsecurity-crs/"
#define N_LOADS 20
/* Measured on a machine of two cores: a tenth of it. */
#define LOAD_MAX_US 1000000

/* Files of one set, for the loader and for the shell. */
struct files {
	glob_t found;
	char shell[1024];
};

static bool
files_find(struct files *f, const char *setup, const char *rules)
{
	if (glob(setup, 0, NULL, &f->found) != 0)
		return false;
	ck_assert_int_eq(glob(rules, GLOB_APPEND, NULL, &f->found), 0);
	(void)snprintf(f->shell, sizeof(f->shell), "%s %s", setup, rules);
	return true;
}

/* Lines that begin with a directive. */
static unsigned
count_of(const struct files *f, const char *directive)
{
	char command[2048];
	unsigned n = 0;
	FILE *p;

	(void)snprintf(command, sizeof(command),
	    "cat %s | grep -cE '^[[:space:]]*%s([[:space:]]|$)'", f->shell,
	    directive);
	p = popen(command, "r");
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(fscanf(p, "%u", &n), 1);
	(void)pclose(p);
	return n;
}

static unsigned
kind_of(const struct sec_set *set, enum sec_kind kind)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < set->n_rules; i++)
		n += set->rules[i].kind == kind;
	return n;
}

static struct sec_set *
load(const struct files *f)
{
	const struct sec_load how = {
	    .paths = (const char *const *)f->found.gl_pathv,
	    .n_paths = (uint32_t)f->found.gl_pathc};
	struct diag *d = diag_new();
	struct sec_set *set = sec_set_new(&how, d);
	char *said = diag_render(d);

	ck_assert_msg(set != NULL && said[0] == '\0', "%s", said);
	free(said);
	diag_free(d);
	return set;
}

static long
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t
heap_used(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void
check_set(const struct files *f, const char *name)
{
	size_t before = heap_used();
	long begin = now_us();
	struct sec_set *set = load(f);
	long took = now_us() - begin;
	size_t took_bytes;

	took_bytes = heap_used() - before;
	(void)printf("%s: %u rules, %u transformation chains, %u names of TX, "
		     "%ld us, %zu KiB\n",
	    name, set->n_rules, set->n_chains, set->n_tx_names, took,
	    took_bytes / 1024);
	ck_assert_uint_eq(kind_of(set, SEC_KIND_RULE), count_of(f, "SecRule"));
	ck_assert_uint_eq(
	    kind_of(set, SEC_KIND_ACTION), count_of(f, "SecAction"));
	ck_assert_uint_eq(
	    kind_of(set, SEC_KIND_MARKER), count_of(f, "SecMarker"));
	ck_assert_int_lt(took, LOAD_MAX_US);
	sec_set_free(set);
	for (int i = 0; i < N_LOADS; i++) {
		sec_set_free(load(f));
		if (i == N_LOADS / 2)
			before = heap_used();
	}
	/* what the allocator keeps at hand counts as used; that nothing at all
	 * is lost is the sanitizer's business */
	ck_assert_uint_le(heap_used(), before + took_bytes / 10);
}

START_TEST(the_set_of_debian_loads)
{
	struct files f;

	if (!files_find(&f, "/etc/modsecurity/crs/crs-setup.conf",
		DEBIAN "rules/*.conf")) {
		(void)printf("skipped: no package modsecurity-crs\n");
		return;
	}
	check_set(&f, "modsecurity-crs");
	globfree(&f.found);
}
END_TEST

START_TEST(the_core_rule_set_4_loads)
{
	const char *folder = getenv("GH_CRS4");
	char setup[256], rules[256];
	struct files f;

	if (folder == NULL) {
		(void)printf("skipped: GH_CRS4 names no folder\n");
		return;
	}
	(void)snprintf(
	    setup, sizeof(setup), "%s/crs-setup.conf.example", folder);
	(void)snprintf(rules, sizeof(rules), "%s/rules/*.conf", folder);
	ck_assert(files_find(&f, setup, rules));
	check_set(&f, "CRS 4");
	globfree(&f.found);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_set_of_debian_loads,
	    the_core_rule_set_4_loads,
	};

	return unit_run("sec_crs", tests, sizeof(tests) / sizeof(tests[0]));
}
