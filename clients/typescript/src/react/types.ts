/** What comes over the wire: times are ISO strings, or Dates where a transformer made them. */

export interface LimitData {
	allowed: boolean;
	current: number;
	/** -1 is unlimited. */
	limit: number;
	remaining: number | null;
	resetAt: Date | string | null;
	limitType: string;
}

export interface LimitsData {
	tier: string;
	/** The server's now; without it, this machine's counts. */
	now?: Date | string | undefined;
	/** Every limit by its name. */
	limits: Record<string, LimitData>;
}

/** By what the limits are about (`prompts`, `exports`) too. */
export type NamedLimits = LimitsData & { [name: string]: LimitData | undefined };

export interface StatsData {
	daily: Record<string, Record<string, number>>;
	totals: Record<string, number>;
	recentEvents: unknown[];
}

/** Where the data comes from: an adapter to the application's own client. */
export interface UsageSource {
	getUserLimits(): Promise<LimitsData>;
	getUserStats?(input: { days: number }): Promise<StatsData>;
}
