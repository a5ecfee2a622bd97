/** What the middlewares of every framework do around the work that they guard. */

import type { UsageDecision } from "./decision.js";
import { UsageLimitError } from "./errors.js";
import type { UsageTracker } from "./tracker.js";
import type { ConsumeParams, HoldParams } from "./types.js";

export interface AdmitOptions {
	/**
	 * By default the use is consumed before the work and stays, whatever becomes of it. With `hold` it is reserved before,
	 * becomes a use when the work succeeds, and is given back when it fails.
	 */
	hold?: boolean | undefined;
}

export type AdmitParams = ConsumeParams & Pick<HoldParams, "ttl" | "holdId">;

/** Runs the work if the limits admit it, else throws UsageLimitError. `work` calls `failed` when it failed without throwing. */
export async function admit<T>(
	usage: UsageTracker,
	params: AdmitParams,
	options: AdmitOptions,
	work: (decision: UsageDecision, failed: (error?: unknown) => void) => Promise<T>,
): Promise<T> {
	if (options.hold) return usage.withHold(params, (hold) => work(hold.decision, (error) => hold.fail(error)));
	const decision = await usage.consume(params);
	if (!decision.allowed) throw new UsageLimitError(decision);
	return work(decision, () => {});
}
