import { TRPCError, type TRPCMutationProcedure, type TRPCQueryProcedure } from "@trpc/server";
import type {
	LimitConfig,
	LimitOverride,
	SetLimitParams,
	SetTierParams,
	Subscription,
	UserListItem,
} from "../admin.js";
import { UsageAdmin } from "../admin.js";
import {
	type ConversionFunnel,
	type ErrorRate,
	type TopUser,
	UsageAnalytics,
	type UsageTrend,
} from "../analytics.js";
import { sqlStateOf } from "../errors.js";
import type { UsageTracker } from "../tracker.js";
import type { LimitExplanation, LimitStatus, UserLimits, UserStats } from "../types.js";
import { number, object, optional, string } from "./input.js";

/** What of a procedure builder is used. Its context is what the application's own middlewares have made of it. */
export interface ProcedureLike<Context> {
	// biome-ignore lint/suspicious/noExplicitAny: a builder, whose types depend on all that was called on it before
	use(middleware: (options: { ctx: Context; next: any; [name: string]: any }) => any): any;
}

type Query<Input, Output> = TRPCQueryProcedure<{ meta: unknown; input: Input; output: Output }>;
type Mutation<Input, Output> = TRPCMutationProcedure<{ meta: unknown; input: Input; output: Output }>;

// biome-ignore lint/suspicious/noExplicitAny: see ProcedureLike
type Builder = any;

// biome-ignore lint/suspicious/noConfusingVoidType: what tRPC takes as "no input"
type None = void | undefined;

export interface UsageRouterOptions<Context> {
	/** The application's procedure for users that are logged in. */
	procedure: ProcedureLike<Context>;
	usage: UsageTracker;
	/** Whom the procedures are about: the user that the application has authenticated. */
	userId: (ctx: Context) => string;
}

export type UsageProcedures = {
	getUserLimits: Query<None, UserLimits>;
	getUserStats: Query<{ days?: number | undefined } | None, UserStats>;
	getUserStatus: Query<None, LimitStatus[]>;
};

/** Answers what no database takes, and what ours does not (class 22, a name that must exist), with BAD_REQUEST. */
async function answering<T>(work: Promise<T>): Promise<T> {
	try {
		return await work;
	} catch (error) {
		if (!(error instanceof RangeError) && !/^22|^42704$/.test(sqlStateOf(error) ?? "")) throw error;
		throw new TRPCError({ code: "BAD_REQUEST", message: rootMessageOf(error), cause: error });
	}
}

/** What the database itself has said. */
function rootMessageOf(error: unknown): string {
	const { message, cause } = error as Error;
	return cause instanceof Error ? rootMessageOf(cause) : message;
}

/** Procedures about the user who calls them: `usage: t.router(usageProcedures({ procedure: protectedProcedure, … }))`. */
export function usageProcedures<Context>(options: UsageRouterOptions<Context>): UsageProcedures {
	const { usage } = options;
	const procedure = options.procedure as Builder;
	const userId = options.userId as (ctx: unknown) => string;
	type Call<Input = undefined> = { ctx: unknown; input: Input };
	return {
		getUserLimits: procedure.query(({ ctx }: Call) => usage.getUserLimits(userId(ctx))),
		getUserStats: procedure
			.input(optional(object({ days: optional(number) })))
			.query(({ ctx, input }: Call<{ days?: number } | undefined>) =>
				answering(usage.getUserStats(userId(ctx), input?.days)),
			),
		getUserStatus: procedure.query(({ ctx }: Call) => usage.getUserStatus(userId(ctx))),
	};
}

export interface UsageAdminRouterOptions<Context> {
	procedure: ProcedureLike<Context>;
	/** Over a database whose role has the part `admin`. */
	usage: UsageTracker;
	/** Whether the caller may administer; anybody else gets FORBIDDEN. */
	isAdmin: (ctx: Context) => boolean | Promise<boolean>;
}

type Days = { days?: number | undefined } | None;
type User = { userId: string };

