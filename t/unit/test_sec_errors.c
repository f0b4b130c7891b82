/* Unit tests of sec/sec_set: what is wrong with a rule file, and where. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/unit/sec_text.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_int.h"

struct row {
	const char *text;
	const char *said;
};

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *said = sec_problems(rows[i].text);

		ck_assert_msg(strcmp(said, rows[i].said) == 0,
		    "%s\nsays: %s\nnot:  %s", rows[i].text, said, rows[i].said);
		free(said);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

START_TEST(unknown_words_are_told_with_what_is_like_them)
{
	static const struct row rows[] = {
	    {"\n  SecRul ARGS x id:1",
		"2:3: error: unknown directive 'SecRul': is it 'SecRule'?"},
	    {"Banana 1", "1:1: error: unknown directive 'Banana'"},
	    {"SecRule ARGS|REQUEST_URL x id:1",
		"1:14: error: unknown variable 'REQUEST_URL': is it "
		"'REQUEST_URI'?"},
	    {"SecRule ARGS \\\n  \"@beginWith x\" id:1",
		"2:5: error: unknown operator 'beginWith': is it "
		"'beginsWith'?"},
	    {"SecRule ARGS x \\\n\"id:1,\\\n  captur\"",
		"3:3: error: unknown action 'captur': is it 'capture'?"},
	    {"SecRule ARGS x id:1,t:lowercas",
		"1:23: error: unknown transformation 'lowercas': is it "
		"'lowercase'?"},
	    {"SecAction id:1,ctl:ruleEngin=On",
		"1:20: error: unknown ctl 'ruleEngin': is it 'ruleEngine'?"},
	    {"SecAction id:1,ctl:requestBodyProcessor=JSN",
		"1:41: error: unknown body processor 'JSN': is it 'JSON'?"},
	    {"SecAction \"id:1,msg:'a \\\"b\\\" %{REMOTE_ADR}'\"",
		"1:32: error: unknown variable 'REMOTE_ADR': is it "
		"'REMOTE_ADDR'?"},
	    {"SecAction id:1,skipAfter:EMD\nSecMarker END",
		"1:26: error: no marker 'EMD' stands behind the rule: is it "
		"'END'?"},
	    {"SecMarker A\nSecAction id:1,skipAfter:A",
		"2:26: error: no marker 'A' stands behind the rule: is it "
		"'A'?"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(words_and_items_have_their_form)
{
	static const struct row rows[] = {
	    {"SecRule ARGS \"abc id:1", "1:14: error: the quote has no end"},
	    {"SecRule ARGS \"abc\"id:1 x",
		"1:19: error: a blank must stand behind the closing quote"},
	    {"SecRule ARGS",
		"1:1: error: SecRule has too few arguments: 1, not 2"},
	    {"SecRule ARGS x id:1 pass",
		"1:21: error: SecRule has too many arguments: is a quote "
		"missing?"},
	    {"SecAction \"id:1,msg:'abc\"",
		"1:21: error: the quote has no end"},
	    {"SecAction \"id:1,msg:'a\\d'\"",
		"1:23: error: between single quotes a backslash stands before "
		"a quote or a backslash only"},
	    {"SecAction \"id:1,pass log\"",
		"1:22: error: a comma is missing here"},
	    {"SecAction id:1,pass,,log", "1:21: error: unknown action ''"},
	    {"SecAction id", "1:11: error: id needs a value\n"
			     "1:11: error: the rule has no id"},
	    {"SecAction id:1,pass:x", "1:21: error: pass has no value"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(values_have_their_bounds)
{
	static const struct row rows[] = {
	    {"SecAction id:0",
		"1:14: error: '0' is not a number from 1 to 4294967295"},
	    {"SecAction id:1,phase:6",
		"1:22: error: '6' is not a number from 0 to 5"},
	    {"SecAction id:1,phase:0", "1:22: error: the first phase is 1"},
	    {"SecAction id:1,severity:8",
		"1:25: error: '8' is not a number from 0 to 7"},
	    {"SecAction id:1,status:42",
		"1:23: error: '42' is not a number from 100 to 599"},
	    {"SecAction id:1,skip:0",
		"1:21: error: '0' is not a number from 1 to 100000"},
	    {"SecAction id:1,allow:all",
		"1:22: error: allow is for 'phase' or 'request', or for all"},
	    {"SecAction id:1,setvar:a",
		"1:23: error: a variable is named STORE.NAME"},
	    {"SecAction id:1,setvar:tx.=1",
		"1:23: error: the variable has no name"},
	    {"SecAction id:1,setvar:args.a=1",
		"1:23: error: 'args' holds no variables of rules: tx, ip, "
		"global, session, user and resource do"},
	    {"SecAction id:1,initcol:ip",
		"1:24: error: initcol is for STORE=KEY"},
	    {"SecAction id:1,initcol:tx=1", "1:24: error: tx needs no initcol"},
	    {"SecAction id:1,msg:%{tx.a", "1:20: error: the macro has no end"},
	    {"SecAction id:1,msg:%{REMOTE_ADDR.a}",
		"1:34: error: REMOTE_ADDR is one text: it has no parts"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(targets_and_ctl_have_their_form)
{
	static const struct row rows[] = {
	    {"SecRule REMOTE_ADDR:x x id:1",
		"1:21: error: REMOTE_ADDR is one text: it has no parts"},
	    {"SecRule &REMOTE_ADDR x id:1",
		"1:9: error: REMOTE_ADDR is one text: it cannot be counted"},
	    {"SecRule ARGS:/a(/ x id:1",
		"1:17: error: the regex is malformed: missing closing "
		"parenthesis"},
	    {"SecRule ARGS \"@detectSQLi x\" id:1",
		"1:27: error: detectSQLi takes no argument"},
	    {"SecRule ARGS \"@rx a(\" id:1",
		"1:21: error: the pattern is malformed: missing closing "
		"parenthesis"},
	    {"SecAction id:1,ctl:ruleEngine",
		"1:20: error: ruleEngine needs =VALUE"},
	    {"SecAction id:1,ctl:ruleEngine=Maybe",
		"1:31: error: 'Maybe' is neither On nor Off nor "
		"DetectionOnly"},
	    {"SecAction id:1,ctl:requestBodyAccess=1",
		"1:38: error: '1' is neither On nor Off"},
	    {"SecAction id:1,ctl:ruleRemoveById=x",
		"1:35: error: 'x' is no id and no range of ids"},
	    {"SecAction id:1,ctl:ruleRemoveById=9-1",
		"1:35: error: '9-1' is no id and no range of ids"},
	    {"SecAction id:1,ctl:ruleRemoveTargetById=9;",
		"1:41: error: ruleRemoveTargetById is for WHICH;TARGET"},
	    {"SecAction id:1,ctl:ruleRemoveByTag=(",
		"1:37: error: the regex is malformed: missing closing "
		"parenthesis"},
	    {"SecAction id:1,ctl:auditLogParts=+e",
		"1:35: error: parts of the audit log are capitals"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(rules_stand_where_they_may)
{
	static const struct row rows[] = {
	    {"SecRule ARGS x", "1:9: error: the rule has no id"},
	    {"SecAction id:1\nSecAction id:1",
		"2:11: error: id 1 is that of t:1 too"},
	    {"SecRule ARGS x id:1,chain",
		"1:9: error: the chain has no end: 'chain' says that another "
		"rule follows"},
	    {"SecRule ARGS x id:1,chain\nSecMarker A",
		"1:9: error: the chain has no end: 'chain' says that another "
		"rule follows"},
	    {"SecRule ARGS x id:1,chain\nSecRule ARGS x id:2,deny",
		"2:16: error: id is for the first rule of a chain\n"
		"2:21: error: deny is for the first rule of a chain"},
	    {"SecAction id:1,phase:5,deny",
		"1:11: error: a rule of phase 5 comes too late to refuse: say "
		"'pass'"},
	    {"SecDefaultAction phase:1",
		"1:18: error: a default action says a phase and a disruptive "
		"action"},
	    {"SecDefaultAction phase:1,deny,id:1",
		"1:18: error: a default action does not block, chain or skip, "
		"and has no id, message, version or severity"},
	    {"SecAction id:1\nSecRuleUpdateActionById 1 id:2",
		"2:27: error: the id of a rule cannot be changed"},
	    {"SecAction id:1\nSecRuleUpdateActionById 1 phase:3",
		"2:27: error: the phase of a rule cannot be changed"},
	    {"SecAction id:1\nSecRuleUpdateActionById 1 chain",
		"2:27: error: a chain cannot be made afterwards"},
	    {"SecAction id:1,chain\nSecRule ARGS x\n"
	     "SecRuleUpdateActionById 1:1 deny",
		"3:29: error: some of this is for the first rule of a chain"},
	    {"SecRuleUpdateActionById x deny",
		"1:25: error: a rule is named ID, or ID:OFFSET in a chain"},
	    {"SecRuleUpdateTargetById 1 ARGS TX:a|TX:b",
		"1:32: error: one target is replaced at once"},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(options_have_their_values)
{
	static const struct row rows[] = {
	    {"SecRuleEngine Yes", "1:15: error: 'Yes' is neither On nor Off "
				  "nor DetectionOnly"},
	    {"SecRequestBodyLimit 0",
		"1:21: error: '0' is not a number from 1 to 4294967295"},
	    {"SecResponseBodyLimit 1073741824", ""},
	    {"SecResponseBodyLimit 1073741825",
		"1:22: error: '1073741825' is not a number from 1 to "
		"1073741824"},
	    {"SecResponseBodyLimit 4294967295",
		"1:22: error: '4294967295' is not a number from 1 to "
		"1073741824"},
	    {"SecRequestBodyLimitAction Ignore",
		"1:27: error: 'Ignore' is neither Reject nor ProcessPartial"},
	    {"SecArgumentSeparator &&",
		"1:22: error: the separator is one byte"},
	    {"SecCookieFormat 2", "1:17: error: a cookie format is 0 or 1"},
	    {"SecAuditLogParts AbZ",
		"1:19: error: parts of the audit log are capitals"},
	    {"Include /nowhere/x.conf",
		"1:9: error: /nowhere/x.conf cannot be opened: No such file "
		"or directory"},
	    {"Include /nowhere/*.conf",
		"1:9: error: no file is called /nowhere/*.conf"},
	    {"IncludeOptional /nowhere/*.conf\nIncludeOptional /nowhere/x", ""},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(all_problems_are_told_at_once)
{
	static const struct row rows[] = {
	    {"SecRule ARG x id:1,foo,bar\nSecFoo\nSecAction phase:1",
		"1:9: error: unknown variable 'ARG': is it 'ARGS'?\n"
		"1:20: error: unknown action 'foo'\n"
		"1:24: error: unknown action 'bar'\n"
		"2:1: error: unknown directive 'SecFoo'\n"
		"3:11: error: the rule has no id"},
	};

	CHECK_ROWS(rows);
}
END_TEST

/* A directive that names a rule which stands behind it does nothing, as in
 * ModSecurity 2; one that names none at all is for other versions of rules. */
