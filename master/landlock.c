/* master/landlock: seccomp sees numbers, not paths: who may open a file of a
 * folder could open any. This is what tells them apart. */
#include "master/landlock.h"

#ifdef HAVE_LINUX_LANDLOCK_H

#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All that the first version of it knows: what is not known is not refused, and
 * later kernels know these as well. */
#define LANDLOCK_ALL \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
	    LANDLOCK_ACCESS_FS_MAKE_SYM)

/* A folder is opened, too, to see that it is one. */
static bool
landlock_allow(int rules, const int *roots, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct landlock_path_beneath_attr root = {
		    .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE |
				      LANDLOCK_ACCESS_FS_READ_DIR,
		    .parent_fd = roots[i],
		};

		if (syscall(SYS_landlock_add_rule, rules,
			LANDLOCK_RULE_PATH_BENEATH, &root, 0) < 0)
			return false;
	}
	return true;
}

bool
landlock_confine(const int *roots, uint32_t n)
{
	struct landlock_ruleset_attr all = {.handled_access_fs = LANDLOCK_ALL};
	int rules =
	    (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	bool ok;
	int err;

	if (rules < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP;
	ok = landlock_allow(rules, roots, n) &&
	     syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	err = errno;
	(void)close(rules);
	errno = err;
	return ok;
}

#else

bool
landlock_confine(const int *roots, uint32_t n)
{
	(void)roots;
	(void)n;
	return true;
}

#endif
