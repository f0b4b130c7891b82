/* sec_disposition: the field Content-Disposition of a part of a form (RFC 7578
 * 4.2), read as strictly as ModSecurity 2.9 does, which knows no `filename*`. */
#ifndef GH_SEC_DISPOSITION_H
#define GH_SEC_DISPOSITION_H

#include <stdbool.h>

#include "common/base/span.h"

struct arena;

struct sec_disposition {
	span name, filename;
	bool has_name, has_filename;
	/* filename*, which .NET sends beside the other one (RFC 8187) */
	span filename_ext;
	bool has_filename_ext;
	/* with single quotes, or with something behind a quote */
	bool is_badly_quoted;
	/* behind an equals sign, or before it: to some it has no value */
	bool has_blanks;
};

/* false: it is malformed, or says what is not known; *out holds what was read
 * before. Its texts live as long as `value` and the arena. */
bool sec_disposition_read(
    span value, struct arena *a, struct sec_disposition *out);

#endif
