/* Words of the rule language that few rules use: each line is what ModSecurity 2.9
 * in Apache logged for the same rules and request. */
#include <stdlib.h>
#include <time.h>

#include "t/unit/sec_tx_fixture.h"

#define MATCH(var, id) RULE(var, "@unconditionalMatch", "id:" id ",phase:2")

/* --- where it goes on ----------------------------------------------------- */

static const struct ask flow_asks[] = {
    /* what is skipped are rules of the same phase, a chain is one */
    {RULE("ARGS:s", "@eq 1", "id:1,phase:2,nolog,skip:2") ACTION("id:2,phase:2")
	    RULE("ARGS:s", "@eq 1", "id:3,phase:2,chain") RULE("ARGS:s",
		"@eq 1", "") ACTION("id:4,phase:2") ACTION("id:5,phase:1"),
	"/?s=1", 0, 0, "5 4"},
    {RULE("ARGS:s", "@eq 1", "id:1,phase:2,nolog,skip:1") ACTION("id:2,phase:1")
	    ACTION("id:3,phase:2") ACTION("id:4,phase:2"),
	"/?s=1", 0, 0, "2 4"},
    {RULE("ARGS:s", "@eq 1",
	 "id:1,phase:2,nolog,skip:1") "SecMarker M\n" ACTION("id:3,phase:2")
	    ACTION("id:4,phase:2"),
	"/?s=1", 0, 0, "4"},
    {RULE("ARGS:s", "@eq 1", "id:1,phase:2,nolog,skip:1,chain") RULE("ARGS:a",
	 "@streq x", "") ACTION("id:3,phase:2") ACTION("id:4,phase:2"),
	"/?s=1&a=x", 0, 0, "4"},
    {RULE("ARGS:s", "@eq 1", "id:1,phase:2,nolog,skip:1,chain") RULE("ARGS:a",
	 "@streq x", "") ACTION("id:3,phase:2") ACTION("id:4,phase:2"),
	"/?s=1&a=y", 0, 0, "3 4"},
    /* behind a rule, by its id */
    {RULE("ARGS:s", "@eq 2", "id:5,phase:2,nolog,skipAfter:7") ACTION(
	 "id:6,phase:2") ACTION("id:7,phase:2") ACTION("id:8,phase:2"),
	"/?s=2", 0, 0, "8"},
    {ACTION("id:1,phase:1,allow:phase,nolog") ACTION("id:2,phase:1")
	    ACTION("id:3,phase:2") ACTION("id:4,phase:3") ACTION("id:5,phase:4")
		ACTION("id:6,phase:5"),
	0, 0, 0, "3 4 5 6"},
    {ACTION("id:1,phase:1,allow:request,nolog") ACTION("id:2,phase:1")
	    ACTION("id:3,phase:2") ACTION("id:4,phase:3") ACTION("id:5,phase:4")
		ACTION("id:6,phase:5"),
	0, 0, 0, "4 5 6"},
    {ACTION("id:1,phase:1,allow,nolog") ACTION("id:2,phase:1")
	    ACTION("id:3,phase:2") ACTION("id:4,phase:3") ACTION("id:5,phase:4")
		ACTION("id:6,phase:5"),
	0, 0, 0, "6"},
    /* a rule takes itself away too late, and those behind it in time */
    {RULE("ARGS:a", "@rx .",
	 "id:1,phase:2,ctl:ruleRemoveById=1,ctl:ruleRemoveById=3")
	    ACTION("id:2,phase:2") ACTION("id:3,phase:2"),
	"/?a=1&b=2", 0, 0, "1 2"},
    /* what a rule of a chain sets stays, whatever comes of the chain */
    {RULE("ARGS:a", "@rx .", "id:1,phase:2,setvar:tx.one=1,chain")
	    RULE("ARGS:b", "@rx .", "setvar:tx.two=2,chain")
		RULE("ARGS:c", "@rx .", "setvar:tx.three=3")
		    MATCH("TX:one|TX:two|TX:three", "2"),
	"/?a=1&b=1", 0, 0, "2 2"},
    /* the first value that refuses is the last one */
    {RULE("ARGS", "@rx .", "id:1,phase:2,deny,status:406,setvar:tx.d=+1")
	    RULE("TX:d", "@eq 1", "id:2,phase:5"),
	"/?a=1&b=2", 0, 0, "1 2 deny406"},
};

