/* net/geo_none: net/geo of a build without libmaxminddb: no database can be
 * read, so that nothing is known of any address. */
#ifndef HAVE_MAXMINDDB
#include <stdio.h>

#include "common/net/geo.h"

struct geo *
geo_new(void)
{
	return NULL;
}

void
geo_free(struct geo *g)
{
	(void)g;
}

bool
geo_add(struct geo *g, const char *path, char why[GEO_WHY_CAP])
{
	(void)g;
	(void)path;
	(void)snprintf(
	    why, GEO_WHY_CAP, "this gatehouse was built without libmaxminddb");
	return false;
}

bool
geo_country(const struct geo *g, const struct ip *ip, char out[GEO_COUNTRY_LEN])
{
	(void)g;
	(void)ip;
	(void)out;
	return false;
}

uint32_t
geo_asn(const struct geo *g, const struct ip *ip)
{
	(void)g;
	(void)ip;
	return 0;
}

span
geo_tell(const struct geo *g, const struct ip *ip, enum geo_fact what,
    char room[GEO_NUMBER_CAP])
{
	(void)g;
	(void)ip;
	(void)what;
	(void)room;
	return (span){0};
}
#endif
