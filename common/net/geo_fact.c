/* net/geo_fact: names of what is told of an address (geo_fact.def). */
#include "common/net/geo.h"

#include "common/base/check.h"

const char *
geo_fact_name(enum geo_fact what)
{
	static const char *const names[] = {
#define GEO_FACT(id, ...) #id,
#include "common/net/geo_fact.def"
#undef GEO_FACT
	};

	REQUIRE((unsigned)what < GEO_FACTS);
	return names[what];
}
