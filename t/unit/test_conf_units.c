/* Values with units (CONFIG: "Units are mandatory"). */
#include <check.h>

#include "common/base/check.h"
#include "t/unit/conf_text.h"
#include "t/unit/unit.h"

struct number {
	enum conf_kind kind;
	const char *text;
	int64_t value; /* -1: refused */
};

static void
check_numbers(const struct number *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t got = -1;
		const char *why = NULL;
		bool is_ok = conf_parse_number(
		    rows[i].kind, span_str(rows[i].text), &got, &why);

		ck_assert_msg(is_ok == (rows[i].value >= 0), "%s: %s",
		    rows[i].text, is_ok ? "accepted" : why);
		if (is_ok)
			ck_assert_msg(got == rows[i].value, "%s: %lld",
			    rows[i].text, (long long)got);
		else
			ck_assert_ptr_nonnull(why);
	}
}

START_TEST(durations_are_milliseconds)
{
	static const struct number rows[] = {
	    {KIND_DURATION, "1ms", 1},
	    {KIND_DURATION, "0s", 0},
	    {KIND_DURATION, "10s", 10000},
	    {KIND_DURATION, "5m", 300000},
	    {KIND_DURATION, "2h", 7200000},
	    {KIND_DURATION, "1d", 86400000},
	    {KIND_DURATION, "1w", 604800000},
	    {KIND_DURATION, "1y", 31536000000},
	    {KIND_DURATION, "1h30m", 5400000},
	    {KIND_DURATION, "1d2h3m4s5ms", 93784005},
	    {KIND_DURATION, "090s", 90000},
	    {KIND_DURATION, "10", -1},
	    {KIND_DURATION, "0", -1},
	    {KIND_DURATION, "s", -1},
	    {KIND_DURATION, "", -1},
	    {KIND_DURATION, "1h30", -1},
	    {KIND_DURATION, "30m1h", -1},
	    {KIND_DURATION, "1s1s", -1},
	    {KIND_DURATION, "1 s", -1},
	    {KIND_DURATION, "-1s", -1},
	    {KIND_DURATION, "+1s", -1},
	    {KIND_DURATION, "1.5s", -1},
	    {KIND_DURATION, "1S", -1},
	    {KIND_DURATION, "1sec", -1},
	    {KIND_DURATION, "1s ", -1},
	    {KIND_DURATION, "9223372036854775807ms", INT64_MAX},
	    {KIND_DURATION, "9223372036854775808ms", -1},
	    {KIND_DURATION, "9223372036854775807s", -1},
	    {KIND_DURATION, "9223372036854775s9223372036854775807ms", -1},
	    {KIND_DURATION, "99999999999999999999999s", -1},
	};

	check_numbers(rows, NELEMS(rows));
}
END_TEST

START_TEST(sizes_are_bytes)
{
	static const struct number rows[] = {
	    {KIND_SIZE, "512b", 512},
	    {KIND_SIZE, "0b", 0},
	    {KIND_SIZE, "64k", 65536},
	    {KIND_SIZE, "10m", 10485760},
	    {KIND_SIZE, "10M", 10485760},
	    {KIND_SIZE, "2g", 2147483648},
	    {KIND_SIZE, "10", -1},
	    {KIND_SIZE, "10kb", -1},
	    {KIND_SIZE, "10t", -1},
	    {KIND_SIZE, "1k1k", -1},
	    {KIND_SIZE, "k", -1},
	    {KIND_SIZE, "1.5m", -1},
	    {KIND_SIZE, "8589934591g", 9223372035781033984},
	    {KIND_SIZE, "8589934592g", -1},
	    {KIND_NUM, "0", 0},
	    {KIND_NUM, "16k", 16384},
	    {KIND_NUM, "1m", 1048576},
	    {KIND_NUM, "16b", -1},
	    {KIND_NUM, "16s", -1},
	    {KIND_NUM, "0x10", -1},
	    {KIND_NUM, "1 000", -1},
	    {KIND_NUM, "-1", -1},
	};

	check_numbers(rows, NELEMS(rows));
}
END_TEST

