/* sec_tx: rules as text, one request, and what they said of it, as ModSecurity
 * 2.9 would have: the ids that logged, in order, then what became of it. */
#include <poll.h>

#include "t/unit/sec_tx_fixture.h"

/* --- what a rule looks at ------------------------------------------------- */

static const struct ask target_asks[] = {
    {RULE("ARGS:a", "@streq 1", "id:1"), "/?a=1", 0, 0, "1"},
    {RULE("ARGS:A", "@streq 1", "id:1"), "/?a=1", 0, 0, "1"},
    {RULE("ARGS:a", "@streq 1", "id:1"), "/?b=1", 0, 0, ""},
    {RULE("ARGS:a", "!@streq 1", "id:1"), "/?b=1", 0, 0, ""},
    {RULE("ARGS:a", "!@streq 1", "id:1"), "/?a=2&a=1&a=3", 0, 0, "1 1"},
    {RULE("&ARGS:a", "@eq 2", "id:1"), "/?a=2&a=1&b=3", 0, 0, "1"},
    {RULE("&ARGS", "@eq 0", "id:1"), "/", 0, 0, "1"},
    {RULE("&ARGS:a", "!@eq 0", "id:1"), "/?a", 0, 0, "1"},
    {RULE("ARGS|!ARGS:b", "@streq 1", "id:1"), "/?a=1&b=1", 0, 0, "1"},
    {RULE("!ARGS:b|ARGS", "@streq 1", "id:1"), "/?a=2&b=1", 0, 0, "1"},
    {RULE("ARGS|!ARGS:/^b/", "@streq 1", "id:1"), "/?bb=1&ab=2", 0, 0, ""},
    {RULE("ARGS:/^b/", "@streq 1", "id:1"), "/?bb=1&ab=1", 0, 0, "1"},
    {RULE("ARGS_NAMES", "@streq a", "id:1"), "/?a=1&a=2", 0, 0, "1 1"},
    {RULE("ARGS", "@rx ^a$", "id:1,t:lowercase"), "/?x=A", 0, 0, "1"},
    {RULE("ARGS", "@rx ^A$", "id:1,t:lowercase,multiMatch"), "/?x=A", 0, 0,
	"1"},
    {RULE("ARGS", "@rx (?i)^a$", "id:1,t:lowercase,multiMatch"), "/?x=A", 0, 0,
	"1 1"},
    /* some transformations are asked again though nothing changed */
    {RULE("ARGS", "@streq a", "id:1,t:cmdLine,multiMatch"), "/?x=a", 0, 0,
	"1 1"},
    {RULE("ARGS", "@rx a", "id:1,t:compressWhitespace,multiMatch"), "/?x=a%09",
	0, 0, "1"},
    {RULE("ARGS", "@rx a", "id:1,t:utf8toUnicode,multiMatch"), "/?x=a%00", 0, 0,
	"1"},
    {RULE("ARGS", "@rx a", "id:1,t:utf8toUnicode,multiMatch"), "/?x=a%c3%a9", 0,
	0, "1 1"},
    {RULE("ARGS:a", "@streq 1", "id:1"), "/?a%00b=1", 0, 0, "1"},
    {RULE("QUERY_STRING|REQUEST_BODY|MULTIPART_NAME", "@rx ^", "id:1"), "/", 0,
	0, ""},
    {RULE("QUERY_STRING", "@rx ^", "id:1"), "/?", 0, 0, "1"},
    {RULE("REQUEST_COOKIES:b", "@streq 2", "id:1"), 0, "Cookie: a=1, b=2", 0,
	"1"},
    {RULE("REQUEST_COOKIES:b", "@streq 2", "id:1"), 0, "Cookie: a=1,b=2", 0,
	""},
    {RULE("ARGS", "@streq a b", "id:1"), "/?x=a+b&y=a%20b", 0, 0, "1 1"},
    {RULE("REQUEST_COOKIES:b", "@streq 2", "id:1"), 0, "Cookie: a=1; b=2", 0,
	"1"},
    {RULE("REQUEST_HEADERS:host", "@streq x", "id:1"), 0, "Host: x", 0, "1"},
    {RULE("REQUEST_HEADERS_NAMES", "@streq Host", "id:1"), 0, "Host: x", 0,
	"1"},
    {RULE("ARGS_POST:a", "@streq 1", "id:1,phase:2")
	    RULE("ARGS_GET:a", "@streq 1", "id:2,phase:2"),
	0, FORM, "a=1", "1"},
};

START_TEST(a_rule_sees_what_its_targets_name)
{
	check_asks(target_asks, NELEMS(target_asks));
}
END_TEST

/* --- chains, order -------------------------------------------------------- */

#define A_AND_B \
	RULE("ARGS:a", "@streq 1", "id:1,phase:2,deny,chain,setvar:tx.seen=1") \
	RULE("ARGS:b", "@streq 2", "") \
	RULE("TX:seen", "@streq 1", "id:2,phase:2")

static const struct ask order_asks[] = {
    {A_AND_B, "/?a=1&b=2", 0, 0, "1 deny403"},
    {A_AND_B, "/?a=1&b=1", 0, 0, "2"},
    {A_AND_B, "/?a=2&b=2", 0, 0, ""},
    {ACTION("id:3,phase:3") ACTION("id:5,phase:5") ACTION("id:4,phase:4")
	    ACTION("id:1,phase:1") ACTION("id:2,phase:2"),
	0, 0, 0, "1 2 3 4 5"},
    {ACTION("id:1,skip:1") ACTION("id:2") ACTION("id:3"), 0, 0, 0, "1 3"},
    {ACTION("id:1,skipAfter:END")
	    ACTION("id:2") "SecMarker END\n" ACTION("id:3"),
	0, 0, 0, "1 3"},
    {ACTION("id:1,phase:1,skipAfter:END") ACTION("id:2,phase:2")
	    ACTION("id:4,phase:1") "SecMarker END\n" ACTION("id:3,phase:1"),
	0, 0, 0, "1 3 2"},
    {RULE("ARGS:a", "@streq 1", "id:1,phase:2,skipAfter:END,chain")
	    RULE("ARGS:b", "@streq 2", "") ACTION("id:2") "SecMarker END\n",
	"/?a=1&b=3", 0, 0, "2"},
    {RULE("ARGS:a", "@streq 1", "id:1,phase:2,skipAfter:END,chain")
	    RULE("ARGS:b", "@streq 2", "") ACTION("id:2") "SecMarker END\n",
	"/?a=1&b=2", 0, 0, "1"},
    {ACTION("id:1,phase:1,allow") ACTION("id:2,phase:1")
	    ACTION("id:3,phase:2,deny") ACTION("id:4,phase:5"),
	0, 0, 0, "1 4"},
    {ACTION("id:1,phase:1,allow:phase") ACTION("id:2,phase:1")
	    ACTION("id:3,phase:2"),
	0, 0, 0, "1 3"},
    {ACTION("id:1,phase:1,allow:request") ACTION("id:2,phase:1")
	    ACTION("id:3,phase:2") ACTION("id:4,phase:3"),
	0, 0, 0, "1 4"},
    {ACTION("id:1,phase:1,nolog") ACTION("id:2,phase:1"), 0, 0, 0, "2"},
};

