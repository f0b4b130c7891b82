/* base/date: the dates of HTTP (RFC 9110 5.6.7) and of logs. */
#ifndef GH_DATE_H
#define GH_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

#define DATE_HTTP_LEN 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define DATE_CLF_LEN 26 /* "06/Nov/1994:08:49:37 +0000" */
#define DATE_ISO_LEN 24 /* "1994-11-06T08:49:37.123Z" */

/* IMF-fixdate, DATE_HTTP_LEN bytes, no NUL. Years 1 .. 9999. */
void date_format_http(int64_t unix_s, char *out);
/* Common log format in UTC, DATE_CLF_LEN bytes, no NUL. */
void date_format_clf(int64_t unix_s, char *out);
/* ISO 8601 UTC with milliseconds, DATE_ISO_LEN bytes, no NUL. */
void date_format_iso(int64_t unix_us, char *out);
/* All three forms of RFC 9110 5.6.7; a two-digit year more than 50 years ahead
 * of now_s is in the past. false when it is no date. */
bool date_parse_http(span s, int64_t now_s, int64_t *unix_s);

#endif
