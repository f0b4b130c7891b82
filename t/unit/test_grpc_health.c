/* The two messages of a check by gRPC, byte for byte, and what else may come as
 * an answer. */
#include <check.h>

#include "common/base/check.h"
#include "common/http/grpc_health.h"
#include "t/unit/unit.h"

#define BYTES(text) \
	{ \
		text, sizeof(text) - 1 \
	}

START_TEST(a_request_names_its_service)
{
	char out[GRPC_HEALTH_REQUEST_CAP];
	char name[GRPC_HEALTH_NAME_MAX];

	ck_assert_uint_eq(grpc_health_request(span_of(NULL, 0), out), 5);
	ck_assert_mem_eq(out, "\0\0\0\0\0", 5);
	ck_assert_uint_eq(grpc_health_request(SPAN_LIT("a.B"), out), 10);
	ck_assert_mem_eq(out,
	    "\0\0\0\0\x05\x0a\x03"
	    "a.B",
	    10);
	/* a length of two digits */
	memset(name, 'x', sizeof(name));
	ck_assert_uint_eq(grpc_health_request(span_of(name, sizeof(name)), out),
	    GRPC_HEALTH_REQUEST_CAP);
	ck_assert_mem_eq(out, "\0\0\0\x01\x02\x0a\xff\x01x", 9);
	ck_assert_int_eq(out[GRPC_HEALTH_REQUEST_CAP - 1], 'x');
}
END_TEST

START_TEST(answers_say_what_they_say)
{
	static const struct {
		span content;
		enum grpc_health says;
	} rows[] = {
	    {BYTES("\0\0\0\0\x02\x08\x01"), GRPC_HEALTH_SERVING},
	    {BYTES("\0\0\0\0\x02\x08\x02"), GRPC_HEALTH_NOT_SERVING},
	    {BYTES("\0\0\0\0\x02\x08\x03"), GRPC_HEALTH_NOT_SERVING},
	    {BYTES("\0\0\0\0\x02\x08\x04"), GRPC_HEALTH_UNKNOWN},
	    /* 0 is not written */
	    {BYTES("\0\0\0\0\0"), GRPC_HEALTH_UNKNOWN},
	    /* the last one counts; other fields are passed over */
	    {BYTES("\0\0\0\0\x04\x08\x02\x08\x01"), GRPC_HEALTH_SERVING},
	    {BYTES("\0\0\0\0\x06\x12\x02hi\x08\x01"), GRPC_HEALTH_SERVING},
	    {BYTES("\0\0\0\0\x04\x10\x07\x08\x01"), GRPC_HEALTH_SERVING},
	    {BYTES("\0\0\0\0\x07\x1d"
		   "1234\x08\x01"),
		GRPC_HEALTH_SERVING},
	    {BYTES("\0\0\0\0\x0b\x19"
		   "12345678\x08\x01"),
		GRPC_HEALTH_SERVING},
	    {BYTES("\0\0\0\0\x03\x08\x81\0"), GRPC_HEALTH_SERVING},
	    /* no whole and single message */
	    {BYTES(""), GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0"), GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x02\x08"), GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x02\x08\x01\0\0\0\0\0"), GRPC_HEALTH_BAD},
	    {BYTES("\0\xff\xff\xff\xff\x08\x01"), GRPC_HEALTH_BAD},
	    /* compressed */
	    {BYTES("\x01\0\0\0\x02\x08\x01"), GRPC_HEALTH_BAD},
	    /* malformed fields */
	    {BYTES("\0\0\0\0\x01\x08"), GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x02\x08\x80"), GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x02\x00\x01"), GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x02\x0b\x01"), GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x04\x12\x7fhi"), GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x03\x1d"
		   "12"),
		GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		   "\x7f\0"),
		GRPC_HEALTH_BAD},
	    {BYTES("\0\0\0\0\x0b\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		GRPC_HEALTH_BAD},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_msg(grpc_health_read(rows[i].content) == rows[i].says,
		    "row %zu", i);
}
END_TEST

/* Whatever stands there: no read over the end (seen by sanitizers), and SERVING
 * only for what says so. */
START_TEST(no_two_bytes_do_harm)
{
	char content[] = "\0\0\0\0\x02\x08\x01";

	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			content[5] = (char)a;
			content[6] = (char)b;
			ck_assert(
			    (grpc_health_read(span_of(content, 7)) ==
				GRPC_HEALTH_SERVING) == (a == 8 && b == 1));
		}
	}
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    a_request_names_its_service,
	    answers_say_what_they_say,
	    no_two_bytes_do_harm,
	};

	return unit_run("grpc_health", tests, NELEMS(tests));
}
