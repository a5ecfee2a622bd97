export {
	type LimitConfig,
	type LimitOverride,
	type PreviewedUser,
	type SetLimitParams,
	type SetTierParams,
	type Subscription,
	UsageAdmin,
	type UserListItem,
} from "./admin.js";
export {
	type ConversionFunnel,
	type ErrorRate,
	type TierDistribution,
	type TopUser,
	UsageAnalytics,
	type UsageAnomaly,
	type UsageTrend,
} from "./analytics.js";
export type { UsageOptions } from "./call.js";
export {
	type CreditDecision,
	type CreditGrantParams,
	type CreditRow,
	type CreditSpendParams,
	UsageCredits,
} from "./credits.js";
export type { DrizzleLike, NodePostgresLike, PostgresJsLike, UsageDatabase } from "./database.js";
export type { DecisionReason, UsageDecision } from "./decision.js";
export { sqlStateOf, UsageLimitError, type UsageLimitInfo, usageLimitOf } from "./errors.js";
export { type CheckActionOptions, UsageLimiter } from "./limiter.js";
export { type ActiveHold, type TrackerOptions, UsageTracker } from "./tracker.js";
export type * from "./types.js";
