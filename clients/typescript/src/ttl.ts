import type { Interval } from "./types.js";

/** For how many seconds a hold counts where nothing else is said. */
export const defaultTtl = 900;

/** A hold's life in milliseconds, as far as a timer can wait; the usual one for a text, which PostgreSQL reads. */
export const lifeOf = (ttl: Interval = defaultTtl): number =>
	Math.min(1000 * (typeof ttl === "number" ? ttl : defaultTtl), 2 ** 31 - 1);