START_TEST(rules_are_tried_in_order)
{
	check_asks(order_asks, NELEMS(order_asks));
}
END_TEST

/* --- refusing ------------------------------------------------------------- */

static const struct ask refusal_asks[] = {
    {ACTION("id:1,phase:1,deny"), 0, 0, 0, "1 deny403"},
    {ACTION("id:1,phase:1,deny,status:429") ACTION("id:2,phase:2"), 0, 0, 0,
	"1 deny429"},
    {ACTION("id:1,phase:1,drop"), 0, 0, 0, "1 drop403"},
    {ACTION("id:1,phase:1,redirect:/x"), 0, 0, 0, "1 redirect302"},
    {ACTION("id:1,phase:1,redirect:/x,status:303"), 0, 0, 0, "1 redirect303"},
    {ACTION("id:1,phase:1,redirect:/x,status:403"), 0, 0, 0, "1 redirect302"},
    {ACTION("id:1,phase:1,block"), 0, 0, 0, "1"},
    {"SecDefaultAction \"phase:1,log,deny,status:406\"\n" ACTION(
	 "id:1,phase:1,block"),
	0, 0, 0, "1 deny406"},
    {"SecRuleEngine DetectionOnly\n" ACTION("id:1,phase:1,deny")
	    ACTION("id:2,phase:1"),
	0, 0, 0, "1 2"},
    {"SecRuleEngine Off\n" ACTION("id:1,phase:1,deny"), 0, 0, 0, ""},
    {ACTION("id:1,phase:4,deny"), 0, 0, 0, "1 deny403"},
};

START_TEST(what_refuses_ends_it)
{
	check_asks(refusal_asks, NELEMS(refusal_asks));
}
END_TEST

/* As 2.9: those of phase 5 see what was refused. */
START_TEST(what_was_refused_is_seen_by_the_last_phase)
{
	const struct ask ask = {ACTION("id:1,phase:1,deny,status:429") ACTION(
				    "id:2,phase:1") ACTION("id:3,phase:5")
				    RULE("ARGS", "@rx ^[12]$", "id:4,phase:5"),
	    "/?a=1&b=2", 0, 0, 0};

	tx_begin(&ask);
	ck_assert_int_eq(sec_tx_phase(tx, 1), SEC_OUTCOME_DENY);
	ck_assert_str_eq(tx_said(sec_tx_phase(tx, 5)), "1 3 4 4 deny429");
	tx_end();
}
END_TEST

START_TEST(a_redirect_has_its_macros_replaced)
{
	const struct ask ask = {
	    ACTION("id:7,phase:1,redirect:/at?%{REMOTE_ADDR}"), 0, 0, 0, 0};

	tx_begin(&ask);
	ck_assert_int_eq(sec_tx_phase(tx, 1), SEC_OUTCOME_REDIRECT);
	ck_assert_span_eq(sec_tx_redirect(tx), "/at?192.0.2.7");
	ck_assert_uint_eq(sec_tx_refuser(tx)->id, 7);
	tx_end();
}
END_TEST

START_TEST(who_only_detects_refuses_nothing)
{
	const struct ask ask = {
	    ACTION("id:1,phase:1,deny") ACTION("id:2,phase:1"), 0, 0, 0, 0};

	tx_begin(&ask);
	sec_tx_detect(tx);
	ck_assert_str_eq(tx_said(tx_run(NULL)), "1 2");
	ck_assert_ptr_null(sec_tx_refuser(tx));
	tx_end();
}
END_TEST

/* --- names that rules write ----------------------------------------------- */

/* A rule that logs when TX:x is the value. */
#define X_IS(value) RULE("TX:x", "@streq " value, "id:9,phase:2")

