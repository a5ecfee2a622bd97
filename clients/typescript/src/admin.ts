import { UsageClient } from "./client.js";
import type { Interval } from "./types.js";

type Instant = Date | string;

export interface SetLimitParams {
	/** Without one, the value is for every tier. */
	tier?: string | undefined;
	usageType?: string | undefined;
	eventSubtype?: string | undefined;
	measure?: "amount" | "tokens" | "credits" | "duration_ms" | undefined;
	kind?: "counter" | "gauge" | "concurrency" | "rate" | undefined;
	period?: Interval | undefined;
	alignment?: "calendar" | "anniversary" | "sliding" | "none" | undefined;
	timeZone?: string | undefined;
	burst?: number | undefined;
	durability?: "durable" | "relaxed" | undefined;
	enforcement?: "hard" | "soft" | "shadow" | undefined;
	description?: string | undefined;
}

export interface LimitConfig {
	id: number;
	limitType: string;
	freeTierLimit: number;
	proTierLimit: number;
	teamTierLimit: number;
	enterpriseTierLimit: number;
	description: string | null;
	isActive: boolean;
	createdAt: Date;
	updatedAt: Date;
	usageType: string;
	eventSubtype: string | null;
	measure: string;
	kind: string;
	period: string | null;
	alignment: string;
	timeZone: string;
	burst: number | null;
	durability: string;
	enforcement: string;
}

export interface SetTierParams {
	status?: string | undefined;
	startedAt?: Instant | undefined;
	expiresAt?: Instant | undefined;
	timeZone?: string | undefined;
	anchorAt?: Instant | undefined;
	stripeCustomerId?: string | undefined;
	stripeSubscriptionId?: string | undefined;
	metadata?: Record<string, unknown> | undefined;
	/** The time of the payment provider's event: one that comes late changes nothing. */
	eventAt?: Instant | undefined;
}

export interface Subscription {
	id: number;
	userId: string;
	tier: string;
	stripeCustomerId: string | null;
	stripeSubscriptionId: string | null;
	status: string | null;
	startedAt: Date | null;
	expiresAt: Date | null;
	metadata: Record<string, unknown> | null;
	createdAt: Date;
	updatedAt: Date;
	timeZone: string | null;
	anchorAt: Date | null;
	statusSince: Date | null;
	eventAt: Date | null;
}

export interface LimitOverride {
	id: number;
	limitType: string;
	tier: string | null;
	userId: string | null;
	limitValue: number;
	startsAt: Date | null;
	expiresAt: Date | null;
	reason: string | null;
	createdAt: Date;
}

export interface UserListItem {
	userId: string;
	tier: string;
	status: string | null;
	lastUsed: Date | null;
}

export interface PreviewedUser {
	userId: string;
	usageType: string;
	/** How many requests would have been denied, and when the first. */
	wouldDeny: number;
	firstAt: Date;
	/** Where the requests are known from. */
	source: string;
}

/** Sets limits, tiers and overrides; needs the part `admin`, tiers and overrides the part `billing`. */
export class UsageAdmin extends UsageClient {
	/** Creates or changes a limit; what is not given stays. -1 is unlimited, 0 blocks. */
	setLimit(limitType: string, value: number | bigint, params: SetLimitParams = {}): Promise<LimitConfig> {
		return this.row("usage_set_limit", {
			limit_type: limitType,
			value,
			tier: params.tier,
			usage_type: params.usageType,
			event_subtype: params.eventSubtype,
			measure: params.measure,
			kind: params.kind,
			period: params.period,
			alignment: params.alignment,
			time_zone: params.timeZone,
			burst: params.burst,
			durability: params.durability,
			enforcement: params.enforcement,
			description: params.description,
		});
	}

	setTier(userId: string, tier: string, params: SetTierParams = {}): Promise<Subscription> {
		return this.row("usage_set_tier", {
			user_id: userId,
			tier,
			status: params.status,
			started_at: params.startedAt,
			expires_at: params.expiresAt,
			time_zone: params.timeZone,
			anchor_at: params.anchorAt,
			stripe_customer_id: params.stripeCustomerId,
			stripe_subscription_id: params.stripeSubscriptionId,
			metadata: params.metadata,
			event_at: params.eventAt,
		});
	}

	/** Another value for one user or one tier, for a time or for good. */
	setOverride(
		limitType: string,
		value: number | bigint,
		params: (
			| { userId: string; tier?: undefined }
			| {
					tier: string;
					userId?: undefined;
			  }
		) & {
			startsAt?: Instant | undefined;
			expiresAt?: Instant | undefined;
			reason?: string | undefined;
		},
	): Promise<LimitOverride> {
		return this.row("usage_set_override", {
			limit_type: limitType,
			value,
			user_id: params.userId,
			tier: params.tier,
			starts_at: params.startsAt,
			expires_at: params.expiresAt,
			reason: params.reason,
		});
	}

	/** Who would have been denied over the last days, had the limit had another value. */
	preview(
		limitType: string,
		newValue: number | bigint,
		params: { tier?: string | undefined; days?: number | undefined } = {},
	): Promise<PreviewedUser[]> {
		return this.rows("usage_preview", {
			limit_type: limitType,
			new_value: newValue,
			tier: params.tier,
			days: params.days,
		});
	}

	/** Eight common limits and five actions, where none of the same name exists. Returns how many rows were added. */
	installDefaults(): Promise<number> {
		return this.value("usage_install_defaults", {});
	}

	/** A page of users in the order of their ids: those that start with `search`, after the given one. */
	users(params: { search?: string; after?: string; maxRows?: number } = {}): Promise<UserListItem[]> {
		return this.rows("usage_users", {
			search: params.search,
			after: params.after,
			max_rows: params.maxRows,
		});
	}

	/** The versions of the library and of the SQL objects. */
	async version(): Promise<{ libraryVersion: string; sqlVersion: string }> {
		return this.row("usage_limits_version", {});
	}
}
