/* Unit tests of sec/sec_set: how rules stand to each other in a set: what they
 * inherit, where they lead, what later directives change; and the options. */
#include <stdio.h>
#include <string.h>

#include "t/unit/sec_text.h"
#include "t/unit/unit.h"

/* --- transformations ------------------------------------------------------ */

/* "a,b" of a chain. */
static void
chain_is(const struct sec_set *set, uint32_t rule, const char *want)
{
	const struct sec_chain *c = &set->chains[set->rules[rule].chain];
	char got[256] = "";

	for (uint32_t i = 0; i < c->n_steps; i++) {
		strcat(got, i > 0 ? "," : "");
		strcat(got, sec_trans_name(c->steps[i]));
	}
	ck_assert_str_eq(got, want);
}

START_TEST(transformations_are_a_prefix_tree)
{
	struct sec_set *set = sec_must_load(
	    "SecRule ARGS x \"id:1,t:lowercase,t:trim\"\n"
	    "SecRule ARGS x \"id:2,t:md5,t:none,t:lowercase\"\n"
	    "SecRule ARGS x \"id:3,t:none\"\n"
	    "SecRule ARGS x \"id:4,t:lowercase,t:normalisePath\"\n"
	    "SecRule ARGS x \"id:5,t:trim\"\n");
	const struct sec_chain *c = set->chains;

	chain_is(set, 0, "lowercase,trim");
	chain_is(set, 1, "lowercase");
	chain_is(set, 2, "");
	chain_is(set, 3, "lowercase,normalizePath");
	chain_is(set, 4, "trim");
	ck_assert_uint_eq(set->rules[2].chain, 0);
	ck_assert_uint_eq(set->n_chains, 5);
	ck_assert_uint_eq(c[set->rules[0].chain].before, set->rules[1].chain);
	ck_assert_uint_eq(c[set->rules[3].chain].before, set->rules[1].chain);
	ck_assert_uint_eq(c[set->rules[1].chain].before, 0);
	sec_set_free(set);
}
END_TEST

START_TEST(each_transformation_is_known_by_its_name)
{
	for (int t = 0; t < SEC_N_TRANS; t++) {
		const char *name = sec_trans_name((enum sec_trans)t);
		char text[128];
		struct sec_set *set;

		(void)snprintf(
		    text, sizeof(text), "SecRule ARGS x id:1,t:%s", name);
		set = sec_must_load(text);
		chain_is(set, 0, name);
		sec_set_free(set);
	}
}
END_TEST

/* --- default actions ------------------------------------------------------ */

START_TEST(default_actions_hold_for_the_rules_of_their_phase)
{
	struct sec_set *set = sec_must_load(
	    "SecAction id:1,block\n"
	    "SecDefaultAction \"phase:1,deny,status:401,nolog,tag:d,t:trim\"\n"
	    "SecRule ARGS x id:2,phase:1,block,t:lowercase,tag:e\n"
	    "SecRule ARGS x id:3,phase:1,pass,log,t:none\n"
	    "SecRule ARGS x id:4,phase:1\n"
	    "SecRule ARGS x id:5,phase:4,block,status:500\n"
	    "SecDefaultAction phase:2,pass\n"
	    "SecRule ARGS x id:6,phase:1,block\n"
	    "SecRule ARGS x id:7,block\n"
	    "SecRule ARGS x id:8,phase:3,block\n"
	    "SecRule ARGS x id:9,phase:5,block\n");
	const struct sec_rule *r = set->rules;

	ck_assert_int_eq(r[0].blocks_as, SEC_DISRUPT_PASS);
	ck_assert(r[1].disrupt == SEC_DISRUPT_BLOCK && r[1].status == 401);
	ck_assert_int_eq(r[1].blocks_as, SEC_DISRUPT_DENY);
	ck_assert_uint_eq(r[1].flags, 0);
	ck_assert_uint_eq(r[1].n_tags, 2);
	ck_assert_span_eq(r[1].tags[0], "d");
	chain_is(set, 1, "trim,lowercase");
	ck_assert_uint_eq(r[2].flags, SEC_RULE_LOGS);
	chain_is(set, 2, "");
	ck_assert_int_eq(r[3].disrupt, SEC_DISRUPT_DENY);
	ck_assert(r[4].blocks_as == SEC_DISRUPT_DENY && r[4].status == 500);
	ck_assert_int_eq(r[5].blocks_as, SEC_DISRUPT_DENY);
	ck_assert_int_eq(r[6].blocks_as, SEC_DISRUPT_PASS);
	ck_assert_int_eq(r[7].blocks_as, SEC_DISRUPT_PASS);
	ck_assert_int_eq(r[8].blocks_as, SEC_DISRUPT_PASS);
	sec_set_free(set);
}
END_TEST

