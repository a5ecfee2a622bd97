import { createTRPCClient, httpLink, TRPCClientError } from "@trpc/client";
import { initTRPC, TRPCError } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { afterAll, expect, test } from "vitest";
import { UsageLimitError, UsageLimiter, UsageTracker, usageLimitOf } from "../src/index.js";
import {
	limitProcedure,
	usageAdminProcedures,
	usageErrorFormatter,
	usageErrors,
	usageProcedures,
	usageResponseMeta,
} from "../src/trpc/index.js";
import { createDatabase } from "./server.js";

const database = await createDatabase();
const pool = new pg.Pool(database.app);
afterAll(() => pool.end());
const db = drizzle(pool);
const usage = new UsageTracker(db);
const limiter = new UsageLimiter(db);

interface Context {
	session: { user: { id: string; role: "user" | "admin" } } | null;
}
const t = initTRPC.context<Context>().create({ errorFormatter: usageErrorFormatter });
const protectedProcedure = t.procedure.use(usageErrors()).use(({ ctx, next }) => {
	if (!ctx.session) throw new TRPCError({ code: "UNAUTHORIZED" });
	return next({ ctx: { session: ctx.session } });
});
const format = (value: unknown) => value as { format: string };

const appRouter = t.router({
	usage: {
		...usageProcedures({ procedure: protectedProcedure, usage, userId: (ctx) => ctx.session.user.id }),
		admin: usageAdminProcedures({
			procedure: protectedProcedure,
			usage: new UsageTracker(database.admin),
			isAdmin: (ctx) => ctx.session.user.role === "admin",
		}),
	},
	/** As the seed has it: asks, works, tracks. */
	exportVideo: protectedProcedure.input(format).mutation(async ({ ctx, input }) => {
		const userId = ctx.session.user.id;
		await limiter.checkActionAllowed({ userId, action: "export_video" });
		await usage.trackUsage({ userId, usageType: "export", eventSubtype: input.format });
		return { url: `video.${input.format}` };
	}),
	/** In the transaction of the work. */
	exportInTransaction: protectedProcedure.mutation(({ ctx }) =>
		db.transaction(async (tx) => {
			await usage.with(tx).enforce({ userId: ctx.session.user.id, usageType: "export" });
			return "done";
		}),
	),
	limited: protectedProcedure
		.input(format)
		.use(
			limitProcedure(usage, ({ ctx, input }) => ({
				userId: ctx.session.user.id,
				usageType: "export",
				eventSubtype: input.format,
			})),
		)
		.mutation(({ input }) => ({ format: input.format })),
	failing: protectedProcedure.query(() => {
		throw new Error("no disk");
	}),
});

const client = (id: string | null, role: "user" | "admin" = "user") =>
	createTRPCClient<typeof appRouter>({
		links: [
			httpLink({
				url: "http://localhost/trpc",
				fetch: (input, init) =>
					fetchRequestHandler({
						endpoint: "/trpc",
						req: new Request(input as string, init as RequestInit),
						router: appRouter,
						responseMeta: usageResponseMeta,
						createContext: () => ({ session: id === null ? null : { user: { id, role } } }),
					}),
			}),
		],
	});

