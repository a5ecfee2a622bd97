/*-------------------------------------------------------------------------
 *
 * worker.h
 *		Background workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_WORKER_H
#define UL_WORKER_H

/* Registers the launcher; called while the library is preloaded. */
extern void ul_worker_init(void);

#endif							/* UL_WORKER_H */