START_TEST(rates_bandwidths_and_shares_have_their_base)
{
	static const struct number rows[] = {
	    {KIND_RATE, "20/s", 1728000},
	    {KIND_RATE, "600/m", 864000},
	    {KIND_RATE, "1/h", 24},
	    {KIND_RATE, "1/d", 1},
	    {KIND_RATE, "0/s", 0},
	    {KIND_RATE, "20", -1},
	    {KIND_RATE, "20/", -1},
	    {KIND_RATE, "20/w", -1},
	    {KIND_RATE, "/s", -1},
	    {KIND_RATE, "20s", -1},
	    {KIND_RATE, "9223372036854775807/s", -1},
	    {KIND_BANDWIDTH, "2m/s", 2097152},
	    {KIND_BANDWIDTH, "512b/s", 512},
	    {KIND_BANDWIDTH, "2m", -1},
	    {KIND_BANDWIDTH, "2/s", -1},
	    {KIND_BANDWIDTH, "2m/m", -1},
	    {KIND_BANDWIDTH, "/s", -1},
	    {KIND_PERCENT, "20%", 200},
	    {KIND_PERCENT, "0.5%", 5},
	    {KIND_PERCENT, "100%", 1000},
	    {KIND_PERCENT, "20", -1},
	    {KIND_PERCENT, "%", -1},
	    {KIND_PERCENT, "1.%", -1},
	    {KIND_PERCENT, "1.25%", -1},
	    {KIND_PERCENT, "20%%", -1},
	    {KIND_BOOL, "on", 1},
	    {KIND_BOOL, "yes", 1},
	    {KIND_BOOL, "true", 1},
	    {KIND_BOOL, "off", 0},
	    {KIND_BOOL, "no", 0},
	    {KIND_BOOL, "false", 0},
	    {KIND_BOOL, "1", -1},
	    {KIND_BOOL, "On", -1},
	    {KIND_BOOL, "", -1},
	};

	check_numbers(rows, NELEMS(rows));
}
END_TEST

START_TEST(a_truncated_value_is_read_within_its_length)
{
	static const char *const values[] = {
	    "1d2h3m4s5ms", "10485760b", "20/s", "2m/s", "12.5%", "true"};

	for (size_t i = 0; i < NELEMS(values); i++) {
		for (size_t len = 0; len < strlen(values[i]); len++) {
			char *copy = malloc(len > 0 ? len : 1);
			int64_t n;
			const char *why;

			ck_assert_ptr_nonnull(copy);
			memcpy(copy, values[i], len);
			for (int k = KIND_BOOL; k <= KIND_PERCENT; k++)
				(void)conf_parse_number((enum conf_kind)k,
				    span_of(copy, len), &n, &why);
			free(copy);
		}
	}
}
END_TEST

static void
check_row(const struct conf_row *row)
{
	int64_t least = 0;
	int64_t most = 0;
	const char *why = "";

	ck_assert_msg(row->part >= 1 && row->part <= 10, "%s", row->name);
	ck_assert_msg(strlen(row->name) <= CONF_KEY_LEN_MAX, "%s", row->name);
	ck_assert_msg(strlen(row->doc) > 3, "%s has no doc", row->name);
	if (row->kind == KIND_BOOL || row->kind > KIND_PERCENT)
		return;
	ck_assert_msg(
	    conf_parse_number(row->kind, span_str(row->min), &least, &why),
	    "%s: min: %s", row->name, why);
	ck_assert_msg(
	    conf_parse_number(row->kind, span_str(row->max), &most, &why),
	    "%s: max: %s", row->name, why);
	ck_assert_msg(least < most, "%s: bounds", row->name);
}

START_TEST(every_row_of_the_tables_is_sound)
{
	for (int k = 0; k < CONF_KEYS; k++) {
		const struct conf_row *row = &conf_rows[k];

		check_row(row);
		ck_assert_msg(row->sections != 0, "%s", row->name);
		if (row->min[0] == '[')
			ck_assert_msg(conf_type_find(span_of(row->min + 1,
					  strlen(row->min) - 2)) >= 0,
			    "%s: %s", row->name, row->min);
		/* one section cannot have two rows of one name */
		for (int t = 0; t < CONF_TYPES; t++) {
			if (conf_is_in((enum conf_key)k, (enum conf_type)t))
				ck_assert_msg(conf_key_find((enum conf_type)t,
						  span_str(row->name)) == k,
				    "[%s] %s", conf_types[t].name, row->name);
		}
	}
	for (size_t i = 0; i < conf_n_options; i++)
		check_row(&conf_options[i].row);
}
END_TEST

/* A default must be a value that could be written. */
START_TEST(every_default_can_be_written)
{
	for (int k = 0; k < CONF_KEYS; k++) {
		const struct conf_row *row = &conf_rows[k];
		struct conf_reader r = {.d = diag_new()};
		struct conf_pair p = {.key = span_str(row->name)};
		struct conf_value v = {.key = (enum conf_key)k};
		char *said;

		if (row->deflt[0] == '\0') {
			diag_free(r.d);
			continue;
		}
		(void)diag_file(r.d, "t", SPAN_LIT("x"));
		r.tree = conf_tree_new(10);
		v.text = span_str(row->deflt);
		p.value.text = v.text;
		conf_value_parse(&r, &p, &v);
		said = diag_render(r.d);
		ck_assert_msg(diag_count(r.d, DIAG_ERROR) == 0, "%s: %s",
		    row->name, said);
		ck_assert_int_eq(
		    v.num, r.tree->deflt[k] ? r.tree->deflt[k]->num : 0);
		free(said);
		conf_free(r.tree);
		diag_free(r.d);
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    durations_are_milliseconds,
	    sizes_are_bytes,
	    rates_bandwidths_and_shares_have_their_base,
	    a_truncated_value_is_read_within_its_length,
	    every_row_of_the_tables_is_sound,
	    every_default_can_be_written,
	};

	return unit_run("conf_units", tests, NELEMS(tests));
}
