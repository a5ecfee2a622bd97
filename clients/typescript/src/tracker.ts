import { call, toDate, toObject, type UsageOptions } from "./call.js";
import { UsageClient } from "./client.js";
import { run } from "./database.js";
import type { UsageDecision } from "./decision.js";
import { sqlStateOf, translating, UsageLimitError } from "./errors.js";
import { defaultTtl, lifeOf } from "./ttl.js";
import type {
	CheckParams,
	ConsumeItem,
	ConsumeParams,
	HoldParams,
	Interval,
	LimitExplanation,
	LimitStatus,
	LimitUsage,
	RecentEvent,
	ReleaseParams,
	SettleParams,
	TrackUsageParams,
	UserLimits,
	UserStats,
} from "./types.js";

export interface TrackerOptions extends UsageOptions {
	/**
	 * What `trackUsage` does with an error, a lost connection included. "throw" (the default) throws it; "log" writes it to
	 * the console and goes on; a function is called with it, and then it goes on. Where the error has aborted the
	 * transaction that tracking is part of, it is thrown all the same: what looked like its commit would be a rollback.
	 */
	onTrackError?:
		| "throw"
		| "log"
		| ((error: unknown, params: TrackUsageParams) => void | Promise<void>)
		| undefined;
}

/** What `withHold` passes to the work. */
export interface ActiveHold {
	holdId: string;
	decision: UsageDecision;
	/** Says what was used, once it is known: settled with the hold. */
	record(used: Omit<SettleParams, "userId">): void;
	/** Says that the work has failed, for work that does not throw: the hold is given back and logged as failed. */
	fail(error?: unknown): void;
}

function consumeArguments(params: ConsumeItem) {
	return {
		usage_type: params.usageType,
		amount: params.amount,
		event_subtype: params.eventSubtype,
		project_id: params.projectId,
		scene_id: params.sceneId,
		tokens_used: params.tokensUsed,
		credits_used: params.creditsUsed,
		duration_ms: params.durationMs,
		metadata: params.metadata,
	};
}

/** Tracks and limits what users do. */
export class UsageTracker extends UsageClient<TrackerOptions> {
	/** Records a use and refuses nothing. Returns the event's id; null when no event row was written. */
	async trackUsage(params: TrackUsageParams): Promise<number | null> {
		try {
			return await this.value<number | null>("usage_track", {
				user_id: params.userId,
				...consumeArguments(params),
				status: params.status,
				error_message: params.errorMessage,
				occurred_at: params.occurredAt,
				idempotency_key: params.idempotencyKey,
			});
		} catch (error) {
			const { onTrackError = "throw" } = this.options;
			if (onTrackError === "throw" || (await this.isAborted())) throw error;
			if (onTrackError === "log") console.error("Failed to track usage:", error);
			else await onTrackError(error, params);
			return null;
		}
	}

	/** Whether an error has aborted the transaction that this is part of. */
	private async isAborted(): Promise<boolean> {
		try {
			await run(this.db, "SELECT 1", []);
			return false;
		} catch (error) {
			return sqlStateOf(error) === "25P02";
		}
	}

	/** Asks whether one limit would admit the amount; consumes nothing. */
	checkLimit(userId: string, limitType: string, amount?: number | bigint): Promise<UsageDecision> {
		return this.row("usage_check_limit", { user_id: userId, limit_type: limitType, amount });
	}

	/** Asks whether `consume` would be allowed by every limit of the type; consumes nothing. */
	check(userId: string, usageType: string, params: CheckParams = {}): Promise<UsageDecision> {
		return this.row("usage_check", {
			user_id: userId,
			usage_type: usageType,
			amount: params.amount,
			event_subtype: params.eventSubtype,
			tokens_used: params.tokensUsed,
		});
	}

	/** Checks every limit of the type and records the use, in one atomic step. A denial is an answer, not an error. */
	consume(params: ConsumeParams): Promise<UsageDecision> {
		return this.row("usage_consume", {
			user_id: params.userId,
			...consumeArguments(params),
			idempotency_key: params.idempotencyKey,
		});
	}

	/** As `consume`; a denial is a UsageLimitError, and aborts the transaction that it is part of. */
	enforce(params: ConsumeParams): Promise<UsageDecision> {
		return this.row("usage_enforce", {
			user_id: params.userId,
			...consumeArguments(params),
			idempotency_key: params.idempotencyKey,
		});
	}

