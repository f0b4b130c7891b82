/* base/service_name: two labels that begin with '_' and a domain. No host is
 * called so (RFC 952), which keeps both apart. */
#include "common/base/service_name.h"

/* The label at the front is "_x"; *rest is what is behind it. */
static bool
name_cut_word(span *rest)
{
	ptrdiff_t dot = span_chr(*rest, '.');

	if (dot < 2 || rest->p[0] != '_')
		return false;
	*rest = span_from(*rest, (size_t)dot + 1);
	return true;
}

span
service_name_domain(span name)
{
	span rest = name;

	return name_cut_word(&rest) && name_cut_word(&rest) && rest.len > 0
		   ? rest
		   : name;
}

bool
service_name_is(span name)
{
	return service_name_domain(name).len != name.len;
}