/* --- chains, and where rules lead ----------------------------------------- */

START_TEST(chains_are_whole_and_of_one_phase)
{
	struct sec_set *set =
	    sec_must_load("SecRule ARGS a id:1,phase:1,chain\n"
			  "SecRule ARGS b chain,setvar:tx.a=1\n"
			  "SecRule ARGS c\n"
			  "SecMarker M\n"
			  "SecAction id:2,phase:3\n");
	const struct sec_rule *r = set->rules;

	ck_assert_uint_eq(set->n_rules, 5);
	ck_assert(r[0].n_chained == 2 && !r[0].is_chained);
	ck_assert(r[1].is_chained && r[1].n_chained == 0);
	ck_assert(r[2].is_chained && r[2].phase == 1 && r[2].id == 0);
	ck_assert_int_eq(r[1].disrupt, SEC_DISRUPT_NONE);
	ck_assert_int_eq(r[3].kind, SEC_KIND_MARKER);
	ck_assert_uint_eq(set->n_by_phase[0], 2);
	ck_assert(set->by_phase[0][0] == 0 && set->by_phase[0][1] == 3);
	ck_assert_uint_eq(set->n_by_phase[1], 1);
	ck_assert(set->by_phase[2][0] == 3 && set->by_phase[2][1] == 4);
	sec_set_free(set);
}
END_TEST

START_TEST(skips_lead_to_an_index)
{
	struct sec_set *set =
	    sec_must_load("SecAction id:1,skipAfter:END\n"
			  "SecAction id:2,skip:2\n"
			  "SecAction id:3,phase:1,skip:9\n"
			  "SecRule ARGS x id:4,chain\n"
			  "SecRule ARGS x\n"
			  "SecMarker OTHER\n"
			  "SecRule ARGS x id:5,chain,skipAfter:7\n"
			  "SecRule ARGS x\n"
			  "SecMarker \"END\"\n"
			  "SecAction id:6\n"
			  "SecAction id:7\n"
			  "SecRuleRemoveById 6\n");
	const struct sec_rule *r = set->rules;

	ck_assert_uint_eq(set->n_rules, 10);
	/* behind the marker: the rule that stood there is gone */
	ck_assert_uint_eq(r[0].skip_to, 9);
	/* over 4 and 5 with their chains */
	ck_assert_uint_eq(r[1].skip_to, 8);
	ck_assert_uint_eq(r[2].skip_to, set->n_rules);
	ck_assert_uint_eq(r[3].skip_to, 0);
	ck_assert_uint_eq(r[6].skip_to, set->n_rules);
	sec_set_free(set);
}
END_TEST

/* --- updates -------------------------------------------------------------- */

