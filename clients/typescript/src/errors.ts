/** A denial as an error, and how to find it in what drivers and frameworks throw. */

import { toDate } from "./call.js";
import type { UsageDecision } from "./decision.js";

/** What of a denial may travel to a client: plain JSON. */
export interface UsageLimitInfo {
	message: string;
	/** 429: a limit; 402: not enough credits. */
	status: 429 | 402;
	reason: UsageDecision["reason"];
	limitType: string | null;
	usageType: string | null;
	/** The limit's description. */
	title: string | null;
	current: number;
	limit: number;
	requested: number;
	resetAt: string | null;
	retryAfter: number | null;
}

/** The SQLSTATEs of denials. */
const statuses = { PT429: 429, PT402: 402 } as const;
const brand = Symbol.for("usage-limits.UsageLimitError");

function messageOf(decision: UsageDecision): string {
	const reset = decision.resetAt === null ? "" : ` Resets at ${decision.resetAt.toISOString()}.`;
	if (decision.reason === "insufficient_credits")
		return `You have ${decision.remaining ?? decision.current} credits and need ${decision.limit}.${reset}`;
	return `You've reached your ${decision.limitType} limit (${decision.current}/${decision.limit}).${reset}`;
}

/** An error and what caused it, the cause of that, and so on. */
function* causes(error: unknown): Generator<Record<string, unknown>> {
	const seen = new Set<unknown>();
	for (let at = error; typeof at === "object" && at !== null && !seen.has(at); at = (at as Error).cause) {
		seen.add(at);
		yield at as Record<string, unknown>;
	}
}

/** The SQLSTATE of an error, or of what caused it; undefined when the database has not said one. */
export function sqlStateOf(error: unknown): string | undefined {
	for (const { code } of causes(error))
		if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) return code;
	return undefined;
}

/** Thrown for a denial by `enforce`, `checkActionAllowed` and `withHold`. */
export class UsageLimitError extends Error {
	/** The HTTP status: 429 for a limit, 402 for a lack of credits. */
	readonly status: 429 | 402;
	/** The SQLSTATE. */
	readonly code: "PT429" | "PT402";
	readonly decision: UsageDecision;
	/** The limit's description. */
	readonly title: string | null;
	/** A sentence for people: when it would be admitted. */
	readonly hint: string | null;

	constructor(
		decision: UsageDecision,
		more: { title?: string | null; hint?: string | null; cause?: unknown } = {},
	) {
		super(messageOf(decision), more.cause === undefined ? undefined : { cause: more.cause });
		this.name = "UsageLimitError";
		this.decision = decision;
		this.code = decision.reason === "insufficient_credits" ? "PT402" : "PT429";
		this.status = statuses[this.code];
		this.title = more.title ?? null;
		this.hint = more.hint ?? null;
		Object.defineProperty(this, brand, { value: true });
	}

	get limitType(): string | null {
		return this.decision.limitType;
	}
	get usageType(): string | null {
		return this.decision.usageType;
	}
	get current(): number {
		return this.decision.current;
	}
	get limit(): number {
		return this.decision.limit;
	}
	get resetAt(): Date | null {
		return this.decision.resetAt;
	}
	get retryAfter(): number | null {
		return this.decision.retryAfter;
	}

	toJSON(): UsageLimitInfo {
		const { reason, limitType, usageType, current, limit, requested, resetAt, retryAfter } = this.decision;
		return {
			message: this.message,
			status: this.status,
			reason,
			limitType,
			usageType,
			title: this.title,
			current,
			limit,
			requested,
			resetAt: resetAt?.toISOString() ?? null,
			retryAfter,
		};
	}

	/**
	 * The denial that an error is or was caused by, else undefined. Looks along the chain of causes, since Drizzle and
	 * tRPC wrap what a driver throws.
	 */
	static from(error: unknown): UsageLimitError | undefined {
		for (const at of causes(error)) {
			// by its brand: the package can be loaded twice, as ESM and as CommonJS
			if (brand in at) return at as unknown as UsageLimitError;
			const found = fromDatabase(at, error);
			if (found) return found;
		}
		return undefined;
	}
}

/** What our functions write into the detail of a denial. */
interface Detail {
	limitType?: string | null;
	usageType?: string | null;
	title?: string | null;
	current?: number;
	limit?: number;
	requested?: number;
	resetAt?: string | null;
	retryAfter?: number | null;
	/** In place of `current` and `limit`, where credits were to be spent. */
	balance?: number;
	/** Of `current` or `balance`, what is not held. */
	available?: number;
}

function fromDatabase(error: Record<string, unknown>, cause: unknown): UsageLimitError | undefined {
	if (error.code !== "PT429" && error.code !== "PT402") return undefined;
	let detail: Detail | undefined;
	try {
		detail = JSON.parse(String(error.detail)) as Detail;
	} catch {
		// an application may raise these SQLSTATEs itself
	}
	if (typeof detail !== "object" || detail === null) return undefined;
	const { requested = 1, balance, current = balance ?? 0 } = detail;
	const limit = detail.limit ?? (balance === undefined ? undefined : requested);
	if (typeof limit !== "number") return undefined;
	const lacksCredits = error.code === "PT402";
	return new UsageLimitError(
		{
			allowed: false,
			reason: lacksCredits
				? "insufficient_credits"
				: requested > limit
					? "amount_exceeds_limit"
					: "limit_exceeded",
			usageType: detail.usageType ?? null,
			limitType: detail.limitType ?? null,
			requested,
			current,
			limit,
			remaining: lacksCredits ? (detail.available ?? current) : Math.max(0, limit - current),
			resetAt: detail.resetAt ? toDate(detail.resetAt) : null,
			retryAfter: detail.retryAfter ?? null,
			eventId: null,
			holdId: null,
		},
		{ title: detail.title ?? null, hint: typeof error.hint === "string" ? error.hint : null, cause },
	);
}

/** Rethrows a denial as UsageLimitError and everything else, lost connections included, as it is. */
export async function translating<T>(work: Promise<T>): Promise<T> {
	try {
		return await work;
	} catch (error) {
		throw UsageLimitError.from(error) ?? error;
	}
}

/**
 * The denial in an error that a client got: a TRPCClientError of a server with `usageErrorFormatter`, or a body of
 * application/problem+json as `usage-limits/http` writes it. Undefined for anything else.
 */
export function usageLimitOf(error: unknown): UsageLimitInfo | undefined {
	const direct = UsageLimitError.from(error);
	if (direct) return direct.toJSON();
	for (const at of causes(error)) {
		const data = (at.data ?? at) as { usageLimit?: unknown };
		if (typeof data.usageLimit === "object" && data.usageLimit !== null)
			return data.usageLimit as UsageLimitInfo;
	}
	return undefined;
}
