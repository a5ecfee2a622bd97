import { once } from "node:events";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { Hono } from "hono";
import pg from "pg";
import { afterAll, describe, expect, test, vi } from "vitest";
import { limitExpress, limitHono, limitRoute } from "../src/http/index.js";
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
		const render = (work: () => Promise<void>) =>
			usage.withHold({ userId: "dan", usageType: "concurrent_renders" }, work);
		await render(async () => {
			const second = render(async () => {});
			await expect(second).rejects.toMatchObject({ limitType: "concurrent_renders", limit: 1 });
		});
		await render(async () => {});
		expect(await open("dan")).toBe(0);
	});

	test("is renewed while the work goes on", async () => {
		const expiry = async () =>
			(await database.sql("SELECT expires_at FROM usage_open_holds WHERE user_id = 'eve'"))[0]?.expires_at;
		await usage.withHold({ userId: "eve", usageType: "export", amount: 3, ttl: 10 }, async () => {
			const first = await expiry();
			expect(first).toBeInstanceOf(Date);
			await vi.waitFor(async () => expect(await expiry()).not.toEqual(first), { timeout: 30_000 });
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

/** A promise that is resolved by calling `open`. */
function gate() {
	let open = () => {};
	const passed = new Promise<void>((resolve) => {
		open = resolve;
	});
	return { passed, open };
}

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

	describe("a client that goes away", () => {
		/** A server whose work ends when it is told to; `leave` is called when the request has come in. */
		async function serve(
			userId: string,
			options: { ttl?: number; leave: "before" | "during" | "never ends" },
		) {
			const app = express();
			const arrived = gate();
			const gone = gate();
			const work = gate();
			const started = gate();
			app.use((_request, response, next) => {
				response.once("close", gone.open);
				next();
			});
			app.get(
				"/",
				limitExpress(
					usage,
					async () => {
						arrived.open();
						if (options.leave === "before") await gone.passed;
						return { userId, usageType: "encoding", ttl: options.ttl };
					},
					{ hold: true },
				),
				async (_request, response) => {
					started.open();
					if (options.leave === "never ends") return;
					await work.passed;
					response.send("done");
				},
			);
			const server = app.listen(0, "127.0.0.1");
			await once(server, "listening");
			afterAll(() => void server.close());
			const client = request({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
			client.on("error", () => {});
			client.end();
			await (options.leave === "before" ? arrived : started).passed;
			client.destroy();
			await gone.passed;
			await started.passed;
			return work.open;
		}

		test("has used what is done for him all the same", async () => {
			const finish = await serve("jan", { leave: "during" });
			expect(await open("jan")).toBe(1);
			expect(await usage.check("jan", "encoding")).toMatchObject({ current: 1 });
			finish();
			await vi.waitFor(async () => expect(await open("jan")).toBe(0), { timeout: 30_000 });
			expect(await counted("jan", "encoding")).toMatchObject({ amount: 1, failed: 0 });
		});

		test("before the work has begun leaves no hold open", async () => {
			const finish = await serve("kim", { leave: "before" });
			finish();
			await vi.waitFor(async () => expect(await open("kim")).toBe(0), { timeout: 30_000 });
			expect(await counted("kim", "encoding")).toMatchObject({ amount: 1, failed: 0 });
		});

		test("gets it back when the work is not answered any more", async () => {
			await serve("lea", { leave: "never ends", ttl: 2 });
			await vi.waitFor(async () => expect(await counted("lea", "encoding")).toMatchObject({ failed: 1 }), {
				timeout: 30_000,
			});
			expect(await open("lea")).toBe(0);
			expect((await events("lea"))[0]).toMatchObject({
				status: "failed",
				errorMessage: "the client has gone",
			});
		});
	});
});
