/* exch/pct: makes any bytes fit to stand in a URI. */
#include "worker/exch/pct.h"

#include "common/base/check.h"
#include "common/base/num.h"

bool
pct_keeps(char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z'))
		return true;
	return c != '\0' && strchr("-._~!$&'()*+,;=:@/?#[]%", c) != NULL;
}

span
pct_encode(struct arena *a, span s)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;
	size_t cap;
	char *out;

	while (n < s.len && pct_keeps(s.p[n]))
		n++;
	if (n == s.len)
		return s;
	REQUIRE(size_mul(s.len, 3, &cap));
	out = arena_alloc(a, cap);
	n = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned c = (unsigned char)s.p[i];

		if (pct_keeps(s.p[i])) {
			out[n++] = s.p[i];
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return span_of(out, n);
}