START_TEST(what_comes_too_late_to_be_changed_is_a_warning)
{
	static const struct row rows[] = {
	    {"SecRuleRemoveById 7\nSecAction id:7",
		"1:19: warning: nothing is changed: the rule is read later, "
		"this must stand behind it"},
	    {"SecRuleUpdateTargetById 7 ARGS\nSecRule TX x id:7",
		"1:25: warning: nothing is changed: the rule is read later, "
		"this must stand behind it"},
	    {"SecAction id:6\nSecRuleRemoveById 6-8\nSecAction id:7", ""},
	    {"SecRuleRemoveById 9\nSecAction id:7", ""},
	};

	CHECK_ROWS(rows);
}
END_TEST

START_TEST(a_line_is_bounded)
{
	size_t len = SEC_LINE_MAX + 64;
	char *text = malloc(len);
	char *said;

	memset(text, 'x', len);
	memcpy(text, "SecAction ", 10);
	memcpy(text + len - 16, "\nSecAction foo", 15);
	said = sec_problems(text);
	ck_assert_str_eq(said,
	    "1:1: error: the line is longer than 262144 bytes\n"
	    "2:11: error: unknown action 'foo'\n"
	    "2:11: error: the rule has no id");
	free(said);
	free(text);
}
END_TEST

/* --- files ---------------------------------------------------------------- */

