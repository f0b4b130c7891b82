/* master/quotakeeper: what stands in the file is common/store/quota_file's
 * business, where the file is master/quotafile's. */
#include "master/quotakeeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/store/quota_file.h"
#include "common/store/quotas.h"

/* What was used on earlier days than these is over in every zone. */
#define DAYS_KEPT 2

struct quotakeeper {
	const struct boot *boot;
	struct slot_name me;
	bool is_whole; /* nothing was left out */
};

/* --- reading -------------------------------------------------------------- */

/* All of a file that is no longer than `cap`: its length; -1 with errno. */
static ssize_t
file_read(int fd, char *p, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = pread(fd, p + len, cap - len, (off_t)len);

		if (n < 0)
			return -1;
		if (n == 0)
			return (ssize_t)len;
		len += (size_t)n;
	}
	errno = EFBIG;
	return -1;
}

static void
keeper_restore(void *self, const struct quota *q)
{
	struct quotakeeper *k = self;

	k->is_whole &=
	    quotas_restore(k->boot->quotas, k->boot->slots, k->me, q);
}

static bool
keeper_load(struct quotakeeper *k, int fd)
{
	size_t cap = QUOTA_FILE_MAX + 1;
	char *p = malloc(cap);
	ssize_t len;
	const char *why;
	uint32_t line = 0;

	REQUIRE(p != NULL);
	len = file_read(fd, p, cap);
	why = len < 0 ? strerror(errno)
		      : quota_file_read(
			    span_of(p, (size_t)len), keeper_restore, k, &line);
	free(p);
	if (why != NULL)
		log_msg(LOG_ERROR,
		    "quota file refused line=%u error=\"%s\" "
		    "result=\"all quotas begin anew\"",
		    line, why);
	else if (!k->is_whole)
		log_msg(LOG_WARN, "quota file not loaded as a whole");
	return why == NULL;
}

/* --- writing -------------------------------------------------------------- */

/* All that is known, as far as it may still count. */
static uint32_t
keeper_gather(struct quotakeeper *k, struct quota *all)
{
	const struct boot *b = k->boot;
	int32_t newest = 0;
	uint32_t at = 0;
	uint32_t n = 0;
	uint32_t kept = 0;

	while (n < QUOTAS_MAX &&
	       quotas_next(b->quotas, b->slots, k->me, &at, &all[n]))
		n++;
	for (uint32_t i = 0; i < n; i++)
		if (all[i].day > newest)
			newest = all[i].day;
	for (uint32_t i = 0; i < n; i++)
		if (all[i].day > newest - DAYS_KEPT && all[i].used > 0)
			all[kept++] = all[i];
	return kept;
}

static bool
file_write(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0;
}

static bool
keeper_save(struct quotakeeper *k, int fd)
{
	struct quota *all = calloc(QUOTAS_MAX, sizeof(*all));
	size_t len;
	bool is_ok;
	char *p;

	REQUIRE(all != NULL);
	p = quota_file_write(all, keeper_gather(k, all), &len);
	is_ok = file_write(fd, p, len);
	if (!is_ok)
		log_msg(LOG_ERROR, "quota file not written error=\"%s\"",
		    strerror(errno));
	free(p);
	free(all);
	return is_ok;
}

void
quotakeeper_hear(const struct boot *b, const struct ctl_msg *m, int fd)
{
	struct quotakeeper k = {
	    .boot = b,
	    .me = {b->slot, b->incarnation},
	    .is_whole = true,
	};
	bool is_ok = m->type == CTL_QUOTA_SAVE ? keeper_save(&k, fd)
					       : keeper_load(&k, fd);

	(void)close(fd);
	if (ctl_send_word(b->ctl_fd, CTL_QUOTA_DONE, is_ok, -1) < 0)
		log_msg(LOG_ERROR, "quota file not told error=\"%s\"",
		    strerror(errno));
}
