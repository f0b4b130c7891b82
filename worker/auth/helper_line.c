/* auth/helper_line: see helper_line.h. The protocol is told of in
 * https://wiki.squid-cache.org/Features/AddonHelpers */
#include "worker/auth/helper_line.h"

#include "common/base/check.h"

static bool
helper_is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
}

static void
helper_escape(struct text *t, span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (helper_is_plain(s.p[i]))
			text_add_char(t, s.p[i]);
		else
			text_printf(t, "%%%02X", (unsigned char)s.p[i]);
	}
}

void
helper_write(struct text *t, span name, span password)
{
	helper_escape(t, name);
	text_add_char(t, ' ');
	helper_escape(t, password);
	text_add_char(t, '\n');
}

bool
helper_read(span line, bool has_number, struct helper_answer *out)
{
	static const char *const words[] = {
	    [HELPER_OK] = "OK", [HELPER_ERR] = "ERR", [HELPER_BH] = "BH"};
	uint64_t number = 0;
	span word;

	/* of those that write lines as other systems do */
	if (span_ends(line, SPAN_LIT("\r")))
		line.len--;
	if (has_number &&
	    (!span_word(&line, &word) || !span_u64(word, UINT32_MAX, &number)))
		return false;
	if (!span_word(&line, &word))
		return false;
	out->number = (uint32_t)number;
	for (size_t i = 0; i < NELEMS(words); i++) {
		out->word = (enum helper_word)i;
		if (span_eq(word, span_str(words[i])))
			return true;
	}
	return false;
}