static const struct ask write_asks[] = {
    {ACTION("id:1,nolog,phase:2,setvar:tx.x=1") X_IS("1"), 0, 0, 0, "9"},
    {ACTION("id:1,nolog,phase:2,setvar:TX.X=1") X_IS("1"), 0, 0, 0, "9"},
    {ACTION("id:1,nolog,phase:2,setvar:tx.x") X_IS("1"), 0, 0, 0, "9"},
    {ACTION("id:1,nolog,phase:2,setvar:tx.x=+2,setvar:tx.x=+3") X_IS("5"), 0, 0,
	0, "9"},
    {ACTION("id:1,nolog,phase:2,setvar:tx.x=7,setvar:tx.x=-3") X_IS("4"), 0, 0,
	0, "9"},
    {ACTION("id:1,nolog,phase:2,setvar:tx.x=1,setvar:tx.x=-3") X_IS("0"), 0, 0,
	0, "9"},
    {ACTION("id:1,nolog,phase:2,setvar:tx.x=1,setvar:!tx.x")
	    RULE("&TX:x", "@eq 0", "id:9,phase:2"),
	0, 0, 0, "9"},
    {ACTION("id:1,nolog,phase:2,setvar:tx.y=4,setvar:tx.x=+%{tx.y}") X_IS("4"),
	0, 0, 0, "9"},
    {ACTION("id:1,nolog,phase:2,setvar:tx.n=x,setvar:tx.%{tx.n}=3") X_IS("3"),
	0, 0, 0, "9"},
    {RULE("ARGS", "@rx ^", "id:1,nolog,phase:2,setvar:tx.v_%{MATCHED_VAR}=3")
	    RULE("TX:/^v_/", "@streq 3", "id:9,phase:2"),
	"/?a=p&b=q", 0, 0, "9 9"},
    {RULE("ARGS", "@rx a", "id:1,nolog,phase:2,setvar:tx.x=+1") X_IS("2"),
	"/?a=a&b=a&c=b", 0, 0, "9"},
    {RULE("ARGS", "@rx (b+)(c)?", "id:1,nolog,phase:2,capture") RULE("TX:0",
	 "@streq bb", "id:2,phase:2") RULE("TX:1", "@streq bb", "id:3,phase:2"),
	"/?a=abba", 0, 0, "2 3"},
    {RULE("ARGS", "@rx (b+)", "id:1,nolog,phase:2")
	    RULE("TX:1", "@streq bb", "id:3,phase:2"),
	"/?a=abba", 0, 0, ""},
    {RULE("ARGS:a", "@rx ^(.)", "id:1,phase:2,chain,capture")
	    RULE("ARGS:b", "@streq %{tx.1}", ""),
	"/?a=pq&b=p", 0, 0, "1"},
    {RULE("ARGS:a", "@rx ^(.)", "id:1,phase:2,chain,capture")
	    RULE("ARGS:b", "@rx ^%{tx.1}$", ""),
	"/?a=pq&b=p", 0, 0, "1"},
    {ACTION("id:1,nolog,phase:1,initcol:ip=x,setvar:ip.n=+1")
	    RULE("IP:n", "@eq 1", "id:2,phase:2"),
	0, 0, 0, "2"},
    {ACTION("id:1,nolog,phase:1,setvar:ip.n=+1")
	    RULE("IP:n", "@eq 1", "id:2,phase:2"),
	0, 0, 0, ""},
    {ACTION("id:1,nolog,phase:1,initcol:ip=x,initcol:ip=y") RULE("IP:KEY",
	 "@streq x", "id:2,phase:2") RULE("IP:IS_NEW", "@eq 1", "id:3,phase:2")
	    RULE("IP:CREATE_TIME", "@eq 1700000000", "id:4,phase:2")
		RULE("IP:TIMEOUT", "@eq 3600", "id:5,phase:2")
		    RULE("IP:UPDATE_COUNTER", "@eq 0", "id:6,phase:2"),
	0, 0, 0, "2 3 4 5 6"},
    {ACTION("id:1,nolog,phase:1,initcol:ip=x,setvar:ip.key=z,setvar:!ip.KEY")
	    RULE("IP:KEY", "@streq x", "id:2,phase:2"),
	0, 0, 0, "2"},
    {ACTION("id:1,nolog,phase:1,setsid:s1,setuid:u1")
	    RULE("SESSIONID", "@streq s1", "id:2,phase:2")
		RULE("USERID", "@streq u1", "id:3,phase:2")
		    RULE("USER:KEY", "@streq u1", "id:4,phase:2"),
	0, 0, 0, "2 3 4"},
};

START_TEST(rules_write_names)
{
	check_asks(write_asks, NELEMS(write_asks));
}
END_TEST

START_TEST(what_is_fixed_no_rule_changes)
{
	static const struct sec_fixed fixed[] = {
	    {SPAN_LIT("X"), SPAN_LIT("8")}, {SPAN_LIT("none"), SPAN_LIT("1")}};
	const struct ask ask = {
	    ACTION("id:1,nolog,phase:1,setvar:tx.x=1,setvar:"
		   "tx.x=+1,setvar:!tx.x") X_IS("8"),
	    0, 0, 0, 0};

	tx_begin_with(&ask, fixed, NELEMS(fixed));
	ck_assert_str_eq(tx_said(tx_run(NULL)), "9");
	ck_assert_span_eq(sec_tx_value(tx, SPAN_LIT("x")), "8");
	ck_assert_uint_eq(sec_tx_value(tx, SPAN_LIT("y")).len, 0);
	tx_end();
}
END_TEST

#define LEVEL(id, op) RULE("TX:x", op, "id:" id ",phase:2,nolog,skipAfter:END")
#define SKIPPED RULE("ARGS", "@rx ^a+$", "id:10,phase:2") "SecMarker END\n"

/* A rule about what is fixed is known to hold or not: what it skips is not
 * asked, unless a ctl takes the rule away. */
START_TEST(what_is_fixed_skips)
{
	static const struct sec_fixed fixed[] = {
	    {SPAN_LIT("x"), SPAN_LIT("2")}};
	static const struct {
		const char *rules, *said;
	} cases[] = {
	    {LEVEL("1", "@lt 3") SKIPPED, ""},
	    {LEVEL("1", "!@ge 3") SKIPPED, ""},
	    {LEVEL("1", "@lt 2") SKIPPED, "10"},
	    {LEVEL("1", "!@lt 3") SKIPPED, "10"},
	    {ACTION("id:2,phase:1,nolog,ctl:ruleRemoveById=1")
		    LEVEL("1", "@lt 3") SKIPPED,
		"10"},
	    {ACTION("id:2,phase:1,nolog,ctl:ruleRemoveTargetById=1;TX:x")
		    LEVEL("1", "@lt 3") SKIPPED,
		"10"},
	    {LEVEL("1", "@lt 3") RULE("ARGS", "@rx ^a+$", "id:3,phase:1")
		    SKIPPED,
		"3"},
	    {RULE("TX:x", "@lt 2", "id:1,phase:2,chain")
		    RULE("ARGS", "@rx ^a+$", "") SKIPPED,
		"10"},
	};

	for (size_t i = 0; i < NELEMS(cases); i++) {
		const struct ask ask = {cases[i].rules, "/?q=aa", 0, 0, 0};

		tx_begin_with(&ask, fixed, NELEMS(fixed));
		ck_assert_str_eq(tx_said(tx_run(NULL)), cases[i].said);
		tx_end();
	}
}
END_TEST

/* --- ctl ------------------------------------------------------------------ */

#define CTL(what) ACTION("id:1,phase:1,nolog,ctl:" what)
#define TAGGED(id) \
	RULE("ARGS", "@streq 1", \
	    "id:" id ",phase:2,tag:'t/" id "',msg:'m" id "'")

