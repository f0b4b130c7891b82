/* sec_sqli: attacks on statements are found in each place that a value may have
 * there, and in their beginnings that do something; names, prose, code and what
 * people write about SQL are not taken for them. */
#include <check.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_op.h"
#include "worker/sec/sec_sqli.h"

static const char *const attacks[] = {
    /* conditions that always hold */
    "1 or 1=1",
    "' OR '1=1#;--",
    "SELECT /*!32302 1/0, */ 1 FROM tablename",
    "1234 OR 1=1",
    "-1 or 1=1",
    "1) or (1=1",
    "1 or 2>1",
    "1 or 'a'='a'",
    "1 or not 1=2",
    "1 or 1 like 1",
    "1 or 1 in (1)",
    "1 or 1 between 0 and 2",
    "1 or true",
    "1or 1=1",
    ".5 or 1=1",
    "1/**/or/**/1=1",
    "1 || 1=1",
    "1 or 1=1 -- comment",
    "null or 1=1",
    "' or '1'='1",
    "' or 1=1--",
    "' or 1=1#",
    "' or 1=1/*",
    "') or ('1'='1",
    "' or 1 -- -",
    "' or 'x' like 'x",
    "' or ''='",
    "'or'1",
    "'='",
    "'||'1'='1",
    "' xor 1=1--",
    "\" or 1=1--",
    "\" or \"a\"=\"a",
    "a' or a=a--",
    "%' and 1=1 and '%'='",
    "foo or 1=1",
    /* the rest as a comment */
    "admin'--",
    "admin' #",
    "admin')--",
    "admin'/*",
    "1--",
    /* selects */
    "1 union select 1,2,3",
    "-1 union all select null,null--",
    "1' union select null,version()--",
    "foo') UNION ALL select NULL --",
    "1 /*!50000union*/ /*!select*/ 1,2",
    "1 union(select(1))",
    "1 union select@a",
    "UNION ALL SELECT NULL,CONCAT('a','b')",
    "(select(0)from(select(sleep(5)))v)",
    "1 and (select count(*) from users)>0",
    "1,(select user())",
    "'||(select extractvalue(xmltype('<?xml version",
    "select * from users",
    "select @@version",
    "select password from users where id=1",
    /* functions */
    "sleep(20)",
    "1 and sleep(5)",
    "'+sleep(5)+'",
    "1-benchmark(10000000,md5(1))",
    "x\" sleep(10.to_i) \"",
    "1 and ascii(substring(user(),1,1))>64",
    "1' and extractvalue(1,concat(0x7e,version()))-- -",
    "if(now()=sysdate(),sleep(5),0)",
    "1 and 1=convert(int,@@version)",
    "1' and 1=dbms_pipe.receive_message('a',5)--",
    "case when 1=1 then sleep(5) else 1 end",
    /* statements */
    "1;drop table users",
    "'; exec xp_cmdshell('dir')--",
    "'; insert into users values(1,2)--",
    "'; update users set password='x'--",
    "'; delete from users--",
    "'; shutdown--",
    "'; begin waitfor delay '0:0:5' end--",
    "1; declare @s varchar(8000)",
    "foo')waitfor delay'5:0:20'--",
    "'; select 1--",
    "exec xp_cmdshell 'dir'",
    "update users set x=1",
    /* clauses */
    "1 order by 5--",
    "1' order by 10#",
    "1 group by 1 having 1=1",
    "1 having 1=1",
    "1 procedure analyse()",
    "1' into outfile '/tmp/x",
};