export type UsageAdminProcedures = {
	getUserLimits: Query<User, UserLimits>;
	getUserStats: Query<User & { days?: number | undefined }, UserStats>;
	getUserStatus: Query<User, LimitStatus[]>;
	explain: Query<User & { usageType: string; amount?: number | undefined }, LimitExplanation[]>;
	listUsers: Query<
		{ search?: string | undefined; after?: string | undefined; maxRows?: number | undefined } | None,
		UserListItem[]
	>;
	getTopUsers: Query<
		{ usageType: string; days?: number | undefined; maxRows?: number | undefined },
		TopUser[]
	>;
	getUsageTrends: Query<Days, UsageTrend[]>;
	getDailyTotals: Query<Days, Omit<UsageTrend, "usageType">[]>;
	getConversionFunnel: Query<Days, ConversionFunnel>;
	getErrorRates: Query<{ days?: number | undefined; minEvents?: number | undefined } | None, ErrorRate[]>;
	setLimit: Mutation<{ limitType: string; value: number } & SetLimitParams, LimitConfig>;
	setTier: Mutation<{ userId: string; tier: string } & SetTierParams, Subscription>;
	setOverride: Mutation<
		{
			limitType: string;
			value: number;
			userId?: string | undefined;
			tier?: string | undefined;
			startsAt?: string | Date | undefined;
			expiresAt?: string | Date | undefined;
			reason?: string | undefined;
		},
		LimitOverride
	>;
};

/** Procedures about everybody, for those whom the application's check lets through. */
export function usageAdminProcedures<Context>(
	options: UsageAdminRouterOptions<Context>,
): UsageAdminProcedures {
	const { usage, isAdmin } = options;
	const admin = UsageAdmin.like(usage);
	const analytics = UsageAnalytics.like(usage);
	const procedure = options.procedure.use(async ({ ctx, next }) => {
		if (!(await isAdmin(ctx))) throw new TRPCError({ code: "FORBIDDEN" });
		return next();
	}) as Builder;
	const user = { userId: string };
	const days = optional(object({ days: optional(number) }));
	// biome-ignore lint/suspicious/noExplicitAny: what the validators have let through
	const query = (input: Builder, resolve: (input: any) => Promise<unknown>) =>
		procedure.input(input).query((call: { input: unknown }) => answering(resolve(call.input)));
	// biome-ignore lint/suspicious/noExplicitAny: what the validators have let through
	const mutation = (input: Builder, resolve: (input: any) => Promise<unknown>) =>
		procedure.input(input).mutation((call: { input: unknown }) => answering(resolve(call.input)));
	return {
		getUserLimits: query(object(user), (input) => usage.getUserLimits(input.userId)),
		getUserStats: query(object({ ...user, days: optional(number) }), (input) =>
			usage.getUserStats(input.userId, input.days),
		),
		getUserStatus: query(object(user), (input) => usage.getUserStatus(input.userId)),
		explain: query(object({ ...user, usageType: string, amount: optional(number) }), (input) =>
			usage.explain(input.userId, input.usageType, input.amount),
		),
		listUsers: query(
			optional(object({ search: optional(string), after: optional(string), maxRows: optional(number) })),
			(input) => admin.users(input),
		),
		getTopUsers: query(
			object({ usageType: string, days: optional(number), maxRows: optional(number) }),
			(input) => analytics.getTopUsers(input.usageType, input.days, input.maxRows),
		),
		getUsageTrends: query(days, (input) => analytics.getUsageTrends(input?.days)),
		getDailyTotals: query(days, (input) => analytics.getDailyTotals(input?.days)),
		getConversionFunnel: query(days, (input) => analytics.getConversionFunnel(input?.days)),
		getErrorRates: query(optional(object({ days: optional(number), minEvents: optional(number) })), (input) =>
			analytics.getErrorRates(input?.days, input?.minEvents),
		),
		setLimit: mutation(object({ limitType: string, value: number }), ({ limitType, value, ...params }) =>
			admin.setLimit(limitType, value, params),
		),
		setTier: mutation(object({ userId: string, tier: string }), ({ userId, tier, ...params }) =>
			admin.setTier(userId, tier, params),
		),
		setOverride: mutation(object({ limitType: string, value: number }), ({ limitType, value, ...params }) =>
			admin.setOverride(limitType, value, params),
		),
	};
}
