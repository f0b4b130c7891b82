/* Every word of the rule language that the two core rule sets and their manual
 * use is known: a set that names it is loaded without a message. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "t/unit/sec_text.h"
#include "t/unit/unit.h"

#define TEXT_CAP 512

/* Load a text of which `word` is a part. */
static void
must_load(const char *form, const char *word)
{
	char text[TEXT_CAP];

	(void)snprintf(text, sizeof(text), form, word);
	sec_set_free(sec_must_load(text));
}

static void
all_load(const char *form, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		must_load(form, words[i]);
}

START_TEST(all_directives_are_known)
{
	static const char *const lines[] = {
	    "SecRule ARGS x id:1",
	    "SecAction id:1",
	    "SecMarker END",
	    "SecDefaultAction phase:2,log,auditlog,pass",
	    "SecComponentSignature OWASP_CRS/4",
	    "SecRule ARGS x id:1\nSecRuleUpdateTargetById 1 !ARGS:a",
	    "SecRule ARGS x id:1,tag:'a/b'\n"
	    "SecRuleUpdateTargetByTag a/b !ARGS:a",
	    "SecRule ARGS x id:1\nSecRuleRemoveById 1",
	    "SecRule ARGS x id:1,tag:'a/b'\nSecRuleRemoveByTag a/b",
	    "SecRule ARGS x id:1,msg:m\nSecRuleRemoveByMsg m",
	    "SecRule ARGS x id:1\nSecRuleUpdateActionById 1 pass",
	    "SecCollectionTimeout 600",
	    "SecRuleEngine On",
	    "SecRuleEngine Off",
	    "SecRuleEngine DetectionOnly",
	    "SecRequestBodyAccess On",
	    "SecResponseBodyAccess Off",
	    "SecRequestBodyLimit 13107200",
	    "SecRequestBodyNoFilesLimit 131072",
	    "SecRequestBodyInMemoryLimit 131072",
	    "SecRequestBodyLimitAction Reject",
	    "SecRequestBodyLimitAction ProcessPartial",
	    "SecResponseBodyLimit 524288",
	    "SecResponseBodyLimitAction ProcessPartial",
	    "SecResponseBodyMimeType text/plain text/html",
	    "SecResponseBodyMimeTypesClear",
	    "SecPcreMatchLimit 1000",
	    "SecPcreMatchLimitRecursion 1000",
	    "SecArgumentSeparator &",
	    "SecCookieFormat 0",
	    "SecTmpDir /tmp/",
	    "SecDataDir /tmp/",
	    "SecAuditEngine RelevantOnly",
	    "SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"",
	    "SecAuditLogParts ABIJDEFHZ",
	    "SecAuditLogType Serial",
	    "SecAuditLog /var/log/modsec_audit.log",
	    "SecAuditLogStorageDir /var/log/audit/",
	    "SecAuditLogFormat JSON",
	    "IncludeOptional /nowhere/*.conf",
	    "SecRule ARGS \\\n  \"a b\" \\\n  \"id:1,pass\"",
	};

	all_load("%s\n", lines, NELEMS(lines));
}
END_TEST