const failure = async (work: Promise<unknown>) => {
	const error = await work.then(
		() => undefined,
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(TRPCClientError);
	return error as TRPCClientError<typeof appRouter>;
};

test.each(["exportVideo", "limited", "exportInTransaction"] as const)(
	"%s: a denial is TOO_MANY_REQUESTS, with its cause at the client",
	async (name) => {
		const userId = `denied by ${name}`;
		const { [name]: procedure } = client(userId);
		for (let i = 0; i < 3; i++) await procedure.mutate({ format: "mp4" } as never);
		const error = await failure(procedure.mutate({ format: "mp4" } as never));
		expect(error.data).toMatchObject({ code: "TOO_MANY_REQUESTS", httpStatus: 429 });
		expect(error.message).toMatch(/^You've reached your exports_daily limit \(3\/3\)/);
		expect(usageLimitOf(error)).toMatchObject({
			limitType: "exports_daily",
			title: name === "limited" ? null : "Video exports per day",
			current: 3,
			limit: 3,
			resetAt: expect.stringMatching(/T00:00:00.000Z$/),
		});
		expect(error.data?.usageLimit?.limitType).toBe("exports_daily");
	},
);

test("a denial has its headers, of several the longest", () => {
	const denial = (retryAfter: number | null) =>
		new UsageLimitError({
			allowed: false,
			reason: "limit_exceeded",
			usageType: "export",
			limitType: "exports_daily",
			requested: 1,
			current: 3,
			limit: 3,
			remaining: 0,
			resetAt: null,
			retryAfter,
			eventId: null,
			holdId: null,
		});
	const errors = [
		denial(60),
		new Error("no disk"),
		new TRPCError({ code: "TOO_MANY_REQUESTS", cause: denial(3600) }),
	];
	expect(usageResponseMeta({ errors })).toEqual({
		headers: {
			"RateLimit-Policy": '"exports_daily";q=3',
			RateLimit: '"exports_daily";r=0;t=3600',
			"Retry-After": "3600",
		},
	});
	expect(usageResponseMeta({ errors: [...errors, denial(null)] }).headers).not.toHaveProperty("Retry-After");
	expect(usageResponseMeta({ errors: [new Error("no disk")] })).toEqual({});
});

test("other errors stay what they are", async () => {
	const error = await failure(client("ann").failing.query());
	expect(error.data).toMatchObject({ code: "INTERNAL_SERVER_ERROR", usageLimit: null });
	expect(usageLimitOf(error)).toBeUndefined();
	expect((await failure(client(null).usage.getUserLimits.query())).data?.code).toBe("UNAUTHORIZED");
});

test("the router answers about the user who asks", async () => {
	await usage.consume({ userId: "bea", usageType: "prompt", amount: 2, tokensUsed: 10 });
	const bea = client("bea").usage;
	const limits = await bea.getUserLimits.query();
	expect(limits).toMatchObject({ tier: "free", prompts: { current: 2, limit: 10 } });
	expect(limits.prompts?.resetAt).toMatch(/Z$/);
	expect((await bea.getUserStats.query({ days: 7 })).totals).toEqual({ prompt: 2 });
	expect((await bea.getUserStats.query()).recentEvents[0]?.tokensUsed).toBe(10);
	expect((await bea.getUserStatus.query()).length).toBe(8);
	expect((await client("cat").usage.getUserStats.query({})).totals).toEqual({});
	for (const days of ["x", 0, 3651, 1.5]) {
		const wrong = await failure(bea.getUserStats.query({ days } as never));
		expect(wrong.data?.code, String(days)).toBe("BAD_REQUEST");
		// nothing of how the server asked
		expect(wrong.message).not.toContain("usage_stats");
	}
});

test("administers behind the application's check", async () => {
	expect(
		(await failure(client("bea").usage.admin.getTopUsers.query({ usageType: "prompt" }))).data?.code,
	).toBe("FORBIDDEN");
	const refused = await failure(
		client("bea").usage.admin.setLimit.mutate({ limitType: "prompts_daily", value: 1000 }),
	);
	expect(refused.data?.code).toBe("FORBIDDEN");

	const admin = client("root", "admin").usage.admin;
	expect(await admin.getTopUsers.query({ usageType: "prompt" })).toMatchObject([
		{ userId: "bea", totalUsage: 2 },
	]);
	expect(await admin.setLimit.mutate({ limitType: "prompts_daily", value: 2, tier: "free" })).toMatchObject({
		freeTierLimit: 2,
		proTierLimit: 100,
	});
	expect(await admin.explain.query({ userId: "bea", usageType: "prompt" })).toMatchObject([
		{ limitType: "prompts_daily", allowed: false, reason: "limit_exceeded" },
	]);
	const expiresAt = "2099-01-01T00:00:00.000Z";
	expect(await admin.setTier.mutate({ userId: "bea", tier: "pro", expiresAt })).toMatchObject({
		tier: "pro",
		expiresAt,
	});
	expect(
		await admin.setOverride.mutate({ limitType: "prompts_daily", value: 7, userId: "bea" }),
	).toMatchObject({
		limitValue: 7,
	});
	expect(await admin.getUserLimits.query({ userId: "bea" })).toMatchObject({
		tier: "pro",
		prompts: { limit: 7 },
	});
	expect((await admin.getUserStats.query({ userId: "bea" })).totals).toEqual({ prompt: 2 });
	expect(await admin.getUserStatus.query({ userId: "bea" })).toHaveLength(8);
	expect((await admin.listUsers.query({ search: "be" })).map((user) => user.userId)).toEqual(["bea"]);
	expect((await admin.listUsers.query()).length).toBeGreaterThan(2);
	expect((await admin.getUsageTrends.query({ days: 1 })).map((row) => row.usageType)).toContain("prompt");
	expect(await admin.getDailyTotals.query({ days: 1 })).toHaveLength(1);
	expect((await admin.getConversionFunnel.query()).generatedScene).toBe(1);
	expect(await admin.getErrorRates.query()).toEqual([]);

	const tooLong = await failure(admin.getDailyTotals.query({ days: 4000 }));
	expect(tooLong.data?.code).toBe("BAD_REQUEST");
	expect(tooLong.message).toBe("days must be between 1 and 3650");
	const unknown = await failure(admin.setTier.mutate({ userId: "bea", tier: "platinum" }));
	expect(unknown.data?.code).toBe("BAD_REQUEST");
});
