/* shm/segment: super block and directory of a sealed memfd. Decides where
 * ranges lie and which pages exist; knows nothing of what is in them. What is
 * read from the directory is checked against the room before use: any process
 * could have written there (doc/shm.md 8). */
#include "common/shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/shm/crash.h"

/* A line of /proc/meminfo. */
#define MEMINFO_LINE 128
/* From here on the machine is asked first, and left some for all else. */
#define COMMIT_LARGE (UINT64_C(16) << 20)
#define COMMIT_LEAVES (UINT64_C(64) << 20)

struct segment_entry {
	_Atomic uint32_t kind; /* NONE: free */
	_Atomic uint32_t version;
	_Atomic uint64_t off;
	_Atomic uint64_t size;
	uint32_t refs[SEGMENT_MASTERS]; /* generations of each master */
	char name[SEGMENT_NAME_CAP];
	_Atomic uint64_t holder; /* who works in it without a claim; 0 */
};

/* An entry as it was read, once: what is checked is what is used, whatever is
 * written there meanwhile. */
struct segment_range {
	uint32_t kind;
	uint32_t version;
	uint64_t off;
	uint64_t size;
};

struct segment_master {
	uint64_t epoch; /* 0: none */
	uint64_t pid;
};

struct segment_super {
	uint64_t magic;
	uint32_t version;
	uint32_t abi; /* layout of this block on this machine */
	uint64_t room;
	uint64_t budget;
	uint64_t epoch; /* of the newest master */
	uint32_t generation; /* the newest number given out */
	uint32_t reserved;
	struct segment_lease lease;
	struct segment_master masters[SEGMENT_MASTERS]; /* by party */
	struct segment_entry at[SEGMENT_RANGES_MAX];
};

struct segment {
	int fd;
	struct segment_super *super;
	uint64_t room;
	uint64_t epoch; /* of this master */
};

/* Least room: the super block and something to live in. */
#define ROOM_MIN (UINT64_C(64) << 20)

static uint64_t
page_up(uint64_t n)
{
	return (n + SEGMENT_PAGE - 1) & ~(uint64_t)(SEGMENT_PAGE - 1);
}

static uint64_t
super_pages(void)
{
	return page_up(sizeof(struct segment_super));
}

static uint32_t
segment_abi(void)
{
	return (uint32_t)(sizeof(struct segment_super) << 8 | sizeof(void *));
}

/* --- making and mapping --------------------------------------------------- */

static struct segment *
segment_map(int fd, uint64_t room)
{
	struct segment *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->fd = fd;
	s->room = room;
	s->super = mmap(NULL, (size_t)room, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (s->super != MAP_FAILED)
		return s;
	free(s);
	return NULL;
}

static struct segment *
segment_map_sealed(int fd, uint64_t room)
{
	struct segment *s;

	if (ftruncate(fd, (off_t)room) < 0)
		return NULL;
	s = segment_map(fd, room);
	if (s == NULL)
		return NULL;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
		0 &&
	    posix_fallocate(fd, 0, (off_t)super_pages()) == 0)
		return s;
	(void)munmap(s->super, (size_t)room);
	free(s);
	return NULL;
}

uint32_t
segment_party(uint64_t epoch)
{
	return (uint32_t)(epoch % SEGMENT_MASTERS);
}

static void
segment_sign_in(struct segment *s)
{
	struct segment_master *m = &s->super->masters[segment_party(s->epoch)];

	m->pid = (uint64_t)getpid();
	m->epoch = s->epoch;
}