static const struct ask ctl_asks[] = {
    {CTL("ruleRemoveById=10") TAGGED("10") TAGGED("11"), "/?a=1", 0, 0, "11"},
    {CTL("ruleRemoveById=10-11") TAGGED("10") TAGGED("12"), "/?a=1", 0, 0,
	"12"},
    {CTL("ruleRemoveByTag=t/10") TAGGED("10") TAGGED("11"), "/?a=1", 0, 0,
	"11"},
    {CTL("ruleRemoveByMsg=m10") TAGGED("10") TAGGED("11"), "/?a=1", 0, 0, "11"},
    {CTL("ruleRemoveTargetById=10;ARGS:a") TAGGED("10") TAGGED("11"), "/?a=1",
	0, 0, "11"},
    {CTL("ruleRemoveTargetById=10;ARGS:b") TAGGED("10") TAGGED("11"), "/?a=1",
	0, 0, "10 11"},
    {CTL("ruleRemoveTargetByTag=t/10;ARGS") TAGGED("10") TAGGED("11"), "/?a=1",
	0, 0, "11"},
    {CTL("ruleRemoveTargetByMsg=m10;ARGS:/a/") TAGGED("10") TAGGED("11"),
	"/?a=1", 0, 0, "11"},
    {CTL("ruleRemoveTargetByTag=t/10;ARGS:a") RULE("ARGS", "@rx ^1$",
	 "id:10,phase:2,tag:t/10") RULE("ARGS", "@rx ^1$", "id:11,phase:2")
	    RULE("ARGS", "@rx ^1$", "id:12,phase:2,tag:t/10"),
	"/?a=1&b=2", 0, 0, "11"},
    {CTL("ruleRemoveTargetById=10;ARGS:a")
	    RULE("ARGS", "@pm 1 2", "id:10,phase:2"),
	"/?a=1&b=2", 0, 0, "10"},
    {RULE("ARGS", "@streq 1", "id:1,phase:2,ctl:ruleRemoveTargetById=1;ARGS"),
	"/?a=1&b=1", 0, 0, "1 1"},
    {CTL("ruleEngine=Off") TAGGED("10"), "/?a=1", 0, 0, ""},
    {CTL("ruleEngine=DetectionOnly") ACTION("id:2,phase:2,deny"), 0, 0, 0, "2"},
    {CTL("requestBodyAccess=Off") RULE("ARGS_POST", "@rx .", "id:2,phase:2"), 0,
	FORM, "a=1", ""},
    {CTL("forceRequestBodyVariable=On")
	    RULE("REQUEST_BODY", "@streq z=1", "id:2,phase:2"),
	0, "Content-Type: x/y", "z=1", "2"},
    {RULE("REQUEST_BODY", "@streq z=1", "id:2,phase:2"), 0, "Content-Type: x/y",
	"z=1", ""},
    {RULE("REQUEST_BODY", "@streq z=1", "id:2,phase:2"), 0, FORM, "z=1", "2"},
    {CTL("requestBodyProcessor=URLENCODED")
	    RULE("ARGS:z", "@streq 1", "id:2,phase:2"),
	0, "Content-Type: x/y", "z=1", "2"},
};

START_TEST(a_rule_changes_what_follows)
{
	check_asks(ctl_asks, NELEMS(ctl_asks));
}
END_TEST

START_TEST(who_is_audited_and_read_is_asked)
{
	const struct ask ask = {
	    "SecResponseBodyMimeType text/html\n"
	    "SecResponseBodyAccess On\n" CTL(
		"auditEngine=Off,ctl:responseBodyAccess=Off"),
	    0, 0, 0, 0};

	tx_begin(&ask);
	ck_assert(sec_tx_is_audited(tx) && sec_tx_wants_body(tx));
	ck_assert(sec_tx_wants_answer_body(tx, SPAN_LIT("text/HTML")));
	ck_assert(!sec_tx_wants_answer_body(tx, SPAN_LIT("image/png")));
	(void)sec_tx_phase(tx, 1);
	ck_assert(!sec_tx_is_audited(tx));
	ck_assert(!sec_tx_wants_answer_body(tx, SPAN_LIT("text/html")));
	tx_end();
}
END_TEST

/* --- messages ------------------------------------------------------------- */

static const struct {
	const char *rules, *target, *msg, *data;
} message_asks[] = {
    {RULE("ARGS:a", "@rx b",
	 "id:5,phase:2,msg:'M %{rule.id}',logdata:'%{"
	 "MATCHED_VAR_NAME}=%{MATCHED_VAR}'"),
	"/?a=abc", "M 5", "ARGS:a=abc"},
    {RULE("ARGS", "@rx (b)",
	 "id:5,phase:2,capture,msg:'%{TX.0}',logdata:'%{"
	 "tx.1}|%{tx.none}|%{REQUEST_HEADERS.Host}|'"),
	"/?a=abc", "b", "b||x|"},
    {RULE("ARGS", "@streq ABC",
	 "id:5,phase:2,t:uppercase,logdata:'%{"
	 "MATCHED_VAR}'"),
	"/?a=abc", "", "ABC"},
    {RULE("ARGS:a", "@rx a",
	 "id:5,phase:2,chain,logdata:'%{"
	 "MATCHED_VAR_NAME}'") RULE("ARGS:b", "@rx q", ""),
	"/?a=abc&b=q", "", "ARGS:b"},
    {RULE("ARGS", "@rx a",
	 "id:5,phase:2,chain,logdata:'%{"
	 "MATCHED_VAR}'") RULE("MATCHED_VARS", "@rx ^ac", ""),
	"/?a=ab&b=ac", "", "ac"},
    {RULE("ARGS", "@rx a", "id:5,phase:2,chain,logdata:'%{MATCHED_VAR}'")
	    RULE("MATCHED_VARS_NAMES", "@rx b$", ""),
	"/?a=ab&b=ac", "", "ARGS:b"},
    {RULE("ARGS", "@rx 1", "id:5,phase:2,logdata:'%{MATCHED_VAR_NAME}'"),
	"/?=1", "", "ARGS:"},
    {RULE("ARGS", "@rx 1",
	 "id:5,phase:2,msg:'%{ARGS} %{ARGS_NAMES}',"
	 "logdata:'%{FILES}|%{MATCHED_VARS_NAMES}'"),
	"/?b=1&=2", "1 b", "|ARGS:b"},
    {RULE("ARGS", "@rx 1", "id:5,phase:2,logdata:'%{MATCHED_VAR_NAME}'"),
	"/?a%0a%5c%e9%01=1", "", "ARGS:a\\n\\\\\\xe9\\x01"},
    {RULE("&ARGS", "@eq 1", "id:5,phase:2,logdata:'%{MATCHED_VAR_NAME}'"),
	"/?a=1", "", "ARGS"},
    {RULE("&ARGS", "@eq 1", "id:5,phase:2,logdata:'%{MATCHED_VAR}'"), "/?a=1",
	"", "1"},
};

