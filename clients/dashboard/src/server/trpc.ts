/** The procedures' ground: who asks, the database, and which errors get out. */
import { initTRPC, TRPCError } from "@trpc/server";
import type { Principal } from "./auth";
import type { Cache } from "./cache";
import type { Database } from "./database";
import { toClientError } from "./errors";

export interface Context {
	principal: Principal | undefined;
	/** A token makes whoever is nobody yet somebody. */
	needsToken: boolean;
	readOnly: boolean;
	database: Database;
	cache: Cache;
	log: (line: string) => void;
}

const t = initTRPC.context<Context>().create();

/** Turns every error into one that may be told. */
const withSafeErrors = t.middleware(async ({ ctx, next }) => {
	const result = await next();
	if (!result.ok) throw toClientError(result.error, ctx.log);
	return result;
});

export const router = t.router;
export const openProcedure = t.procedure.use(withSafeErrors);

const signedInProcedure = openProcedure.use(({ ctx, next }) => {
	if (!ctx.principal) throw new TRPCError({ code: "UNAUTHORIZED", message: "Sign in first." });
	return next({ ctx: { ...ctx, principal: ctx.principal } });
});

export const adminProcedure = signedInProcedure.use(({ ctx, next }) => {
	if (ctx.principal.role !== "admin")
		throw new TRPCError({ code: "FORBIDDEN", message: "This is for administrators." });
	return next();
});

export const changingProcedure = adminProcedure.use(({ ctx, next }) => {
	if (ctx.readOnly)
		throw new TRPCError({ code: "FORBIDDEN", message: "This dashboard was started with --read-only." });
	return next();
});

/** For a user, whose id is in userId; an administrator says whose page he looks at. */
export const userProcedure = signedInProcedure.use(async ({ ctx, next, getRawInput }) => {
	if (ctx.principal.role === "user") return next({ ctx: { ...ctx, userId: ctx.principal.userId } });
	const as = ((await getRawInput()) as { as?: unknown } | undefined)?.as;
	if (typeof as !== "string" || as === "")
		throw new TRPCError({
			code: "BAD_REQUEST",
			message: "This page shows one user: add ?as= and the user’s id to the address.",
		});
	return next({ ctx: { ...ctx, userId: as } });
});
