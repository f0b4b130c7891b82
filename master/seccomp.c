/* master/seccomp: what a taken-over worker would reach for: other programs,
 * other processes, mounts, modules, the kernel's own knobs. A list of what is
 * refused rather than of what is allowed: libraries change what they call. */
#include "master/seccomp.h"

#include "master/landlock.h"

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

#include "common/base/check.h"

static const int refused[] = {
    SCMP_SYS(acct),
    SCMP_SYS(add_key),
    SCMP_SYS(bpf),
    SCMP_SYS(chroot),
    SCMP_SYS(delete_module),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(finit_module),
    SCMP_SYS(init_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(keyctl),
    SCMP_SYS(mount),
    SCMP_SYS(move_mount),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(open_tree),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(pivot_root),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
#ifndef GH_SANITIZED
    /* by which a leak checker holds its own threads */
    SCMP_SYS(ptrace),
#endif
    SCMP_SYS(reboot),
    SCMP_SYS(request_key),
    SCMP_SYS(setns),
    SCMP_SYS(swapoff),
    SCMP_SYS(swapon),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(userfaultfd),
};

/* What takes a path, to have or to change what is there; connect(2) to a unix
 * socket stays, origins may be such. */
static const int paths[] = {
    SCMP_SYS(chmod),
    SCMP_SYS(chown),
    SCMP_SYS(creat),
    SCMP_SYS(fchmodat),
    SCMP_SYS(fchownat),
    SCMP_SYS(lchown),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(rmdir),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(truncate),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
};

/* What also takes one, and is the way to the files of `root`. */
static const int beneath[] = {
    SCMP_SYS(openat2),
};

/* By which a process leaves those that are ended together. */
static const int leaving[] = {
    SCMP_SYS(setpgid),
    SCMP_SYS(setsid),
};

static bool
refuse(const int *calls, size_t n)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
	if (rc == 0)
		rc = seccomp_load(ctx);
	if (ctx != NULL)
		seccomp_release(ctx);
	errno = -rc;
	return rc == 0;
}

bool
seccomp_apply(void)
{
	return refuse(refused, NELEMS(refused));
}

bool
seccomp_keep_session(void)
{
	return refuse(leaving, NELEMS(leaving));
}

#ifdef GH_SANITIZED
/* A leak checker opens files at the end of its process. */
bool
seccomp_confine(const int *roots, uint32_t n)
{
	(void)roots;
	(void)n;
	return NELEMS(paths) + NELEMS(beneath) > 0;
}
#else
bool
seccomp_confine(const int *roots, uint32_t n)
{
	bool ok = n > 0 ? landlock_confine(roots, n)
			: refuse(beneath, NELEMS(beneath));

	return ok && refuse(paths, NELEMS(paths));
}
#endif

#else

bool
seccomp_apply(void)
{
	return true;
}

bool
seccomp_confine(const int *roots, uint32_t n)
{
	return n == 0 || landlock_confine(roots, n);
}

bool
seccomp_keep_session(void)
{
	return true;
}

#endif
