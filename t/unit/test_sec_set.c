/* Unit tests of sec/sec_set: what rule files say, as a set. */
#include <stdio.h>
#include <string.h>

#include "common/base/regex.h"
#include "t/unit/sec_text.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_op.h"

#define LAST(set) (&(set)->rules[(set)->n_rules - 1])

/* --- lines and words ------------------------------------------------------ */

START_TEST(lines_go_on_behind_a_backslash)
{
	struct sec_set *set = sec_must_load("# a comment \\\n"
					    "  that goes on\n\n"
					    "  SecRule \\\r\n"
					    "\tARGS \"a\\\n"
					    " b\" \"id:1,\\\n"
					    "    pass,\\\n"
					    "    msg:'x y'\"  \n"
					    "SecAction id:2");

	ck_assert_uint_eq(set->n_rules, 2);
	ck_assert_uint_eq(set->rules[0].at.line, 5);
	ck_assert_uint_eq(set->rules[0].at.col, 2);
	ck_assert_span_eq(set->rules[0].file, "t");
	ck_assert_span_eq(set->rules[0].argument.raw, "a b");
	ck_assert_span_eq(set->rules[0].msg.raw, "x y");
	sec_set_free(set);
}
END_TEST

START_TEST(quotes_and_backslashes_are_read_as_apache_does)
{
	struct sec_set *set = sec_must_load(
	    "SecRule ARGS '@rx a\"\\'b\\\\\\d\\\"' \"id:1,msg:'it\\\\'s',"
	    "tag:\\\"x\\\",logdata:'a,b|c'\"\n");
	const struct sec_rule *r = LAST(set);

	ck_assert_span_eq(r->argument.raw, "a\"'b\\\\d\\\"");
	ck_assert_span_eq(r->msg.raw, "it's");
	ck_assert_span_eq(r->tags[0], "\"x\"");
	ck_assert_span_eq(r->logdata.raw, "a,b|c");
	sec_set_free(set);
}
END_TEST

/* --- targets -------------------------------------------------------------- */

START_TEST(targets_have_keys_regexes_counts_and_exclusions)
{
	struct sec_set *set = sec_must_load(
	    "SecRule \"ARGS|&REQUEST_HEADERS:Host|!ARGS:'a b',TX:Score|"
	    "REQUEST_COOKIES:/^__utm/|XML:/*|XML://@*|HTTP_X-Id\" \"@rx x\" "
	    "id:1\n");
	const struct sec_target *t = LAST(set)->targets;

	ck_assert_uint_eq(LAST(set)->n_targets, 8);
	ck_assert(t[0].var == SEC_VAR_ARGS && t[0].select == SEC_SELECT_ALL);
	ck_assert(t[1].var == SEC_VAR_REQUEST_HEADERS && t[1].is_count);
	ck_assert_span_eq(t[1].key, "Host");
	ck_assert(t[2].is_excluded && t[2].select == SEC_SELECT_KEY);
	ck_assert_span_eq(t[2].key, "a b");
	ck_assert_int_eq(t[2].slot, -1);
	ck_assert_int_eq(t[3].slot, 0);
	ck_assert_span_eq(set->tx_names[0], "score");
	ck_assert(t[4].select == SEC_SELECT_REGEX);
	ck_assert_int_eq(regex_find(t[4].regex, SPAN_LIT("__UTMz")), REGEX_YES);
	ck_assert_int_eq(regex_find(t[4].regex, SPAN_LIT("x__utm")), REGEX_NO);
	ck_assert(t[5].var == SEC_VAR_XML && t[5].select == SEC_SELECT_KEY);
	ck_assert_span_eq(t[5].key, "/*");
	ck_assert_span_eq(t[6].key, "//@*");
	ck_assert(t[7].var == SEC_VAR_REQUEST_HEADERS);
	ck_assert_span_eq(t[7].key, "X-Id");
	sec_set_free(set);
}
END_TEST

/* Shape of each variable: what may stand behind it. */
START_TEST(each_variable_is_known_by_its_name)
{
	for (int v = 0; v < SEC_N_VARS; v++) {
		const char *name = sec_var_name((enum sec_var)v);
		bool is_one = sec_var_shape((enum sec_var)v) == SEC_SHAPE_ONE;
		char text[256];
		struct sec_set *set;

		(void)snprintf(text, sizeof(text),
		    "SecRule %s%s \"@rx x\" \"id:1,msg:'%%{%s}'\"", name,
		    is_one ? "" : ":k", name);
		set = sec_must_load(text);
		ck_assert_int_eq((int)LAST(set)->targets[0].var, v);
		ck_assert_int_eq((int)LAST(set)->msg.parts[0].var, v);
		sec_set_free(set);
	}
}
END_TEST

