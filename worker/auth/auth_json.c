/* auth/auth_json: see auth_json.h. jansson reads it, once its depth is known.
 */
#include "worker/auth/auth_json.h"

#include <stdbool.h>

/* Tokens and sets of keys need three. */
#define JSON_DEPTH_MAX 16u

/* Whether brackets outside of texts go no deeper. */
static bool
json_is_flat(span s)
{
	bool is_in_text = false;
	size_t depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '"')
			is_in_text = !is_in_text;
		else if (is_in_text)
			i += c == '\\';
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth -= depth > 0;
		if (depth > JSON_DEPTH_MAX)
			return false;
	}
	return true;
}

json_t *
auth_json_read(span text)
{
	json_t *j = NULL;

	if (text.len > 0 && json_is_flat(text))
		j = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(j))
		return j;
	json_decref(j);
	return NULL;
}

span
auth_json_text(const json_t *object, const char *key)
{
	const json_t *j = json_object_get(object, key);

	return json_is_string(j)
		   ? span_of(json_string_value(j), json_string_length(j))
		   : span_of(NULL, 0);
}
