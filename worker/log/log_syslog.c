/* log/log_syslog: see log_syslog.h. A message is kept as TCP has it, its length
 * and a blank in front, so that what waits can be sent in one piece; datagrams
 * go without that. */
#include "worker/log/log_syslog.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/num.h"
#include "common/base/text.h"
#include "worker/log/log_line.h"

/* Another socket is tried after this. */
#define SYSLOG_AGAIN_MS 1000u
/* RFC 5424 table 2: informational. */
#define SEVERITY_INFO 6u
#define SEVERITIES 8u
/* RFC 5424 6: most bytes of the fields of a head. */
#define HOSTNAME_MAX 255u
#define MSGID_MAX 32u
/* Digits of a message's length, and the blank behind them. */
#define COUNT_CAP 5u
#define MESSAGE_MAX (SYSLOG_HEAD_CAP + LOG_LINE_MIN)
/* Messages that find room beside what is collected. */
#define SPARE_MESSAGES 16u

static_assert(MESSAGE_MAX < 10000, "a length has four digits");

/* Of lines whose log says none: local7. */
#define FACILITY_USUAL 23u

/* RFC 5424 table 1, in its order; the words of rsyslog and nginx. */
static const char *const facilities[] = {"kern", "user", "mail", "daemon",
    "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7"};

bool
syslog_to_read(struct syslog_to *to, span text, span facility)
{
	memset(to, 0, sizeof(*to));
	to->facility = FACILITY_USUAL;
	for (uint8_t i = 0; i < NELEMS(facilities); i++)
		if (span_eq(facility, span_str(facilities[i])))
			to->facility = i;
	to->is_stream = span_starts(text, SPAN_LIT("tcp://"));
	if (to->is_stream || span_starts(text, SPAN_LIT("udp://")))
		text = span_from(text, sizeof("tcp://") - 1);
	return sock_addr_parse(text, &to->addr);
}

/* A field of the head: printable, without blanks, or "-" (RFC 5424 6). */
static void
head_add(struct text *t, span s, size_t max)
{
	bool is_fine = s.len > 0 && s.len <= max;

	for (size_t i = 0; is_fine && i < s.len; i++)
		is_fine = s.p[i] > ' ' && s.p[i] < 0x7f;
	text_add(t, is_fine ? s : SPAN_LIT("-"));
	text_add_char(t, ' ');
}

static void
head_make(struct log_syslog *s)
{
	char host[HOSTNAME_MAX + 1] = "";
	struct text t;

	(void)gethostname(host, sizeof(host) - 1);
	text_init(&t, s->tail, sizeof(s->tail));
	text_add_char(&t, ' ');
	head_add(&t, span_str(host), HOSTNAME_MAX);
	text_add_str(&t, "gatehouse ");
	text_add_u64(&t, (uint64_t)getpid());
	text_add_char(&t, ' ');
	head_add(&t, s->to->msgid, MSGID_MAX);
	/* no structured data */
	text_add_str(&t, "- ");
	s->tail_len = t.len;
}

void
log_syslog_init(struct log_syslog *s, const struct syslog_to *to, size_t buffer)
{
	memset(s, 0, sizeof(*s));
	s->to = to;
	s->fd = -1;
	s->flush_at = buffer;
	s->cap = buffer + SPARE_MESSAGES * MESSAGE_MAX;
	s->buf = malloc(s->cap);
	REQUIRE(s->buf != NULL);
	head_make(s);
}

/* The length that stands at p, and how many bytes it takes. */
static size_t
message_len(const char *p, size_t *count)
{
	size_t len = 0;

	for (*count = 0; p[*count] != ' '; ++*count)
		len = len * 10 + (size_t)(p[*count] - '0');
	++*count;
	return len;
}

static void
syslog_close(struct log_syslog *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	/* the next connection begins with a whole message */
	s->sent = 0;
}

/* Take n sent bytes off the front. */
static void
syslog_drop(struct log_syslog *s, size_t n)
{
	s->len -= n;
	memmove(s->buf, s->buf + n, s->len);
}

/* All but the message that is half sent. */
static void
syslog_lose(struct log_syslog *s)
{
	size_t count, at = 0;

	while (at < s->len) {
		at += message_len(s->buf + at, &count);
		at += count;
		s->n_lost++;
	}
	s->len = 0;
	s->sent = 0;
}

void
log_syslog_fini(struct log_syslog *s)
{
	syslog_lose(s);
	syslog_close(s);
	free(s->buf);
	s->buf = NULL;
}

/* --- sending -------------------------------------------------------------- */