START_TEST(some_variables_have_another_name)
{
	struct sec_set *set =
	    sec_must_load("SecRule REQBODY_PROCESSOR_ERROR x \"id:1,"
			  "msg:%{REQBODY_PROCESSOR_ERROR_MSG}\"");

	ck_assert_int_eq(LAST(set)->targets[0].var, SEC_VAR_REQBODY_ERROR);
	ck_assert_int_eq(
	    LAST(set)->msg.parts[0].var, SEC_VAR_REQBODY_ERROR_MSG);
	sec_set_free(set);
}
END_TEST

/* --- operators ------------------------------------------------------------ */

START_TEST(operators_are_negated_and_named)
{
	static const struct {
		const char *word;
		enum sec_op op;
		const char *argument;
		bool is_negated, varies;
	} rows[] = {
	    {"abc", SEC_OP_RX, "abc", false, false},
	    {"!abc", SEC_OP_RX, "abc", true, false},
	    {"@rx  a b ", SEC_OP_RX, "a b ", false, false},
	    {"! @streq x", SEC_OP_STREQ, "x", true, false},
	    {"@STREQ x", SEC_OP_STREQ, "x", false, false},
	    {"@within %{tx.a} b", SEC_OP_WITHIN, "%{tx.a} b", false, true},
	    {"@rx ^%{tx.a}$", SEC_OP_RX, "^%{tx.a}$", false, true},
	    {"@rx %{2}", SEC_OP_RX, "%{2}", false, false},
	    {"@detectSQLi", SEC_OP_DETECT_SQLI, "", false, false},
	    {"@rbl dnsbl.example", SEC_OP_RBL, "dnsbl.example", false, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		struct sec_set *set;
		const struct sec_rule *r;

		(void)snprintf(text, sizeof(text), "SecRule ARGS \"%s\" id:1",
		    rows[i].word);
		set = sec_must_load(text);
		r = LAST(set);
		ck_assert_int_eq(r->op, rows[i].op);
		ck_assert_span_eq(r->argument.raw, rows[i].argument);
		ck_assert_int_eq(
		    (r->flags & SEC_RULE_IS_NEGATED) != 0, rows[i].is_negated);
		ck_assert_int_eq(
		    (r->flags & SEC_RULE_HAS_MACROS) != 0, rows[i].varies);
		ck_assert_int_eq(r->test == NULL, r->op == SEC_OP_RBL);
		sec_set_free(set);
	}
}
END_TEST

/* The set has a stack for them, and hands the limit of steps on. */
START_TEST(a_pattern_may_nest_as_deep_as_the_limit_says)
{
	static char text[(size_t)64 << 10];
	span asked = span_of(text, sizeof(text));
	struct sec_set *set =
	    sec_must_load("SecRule ARGS ^(?:a|(b)|c)*$ id:1\n"
			  "SecPcreMatchLimit 10000000\n"
			  "SecRule ARGS ^(?:a|(b)|c)*$ id:2\n"
			  "SecPcreMatchLimit 1000\n"
			  "SecRule ARGS (?:a+)+b|(a|aa)+$c id:3\n");
	const struct sec_rule *r = set->rules;

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(
	    sec_test_run(r[1].test, SPAN_LIT(""), asked, NULL), SEC_YES);
	ck_assert_int_eq(
	    sec_test_run(r[2].test, SPAN_LIT(""), asked, NULL), SEC_LIMIT);
	sec_set_free(set);
}
END_TEST

/* --- actions -------------------------------------------------------------- */

START_TEST(a_rule_says_what_it_is)
{
	struct sec_set *set = sec_must_load(
	    "SecRule ARGS x \"id:'12',phase:request,rev:3,ver:'v/1',"
	    "severity:'CRITICAL',msg:'m %{ARGS.a}%{tx.0}!',logdata:%{tx.0},"
	    "tag:a,tag:'b c',maturity:1,accuracy:2,capture,multiMatch,"
	    "deny,status:429\"\n");
	const struct sec_rule *r = LAST(set);
	const struct sec_part *p = r->msg.parts;

	ck_assert_uint_eq(r->id, 12);
	ck_assert_uint_eq(r->phase, 2);
	ck_assert_uint_eq(r->severity, 2);
	ck_assert_span_eq(r->rev, "3");
	ck_assert_span_eq(r->ver, "v/1");
	ck_assert_uint_eq(r->n_tags, 2);
	ck_assert_span_eq(r->tags[1], "b c");
	ck_assert_uint_eq(r->msg.n_parts, 4);
	ck_assert_span_eq(p[0].text, "m ");
	ck_assert(p[1].var == SEC_VAR_ARGS && p[1].slot == -1);
	ck_assert_span_eq(p[1].text, "a");
	ck_assert(p[2].var == SEC_VAR_TX && p[2].slot == 0);
	ck_assert(p[3].is_literal);
	ck_assert_span_eq(p[3].text, "!");
	ck_assert_int_eq(r->logdata.parts[0].slot, 0);
	ck_assert_int_eq(r->disrupt, SEC_DISRUPT_DENY);
	ck_assert_uint_eq(r->status, 429);
	ck_assert_uint_eq(r->flags, SEC_RULE_CAPTURES | SEC_RULE_MULTI_MATCH |
					SEC_RULE_LOGS | SEC_RULE_AUDITS);
	sec_set_free(set);
}
END_TEST

START_TEST(each_disruptive_action_is_known)
{
	static const struct {
		const char *word;
		enum sec_disrupt disrupt;
	} rows[] = {
	    {"pass", SEC_DISRUPT_PASS},
	    {"block", SEC_DISRUPT_BLOCK},
	    {"deny", SEC_DISRUPT_DENY},
	    {"drop", SEC_DISRUPT_DROP},
	    {"redirect:'/x?%{tx.a}'", SEC_DISRUPT_REDIRECT},
	    {"allow", SEC_DISRUPT_ALLOW},
	    {"allow:phase", SEC_DISRUPT_ALLOW_PHASE},
	    {"allow:request", SEC_DISRUPT_ALLOW_REQUEST},
	    {"log", SEC_DISRUPT_PASS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		struct sec_set *set;

		(void)snprintf(
		    text, sizeof(text), "SecAction \"id:1,%s\"", rows[i].word);
		set = sec_must_load(text);
		ck_assert_int_eq(LAST(set)->disrupt, rows[i].disrupt);
		ck_assert_int_eq(LAST(set)->blocks_as, SEC_DISRUPT_PASS);
		ck_assert_uint_eq(LAST(set)->redirect.n_parts,
		    rows[i].disrupt == SEC_DISRUPT_REDIRECT ? 2 : 0);
		sec_set_free(set);
	}
}
END_TEST

START_TEST(nolog_is_for_both_logs_unless_more_is_said)
{
	static const struct {
		const char *words;
		unsigned flags;
	} rows[] = {
	    {"pass", SEC_RULE_LOGS | SEC_RULE_AUDITS},
	    {"nolog", 0},
	    {"nolog,auditlog", SEC_RULE_AUDITS},
	    {"noauditlog", SEC_RULE_LOGS},
	    {"nolog,log", SEC_RULE_LOGS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		struct sec_set *set;

		(void)snprintf(
		    text, sizeof(text), "SecAction \"id:1,%s\"", rows[i].words);
		set = sec_must_load(text);
		ck_assert_uint_eq(LAST(set)->flags, rows[i].flags);
		sec_set_free(set);
	}
}
END_TEST

START_TEST(variables_are_set_changed_and_unset)
{
	struct sec_set *set = sec_must_load(
	    "SecAction \"id:1,setvar:tx.A=b=c,setvar:'tx.a=+%{tx.n}',"
	    "setvar:ip.n=-1,setvar:!tx.z,setvar:tx.one,"
	    "setvar:'tx.p_%{MATCHED_VAR_NAME}=x',expirevar:ip.n=60,"
	    "initcol:ip=%{REMOTE_ADDR}_x,setsid:%{tx.s},setuid:u\"");
	const struct sec_rule *r = LAST(set);
	const struct sec_assign *s = r->sets;

	ck_assert_uint_eq(r->n_sets, 6);
	ck_assert(s[0].op == SEC_SET_ASSIGN && s[0].slot == 0);
	ck_assert_span_eq(s[0].value.raw, "b=c");
	ck_assert(s[1].op == SEC_SET_ADD && s[1].slot == 0);
	ck_assert_span_eq(s[1].value.raw, "%{tx.n}");
	ck_assert(s[2].op == SEC_SET_SUB && s[2].store == SEC_VAR_IP);
	ck_assert_int_eq(s[2].slot, -1);
	ck_assert_span_eq(s[2].name.raw, "n");
	ck_assert_int_eq(s[3].op, SEC_SET_UNSET);
	ck_assert_span_eq(s[3].name.raw, "z");
	ck_assert_span_eq(s[4].value.raw, "1");
	ck_assert(s[5].slot == -1 && s[5].name.n_parts == 2);
	ck_assert_uint_eq(r->n_expires, 1);
	ck_assert_span_eq(r->expires[0].value.raw, "60");
	ck_assert_uint_eq(r->n_opens, 3);
	ck_assert_int_eq(r->opens[0].store, SEC_VAR_IP);
	ck_assert_uint_eq(r->opens[0].key.n_parts, 2);
	ck_assert_int_eq(r->opens[1].store, SEC_VAR_SESSION);
	ck_assert_int_eq(r->opens[2].store, SEC_VAR_USER);
	sec_set_free(set);
}
END_TEST

START_TEST(ctl_changes_the_engine)
{
	static const struct {
		const char *word;
		enum sec_ctl_kind kind;
		unsigned to;
	} rows[] = {
	    {"ruleEngine=DetectionOnly", SEC_CTL_RULE_ENGINE, SEC_PARTLY},
	    {"ruleEngine=off", SEC_CTL_RULE_ENGINE, SEC_OFF},
	    {"auditEngine=RelevantOnly", SEC_CTL_AUDIT_ENGINE, SEC_PARTLY},
	    {"requestBodyAccess=On", SEC_CTL_REQUEST_BODY_ACCESS, SEC_ON},
	    {"responseBodyAccess=Off", SEC_CTL_RESPONSE_BODY_ACCESS, SEC_OFF},
	    {"forceRequestBodyVariable=On", SEC_CTL_FORCE_BODY_VARIABLE,
		SEC_ON},
	    {"auditLogParts=+E", SEC_CTL_AUDIT_PARTS, 0},
	    {"requestBodyProcessor=JSON", SEC_CTL_BODY_PROCESSOR, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		struct sec_set *set;
		const struct sec_ctl *c;

		(void)snprintf(text, sizeof(text), "SecAction \"id:1,ctl:%s\"",
		    rows[i].word);
		set = sec_must_load(text);
		c = LAST(set)->ctls;
		ck_assert_uint_eq(LAST(set)->n_ctls, 1);
		ck_assert_int_eq(c->kind, rows[i].kind);
		ck_assert_uint_eq(c->to, rows[i].to);
		if (c->kind == SEC_CTL_AUDIT_PARTS)
			ck_assert_span_eq(c->text, "+E");
		if (c->kind == SEC_CTL_BODY_PROCESSOR)
			ck_assert_int_eq(c->processor, SEC_BODY_JSON);
		sec_set_free(set);
	}
}
END_TEST

START_TEST(ctl_takes_rules_and_targets_away)
{
	struct sec_set *set = sec_must_load(
	    "SecAction \"id:1,ctl:'ruleRemoveById=7,10-20',"
	    "ctl:ruleRemoveByTag=^attack,ctl:'ruleRemoveByMsg=a b',"
	    "ctl:ruleRemoveTargetById=9;ARGS:/^x/,"
	    "ctl:'ruleRemoveTargetById=1-2;ARGS,TX:a',"
	    "ctl:ruleRemoveTargetByTag=CRS;REQUEST_COOKIES:k[0],"
	    "ctl:ruleRemoveTargetByMsg=m;ARGS_NAMES\"");
	const struct sec_rule *r = LAST(set);
	const struct sec_ctl *c = r->ctls;

	ck_assert_uint_eq(r->n_ctls, 9);
	ck_assert(c[0].first == 7 && c[0].last == 7);
	ck_assert(c[1].first == 10 && c[1].last == 20);
	ck_assert_int_eq(c[2].kind, SEC_CTL_REMOVE_BY_TAG);
	ck_assert_int_eq(
	    regex_find(c[2].regex, SPAN_LIT("attack-x")), REGEX_YES);
	ck_assert_int_eq(regex_find(c[2].regex, SPAN_LIT("ATTACK")), REGEX_NO);
	ck_assert_int_eq(c[3].kind, SEC_CTL_REMOVE_BY_MSG);
	ck_assert_int_eq(c[4].target.select, SEC_SELECT_REGEX);
	ck_assert_int_eq(c[5].target.var, SEC_VAR_ARGS);
	ck_assert(c[6].target.var == SEC_VAR_TX && c[6].target.slot == 0);
	ck_assert(c[6].first == 1 && c[6].last == 2);
	ck_assert_span_eq(c[7].target.key, "k[0]");
	ck_assert_int_eq(c[8].kind, SEC_CTL_REMOVE_TARGET_BY_MSG);
	sec_set_free(set);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    lines_go_on_behind_a_backslash,
	    quotes_and_backslashes_are_read_as_apache_does,
	    targets_have_keys_regexes_counts_and_exclusions,
	    each_variable_is_known_by_its_name,
	    some_variables_have_another_name,
	    operators_are_negated_and_named,
	    a_pattern_may_nest_as_deep_as_the_limit_says,
	    a_rule_says_what_it_is,
	    each_disruptive_action_is_known,
	    nolog_is_for_both_logs_unless_more_is_said,
	    variables_are_set_changed_and_unset,
	    ctl_changes_the_engine,
	    ctl_takes_rules_and_targets_away,
	};

	return unit_run("sec_set", tests, sizeof(tests) / sizeof(tests[0]));
}