	/** Consumes several types at once, all or nothing: `{ prompt: 2, export: 1 }`, or a list. */
	consumeMany(
		userId: string,
		items: Record<string, number> | ConsumeItem[],
		options: { idempotencyKey?: string | undefined } = {},
	): Promise<UsageDecision> {
		return this.row("usage_consume_many", {
			user_id: userId,
			items: Array.isArray(items)
				? items.map((item) => {
						const { amount, ...rest } = consumeArguments(item);
						return amount === undefined ? rest : { amount: Number(amount), ...rest };
					})
				: items,
			idempotency_key: options.idempotencyKey,
		});
	}

	/** Reserves an amount until it is settled, released or expires. A denial is an answer, not an error. */
	hold(params: HoldParams): Promise<UsageDecision> {
		return this.row("usage_hold", {
			user_id: params.userId,
			usage_type: params.usageType,
			amount: params.amount,
			ttl: params.ttl,
			hold_id: params.holdId,
			session_bound: params.sessionBound,
			event_subtype: params.eventSubtype,
			tokens_used: params.tokensUsed,
			metadata: params.metadata,
		});
	}

	/** Ends a hold with what was used: less gives the rest back, more has to be admitted. */
	settle(holdId: string, params: SettleParams = {}): Promise<UsageDecision> {
		return this.row("usage_settle", {
			hold_id: holdId,
			amount: params.amount,
			tokens_used: params.tokensUsed,
			duration_ms: params.durationMs,
			scene_id: params.sceneId,
			metadata: params.metadata,
			user_id: params.userId,
		});
	}

	/** Ends a hold and gives it back. False when there was nothing to end any more. */
	release(holdId: string, params: ReleaseParams = {}): Promise<boolean> {
		return this.value("usage_release", {
			hold_id: holdId,
			status: params.status,
			error_message: params.errorMessage,
			duration_ms: params.durationMs,
			metadata: params.metadata,
			user_id: params.userId,
		});
	}

	/** Ends all open holds of a user, or those of one type. Returns how many. */
	releaseAll(
		userId: string,
		params: { usageType?: string | undefined } & Pick<ReleaseParams, "status" | "errorMessage"> = {},
	): Promise<number> {
		return this.value("usage_release_all", {
			user_id: userId,
			usage_type: params.usageType,
			status: params.status,
			error_message: params.errorMessage,
		});
	}

	/** Lets a hold count for `ttl` from now on. Returns until when. */
	async renew(holdId: string, ttl: Interval, params: { userId?: string | undefined } = {}): Promise<Date> {
		return toDate(await this.value<string>("usage_renew", { hold_id: holdId, ttl, user_id: params.userId }));
	}

	/**
	 * Does the work under a hold: the use counts from the start, so that no number of clients at once gets past the limit,
	 * and ends as a success with its duration, or is given back and logged as failed. Throws UsageLimitError when denied.
	 * The hold is renewed while the work goes on, unless its `ttl` is text; work that outlives it is recorded all the same.
	 */
	async withHold<T>(params: HoldParams, work: (hold: ActiveHold) => T | Promise<T>): Promise<T> {
		const decision = await this.hold(params);
		if (!decision.allowed || decision.holdId === null) throw new UsageLimitError(decision);
		const { holdId } = decision;
		const { userId } = params;
		let used: Omit<SettleParams, "userId"> = {};
		let failure: { error: unknown } | undefined;
		const started = performance.now();
		const renewing = this.keepAlive(holdId, params);
		const giveBack = (error: unknown) =>
			this.release(holdId, {
				userId,
				status: "failed",
				errorMessage: error === undefined ? null : error instanceof Error ? error.message : String(error),
				durationMs: performance.now() - started,
			});
		let result: T;
		try {
			result = await work({
				holdId,
				decision,
				record: (more) => {
					used = { ...used, ...more };
				},
				fail: (error) => {
					failure = { error };
				},
			});
		} catch (error) {
			// the work's own error is the one to report: a hold that cannot be released expires
			await giveBack(error).catch(() => {});
			throw error;
		} finally {
			clearInterval(renewing);
		}
		if (failure) await giveBack(failure.error);
		else await this.finish(holdId, params, { durationMs: performance.now() - started, ...used });
		return result;
	}

	/** Renews a hold three times in each of its lives. One that cannot be renewed may be the next time, or expires. */
	private keepAlive(holdId: string, { userId, ttl = defaultTtl }: HoldParams) {
		if (typeof ttl !== "number") return undefined;
		const renew = () => void this.renew(holdId, ttl, { userId }).catch(() => {});
		return setInterval(renew, lifeOf(ttl) / 3);
	}

