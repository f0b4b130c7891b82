/* net/geo_mmdb: see geo.h. */
#ifdef HAVE_MAXMINDDB
#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/vec.h"
#include "common/net/geo.h"
#include "common/net/sock.h"

#define FD_PATH_CAP 32
/* Words of a path, and its end. */
#define GEO_PATH_MAX 4
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct geo {
	struct vec files; /* of MMDB_s, in their order */
};

struct geo *
geo_new(void)
{
	struct geo *g = calloc(1, sizeof(*g));

	REQUIRE(g != NULL);
	vec_init(&g->files);
	return g;
}

void
geo_free(struct geo *g)
{
	if (g == NULL)
		return;
	for (uint32_t i = 0; i < g->files.n; i++) {
		MMDB_close(g->files.at[i]);
		free(g->files.at[i]);
	}
	vec_fini(&g->files);
	free(g);
}

/* --- reading one ---------------------------------------------------------- */

static bool
copy_all(int from, int to, uint64_t len)
{
	while (len > 0) {
		ssize_t n = sendfile(to, from, NULL, len);

		if (n == 0)
			errno = EIO; /* it became shorter */
		if (n <= 0)
			return false;
		len -= (uint64_t)n;
	}
	return fcntl(to, F_ADD_SEALS, SEALS) == 0;
}

/* A copy of the file that nobody can change or cut; -1. */
static int
copy_open(int from, char why[GEO_WHY_CAP])
{
	struct stat st;
	int to = -1;

	if (fstat(from, &st) != 0) {
		(void)snprintf(why, GEO_WHY_CAP, "%s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		(void)snprintf(why, GEO_WHY_CAP, "it is no file");
	} else if ((uint64_t)st.st_size > GEO_FILE_MAX) {
		(void)snprintf(why, GEO_WHY_CAP, "it is larger than 1g");
	} else {
		to = memfd_create(
		    "gatehouse-mmdb", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (to >= 0 && copy_all(from, to, (uint64_t)st.st_size))
			return to;
		(void)snprintf(why, GEO_WHY_CAP, "%s", strerror(errno));
		if (to >= 0)
			(void)close(to);
	}
	return -1;
}

static MMDB_s *
file_open(int fd, char why[GEO_WHY_CAP])
{
	MMDB_s *db = calloc(1, sizeof(*db));
	char path[FD_PATH_CAP];
	int rc;

	REQUIRE(db != NULL);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = MMDB_open(path, MMDB_MODE_MMAP, db);
	if (rc == MMDB_SUCCESS)
		return db;
	(void)snprintf(why, GEO_WHY_CAP, "%s", MMDB_strerror(rc));
	free(db);
	return NULL;
}

bool
geo_add(struct geo *g, const char *path, char why[GEO_WHY_CAP])
{
	/* a pipe without a writer must not hold up the start */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	MMDB_s *db = NULL;
	int copy;

	if (fd < 0) {
		(void)snprintf(why, GEO_WHY_CAP, "%s", strerror(errno));
		return false;
	}
	copy = copy_open(fd, why);
	(void)close(fd);
	if (copy >= 0) {
		db = file_open(copy, why);
		(void)close(copy);
	}
	if (db != NULL)
		vec_push(&g->files, db);
	return db != NULL;
}

/* --- looking up ----------------------------------------------------------- */

/* What a database has under a path for an address. One that is malformed there
 * has nothing. */
static bool
file_get(const MMDB_s *db, const struct ip *ip, const char *const *path,
    MMDB_entry_data_s *out)
{
	struct sock_addr a;
	MMDB_lookup_result_s r;
	int rc;

	sock_addr_from_ip(ip, 0, &a);
	r = MMDB_lookup_sockaddr(db, &a.u.sa, &rc);
	return rc == MMDB_SUCCESS && r.found_entry &&
	       MMDB_aget_value(&r.entry, out, path) == MMDB_SUCCESS &&
	       out->has_data;
}

bool
geo_country(const struct geo *g, const struct ip *ip, char out[GEO_COUNTRY_LEN])
{
	static const char *const path[] = {"country", "iso_code", NULL};
	MMDB_entry_data_s d;

	for (uint32_t i = 0; g != NULL && i < g->files.n; i++) {
		if (!file_get(g->files.at[i], ip, path, &d) ||
		    d.type != MMDB_DATA_TYPE_UTF8_STRING ||
		    d.data_size != GEO_COUNTRY_LEN)
			continue;
		memcpy(out, d.utf8_string, GEO_COUNTRY_LEN);
		return true;
	}
	return false;
}

uint32_t
geo_asn(const struct geo *g, const struct ip *ip)
{
	static const char *const path[] = {"autonomous_system_number", NULL};
	MMDB_entry_data_s d;

	for (uint32_t i = 0; g != NULL && i < g->files.n; i++)
		if (file_get(g->files.at[i], ip, path, &d) &&
		    d.type == MMDB_DATA_TYPE_UINT32)
			return d.uint32;
	return 0;
}

span
geo_tell(const struct geo *g, const struct ip *ip, enum geo_fact what,
    char room[GEO_NUMBER_CAP])
{
	static const char *const paths[][GEO_PATH_MAX] = {
#define GEO_FACT(id, ...) {__VA_ARGS__},
#include "common/net/geo_fact.def"
#undef GEO_FACT
	};
	MMDB_entry_data_s d;
	int n;

	for (uint32_t i = 0; g != NULL && i < g->files.n; i++) {
		if (!file_get(g->files.at[i], ip, paths[what], &d))
			continue;
		if (d.type == MMDB_DATA_TYPE_UTF8_STRING)
			return span_of(d.utf8_string, d.data_size);
		if (d.type != MMDB_DATA_TYPE_DOUBLE)
			continue;
		n = snprintf(room, GEO_NUMBER_CAP, "%.6f", d.double_value);
		if (n > 0 && n < GEO_NUMBER_CAP)
			return span_of(room, (size_t)n);
	}
	return (span){0};
}
#endif
