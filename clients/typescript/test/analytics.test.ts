import pg from "pg";
import { afterAll, expect, test } from "vitest";
import { sqlStateOf, UsageAnalytics, UsageTracker } from "../src/index.js";
import { createDatabase } from "./server.js";

const database = await createDatabase();
const pool = new pg.Pool(database.app);
afterAll(() => pool.end());

const usage = new UsageTracker(pool);
const analytics = new UsageAnalytics(pool);

test("answers what the seed's analytics asked", async () => {
	for (let i = 0; i < 4; i++) await usage.trackUsage({ userId: "ann", usageType: "prompt", durationMs: 100 });
	await usage.trackUsage({ userId: "bea", usageType: "prompt", amount: 2, eventSubtype: "large" });
	await usage.trackUsage({ userId: "bea", usageType: "export" });
	await usage.trackUsage({ userId: "ann", usageType: "prompt", status: "failed" });

	expect(await analytics.getTopUsers("prompt")).toEqual([
		{ userId: "ann", totalUsage: 4, lastUsed: expect.any(Date) },
		{ userId: "bea", totalUsage: 2, lastUsed: expect.any(Date) },
	]);
	expect(await analytics.getTopUsers("prompt", 30, 1)).toHaveLength(1);

	const date = (await usage.now()).toISOString().slice(0, 10);
	const trends = await analytics.getUsageTrends(7);
	expect(trends).toHaveLength(14);
	expect(trends.filter((row) => row.date === date)).toEqual([
		{ date, usageType: "export", totalCount: 1, uniqueUsers: 1 },
		{ date, usageType: "prompt", totalCount: 6, uniqueUsers: 2 },
	]);
	const totals = await analytics.getDailyTotals(7);
	expect(totals).toHaveLength(7);
	expect(totals.at(-1)).toEqual({ date, totalCount: 7, uniqueUsers: 2 });

	expect(await analytics.getConversionFunnel()).toEqual({
		registered: 0,
		createdProject: 0,
		generatedScene: 2,
		exportedVideo: 1,
	});
	expect(await analytics.getErrorRates(7, 1)).toContainEqual({
		eventType: "prompt",
		eventSubtype: null,
		totalEvents: 5,
		failedEvents: 1,
		cancelledEvents: 0,
		errorRate: 20,
		avgDurationMs: 100,
	});
	expect(await analytics.getErrorRates()).toEqual([]);
	expect(await analytics.getDistribution("prompt")).toEqual([
		{ tier: "free", users: 2, p50: 2, p90: 4, p99: 4, max: 4 },
	]);
	expect(await analytics.getAnomalies()).toEqual([]);
	expect(await analytics.getTopUsers("prompt", 0).catch(sqlStateOf)).toBe("22023");
});