static bool
syslog_is_open(struct log_syslog *s, uint64_t now_ms)
{
	bool is_done;

	if (s->fd >= 0)
		return true;
	if (now_ms < s->next_try_ms)
		return false;
	s->fd = s->to->is_stream ? sock_connect(&s->to->addr, &is_done)
				 : sock_connect_datagram(&s->to->addr);
	if (s->fd >= 0)
		return true;
	s->err = errno;
	s->next_try_ms = now_ms + SYSLOG_AGAIN_MS;
	return false;
}

/* A server that is away is asked again later, with what was not sent. */
static void
syslog_fail(struct log_syslog *s, int err, uint64_t now_ms)
{
	s->err = err;
	s->next_try_ms = now_ms + SYSLOG_AGAIN_MS;
	syslog_close(s);
}

static bool
is_full(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == ENOBUFS;
}

/* Take whole messages off the front, n bytes behind what had been sent. */
static void
syslog_sent(struct log_syslog *s, size_t n)
{
	size_t at = 0;
	size_t count;

	n += s->sent;
	while (at < s->len) {
		size_t len = message_len(s->buf + at, &count) + count;

		if (n - at < len)
			break;
		at += len;
	}
	s->sent = n - at;
	syslog_drop(s, at);
}

/* What waits, as one piece after the other. */
static void
syslog_flush_stream(struct log_syslog *s, uint64_t now_ms)
{
	while (s->len > 0) {
		ssize_t n = send(s->fd, s->buf + s->sent, s->len - s->sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0) {
			syslog_sent(s, (size_t)n);
			s->err = 0;
		} else if (is_full(errno)) {
			s->is_full = true;
			return;
		} else if (errno != EINTR) {
			syslog_fail(s, errno, now_ms);
			return;
		}
	}
}

/* Whether it is done with, sent or lost. */
static bool
syslog_send_one(
    struct log_syslog *s, const char *p, size_t len, uint64_t now_ms)
{
	ssize_t n;

	do {
		n = send(s->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0) {
		s->err = 0;
		return true;
	}
	if (is_full(errno)) {
		s->is_full = true;
		return false;
	}
	if (errno == EMSGSIZE) {
		/* larger than the way there takes: no later time is better */
		s->n_lost++;
		s->err = EMSGSIZE;
		return true;
	}
	syslog_fail(s, errno, now_ms);
	return false;
}

static void
syslog_flush_datagrams(struct log_syslog *s, uint64_t now_ms)
{
	size_t at = 0;

	while (at < s->len) {
		size_t count;
		size_t len = message_len(s->buf + at, &count);

		if (!syslog_send_one(s, s->buf + at + count, len, now_ms))
			break;
		at += count + len;
	}
	syslog_drop(s, at);
}

void
log_syslog_flush(struct log_syslog *s, uint64_t now_ms)
{
	s->is_full = false;
	if (s->len == 0 || !syslog_is_open(s, now_ms))
		return;
	if (s->to->is_stream)
		syslog_flush_stream(s, now_ms);
	else
		syslog_flush_datagrams(s, now_ms);
}

/* --- lines ---------------------------------------------------------------- */

char *
log_syslog_room(struct log_syslog *s, size_t *cap, uint64_t now_ms)
{
	if (s->cap - s->len < MESSAGE_MAX)
		log_syslog_flush(s, now_ms);
	if (s->cap - s->len < MESSAGE_MAX) {
		s->n_lost++;
		return NULL;
	}
	*cap = LOG_LINE_MIN;
	return s->buf + s->len + SYSLOG_HEAD_CAP;
}

void
log_syslog_added(
    struct log_syslog *s, size_t len, int64_t wall_us, uint64_t now_ms)
{
	char *at = s->buf + s->len;
	char head[SYSLOG_HEAD_CAP];
	char count[COUNT_CAP];
	struct text h, c;

	/* its end is told by its length */
	REQUIRE(len > 0 && len <= LOG_LINE_MIN);
	len--;
	text_init(&h, head, sizeof(head));
	text_add_char(&h, '<');
	text_add_u64(&h, s->to->facility * SEVERITIES + SEVERITY_INFO);
	text_add_str(&h, ">1 ");
	date_format_iso(wall_us, head + h.len);
	h.len += DATE_ISO_LEN;
	text_add(&h, span_of(s->tail, s->tail_len));
	text_init(&c, count, sizeof(count));
	text_add_u64(&c, h.len + len);
	text_add_char(&c, ' ');
	memmove(at + c.len + h.len, at + SYSLOG_HEAD_CAP, len);
	memcpy(at, count, c.len);
	memcpy(at + c.len, head, h.len);
	s->len += c.len + h.len + len;
	if (s->len > s->flush_at)
		log_syslog_flush(s, now_ms);
}
