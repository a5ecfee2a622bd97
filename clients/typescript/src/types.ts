/** What goes in and what comes back. On the server every time is a Date; JSON on its way to a client has ISO strings. */

/** The usage types of the default limits; any other name is as good. */
export type UsageType =
	| "prompt"
	| "export"
	| "project_create"
	| "web_agent"
	| "api_call"
	| (string & Record<never, never>);

export type EventStatus = "success" | "failed" | "cancelled";

/** What may be left out, and may be given as undefined or null. */
type Maybe<T> = T | null | undefined;

export interface ConsumeParams {
	userId: string;
	usageType: UsageType;
	/** A whole number from 0 on, by default 1; 0 asks without consuming. */
	amount?: number | bigint | undefined;
	eventSubtype?: Maybe<string>;
	projectId?: Maybe<string>;
	sceneId?: Maybe<string>;
	tokensUsed?: Maybe<number | bigint>;
	creditsUsed?: Maybe<number | bigint>;
	durationMs?: Maybe<number>;
	metadata?: Maybe<Record<string, unknown>>;
	/** A repeat with the same key gets the first answer and consumes nothing. */
	idempotencyKey?: Maybe<string>;
}

export interface TrackUsageParams extends ConsumeParams {
	/** What failed or was cancelled is logged, and counts towards no limit. */
	status?: EventStatus | undefined;
	errorMessage?: Maybe<string>;
	/** When it happened, by default now. */
	occurredAt?: Maybe<Date | string>;
}

export interface CheckParams {
	amount?: number | bigint | undefined;
	eventSubtype?: Maybe<string>;
	tokensUsed?: Maybe<number | bigint>;
}

/** One of several things to consume at once. */
export type ConsumeItem = Omit<ConsumeParams, "userId" | "idempotencyKey">;

/** Seconds, or an interval as PostgreSQL reads it: "15 minutes". */
export type Interval = number | string;

export interface HoldParams {
	userId: string;
	usageType: UsageType;
	amount?: number | bigint | undefined;
	/** How long the hold counts unless it is ended or renewed, by default 15 minutes. */
	ttl?: Interval | undefined;
	/** A name of your own: the same request under it again is the same hold. */
	holdId?: Maybe<string>;
	/** The hold counts only while this connection lives; needs a connection of its own, not a pooler's. */
	sessionBound?: boolean | undefined;
	eventSubtype?: Maybe<string>;
	tokensUsed?: Maybe<number | bigint>;
	metadata?: Maybe<Record<string, unknown>>;
}

export interface SettleParams {
	/** What was used in the end, by default what was held. */
	amount?: Maybe<number | bigint>;
	tokensUsed?: Maybe<number | bigint>;
	durationMs?: Maybe<number>;
	sceneId?: Maybe<string>;
	metadata?: Maybe<Record<string, unknown>>;
	/** Whose the hold must be, for an id that comes from a client. */
	userId?: Maybe<string>;
}

export interface ReleaseParams {
	/** Leaves an event that says so; without it, none. */
	status?: "failed" | "cancelled" | undefined;
	errorMessage?: Maybe<string>;
	durationMs?: Maybe<number>;
	metadata?: Maybe<Record<string, unknown>>;
	userId?: Maybe<string>;
}

/** One limit of a user, in a summary. */
export interface LimitUsage {
	allowed: boolean;
	current: number;
	/** -1 is unlimited. */
	limit: number;
	remaining: number | null;
	resetAt: Date | null;
	limitType: string;
}

/**
 * A user's limits: by what they are about (`prompts`, `exports`: the one with the least remaining) and, in `limits`, each
 * by its name.
 */
export type UserLimits = {
	tier: string;
	/** The server's now, which a display counts down from. */
	now: Date;
	limits: Record<string, LimitUsage>;
} & { [name: string]: LimitUsage | undefined };

export interface LimitStatus {
	limitType: string;
	usageType: string;
	kind: "counter" | "gauge" | "concurrency" | "rate";
	period: string | null;
	tier: string;
	allowed: boolean;
	current: number;
	limit: number;
	remaining: number | null;
	percentUsed: number | null;
	resetAt: Date | null;
	source: "user_override" | "tier_override" | "setting" | "config";
}

export interface LimitExplanation {
	limitType: string;
	/** False for a limit that is inactive or counts another subtype. */
	applies: boolean;
	value: number;
	source: string;
	windowStart: Date | null;
	windowEnd: Date | null;
	current: number;
	remaining: number | null;
	allowed: boolean;
	reason: string;
}

export interface RecentEvent {
	id: number;
	userId: string;
	eventType: string;
	eventSubtype: string | null;
	projectId: string | null;
	sceneId: string | null;
	tokensUsed: number | null;
	creditsUsed: number | null;
	durationMs: number | null;
	status: EventStatus;
	errorMessage: string | null;
	metadata: Record<string, unknown> | null;
	createdAt: Date;
	amount: number;
	operation: string;
}

export interface UserStats {
	/** Use by UTC date, then by usage type. */
	daily: Record<string, Record<string, number>>;
	totals: Record<string, number>;
	/** The newest hundred. */
	recentEvents: RecentEvent[];
}
