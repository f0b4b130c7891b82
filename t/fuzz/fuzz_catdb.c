/* fuzz/catdb: any bytes as the file of a database of categories, whose checksum
 * is mended: what is taken is looked up in without a read outside of it. And
 * any bytes as a list: what is built of it is taken, and finds its names. */
#include "common/base/catdb_build.h"
#include "common/base/catdb_int.h"
#include "common/base/domains.h"
#include "t/fuzz/fuzz.h"

static const char *const hosts[] = {
    "x.com", "www.x.com", "a.b.c.d.e.f", "com", "192.0.2.1", "", "."};

static void
check_find(const struct catdb *db, span host)
{
	const struct catset *s = catdb_find(db, host);

	if (s == NULL)
		return;
	for (uint32_t i = 0; i < CATDB_CATEGORIES_MAX; i++)
		if (catset_has(s, i))
			REQUIRE(catdb_category_find(
				    db, catdb_category(db, i)) == (int)i);
}

static void
check_file(span in)
{
	char *file = (char *)(uintptr_t)in.p;
	char why[CATDB_WHY_CAP] = "";
	struct catdb db;

	if (in.len >= sizeof(struct catdb_head)) {
		uint64_t sum = catdb_checksum(in);

		memcpy(file + offsetof(struct catdb_head, checksum), &sum,
		    sizeof(sum));
	}
	if (!catdb_view(&db, in, why)) {
		REQUIRE(why[0] != '\0');
		return;
	}
	for (size_t i = 0; i < NELEMS(hosts); i++)
		check_find(&db, span_str(hosts[i]));
	for (uint32_t i = 0; i < db.head->n_slots; i++) {
		const char *p = db.pool + db.slots[i].at;

		if (db.slots[i].at != 0)
			check_find(&db,
			    span_of(p + CATDB_POOL_HEAD, (unsigned char)p[0]));
	}
}

/* Only of a list without mistakes is every name in it. */
static void
check_list(span in)
{
	struct catdb_build *b = catdb_build_new();
	struct diag *d = diag_new();
	char why[CATDB_WHY_CAP];
	struct linefile f;
	struct catdb db;
	bool is_good;
	span file;
	span line;

	linefile_open_text(&f, "fuzz", in, LINEFILE_COMMENT, d);
	catdb_build_list(b, &f, SPAN_LIT("list"));
	is_good = f.n_errors == 0;
	linefile_close(&f);
	file = catdb_build_file(b);
	REQUIRE(catdb_view(&db, file, why));
	REQUIRE(catdb_n_names(&db) == catdb_build_n_names(b));
	linefile_open_text(&f, "fuzz", in, LINEFILE_COMMENT, d);
	while (is_good && linefile_next(&f, &line)) {
		char name[DOMAINS_NAME_MAX];
		size_t len = domains_normalize(line, name);

		if (len > 0)
			REQUIRE(catdb_find(&db, span_of(name, len)) != NULL);
	}
	linefile_close(&f);
	fuzz_free(file);
	diag_free(d);
	catdb_build_free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));

	check_list(in);
	check_file(in);
	fuzz_free(in);
	return 0;
}
