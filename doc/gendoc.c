/* doc/gendoc: writes one of the generated documents to standard output. Called
 * by `make docs`, and by the test that proves them up to date. */
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/conf/conf.h"
#include "common/shm/counters.h"
#include "worker/exch/fault.h"
#include "worker/exch/vars.h"

static void
write_variables(FILE *out)
{
	static const char *const kinds[] = {
	    [VAR_KIND_TEXT] = "text",
	    [VAR_KIND_NAME] = "text without case",
	    [VAR_KIND_ADDRESS] = "address",
	    [VAR_KIND_NUMBER] = "number",
	    [VAR_KIND_SIZE] = "size",
	    [VAR_KIND_SECONDS] = "duration, as seconds",
	    [VAR_KIND_MILLIS] = "duration, as milliseconds",
	};
	static const char *const whens[] = {
	    [VAR_WHEN_REQUEST] = "request",
	    [VAR_WHEN_RESPONSE] = "answer",
	    [VAR_WHEN_END] = "end",
	};

	(void)fputs(
	    "## Variables\n\nWith braces in `redirect`, `respond`, "
	    "`request_header`, `response_header`, the files of "
	    "`error_page` and the `format` of a `[log]`; without them as the "
	    "subject of a `match`. `known` says "
	    "from when on there is a value: a request can be judged and "
	    "changed "
	    "by the first kind, an answer by the first two.\n\n"
	    "| variable | value | known | what it is |\n|---|---|---|---|\n",
	    out);
	for (int i = 0; i < VAR_N; i++) {
		enum var_id id = (enum var_id)i;

		(void)fprintf(out, "| `{%s%s}` | %s | %s | %s |\n",
		    var_name(id), var_takes_arg(id) ? ":NAME" : "",
		    kinds[var_kind(id)], whens[var_when(id)], var_doc(id));
	}
}

static void
write_faults(FILE *out)
{
	static const char *const sides[] = {
	    [SIDE_CLIENT] = "client",
	    [SIDE_ORIGIN] = "origin",
	    [SIDE_GATE] = "gatehouse",
	};

	(void)fputs(
	    "\n## Faults\n\nWhat can end an exchange other than well: "
	    "the word that logs show as `{fault}`, whose doing it is, and the "
	    "status that the client gets while nothing was sent (0: the "
	    "connection is closed).\n\n"
	    "| word | side | status | meaning |\n|---|---|---|---|\n",
	    out);
	for (int i = F_NONE + 1; i < F_N; i++) {
		const struct fault_row *r = fault_row((enum fault_id)i);

		(void)fprintf(out, "| `%s` | %s | %u | %s |\n", r->word,
		    sides[r->side], r->status, r->text);
	}
}

static void
write_counters(FILE *out)
{
	(void)fputs("\n## Counters\n\nKept in shared memory for each process "
		    "and added up over all of them.\n\n"
		    "| counter | meaning |\n|---|---|\n",
	    out);
	for (int i = 0; i < COUNTER_N; i++)
		(void)fprintf(out, "| `%s` | %s |\n",
		    counter_name((enum counter_id)i),
		    counter_help((enum counter_id)i));
}

static void
write_purge(FILE *out)
{
	static const char *const rows[][2] = {
	    {"nothing of the below", "the URL, with all its variants"},
	    {"a path that ends in `*`, and no query",
		"all URLs that begin like it"},
	    {"the cache's `tag_header` with tags",
		"all answers with one of the tags"},
	    {"`Purge: all`", "everything in the cache"},
	    {"`Purge: soft`, also `soft, all`",
		"the same as without it, but softly: it is validated before "
		"it is used again"},
	};

	(void)fputs(
	    "\n## PURGE requests\n\nA request with the method PURGE to a URL "
	    "that has a `cache` is answered by gatehouse when the cache names "
	    "in `purge_allow` who may: 200 when it is done for all workers, "
	    "403 for others, 503 when too many purges go on (try again). "
	    "Without `purge_allow` it is a method like others. What it means "
	    "is in the request; `gatehouse purge` is the same for the "
	    "administration ([admin.md](admin.md)).\n\n"
	    "| request has | what goes |\n|---|---|\n",
	    out);
	for (size_t i = 0; i < NELEMS(rows); i++)
		(void)fprintf(out, "| %s | %s |\n", rows[i][0], rows[i][1]);
}

static void
write_security(FILE *out)
{
	static const char *const rows[][4] = {
#define SECURITY(name, on, strict, unless, doc) {name, on, strict, doc},
#include "worker/preset/security.def"
#undef SECURITY
	};

	(void)fputs("\n## Security headers\n\nWhat `security_headers` adds to "
		    "answers that have no field of the name.\n\n"
		    "| field | on | strict | meaning |\n|---|---|---|---|\n",
	    out);
	for (size_t i = 0; i < NELEMS(rows); i++) {
		(void)fprintf(out, "| `%s` ", rows[i][0]);
		for (int level = 1; level <= 2; level++)
			(void)fprintf(out, "| %s%s%s ",
			    rows[i][level][0] != '\0' ? "`" : "",
			    rows[i][level],
			    rows[i][level][0] != '\0' ? "`" : "");
		(void)fprintf(out, "| %s |\n", rows[i][3]);
	}
}

