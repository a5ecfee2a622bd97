import { setTimeout as sleep } from "node:timers/promises";
import { Hono } from "hono";
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { limitHono, limitRoute } from "../src/http/index.js";
import { sqlStateOf, UsageLimitError, UsageTracker } from "../src/index.js";
import { drivers } from "./drivers.js";
import { createDatabase } from "./server.js";

const database = await createDatabase();
await database.sql(
	`INSERT INTO usage_limits_config (limit_type, free_tier_limit) VALUES ('encodings_daily', 3)`,
);
const pool = new pg.Pool({ ...database.app, max: 10 });
afterAll(() => pool.end());
const usage = new UsageTracker(pool);

const counted = async (userId: string, usageType: string) =>
	(
		await database.sql(
			`SELECT coalesce(sum(amount), 0)::int AS amount, coalesce(sum(failed_events), 0)::int AS failed,
				coalesce(sum(tokens_used), 0)::int AS tokens
			FROM usage_counters WHERE user_id = $1 AND usage_type = $2`,
			[userId, usageType],
		)
	)[0];
const events = async (userId: string) => (await usage.getUserStats(userId)).recentEvents;
const open = async (userId: string) =>
	(await database.sql("SELECT count(*)::int AS n FROM usage_open_holds WHERE user_id = $1", [userId]))[0]?.n;

describe.each(Object.entries(drivers))("%s", (name, openDriver) => {
	const { db, transaction } = openDriver(database.app);
	const tracker = new UsageTracker(db);

	test("holds, settles, renews and releases", async () => {
		const userId = `${name} holds`;
		const held = await tracker.hold({
			userId,
			usageType: "export",
			amount: 2,
			ttl: 60,
			metadata: { job: 1 },
		});
		expect(held).toMatchObject({ allowed: true, current: 2, remaining: 1, holdId: expect.any(String) });
		const holdId = held.holdId as string;
		expect(await tracker.hold({ userId, usageType: "export", amount: 2 })).toMatchObject({
			allowed: false,
			holdId: null,
		});
		const until = await tracker.renew(holdId, "1 hour", { userId });
		expect(until.getTime() - Date.now()).toBeGreaterThan(3_500_000);
		expect(await tracker.settle(holdId, { amount: 1, durationMs: 5.4, userId })).toMatchObject({
			allowed: true,
			current: 1,
		});
		expect((await events(userId))[0]).toMatchObject({ amount: 1, durationMs: 5, metadata: { job: 1 } });

		const other = await tracker.hold({ userId, usageType: "export", holdId: `${name} job` });
		expect(other.holdId).toBe(`${name} job`);
		expect(await tracker.release(`${name} job`, { status: "cancelled", errorMessage: "no wish" })).toBe(true);
		expect(await tracker.release(`${name} job`)).toBe(false);
		expect((await events(userId))[0]).toMatchObject({ status: "cancelled", errorMessage: "no wish" });
		expect(await tracker.settle(`${name} job`).catch(sqlStateOf)).toBe("55000");
		expect(await tracker.settle(holdId, { amount: 1, userId: "somebody else" }).catch(sqlStateOf)).toBe(
			"42704",
		);
	});

	test("releases all of a user's", async () => {
		const userId = `${name} all`;
		for (const usageType of ["export", "export", "prompt"]) await tracker.hold({ userId, usageType });
		expect(await tracker.releaseAll(userId, { usageType: "export", status: "cancelled" })).toBe(2);
		expect(await tracker.releaseAll(userId)).toBe(1);
		expect(await counted(userId, "export")).toMatchObject({ amount: 0 });
		expect(await open(userId)).toBe(0);
	});

	test("a hold that is rolled back holds nothing", async () => {
		const userId = `${name} rolls back`;
		const failing = transaction(async (tx) => {
			await tracker.with(tx).hold({ userId, usageType: "export", amount: 3 });
			throw new Error("no disk");
		});
		await expect(failing).rejects.toThrow("no disk");
		expect(await tracker.check(userId, "export", { amount: 3 })).toMatchObject({ allowed: true });
	});
});

