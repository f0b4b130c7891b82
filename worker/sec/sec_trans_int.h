/* sec_trans_int: the transformations that have files of their own. Each takes
 * a text of at least one byte and gives it back when nothing changes. */
#ifndef GH_SEC_TRANS_INT_H
#define GH_SEC_TRANS_INT_H

#include "common/base/span.h"

struct sec_unicode;

/* The blank that does not break, in Latin-1. */
#define SEC_NBSP '\xa0'

/* sec_trans_decode.c */
span sec_trans_css_decode(span in, char *out);
span sec_trans_escape_seq_decode(span in, char *out);
span sec_trans_html_entity_decode(span in, char *out);
span sec_trans_js_decode(span in, char *out);
span sec_trans_url_decode(span in, char *out);
span sec_trans_url_decode_uni(
    span in, const struct sec_unicode *map, char *out);
span sec_trans_url_encode(span in, char *out);
span sec_trans_utf8_to_unicode(span in, char *out);

/* sec_trans_digits.c */
span sec_trans_base64_decode(span in, char *out);
span sec_trans_base64_decode_ext(span in, char *out);
span sec_trans_hex_decode(span in, char *out);
span sec_trans_hex_encode(span in, char *out);
span sec_trans_sql_hex_decode(span in, char *out);

/* sec_trans_text.c */
span sec_trans_cmd_line(span in, char *out);
span sec_trans_normalize_path(span in, char *out);
span sec_trans_normalize_path_win(span in, char *out);
span sec_trans_remove_comments(span in, char *out);
span sec_trans_remove_comments_char(span in, char *out);
span sec_trans_replace_comments(span in, char *out);

#endif