START_TEST(rules_are_taken_away_with_their_chains)
{
	struct sec_set *set =
	    sec_must_load("SecRule ARGS x id:1,chain\n"
			  "SecRule ARGS x\n"
			  "SecAction id:2,tag:attack-a\n"
			  "SecAction \"id:3,msg:'some message'\"\n"
			  "SecAction id:4\n"
			  "SecAction id:5\n"
			  "SecAction id:6\n"
			  "SecRuleRemoveById 1 \"4-5,99 77\"\n"
			  "SecRuleRemoveByTag ^attack\n"
			  "SecRuleRemoveByMsg \"e mess\"\n"
			  "SecAction id:7,tag:attack-b\n");

	ck_assert_uint_eq(set->n_rules, 2);
	ck_assert_uint_eq(set->rules[0].id, 6);
	ck_assert_uint_eq(set->rules[1].id, 7);
	sec_set_free(set);
}
END_TEST

START_TEST(targets_are_added_and_replaced)
{
	struct sec_set *set = sec_must_load(
	    "SecRule ARGS x id:1,chain,tag:t\n"
	    "SecRule TX:a x\n"
	    "SecRule ARGS|TX:a x \"id:2,msg:'hello'\"\n"
	    "SecRuleUpdateTargetById 1 \"!ARGS:k,REQUEST_BODY|ARGS\"\n"
	    "SecRuleUpdateTargetByTag ^t$ !ARGS:/x/\n"
	    "SecRuleUpdateTargetByMsg ell !ARGS:m\n"
	    "SecRuleUpdateTargetById 2 REQUEST_URI tx:A\n"
	    "SecRuleUpdateTargetById 2 REQUEST_URI_RAW TX:b\n");
	const struct sec_rule *r = set->rules;

	/* the whole chain; what it has is not added again */
	ck_assert_uint_eq(r[0].n_targets, 4);
	ck_assert(r[0].targets[1].is_excluded);
	ck_assert_int_eq(r[0].targets[2].var, SEC_VAR_REQUEST_BODY);
	ck_assert_int_eq(r[0].targets[3].select, SEC_SELECT_REGEX);
	ck_assert_uint_eq(r[1].n_targets, 5);
	ck_assert_uint_eq(r[2].n_targets, 3);
	ck_assert_int_eq(r[2].targets[0].var, SEC_VAR_ARGS);
	ck_assert_span_eq(r[2].targets[1].key, "m");
	ck_assert_int_eq(r[2].targets[2].var, SEC_VAR_REQUEST_URI);
	sec_set_free(set);
}
END_TEST

START_TEST(actions_are_added)
{
	struct sec_set *set = sec_must_load(
	    "SecRule ARGS x id:1,phase:1,chain,block,t:trim,setvar:tx.a=1\n"
	    "SecRule ARGS x t:trim\n"
	    "SecRuleUpdateActionById 1 \"id:1,phase:1,deny,status:418,"
	    "t:none,t:lowercase,setvar:tx.b=1\"\n"
	    "SecRuleUpdateActionById 1:1 t:md5\n"
	    "SecRuleUpdateActionById 99 deny\n");
	const struct sec_rule *r = set->rules;

	ck_assert(r[0].disrupt == SEC_DISRUPT_DENY && r[0].status == 418);
	ck_assert_uint_eq(r[0].n_sets, 2);
	ck_assert_uint_eq(r[0].n_chained, 1);
	chain_is(set, 0, "lowercase");
	chain_is(set, 1, "trim,md5");
	sec_set_free(set);
}
END_TEST

/* --- the whole set -------------------------------------------------------- */

START_TEST(options_are_as_in_modsecurity_unless_said)
{
	struct sec_set *set = sec_must_load("");
	const struct sec_options *o = &set->options;

	ck_assert(o->engine == SEC_ON && o->reads_request == SEC_ON);
	ck_assert(o->reads_response == SEC_OFF && o->audit == SEC_PARTLY);
	ck_assert_uint_eq(o->request_max, 134217728);
	ck_assert_uint_eq(o->request_no_files_max, 1048576);
	ck_assert_uint_eq(o->response_max, 524288);
	ck_assert_uint_eq(o->collection_timeout_s, 3600);
	ck_assert_uint_eq(o->arguments_max, 1000);
	ck_assert_uint_eq(o->n_response_types, 2);
	ck_assert_span_eq(o->response_types[0], "text/plain");
	ck_assert_int_eq(o->argument_separator, '&');
	ck_assert_span_eq(o->audit_parts, "AHZ");
	sec_set_free(set);
}
END_TEST