START_TEST(rules_go_on_where_they_say)
{
	check_asks(flow_asks, NELEMS(flow_asks));
}
END_TEST

/* --- what changes rules --------------------------------------------------- */

#define HAS_Q(id, more) RULE("ARGS", "@contains q", "id:" id ",phase:2" more)

static const struct ask update_asks[] = {
    {HAS_Q("2", ",status:501") "SecRuleUpdateActionById 2 deny,status:405\n",
	"/?x=q", 0, 0, "2 deny405"},
    {HAS_Q("3", ",chain") RULE("ARGS", "@contains z",
	 "") "SecRuleUpdateActionById 3:1 setvar:tx.done=1\n" RULE("TX:done",
	 "@eq 1", "id:4,phase:2"),
	"/?x=qz", 0, 0, "3 4"},
    {HAS_Q("3", ",chain") RULE("ARGS", "@contains z",
	 "") "SecRuleUpdateActionById 3:1 setvar:tx.done=1\n" RULE("TX:done",
	 "@eq 1", "id:4,phase:2"),
	"/?x=q", 0, 0, ""},
    /* new transformations come behind the others, or instead of them */
    {RULE("ARGS", "@streq q",
	 "id:2,phase:2,t:lowercase") "SecRuleUpdateActionById 2 "
				     "t:none,t:trim\n",
	"/?x=q+&y=Q+", 0, 0, "2"},
    {RULE("ARGS", "@streq q",
	 "id:3,phase:2,t:lowercase") "SecRuleUpdateActionById 3 t:trim\n",
	"/?x=q+&y=Q+", 0, 0, "3 3"},
    {HAS_Q("2", "") "SecRuleUpdateTargetById 2 \"!ARGS:a,REQUEST_HEADERS:B\"\n",
	"/?a=q&b=q", "B: q", 0, "2 2"},
    {HAS_Q(
	 "3", ",tag:'t2'") "SecRuleUpdateTargetByTag t2 REQUEST_COOKIES ARGS\n",
	"/?a=q", "Cookie: k=q", 0, "3"},
    {HAS_Q("4", ",chain") RULE(
	 "ARGS", "@contains q", "") "SecRuleUpdateTargetById 4 \"!ARGS:b\"\n",
	"/?b=q", 0, 0, ""},
    {HAS_Q("1", ",tag:'one/two'") HAS_Q("2", ",tag:'one/three'") HAS_Q(
	 "3", ",msg:'hello'") HAS_Q("4", ",msg:'hello all'") HAS_Q("5", "")
	    HAS_Q("6", "") HAS_Q("7", "") "SecRuleRemoveByTag ^one/t[w]\n"
					  "SecRuleRemoveByMsg ^hello$\n"
					  "SecRuleRemoveById 5 6-7\n",
	"/?x=q", 0, 0, "2 4"},
    /* tags and messages are regexes anywhere in them */
    {ACTION("id:1,phase:1,nolog,ctl:ruleRemoveByTag=zz,ctl:ruleRemoveByMsg=bye,"
	    "ctl:ruleRemoveById=4-5") HAS_Q("2", ",tag:'azza'") HAS_Q("3",
	 ",msg:'good bye all'") HAS_Q("4", "") HAS_Q("5", "") HAS_Q("6", ""),
	"/?x=q", 0, 0, "6"},
    {ACTION("id:1,phase:1,nolog,ctl:ruleRemoveTargetByTag=a/b;ARGS:x") HAS_Q(
	 "2", ",tag:'a/b'") HAS_Q("3", ",tag:'a/bc'") HAS_Q("4", ",tag:'b'"),
	"/?x=q&y=q", 0, 0, "2 3 4 4"},
    {ACTION("id:1,phase:1,nolog,ctl:ruleRemoveTargetById=2-3;ARGS:x")
	    HAS_Q("2", "") HAS_Q("3", "") HAS_Q("4", ""),
	"/?x=q&y=q", 0, 0, "2 3 4 4"},
};

