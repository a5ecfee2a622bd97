export {
	type DisplaySlot,
	type DisplayTexts,
	formatDuration,
	UsageDisplay,
	type UsageDisplayProps,
} from "./display.js";
export {
	type UsageLimits,
	UsageProvider,
	type UsageProviderProps,
	type UseUsageLimitsOptions,
	useUsageLimits,
} from "./hook.js";
export { fetchSource, type TrpcUsageClient, trpcSource } from "./source.js";
export type { StoreOptions } from "./store.js";
export type { LimitData, LimitsData, NamedLimits, StatsData, UsageSource } from "./types.js";