static char dir[] = "/tmp/test_sec_errors.XXXXXX";

static void
put(const char *name, const char *text, size_t len)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	(void)close(fd);
}

/* What is said about file a, without the folder's name. */
static char *
said_of_files(void)
{
	char path[128];
	const char *const paths[] = {path};
	const struct sec_load load = {.paths = paths, .n_paths = 1};
	struct diag *d = diag_new();
	char *said;

	(void)snprintf(path, sizeof(path), "%s/a", dir);
	sec_set_free(sec_set_new(&load, d));
	said = diag_render(d);
	diag_free(d);
	return said;
}

START_TEST(files_include_each_other_within_bounds)
{
	static const char *const names[] = {"a", "b.conf", "c.conf", "d1", "d2",
	    "d3", "d4", "d5", "d6", "d7", "d8"};
	char *said;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	put("a", "Include *.conf\n", 15);
	put("b.conf", "\xef\xbb\xbfSecAction id:1\n", 18);
	put("c.conf", "# no rule\n\nSecAction id:1", 26 - 1);
	said = said_of_files();
	ck_assert_ptr_nonnull(strstr(said, "/c.conf:3:11: error: id 1 is"));
	ck_assert_ptr_nonnull(strstr(said, "/b.conf:1 too"));
	free(said);
	put("c.conf", "Include ./a\n", 12);
	said = said_of_files();
	ck_assert_ptr_nonnull(strstr(said, "/c.conf:1:9: error: "));
	ck_assert_ptr_nonnull(strstr(said, "/./a includes itself"));
	ck_assert_ptr_null(strstr(strstr(said, "error: ") + 1, "error: "));
	free(said);
	put("c.conf", "Include d1\n", 11);
	for (char i = '1'; i < '9'; i++) {
		const char name[] = {'d', i, '\0'};
		const char text[] = {
		    'I', 'n', 'c', 'l', 'u', 'd', 'e', ' ', 'd', i + 1};

		put(name, text, sizeof(text));
	}
	said = said_of_files();
	ck_assert_ptr_nonnull(
	    strstr(said, "/d6:1:9: error: more than 1000 files, or files 8 "
			 "deep inside each other"));
	free(said);
	put("c.conf", "SecAction \0id:1\n", 16);
	said = said_of_files();
	ck_assert_ptr_nonnull(strstr(said, "/c.conf:1:1: error: a NUL byte"));
	free(said);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}
END_TEST

START_TEST(a_map_that_is_not_there_is_a_warning)
{
	static const struct row rows[] = {
	    {"SecUnicodeMapFile /nowhere/unicode.mapping 20127",
		"1:19: warning: /nowhere/unicode.mapping is not there: code "
		"points beyond a byte stay unmapped"},
	    {"SecUnicodeMapFile unicode.mapping x",
		"1:35: error: 'x' is not a number from 1 to 4294967295"},
	};

	CHECK_ROWS(rows);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    unknown_words_are_told_with_what_is_like_them,
	    words_and_items_have_their_form,
	    values_have_their_bounds,
	    targets_and_ctl_have_their_form,
	    rules_stand_where_they_may,
	    options_have_their_values,
	    all_problems_are_told_at_once,
	    what_comes_too_late_to_be_changed_is_a_warning,
	    a_line_is_bounded,
	    files_include_each_other_within_bounds,
	    a_map_that_is_not_there_is_a_warning,
	};

	return unit_run("sec_errors", tests, sizeof(tests) / sizeof(tests[0]));
}