START_TEST(rules_are_changed_as_told)
{
	check_asks(update_asks, NELEMS(update_asks));
}
END_TEST

/* --- names that rules write ----------------------------------------------- */

#define IS(var, value, id) RULE(var, "@streq " value, "id:" id ",phase:2")

static const struct ask set_asks[] = {
    {ACTION("id:1,phase:1,nolog,setvar:tx.x=3,setvar:tx.y=%{tx.x},"
	    "setvar:tx.z=+%{tx.x},setvar:tx.z=+%{tx.y},"
	    "setvar:'tx.n_%{tx.z}=v %{REQUEST_METHOD}'") IS("TX:y", "3", "2")
	    IS("TX:z", "6", "3") IS("TX:n_6", "v POST", "4"),
	0, 0, 0, "2 3 4"},
    /* no counter goes below nothing, a text counts as nothing */
    {ACTION("id:1,phase:1,nolog,setvar:tx.w=-5,setvar:tx.v=abc,setvar:tx.v=+2,"
	    "setvar:tx.u,setvar:tx.e=,setvar:tx.q=+-2") IS("TX:w", "0", "2")
	    IS("TX:v", "2", "3") IS("TX:u", "1", "4") MATCH("TX:e", "5")
		IS("TX:q", "0", "6"),
	0, 0, 0, "2 3 4 5 6"},
    {ACTION("id:1,phase:1,nolog,setvar:tx.x=1,setvar:!tx.x")
	    RULE("&TX:x", "@eq 0", "id:2,phase:2"),
	0, 0, 0, "2"},
    /* blanks before a value are none of it */
    {ACTION("id:1,phase:1,nolog,setvar:'tx.a=  lead ',setvar:'tx.b= +2'")
	    IS("TX:a", "lead ", "2") IS("TX:b", "2", "3"),
	0, 0, 0, "2 3"},
    {ACTION("id:1,phase:1,nolog,setvar:tx.Up=1") IS("TX:up", "1", "2"), 0, 0, 0,
	"2"},
    /* captures of before go away, those of a rule without capture stay */
    {RULE("ARGS:a", "@rx (q)(1)", "id:1,phase:2,nolog,capture")
	    RULE("ARGS:b", "@rx (y)", "id:2,phase:2,nolog,capture")
		RULE("ARGS:c", "@rx (z)", "id:3,phase:2,nolog")
		    IS("TX:1", "y", "4") MATCH("TX:2", "5"),
	"/?a=q1&b=y&c=z", 0, 0, "4"},
    {RULE("ARGS:a", "@pm one two", "id:1,phase:2,nolog,capture")
	    IS("TX:0", "two", "2"),
	"/?a=a+two+one", 0, 0, "2"},
};

START_TEST(names_are_written_as_told)
{
	check_asks(set_asks, NELEMS(set_asks));
}
END_TEST

/* --- variables ------------------------------------------------------------ */

static const struct ask variable_asks[] = {
    {MATCH("AUTH_TYPE|PATH_INFO|SESSIONID|USERID", "1"), 0, 0, 0, ""},
    {ACTION("id:1,phase:1,nolog,setsid:s,setuid:u") IS("SESSIONID", "s", "2")
	    IS("USERID", "u", "3"),
	0, 0, 0, "2 3"},
    {MATCH("ENV:nope", "1") RULE("&ENV:nope", "@eq 0", "id:2,phase:2"), 0, 0, 0,
	"2"},
    {RULE("DURATION", "@rx ^[0-9]+$", "id:1,phase:2"), 0, 0, 0, "1"},
    {MATCH("REQBODY_ERROR_MSG|REQBODY_PROCESSOR|REQUEST_BASENAME", "1"), 0, 0,
	0, "1 1 1"},
    {"SecArgumentSeparator ;\n" RULE("ARGS:a", "@streq 1&b=2", "id:1,phase:2")
	    IS("ARGS:c", "3", "2"),
	"/?a=1&b=2;c=3", 0, 0, "1 2"},
    {RULE("ARGS", "@rx q", "id:1,phase:2,chain") RULE("MATCHED_VARS", "@rx z",
	 "chain") RULE("MATCHED_VARS_NAMES", "@rx a$", ""),
	"/?a=qz&b=q&c=z", 0, 0, "1 1"},
    {RULE("&MATCHED_VARS", "@eq 0", "id:1,phase:2"), "/?a=1", 0, 0, "1"},
};