START_TEST(messages_have_their_macros_replaced)
{
	for (size_t i = 0; i < NELEMS(message_asks); i++) {
		const struct ask ask = {message_asks[i].rules,
		    message_asks[i].target, "Host: x", 0, 0};
		const struct sec_message *m;

		tx_begin(&ask);
		(void)tx_run(NULL);
		m = sec_tx_messages(tx);
		ck_assert_msg(m != NULL, "%s", ask.rules);
		ck_assert_span_eq(m->msg, message_asks[i].msg);
		ck_assert_span_eq(m->data, message_asks[i].data);
		ck_assert_uint_eq(m->phase, 2);
		tx_end();
	}
}
END_TEST

/* --- variables of one value ----------------------------------------------- */

static const struct {
	const char *var, *value;
} ones[] = {
    {"REQUEST_METHOD", "POST"},
    {"REQUEST_LINE", "POST /p%41/b.php?a=1&b=%32 HTTP/1.1"},
    {"REQUEST_PROTOCOL", "HTTP/1.1"},
    {"REQUEST_URI", "/pA/b.php?a=1&b=%32"},
    {"REQUEST_URI_RAW", "/p%41/b.php?a=1&b=%32"},
    {"REQUEST_FILENAME", "/pA/b.php"},
    {"REQUEST_BASENAME", "b.php"},
    {"REQUEST_BODY", "c=3&d"},
    {"REQUEST_BODY_LENGTH", "5"},
    {"REQBODY_PROCESSOR", "URLENCODED"},
    {"REQBODY_ERROR", "0"},
    {"REQBODY_ERROR_MSG", ""},
    {"QUERY_STRING", "a=1&b=%32"},
    {"ARGS_COMBINED_SIZE", "7"},
    {"FILES_COMBINED_SIZE", "0"},
    {"URLENCODED_ERROR", "0"},
    {"MULTIPART_STRICT_ERROR", "0"},
    {"MULTIPART_UNMATCHED_BOUNDARY", "0"},
    {"REMOTE_ADDR", "192.0.2.7"},
    {"REMOTE_HOST", "192.0.2.7"},
    {"REMOTE_PORT", "4711"},
    {"REMOTE_USER", "mary"},
    {"SERVER_ADDR", "192.0.2.1"},
    {"SERVER_NAME", "example.org"},
    {"SERVER_PORT", "8080"},
    {"UNIQUE_ID", "id-1"},
    {"TIME_EPOCH", "1700000000"},
    {"TIME_YEAR", "2023"},
    {"TIME_MON", "11"},
    {"RESPONSE_STATUS", "404"},
    {"RESPONSE_PROTOCOL", "HTTP/1.1"},
    {"RESPONSE_CONTENT_TYPE", "text/html"},
    {"RESPONSE_CONTENT_LENGTH", "6"},
    {"RESPONSE_BODY", "<html>"},
    {"STATUS_LINE", "HTTP/1.1 404 Not Found"},
    {"RESPONSE_HEADERS:content-type", "text/html"},
    {"RESPONSE_HEADERS_NAMES:content-type", "Content-Type"},
    {"WEBSERVER_ERROR_LOG", ""},
};

START_TEST(variables_have_their_values)
{
	char rules[512];

	for (size_t i = 0; i < NELEMS(ones); i++) {
		const struct ask ask = {
		    rules, "/p%41/b.php?a=1&b=%32", FORM, 0, 0};

		/* as macros: no operator, no other value comes between */
		(void)snprintf(rules, sizeof(rules),
		    "SecResponseBodyAccess On\nSecRule %s "
		    "\"@unconditionalMatch\" \"id:1,phase:5,"
		    "logdata:'%%{MATCHED_VAR}'\"\n",
		    ones[i].var);
		tx_begin(&ask);
		(void)tx_run("c=3&d");
		ck_assert_msg(sec_tx_messages(tx) != NULL, "%s", ones[i].var);
		ck_assert_msg(
		    span_eq(sec_tx_messages(tx)->data, span_str(ones[i].value)),
		    "%s: \"%.*s\" is not \"%s\"", ones[i].var,
		    SPAN_FMT(sec_tx_messages(tx)->data), ones[i].value);
		tx_end();
	}
}
END_TEST

/* --- bounds --------------------------------------------------------------- */

START_TEST(arguments_have_a_limit)
{
	const struct ask ask = {
	    "SecArgumentsLimit 2\n" RULE("ARGS", "@streq 1", "id:1,phase:2"),
	    "/?a=1&b=1&c=1", 0, 0, 0};

	tx_begin(&ask);
	ck_assert(sec_tx_is_over(tx));
	tx_end();
}
END_TEST

/* Doubles TX:x: its bytes would grow without end. */
#define DOUBLE "setvar:tx.x=%{tx.x}%{tx.x}a%{MATCHED_VAR},"
#define DOUBLE_4 DOUBLE DOUBLE DOUBLE DOUBLE

START_TEST(a_request_has_a_bound_of_memory)
{
	const struct ask ask = {
	    RULE("ARGS", "@rx .", "id:1,phase:2," DOUBLE_4 "nolog")
		ACTION("id:2,phase:2"),
	    "/?a=1&b=2&c=3&d=4&e=5&f=6&g=7", 0, 0, 0};

	tx_begin(&ask);
	ck_assert_str_eq(tx_said(tx_run(NULL)), "");
	ck_assert(sec_tx_is_over(tx));
	ck_assert_uint_lt(arena.used, 4 * (size_t)SEC_TX_BYTES_MAX);
	tx_end();
}
END_TEST

/* As a machine that does something else meanwhile. */
static struct sec_rates
waited_rates(void *self)
{
	(void)self;
	ck_assert_int_eq(poll(NULL, 0, SEC_TX_MS_MAX + 50), 0);
	return (struct sec_rates){.paths = 7};
}

START_TEST(time_that_others_took_is_not_counted)
{
	static char target[3 * 4096];
	const struct ask ask = {
	    RULE("CLIENT_PATH_RATE", "@eq 7", "id:1,phase:1")
		RULE("ARGS", "@rx a.$", "id:2,phase:1")
		    RULE("ARGS:b", "@streq c", "id:3,phase:2"),
	    target, 0, 0, 0};

	(void)snprintf(target, sizeof(target), "/?b=c&a=");
	memset(target + 8, 'a', sizeof(target) - 9);
	tx_begin(&ask);
	request.rates = waited_rates;
	ck_assert_str_eq(tx_said(tx_run(NULL)), "1 2 3");
	ck_assert(!sec_tx_is_over(tx));
	tx_end();
}
END_TEST

/* --- bodies --------------------------------------------------------------- */