START_TEST(options_are_said)
{
	struct sec_set *set = sec_must_load(
	    "secruleengine DetectionOnly\n"
	    "SecRequestBodyAccess Off\nSecResponseBodyAccess on\n"
	    "SecRequestBodyLimit 1\nSecRequestBodyNoFilesLimit 2\n"
	    "SecResponseBodyLimit 3\nSecRequestBodyLimitAction Reject\n"
	    "SecResponseBodyLimitAction ProcessPartial\n"
	    "SecRequestBodyJsonDepthLimit 4\nSecArgumentsLimit 5\n"
	    "SecUploadFileLimit 6\nSecCollectionTimeout 600\n"
	    "SecPcreMatchLimit 7\nSecPcreMatchLimitRecursion 8\n"
	    "SecArgumentSeparator ;\nSecCookieFormat 1\n"
	    "SecComponentSignature a/1\nSecComponentSignature \"b/2\"\n"
	    "SecResponseBodyMimeType a/b c/d\nSecResponseBodyMimeType e/f\n"
	    "SecAuditEngine On\nSecAuditLogParts ABZ\n");
	const struct sec_options *o = &set->options;

	ck_assert(o->engine == SEC_PARTLY && o->reads_request == SEC_OFF);
	ck_assert(o->reads_response == SEC_ON && o->audit == SEC_ON);
	ck_assert(o->request_max == 1 && o->request_no_files_max == 2);
	ck_assert_uint_eq(o->response_max, 3);
	ck_assert_int_eq(o->request_over, SEC_LIMIT_REJECT);
	ck_assert_int_eq(o->response_over, SEC_LIMIT_PARTIAL);
	ck_assert(o->request_json_depth == 4 && o->arguments_max == 5);
	ck_assert_uint_eq(o->files_max, 6);
	ck_assert_uint_eq(o->collection_timeout_s, 600);
	ck_assert_uint_eq(o->match_limit, 7);
	ck_assert(o->argument_separator == ';' && o->cookie_format == 1);
	ck_assert_span_eq(o->signature, "a/1 b/2");
	ck_assert_uint_eq(o->n_response_types, 3);
	ck_assert_span_eq(o->response_types[2], "e/f");
	ck_assert_span_eq(o->audit_parts, "ABZ");
	sec_set_free(set);
	set = sec_must_load("SecResponseBodyMimeTypesClear\n");
	ck_assert_uint_eq(set->options.n_response_types, 0);
	sec_set_free(set);
}
END_TEST

START_TEST(what_means_nothing_here_is_accepted)
{
	static const char *const names[] = {
#define SEC_DIRECTIVE(id, name, min, max, what)
#define SEC_IGNORED(name, why) name,
#include "worker/sec/sec_directive.def"
#undef SEC_DIRECTIVE
#undef SEC_IGNORED
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[128];

		(void)snprintf(
		    text, sizeof(text), "%s one \"two three\" 4\n", names[i]);
		sec_set_free(sec_must_load(text));
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    transformations_are_a_prefix_tree,
	    each_transformation_is_known_by_its_name,
	    default_actions_hold_for_the_rules_of_their_phase,
	    chains_are_whole_and_of_one_phase,
	    skips_lead_to_an_index,
	    rules_are_taken_away_with_their_chains,
	    targets_are_added_and_replaced,
	    actions_are_added,
	    options_are_as_in_modsecurity_unless_said,
	    options_are_said,
	    what_means_nothing_here_is_accepted,
	};

	return unit_run("sec_layout", tests, sizeof(tests) / sizeof(tests[0]));
}
