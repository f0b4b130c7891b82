/* The effective configuration read again is the same one, and the documents in
 * the tree are those that the tables give. */
#include <check.h>

#include "common/base/check.h"
#include "t/unit/conf_text.h"
#include "t/unit/unit.h"

#define ALL_PARTS 10

/* Everything that can be asked of a section's scope. */
static void
check_same_scope(const struct conf_scope *a, const struct conf_scope *b)
{
	for (int i = 0; i < CONF_KEYS; i++) {
		enum conf_key k = (enum conf_key)i;
		struct conf_iter ia = {0};
		struct conf_iter ib = {0};
		const struct conf_value *va;
		const struct conf_value *vb;

		if (k == KEY_GLOBAL_INCLUDE || k == KEY_UPSTREAM_EXTEND)
			continue;
		ck_assert_int_eq(conf_num(a, k), conf_num(b, k));
		if (conf_is_scalar(conf_rows[k].kind)) {
			ck_assert_msg(span_eq(conf_text(a, k), conf_text(b, k)),
			    "%s", conf_rows[k].name);
			continue;
		}
		do {
			va = conf_next(a, k, &ia);
			vb = conf_next(b, k, &ib);
			ck_assert((va == NULL) == (vb == NULL));
			if (va != NULL)
				ck_assert_msg(span_eq(va->text, vb->text), "%s",
				    conf_rows[k].name);
		} while (va != NULL);
	}
}

static void
check_same_section(const struct loaded *a, const struct conf_section *sa,
    const struct loaded *b, const struct conf_section *sb)
{
	struct conf_scope ca = conf_scope_of(a->tree, sa);
	struct conf_scope cb = conf_scope_of(b->tree, sb);
	const struct conf_value *oa = sa->ordered;
	const struct conf_value *ob = sb->ordered;

	ck_assert(span_eq(sa->name, sb->name));
	ck_assert(span_eq(sa->path, sb->path));
	check_same_scope(&ca, &cb);
	for (; oa != NULL && ob != NULL; oa = oa->next, ob = ob->next) {
		ck_assert_int_eq(oa->key, ob->key);
		ck_assert(span_eq(oa->text, ob->text));
	}
	ck_assert_ptr_eq(oa, ob);
}

/* Load, dump, load the dump: the same answers, and the same dump. */
static void
check_round(const char *text, unsigned part)
{
	struct loaded a = conf_must_load_part(text, part);
	char *first = conf_dumped(a.tree);
	struct loaded b = conf_must_load_part(first, part);
	char *second = conf_dumped(b.tree);

	ck_assert_str_eq(first, second);
	for (int t = 0; t < CONF_TYPES; t++) {
		const struct conf_section *sa =
		    conf_first(a.tree, (enum conf_type)t);
		const struct conf_section *sb =
		    conf_first(b.tree, (enum conf_type)t);

		/* these are written out, there or not */
		if (t == CONF_GLOBAL || t == CONF_DEFAULTS) {
			struct conf_section none = {.type = (enum conf_type)t};

			check_same_section(&a, sa ? sa : &none, &b, sb);
			continue;
		}
		for (; sa != NULL && sb != NULL; sa = sa->next, sb = sb->next)
			check_same_section(&a, sa, &b, sb);
		ck_assert_ptr_eq(sa, sb);
	}
	free(first);
	free(second);
	loaded_free(&a);
	loaded_free(&b);
}

START_TEST(a_dump_read_again_is_the_same)
{
	static const char *const texts[] = {
	    "",
	    "[site example.com]\nupstream = 127.0.0.1:3000\n",
	    "[site s]\nupstream = [::1]:80\n[route s ~ ^/[a-z]]$]\n"
	    "upstream = unix:/run/x\n",
	    "[global]\nworkers = 2\nerror_log = /x\nuser = none\n"
	    "[defaults]\nidle_timeout = 1s\naccess_log = a b\n"
	    "connect_timeout = 2s\nmax_body = 1m\n"
	    "[log a]\npath = /a\n[log b]\npath = /b\nbuffer = none\n"
	    "[log error]\nlevel = warn\n"
	    "[listen]\naddress = :1\n[listen l]\naddress = :2 :3\n"
	    "idle_timeout = 3s\naccess_log = none\naccess_log = b\n"
	    "[site s]\nhosts = \"a.b\" c.d\nrespond = 200 \"x\" $${y} $$ ;\n"
	    "max_body = none\naccess_log = none\n"
	    "[route s =/]\nredirect = 302 /x{path}\naccess_log = a\n"
	    "[upstream u]\nserver = a:1 weight=2 backup\nretry = none\n"
	    "[upstream u]\nextend = on\nserver = b:1\n",
	};

	for (size_t i = 0; i < NELEMS(texts); i++) {
		check_round(texts[i], CONF_PART);
		check_round(texts[i], ALL_PARTS);
	}
}
END_TEST