static const char *const plain[] = {
    "",
    "\"between select\" -lamp",
    "/*! normalize.css v8.0.1 | MIT License */",
    "O'Brien",
    "Brian O'Connor and Sinead O'Connor",
    "D'Angelo",
    "rock'n'roll",
    "it's the dogs' dinner, isn't it",
    "the boys' and girls' rooms",
    "the dogs' -- all of them -- were asleep",
    "5' 6\" tall",
    "5'-6\" by 3'-2\"",
    "He said \"hello\" and \"good-bye\"",
    "'yes' or 'no'",
    "\"this\" or \"that\"",
    "5 or 6 people",
    "1 and 2",
    "1-2-3",
    "555-555-0199",
    "2024-01-31 12:00:00",
    "100% of them",
    "1,2,3",
    "3.14",
    "-5",
    "a and b",
    "this or that; whatever",
    "Select all from the menu",
    "Please select one of the following options",
    "the union select committee met today",
    "European Union (select members)",
    "drop table reservations by noon",
    "update your settings",
    "insert coin to continue",
    "delete from where?",
    "order by phone",
    "group by the river",
    "Having fun; wish you were here",
    "where the wild things are",
    "where x is the number of y, and z is not",
    "sleep (well) tonight",
    "sleep (8 hours)",
    "case when it matters",
    "C# and F# are languages",
    "#1 fan",
    "issue #5 -- see below",
    "foo--bar",
    "--help",
    "'--header', '--quux'",
    "\"use strict\";",
    "Name: \"#A5A5A5\",",
    "x = \"a\" + b + \"c\";",
    "split(\"/\")",
    "if (a == b && c != d) { return 1; }",
    "for (i = 0; i < n; i++)",
    "{\"a\": \"b\", \"c\": [1, 2]}",
    "<a href=\"x\">y</a>",
    "SELECT is a word of SQL, and so is WHERE",
    "https://example.com/?a=1&b=2#top",
    "user@example.com",
    "**bold** and _italic_ with `code`",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
    "l'\xc3\xa9t\xc3\xa9 d'or et l'hiver",
    "\xe4\xb8\xad\xe6\x96\x87 'x' \xe6\x88\x96",
};

static bool
find(const char *text, char told[SEC_HITS_TOLD])
{
	return sec_sqli_find(span_str(text), told);
}

START_TEST(attacks_are_found)
{
	char told[SEC_HITS_TOLD];

	for (size_t i = 0; i < NELEMS(attacks); i++)
		ck_assert_msg(find(attacks[i], told), "%s", attacks[i]);
}
END_TEST

START_TEST(plain_texts_are_none)
{
	char told[SEC_HITS_TOLD];

	for (size_t i = 0; i < NELEMS(plain); i++) {
		ck_assert_msg(!find(plain[i], told), "%s: %s", plain[i], told);
		ck_assert_str_eq(told, "");
	}
}
END_TEST

START_TEST(a_fingerprint_is_told)
{
	char told[SEC_HITS_TOLD];

	ck_assert(find("1 union select 2", told));
	ck_assert_str_eq(told, "1u");
	ck_assert(find("x' or 1=1--", told));
	ck_assert_str_eq(told, "s&1=1c");
	ck_assert(find("1 or 1=1 or 1=1 or 1=1 or 1=1 or 1=1 or 1=1", told));
	ck_assert_uint_le(strlen(told), 16);
}
END_TEST

/* Beginnings and ends, in memory of exactly their size. */
START_TEST(no_text_is_read_past_its_end)
{
	char told[SEC_HITS_TOLD];

	for (size_t i = 0; i < NELEMS(attacks); i++) {
		span text = span_str(attacks[i]);

		for (size_t n = 0; n <= text.len; n++) {
			char *copy = malloc(n + (n == 0));

			ck_assert_ptr_nonnull(copy);
			memcpy(copy, text.p, n);
			(void)sec_sqli_find(span_of(copy, n), told);
			memcpy(copy, text.p + text.len - n, n);
			(void)sec_sqli_find(span_of(copy, n), told);
			free(copy);
		}
	}
}
END_TEST

static enum sqli_class
class_of(const char *text)
{
	struct sqli_lexer l = {.in = span_str(text), .last = SQLI_STOP};

	return sqli_next(&l).class;
}

/* The table is searched by halves: each word must be found where it stands. */
START_TEST(each_word_of_the_table_is_known)
{
	static const char *const words[] = {
#define SQLI_WORD(text, class) text,
#include "worker/sec/sec_sqli.def"
#undef SQLI_WORD
	};

	for (size_t i = 1; i < NELEMS(words); i++)
		ck_assert_msg(strcmp(words[i - 1], words[i]) < 0,
		    "%s stands "
		    "behind %s",
		    words[i], words[i - 1]);
	ck_assert_int_eq(class_of("SELECT"), SQLI_SELECT);
	ck_assert_int_eq(class_of("Sleep (1)"), SQLI_DELAY);
	ck_assert_int_eq(class_of("sleep"), SQLI_NAME);
	ck_assert_int_eq(class_of("selects"), SQLI_NAME);
	ck_assert_int_eq(class_of("xor"), SQLI_LOGIC);
	ck_assert_int_eq(class_of("zerofill"), SQLI_NAME);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    attacks_are_found,
	    plain_texts_are_none,
	    a_fingerprint_is_told,
	    no_text_is_read_past_its_end,
	    each_word_of_the_table_is_known,
	};

	return unit_run("sec_sqli", tests, NELEMS(tests));
}
