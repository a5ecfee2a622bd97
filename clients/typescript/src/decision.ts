/** The answer to "may this happen". */

/** Why. `over_limit`: allowed beyond a soft limit; `shadow`: allowed, would have been denied. */
export type DecisionReason =
	| "ok"
	| "unlimited"
	| "no_limit"
	| "limit_exceeded"
	| "amount_exceeds_limit"
	| "insufficient_credits"
	| "over_limit"
	| "shadow"
	| "not_enforced";

export interface UsageDecision {
	allowed: boolean;
	reason: DecisionReason;
	usageType: string | null;
	/** Denied: the limit that keeps the request out longest. Allowed: the one with the least remaining. */
	limitType: string | null;
	requested: number;
	/** The usage in the limit's window, with what this call consumed. */
	current: number;
	/** -1 is unlimited. */
	limit: number;
	/** Never negative; null when unlimited. */
	remaining: number | null;
	resetAt: Date | null;
	/** Denied: seconds to wait; null when allowed, and when waiting does not help. */
	retryAfter: number | null;
	eventId: number | null;
	holdId: string | null;
}
