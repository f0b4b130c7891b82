/* fuzz/control: what one process of ours hears from another that may have been
 * taken over: a control message, and a list of problems. */
#include "t/fuzz/fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/base/diag.h"
#include "common/ipc/ctl.h"

/* The message arrives as it was sent, or is refused; either way the next one
 * does. */
static void
check_message(span in)
{
	static struct ctl_msg m;
	uint32_t len;
	int ends[2];
	int fd = -1;
	int rc;

	REQUIRE(ctl_pair(ends) == 0);
	REQUIRE(send(ends[0], in.p, in.len, 0) == (ssize_t)in.len);
	rc = ctl_recv(ends[1], &m, &fd, NULL);
	REQUIRE(fd == -1);
	REQUIRE(rc == 1 || in.len == 0 || rc == -1);
	if (rc == 1) {
		memcpy(&len, in.p + offsetof(struct ctl_msg, len), sizeof(len));
		REQUIRE(in.len == offsetof(struct ctl_msg, text) + len);
		REQUIRE(memcmp(&m, in.p, in.len) == 0);
	}
	REQUIRE(ctl_send_word(ends[0], CTL_HELLO, 7, -1) == 0);
	REQUIRE(ctl_recv(ends[1], &m, &fd, NULL) == 1);
	REQUIRE(m.type == CTL_HELLO && m.arg == 7 && m.len == 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static struct diag *
diag_from(span wire)
{
	struct diag *d = diag_new();

	(void)diag_file(d, "fuzz", SPAN_LIT("one\ntwo\tthree\n"));
	(void)diag_merge(d, wire.p, wire.len);
	return d;
}

/* What was taken is told on and taken as the same. */
static void
check_problems(span wire)
{
	struct diag *d = diag_from(wire);
	size_t len, len_again;
	char *told = diag_serialize(d, &len);
	struct diag *again = diag_from(span_of(told, len));
	char *told_again = diag_serialize(again, &len_again);
	char *shown = diag_render(d);

	REQUIRE(span_eq(span_of(told, len), span_of(told_again, len_again)));
	free(shown);
	free(told_again);
	free(told);
	diag_free(again);
	diag_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));

	check_message(in);
	check_problems(in);
	fuzz_free(in);
	return 0;
}