describe("withHold", () => {
	test("counts while the work goes on, and is a use with its duration afterwards", async () => {
		const result = await usage.withHold(
			{ userId: "ann", usageType: "export", eventSubtype: "mp4", metadata: { quality: "hd" } },
			async (hold) => {
				expect(hold.decision).toMatchObject({ allowed: true, holdId: hold.holdId });
				expect(await usage.checkLimit("ann", "exports_daily")).toMatchObject({ current: 1 });
				expect(await counted("ann", "export")).toMatchObject({ amount: 0 });
				await sleep(30);
				hold.record({ tokensUsed: 7 });
				return "video.mp4";
			},
		);
		expect(result).toBe("video.mp4");
		expect(await counted("ann", "export")).toEqual({ amount: 1, failed: 0, tokens: 7 });
		const [event] = await events("ann");
		expect(event).toMatchObject({ status: "success", eventSubtype: "mp4", metadata: { quality: "hd" } });
		expect(event?.durationMs).toBeGreaterThanOrEqual(30);
		expect(await open("ann")).toBe(0);
	});

	test("gives back what failed, and logs it", async () => {
		for (let i = 0; i < 5; i++) {
			const failing = usage.withHold({ userId: "bea", usageType: "export" }, () => {
				throw new Error("the renderer has crashed");
			});
			await expect(failing).rejects.toThrow("the renderer has crashed");
		}
		await usage.withHold({ userId: "bea", usageType: "export" }, (hold) => hold.fail("HTTP 500"));
		expect(await counted("bea", "export")).toMatchObject({ amount: 0, failed: 6 });
		expect((await events("bea")).map((event) => event.errorMessage)).toEqual([
			"HTTP 500",
			...Array(5).fill("the renderer has crashed"),
		]);
		expect(await open("bea")).toBe(0);
	});

	test("50 at once against a limit of 3: exactly 3 work", async () => {
		let worked = 0;
		const all = await Promise.allSettled(
			Array.from({ length: 50 }, () =>
				usage.withHold({ userId: "cat", usageType: "export" }, async () => {
					worked++;
					await sleep(50);
				}),
			),
		);
		expect(worked).toBe(3);
		const denied = all.filter((result) => result.status === "rejected").map((result) => result.reason);
		expect(denied).toHaveLength(47);
		for (const error of denied) expect(error).toBeInstanceOf(UsageLimitError);
		expect(denied[0].decision).toMatchObject({ limitType: "exports_daily", current: 3, limit: 3 });
		expect(await counted("cat", "export")).toMatchObject({ amount: 3 });
	});

	test("one at a time, where a limit is on how many are open", async () => {
		const render = () => usage.withHold({ userId: "dan", usageType: "concurrent_renders" }, () => sleep(100));
		const first = render();
		await sleep(50);
		await expect(render()).rejects.toMatchObject({ limitType: "concurrent_renders", limit: 1 });
		await first;
		await render();
		expect(await open("dan")).toBe(0);
	});

	test("is renewed while the work goes on", async () => {
		await usage.withHold({ userId: "eve", usageType: "export", amount: 3, ttl: 1 }, async () => {
			await sleep(1500);
			expect(await usage.check("eve", "export")).toMatchObject({ allowed: false, current: 3 });
		});
		expect(await counted("eve", "export")).toMatchObject({ amount: 3 });
	});

	test("records work whose hold has expired", async () => {
		const late = { ttl: "100 milliseconds" };
		await usage.withHold({ userId: "fay", usageType: "export", amount: 2, ...late }, () => sleep(200));
		expect(await counted("fay", "export")).toMatchObject({ amount: 2 });
		await usage.withHold({ userId: "fay", usageType: "concurrent_renders", ...late }, () => sleep(200));
		expect(await usage.check("fay", "concurrent_renders")).toMatchObject({ allowed: true, current: 0 });
	});

	test("records more than was held, when it is not admitted too: it has happened", async () => {
		await usage.withHold({ userId: "gus", usageType: "export" }, (hold) => hold.record({ amount: 5 }));
		expect(await counted("gus", "export")).toMatchObject({ amount: 5 });
		expect(await open("gus")).toBe(0);
	});
});

describe("in a middleware", () => {
	test("a request that fails is given back", async () => {
		const app = new Hono();
		const params = (c: { req: { header(name: string): string | undefined } }) => ({
			userId: c.req.header("x-user") as string,
			usageType: "encoding",
		});
		app.onError((_error, c) => c.text("failed", 500));
		app.get("/ok", limitHono(usage, params, { hold: true }), (c) => c.text("ok"));
		app.get("/not-found", limitHono(usage, params, { hold: true }), (c) => c.text("not found", 404));
		app.get("/throws", limitHono(usage, params, { hold: true }), () => {
			throw new Error("no disk");
		});
		const get = (path: string) => app.request(path, { headers: { "x-user": "hal" } });
		expect((await get("/not-found")).status).toBe(404);
		expect((await get("/throws")).status).toBe(500);
		expect(await counted("hal", "encoding")).toMatchObject({ amount: 0, failed: 2 });
		for (const status of [200, 200, 200, 429]) expect((await get("/ok")).status).toBe(status);
		expect(
			(await events("hal")).filter((event) => event.status === "failed").map((event) => event.errorMessage),
		).toEqual(["no disk", "HTTP 404"]);

		const route = limitRoute(
			usage,
			() => ({ userId: "ida", usageType: "encoding" }),
			() => new Response(null, { status: 503 }),
			{ hold: true },
		);
		expect((await route()).status).toBe(503);
		expect(await counted("ida", "encoding")).toMatchObject({ amount: 0, failed: 1 });
	});
});
