/* master/cpu: affinity mask and cgroup quota. */
#include "master/cpu.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define CGROUP_SELF "/proc/self/cgroup"
#define CGROUP_ROOT "/sys/fs/cgroup"
#define QUOTA_V1 CGROUP_ROOT "/cpu/cpu.cfs_quota_us"
#define PERIOD_V1 CGROUP_ROOT "/cpu/cpu.cfs_period_us"
#define FILE_CAP 4096

static span
cpu_read(const char *path, char buf[FILE_CAP])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	span s;

	if (fd < 0)
		return span_of(NULL, 0);
	n = read(fd, buf, FILE_CAP - 1);
	(void)close(fd);
	s = span_of(buf, n < 0 ? 0 : (size_t)n);
	while (s.len > 0 && s.p[s.len - 1] == '\n')
		s.len--;
	return s;
}

static uint32_t
cpu_whole(uint64_t quota, uint64_t period)
{
	return period == 0 ? 0 : (uint32_t)((quota + period - 1) / period);
}

uint32_t
cpu_quota_v2(span max)
{
	uint64_t quota, period;
	span word;

	if (!span_word(&max, &word) || !span_u64(word, UINT32_MAX, &quota))
		return 0;
	if (!span_word(&max, &word) || !span_u64(word, UINT32_MAX, &period))
		return 0;
	return cpu_whole(quota, period);
}

/* The tightest quota of this process's group and those around it. */
static uint32_t
cpu_quota_groups(void)
{
	char buf[FILE_CAP];
	char path[FILE_CAP + 64];
	char max[FILE_CAP];
	span rest = cpu_read(CGROUP_SELF, buf);
	uint32_t least = 0;
	span line;
	span group = span_of(NULL, 0);

	while (span_cut(&rest, '\n', &line))
		if (span_starts(line, SPAN_LIT("0::/")))
			group = span_from(line, 3);
	/* up to the root, which has a quota where a container's is mounted */
	for (bool is_root = false; !is_root;) {
		ptrdiff_t slash = span_rchr(group, '/');
		uint32_t n;

		(void)snprintf(path, sizeof(path), CGROUP_ROOT "%.*s/cpu.max",
		    SPAN_FMT(group));
		n = cpu_quota_v2(cpu_read(path, max));
		if (n > 0 && (least == 0 || n < least))
			least = n;
		is_root = group.len == 0;
		group = span_first(group, slash < 0 ? 0 : (size_t)slash);
	}
	return least;
}

static uint32_t
cpu_quota_v1(void)
{
	char quota_text[FILE_CAP];
	char period_text[FILE_CAP];
	uint64_t quota, period;

	/* -1, no limit, is no number here */
	if (!span_u64(cpu_read(QUOTA_V1, quota_text), UINT32_MAX, &quota) ||
	    !span_u64(cpu_read(PERIOD_V1, period_text), UINT32_MAX, &period))
		return 0;
	return cpu_whole(quota, period);
}

uint32_t
cpu_usable(void)
{
	uint32_t quota = cpu_quota_groups();
	uint32_t n = 1;
	cpu_set_t set;

	if (quota == 0)
		quota = cpu_quota_v1();
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (uint32_t)CPU_COUNT(&set);
	if (quota > 0 && quota < n)
		n = quota;
	return n > 0 ? n : 1;
}

int
cpu_pin(uint32_t n)
{
	cpu_set_t set, one;
	uint32_t left;

	if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) == 0)
		return -1;
	left = n % (uint32_t)CPU_COUNT(&set);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set) || left-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		return sched_setaffinity(0, sizeof(one), &one) == 0 ? i : -1;
	}
	return -1;
}
