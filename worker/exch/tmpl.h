/* exch/tmpl: text with {variables} in it, compiled at load. `{name}` and
 * `{name:arg}` are variables; `{` in front of anything but a lower-case letter
 * is text (so that JSON can be written as it is), and `{{` is the text `{`. */
#ifndef GH_TMPL_H
#define GH_TMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/diag.h"
#include "common/base/span.h"
#include "worker/exch/vars.h"

struct exch;

struct tmpl_part {
	span text; /* with is_var false */
	struct var var;
	bool is_var;
};

struct tmpl {
	struct tmpl_part *parts;
	uint32_t n;
	uint32_t n_vars;
	size_t text_len; /* of all parts that are text */
};

/* Parts of one template. */
#define TMPL_PARTS_MAX 256

/* How values are made fit for where they go. */
enum tmpl_escape {
	TMPL_PLAIN, /* as they are */
	TMPL_URI, /* what may not stand in a URI is percent-encoded */
	TMPL_FIELD, /* control bytes become blanks */
	TMPL_HTML, /* text or a quoted attribute of HTML or XML; bytes that these
	              do not hold become '?' */
	TMPL_JSON /* within a string of JSON, also where that stands in HTML */
};

/* Compile; the text is borrowed, the parts are in the arena. */
bool tmpl_prepare(
    struct tmpl *t, struct arena *a, const struct var_src *src, struct diag *d);

/* Compile a file whose braces mostly are its own (styles, scripts): `{name}` and
 * `{name:arg}` of a known variable are that, with one brace more in front they
 * are text, and so is every other brace. What seems to be a slip of a variable's
 * name is a mistake, told at the source's place with line and column in `path`.
 * The text is borrowed. */
bool tmpl_prepare_page(struct tmpl *t, struct arena *a, span path,
    const struct var_src *src, struct diag *d);

/* One that is this text, which is borrowed. */
void tmpl_constant(struct tmpl *t, struct arena *a, span text);

/* The text for this exchange: a constant when there is no variable, else in its
 * arena. */
span tmpl_render(const struct tmpl *t, struct exch *x, enum tmpl_escape how);

#endif
