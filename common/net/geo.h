/* net/geo: the countries and networks of addresses, from databases in the
 * format of MaxMind (mmdb), read by libmaxminddb. A file is copied into memory
 * that nobody can write to before it is looked at, and that children share. */
#ifndef GH_GEO_H
#define GH_GEO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/ip.h"
#include "common/base/span.h"

/* Letters of a country (ISO 3166-1 alpha-2). */
#define GEO_COUNTRY_LEN 2u
/* Bytes of a database. */
#define GEO_FILE_MAX (UINT64_C(1) << 30)
/* Room for a reason, its NUL included. */
#define GEO_WHY_CAP 128

struct geo;

struct geo *geo_new(void);
/* NULL is allowed. */
void geo_free(struct geo *g);
/* Read a database more: it is asked after those before it. false: `why` tells
 * what is wrong with it, or that this build has no such library. */
bool geo_add(struct geo *g, const char *path, char why[GEO_WHY_CAP]);

/* The country of an address, in capitals. false: no database tells it, or g is
 * NULL. */
bool geo_country(
    const struct geo *g, const struct ip *ip, char out[GEO_COUNTRY_LEN]);
/* The number of the network (autonomous system, RFC 6793) that announces it; 0:
 * no database tells it, or g is NULL. */
uint32_t geo_asn(const struct geo *g, const struct ip *ip);

enum geo_fact {
#define GEO_FACT(id, ...) GEO_FACT_##id,
#include "common/net/geo_fact.def"
#undef GEO_FACT
	GEO_FACTS
};

/* Room for a number as text. */
#define GEO_NUMBER_CAP 32
/* Its name: "COUNTRY_CODE". */
const char *geo_fact_name(enum geo_fact what);
/* What the first database that knows it tells of the address; empty: none does,
 * or g is NULL. A text belongs to g; a number is written to room. */
span geo_tell(const struct geo *g, const struct ip *ip, enum geo_fact what,
    char room[GEO_NUMBER_CAP]);

#endif
