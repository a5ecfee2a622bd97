import pg from "pg";
import { describe, expect, test, vi } from "vitest";
import { sqlStateOf, UsageAdmin, UsageLimitError, UsageLimiter, UsageTracker } from "../src/index.js";
import { drivers } from "./drivers.js";
import { createDatabase } from "./server.js";

const database = await createDatabase();
const counted = async (userId: string, usageType: string) =>
	(
		await database.sql(
			"SELECT coalesce(sum(amount), 0)::int AS n FROM usage_counters WHERE user_id = $1 AND usage_type = $2",
			[userId, usageType],
		)
	)[0]?.n;

async function denial(work: Promise<unknown>): Promise<UsageLimitError> {
	const error = await work.then(
		() => undefined,
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(UsageLimitError);
	return error as UsageLimitError;
}

describe.each(Object.entries(drivers))("%s", (name, open) => {
	const { db, transaction } = open(database.app);
	const usage = new UsageTracker(db);
	const user = (suffix: string) => `${name} ${suffix}`;

	test("tracks what the seed's parameters say", async () => {
		const userId = user("tracks");
		const projectId = "7b0d8a52-9f57-4d7c-9d3c-0b6a4f6f5f10";
		const id = await usage.trackUsage({
			userId,
			usageType: "prompt",
			amount: 2n,
			eventSubtype: "gpt-4o",
			projectId,
			tokensUsed: 1200,
			durationMs: 12.6,
			metadata: { prompt: 'a "quoted" prompt', nested: { list: [1, null, "é"] } },
		});
		expect(id).toBeTypeOf("number");
		const { recentEvents, totals, daily } = await usage.getUserStats(userId);
		expect(recentEvents).toEqual([
			{
				id,
				userId,
				eventType: "prompt",
				eventSubtype: "gpt-4o",
				projectId,
				sceneId: null,
				tokensUsed: 1200,
				creditsUsed: null,
				durationMs: 13,
				status: "success",
				errorMessage: null,
				metadata: { prompt: 'a "quoted" prompt', nested: { list: [1, null, "é"] } },
				createdAt: expect.any(Date),
				amount: 2,
				operation: "use",
			},
		]);
		expect(totals).toEqual({ prompt: 2 });
		expect(Object.values(daily)).toEqual([{ prompt: 2 }]);
	});

	test("books the past, and failures towards no limit", async () => {
		const userId = user("past");
		await usage.trackUsage({ userId, usageType: "export", occurredAt: new Date(Date.now() - 86_400_000) });
		await usage.trackUsage({ userId, usageType: "export", status: "failed", errorMessage: "no disk" });
		expect(await usage.checkLimit(userId, "exports_daily")).toMatchObject({ current: 0 });
		const { recentEvents } = await usage.getUserStats(userId);
		expect(recentEvents.map(({ status, errorMessage }) => [status, errorMessage])).toEqual([
			["failed", "no disk"],
			["success", null],
		]);
	});

	test("checks a limit in numbers and Dates", async () => {
		const decision = await usage.checkLimit(user("checks"), "exports_daily", 3);
		expect(decision).toEqual({
			allowed: true,
			reason: "ok",
			usageType: "export",
			limitType: "exports_daily",
			requested: 3,
			current: 0,
			limit: 3,
			remaining: 3,
			resetAt: expect.any(Date),
			retryAfter: null,
			eventId: null,
			holdId: null,
		});
		const midnight = new Date(new Date().toISOString().slice(0, 10));
		expect(decision.resetAt?.getTime()).toBe(midnight.getTime() + 86_400_000);
		expect(await usage.checkLimit(user("checks"), "no_such_limit")).toMatchObject({
			allowed: true,
			reason: "no_limit",
		});
		expect(await usage.check(user("checks"), "export", { amount: 4 })).toMatchObject({
			allowed: false,
			reason: "amount_exceeds_limit",
		});
	});

	test("consumes until the limit; a denial is an answer and records nothing", async () => {
		const userId = user("consumes");
		expect(await usage.consume({ userId, usageType: "export", amount: 3 })).toMatchObject({
			allowed: true,
			remaining: 0,
			current: 3,
		});
		const denied = await usage.consume({ userId, usageType: "export" });
		expect(denied).toMatchObject({ allowed: false, reason: "limit_exceeded", limitType: "exports_daily" });
		expect(denied.retryAfter).toBeGreaterThan(0);
		expect(await counted(userId, "export")).toBe(3);
	});

	test("consumes several types, all or nothing", async () => {
		const userId = user("many");
		expect(await usage.consumeMany(userId, { prompt: 2, export: 1 })).toMatchObject({ allowed: true });
		const items = [
			{ usageType: "prompt", amount: 1, eventSubtype: "large" },
			{ usageType: "export", amount: 3 },
		];
		expect(await usage.consumeMany(userId, items)).toMatchObject({
			allowed: false,
			limitType: "exports_daily",
		});
		expect(await counted(userId, "prompt")).toBe(2);
	});

	test("answers a repeated request once", async () => {
		const userId = user("repeats");
		const request = { userId, usageType: "prompt", idempotencyKey: "request-1" };
		const first = await usage.consume(request);
		expect(await usage.consume(request)).toEqual(first);
		expect(await counted(userId, "prompt")).toBe(1);
		const other = await usage.consume({ ...request, amount: 2 }).catch(sqlStateOf);
		expect(other).toBe("23505");
	});

	test("throws a denial of enforce as UsageLimitError with the decision", async () => {
		const userId = user("enforces");
		await usage.enforce({ userId, usageType: "export", amount: 3 });
		const error = await denial(usage.enforce({ userId, usageType: "export" }));
		expect(error).toMatchObject({
			name: "UsageLimitError",
			status: 429,
			code: "PT429",
			title: "Video exports per day",
			limitType: "exports_daily",
			usageType: "export",
			current: 3,
			limit: 3,
		});
		expect(error.message).toMatch(/^You've reached your exports_daily limit \(3\/3\)\. Resets at .*Z\.$/);
		expect(error.hint).toContain("admitted at");
		const consumed = await usage.consume({ userId, usageType: "export" });
		// the same but for the second that may have passed
		expect({ ...error.decision, retryAfter: 0 }).toEqual({ ...consumed, retryAfter: 0 });
		expect(error.resetAt).toBeInstanceOf(Date);
		expect(JSON.parse(JSON.stringify(error))).toMatchObject({
			limitType: "exports_daily",
			resetAt: error.resetAt?.toISOString(),
		});
		expect(UsageLimitError.from(error)).toBe(error);
	});

	test("a transaction that rolls back has used nothing", async () => {
		const userId = user("rolls back");
		const failing = transaction(async (tx) => {
			await usage.with(tx).enforce({ userId, usageType: "export", amount: 3 });
			throw new Error("the export failed");
		});
		await expect(failing).rejects.toThrow("the export failed");
		expect(await counted(userId, "export")).toBe(0);

		await transaction(async (tx) => {
			const inside = usage.with(tx);
			await inside.enforce({ userId, usageType: "export", amount: 3 });
			expect(await inside.check(userId, "export")).toMatchObject({ allowed: false, current: 3 });
		});
		expect(await counted(userId, "export")).toBe(3);
	});

	test("recognises a denial inside a transaction, which it aborts", async () => {
		const userId = user("aborts");
		await usage.consume({ userId, usageType: "export", amount: 3 });
		const error = await denial(
			transaction(async (tx) => {
				await usage.with(tx).consume({ userId, usageType: "prompt" });
				await usage.with(tx).enforce({ userId, usageType: "export" });
			}),
		);
		expect(error.limitType).toBe("exports_daily");
		expect(await counted(userId, "prompt")).toBe(0);
	});

	test("recognises what a statement of the application's own throws", async () => {
		const userId = user("own statement");
		await usage.consume({ userId, usageType: "export", amount: 3 });
		const text = `SELECT usage_enforce('${userId}', 'export')`;
		const thrown = await transaction((_, statement) => statement(text)).catch((error: unknown) => error);
		expect(thrown).not.toBeInstanceOf(UsageLimitError);
		const wrapped = new Error("export failed", { cause: new Error("query failed", { cause: thrown }) });
		expect(UsageLimitError.from(wrapped)).toMatchObject({
			limitType: "exports_daily",
			current: 3,
			cause: wrapped,
		});
	});

	test("asks by action", async () => {
		const userId = user("action");
		const limiter = new UsageLimiter(db);
		expect(await limiter.checkActionAllowed({ userId, action: "export_video" })).toBe(true);
		expect(await limiter.checkActionAllowed({ userId, action: "no_such_action" })).toBe(true);
		await usage.consume({ userId, usageType: "export", amount: 3 });
		expect(await limiter.checkActionAllowed({ userId, action: "export_video", throwOnExceed: false })).toBe(
			false,
		);
		const error = await denial(limiter.middleware(userId, "export_video"));
		expect(error.limitType).toBe("exports_daily");
	});

	test("shows a user's limits", async () => {
		const userId = user("limits");
		await usage.consume({ userId, usageType: "prompt", amount: 4 });
		const limits = await usage.getUserLimits(userId);
		expect(limits.tier).toBe("free");
		expect(Math.abs(limits.now.getTime() - Date.now())).toBeLessThan(60_000);
		expect(limits.prompts).toEqual({
			allowed: true,
			current: 4,
			limit: 10,
			remaining: 6,
			resetAt: expect.any(Date),
			limitType: "prompts_daily",
		});
		expect(limits.limits.projects_total).toMatchObject({ current: 0, limit: 5, resetAt: null });
		const status = await usage.getUserStatus(userId);
		expect(status.find((limit) => limit.limitType === "prompts_daily")).toMatchObject({
			usageType: "prompt",
			kind: "counter",
			period: "1 day",
			percentUsed: 40,
			source: "config",
		});
		expect(await usage.explain(userId, "export")).toHaveLength(2);
	});

	test("an error is thrown, logged or handed over as onTrackError says", async () => {
		const params = { userId: user("errors"), usageType: "prompts_daily" };
		expect(await usage.trackUsage(params).catch(sqlStateOf)).toBe("22023");

		const log = vi.spyOn(console, "error").mockImplementation(() => {});
		expect(await new UsageTracker(db, { onTrackError: "log" }).trackUsage(params)).toBeNull();
		expect(log).toHaveBeenCalledOnce();
		log.mockRestore();

		const handler = vi.fn();
		const handing = new UsageTracker(db, { onTrackError: handler });
		expect(await handing.trackUsage(params)).toBeNull();
		expect(sqlStateOf(handler.mock.calls[0]?.[0])).toBe("22023");
		expect(handler.mock.calls[0]?.[1]).toEqual(params);

		// a transaction that goes on as if nothing were wrong would be rolled back by its COMMIT
		const inTransaction = transaction((tx) => handing.with(tx).trackUsage(params));
		expect(await inTransaction.catch(sqlStateOf)).toBe("22023");
		expect(handler).toHaveBeenCalledOnce();
	});

	test("refuses half a unit, and passes amounts past 2^31", async () => {
		await expect(usage.consume({ userId: user("half"), usageType: "prompt", amount: 0.5 })).rejects.toThrow(
			RangeError,
		);
		expect(
			await usage.consume({ userId: user("much"), usageType: "upload_bytes", amount: 10 ** 15 }),
		).toMatchObject({
			allowed: true,
			current: 10 ** 15,
		});
	});

	test("says that the application may not administer", async () => {
		const refused = await new UsageAdmin(db).setLimit("prompts_daily", 1000).catch(sqlStateOf);
		expect(refused).toBe("42501");
	});
});

test("a lost connection is thrown, not taken for an answer", async () => {
	const closed = new pg.Pool({ ...database.app, host: "/nonexistent" });
	const usage = new UsageTracker(closed);
	await expect(usage.consume({ userId: "ann", usageType: "export" })).rejects.toMatchObject({
		code: "ENOENT",
	});
	await expect(usage.trackUsage({ userId: "ann", usageType: "export" })).rejects.toMatchObject({
		code: "ENOENT",
	});
	const onTrackError = vi.fn();
	const handing = new UsageTracker(closed, { onTrackError });
	expect(await handing.trackUsage({ userId: "ann", usageType: "export" })).toBeNull();
	expect(onTrackError).toHaveBeenCalledOnce();
	await closed.end();
});

test("a connection that is lost in a transaction is thrown, and has used nothing", async () => {
	const client = new pg.Client(database.app);
	client.on("error", () => {});
	await client.connect();
	const inside = new UsageTracker(client);
	await client.query("BEGIN");
	await inside.enforce({ userId: "lost", usageType: "export", amount: 3 });
	const closed = new Promise((resolve) => client.once("end", resolve));
	await database.sql(
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND state LIKE 'idle in%'",
		[database.app.user],
	);
	await closed;
	const thrown = await inside
		.enforce({ userId: "lost", usageType: "export" })
		.catch((error: unknown) => error);
	expect(thrown).toBeInstanceOf(Error);
	expect(UsageLimitError.from(thrown)).toBeUndefined();
	const usage = new UsageTracker(database.admin);
	expect(await usage.check("lost", "export", { amount: 3 })).toMatchObject({ allowed: true, current: 0 });
});

test("what is no database is refused", async () => {
	const usage = new UsageTracker({} as never);
	await expect(usage.check("ann", "export")).rejects.toThrow(TypeError);
});

test("a SQLSTATE without our detail is not a denial", () => {
	expect(UsageLimitError.from(Object.assign(new Error("slow down"), { code: "PT429" }))).toBeUndefined();
	expect(UsageLimitError.from(Object.assign(new Error(), { code: "PT429", detail: "null" }))).toBeUndefined();
	expect(UsageLimitError.from(undefined)).toBeUndefined();
	expect(UsageLimitError.from("PT429")).toBeUndefined();
	const circular: { cause?: unknown } = {};
	circular.cause = circular;
	expect(UsageLimitError.from(circular)).toBeUndefined();
});

test("administers as a role that may", async () => {
	const admin = new UsageAdmin(database.admin);
	const usage = new UsageTracker(database.admin);
	expect(await admin.setLimit("renders_daily", 7, { description: "Renders" })).toMatchObject({
		limitType: "renders_daily",
		usageType: "render",
		freeTierLimit: 7,
		createdAt: expect.any(Date),
	});
	expect(
		await admin.setTier("zoe", "pro", { expiresAt: new Date(Date.now() + 1000_000), metadata: { a: 1 } }),
	).toMatchObject({
		userId: "zoe",
		tier: "pro",
		metadata: { a: 1 },
	});
	expect(await admin.setOverride("renders_daily", 9, { userId: "zoe", reason: "launch" })).toMatchObject({
		limitValue: 9,
		userId: "zoe",
	});
	const { eventId } = await usage.consume({ userId: "zoe", usageType: "render", amount: 8 });
	expect(await usage.refund(eventId as number, { amount: 2 })).toMatchObject({ current: 6 });
	expect(await usage.adjust("zoe", "render", -1, { reason: "a mistake" })).toMatchObject({ current: 5 });
	expect(await usage.setGauge("zoe", "storage_mb", 12)).toMatchObject({ current: 12 });
	expect(await usage.reset("zoe", "render")).toMatchObject({ current: 0 });
	expect(await admin.users({ search: "zo" })).toEqual([
		{ userId: "zoe", tier: "pro", status: "active", lastUsed: expect.any(Date) },
	]);
	await usage.consume({ userId: "yan", usageType: "render", amount: 5 });
	expect(await admin.preview("renders_daily", 2, { days: 1 })).toContainEqual({
		userId: "yan",
		usageType: "render",
		wouldDeny: expect.any(Number),
		firstAt: expect.any(Date),
		source: "events",
	});
	expect(await admin.installDefaults()).toBe(0);
	expect(await admin.version()).toEqual({
		libraryVersion: expect.any(String),
		sqlVersion: expect.any(String),
	});
	expect(await usage.now()).toBeInstanceOf(Date);
});
