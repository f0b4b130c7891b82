/* master/notify: words to the service manager, by its plain socket protocol
 * (sd_notify(3)). Nothing happens without NOTIFY_SOCKET. */
#ifndef GH_NOTIFY_H
#define GH_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

/* `generation` serves, 0: none does. */
void notify_ready(uint32_t generation);
void notify_reloading(void);
void notify_stopping(void);
/* Another process is the main one from now on. */
void notify_main(pid_t pid);

#endif
