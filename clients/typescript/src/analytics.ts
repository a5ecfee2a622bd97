import { UsageClient } from "./client.js";

export interface TopUser {
	userId: string;
	totalUsage: number;
	lastUsed: Date | null;
}

export interface UsageTrend {
	/** A UTC date, YYYY-MM-DD. */
	date: string;
	usageType: string;
	totalCount: number;
	uniqueUsers: number;
}

export interface ConversionFunnel {
	registered: number;
	createdProject: number;
	generatedScene: number;
	exportedVideo: number;
}

export interface ErrorRate {
	eventType: string;
	eventSubtype: string | null;
	totalEvents: number;
	failedEvents: number;
	cancelledEvents: number;
	/** failed ÷ (success + failed), percent. */
	errorRate: number | null;
	avgDurationMs: number | null;
}

export interface TierDistribution {
	tier: string;
	users: number;
	p50: number;
	p90: number;
	p99: number;
	max: number;
}

export interface UsageAnomaly {
	userId: string;
	usageType: string;
	tier: string;
	today: number;
	ownMedian: number | null;
	ownScore: number | null;
	tierMedian: number | null;
	tierScore: number | null;
}

/** Over everybody, from the counters. `days` are the UTC dates that end today. */
export class UsageAnalytics extends UsageClient {
	getTopUsers(usageType: string, days = 30, maxRows?: number): Promise<TopUser[]> {
		return this.rows("usage_top_users", { usage_type: usageType, days, max_rows: maxRows });
	}

	/** Every day for every type that was used in the range. */
	async getUsageTrends(days = 30): Promise<UsageTrend[]> {
		const rows = await this.rows<UsageTrend>("usage_trends", { days });
		return rows.filter((row) => row.usageType !== null);
	}

	/** Every day over all types: a user of two types is one unique user. */
	async getDailyTotals(days = 30): Promise<Omit<UsageTrend, "usageType">[]> {
		const rows = await this.rows<UsageTrend>("usage_trends", { days });
		return rows
			.filter((row) => row.usageType === null)
			.map(({ date, totalCount, uniqueUsers }) => ({ date, totalCount, uniqueUsers }));
	}

	getConversionFunnel(days = 30): Promise<ConversionFunnel> {
		return this.value("usage_funnel", { days });
	}

	getErrorRates(days = 7, minEvents?: number): Promise<ErrorRate[]> {
		return this.rows("usage_error_rates", { days, min_events: minEvents });
	}

	/** How much of a type the users of each tier used. */
	getDistribution(usageType: string, days = 30): Promise<TierDistribution[]> {
		return this.rows("usage_distribution", { usage_type: usageType, days });
	}

	/** Users whose use today stands out. */
	getAnomalies(days?: number, threshold?: number, maxRows?: number): Promise<UsageAnomaly[]> {
		return this.rows("usage_anomalies", { days, threshold, max_rows: maxRows });
	}
}
