/* base/check: contracts that stay on in production. A broken contract panics
 * this process only: the place and the text go to the panic sink (the worker's
 * slot in the shared segment, or standard error), then abort(). Bytes from the
 * network, a file or the configuration must never be able to reach a REQUIRE.
 */
#ifndef GH_CHECK_H
#define GH_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* Room for a panic text, its NUL included. */
#define PANIC_TEXT_CAP 512

/* State a contract; false panics. */
#define REQUIRE(p) \
	((p) ? (void)0 : check_panic(__FILE__, __LINE__, __func__, #p))

/* Ends every switch over an enum that lists all its cases. */
#define UNREACHED() check_panic(__FILE__, __LINE__, __func__, "unreached")

/* A long-lived struct begins with `uint32_t magic`; callbacks check it. */
#define OBJ_CHECK(obj, m) REQUIRE((obj) != NULL && (obj)->magic == (m))

/* Number of elements of an array. */
#define NELEMS(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that holds `member` at address `p`. */
#define CONTAINER_OF(p, type, member) \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Four letters as a magic number. */
#define MAGIC(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | \
	    (uint32_t)(d))

/* Write place and text to the panic sink and abort. Async-signal-safe. */
_Noreturn void check_panic(
    const char *file, int line, const char *func, const char *what);

/* Where the next panic's text is also written: PANIC_TEXT_CAP bytes that live
 * as long as the process, or NULL for standard error only. */
void check_set_sink(char *sink);

#endif
