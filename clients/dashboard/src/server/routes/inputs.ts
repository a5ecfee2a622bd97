/** What the procedures take; the database has the last word on everything else. */
import { z } from "zod";

export const days = z.number().int().min(1).max(3650);
export const userId = z
	.string()
	.min(1)
	.refine((text) => Buffer.byteLength(text) <= 255 && !text.includes("\0"), "A user id has 1 to 255 bytes.");
export const usageType = z.string().min(1).max(50);
export const limitType = z.string().min(1).max(50);
export const tier = z.string().min(1).max(50);
export const amount = z.number().int().min(0).max(1e15);
/** -1 is unlimited, 0 blocks. */
export const limitValue = z.number().int().min(-1).max(Number.MAX_SAFE_INTEGER);
export const enforcement = z.enum(["hard", "soft", "shadow"]);
/** ISO 8601 with a zone, microseconds allowed */
export const instant = z.iso.datetime({ offset: true });
/** A row's id; bigint, so a text */
export const id = z.string().regex(/^\d{1,19}$/);
export const pageRows = z.number().int().min(1).max(200);
