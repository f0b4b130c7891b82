/* exch/exch_geo: where an exchange's client is, as the databases of `mmdb` have
 * its address. */
#ifndef GH_EXCH_GEO_H
#define GH_EXCH_GEO_H

#include <stdint.h>

#include "common/base/span.h"
#include "common/net/geo.h"

struct exch;

/* The country, written to out; empty: it is not known. */
span exch_client_country(const struct exch *x, char out[GEO_COUNTRY_LEN]);
/* The number of the network; 0: it is not known. */
uint32_t exch_client_asn(const struct exch *x);

#endif