START_TEST(variables_are_there_or_not)
{
	check_asks(variable_asks, NELEMS(variable_asks));
}
END_TEST

START_TEST(who_is_not_known_has_no_name)
{
	const struct ask ask = {MATCH("REMOTE_USER", "1"), 0, 0, 0, 0};

	tx_begin(&ask);
	request.user = (span){0};
	ck_assert_str_eq(tx_said(tx_run(NULL)), "");
	tx_end();
}
END_TEST

/* In two digits, months from 01. */
START_TEST(times_are_written_as_of_a_clock)
{
	const struct ask ask = {
	    IS("TIME_MON", "01", "1") IS("TIME_DAY", "03", "2") IS("TIME_HOUR",
		"06", "3") IS("TIME_MIN", "04", "4") IS("TIME_SEC", "05", "5")
		IS("TIME_WDAY", "3", "6") IS("TIME_YEAR", "2024", "7"),
	    0, 0, 0, 0};

	ck_assert_int_eq(setenv("TZ", "UTC0", 1), 0);
	tzset();
	tx_begin(&ask);
	request.now.tv_sec = 1704261845;
	ck_assert_str_eq(tx_said(tx_run(NULL)), "1 2 3 4 5 6 7");
	tx_end();
}
END_TEST

/* --- operators ------------------------------------------------------------ */

#define ASK(op, id) RULE("ARGS:a", op, "id:" id ",phase:2")
#define TEXTS \
	ASK("@containsWord one", "1") \
	ASK("@beginsWith %{ARGS.b}", "2") \
	ASK("@endsWith %{ARGS.b}", "3") \
	ASK("@within %{ARGS.b}", "4") \
	ASK("@contains %{ARGS.b}", "5") \
	ASK("@streq %{ARGS.b}", "6") \
	ASK("@strmatch ne", "7") \
	ASK("@eq %{ARGS.b}", "8") \
	ASK("@ge 5", "9") \
	ASK("!@within one two", "10") \
	ASK("@noMatch", "13") ASK("!@noMatch", "14") ASK("@lt -1", "15")
#define CARD ASK("@verifyCC \\d{13,16}", "1")
#define ESCAPES \
	RULE("REQUEST_URI_RAW", "@validateUrlEncoding", "id:1,phase:2") \
	ASK("@validateUrlEncoding", "2")

