/* master/landlock: holds a process that opens paths to reading below a few
 * folders, where the kernel can. */
#ifndef GH_LANDLOCK_H
#define GH_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* From now on nothing can be opened but for reading, below one of these folders
 * (O_PATH descriptors). Needs no_new_privs. false with errno; true where the
 * kernel, or the build, does not have it. */
bool landlock_confine(const int *roots, uint32_t n);

#endif