struct segment *
segment_new(uint64_t budget)
{
	int fd = memfd_create("gatehouse", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct segment *s = NULL;
	int err;

	if (fd < 0)
		return NULL;
	errno = ENOMEM;
	if (budget >= super_pages())
		for (uint64_t room = SEGMENT_ROOM; s == NULL && room > ROOM_MIN;
		     room /= 2)
			s = segment_map_sealed(fd, room);
	if (s == NULL) {
		err = errno;
		(void)close(fd);
		errno = err;
		return NULL;
	}
	s->epoch = 1;
	s->super->magic = SEGMENT_MAGIC;
	s->super->version = SEGMENT_VERSION;
	s->super->abi = segment_abi();
	s->super->room = s->room;
	s->super->budget = budget;
	s->super->epoch = s->epoch;
	segment_sign_in(s);
	return s;
}

/* The next number whose party nobody has, or 0: a master may live on for its
 * tunnels while many after it come and go. */
static uint64_t
segment_free_epoch(const struct segment_super *p)
{
	for (uint64_t i = 1; i <= SEGMENT_MASTERS; i++)
		if (p->masters[segment_party(p->epoch + i)].epoch == 0)
			return p->epoch + i;
	return 0;
}

struct segment *
segment_open(int fd)
{
	const struct segment_super *p;
	struct segment *s = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	if ((uint64_t)st.st_size >= super_pages())
		s = segment_map(fd, (uint64_t)st.st_size);
	if (s == NULL) {
		errno = EPROTO;
		return NULL;
	}
	p = s->super;
	errno = EPROTO;
	if (p->magic == SEGMENT_MAGIC && p->version == SEGMENT_VERSION &&
	    p->abi == segment_abi() && p->room == s->room) {
		s->epoch = segment_free_epoch(p);
		errno = EBUSY;
		if (s->epoch != 0) {
			s->super->epoch = s->epoch;
			segment_sign_in(s);
			return s;
		}
	}
	fd = errno;
	(void)munmap(s->super, (size_t)s->room);
	free(s);
	errno = fd;
	return NULL;
}

void
segment_free(struct segment *s)
{
	if (s == NULL)
		return;
	(void)munmap(s->super, (size_t)s->room);
	(void)close(s->fd);
	free(s);
}

int
segment_fd(const struct segment *s)
{
	return s->fd;
}

/* --- the super block ------------------------------------------------------ */

void
segment_set_budget(struct segment *s, uint64_t budget)
{
	s->super->budget = budget;
}

uint64_t
segment_budget(const struct segment *s)
{
	return s->super->budget;
}

/* The kernel knows best: it counts what is there. */
uint64_t
segment_committed(const struct segment *s)
{
	struct stat st;

	REQUIRE(fstat(s->fd, &st) == 0);
	return (uint64_t)st.st_blocks * 512;
}

uint64_t
segment_epoch(const struct segment *s)
{
	return s->epoch;
}

uint32_t
segment_next_generation(struct segment *s)
{
	return ++s->super->generation;
}

struct segment_lease *
segment_lease(struct segment *s)
{
	return &s->super->lease;
}

/* --- ranges --------------------------------------------------------------- */

/* Whether an entry is in use and lies inside the room; then *r is what it
 * says. */
static bool
entry_read(const struct segment *s, const struct segment_entry *e,
    struct segment_range *r)
{
	r->kind = atomic_load(&e->kind);
	r->version = atomic_load(&e->version);
	r->off = atomic_load(&e->off);
	r->size = atomic_load(&e->size);
	return r->kind != SEGMENT_KIND_NONE && r->off >= super_pages() &&
	       r->off % SEGMENT_PAGE == 0 && r->off < s->room &&
	       r->size <= s->room - r->off;
}

static struct segment_entry *
entry_find(
    struct segment *s, const struct segment_want *w, struct segment_range *r)
{
	for (uint32_t i = 0; i < SEGMENT_RANGES_MAX; i++) {
		struct segment_entry *e = &s->super->at[i];

		if (entry_read(s, e, r) && r->kind == w->kind &&
		    r->version == w->version && r->size == page_up(w->size) &&
		    strncmp(e->name, w->name, sizeof(e->name)) == 0)
			return e;
	}
	return NULL;
}

static struct segment_entry *
entry_free_one(struct segment *s)
{
	for (uint32_t i = 0; i < SEGMENT_RANGES_MAX; i++)
		if (atomic_load(&s->super->at[i].kind) == SEGMENT_KIND_NONE)
			return &s->super->at[i];
	return NULL;
}

static void *
range_at(const struct segment *s, const struct segment_range *r)
{
	return (char *)s->super + r->off;
}

/* The end of a range that overlaps [off, off + size), or 0. */
static uint64_t
room_taken(const struct segment *s, uint64_t off, uint64_t size)
{
	for (uint32_t i = 0; i < SEGMENT_RANGES_MAX; i++) {
		struct segment_range r;

		if (entry_read(s, &s->super->at[i], &r) && r.off < off + size &&
		    off < r.off + r.size)
			return r.off + r.size;
	}
	return 0;
}

/* The begin of the first range at or above `off`, or the end of the room. */
static uint64_t
room_next(const struct segment *s, uint64_t off)
{
	uint64_t next = s->room;

	for (uint32_t i = 0; i < SEGMENT_RANGES_MAX; i++) {
		struct segment_range r;

		if (entry_read(s, &s->super->at[i], &r) && r.off >= off)
			next = u64_min(next, r.off);
	}
	return next;
}

/* The first gap of that size, or 0. */
static uint64_t
room_find(const struct segment *s, uint64_t size)
{
	uint64_t off = super_pages();
	uint64_t end;

	while (off <= s->room && size <= s->room - off) {
		end = room_taken(s, off, size);
		if (end == 0)
			return off;
		off = page_up(end);
	}
	return 0;
}

/* Bytes of a run of pages that are not there yet (holes of the file). */
static uint64_t
pages_missing(const struct segment *s, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	uint64_t missing = 0;

	while (off < end) {
		off_t data = lseek(s->fd, (off_t)off, SEEK_DATA);
		off_t hole;

		if (data < 0 || (uint64_t)data >= end)
			return missing + (end - off);
		missing += (uint64_t)data - off;
		hole = lseek(s->fd, data, SEEK_HOLE);
		if (hole < 0)
			return missing;
		off = (uint64_t)hole;
	}
	return missing;
}

/* What the machine could still give, in bytes. */
static uint64_t
machine_has(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[MEMINFO_LINE];
	unsigned long long kib = 0;
	bool is_told = false;

	while (f != NULL && !is_told && fgets(line, sizeof(line), f) != NULL)
		is_told = sscanf(line, "MemAvailable: %llu kB", &kib) == 1;
	if (f != NULL)
		(void)fclose(f);
	return is_told ? (uint64_t)kib * 1024 : UINT64_MAX;
}

bool
segment_fits(const struct segment *s, uint64_t len)
{
	uint64_t used = segment_committed(s);
	uint64_t budget = segment_budget(s);

	if (used > budget || len > budget - used) {
		errno = ENOMEM;
		return false;
	}
	/* the kernel would give what it has not, and then kill for it */
	if (len >= COMMIT_LARGE && machine_has() < len + COMMIT_LEAVES) {
		errno = EFBIG;
		return false;
	}
	return true;
}

static int
pages_commit(struct segment *s, uint64_t off, uint64_t len)
{
	uint64_t first = off & ~(uint64_t)(SEGMENT_PAGE - 1);
	uint64_t pages = page_up(off + len) - first;
	uint64_t missing = pages_missing(s, first, pages);

	if (missing == 0)
		return 0;
	if (!segment_fits(s, missing))
		return -1;
	/* touch now: a machine without memory says so here, not in a worker */
	errno = posix_fallocate(s->fd, (off_t)first, (off_t)pages);
	return errno == 0 ? 0 : -1;
}

static void
pages_give_back(struct segment *s, uint64_t off, uint64_t len)
{
	/* what cannot be punched stays charged, nothing else */
	(void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    (off_t)off, (off_t)len);
}

/* Pages that no range has: a master may have died between the two. */
static void
pages_sweep(struct segment *s)
{
	uint64_t off = super_pages();

	while (off < s->room) {
		uint64_t end = room_taken(s, off, 1);

		if (end == 0) {
			end = room_next(s, off);
			pages_give_back(s, off, end - off);
		}
		off = page_up(end);
	}
}

static struct segment_entry *
entry_make(
    struct segment *s, const struct segment_want *w, struct segment_range *r)
{
	struct segment_entry *e = entry_free_one(s);
	uint64_t size = page_up(w->size);
	uint64_t off = room_find(s, size);

	REQUIRE(w->size > 0 && w->commit <= w->size);
	if (e == NULL || off == 0 || strlen(w->name) >= SEGMENT_NAME_CAP) {
		errno = ENOSPC;
		return NULL;
	}
	/* a master that died over a claim may have left something there */
	pages_give_back(s, off, size);
	if (w->commit > 0 && pages_commit(s, off, w->commit) < 0)
		return NULL;
	CRASH_POINT();
	*r = (struct segment_range){w->kind, w->version, off, size};
	atomic_store(&e->version, w->version);
	atomic_store(&e->off, off);
	atomic_store(&e->size, size);
	atomic_store(&e->holder, 0);
	memset(e->refs, 0, sizeof(e->refs));
	memset(e->name, 0, sizeof(e->name));
	memcpy(e->name, w->name, strlen(w->name));
	CRASH_POINT();
	atomic_store(&e->kind, w->kind);
	CRASH_POINT();
	return e;
}

static void
entry_drop(
    struct segment *s, struct segment_entry *e, const struct segment_range *r)
{
	atomic_store(&e->kind, SEGMENT_KIND_NONE);
	CRASH_POINT();
	/* who holds it wrote so, then read the kind: one of us sees the other
	 */
	if (atomic_load(&e->holder) != 0) {
		atomic_store(&e->kind, r->kind);
		return;
	}
	pages_give_back(s, r->off, r->size);
}

static uint32_t *
entry_refs(const struct segment *s, struct segment_entry *e)
{
	return &e->refs[segment_party(s->epoch)];
}

static bool
entry_is_used(const struct segment_entry *e)
{
	for (uint32_t i = 0; i < SEGMENT_MASTERS; i++)
		if (e->refs[i] > 0)
			return true;
	return false;
}

/* Give back what nobody uses: it was held, or a master died over a claim. */
static void
ranges_sweep(struct segment *s)
{
	for (uint32_t i = 0; i < SEGMENT_RANGES_MAX; i++) {
		struct segment_entry *e = &s->super->at[i];
		struct segment_range r;

		if (entry_read(s, e, &r) && !entry_is_used(e))
			entry_drop(s, e, &r);
	}
}

void
segment_sweep(struct segment *s)
{
	if (s->epoch == s->super->epoch)
		ranges_sweep(s);
}

void *
segment_claim(struct segment *s, const struct segment_want *w)
{
	struct segment_range r;
	struct segment_entry *e = entry_find(s, w, &r);

	if (e == NULL) {
		ranges_sweep(s);
		e = entry_make(s, w, &r);
	} else if (w->commit > 0 && pages_commit(s, r.off, w->commit) < 0) {
		return NULL;
	}
	if (e == NULL)
		return NULL;
	++*entry_refs(s, e);
	return range_at(s, &r);
}

void
segment_unclaim(struct segment *s, const void *at)
{
	for (uint32_t i = 0; i < SEGMENT_RANGES_MAX; i++) {
		struct segment_entry *e = &s->super->at[i];
		struct segment_range r;

		if (entry_read(s, e, &r) && range_at(s, &r) == at &&
		    *entry_refs(s, e) > 0)
			--*entry_refs(s, e);
	}
	ranges_sweep(s);
}

bool
segment_find_gone(struct segment *s, uint64_t *epoch)
{
	for (uint32_t i = 0; i < SEGMENT_MASTERS; i++) {
		const struct segment_master *m = &s->super->masters[i];

		*epoch = m->epoch;
		if (*epoch == 0 || segment_party(*epoch) != i ||
		    *epoch == s->epoch || m->pid > INT32_MAX)
			continue;
		if (kill((pid_t)m->pid, 0) < 0 && errno == ESRCH)
			return true;
	}
	return false;
}

void
segment_forget(struct segment *s, uint64_t epoch)
{
	uint32_t party = segment_party(epoch);

	REQUIRE(epoch != s->epoch);
	for (uint32_t i = 0; i < SEGMENT_RANGES_MAX; i++) {
		struct segment_entry *e = &s->super->at[i];
		struct segment_range r;

		if (entry_read(s, e, &r))
			e->refs[party] = 0;
	}
	ranges_sweep(s);
	pages_sweep(s);
	CRASH_POINT();
	s->super->masters[party].epoch = 0;
}

void *
segment_find(struct segment *s, const struct segment_want *w)
{
	struct segment_range r;

	return entry_find(s, w, &r) == NULL ? NULL : range_at(s, &r);
}

bool
segment_next(struct segment *s, enum segment_kind kind, uint32_t version,
    uint32_t *at, struct segment_found *out)
{
	while (*at < SEGMENT_RANGES_MAX) {
		uint32_t i = (*at)++;
		struct segment_entry *e = &s->super->at[i];
		struct segment_range r;

		if (!entry_read(s, e, &r) || r.kind != kind ||
		    r.version != version)
			continue;
		out->at = range_at(s, &r);
		out->size = r.size;
		out->number = i;
		out->holder = atomic_load(&e->holder);
		memcpy(out->name, e->name, sizeof(out->name));
		out->name[sizeof(out->name) - 1] = '\0';
		return true;
	}
	return false;
}

bool
segment_hold(struct segment *s, const struct segment_found *f, uint64_t who)
{
	struct segment_entry *e = &s->super->at[f->number];
	uint64_t holder = f->holder;
	struct segment_range r;

	if (!atomic_compare_exchange_strong(&e->holder, &holder, who))
		return false;
	CRASH_POINT();
	if (entry_read(s, e, &r) && range_at(s, &r) == f->at &&
	    r.size == f->size)
		return true;
	segment_let_go(s, f, who);
	return false;
}

void
segment_let_go(struct segment *s, const struct segment_found *f, uint64_t who)
{
	(void)atomic_compare_exchange_strong(
	    &s->super->at[f->number].holder, &who, 0);
}

int
segment_commit(struct segment *s, const void *at, uint64_t len)
{
	uint64_t off = (uint64_t)((const char *)at - (const char *)s->super);

	REQUIRE(off < s->room && len <= s->room - off);
	return pages_commit(s, off, len);
}

bool
segment_ready(
    struct segment *s, const void *at, uint64_t len, _Atomic uint32_t *is_ready)
{
	if (atomic_load(is_ready) != 0)
		return true;
	if (segment_commit(s, at, len) < 0)
		return false;
	atomic_store(is_ready, 1);
	return true;
}