#define ARG(name, value) RULE("ARGS:" name, "@streq " value, "id:1,phase:2")
#define FLAG(name) RULE(name, "@eq 1", "id:1,phase:2")
#define NO_FLAG(name) RULE(name, "@eq 0", "id:1,phase:2")
#define STRICT \
	RULE("MULTIPART_STRICT_ERROR", "@eq 1", "id:2,phase:2") \
	RULE("REQBODY_ERROR", "@eq 1", "id:3,phase:2")
#define BAD RULE("REQBODY_ERROR", "@eq 1", "id:3,phase:2")
#define DISPOSITION "Content-Disposition: form-data; name=\"a\""
#define PART(value) "--xx\r\n" DISPOSITION "\r\n\r\n" value "\r\n"
#define LAST "--xx--\r\n"
#define FOLDED_4 " 1\r\n 1\r\n 1\r\n 1\r\n"
#define FOLDED_16 FOLDED_4 FOLDED_4 FOLDED_4 FOLDED_4
#define FOLDED_64 FOLDED_16 FOLDED_16 FOLDED_16 FOLDED_16
#define FOLDED_256 FOLDED_64 FOLDED_64 FOLDED_64 FOLDED_64
#define TYPED(rest) "Content-Type: multipart/form-data" rest
#define FILE_PART(name, value) \
	"--xx\r\nContent-Disposition: form-data; name=\"" name \
	"\"; filename=\"f.txt\"\r\n\r\n" value "\r\n"