/* Both name a file. */
START_TEST(files_are_read)
{
	char path[] = "/tmp/sec_words.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	must_load("Include %s\n", path);
	must_load("SecRule ARGS \"@pmFromFile %s\" id:1\n", path);
	must_load("SecRule REMOTE_ADDR \"@ipMatchFromFile %s\" id:1\n", path);
	fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(dprintf(fd, "20127 (US-ASCII)\n00a0:20 \n"), 0);
	ck_assert_int_eq(close(fd), 0);
	must_load("SecUnicodeMapFile %s 20127\n", path);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(all_actions_are_known)
{
	static const char *const actions[] = {"block", "deny", "drop", "pass",
	    "allow", "allow:phase", "allow:request",
	    "redirect:'https://a.test/%{tx.a}'", "status:403", "log", "nolog",
	    "auditlog", "noauditlog", "capture", "multiMatch",
	    "severity:'CRITICAL'", "severity:2", "tag:'a/b'", "msg:'m %{tx.0}'",
	    "logdata:'%{MATCHED_VAR_NAME}: %{MATCHED_VAR}'", "rev:'1'",
	    "ver:'OWASP_CRS/4'", "maturity:'9'", "accuracy:'9'",
	    "setvar:'tx.a=1'", "setvar:'tx.a=+%{tx.b}'",
	    "setvar:'tx.%{tx.c}=-1'", "setvar:'!tx.a'", "setvar:'tx.a=%{ip.b}'",
	    "expirevar:'ip.a=60'", "initcol:ip=%{REMOTE_ADDR}",
	    "initcol:global=global", "initcol:resource=%{REQUEST_FILENAME}",
	    "setsid:%{REQUEST_COOKIES.sid}", "setuid:%{ARGS.user}", "skip:1",
	    "t:none"};

	all_load("SecRule ARGS x \"id:1,phase:2,%s\"\nSecAction id:2\n",
	    actions, NELEMS(actions));
	must_load("SecRule ARGS x \"id:1,phase:2,pass,skipAfter:%s\"\n"
		  "SecMarker END\n",
	    "END");
	must_load("SecRule ARGS x \"id:1,phase:2,deny,chain\"\n"
		  "SecRule ARGS y %s\n",
	    "setvar:'tx.a=1'");
}
END_TEST

START_TEST(all_phases_are_known)
{
	static const char *const phases[] = {
	    "1", "2", "3", "4", "5", "request", "response", "logging"};

	all_load("SecAction \"id:1,phase:%s,pass\"\n", phases, NELEMS(phases));
}
END_TEST

START_TEST(all_words_of_ctl_are_known)
{
	static const char *const words[] = {"ruleEngine=On", "ruleEngine=Off",
	    "ruleEngine=DetectionOnly", "ruleRemoveById=920100",
	    "ruleRemoveById=920100-920199", "ruleRemoveByTag=attack-sqli",
	    "ruleRemoveTargetById=942100;ARGS:a",
	    "ruleRemoveTargetById=942000-942999;ARGS",
	    "ruleRemoveTargetByTag=attack-sqli;REQUEST_COOKIES:/^_pk/",
	    "requestBodyProcessor=URLENCODED", "requestBodyProcessor=MULTIPART",
	    "requestBodyProcessor=JSON", "requestBodyProcessor=XML",
	    "forceRequestBodyVariable=On", "auditEngine=Off",
	    "auditLogParts=+E", "requestBodyAccess=Off",
	    "responseBodyAccess=On"};

	all_load(
	    "SecAction \"id:1,phase:1,pass,ctl:%s\"\n", words, NELEMS(words));
}
END_TEST

START_TEST(all_variables_are_known)
{
	static const char *const names[] = {"ARGS", "ARGS_GET", "ARGS_POST",
	    "ARGS_NAMES", "ARGS_GET_NAMES", "ARGS_POST_NAMES",
	    "ARGS_COMBINED_SIZE", "REQUEST_HEADERS", "REQUEST_HEADERS_NAMES",
	    "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES", "REQUEST_BODY",
	    "REQUEST_BODY_LENGTH", "REQUEST_FILENAME", "REQUEST_BASENAME",
	    "REQUEST_LINE", "REQUEST_METHOD", "REQUEST_PROTOCOL", "REQUEST_URI",
	    "REQUEST_URI_RAW", "QUERY_STRING", "FILES", "FILES_NAMES",
	    "FILES_SIZES", "FILES_COMBINED_SIZE", "MULTIPART_PART_HEADERS",
	    "MULTIPART_NAME", "MULTIPART_FILENAME", "MULTIPART_STRICT_ERROR",
	    "MULTIPART_UNMATCHED_BOUNDARY", "MULTIPART_BOUNDARY_QUOTED",
	    "MULTIPART_BOUNDARY_WHITESPACE", "MULTIPART_DATA_BEFORE",
	    "MULTIPART_DATA_AFTER", "MULTIPART_HEADER_FOLDING",
	    "MULTIPART_LF_LINE", "MULTIPART_MISSING_SEMICOLON",
	    "MULTIPART_INVALID_QUOTING", "MULTIPART_INVALID_HEADER_FOLDING",
	    "MULTIPART_FILE_LIMIT_EXCEEDED", "REQBODY_PROCESSOR",
	    "REQBODY_ERROR", "REQBODY_ERROR_MSG", "XML:/*", "XML://@*",
	    "RESPONSE_BODY", "RESPONSE_HEADERS", "RESPONSE_STATUS",
	    "RESPONSE_CONTENT_TYPE", "RESPONSE_CONTENT_LENGTH",
	    "RESPONSE_PROTOCOL", "TX:a", "TX:/^a/", "IP:a", "GLOBAL:a",
	    "SESSION:a", "USER:a", "MATCHED_VAR", "MATCHED_VARS",
	    "MATCHED_VAR_NAME", "MATCHED_VARS_NAMES", "REMOTE_ADDR",
	    "REMOTE_PORT", "SERVER_ADDR", "SERVER_NAME", "SERVER_PORT",
	    "UNIQUE_ID", "DURATION", "TIME", "TIME_DAY", "TIME_EPOCH",
	    "TIME_HOUR", "TIME_MIN", "TIME_MON", "TIME_SEC", "TIME_WDAY",
	    "TIME_YEAR", "GEO:COUNTRY_CODE", "ENV:a", "RULE:id",
	    "WEBSERVER_ERROR_LOG", "ARGS|!ARGS:a", "ARGS|!ARGS:/^a/", "&ARGS",
	    "&REQUEST_HEADERS:Host", "CLIENT_NOT_FOUND_RATE",
	    "CLIENT_PATH_RATE"};

	all_load("SecRule %s x \"id:1,phase:5,pass\"\n", names, NELEMS(names));
}
END_TEST

START_TEST(all_operators_are_known)
{
	static const char *const words[] = {"@rx a+", "!@rx a+", "a+",
	    "@rx ^%{tx.a}$", "@pm a b c", "@within a,b", "@contains a",
	    "@containsWord a", "@beginsWith a", "@endsWith a", "@streq a",
	    "@eq 1", "@ge 1", "@gt 1", "@le 1", "@lt %{tx.a}",
	    "@ipMatch 192.0.2.0/24,2001:db8::/32",
	    "@validateByteRange 10,13,32-126", "@validateUtf8Encoding",
	    "@validateUrlEncoding", "@detectSQLi", "@detectXSS",
	    "@unconditionalMatch", "@noMatch", "@geoLookup", "@rbl rbl.example",
	    "@verifyCC \\d{13,16}", "@strmatch a"};

	all_load("SecRule ARGS \"%s\" id:1\n", words, NELEMS(words));
}
END_TEST

START_TEST(all_transformations_are_known)
{
	static const char *const names[] = {"none", "lowercase", "uppercase",
	    "urlDecode", "urlDecodeUni", "utf8toUnicode", "htmlEntityDecode",
	    "jsDecode", "cssDecode", "escapeSeqDecode", "base64Decode",
	    "base64DecodeExt", "base64Encode", "hexEncode", "hexDecode",
	    "cmdLine", "compressWhitespace", "removeWhitespace", "removeNulls",
	    "replaceNulls", "removeComments", "removeCommentsChar",
	    "replaceComments", "normalizePath", "normalizePathWin",
	    "normalisePath", "normalisePathWin", "trim", "trimLeft",
	    "trimRight", "length", "md5", "sha1"};

	all_load("SecRule ARGS x \"id:1,t:%s\"\n", names, NELEMS(names));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    all_directives_are_known,
	    files_are_read,
	    all_actions_are_known,
	    all_phases_are_known,
	    all_words_of_ctl_are_known,
	    all_variables_are_known,
	    all_operators_are_known,
	    all_transformations_are_known,
	};

	return unit_run("sec_words", tests, NELEMS(tests));
}
