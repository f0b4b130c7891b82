/* fuzz/acllist: any bytes as a list file: of networks, of names, and of
 * expressions. What is a mistake is told at a line of the file; a set finds
 * what its own lines name. */
#include "t/fuzz/fuzz.h"
#include "worker/acl/acl_int.h"

static void
check_nets(span in, struct diag *d)
{
	struct iptrie *t = iptrie_new();
	struct linefile f;
	span line;

	linefile_open_text(&f, "fuzz", in, LINEFILE_COMMENT, d);
	acl_file_nets(&f, t);
	linefile_close(&f);
	iptrie_done(t);
	linefile_open_text(&f, "fuzz", in, LINEFILE_COMMENT, d);
	while (linefile_next(&f, &line)) {
		struct ip_prefix p;

		if (ip_prefix_parse(line, &p) && iptrie_count(t) > 0)
			(void)iptrie_find(t, &p.ip);
	}
	linefile_close(&f);
	iptrie_free(t);
}

/* Only a list without mistakes was read to its end. */
static void
check_names(span in, struct diag *d)
{
	struct domains *set = domains_new();
	uint32_t before = diag_count(d, DIAG_ERROR);
	struct linefile f;
	bool is_good;
	span line;

	linefile_open_text(&f, "fuzz", in, LINEFILE_COMMENT, d);
	acl_file_domains(&f, set);
	is_good = f.n_errors == 0;
	REQUIRE(is_good || diag_count(d, DIAG_ERROR) >= before);
	linefile_close(&f);
	linefile_open_text(&f, "fuzz", in, LINEFILE_COMMENT, d);
	while (is_good && linefile_next(&f, &line)) {
		char name[DOMAINS_NAME_MAX];
		size_t len = domains_normalize(line, name);

		if (len > 0)
			REQUIRE(domains_find(set, span_of(name, len)));
	}
	linefile_close(&f);
	domains_free(set);
}

static void
check_regexes(span in, struct diag *d)
{
	struct linefile f;
	struct vec found;

	vec_init(&found);
	linefile_open_text(&f, "fuzz", in, LINEFILE_WHOLE, d);
	acl_file_regexes(&f, &found);
	linefile_close(&f);
	for (uint32_t i = 0; i < found.n; i++)
		regex_free(found.at[i]);
	vec_fini(&found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct diag *d = diag_new();

	check_nets(in, d);
	check_names(in, d);
	check_regexes(in, d);
	free(diag_render(d));
	diag_free(d);
	fuzz_free(in);
	return 0;
}