static const struct ask multipart_asks[] = {
    {ARG("a", "1") STRICT, 0, PARTS, PART("1") LAST, "1"},
    {RULE("ARGS:a", "@rx ^1\\n2$", "id:1,phase:2") STRICT, 0, PARTS,
	PART("1\n2") LAST, "1"},
    {RULE("ARGS:a", "@rx ^1\\r\\n$", "id:1,phase:2") STRICT, 0, PARTS,
	PART("1\r\n") LAST, "1"},
    {RULE("&ARGS:a", "@eq 2", "id:1,phase:2") STRICT, 0, PARTS,
	PART("1") PART("2") LAST, "1"},
    {RULE("FILES:u", "@streq f.txt", "id:1,phase:2") STRICT, 0, PARTS,
	FILE_PART("u", "123") LAST, "1"},
    {RULE("FILES_NAMES", "@streq u", "id:1,phase:2") STRICT, 0, PARTS,
	FILE_PART("u", "123") LAST, "1"},
    {RULE("FILES_SIZES:u", "@eq 3", "id:1,phase:2") STRICT, 0, PARTS,
	FILE_PART("u", "123") LAST, "1"},
    {RULE("FILES_COMBINED_SIZE", "@eq 5", "id:1,phase:2") STRICT, 0, PARTS,
	FILE_PART("u", "123") FILE_PART("v", "45") LAST, "1"},
    {RULE("MULTIPART_FILENAME", "@streq f.txt", "id:1,phase:2"), 0, PARTS,
	FILE_PART("u", "1") LAST, "1"},
    {RULE("&ARGS", "@eq 0", "id:1,phase:2"), 0, PARTS, FILE_PART("u", "1") LAST,
	"1"},
    {RULE("MULTIPART_PART_HEADERS:a", "@beginsWith Content-Disp",
	 "id:1,phase:2"),
	0, PARTS, PART("1") LAST, "1"},
    {"SecUploadFileLimit 1\n" FLAG("MULTIPART_FILE_LIMIT_EXCEEDED") STRICT, 0,
	PARTS, FILE_PART("u", "1") FILE_PART("v", "1") LAST, "1 2"},
    /* boundaries */
    {FLAG("MULTIPART_BOUNDARY_QUOTED") STRICT, 0, TYPED("; boundary=\"xx\""),
	PART("1") LAST, "1 2"},
    {FLAG("MULTIPART_BOUNDARY_WHITESPACE") STRICT, 0, TYPED("; boundary= xx"),
	PART("1") LAST, "1 2 3"},
    {STRICT, 0, TYPED(""), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; boundary="), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; boundary=\"xx"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; boundary=xx; boundary=yy"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; boundary=x\x01x"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; boundary=x(x"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; boundary=xx; charset=x"), PART("1") LAST, "2 3"},
    /* as some clients tell it */
    {ARG("a", "1") STRICT, 0, TYPED("; boundary=xx; charset=UTF-8"),
	PART("1") LAST, "1"},
    {ARG("a", "1") STRICT, 0, TYPED("; charset=utf-8; boundary=xx"),
	PART("1") LAST, "1"},
    {STRICT, 0, TYPED("; boundary=xx;charset=utf-8;a=b"), PART("1") LAST,
	"2 3"},
    {STRICT, 0, TYPED("; charset=utf-7; boundary=xx"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED(" charset=utf-8; boundary=xx"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; charset=utf-8 boundary=xx"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED(";; boundary=xx"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; boundary=xx;"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; BOUNDARY=xx"), PART("1") LAST, "2 3"},
    {STRICT, 0, TYPED("; q=1; boundary=xx"), PART("1") LAST, "2 3"},
    {FLAG("MULTIPART_MISSING_SEMICOLON") STRICT, 0, TYPED(" boundary=xx"),
	PART("1") LAST, "1 2"},
    {FLAG("MULTIPART_UNMATCHED_BOUNDARY"), 0, PARTS, PART("1 --xx") LAST, "1"},
    {NO_FLAG("MULTIPART_UNMATCHED_BOUNDARY"), 0, PARTS, PART("--\n1") LAST,
	"1"},
    {STRICT, 0, PARTS, PART("1") "-- xx\r\n" LAST, "2 3"},
    {BAD, 0, TYPED("; boundary=\"xx\""), PART("1") "--\"xx\r\n" LAST, "3"},
    {FLAG("MULTIPART_UNMATCHED_BOUNDARY"), 0, PARTS, PART("1\r\n--yy") LAST,
	"1"},
    {STRICT, 0, PARTS, PART("1") "--xxy\r\n" LAST, "2 3"},
    /* before, after, missing */
    {FLAG("MULTIPART_DATA_BEFORE") STRICT, 0, PARTS, "q\r\n" PART("1") LAST,
	"1 2"},
    {FLAG("MULTIPART_DATA_AFTER") STRICT, 0, PARTS, PART("1") LAST "q", "1 2"},
    {STRICT, 0, PARTS, PART("1"), "2 3"},
    {STRICT, 0, PARTS, "--xx\r\n" DISPOSITION "\r\n", "2 3"},
    {STRICT, 0, PARTS, "--xx--", ""},
    {STRICT, 0, PARTS, PART("1") "--xx--", ""},
    {STRICT, 0, PARTS, "1\r\n", "2 3"},
    /* fields of parts */
    {FLAG("MULTIPART_HEADER_FOLDING") STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "\r\nX: 1\r\n 2\r\n\r\n1\r\n" LAST, "1 2"},
    {RULE("MULTIPART_PART_HEADERS", "@streq X: 1 2", "id:1,phase:2"), 0, PARTS,
	"--xx\r\n" DISPOSITION "\r\nX: 1\r\n\t 2\r\n\r\n1\r\n" LAST, "1"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "\r\nX:\r\n" FOLDED_256 "\r\n1\r\n" LAST, "2"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "\r\nX:\r\n" FOLDED_256 " 1\r\n\r\n1\r\n" LAST,
	"2 3"},
    {FLAG("MULTIPART_INVALID_HEADER_FOLDING") STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "\r\n\x0bq\r\n\r\n1\r\n" LAST, "1 2 3"},
    {STRICT, 0, PARTS, "--xx\r\n q\r\n" DISPOSITION "\r\n\r\n1\r\n" LAST,
	"2 3"},
    {FLAG("MULTIPART_LF_LINE") STRICT, 0, PARTS,
	"--xx\n" DISPOSITION "\n\n1\n--xx--\n", "1 2"},
    {FLAG("MULTIPART_CRLF_LF_LINES"), 0, PARTS,
	"--xx\r\n" DISPOSITION "\n\r\n1\r\n" LAST, "1"},
    {STRICT, 0, PARTS,
	"--xx\r\nContent-Disposition: form-data name=\"a\"\r\n\r\n1\r\n" LAST,
	"2 3"},
    {STRICT, 0, PARTS, "--xx\r\n" DISPOSITION ";\r\n\r\n1\r\n" LAST, ""},
    {STRICT, 0, PARTS, "--xx\r\n" DISPOSITION "; q=1\r\n\r\n1\r\n" LAST, "2 3"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "; filename =\"f\"\r\n\r\n1\r\n" LAST, "2 3"},
    /* both names of a file are seen, as .NET gives them */
    {RULE("FILES:a", "@streq f.txt", "id:1,phase:2")
	    RULE("FILES:a", "@streq \xc3\xa4 .php", "id:4,phase:2") STRICT,
	0, PARTS,
	"--xx\r\n" DISPOSITION
	"; filename=f.txt; filename*=utf-8''%C3%a4%20.php\r\n\r\n1\r\n" LAST,
	"1 4"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "; filename*=utf-8''f\r\n\r\n1\r\n" LAST, "2 3"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION
	"; filename=f; filename*=utf-7''f\r\n\r\n1\r\n" LAST,
	"2 3"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION
	"; filename=f; filename*=utf-8''f%4\r\n\r\n1\r\n" LAST,
	"2 3"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION
	"; filename=f; filename*=utf-8f\r\n\r\n1\r\n" LAST,
	"2 3"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "; filename=f; filename*=utf-8''f; "
	"filename*=utf-8''g\r\n\r\n1\r\n" LAST,
	"2 3"},
    {FLAG("MULTIPART_INVALID_QUOTING") STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "b\r\n\r\n1\r\n" LAST, "1 2 3"},
    {FLAG("MULTIPART_INVALID_QUOTING") STRICT, 0, PARTS,
	"--xx\r\nContent-Disposition: form-data; name='a'\r\n\r\n1\r\n" LAST,
	"1 2"},
    {FLAG("MULTIPART_INVALID_PART") STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "\r\n" PART("1") LAST, "1 2"},
    {STRICT, 0, PARTS,
	"--xx\r\n" DISPOSITION "\r\nX: 1\r\nx: 2\r\n\r\n1\r\n" LAST, "2 3"},
    /* what is broken has files, and no arguments */
    {RULE("ARGS|FILES", "@rx .", "id:1,phase:2") BAD, 0, PARTS,
	FILE_PART("u", "1") PART("1") "--xxy\r\n", "1 3"},
    {RULE("&ARGS", "@eq 0", "id:1,phase:2") BAD, 0, PARTS,
	PART("1") "--xxy\r\n", "1 3"},
    {RULE("MULTIPART_NAME", "@streq a", "id:1,phase:2"), 0, PARTS,
	FILE_PART("u", "1") PART("1") LAST, "1"},
    {STRICT, 0, PARTS, "--xx\r\n" DISPOSITION "\r\nX\r\n\r\n1\r\n" LAST, "2 3"},
    {STRICT, 0, PARTS, "--xx\r\nX: 1\r\n\r\n1\r\n" LAST, "2 3"},
    {STRICT, 0, PARTS, "--xx\r\n" DISPOSITION "; name=\"b\"\r\n\r\n1\r\n" LAST,
	"2 3"},
    {STRICT, 0, PARTS,
	"--xx\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n" LAST,
	"2 3"},
};

START_TEST(parts_are_read_strictly)
{
	check_asks(multipart_asks, NELEMS(multipart_asks));
}
END_TEST

#define ARG_NAME(name) RULE("ARGS_NAMES", "@streq " name, "id:2,phase:2")

static const struct ask json_asks[] = {
    {AS_JSON ARG("a", "1") BAD, 0, 0, "{\"a\":1}", "1"},
    {AS_JSON RULE("ARGS_POST|ARGS_POST_NAMES", "@rx .", "id:1,phase:2") BAD, 0,
	0, "{\"a\":1}", ""},
    {AS_JSON ARG("a.b", "x") BAD, 0, 0, "{\"a\":{\"b\":\"x\"}}", "1"},
    {AS_JSON ARG("a", "x") BAD, 0, 0, "{\"c\":{\"b\":\"y\"},\"a\":\"x\"}", "1"},
    {AS_JSON ARG("a.a", "2") BAD, 0, 0, "{\"a\":[2]}", "1"},
    {AS_JSON ARG("array.array", "2") BAD, 0, 0, "[2]", "1"},
    {AS_JSON ARG("array.array.k", "2") BAD, 0, 0, "[{\"k\":2}]", "1"},
    {AS_JSON ARG("a", "true") BAD, 0, 0, "{\"a\":true}", "1"},
    {AS_JSON RULE("ARGS:a", "@rx ^$", "id:1,phase:2") BAD, 0, 0, "{\"a\":null}",
	"1"},
    {AS_JSON ARG("a", "-1.5e+3") BAD, 0, 0, " { \"a\" : -1.5e+3 } ", "1"},
    {AS_JSON RULE("ARGS:a", "@rx ^\\xc3\\xa9\\n\\xf0\\x9f\\x98\\x80$",
	 "id:1,phase:2") BAD,
	0, 0, "{\"a\":\"\\u00e9\\n\\ud83d\\ude00\"}", "1"},
    {AS_JSON RULE("ARGS_NAMES", "@rx ^$", "id:1,phase:2") BAD, 0, 0, "\"x\"",
	"1"},
    /* a key without a value is seen, too */
    {AS_JSON ARG("b", "") ARG_NAME("b") BAD, 0, 0, "{\"a\":1,\"b\":{}}", "1 2"},
    {AS_JSON ARG_NAME("b") BAD, 0, 0, "{\"b\":[[{}],[]],\"a\":1}", "2"},
    {AS_JSON ARG_NAME("b.c") BAD, 0, 0, "{\"b\":{\"c\":[]}}", "2"},
    {AS_JSON RULE("&ARGS", "@eq 1", "id:1,phase:2") BAD, 0, 0,
	"{\"b\":{\"c\":[{},[]],\"d\":[{},1]}}", ""},
    {AS_JSON RULE("&ARGS", "@eq 2", "id:1,phase:2") BAD, 0, 0,
	"{\"b\":{\"c\":[{},[]],\"d\":[{},1]}}", "1"},
    {AS_JSON RULE("&ARGS", "@eq 0", "id:1,phase:2") BAD, 0, 0, "[[],{},[{}]]",
	"1"},
    {AS_JSON BAD, 0, 0, "{\"a\":1", "3"},
    {AS_JSON BAD, 0, 0, "{\"a\":1}}", "3"},
    {AS_JSON BAD, 0, 0, "{\"a\":01}", "3"},
    {AS_JSON BAD, 0, 0, "{\"a\":truex}", "3"},
    {AS_JSON BAD, 0, 0, "{\"a\":\"\\q\"}", "3"},
    {AS_JSON BAD, 0, 0, "{\"a\":\"\xff\"}", "3"},
    {AS_JSON BAD, 0, 0, "{\"a\":\"\n\"}", "3"},
    {AS_JSON BAD, 0, 0, "{a:1}", "3"},
    {AS_JSON BAD, 0, 0, "[1,]", "3"},
    {AS_JSON BAD, 0, 0, "{\"a\":1,}", "3"},
    {AS_JSON BAD, 0, 0, "[1}", "3"},
    {"SecRequestBodyJsonDepthLimit 2\n" AS_JSON BAD, 0, 0, "[[1]]", ""},
    {"SecRequestBodyJsonDepthLimit 2\n" AS_JSON BAD, 0, 0, "[[[1]]]", "3"},
    {AS_JSON RULE("REQBODY_ERROR_MSG", "@contains JSON", "id:3,phase:2"), 0, 0,
	"{", "3"},
    {AS_JSON RULE("REQBODY_PROCESSOR", "@streq JSON", "id:3,phase:2"), 0, 0,
	"{}", "3"},
};

START_TEST(json_is_arguments)
{
	check_asks(json_asks, NELEMS(json_asks));
}
END_TEST

static const struct ask form_asks[] = {
    {ARG("a", "1 2"), 0, FORM, "a=1+2", "1"},
    {RULE("&ARGS_POST", "@eq 2", "id:1,phase:2"), 0, FORM, "a=1&b=2&", "1"},
    {RULE("&ARGS_POST", "@eq 3", "id:1,phase:2"), 0, FORM, "a=1&&b=2", "1"},
    {FLAG("URLENCODED_ERROR"), 0, FORM, "a=%zz", "1"},
    {FLAG("URLENCODED_ERROR"), 0, FORM, "a=%2", "1"},
    {NO_FLAG("URLENCODED_ERROR"), 0, FORM, "a=%2f", "1"},
    {ARG("a", "=b"), 0, FORM, "a==b", "1"},
    {RULE("&ARGS", "@eq 0", "id:1,phase:2"), 0, "Content-Type: x/y", "a=1",
	"1"},
};

START_TEST(a_form_is_arguments)
{
	check_asks(form_asks, NELEMS(form_asks));
}
END_TEST

#ifdef HAVE_LIBXML2
static const struct ask xml_asks[] = {
    {AS_XML RULE("XML:/*", "@streq xy", "id:1,phase:2") BAD, 0, 0,
	"<a>x<b c=\"1\">y</b></a>", "1"},
    {AS_XML RULE("XML://@*", "@streq 1", "id:1,phase:2") BAD, 0, 0,
	"<a>x<b c=\"1\" d='2'>y</b></a>", "1"},
    {AS_XML RULE("XML:/*", "@streq <&", "id:1,phase:2") BAD, 0, 0,
	"<a>&lt;<![CDATA[&]]></a>", "1"},
    {AS_XML BAD, 0, 0, "<a>", "3"},
    {AS_XML BAD, 0, 0, "<a></b>", "3"},
    {AS_XML BAD, 0, 0, "x", "3"},
    {AS_XML BAD, 0, 0, "<!DOCTYPE a [<!ENTITY e \"v\">]><a>&e;</a>", "3"},
    {AS_XML BAD, 0, 0, "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "3"},
    {AS_XML BAD, 0, 0, "<a>&e;</a>", "3"},
};

START_TEST(xml_is_text_and_attributes)
{
	check_asks(xml_asks, NELEMS(xml_asks));
}
END_TEST
#endif

int
main(void)
{
	const TTest *const tests[] = {
	    a_rule_sees_what_its_targets_name,
	    rules_are_tried_in_order,
	    what_refuses_ends_it,
	    what_was_refused_is_seen_by_the_last_phase,
	    a_redirect_has_its_macros_replaced,
	    who_only_detects_refuses_nothing,
	    rules_write_names,
	    what_is_fixed_no_rule_changes,
	    what_is_fixed_skips,
	    a_rule_changes_what_follows,
	    who_is_audited_and_read_is_asked,
	    messages_have_their_macros_replaced,
	    variables_have_their_values,
	    arguments_have_a_limit,
	    a_request_has_a_bound_of_memory,
	    time_that_others_took_is_not_counted,
	    parts_are_read_strictly,
	    json_is_arguments,
	    a_form_is_arguments,
#ifdef HAVE_LIBXML2
	    xml_is_text_and_attributes,
#endif
	};

	return unit_run("sec_tx", tests, NELEMS(tests));
}
