import type { LimitsData, StatsData, UsageSource } from "./types.js";

/** What of a tRPC client is used: `client.usage`, where the router has usageProcedures as `usage`. */
export interface TrpcUsageClient {
	getUserLimits: { query(): Promise<LimitsData> };
	getUserStats: { query(input: { days: number }): Promise<StatsData> };
}

export function trpcSource(client: TrpcUsageClient): UsageSource {
	return {
		getUserLimits: () => client.getUserLimits.query(),
		getUserStats: (input) => client.getUserStats.query(input),
	};
}

/** From the routes that `usageRoute` of `usage-limits/http` answers: `fetchSource("/api/usage")`. */
export function fetchSource(url: string, init?: RequestInit): UsageSource {
	const get = async <T>(path: string): Promise<T> => {
		const response = await fetch(url + path, init);
		if (!response.ok) throw new Error(`${url}${path} answered ${response.status}`);
		return (await response.json()) as T;
	};
	return {
		getUserLimits: () => get<LimitsData>("/limits"),
		getUserStats: ({ days }) => get<StatsData>(`/stats?days=${days}`),
	};
}