START_TEST(lists_and_orders_of_all_parts_survive)
{
	check_round(
	    "[defaults]\nresponse_header = A: b; c=\"d\"\n"
	    "response_header = B: ${GH_TEST_NOT_SET:-x}\n"
	    "hide_header = Server X-A\nrespond = 200\n"
	    "[site s]\nresponse_header = -A\nallow = o\ndeny = all\n"
	    "[rule s r]\nmatch = path ~ \\.(zip|iso)$\nhide_header = none\n"
	    "[acl o]\nip = 192.0.2.0/24\n[acl o]\nextend = on\nip = 10.0.0.1\n"
	    "[limit p]\nrate = 20/s\n[tls]\nmin_version = 1.3\n"
	    "[forward f]\ndeny = o\nallow = all\ndeny = !o\n",
	    ALL_PARTS);
}
END_TEST

/* --- documents ------------------------------------------------------------ */

static char *
written(void (*write)(FILE *out))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	write(f);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

static char *
file_text(const char *name)
{
	const char *top = getenv("srcdir");
	char path[4096];
	char *text = NULL;
	size_t cap = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	ck_assert_int_gt(getdelim(&text, &cap, '\0', f), 0);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

START_TEST(the_documents_are_up_to_date)
{
	static const struct {
		const char *name;
		void (*write)(FILE *out);
	} rows[] = {
	    {"doc/config.md", conf_write_doc},
	    {"etc/gatehouse.ini", conf_write_sample},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		char *now = written(rows[i].write);
		char *then = file_text(rows[i].name);

		ck_assert_msg(strcmp(now, then) == 0,
		    "%s: run `make docs` and commit it", rows[i].name);
		free(now);
		free(then);
	}
}
END_TEST

START_TEST(the_document_names_every_key)
{
	char *doc = written(conf_write_doc);

	for (int k = 0; k < CONF_KEYS; k++) {
		char cell[100];
		bool is_section_there = false;

		for (int t = 0; t < CONF_TYPES; t++)
			is_section_there |=
			    conf_is_in((enum conf_key)k, (enum conf_type)t) &&
			    conf_types[t].part <= CONF_PART;
		if (!is_section_there)
			continue;
		(void)sprintf(cell,
		    conf_rows[k].part <= CONF_PART ? "\n| `%s` |" : " `%s`",
		    conf_rows[k].name);
		ck_assert_msg(strstr(doc, cell) != NULL, "%s", cell);
	}
	for (int t = 0; t < CONF_TYPES; t++) {
		char word[100];

		(void)sprintf(word,
		    conf_types[t].part <= CONF_PART ? "\n## [%s" : "\n* `[%s]`",
		    conf_types[t].name);
		ck_assert_msg(strstr(doc, word) != NULL, "%s", word);
	}
	free(doc);
}
END_TEST

/* The sample's line as it is when its '#' is removed. */
static void
uncomment(char *text)
{
	char *to = text;

	for (char *from = text; *from != '\0';) {
		char *end = strchr(from, '\n');
		size_t len = (size_t)(end - from) + 1;
		/* of handlers one is taken, and no file is there to include */
		bool is_left = strncmp(from, "#include", 8) == 0 ||
			       strncmp(from, "#redirect", 9) == 0 ||
			       strncmp(from, "#respond", 8) == 0;

		if (from[0] == '#' && from[1] != ' ' && from[1] != '\n' &&
		    !is_left) {
			memmove(to, from + 1, len - 1);
			to += len - 1;
		} else {
			memmove(to, from, len);
			to += len;
		}
		from += len;
	}
	*to = '\0';
}

START_TEST(every_setting_of_the_sample_can_be_used)
{
	char *sample = written(conf_write_sample);
	struct loaded l = conf_must_load(sample);

	ck_assert_uint_eq(diag_count(l.d, DIAG_WARNING), 0);
	ck_assert_ptr_null(conf_first(l.tree, CONF_SITE));
	loaded_free(&l);
	uncomment(sample);
	l = conf_must_load(sample);
	ck_assert_ptr_nonnull(conf_first(l.tree, CONF_SITE));
	ck_assert_ptr_nonnull(conf_first(l.tree, CONF_ROUTE));
	ck_assert_ptr_nonnull(conf_first(l.tree, CONF_UPSTREAM));
	loaded_free(&l);
	check_round(sample, CONF_PART);
	free(sample);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_dump_read_again_is_the_same,
	    lists_and_orders_of_all_parts_survive,
	    the_documents_are_up_to_date,
	    the_document_names_every_key,
	    every_setting_of_the_sample_can_be_used,
	};

	return unit_run("conf_dump", tests, NELEMS(tests));
}
