/* auth/basic: see basic.h. */
#include "worker/auth/basic.h"

#include "common/base/base64.h"
#include "worker/auth/passwd.h"
#include "worker/auth/users.h"

bool
basic_read(span value, char *room, struct basic *out)
{
	span rest = value;
	span word;
	size_t len;

	if (!span_word(&rest, &word) || !span_ieq(word, SPAN_LIT("basic")) ||
	    !span_word(&rest, &out->token) || span_trim(rest).len > 0 ||
	    out->token.len > BASIC_TOKEN_MAX ||
	    !base64_read(out->token, room, &len))
		return false;
	rest = span_of(room, len);
	return auth_is_text(rest) && span_cut(&rest, ':', &out->name) &&
	       rest.p != NULL && out->name.len > 0 &&
	       out->name.len <= AUTH_NAME_MAX && rest.len <= PASSWD_MAX &&
	       (out->password = rest, true);
}
