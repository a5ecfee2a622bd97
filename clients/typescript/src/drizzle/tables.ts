// Written by scripts/drizzle.js from the catalog; `sh test/typescript --write` does it anew.

import { sql } from "drizzle-orm";
import {
	bigint,
	boolean,
	date,
	interval,
	jsonb,
	numeric,
	pgSchema,
	pgTable,
	pgView,
	primaryKey,
	text,
	timestamp,
	unique,
	uuid,
} from "drizzle-orm/pg-core";
import { bytea, usageDecision, xid8 } from "./columns.js";

/**
 * The extension's tables and views, in the schema that it was installed into. Without a name the `search_path` has to
 * lead there.
 */
export function usageSchema(schema?: string) {
	const isNamed = schema !== undefined && schema !== "public";
	const table = (isNamed ? pgSchema(schema).table : pgTable) as typeof pgTable;
	const view = (isNamed ? pgSchema(schema).view : pgView) as typeof pgView;

	const usageLimitsConfig = table("usage_limits_config", {
		id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().primaryKey(),
		limitType: text("limit_type").notNull().unique(),
		freeTierLimit: bigint("free_tier_limit", { mode: "number" }).notNull().default(0),
		proTierLimit: bigint("pro_tier_limit", { mode: "number" }).notNull().default(-1),
		teamTierLimit: bigint("team_tier_limit", { mode: "number" }).notNull().default(-1),
		description: text("description"),
		isActive: boolean("is_active").notNull().default(true),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		enterpriseTierLimit: bigint("enterprise_tier_limit", { mode: "number" }).notNull().default(-1),
		usageType: text("usage_type").notNull().default(sql`NULL`),
		eventSubtype: text("event_subtype"),
		measure: text("measure").notNull().default("amount"),
		kind: text("kind").notNull().default(sql`NULL`),
		period: interval("period"),
		alignment: text("alignment").notNull().default(sql`NULL`),
		timeZone: text("time_zone").notNull().default("UTC"),
		burst: bigint("burst", { mode: "number" }),
		durability: text("durability").notNull().default("durable"),
		enforcement: text("enforcement").notNull().default("hard"),
	});

	const usageLimitOverrides = table("usage_limit_overrides", {
		id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().primaryKey(),
		limitType: text("limit_type").notNull(),
		tier: text("tier"),
		userId: text("user_id"),
		limitValue: bigint("limit_value", { mode: "number" }).notNull(),
		startsAt: timestamp("starts_at", { withTimezone: true }),
		expiresAt: timestamp("expires_at", { withTimezone: true }),
		reason: text("reason"),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
	});

	const usageTypes = table("usage_types", {
		usageType: text("usage_type").primaryKey(),
		logEvents: boolean("log_events").notNull().default(true),
		unit: text("unit"),
		description: text("description"),
		retention: interval("retention"),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
	});

	const usageActions = table("usage_actions", {
		action: text("action").primaryKey(),
		usageType: text("usage_type").notNull(),
		amount: bigint("amount", { mode: "number" }).notNull().default(1),
	});

	const userSubscriptions = table("user_subscriptions", {
		id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().primaryKey(),
		userId: text("user_id").notNull().unique(),
		tier: text("tier").notNull().default("free"),
		stripeCustomerId: text("stripe_customer_id"),
		stripeSubscriptionId: text("stripe_subscription_id"),
		status: text("status").default("active"),
		startedAt: timestamp("started_at", { withTimezone: true }).default(sql`usage_now()`),
		expiresAt: timestamp("expires_at", { withTimezone: true }),
		metadata: jsonb("metadata"),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		timeZone: text("time_zone"),
		anchorAt: timestamp("anchor_at", { withTimezone: true }),
		statusSince: timestamp("status_since", { withTimezone: true }),
		eventAt: timestamp("event_at", { withTimezone: true }),
	});

	const usageMembers = table("usage_members", {
		userId: text("user_id").primaryKey(),
		accountId: text("account_id").notNull(),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
	});

	const usageAlerts = table("usage_alerts", {
		id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().primaryKey(),
		limitType: text("limit_type"),
		percent: numeric("percent"),
		value: bigint("value", { mode: "number" }),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
	});

	const usageConfigLog = table("usage_config_log", {
		id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().primaryKey(),
		changedAt: timestamp("changed_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		changedBy: text("changed_by").notNull(),
		tableName: text("table_name").notNull(),
		operation: text("operation").notNull(),
		oldRow: jsonb("old_row"),
		newRow: jsonb("new_row"),
	});

	const usageCounters = table(
		"usage_counters",
		{
			userId: text("user_id").notNull(),
			usageType: text("usage_type").notNull(),
			bucketStart: timestamp("bucket_start", { withTimezone: true }).notNull(),
			eventSubtype: text("event_subtype").notNull().default(""),
			slot: bigint("slot", { mode: "bigint" }).notNull().default(0n),
			amount: bigint("amount", { mode: "number" }).notNull().default(0),
			tokensUsed: bigint("tokens_used", { mode: "number" }).notNull().default(0),
			creditsUsed: bigint("credits_used", { mode: "number" }).notNull().default(0),
			durationMs: bigint("duration_ms", { mode: "number" }).notNull().default(0),
			events: bigint("events", { mode: "number" }).notNull().default(0),
			failedEvents: bigint("failed_events", { mode: "number" }).notNull().default(0),
			cancelledEvents: bigint("cancelled_events", { mode: "number" }).notNull().default(0),
			firstAt: timestamp("first_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
			lastAt: timestamp("last_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
			memberAmount: bigint("member_amount", { mode: "number" }).notNull().default(0),
		},
		(t) => [primaryKey({ columns: [t.userId, t.usageType, t.bucketStart, t.eventSubtype, t.slot] })],
	);

	const userUsage = view("user_usage", {
		id: text("id").notNull(),
		userId: text("user_id").notNull(),
		usageType: text("usage_type").notNull(),
		usageDate: date("usage_date").notNull(),
		count: bigint("count", { mode: "number" }).notNull(),
		metadata: jsonb("metadata"),
		createdAt: timestamp("created_at", { withTimezone: true }),
		updatedAt: timestamp("updated_at", { withTimezone: true }),
	}).existing();

	const usageEvents = table("usage_events", {
		id: bigint("id", { mode: "number" }).notNull().default(sql`nextval('usage_events_id_seq'::regclass)`),
		userId: text("user_id").notNull(),
		eventType: text("event_type").notNull(),
		eventSubtype: text("event_subtype"),
		projectId: uuid("project_id"),
		sceneId: uuid("scene_id"),
		tokensUsed: bigint("tokens_used", { mode: "number" }),
		creditsUsed: bigint("credits_used", { mode: "number" }),
		durationMs: bigint("duration_ms", { mode: "number" }),
		status: text("status").notNull().default("success"),
		errorMessage: text("error_message"),
		metadata: jsonb("metadata"),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		amount: bigint("amount", { mode: "number" }).notNull().default(1),
		operation: text("operation").notNull().default("use"),
		bucketStart: timestamp("bucket_start", { withTimezone: true }),
		refundOf: bigint("refund_of", { mode: "number" }),
		accountId: text("account_id"),
		accountBucketStart: timestamp("account_bucket_start", { withTimezone: true }),
	});

	const usageResets = table(
		"usage_resets",
		{
			userId: text("user_id").notNull(),
			usageType: text("usage_type").notNull(),
			resetAt: timestamp("reset_at", { withTimezone: true }).notNull(),
		},
		(t) => [primaryKey({ columns: [t.userId, t.usageType, t.resetAt] })],
	);

	const usageIdempotency = table(
		"usage_idempotency",
		{
			userId: text("user_id").notNull(),
			key: text("key").notNull(),
			requestDigest: bytea("request_digest").notNull(),
			answer: usageDecision("answer"),
			createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		},
		(t) => [primaryKey({ columns: [t.userId, t.key] })],
	);

	const usageDenials = table(
		"usage_denials",
		{
			userId: text("user_id").notNull(),
			limitType: text("limit_type").notNull(),
			usageDate: date("usage_date").notNull(),
			count: bigint("count", { mode: "number" }).notNull().default(0),
			lastAt: timestamp("last_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		},
		(t) => [primaryKey({ columns: [t.userId, t.limitType, t.usageDate] })],
	);

	const usageAlertLog = table("usage_alert_log", {
		id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().primaryKey(),
		userId: text("user_id").notNull(),
		limitType: text("limit_type").notNull(),
		alertId: bigint("alert_id", { mode: "number" }).notNull(),
		windowStart: timestamp("window_start", { withTimezone: true }),
		current: bigint("current", { mode: "number" }).notNull(),
		limit: bigint("limit", { mode: "number" }).notNull(),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		windowEnd: timestamp("window_end", { withTimezone: true }),
		threshold: bigint("threshold", { mode: "number" }),
	});

	const usageRates = table(
		"usage_rates",
		{
			userId: text("user_id").notNull(),
			limitType: text("limit_type").notNull(),
			arrivalAt: timestamp("arrival_at", { withTimezone: true }).notNull(),
			fraction: bigint("fraction", { mode: "number" }).notNull().default(0),
			units: bigint("units", { mode: "number" }).notNull(),
			period: interval("period").notNull(),
			updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		},
		(t) => [primaryKey({ columns: [t.userId, t.limitType] })],
	);

	const userCredits = table("user_credits", {
		id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().notNull(),
		userId: text("user_id").primaryKey(),
		balance: bigint("balance", { mode: "number" }).notNull().default(0),
		lifetimeEarned: bigint("lifetime_earned", { mode: "number" }).notNull().default(0),
		lifetimeSpent: bigint("lifetime_spent", { mode: "number" }).notNull().default(0),
		lastRefillAt: timestamp("last_refill_at", { withTimezone: true }),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		sequenceNo: bigint("sequence_no", { mode: "number" }).notNull().default(0),
		burningGrantId: bigint("burning_grant_id", { mode: "number" }),
		burningLeft: bigint("burning_left", { mode: "number" }).notNull().default(0),
		dueAt: timestamp("due_at", { withTimezone: true })
			.notNull()
			.default(sql`'infinity'::timestamp with time zone`),
		refillDueAt: timestamp("refill_due_at", { withTimezone: true }),
		held: bigint("held", { mode: "number" }).notNull().default(0),
	});

	const creditGrants = table(
		"credit_grants",
		{
			id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().notNull(),
			userId: text("user_id").notNull(),
			transactionType: text("transaction_type").notNull(),
			amount: bigint("amount", { mode: "number" }).notNull(),
			remaining: bigint("remaining", { mode: "number" }).notNull().default(0),
			priority: bigint("priority", { mode: "number" }).notNull().default(0),
			effectiveAt: timestamp("effective_at", { withTimezone: true }).notNull(),
			expiresAt: timestamp("expires_at", { withTimezone: true }),
			recursEvery: interval("recurs_every"),
			maxRollover: bigint("max_rollover", { mode: "number" }).notNull().default(0),
			periodEnd: timestamp("period_end", { withTimezone: true }),
			voidedAt: timestamp("voided_at", { withTimezone: true }),
			referenceId: text("reference_id"),
			description: text("description"),
			metadata: jsonb("metadata"),
			createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
			isOpen: boolean("is_open").notNull().default(true),
			hasStarted: boolean("has_started").notNull().default(false),
			isDailyRefill: boolean("is_daily_refill").notNull().default(false),
			granted: bigint("granted", { mode: "number" }).notNull().default(0),
			lost: bigint("lost", { mode: "number" }).notNull().default(0),
			sequenceNo: bigint("sequence_no", { mode: "number" }).notNull().default(0),
		},
		(t) => [primaryKey({ columns: [t.userId, t.id] })],
	);

	const creditTransactions = table(
		"credit_transactions",
		{
			id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().notNull(),
			userId: text("user_id").notNull(),
			amount: bigint("amount", { mode: "number" }).notNull(),
			balanceAfter: bigint("balance_after", { mode: "number" }).notNull(),
			transactionType: text("transaction_type").notNull(),
			description: text("description"),
			referenceId: text("reference_id"),
			metadata: jsonb("metadata"),
			createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
			sequenceNo: bigint("sequence_no", { mode: "number" }).notNull(),
			grantId: bigint("grant_id", { mode: "number" }),
			refundOf: bigint("refund_of", { mode: "number" }),
			shortfall: bigint("shortfall", { mode: "number" }).notNull().default(0),
		},
		(t) => [primaryKey({ columns: [t.userId, t.sequenceNo] })],
	);

	const creditDraws = table(
		"credit_draws",
		{
			userId: text("user_id").notNull(),
			transactionId: bigint("transaction_id", { mode: "number" }).notNull(),
			grantId: bigint("grant_id", { mode: "number" }).notNull(),
			amount: bigint("amount", { mode: "number" }).notNull(),
			shortfall: bigint("shortfall", { mode: "number" }).notNull().default(0),
			refundOf: bigint("refund_of", { mode: "number" }),
			drawNo: bigint("draw_no", { mode: "number" }).notNull(),
		},
		(t) => [primaryKey({ columns: [t.userId, t.transactionId, t.drawNo] })],
	);

	const creditCosts = table(
		"credit_costs",
		{
			id: bigint("id", { mode: "number" }).generatedByDefaultAsIdentity().primaryKey(),
			usageType: text("usage_type").notNull(),
			eventSubtype: text("event_subtype"),
			measure: text("measure").notNull().default("amount"),
			credits: bigint("credits", { mode: "number" }).notNull(),
			per: bigint("per", { mode: "number" }).notNull().default(1),
			charge: text("charge").notNull().default("always"),
			createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		},
		(t) => [unique().on(t.usageType, t.eventSubtype, t.measure)],
	);

	const usageHolds = table("usage_holds", {
		holdId: text("hold_id").primaryKey(),
		userId: text("user_id").notNull(),
		usageType: text("usage_type"),
		eventSubtype: text("event_subtype"),
		accountId: text("account_id"),
		amount: bigint("amount", { mode: "number" }).notNull(),
		tokensUsed: bigint("tokens_used", { mode: "number" }),
		credits: bigint("credits", { mode: "number" }).notNull().default(0),
		bucketStart: timestamp("bucket_start", { withTimezone: true }),
		createdAt: timestamp("created_at", { withTimezone: true }).notNull().default(sql`usage_now()`),
		expiresAt: timestamp("expires_at", { withTimezone: true }).notNull(),
		backendPid: bigint("backend_pid", { mode: "number" }),
		backendStart: timestamp("backend_start", { withTimezone: true }),
		metadata: jsonb("metadata"),
		state: text("state").notNull().default("open"),
		endedAt: timestamp("ended_at", { withTimezone: true }),
		settledAmount: bigint("settled_amount", { mode: "number" }),
		settledTokens: bigint("settled_tokens", { mode: "number" }),
		answer: usageDecision("answer"),
		overage: bigint("overage", { mode: "number" }).notNull().default(0),
		overageTokens: bigint("overage_tokens", { mode: "number" }).notNull().default(0),
		accountBucketStart: timestamp("account_bucket_start", { withTimezone: true }),
	});

	const usageOpenHolds = view("usage_open_holds", {
		holdId: text("hold_id"),
		userId: text("user_id"),
		usageType: text("usage_type"),
		eventSubtype: text("event_subtype"),
		amount: bigint("amount", { mode: "number" }),
		tokensUsed: bigint("tokens_used", { mode: "number" }),
		createdAt: timestamp("created_at", { withTimezone: true }),
		expiresAt: timestamp("expires_at", { withTimezone: true }),
		age: interval("age"),
		backendPid: bigint("backend_pid", { mode: "number" }),
		metadata: jsonb("metadata"),
		credits: bigint("credits", { mode: "number" }),
	}).existing();

	const usageLimitsStats = view("usage_limits_stats", {
		admitted: bigint("admitted", { mode: "number" }),
		denied: bigint("denied", { mode: "number" }),
		coldLoads: bigint("cold_loads", { mode: "number" }),
		waits: bigint("waits", { mode: "number" }),
		evictions: bigint("evictions", { mode: "number" }),
		lockGateFallbacks: bigint("lock_gate_fallbacks", { mode: "number" }),
		slotOverflows: bigint("slot_overflows", { mode: "number" }),
		entriesUsed: bigint("entries_used", { mode: "number" }),
		entriesMax: bigint("entries_max", { mode: "number" }),
		nodesUsed: bigint("nodes_used", { mode: "number" }),
		nodesMax: bigint("nodes_max", { mode: "number" }),
		memoryBytes: bigint("memory_bytes", { mode: "number" }),
		flushed: bigint("flushed", { mode: "number" }),
		flushLag: interval("flush_lag"),
		oldestPrepared: timestamp("oldest_prepared", { withTimezone: true }),
		trackErrors: bigint("track_errors", { mode: "number" }),
		statsReset: timestamp("stats_reset", { withTimezone: true }),
	}).existing();

	const usageLimitsMemory = view("usage_limits_memory", {
		userId: text("user_id"),
		usageType: text("usage_type"),
		state: text("state"),
		measure: text("measure"),
		windowStart: timestamp("window_start", { withTimezone: true }),
		windowEnd: timestamp("window_end", { withTimezone: true }),
		oneSubtype: boolean("one_subtype"),
		committed: bigint("committed", { mode: "number" }),
		reserved: bigint("reserved", { mode: "number" }),
		pid: bigint("pid", { mode: "number" }),
		status: text("status"),
		amount: bigint("amount", { mode: "number" }),
		since: timestamp("since", { withTimezone: true }),
		age: interval("age"),
	}).existing();

	const usageDays = table("usage_days", {
		usageDate: date("usage_date").primaryKey(),
		closedXid: xid8("closed_xid"),
		total: bigint("total", { mode: "number" }),
		uniqueUsers: bigint("unique_users", { mode: "number" }),
	});

	const usageDaySums = table(
		"usage_day_sums",
		{
			usageDate: date("usage_date").notNull(),
			usageType: text("usage_type").notNull(),
			total: bigint("total", { mode: "number" }).notNull(),
			uniqueUsers: bigint("unique_users", { mode: "number" }).notNull(),
		},
		(t) => [primaryKey({ columns: [t.usageDate, t.usageType] })],
	);

	const usageDayMarks = table(
		"usage_day_marks",
		{
			usageDate: date("usage_date").notNull(),
			markId: bigint("mark_id", { mode: "bigint" }).notNull(),
		},
		(t) => [primaryKey({ columns: [t.usageDate, t.markId] })],
	);

	return {
		usageLimitsConfig,
		usageLimitOverrides,
		usageTypes,
		usageActions,
		userSubscriptions,
		usageMembers,
		usageAlerts,
		usageConfigLog,
		usageCounters,
		userUsage,
		usageEvents,
		usageResets,
		usageIdempotency,
		usageDenials,
		usageAlertLog,
		usageRates,
		userCredits,
		creditGrants,
		creditTransactions,
		creditDraws,
		creditCosts,
		usageHolds,
		usageOpenHolds,
		usageLimitsStats,
		usageLimitsMemory,
		usageDays,
		usageDaySums,
		usageDayMarks,
	};
}

export const {
	usageLimitsConfig,
	usageLimitOverrides,
	usageTypes,
	usageActions,
	userSubscriptions,
	usageMembers,
	usageAlerts,
	usageConfigLog,
	usageCounters,
	userUsage,
	usageEvents,
	usageResets,
	usageIdempotency,
	usageDenials,
	usageAlertLog,
	usageRates,
	userCredits,
	creditGrants,
	creditTransactions,
	creditDraws,
	creditCosts,
	usageHolds,
	usageOpenHolds,
	usageLimitsStats,
	usageLimitsMemory,
	usageDays,
	usageDaySums,
	usageDayMarks,
} = usageSchema();