	/** Settles a hold whose work is done. What its limit does not admit any more has happened and is recorded. */
	private async finish(
		holdId: string,
		params: HoldParams,
		used: Omit<SettleParams, "userId">,
	): Promise<void> {
		let ended = false;
		try {
			const settled = await this.settle(holdId, { ...used, userId: params.userId });
			if (settled.allowed) return;
			ended = await this.release(holdId, { userId: params.userId });
		} catch (error) {
			// 55000: the hold has expired
			if (sqlStateOf(error) !== "55000") throw error;
			ended = true;
		}
		if (!ended) return;
		await this.recordDone(params, used);
	}

	/** Records work whose hold did not last. */
	private async recordDone(params: HoldParams, used: Omit<SettleParams, "userId">): Promise<void> {
		const tracked = this.trackUsage({
			userId: params.userId,
			usageType: params.usageType,
			amount: used.amount ?? params.amount,
			eventSubtype: params.eventSubtype,
			sceneId: used.sceneId,
			tokensUsed: used.tokensUsed ?? params.tokensUsed,
			durationMs: used.durationMs,
			metadata: used.metadata ?? params.metadata,
		});
		// 22023: of what is only counted while it is open there is nothing to record
		await tracked.catch((error: unknown) => {
			if (sqlStateOf(error) !== "22023") throw error;
		});
	}

	/** Gives back what an event used, by default all that is left of it. */
	refund(eventId: number, params: { amount?: number; userId?: string } = {}): Promise<UsageDecision> {
		return this.row("usage_refund", { event_id: eventId, amount: params.amount, user_id: params.userId });
	}

	/** Corrects the usage by `delta`; no limit refuses it. */
	adjust(
		userId: string,
		usageType: string,
		delta: number | bigint,
		params: {
			reason?: string;
			eventSubtype?: string;
			metadata?: Record<string, unknown>;
			idempotencyKey?: string;
		} = {},
	): Promise<UsageDecision> {
		return this.row("usage_adjust", {
			user_id: userId,
			usage_type: usageType,
			delta,
			reason: params.reason,
			event_subtype: params.eventSubtype,
			metadata: params.metadata,
			idempotency_key: params.idempotencyKey,
		});
	}

	/** Sets the level of a gauge, such as megabytes stored. */
	setGauge(userId: string, usageType: string, value: number | bigint): Promise<UsageDecision> {
		return this.row("usage_set_gauge", { user_id: userId, usage_type: usageType, value });
	}

	/** Starts counting anew; deletes nothing. */
	reset(userId: string, usageType: string): Promise<UsageDecision> {
		return this.row("usage_reset", { user_id: userId, usage_type: usageType });
	}

	/** What to show a user: the tier and every limit. */
	async getUserLimits(userId: string): Promise<UserLimits> {
		const args = { user_id: userId };
		const [summary] = await translating(
			call(this.db, this.options, "usage_summary", args, { withNow: true }),
		);
		const toUsage = (limit: unknown) => toObject<LimitUsage>(limit as never);
		const limits: Record<string, unknown> = {};
		for (const [name, value] of Object.entries(summary as object)) {
			if (name === "tier") limits.tier = value;
			else if (name === "now") limits.now = toDate(value as string);
			else if (name !== "limits") limits[name] = toUsage(value);
			else
				limits.limits = Object.fromEntries(
					Object.entries(value).map(([key, limit]) => [key, toUsage(limit)]),
				);
		}
		return limits as UserLimits;
	}

	/** Use by day over the last days, totals, and the newest hundred events. */
	async getUserStats(userId: string, days = 30): Promise<UserStats> {
		const stats = await this.value<UserStats>("usage_stats", { user_id: userId, days });
		return {
			...stats,
			recentEvents: stats.recentEvents.map((event) => toObject<RecentEvent>(event as never)),
		};
	}

	/** Every limit of a user, with the value that holds and where it comes from. */
	getUserStatus(userId: string): Promise<LimitStatus[]> {
		return this.rows("usage_status", { user_id: userId });
	}

	/** Why a request would be admitted or denied. */
	explain(userId: string, usageType: string, amount?: number | bigint): Promise<LimitExplanation[]> {
		return this.rows("usage_explain", { user_id: userId, usage_type: usageType, amount });
	}

	/** The server's now, or its test clock. */
	async now(): Promise<Date> {
		const [now] = await call(this.db, this.options, "usage_now", {});
		return toDate(now as string);
	}
}
