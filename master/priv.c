/* master/priv: giving up privileges. */
#include "master/priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/log.h"
#include "master/seccomp.h"

#define NAME_CAP 64
/* Descriptors besides connections: sockets, logs, epoll, names. */
#define EXTRA_FDS 128u

static bool
copy_name(span s, char out[NAME_CAP])
{
	return s.len < NAME_CAP &&
	       snprintf(out, NAME_CAP, "%.*s", SPAN_FMT(s)) > 0;
}

static bool
find_ids(
    const struct conf_scope *global, uid_t *uid, gid_t *gid, const char **why)
{
	span group = conf_text(global, KEY_GLOBAL_GROUP);
	const struct passwd *pw;
	const struct group *gr;
	char name[NAME_CAP];

	*why = "user";
	if (!copy_name(conf_text(global, KEY_GLOBAL_USER), name))
		return false;
	pw = getpwnam(name);
	if (pw == NULL)
		return false;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	if (group.len == 0)
		return true;
	*why = "group";
	if (!copy_name(group, name))
		return false;
	gr = getgrnam(name);
	if (gr == NULL)
		return false;
	*gid = gr->gr_gid;
	return true;
}

void
priv_check(const struct conf_scope *global, struct diag *d)
{
	static const struct place nowhere;
	bool is_user;
	const struct conf_value *v;
	const char *why;
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0 || find_ids(global, &uid, &gid, &why))
		return;
	is_user = strcmp(why, "user") == 0;
	v = conf_get(global, is_user ? KEY_GLOBAL_USER : KEY_GLOBAL_GROUP);
	diag_error(d, v != NULL ? v->at : nowhere,
	    "%s = %.*s: there is no such %s", why,
	    SPAN_FMT(conf_text(
		global, is_user ? KEY_GLOBAL_USER : KEY_GLOBAL_GROUP)),
	    why);
}

#ifdef GH_SANITIZED
/* A leak checker must be able to look at its own process. */
static int
priv_allow_checker(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
#else
static int
priv_allow_checker(void)
{
	return 0;
}
#endif

/* Also those that came without root, by the file or from a service manager;
 * the kernel takes root's when the user changes, unless that stays root. */
static bool
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
	       syscall(SYS_capset, &head, none) == 0;
}

bool
priv_lower(const struct conf_scope *global)
{
	const char *why = "";
	uid_t uid;
	gid_t gid;

	if (geteuid() == 0 &&
	    (!find_ids(global, &uid, &gid, &why) || setgroups(0, NULL) < 0 ||
		setgid(gid) < 0 || setuid(uid) < 0)) {
		log_msg(LOG_FATAL, "privileges not dropped %s error=\"%s\"",
		    why, strerror(errno));
		return false;
	}
	if (!drop_capabilities()) {
		log_msg(LOG_FATAL, "capabilities not dropped error=\"%s\"",
		    strerror(errno));
		return false;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		log_msg(LOG_FATAL, "no_new_privs failed error=\"%s\"",
		    strerror(errno));
		return false;
	}
	return true;
}

bool
priv_drop(const struct conf_scope *global)
{
	if (!priv_lower(global))
		return false;
	if (priv_allow_checker() < 0) {
		log_msg(LOG_FATAL, "checker not allowed error=\"%s\"",
		    strerror(errno));
		return false;
	}
	if (!seccomp_apply()) {
		log_msg(
		    LOG_FATAL, "seccomp failed error=\"%s\"", strerror(errno));
		return false;
	}
	return true;
}

bool
priv_limits(uint32_t connections)
{
	struct rlimit lim;
	rlim_t want = (rlim_t)connections * 2 + EXTRA_FDS;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0) {
		log_msg(LOG_FATAL, "getrlimit failed error=\"%s\"",
		    strerror(errno));
		return false;
	}
	if (lim.rlim_cur >= want)
		return true;
	lim.rlim_cur = want;
	if (lim.rlim_max < want) {
		struct rlimit more = {want, want};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return true;
		lim.rlim_cur = lim.rlim_max;
		log_msg(LOG_WARN,
		    "few descriptors limit=%llu wanted=%llu "
		    "for=worker_connections",
		    (unsigned long long)lim.rlim_max, (unsigned long long)want);
	}
	return setrlimit(RLIMIT_NOFILE, &lim) == 0;
}