static void
write_hidden(FILE *out)
{
	static const char *const rows[][2] = {
#define HIDE(name, doc) {name, doc},
#include "worker/preset/hide_origin.def"
#undef HIDE
	};

	(void)fputs("\n## Fields that tell of the origin\n\nWhat "
		    "`hide_origin` takes out of servers' answers.\n\n"
		    "| field | it tells |\n|---|---|\n",
	    out);
	for (size_t i = 0; i < NELEMS(rows); i++)
		(void)fprintf(out, "| `%s` | %s |\n", rows[i][0], rows[i][1]);
}

static void
write_directives(FILE *out)
{
	static const char *const known[][2] = {
#define SEC_DIRECTIVE(id, name, min, max, what) {name, what},
#define SEC_IGNORED(name, why)
#include "worker/sec/sec_directive.def"
#undef SEC_DIRECTIVE
#undef SEC_IGNORED
	};
	static const char *const ignored[][2] = {
#define SEC_DIRECTIVE(id, name, min, max, what)
#define SEC_IGNORED(name, why) {name, why},
#include "worker/sec/sec_directive.def"
#undef SEC_DIRECTIVE
#undef SEC_IGNORED
	};

	(void)fputs("\n## Directives of rule files\n\nWhat files of rules for "
		    "the firewall may hold ([waf.md](waf.md)).\n\n"
		    "| directive | what it is for |\n|---|---|\n",
	    out);
	for (size_t i = 0; i < NELEMS(known); i++)
		(void)fprintf(out, "| `%s` | %s |\n", known[i][0], known[i][1]);
	(void)fputs("\nThese are accepted and mean nothing here:\n\n"
		    "| directive | because |\n|---|---|\n",
	    out);
	for (size_t i = 0; i < NELEMS(ignored); i++)
		(void)fprintf(
		    out, "| `%s` | %s |\n", ignored[i][0], ignored[i][1]);
}

static void
write_words(FILE *out, const char *what, const char *const *words, size_t n)
{
	(void)fprintf(out, "\n%s: ", what);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(
		    out, "`%s`%s", words[i], i + 1 < n ? ", " : ".\n");
}

static void
write_rule_words(FILE *out)
{
	static const char *const actions[] = {
#define SEC_ACTION(id, name, value, place) name,
#include "worker/sec/sec_action.def"
#undef SEC_ACTION
	};
	static const char *const ctls[] = {
#define SEC_CTL(kind, name, value) name,
#include "worker/sec/sec_ctl.def"
#undef SEC_CTL
	};
	static const char *const vars[] = {
#define SEC_VAR(id, name, shape) name,
#define SEC_VAR_ALIAS(id, name) name,
#include "worker/sec/sec_var.def"
#undef SEC_VAR
#undef SEC_VAR_ALIAS
	};
	static const char *const ops[] = {
#define SEC_OP(id, name, argument) name,
#define SEC_OP_ALIAS(id, name) name,
#include "worker/sec/sec_op.def"
#undef SEC_OP
#undef SEC_OP_ALIAS
	};
	static const char *const trans[] = {
	    "none",
#define SEC_TRANS(id, name, num, den) name,
#define SEC_TRANS_ALIAS(id, name) name,
#include "worker/sec/sec_trans.def"
#undef SEC_TRANS
#undef SEC_TRANS_ALIAS
	};

	(void)fputs("\n## Words of rules\n", out);
	write_words(out, "Variables", vars, NELEMS(vars));
	write_words(out, "Operators", ops, NELEMS(ops));
	write_words(out, "Transformations", trans, NELEMS(trans));
	write_words(out, "Actions", actions, NELEMS(actions));
	write_words(out, "What `ctl` changes", ctls, NELEMS(ctls));
}

static void
write_reference(FILE *out)
{
	(void)fputs(
	    "# Variables, faults and counters\n\n"
	    "Generated from the tables of the source; `make docs` writes it "
	    "anew.\n\n",
	    out);
	write_variables(out);
	write_faults(out);
	write_counters(out);
	write_purge(out);
	write_security(out);
	write_hidden(out);
	write_directives(out);
	write_rule_words(out);
}

static const struct {
	const char *name;
	void (*write)(FILE *out);
} documents[] = {
    {"config.md", conf_write_doc},
    {"gatehouse.ini", conf_write_sample},
    {"reference.md", write_reference},
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < NELEMS(documents); i++) {
		if (strcmp(argv[1], documents[i].name) == 0) {
			documents[i].write(stdout);
			return fflush(stdout) == 0 ? 0 : 1;
		}
	}
	(void)fputs("usage: gendoc NAME, one of:", stderr);
	for (size_t i = 0; i < NELEMS(documents); i++)
		(void)fprintf(stderr, " %s", documents[i].name);
	(void)fputc('\n', stderr);
	return 2;
}