static const struct ask operator_asks[] = {
    {TEXTS, "/?a=one&b=one", 0, 0, "1 2 3 4 5 6 7 8 14"},
    {TEXTS, "/?a=two+one&b=one", 0, 0, "1 3 5 7 8 10 14"},
    {TEXTS, "/?a=xone&b=one", 0, 0, "3 5 7 8 10 14"},
    {TEXTS, "/?a=one!&b=on", 0, 0, "1 2 5 7 8 10 14"},
    {TEXTS, "/?a=5abc&b=5", 0, 0, "2 5 8 9 10 14"},
    {TEXTS, "/?a=-7&b=7", 0, 0, "3 5 10 14 15"},
    {TEXTS, "/?a=+6&b=6", 0, 0, "3 5 8 9 10 14"},
    {TEXTS, "/?a=0x10&b=16", 0, 0, "10 14"},
    {CARD, "/?a=4111111111111111", 0, 0, "1"},
    {CARD, "/?a=no+4111111111111112+yes+4012888888881881", 0, 0, "1"},
    {CARD, "/?a=4111-1111-1111-1111", 0, 0, ""},
    {CARD, "/?a=0000000000000", 0, 0, "1"},
    {ESCAPES, "/?a=%zz", 0, 0, "1 2"},
    {ESCAPES, "/?a=%25zz", 0, 0, "2"},
    {ESCAPES, "/?a=%2", 0, 0, "1 2"},
    {ESCAPES, "/?a=%2541", 0, 0, ""},
    {ASK("@validateUtf8Encoding", "1"), "/?a=%c3%a9", 0, 0, ""},
    {ASK("@validateUtf8Encoding", "1"), "/?a=%ed%a0%80", 0, 0, "1"},
    {ASK("@ipMatch 10.0.0.0/8,192.168.1.1,2001:db8::/32", "1"), "/?a=10.1.2.3",
	0, 0, "1"},
    {ASK("@ipMatch 10.0.0.0/8,192.168.1.1,2001:db8::/32", "1"),
	"/?a=192.168.1.2", 0, 0, ""},
    {ASK("@ipMatch 10.0.0.0/8,192.168.1.1,2001:db8::/32", "1"),
	"/?a=2001:db8::5", 0, 0, "1"},
    {RULE("ARGS:a", "@streq 3", "id:1,phase:2,t:length") RULE("ARGS:a",
	 "@streq 900150983cd24fb0d6963f7d28e17f72",
	 "id:2,phase:2,t:md5,t:hexEncode") RULE("ARGS:a",
	 "@streq a9993e364706816aba3e25717850c26c9cd0d89d",
	 "id:3,phase:2,t:sha1,t:hexEncode")
	    RULE("ARGS:b", "@streq abc", "id:4,phase:2,t:hexDecode")
		RULE("ARGS:c", "@streq a'b", "id:5,phase:2,t:escapeSeqDecode"),
	"/?a=abc&b=616263&c=a\\x27b", 0, 0, "1 2 3 4 5"},
};

START_TEST(operators_hold_for_what_they_should)
{
	check_asks(operator_asks, NELEMS(operator_asks));
}
END_TEST

/* What a macro puts into a pattern is text: a client writes no patterns. */
#define WHOLE ASK("@rx ^%{ARGS.b}$", "1")
#define GROUP ASK("@rx ^(?:x|%{ARGS.b})$", "1")
#define LISTED \
	ACTION("id:9,phase:1,nolog,setvar:'tx.l=a/soap+xml|b.c'") \
	ASK("@rx ^(?:%{tx.l})$", "1") ASK("!@rx ^(?:%{tx.l})$", "2")

static const struct ask macro_asks[] = {
    {WHOLE, "/?a=abc&b=a.c", 0, 0, ""},
    {WHOLE, "/?a=a.c&b=a.c", 0, 0, "1"},
    {WHOLE, "/?a=x%2by&b=x%2by", 0, 0, "1"},
    {WHOLE, "/?a=x%5cy&b=x%5cy", 0, 0, "1"},
    {WHOLE, "/?a=x1y&b=x%5cdy", 0, 0, ""},
    {WHOLE, "/?a=(x&b=(x", 0, 0, "1"},
    {WHOLE, "/?a=[x]?&b=[x]?", 0, 0, "1"},
    {WHOLE, "/?a=xx&b=x{2}", 0, 0, ""},
    {WHOLE, "/?a=x&b=x|y", 0, 0, ""},
    {WHOLE, "/?a=x%00y&b=x%00y", 0, 0, "1"},
    {GROUP, "/?a=(&b=(", 0, 0, "1"},
    {GROUP, "/?a=x&b=(", 0, 0, "1"},
    {LISTED, "/?a=a/soap%2bxml", 0, 0, "1"},
    {LISTED, "/?a=b.c", 0, 0, "1"},
    {LISTED, "/?a=bxc", 0, 0, "2"},
    {LISTED, "/?a=a/soappxml", 0, 0, "2"},
};

START_TEST(macros_in_patterns_are_text)
{
	check_asks(macro_asks, NELEMS(macro_asks));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    rules_go_on_where_they_say,
	    rules_are_changed_as_told,
	    names_are_written_as_told,
	    variables_are_there_or_not,
	    who_is_not_known_has_no_name,
	    times_are_written_as_of_a_clock,
	    operators_hold_for_what_they_should,
	    macros_in_patterns_are_text,
	};

	return unit_run("sec_rare", tests, NELEMS(tests));
}
