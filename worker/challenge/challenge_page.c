/* challenge/challenge_page: what a browser gets: a page without style, and a
 * script for any browser of the last ten years, which needs neither TLS nor a
 * worker. */
#include "worker/challenge/challenge_int.h"

#include <inttypes.h>

span
page_write(struct arena *a, const struct page_task *t)
{
	return arena_printf(a,
	    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	    "<meta name=\"viewport\" content=\"width=device-width\">"
	    "<meta name=\"robots\" content=\"noindex\">"
	    "<title>One moment</title></head>\n<body><main>"
	    "<h1>One moment</h1>\n<p id=\"say\" role=\"status\" "
	    "data-task=\"%.*s\" data-cookie=\"%.*s\" data-ttl=\"%" PRIu64
	    "\" data-secure=\"%d\" data-failed=\"%d\">Your browser is doing a "
	    "little work before this site lets it in.</p>\n"
	    "<noscript><p>This needs JavaScript.</p></noscript></main>\n"
	    "<script src=\"" CHALLENGE_SCRIPT_PATH
	    "\"></script></body></html>\n",
	    SPAN_FMT(t->task), SPAN_FMT(t->cookie), t->ttl_s, t->is_secure,
	    t->has_failed);
}

/* SHA-256 (FIPS 180-4) of texts of one block, with a growing number behind a
 * task, until the digest begins with enough zero bits. */
static const char script[] =
    "(function () {\n"
    "\"use strict\";\n"
    "var K = [], H = [];\n"
    "(function () {\n"
    "  function part(x) { return (x - Math.floor(x)) * 4294967296 | 0; }\n"
    "  for (var n = 2, i = 0; i < 64; n++) {\n"
    "    var prime = true;\n"
    "    for (var d = 2; d * d <= n; d++) if (n % d === 0) prime = false;\n"
    "    if (!prime) continue;\n"
    "    if (i < 8) H[i] = part(Math.pow(n, 1 / 2));\n"
    "    K[i++] = part(Math.pow(n, 1 / 3));\n"
    "  }\n"
    "})();\n"
    "var w = new Int32Array(64);\n"
    "function first(text) {\n"
    "  var i, n = text.length, h = H.slice();\n"
    "  for (i = 0; i < 16; i++) w[i] = 0;\n"
    "  for (i = 0; i < n; i++)\n"
    "    w[i >> 2] |= text.charCodeAt(i) << 24 - 8 * (i & 3);\n"
    "  w[n >> 2] |= 128 << 24 - 8 * (n & 3);\n"
    "  w[15] = 8 * n;\n"
    "  for (i = 16; i < 64; i++) {\n"
    "    var p = w[i - 15], q = w[i - 2];\n"
    "    w[i] = w[i - 16] + w[i - 7] +\n"
    "      ((p >>> 7 | p << 25) ^ (p >>> 18 | p << 14) ^ p >>> 3) +\n"
    "      ((q >>> 17 | q << 15) ^ (q >>> 19 | q << 13) ^ q >>> 10) | 0;\n"
    "  }\n"
    "  var a = h[0], b = h[1], c = h[2], d = h[3];\n"
    "  var e = h[4], f = h[5], g = h[6], k = h[7];\n"
    "  for (i = 0; i < 64; i++) {\n"
    "    var s = k + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^\n"
    "      (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + K[i] + w[i] | 0;\n"
    "    var t = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^\n"
    "      (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;\n"
    "    k = g; g = f; f = e; e = d + s | 0;\n"
    "    d = c; c = b; b = a; a = s + t | 0;\n"
    "  }\n"
    "  return h[0] + a >>> 0;\n"
    "}\n"
    "var say = document.getElementById(\"say\");\n"
    "var task = say.getAttribute(\"data-task\");\n"
    "var bits = +task.split(\".\")[2];\n"
    "var nonce = 0;\n"
    "function done(text) {\n"
    "  var end = \"; path=/; max-age=\" + say.getAttribute(\"data-ttl\") +\n"
    "    \"; samesite=lax\";\n"
    "  if (say.getAttribute(\"data-secure\") === \"1\") end += \"; secure\";\n"
    "  document.cookie = say.getAttribute(\"data-cookie\") + \"=\" + text + "
    "end;\n"
    "  if (document.cookie.indexOf(text) < 0)\n"
    "    say.textContent = \"This site needs cookies.\";\n"
    "  else if (say.getAttribute(\"data-failed\") === \"1\")\n"
    "    setTimeout(function () { location.reload(); }, 5000);\n"
    "  else\n"
    "    location.reload();\n"
    "}\n"
    "function go() {\n"
    "  for (var i = 0; i < 20000; i++, nonce++) {\n"
    "    var text = task + \".\" + nonce;\n"
    "    if (first(text) < Math.pow(2, 32 - bits)) return done(text);\n"
    "  }\n"
    "  setTimeout(go, 0);\n"
    "}\n"
    "go();\n"
    "})();\n";

const span page_script = {script, sizeof(script) - 1};
